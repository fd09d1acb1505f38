//! Tokens that a customer's user shows to prove who they are, for a short while. Only their hashes are kept.

use chancery_domain::Timestamp;
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::resellers::ResellerId;

use crate::changes::Change;
use crate::customers::{columns, read};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;

/// A token, by its hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Whose.
    pub customer: CustomerId,
    /// Where its user is, as the program that asked for it says.
    pub address: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Change {
    /// Inserts a token.
    pub fn insert_customer_token(&mut self, token: &CustomerToken) {
        const SQL: &str = "
            insert into customer_tokens (token_hash, customer_id, address, created_at, expires_at)
            values ($1, $2, $3, $4, $5)";
        self.execute(
            SQL,
            values![
                token.hash,
                token.customer.0,
                &token.address,
                token.created_at,
                token.expires_at,
            ],
        );
    }

    /// Ends a customer's tokens.
    pub fn end_customer_tokens(&mut self, customer: CustomerId) {
        const SQL: &str = "delete from customer_tokens where customer_id = $1";
        self.execute(SQL, values![customer.0]);
    }
}

impl Store {
    /// The reseller's customer whose token of this hash is good at a moment.
    pub async fn customer_of_token(
        &self,
        reseller: ResellerId,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Customer>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from customer_tokens t join customers c on c.id = t.customer_id
            where t.token_hash = $1 and t.expires_at > $2 and c.reseller_id = $3 and c.deleted_at is null"
        );
        let row = self.query_one(SQL, values![hash, now, reseller.0]).await?;
        row.as_ref().map(read).transpose()
    }
}
