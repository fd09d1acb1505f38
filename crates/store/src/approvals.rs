//! Approvals by mail: whom we wrote to, with what secret, and whether the answer came.

use chancery_domain::Timestamp;
use chancery_domain::issuances::IssuanceId;
use chancery_domain::names::DomainName;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// One message to one address about one name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approval {
    /// SHA-256 of the secret in the link; finds the approval.
    pub token_hash: [u8; 32],
    /// The secret under the master key, to send the message again unchanged.
    pub sealed_token: Vec<u8>,
    /// For which issuance.
    pub issuance: IssuanceId,
    /// The name to be proved.
    pub name: DomainName,
    /// The authorization domain name of the address.
    pub domain: DomainName,
    /// Where the message goes.
    pub address: String,
    /// The message's id, the same each time it is sent (RFC 5322 §3.6.4).
    pub message_id: String,
    /// When the secret was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When the mail server took the message; `None` while it is to be sent.
    pub sent_at: Option<Timestamp>,
    /// When it was answered.
    pub approved_at: Option<Timestamp>,
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select token_hash, sealed_token, issuance_id, name, domain, address, message_id,
                created_at, expires_at, sent_at, approved_at
            from approvals where ",
            $condition
        )
    };
}

impl Change {
    /// Inserts an approval that is to be asked for.
    pub fn insert_approval(&mut self, approval: &Approval) {
        const SQL: &str = "
            insert into approvals (token_hash, sealed_token, issuance_id, name, domain, address,
                message_id, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        self.execute(
            SQL,
            values![
                approval.token_hash,
                approval.sealed_token.as_slice(),
                approval.issuance.0,
                approval.name.as_str(),
                approval.domain.as_str(),
                &approval.address,
                &approval.message_id,
                approval.created_at,
                approval.expires_at,
            ],
        );
    }

    /// Notes that the mail server took the message.
    pub fn mark_sent(&mut self, token_hash: [u8; 32], at: Timestamp) {
        const SQL: &str = "update approvals set sent_at = $1 where token_hash = $2";
        self.execute(SQL, values![at, token_hash]);
    }

    /// Makes the messages of an issuance that wait for an answer be sent once more.
    pub fn mail_again(&mut self, issuance: IssuanceId) {
        const SQL: &str = "
            update approvals set sent_at = null where issuance_id = $1 and approved_at is null";
        self.execute(SQL, values![issuance.0]);
    }

    /// Notes the answer; a conflict if there was one, or the approval is void.
    pub fn approve(&mut self, token_hash: [u8; 32], at: Timestamp) {
        const SQL: &str = "
            update approvals set approved_at = $1 where token_hash = $2 and approved_at is null";
        let failure = Failure::Conflict {
            what: "approval",
            id: 0,
        };
        self.expect_one(SQL, values![at, token_hash], failure);
    }

    /// Voids the approvals of an issuance that wait for an answer.
    pub fn void_approvals(&mut self, issuance: IssuanceId) {
        const SQL: &str = "
            delete from approvals where issuance_id = $1 and approved_at is null";
        self.execute(SQL, values![issuance.0]);
    }
}

impl Store {
    /// The approval with a secret of this hash.
    pub async fn approval(&self, token_hash: [u8; 32]) -> Result<Option<Approval>, StoreError> {
        const SQL: &str = select!("token_hash = $1");
        let row = self.query_one(SQL, values![token_hash]).await?;
        row.as_ref().map(read).transpose()
    }

    /// The approvals of an issuance.
    pub async fn approvals_of(&self, issuance: IssuanceId) -> Result<Vec<Approval>, StoreError> {
        const SQL: &str = select!("issuance_id = $1 order by created_at, name");
        let rows = self.query(SQL, values![issuance.0]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Approval, StoreError> {
    Ok(Approval {
        token_hash: row.array(0)?,
        sealed_token: row.bytes(1)?.to_vec(),
        issuance: IssuanceId(row.int(2)?),
        name: row.domain_name(3)?,
        domain: row.domain_name(4)?,
        address: row.string(5)?,
        message_id: row.string(6)?,
        created_at: row.timestamp(7)?,
        expires_at: row.timestamp(8)?,
        sent_at: row.opt_timestamp(9)?,
        approved_at: row.opt_timestamp(10)?,
    })
}
