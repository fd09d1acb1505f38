//! Statements that take a list of keys as one value.
//!
//! The engines differ: SQLite reads a list as JSON. PostgreSQL could, but would plan a join with it, of whole
//! tables if they are small; an array it takes for what it is.

use crate::store::{Engine, Store};
use crate::values::Value;

/// A statement for each engine: SQLite, PostgreSQL.
#[derive(Clone, Copy)]
pub(crate) struct ByList(pub(crate) [&'static str; 2]);

/// Makes one of what comes before the list, ending in the column, the list's placeholder, and what comes
/// after.
macro_rules! by_list {
    ([$($before:tt)*], $list:literal, $after:literal) => {
        $crate::lists::ByList([
            concat!($($before)*, " in (select value from json_each(", $list, "))", $after),
            concat!($($before)*, " = any (cast(cast(", $list, " as text) as bigint[]))", $after),
        ])
    };
}
pub(crate) use by_list;

impl ByList {
    /// The statement for a store, and the list as its value.
    pub(crate) fn with(
        self,
        store: &Store,
        keys: impl Iterator<Item = i64>,
    ) -> (&'static str, Value) {
        let keys: Vec<String> = keys.map(|key| key.to_string()).collect();
        let keys = keys.join(",");
        let [sqlite, postgres] = self.0;
        match store.engine() {
            Engine::Sqlite => (sqlite, format!("[{keys}]").into()),
            Engine::Postgres => (postgres, format!("{{{keys}}}").into()),
        }
    }
}
