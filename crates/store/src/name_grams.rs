//! Which names have which three letters: lists of names by *gram*, packed into pages.
//!
//! A segment of names is numbered from 0 by place. For each gram, three octets that follow each other in a
//! name, it has the list of places whose names have it, as differences, so that most take one octet. A gram
//! that very many names have tells little: it is noted without its list. Grams are spread over pages, so that
//! a look for a few of them reads a few pages.
//!
//! A list tells where a gram is, not where in the name: who finds a place looks at the name there.

/// How many pages a segment has.
pub(crate) const PAGES: u32 = 1 << PAGE_BITS;

const PAGE_BITS: u32 = 11;

/// How many bits a place may have.
const PLACE_BITS: u32 = 24;

/// A gram of more names than this has no list.
const LIST_MAX: usize = 1 << 14;

/// Three octets that follow each other.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Gram(u32);

impl Gram {
    /// The page it is on.
    pub(crate) fn page(self) -> u32 {
        self.0.wrapping_mul(0x9E37_79B1) >> (32 - PAGE_BITS)
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

/// The pages of a segment, by number; those without grams are left out.
pub(crate) fn pages<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(u32, Vec<u8>)> {
    // Page, gram and place in one number, so that sorting numbers sorts all there is to write.
    let mut marks: Vec<u64> = Vec::new();
    for (place, name) in (0_u32..).zip(names) {
        for gram in grams(name) {
            let key = (u64::from(gram.page()) << 24) | u64::from(gram.0);
            marks.push((key << PLACE_BITS) | u64::from(place));
        }
    }
    marks.sort_unstable();
    marks.dedup();
    let of_page = |mark: u64| (mark >> (PLACE_BITS + 24)) as u32;
    let pages = marks.chunk_by(|a, b| of_page(*a) == of_page(*b));
    pages
        .map(|marks| (of_page(marks[0]), page(marks)))
        .collect()
}

fn page(marks: &[u64]) -> Vec<u8> {
    let mut page = Vec::new();
    let mut list = Vec::new();
    for marks in marks.chunk_by(|a, b| a >> PLACE_BITS == b >> PLACE_BITS) {
        let [.., a, b, c] = (marks[0] >> PLACE_BITS).to_be_bytes();
        page.extend([a, b, c]);
        list.clear();
        if marks.len() <= LIST_MAX {
            let mut next = 0;
            let places = marks.iter().map(|mark| mark & ((1 << PLACE_BITS) - 1));
            for place in places.map(|place| place as u32) {
                put(&mut list, place - next);
                next = place + 1;
            }
        }
        // No list is empty: a length of nothing says that there is none.
        put(&mut page, list.len() as u32);
        page.extend(&list);
    }
    page
}

/// What a page says of a gram.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Places {
    /// No name has it.
    Nowhere,
    /// These names have it.
    List(Vec<u32>),
    /// Too many have it.
    Everywhere,
}

/// Looks a gram up in its page; `None` if the page is damaged.
pub(crate) fn places(page: &[u8], gram: Gram) -> Option<Places> {
    let [_, wanted @ ..] = gram.0.to_be_bytes();
    let mut rest = page;
    while !rest.is_empty() {
        let (found, after) = rest.split_at_checked(3)?;
        let (length, after) = take(after)?;
        let (list, after) = after.split_at_checked(length as usize)?;
        if found == wanted {
            return match list.is_empty() {
                true => Some(Places::Everywhere),
                false => decode(list).map(Places::List),
            };
        }
        rest = after;
    }
    Some(Places::Nowhere)
}

fn decode(mut list: &[u8]) -> Option<Vec<u32>> {
    let mut places = Vec::with_capacity(list.len());
    let mut next = 0_u32;
    while !list.is_empty() {
        let (step, rest) = take(list)?;
        let place = next.checked_add(step)?;
        places.push(place);
        next = place.checked_add(1)?;
        list = rest;
    }
    Some(places)
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

    /// Where a text may be, by the pages alone; `None` for everywhere.
    fn candidates(pages: &BTreeMap<u32, Vec<u8>>, text: &str) -> Option<Vec<u32>> {
        let mut lists = Vec::new();
        for gram in some_grams(text, 8) {
            let found = match pages.get(&gram.page()) {
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
            names in prop::collection::vec("[ab.-]{0,12}", 0..60),
            text in "[ab.-]{3,6}",
        ) {
            let pages: BTreeMap<u32, Vec<u8>> = pages(names.iter().map(String::as_str)).into_iter().collect();
            let found = candidates(&pages, &text).unwrap();
            for (place, name) in (0..).zip(&names) {
                let has_grams = grams(&text).all(|wanted| grams(name).any(|gram| gram == wanted));
                prop_assert_eq!(found.contains(&place), has_grams, "{}", name);
                prop_assert!(has_grams || !name.contains(&text));
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
        }
    }

    #[test]
    fn a_gram_of_very_many_names_has_no_list() {
        let many = LIST_MAX + 1;
        let names = (0..many).map(|at| if at == 5 { "abcd" } else { "abc" });
        let pages: BTreeMap<u32, Vec<u8>> = pages(names).into_iter().collect();
        assert_eq!(candidates(&pages, "abc"), None);
        assert_eq!(candidates(&pages, "abcd"), Some(vec![5]));
        assert_eq!(candidates(&pages, "bce"), Some(vec![]));
        let octets: usize = pages.values().map(Vec::len).sum();
        assert!(octets < 20, "{octets}");
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
