//! Which names have which three letters: lists of names by *gram*, packed into pages.
//!
//! A segment of names is numbered from 0 by place. For each gram, three octets that follow each other in a
//! name, it has the list of places whose names have it, as differences, so that most take one octet. A gram
//! that very many names have tells little: it is noted without its list. Grams are spread over pages, so that
//! a look for a few of them reads a few pages.
//!
//! A page is numbered by the first bits of its grams' hashes. So each page of a larger segment, which has
//! more pages, comes from one page of each of the smaller segments it is made of, and segments are merged
//! page by page.
//!
//! A list tells where a gram is, not where in the name: who finds a place looks at the name there.

/// How large segments of a kind are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tier {
    /// A segment has 2^bits names.
    pub(crate) bits: u32,
    /// A segment has 2^bits pages.
    page_bits: u32,
}

impl Tier {
    pub(crate) const SMALL: Self = Self {
        bits: 15,
        page_bits: 9,
    };
    pub(crate) const LARGE: Self = Self {
        bits: 20,
        page_bits: 14,
    };

    /// How many pages a segment has.
    pub(crate) fn pages(self) -> u32 {
        1 << self.page_bits
    }

    /// The page that a gram is on.
    pub(crate) fn page(self, gram: Gram) -> u32 {
        gram.hash() >> (32 - self.page_bits)
    }

    /// A gram of more names than this has no list.
    fn list_max(self) -> usize {
        1 << (self.bits - 4)
    }
}

/// Three octets that follow each other.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Gram(u32);

impl Gram {
    fn hash(self) -> u32 {
        self.0.wrapping_mul(0x9E37_79B1)
    }
}

/// The grams of a text, in its order.
pub(crate) fn grams(text: &str) -> impl ExactSizeIterator<Item = Gram> + '_ {
    let octets = text.as_bytes().windows(3);
    octets.map(|three| Gram(u32::from_be_bytes([0, three[0], three[1], three[2]])))
}

/// At most `most` grams of a text, spread over it.
pub(crate) fn some_grams(text: &str, most: usize) -> Vec<Gram> {
    let mut found: Vec<Gram> = grams(text).collect();
    let last = found.len().saturating_sub(1);
    if found.len() > most {
        found = (0..most).map(|at| found[at * last / (most - 1)]).collect();
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What a page says of a gram.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Places {
    /// No name has it.
    Nowhere,
    /// These names have it.
    List(Vec<u32>),
    /// Too many have it.
    Everywhere,
}

/// The pages of a segment of the small tier, by number; those without grams are left out.
pub(crate) fn pages<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(u32, Vec<u8>)> {
    let mut marks: Vec<(Gram, u32)> = Vec::new();
    for (place, name) in (0..).zip(names) {
        marks.extend(grams(name).map(|gram| (gram, place)));
    }
    marks.sort_unstable_by_key(|(gram, place)| (gram.hash(), gram.0, *place));
    marks.dedup();
    let lists = marks.chunk_by(|a, b| a.0 == b.0).map(|marks| {
        let places = marks.iter().map(|(_, place)| *place).collect();
        (marks[0].0, Places::List(places))
    });
    packed(Tier::SMALL, lists.collect())
}

/// The pages of a segment of the large tier that come from one page of each of its small segments, in their
/// order; a page that is not there is empty. `None` if a page is damaged.
pub(crate) fn merged(pages: &[Vec<u8>]) -> Option<Vec<(u32, Vec<u8>)>> {
    let mut lists: Vec<(Gram, u32, Places)> = Vec::new();
    for (segment, page) in (0..).zip(pages) {
        for entry in Entries(page) {
            let (gram, list) = entry?;
            lists.push((gram, segment, list.places()?));
        }
    }
    lists.sort_unstable_by_key(|(gram, segment, _)| (gram.hash(), gram.0, *segment));
    let merged = lists.chunk_by(|a, b| a.0 == b.0).map(|lists| {
        let mut all = Vec::new();
        for (gram, segment, places) in lists {
            match places {
                Places::Nowhere => {}
                Places::Everywhere => return (*gram, Places::Everywhere),
                Places::List(list) => {
                    let base = segment << Tier::SMALL.bits;
                    all.extend(list.iter().map(|place| base + place));
                }
            }
        }
        (lists[0].0, Places::List(all))
    });
    Some(packed(Tier::LARGE, merged.collect()))
}

/// Packs lists, which are in the order of their grams' hashes.
fn packed(tier: Tier, lists: Vec<(Gram, Places)>) -> Vec<(u32, Vec<u8>)> {
    let mut pages: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut octets = Vec::new();
    for (gram, places) in lists {
        octets.clear();
        if let Places::List(list) = places
            && list.len() <= tier.list_max()
        {
            let mut next = 0;
            for place in list {
                put(&mut octets, place - next);
                next = place + 1;
            }
        }
        let number = tier.page(gram);
        if pages.last().is_none_or(|(last, _)| *last != number) {
            pages.push((number, Vec::new()));
        }
        if let Some((_, page)) = pages.last_mut() {
            let [_, name @ ..] = gram.0.to_be_bytes();
            page.extend(name);
            // No list is empty: a length of nothing says that there is none.
            put(page, octets.len() as u32);
            page.extend(&octets);
        }
    }
    pages
}

/// Looks a gram up in its page; `None` if the page is damaged.
pub(crate) fn places(page: &[u8], wanted: Gram) -> Option<Places> {
    for entry in Entries(page) {
        let (gram, list) = entry?;
        if gram == wanted {
            return list.places();
        }
    }
    Some(Places::Nowhere)
}

/// What a page has, one gram after another; `None` where it is damaged, which is the end of it.
struct Entries<'a>(&'a [u8]);

struct List<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Option<(Gram, List<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let page = std::mem::take(&mut self.0);
        Some(Self::entry(page).map(|(gram, list, rest)| {
            self.0 = rest;
            (gram, List(list))
        }))
    }
}

