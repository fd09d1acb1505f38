//! Single facts about the installation, by key.

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;

impl Change {
    /// Sets a fact.
    pub fn set_meta(&mut self, key: &str, value: &str) {
        const SQL: &str = "
            insert into meta (key, value) values ($1, $2)
            on conflict (key) do update set value = excluded.value";
        self.execute(SQL, values![key, value]);
    }
}

impl Store {
    /// A fact, if it was set.
    pub async fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        const SQL: &str = "select value from meta where key = $1";
        self.query_one(SQL, values![key])
            .await?
            .map(|row| row.string(0))
            .transpose()
    }
}
