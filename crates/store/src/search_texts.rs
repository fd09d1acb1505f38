//! What people are found by: the index behind searches for a text in a name, a company or an address.
//!
//! A name is found by what any of its words begins with, an address by its own beginning, and by a whole address
//! only if it is the same: whoever asks for a person wants nobody else. Case, spacing and forms of letters aside. So a text is kept folded, once from the beginning of each word on or once as a whole, and a
//! search is one range of the table. Who changes what is indexed takes the old texts out and puts the new ones
//! in, in the same change set; this file knows no nouns, only fields.
//!
//! Of several texts the one that finds the fewest is looked up; those that find too many are compared with what
//! was read of its finds, and so is the rest of a text that is longer than what is kept.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::contacts::is_email;
use unicode_normalization::UnicodeNormalization;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::reading::as_keys;
use crate::store::Store;
use crate::values;

/// How much of a text is kept, in characters.
const LENGTH: usize = 64;

/// From how many of its words on a text is found.
const WORDS: usize = 32;

/// What ends a text that is all of its field. No text has it in it, and it comes before all that go on.
const END: char = '\u{1f}';

/// How many texts a search looks at.
pub const LOOKED_AT_MOST: usize = 100_000;

/// How many finds of a text are few: less than what makes reading them slow.
const FEW: usize = 1_000;

/// How many subjects are read at once to be compared.
pub(crate) const READ_AT_ONCE: usize = 1_000;

/// A field to be found by. Fields of contacts belong to a customer; fields of customers to a reseller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SearchField {
    pub(crate) name: &'static str,
    found_by: FoundBy,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FoundBy {
    /// What some word begins with, going on from there.
    Words,
    /// What all of it begins with.
    Beginning,
}

impl SearchField {
    /// One that is found by what its words begin with.
    pub(crate) const fn by_words(name: &'static str) -> Self {
        let found_by = FoundBy::Words;
        Self { name, found_by }
    }

    /// One that is found by its own beginning.
    pub(crate) const fn by_beginning(name: &'static str) -> Self {
        let found_by = FoundBy::Beginning;
        Self { name, found_by }
    }

    /// Where in a folded text one may begin that finds it.
    fn starts(self, folded: &str) -> Vec<usize> {
        match self.found_by {
            FoundBy::Beginning => (!folded.is_empty()).then_some(0).into_iter().collect(),
            FoundBy::Words => starts_of_words(folded),
        }
    }

    /// Between which texts those are that one finds; `None` if it finds nothing.
    pub(crate) fn range(self, text: &str) -> Option<[String; 2]> {
        Some(Wanted::new(self, text)?.range())
    }

    /// A text as it is kept, once for each way to find it.
    fn kept(self, text: &str) -> BTreeSet<String> {
        let folded = folded(text);
        let starts = self.starts(&folded).into_iter().enumerate();
        let kept = |(number, at): (usize, usize)| {
            let mut rest = folded[at..].chars();
            let mut kept: String = rest.by_ref().take(LENGTH).collect();
            if number == 0 && rest.next().is_none() {
                kept.push(END);
            }
            kept
        };
        starts.map(kept).collect()
    }
}

/// A text as it is kept and looked for.
fn folded(text: &str) -> String {
    let normal: String = text.nfkc().collect();
    let lower = normal.to_lowercase().replace('ς', "σ");
    let words: Vec<&str> = lower.split_whitespace().collect();
    words.join(" ")
}

/// Where the words of a folded text begin.
fn starts_of_words(folded: &str) -> Vec<usize> {
    let mut is_inside = false;
    let begins = folded.char_indices().filter(|(_, letter)| {
        let begins = letter.is_alphanumeric() && !is_inside;
        is_inside = letter.is_alphanumeric();
        begins
    });
    begins.map(|(at, _)| at).take(WORDS).collect()
}

/// A text that is looked for in a field.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Wanted {
    field: SearchField,
    /// Folded, from where it can begin.
    text: String,
    /// Whether it finds only what it is all of.
    is_whole: bool,
}