impl<'a> Entries<'a> {
    fn entry(page: &'a [u8]) -> Option<(Gram, &'a [u8], &'a [u8])> {
        let (name, rest) = page.split_first_chunk::<3>()?;
        let gram = Gram(u32::from_be_bytes([0, name[0], name[1], name[2]]));
        let (length, rest) = take(rest)?;
        let (list, rest) = rest.split_at_checked(length as usize)?;
        Some((gram, list, rest))
    }
}

impl List<'_> {
    fn places(&self) -> Option<Places> {
        let mut list = self.0;
        if list.is_empty() {
            return Some(Places::Everywhere);
        }
        let mut places = Vec::with_capacity(list.len());
        let mut next = 0_u32;
        while !list.is_empty() {
            let (step, rest) = take(list)?;
            let place = next.checked_add(step)?;
            places.push(place);
            next = place.checked_add(1)?;
            list = rest;
        }
        Some(Places::List(places))
    }
}

/// The places that are in every list, ascending. Lists are in order.
pub(crate) fn common(mut lists: Vec<Vec<u32>>) -> Vec<u32> {
    lists.sort_unstable_by_key(Vec::len);
    let mut lists = lists.into_iter();
    let mut common = lists.next().unwrap_or_default();
    for list in lists {
        let mut list = list.into_iter().peekable();
        common.retain(|place| {
            while list.next_if(|other| other < place).is_some() {}
            list.peek() == Some(place)
        });
    }
    common
}

