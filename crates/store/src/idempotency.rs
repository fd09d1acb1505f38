//! Requests that may be repeated, and what was answered the first time.

use chancery_domain::Timestamp;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// The first request with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remembered {
    /// SHA-256 of its body.
    pub request_hash: [u8; 32],
    /// What it made.
    pub order: OrderId,
    /// What was answered.
    pub answer: String,
}

impl Change {
    /// Remembers a request; refused as `idempotency` if its key is taken.
    pub fn remember(
        &mut self,
        reseller: ResellerId,
        key: &str,
        first: &Remembered,
        now: Timestamp,
    ) {
        const SQL: &str = "
            insert into idempotency (reseller_id, key, request_hash, order_id, answer, created_at)
            values ($1, $2, $3, $4, $5, $6)";
        let (hash, order, answer) = (first.request_hash, first.order.0, &first.answer);
        let values = values![reseller.0, key, hash, order, answer, now];
        self.expect_one(SQL, values, Failure::Refused("idempotency"));
    }
}

impl Store {
    /// The first request of a reseller's with a key.
    pub async fn remembered(
        &self,
        reseller: ResellerId,
        key: &str,
    ) -> Result<Option<Remembered>, StoreError> {
        const SQL: &str = "
            select request_hash, order_id, answer from idempotency
            where reseller_id = $1 and key = $2";
        let read = |row: Row| {
            Ok(Remembered {
                request_hash: row.array(0)?,
                order: OrderId(row.int(1)?),
                answer: row.string(2)?,
            })
        };
        self.query_one(SQL, values![reseller.0, key])
            .await?
            .map(read)
            .transpose()
    }
}