impl Wanted {
    /// `None` if the text finds nothing.
    fn new(field: SearchField, text: &str) -> Option<Self> {
        let folded = folded(text);
        let start = *field.starts(&folded).first()?;
        let text = folded[start..].to_owned();
        Some(Self {
            field,
            is_whole: field.found_by == FoundBy::Beginning && is_email(&text),
            text,
        })
    }

    /// Between which texts those are that it finds, as far as it is kept.
    fn range(&self) -> [String; 2] {
        let mut from = self.looked_up();
        if self.is_whole && !self.is_cut() {
            from.push(END);
        }
        let before = format!("{from}{}", char::MAX);
        [from, before]
    }

    /// As much of it as is kept.
    fn looked_up(&self) -> String {
        self.text.chars().take(LENGTH).collect()
    }

    /// Whether less of it is kept than there is.
    fn is_cut(&self) -> bool {
        self.text.chars().nth(LENGTH).is_some()
    }

    /// Whether it finds what has this text in its field; if so, whether it is all of it.
    fn finds(&self, text: &str) -> Option<bool> {
        let folded = folded(text);
        let starts = self.field.starts(&folded);
        let is_all = starts.first().is_some_and(|at| folded[*at..] == self.text);
        let mut rests = starts.iter().map(|at| &folded[*at..]);
        let is_found = match self.is_whole {
            true => is_all,
            false => rests.any(|rest| rest.starts_with(&self.text)),
        };
        is_found.then_some(is_all)
    }
}

/// What texts found: subjects, and how many of the texts are all of their field.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Found {
    subjects: BTreeMap<i64, usize>,
    /// What the subjects have yet to be compared with.
    uncompared: Vec<Wanted>,
}

impl Found {
    /// The subjects that are to be read, and told to [`Found::compare`]; none if all is known.
    pub(crate) fn to_compare(&self) -> Vec<i64> {
        match self.uncompared.is_empty() {
            true => Vec::new(),
            false => self.subjects.keys().copied().collect(),
        }
    }

    /// Leaves of the subjects those that were read and that all texts find.
    pub(crate) fn compare(
        &mut self,
        read: impl Iterator<Item = (i64, Vec<(SearchField, String)>)>,
    ) {
        let before = std::mem::take(&mut self.subjects);
        for (id, texts) in read {
            let finds = |wanted: &Wanted| {
                let mut texts = texts.iter();
                let (_, text) = texts.find(|(field, _)| *field == wanted.field)?;
                wanted.finds(text).map(usize::from)
            };
            let found: Option<usize> = self.uncompared.iter().map(finds).sum();
            if let (Some(found), Some(known)) = (found, before.get(&id)) {
                self.subjects.insert(id, known + found);
            }
        }
        self.uncompared.clear();
    }

    /// The subjects: those first of which most texts are all of their field, and each by id.
    pub(crate) fn in_order(self) -> Vec<i64> {
        let mut subjects: Vec<(i64, usize)> = self.subjects.into_iter().collect();
        subjects.sort_by_key(|(id, wholes)| (Reverse(*wholes), *id));
        subjects.into_iter().map(|(id, _)| id).collect()
    }

    /// Leaves those that another list has, too.
    fn also_in(&mut self, list: &BTreeMap<i64, bool>) {
        self.subjects.retain(|id, wholes| {
            let found = list.get(id);
            *wholes += usize::from(found == Some(&true));
            found.is_some()
        });
    }
}

impl Change {
    /// Makes a subject known by a text.
    pub(crate) fn insert_search_text(
        &mut self,
        owner: i64,
        field: SearchField,
        subject: i64,
        text: &str,
    ) {
        const SQL: &str = "
            insert into search_texts (owner_id, field, text, subject_id)
            select cast($1 as bigint), cast($2 as text), key, cast($3 as bigint) from json_each($4)
            where true on conflict (owner_id, field, text, subject_id) do nothing";
        let texts = field.kept(text);
        if !texts.is_empty() {
            self.execute(
                SQL,
                values![
                    owner,
                    field.name,
                    subject,
                    as_keys(texts.iter().map(String::as_str))
                ],
            );
        }
    }

