//! What people are found by: the index behind searches for a text in a name, a company or an address.
//!
//! A text is found by what any of its words begins with, case and spacing aside. So it is kept folded, once from
//! the beginning of each word on, and a search is one range of the table. Who changes what is indexed takes the
//! old texts out and puts the new ones in, in the same change set; this file knows no nouns, only fields.

use std::collections::{BTreeMap, BTreeSet};

use crate::changes::Change;
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;

/// How much of a text is kept, in characters.
const LENGTH: usize = 64;

/// From how many of its words on a text is found.
const WORDS: usize = 32;

/// How many texts a search looks at.
pub const LOOKED_AT_MOST: usize = 100_000;

/// A field to be found by. Fields of contacts belong to a customer; fields of customers to a reseller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SearchField(pub(crate) &'static str);

/// What a search by texts found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subjects {
    /// All of them, in ascending order.
    All(Vec<i64>),
    /// More than are looked at.
    TooMany,
}

/// A text as it is kept and looked for.
fn folded(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    words.join(" ")
}

/// A folded text from the beginning of each of its words on.
fn suffixes(folded: &str) -> BTreeSet<String> {
    let mut is_inside = false;
    let begins = folded.char_indices().filter(|(_, letter)| {
        let begins = letter.is_alphanumeric() && !is_inside;
        is_inside = letter.is_alphanumeric();
        begins
    });
    let starts: Vec<usize> = begins.map(|(at, _)| at).take(WORDS).collect();
    let suffix = |at: usize| folded[at..].chars().take(LENGTH).collect();
    starts.into_iter().map(suffix).collect()
}

/// Texts as one value, for `json_each`: an object with them as its keys, which both engines read by one text.
fn as_keys(texts: BTreeSet<String>) -> String {
    let keys: BTreeMap<String, u8> = texts.into_iter().map(|text| (text, 0)).collect();
    to_json(&keys)
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
        let texts = suffixes(&folded(text));
        if !texts.is_empty() {
            self.execute(SQL, values![owner, field.0, subject, as_keys(texts)]);
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
        let texts = suffixes(&folded(text));
        if !texts.is_empty() {
            self.execute(SQL, values![owner, field.0, subject, as_keys(texts)]);
        }
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
        self.execute(SQL, values![owner, field.0, text, subject]);
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
        self.execute(SQL, values![owner, field.0, text, subject]);
    }
}

impl Store {
    /// The subjects in whose field some word begins with a text, or goes on with it from there.
    pub(crate) async fn subjects(
        &self,
        owner: i64,
        field: SearchField,
        text: &str,
    ) -> Result<Subjects, StoreError> {
        const SQL: &str = "
            select subject_id from search_texts
            where owner_id = $1 and field = $2 and text >= $3 and text < $4 limit $5";
        let folded = folded(text);
        let from = folded.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        if from.is_empty() {
            return Ok(Subjects::All(Vec::new()));
        }
        let from: String = from.chars().take(LENGTH).collect();
        let before = format!("{from}{}", char::MAX);
        let limit = LOOKED_AT_MOST as i64 + 1;
        let rows = self
            .scan(SQL, values![owner, field.0, from, before, limit])
            .await?;
        if rows.len() > LOOKED_AT_MOST {
            return Ok(Subjects::TooMany);
        }
        let mut subjects = Vec::with_capacity(rows.len());
        for row in rows {
            subjects.push(row.int(0)?);
        }
        subjects.sort_unstable();
        subjects.dedup();
        Ok(Subjects::All(subjects))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_found_from_each_word_on() {
        let found = suffixes(&folded("  Ann-Marie   O'Neill "));
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(
            found,
            ["ann-marie o'neill", "marie o'neill", "neill", "o'neill"]
        );
        assert_eq!(
            suffixes("hostmaster@shop.example").len(),
            3,
            "an address is found by its host"
        );
        assert!(suffixes(&folded("...")).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_kept_is_short_and_begins_a_word(text in "\\PC{0,200}") {
            let folded = folded(&text);
            for suffix in suffixes(&folded) {
                prop_assert!(suffix.chars().count() <= LENGTH);
                prop_assert!(suffix.starts_with(char::is_alphanumeric));
                prop_assert!(folded.contains(&suffix));
            }
            prop_assert!(suffixes(&folded).len() <= WORDS);
        }
    }
}
