//! Passwords that are mailed to customers.
//!
//! The sealed password is wiped once the mail server has taken it, and when it does not serve any more. The row
//! stays a while, to count how often a customer was written to.

use chancery_domain::Timestamp;
use chancery_domain::customers::CustomerId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;

/// One message with a password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PasswordMail {
    /// Its id.
    pub id: i64,
    /// To which customer.
    pub customer: CustomerId,
    /// The password under the master key.
    pub sealed_password: Vec<u8>,
    /// The message's id, the same each time it is sent (RFC 5322 §3.6.4).
    pub message_id: String,
    /// When the password was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A secret that is no more.
const WIPED: [u8; 0] = [];

impl Change {
    /// Inserts a message that is to be sent.
    pub fn insert_password_mail(&mut self, mail: &PasswordMail) {
        const SQL: &str = "
            insert into password_mails (id, customer_id, sealed_password, message_id, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6)";
        self.execute(
            SQL,
            values![
                mail.id,
                mail.customer.0,
                mail.sealed_password.as_slice(),
                &mail.message_id,
                mail.created_at,
                mail.expires_at,
            ],
        );
    }

    /// Wipes the password of a message that was sent, or must not be.
    pub fn wipe_password_mail(&mut self, id: i64) {
        const SQL: &str = "update password_mails set sealed_password = $1 where id = $2";
        self.execute(SQL, values![WIPED, id]);
    }

    /// Wipes the passwords that wait to be mailed to a customer: they do not serve any more.
    pub fn void_password_mails(&mut self, customer: CustomerId) {
        const SQL: &str = "
            update password_mails set sealed_password = $1
            where customer_id = $2 and length(sealed_password) > 0";
        self.execute(SQL, values![WIPED, customer.0]);
    }
}

impl Store {
    /// A message that is still to be sent.
    pub async fn password_mail(&self, id: i64) -> Result<Option<PasswordMail>, StoreError> {
        const SQL: &str = "
            select id, customer_id, sealed_password, message_id, created_at, expires_at
            from password_mails where id = $1 and length(sealed_password) > 0";
        let row = self.query_one(SQL, values![id]).await?;
        row.map(|row| {
            Ok(PasswordMail {
                id: row.int(0)?,
                customer: CustomerId(row.int(1)?),
                sealed_password: row.bytes(2)?.to_vec(),
                message_id: row.string(3)?,
                created_at: row.timestamp(4)?,
                expires_at: row.timestamp(5)?,
            })
        })
        .transpose()
    }

    /// How many messages were asked for a customer since a moment.
    pub async fn password_mails_since(
        &self,
        customer: CustomerId,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        const SQL: &str = "
            select cast(count(*) as bigint) from password_mails where customer_id = $1 and created_at > $2";
        let row = self.query_one(SQL, values![customer.0, since]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }
}
