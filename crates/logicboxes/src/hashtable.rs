//! Maps in the order in which a Java `Hashtable` gives them up, as answers and error texts come in it.
//!
//! A table begins with room for eleven keys and, before a new key goes in over three quarters of its capacity,
//! grows to twice that and one. A key's bucket is its hash modulo the capacity; buckets are told from the
//! highest to the lowest, and within one the last key comes first. Growing takes the old buckets in the order
//! in which they are told, so that it turns those around that stay together.

use std::borrow::Cow;

use crate::values::Value;

/// The capacity of a new table.
const CAPACITY: usize = 11;

/// A map from texts to values, told in a Java `Hashtable`'s order. Setting a key again keeps its place.
#[derive(Clone, Debug)]
pub(crate) struct Hashtable {
    /// As they were put, which is what the order within a bucket follows from.
    entries: Vec<(Cow<'static, str>, Value)>,
    capacity: usize,
}

impl Default for Hashtable {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Hashtable {
    /// An empty map.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An empty map with room from the start. One that Java copied from a map of n entries has 2·n.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            entries: Vec::new(),
            capacity: capacity.max(1),
        }
    }

    /// Puts a text, of whatever can be told as one: in maps, numbers and booleans are texts, too.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "most of what is put is made for it"
    )]
    pub(crate) fn put(&mut self, key: impl Into<Cow<'static, str>>, text: impl ToString) {
        self.put_value(key, Value::Text(text.to_string()));
    }

    /// Puts a text where there is one; a map holds nothing that is empty.
    pub(crate) fn put_some(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        text: Option<impl ToString>,
    ) {
        if let Some(text) = text {
            self.put(key, text);
        }
    }

    /// Puts whatever is not a text: a map or an array in a map.
    pub(crate) fn put_value(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.entries.iter_mut().find(|(held, _)| *held == key) {
            Some((_, held)) => *held = value,
            None => self.entries.push((key, value)),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find_map(|(held, value)| (held == key).then_some(value))
    }

    /// Keys and values, in the order in which they are told.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        let order = order(
            self.entries.iter().map(|(key, _)| java_hash(key)),
            self.capacity,
        );
        order.into_iter().map(|at| {
            let (key, value) = &self.entries[at];
            (&key[..], value)
        })
    }
}

impl PartialEq for Hashtable {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Into<Cow<'static, str>>, V: Into<Value>> FromIterator<(K, V)> for Hashtable {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut table = Self::new();
        for (key, value) in entries {
            table.put_value(key, value);
        }
        table
    }
}

/// The order of keys with these hashes, by their places.
fn order(hashes: impl ExactSizeIterator<Item = i32>, capacity: usize) -> Vec<usize> {
    let bucket = |hash: i32, capacity: usize| (hash & i32::MAX) as usize % capacity;
    let mut capacity = capacity;
    let mut told: Vec<(usize, i32)> = Vec::with_capacity(hashes.len());
    for (place, hash) in hashes.enumerate() {
        if told.len() >= capacity * 3 / 4 {
            capacity = capacity * 2 + 1;
            // Each comes before those that came before it; stable, so buckets stay as they are then.
            told.reverse();
            told.sort_by_key(|(_, hash)| std::cmp::Reverse(bucket(*hash, capacity)));
        }
        let own = bucket(hash, capacity);
        let at = told.partition_point(|(_, hash)| bucket(*hash, capacity) > own);
        told.insert(at, (place, hash));
    }
    told.into_iter().map(|(place, _)| place).collect()
}