    /// Makes a subject no longer known by a text.
    pub(crate) fn delete_search_text(
        &mut self,
        owner: i64,
        field: SearchField,
        subject: i64,
        text: &str,
    ) {
        const SQL: &str = "
            delete from search_texts
            where owner_id = $1 and field = $2 and subject_id = $3
                and text in (select key from json_each($4))";
        let texts = field.kept(text);
        if !texts.is_empty() {
            self.execute(
                SQL,
                values![
                    owner,
                    field.name,
                    subject,
                    as_keys(texts.iter().map(String::as_str))
                ],
            );
        }
    }

    /// Makes a subject no longer known by any text. That looks through all texts of the owner's field.
    pub(crate) fn delete_search_texts(&mut self, owner: i64, field: SearchField, subject: i64) {
        const SQL: &str = "
            delete from search_texts where owner_id = $1 and field = $2 and subject_id = $3";
        self.execute(SQL, values![owner, field.name, subject]);
    }
}

impl Change {
    /// Makes a subject known by a text as it is.
    pub(crate) fn insert_whole_text(
        &mut self,
        owner: i64,
        field: SearchField,
        subject: i64,
        text: &str,
    ) {
        const SQL: &str = "
            insert into search_texts (owner_id, field, text, subject_id) values ($1, $2, $3, $4)
            on conflict (owner_id, field, text, subject_id) do nothing";
        self.execute(SQL, values![owner, field.name, text, subject]);
    }

    /// Makes a subject no longer known by a text as it is.
    pub(crate) fn delete_whole_text(
        &mut self,
        owner: i64,
        field: SearchField,
        subject: i64,
        text: &str,
    ) {
        const SQL: &str = "
            delete from search_texts
            where owner_id = $1 and field = $2 and text = $3 and subject_id = $4";
        self.execute(SQL, values![owner, field.name, text, subject]);
    }
}

