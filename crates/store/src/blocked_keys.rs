//! Keys that are never certified again.

use chancery_domain::revocations::{BlockedKey, BlockedKeyId, Requester};

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select id, spki_sha256, blocked_by, note, blocked_at from blocked_keys where ",
            $condition
        )
    };
}

impl Change {
    /// Blocks a key, unless it is blocked already.
    pub fn block_key(&mut self, key: &BlockedKey) {
        const SQL: &str = "
            insert into blocked_keys (id, spki_sha256, blocked_by, note, blocked_at)
            values ($1, $2, $3, $4, $5)
            on conflict (spki_sha256) do nothing";
        let values = values![
            key.id.0,
            key.spki_sha256,
            key.by.to_string(),
            key.note.as_deref(),
            key.at,
        ];
        self.execute(SQL, values);
    }
}

impl Store {
    /// The block of a key, by SHA-256 of its `SubjectPublicKeyInfo`, if there is one.
    pub async fn blocked_key(&self, spki_sha256: &[u8]) -> Result<Option<BlockedKey>, StoreError> {
        const SQL: &str = select!("spki_sha256 = $1");
        let row = self.query_one(SQL, values![spki_sha256]).await?;
        row.as_ref().map(read).transpose()
    }

    /// A block by its id.
    pub async fn blocked_key_by_id(
        &self,
        id: BlockedKeyId,
    ) -> Result<Option<BlockedKey>, StoreError> {
        const SQL: &str = select!("id = $1");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Blocks in the order of their ids, beyond `after`, at most `limit`.
    pub async fn blocked_keys(
        &self,
        after: BlockedKeyId,
        limit: i64,
    ) -> Result<Vec<BlockedKey>, StoreError> {
        const SQL: &str = select!("id > $1 order by id limit $2");
        let rows = self.scan(SQL, values![after.0, limit]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<BlockedKey, StoreError> {
    Ok(BlockedKey {
        id: BlockedKeyId(row.int(0)?),
        spki_sha256: row.array(1)?,
        by: row.parsed(2, Requester::parse)?,
        note: row.opt_string(3)?,
        at: row.timestamp(4)?,
    })
}