/// Java's `String.hashCode`: over UTF-16 units, in 32 bits.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn keys(table: &Hashtable) -> Vec<&str> {
        table.iter().map(|(key, _)| key).collect()
    }

    fn of(keys: &[&'static str]) -> Hashtable {
        keys.iter().map(|key| (*key, "x")).collect()
    }

    #[test]
    fn strings_hash_as_in_java() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("a"), 97);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(java_hash("😀"), 0xd83d * 31 + 0xde00);
    }

    #[test]
    fn the_fields_of_errors_are_in_the_documented_buckets() {
        let buckets = [
            (9, &["company"][..]),
            (7, &["telnocc", "telno", "name", "emailaddr"]),
            (6, &["faxno"]),
            (5, &["zip", "type", "customerid", "address3"]),
            (4, &["faxnocc", "address2"]),
            (3, &["state", "address1"]),
            (1, &["country", "city"]),
        ];
        for (bucket, keys) in buckets {
            for key in keys {
                assert_eq!((java_hash(key) & i32::MAX) % 11, bucket, "{key}");
            }
        }
    }

    #[test]
    fn captured_orders_come_out() {
        for keys_put in [["zip", "telnocc"], ["telnocc", "zip"]] {
            assert_eq!(keys(&of(&keys_put)), ["telnocc", "zip"]);
        }
        for keys_put in [["message", "status"], ["status", "message"]] {
            assert_eq!(keys(&of(&keys_put)), ["status", "message"]);
        }
    }

    #[test]
    fn within_a_bucket_the_last_comes_first() {
        assert_eq!(keys(&of(&["telnocc", "telno"])), ["telno", "telnocc"]);
        assert_eq!(keys(&of(&["telno", "telnocc"])), ["telnocc", "telno"]);
    }

    #[test]
    fn a_key_put_again_keeps_its_place() {
        let mut table = of(&["telno", "telnocc"]);
        table.put("telno", 5);
        assert_eq!(keys(&table), ["telnocc", "telno"]);
        assert_eq!(table.get("telno"), Some(&Value::Text("5".to_owned())));
        table.put_some("name", None::<&str>);
        assert_eq!(table.get("name"), None);
    }

    #[test]
    fn tables_grow_as_in_java() {
        let grown = |keys: usize| {
            let names: Vec<String> = (0..keys).map(|n| format!("key{n}")).collect();
            let table: Hashtable = names.iter().map(|name| (name.clone(), "x")).collect();
            let told: Vec<i32> = table
                .iter()
                .map(|(key, _)| java_hash(key) & i32::MAX)
                .collect();
            [11, 23, 47, 95].into_iter().find(|capacity| {
                let buckets: Vec<i32> = told.iter().map(|hash| hash % capacity).collect();
                buckets.is_sorted_by(|one, other| one >= other)
            })
        };
        for (count, capacity) in [
            (8, 11),
            (9, 23),
            (17, 23),
            (18, 47),
            (35, 47),
            (36, 95),
            (71, 95),
        ] {
            assert_eq!(grown(count), Some(capacity), "{count}");
        }
    }

    /// Java's own way, with buckets that are lists.
    fn as_java_does(keys: &[String], capacity: usize) -> Vec<String> {
        let mut table: Vec<Vec<String>> = vec![Vec::new(); capacity];
        let bucket = |key: &str, length: usize| (java_hash(key) & i32::MAX) as usize % length;
        for (count, key) in keys.iter().enumerate() {
            if count >= table.len() * 3 / 4 {
                let mut larger = vec![Vec::new(); table.len() * 2 + 1];
                for old in table.iter().rev() {
                    for held in old {
                        let at = bucket(held, larger.len());
                        larger[at].insert(0, held.clone());
                    }
                }
                table = larger;
            }
            let at = bucket(key, table.len());
            table[at].insert(0, key.clone());
        }
        table.into_iter().rev().flatten().collect()
    }

    proptest! {
        #[test]
        fn any_keys_come_as_from_java(
            keys in prop::collection::btree_set("[a-zé.]{0,4}", 0..60),
            capacity in 1_usize..50,
        ) {
            let keys: Vec<String> = keys.into_iter().collect();
            let mut table = Hashtable::with_capacity(capacity);
            for key in &keys {
                table.put(key.clone(), "x");
            }
            let told: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
            prop_assert_eq!(told, as_java_does(&keys, capacity));
        }

        #[test]
        fn nothing_is_lost(pairs in prop::collection::vec(("[a-d]{1,2}", "[a-z]{0,3}"), 0..40)) {
            let table: Hashtable = pairs.iter().map(|(key, text)| (key.clone(), &text[..])).collect();
            let wanted: BTreeMap<&str, &str> = pairs.iter().map(|(key, text)| (&key[..], &text[..])).collect();
            let told: BTreeSet<&str> = table.iter().map(|(key, _)| key).collect();
            prop_assert_eq!(told.len(), wanted.len());
            for (key, text) in wanted {
                prop_assert_eq!(table.get(key), Some(&Value::from(text)));
            }
        }
    }
}