impl Store {
    /// What all of some texts find, among some subjects or all; `None` if each of them finds too many.
    pub(crate) async fn found(
        &self,
        owner: i64,
        texts: &[(SearchField, &str)],
        among: Option<Vec<i64>>,
    ) -> Result<Option<Found>, StoreError> {
        let wanted = texts.iter().map(|(field, text)| Wanted::new(*field, text));
        let Some(wanted) = wanted.collect::<Option<Vec<_>>>() else {
            return Ok(Some(Found::default()));
        };
        let limits = match (&wanted[..], &among) {
            ([_], None) => &[LOOKED_AT_MOST][..],
            _ => &[FEW, LOOKED_AT_MOST],
        };
        let subjects = |ids: Vec<i64>| ids.into_iter().map(|id| (id, 0)).collect();
        let among: Option<BTreeMap<i64, usize>> = among.map(subjects);
        for limit in limits {
            let mut lists = Vec::new();
            let mut uncompared = Vec::new();
            for wanted in &wanted {
                let list = self.looked_up(owner, wanted, *limit).await?;
                if list.is_none() || wanted.is_cut() {
                    uncompared.push(wanted.clone());
                }
                lists.extend(list);
            }
            lists.sort_by_key(BTreeMap::len);
            let first = lists.first();
            let all = |list: &BTreeMap<i64, bool>| list.keys().map(|id| (*id, 0)).collect();
            if let Some(subjects) = among.clone().or_else(|| first.map(all)) {
                let mut found = Found {
                    subjects,
                    uncompared,
                };
                lists.iter().for_each(|list| found.also_in(list));
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The subjects that a text finds, and whether it is all of their field; `None` if there are more than some.
    async fn looked_up(
        &self,
        owner: i64,
        wanted: &Wanted,
        most: usize,
    ) -> Result<Option<BTreeMap<i64, bool>>, StoreError> {
        const SQL: &str = "
            select subject_id, case when text = $6 then cast(1 as bigint) else 0 end from search_texts
            where owner_id = $1 and field = $2 and text >= $3 and text < $4 limit $5";
        let [from, before] = wanted.range();
        let all = format!("{}{END}", wanted.looked_up());
        let limit = most as i64 + 1;
        let values = values![owner, wanted.field.name, from, before, limit, all];
        let rows = self.scan(SQL, values).await?;
        if rows.len() > most {
            return Ok(None);
        }
        let mut subjects = BTreeMap::new();
        for row in rows {
            let is_all = row.int(1)? == 1 && !wanted.is_cut();
            *subjects.entry(row.int(0)?).or_default() |= is_all;
        }
        Ok(Some(subjects))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: SearchField = SearchField::by_words("name");
    const EMAIL: SearchField = SearchField::by_beginning("email");

    fn finds(field: SearchField, asked: &str, text: &str) -> Option<bool> {
        Wanted::new(field, asked).and_then(|wanted| wanted.finds(text))
    }

    #[test]
    fn names_are_kept_from_each_word_on_and_addresses_as_a_whole() {
        let kept = |field: SearchField, text| Vec::from_iter(field.kept(text));
        assert_eq!(
            kept(NAME, "  Ann-Marie   O'Neill "),
            [
                "ann-marie o'neill\u{1f}",
                "marie o'neill",
                "neill",
                "o'neill"
            ]
        );
        assert_eq!(
            kept(EMAIL, "Jo-Ann@Shop.example"),
            ["jo-ann@shop.example\u{1f}"]
        );
        let long = "x".repeat(LENGTH + 1);
        assert_eq!(kept(EMAIL, &long), [&long[1..]]);
        assert!(kept(NAME, "...").is_empty() && kept(EMAIL, " ").is_empty());
    }

    #[test]
    fn a_text_is_told_from_one_that_goes_on() {
        assert_eq!(finds(NAME, "ann", "Ann"), Some(true));
        assert_eq!(finds(NAME, "ann", "Jo Ann"), Some(false));
        assert_eq!(finds(NAME, "nn", "Ann"), None);
        assert_eq!(finds(EMAIL, "ann@", "ann@shop.example"), Some(false));
        assert_eq!(finds(EMAIL, "ann@", "jo-ann@shop.example"), None);
    }

    #[test]
    fn a_whole_address_finds_nothing_but_itself() {
        let long = format!("{}@shop.example", "a".repeat(LENGTH));
        for (asked, text, found) in [
            (" Ann@Shop.example", "ann@shop.example", Some(true)),
            ("ann@shop.ex", "ann@shop.example", None),
            ("ann@shop.example", "ann@shop.example.org", None),
            (&long, &long, Some(true)),
            (&long, &format!("{long}.org"), None),
        ] {
            assert_eq!(finds(EMAIL, asked, text), found, "{asked} {text}");
            let [from, before] = EMAIL.range(asked).unwrap();
            let is_within = |kept: &String| (&from..&before).contains(&kept);
            let is_kept_there = EMAIL.kept(text).iter().any(is_within);
            assert!(is_kept_there || found.is_none(), "{asked} {text}");
        }
    }

    #[test]
    fn forms_of_the_same_letters_are_one() {
        assert_eq!(finds(NAME, "zoe\u{308}", "ZOË"), Some(true));
        assert_eq!(finds(NAME, "Ａｎｎ", "ann"), Some(true));
        assert_eq!(finds(NAME, "ΟΔΥΣΣΕΥΣ", "Οδυσσεύς"), None, "accents count");
        assert_eq!(finds(NAME, "οδυς", "ΟΔΥΣΣΕΥΣ"), Some(false));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_short_and_begins_a_word(text in "\\PC{0,200}") {
            let folded = folded(&text);
            let kept = NAME.kept(&text);
            prop_assert!(kept.len() <= WORDS);
            for kept in kept {
                let kept = kept.trim_end_matches(END);
                prop_assert!(kept.chars().count() <= LENGTH);
                prop_assert!(kept.starts_with(char::is_alphanumeric));
                prop_assert!(folded.contains(kept));
            }
        }

        #[test]
        fn whatever_is_kept_finds_its_text(text in "\\PC{0,40}") {
            for field in [NAME, EMAIL] {
                if let Some(wanted) = Wanted::new(field, &text) {
                    prop_assert_eq!(wanted.finds(&text), Some(true));
                    let all = format!("{}{END}", wanted.looked_up());
                    prop_assert!(field.kept(&text).contains(&all));
                }
            }
        }
    }
}