/// Seven bits an octet, the lowest first; the high bit says that more follow.
fn put(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0_u32;
    for (at, octet) in text.iter().enumerate().take(5) {
        let bits = u32::from(octet & 0x7F);
        number |= bits.checked_shl(7 * at as u32)?;
        if octet & 0x80 == 0 {
            return Some((number, &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Pages = BTreeMap<u32, Vec<u8>>;

    fn of(names: &[String]) -> Pages {
        pages(names.iter().map(String::as_str))
            .into_iter()
            .collect()
    }

    /// Merges segments page by page.
    fn merge(segments: &[Pages]) -> Pages {
        let mut merged_pages = Pages::new();
        for number in 0..Tier::SMALL.pages() {
            let pages = segments.iter().map(|pages| pages.get(&number).cloned());
            let pages: Vec<Vec<u8>> = pages.map(Option::unwrap_or_default).collect();
            merged_pages.extend(merged(&pages).unwrap());
        }
        merged_pages
    }

    /// Where a text may be, by the pages alone; `None` for everywhere.
    fn candidates(tier: Tier, pages: &Pages, text: &str) -> Option<Vec<u32>> {
        let mut lists = Vec::new();
        for gram in some_grams(text, 8) {
            let found = match pages.get(&tier.page(gram)) {
                Some(page) => places(page, gram).unwrap(),
                None => Places::Nowhere,
            };
            match found {
                Places::Nowhere => return Some(vec![]),
                Places::List(list) => lists.push(list),
                Places::Everywhere => {}
            }
        }
        (!lists.is_empty()).then(|| common(lists))
    }

    proptest! {
        #[test]
        fn every_name_with_a_text_is_among_its_candidates(
            segments in prop::collection::vec(prop::collection::vec("[ab.-]{0,12}", 0..40), 1..4),
            text in "[ab.-]{3,6}",
        ) {
            let pages: Vec<Pages> = segments.iter().map(|names| of(names)).collect();
            let large = candidates(Tier::LARGE, &merge(&pages), &text).unwrap();
            for (segment, names) in (0_u32..).zip(&segments) {
                let small = candidates(Tier::SMALL, &pages[segment as usize], &text).unwrap();
                for (place, name) in (0_u32..).zip(names) {
                    let has_grams = grams(&text).all(|wanted| grams(name).any(|gram| gram == wanted));
                    prop_assert_eq!(small.contains(&place), has_grams, "{}", name);
                    let place = (segment << Tier::SMALL.bits) + place;
                    prop_assert_eq!(large.contains(&place), has_grams, "{}", name);
                    prop_assert!(has_grams || !name.contains(&text));
                }
            }
        }

        #[test]
        fn numbers_come_back(number in any::<u32>()) {
            let mut out = Vec::new();
            put(&mut out, number);
            prop_assert_eq!(take(&out), Some((number, &[][..])));
        }

        #[test]
        fn a_damaged_page_is_told_and_never_a_panic(page in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = places(&page, some_grams("abc", 8)[0]);
            let _ = merged(&[page]);
        }
    }

    #[test]
    fn a_gram_of_very_many_names_has_no_list() {
        let many = Tier::SMALL.list_max() + 1;
        let names = (0..many).map(|at| if at == 5 { "abcd" } else { "abc" });
        let names: Vec<String> = names.map(str::to_owned).collect();
        let pages = of(&names);
        assert_eq!(candidates(Tier::SMALL, &pages, "abc"), None);
        assert_eq!(candidates(Tier::SMALL, &pages, "abcd"), Some(vec![5]));
        assert_eq!(candidates(Tier::SMALL, &pages, "bce"), Some(vec![]));
        let octets: usize = pages.values().map(Vec::len).sum();
        assert!(octets < 20, "{octets}");
        // Nobody knows any more where it is in the other segment.
        let other = of(&["abc".to_owned()]);
        let both = merge(&[other, pages]);
        assert_eq!(candidates(Tier::LARGE, &both, "abc"), None);
        let place = (1 << Tier::SMALL.bits) + 5;
        assert_eq!(candidates(Tier::LARGE, &both, "abcd"), Some(vec![place]));
    }

    #[test]
    fn few_grams_are_spread_over_a_long_text() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        let some = some_grams(text, 8);
        assert_eq!(some.len(), 8);
        let all: Vec<Gram> = grams(text).collect();
        assert!(some.contains(&all[0]) && some.contains(&all[23]));
        assert_eq!(some_grams("aaaaaaa", 8).len(), 1);
        assert_eq!(some_grams("ab", 8).len(), 0);
    }
}
