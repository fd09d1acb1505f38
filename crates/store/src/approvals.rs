//! Approvals by mail: whom we wrote to, with what secret, and whether the answer came.
//!
//! The sealed secret is wiped with the answer, and when an approval is void: an unanswered one without it
//! is as good as gone. The row stays a while, to count how often an address was written to.

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
    /// The secret under the master key, to send the message again unchanged; empty once answered.
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

/// A secret that is no more.
const WIPED: [u8; 0] = [];

/// How often an open approval's message was given to the mail server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sendings {
    /// How many times.
    pub count: i64,
    /// When last.
    pub last: Timestamp,
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select token_hash, sealed_token, issuance_id, name, domain, address, message_id,
                created_at, expires_at, sent_at, approved_at
            from approvals where (approved_at is not null or length(sealed_token) > 0) and ",
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
            update approvals set sent_at = null
            where issuance_id = $1 and approved_at is null and length(sealed_token) > 0";
        self.execute(SQL, values![issuance.0]);
    }

    /// Notes the answer; a conflict if there was one, or the approval is void.
    pub fn approve(&mut self, token_hash: [u8; 32], at: Timestamp) {
        const SQL: &str = "
            update approvals set approved_at = $1, sealed_token = $3
            where token_hash = $2 and approved_at is null and length(sealed_token) > 0";
        let failure = Failure::Conflict {
            what: "approval",
            id: 0,
        };
        self.expect_one(SQL, values![at, token_hash, WIPED], failure);
    }

    /// Voids the approvals of an issuance that wait for an answer.
    pub fn void_approvals(&mut self, issuance: IssuanceId) {
        const SQL: &str = "
            update approvals set sealed_token = $2 where issuance_id = $1 and approved_at is null";
        self.execute(SQL, values![issuance.0, WIPED]);
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

    /// How often each open approval of an issuance was sent, of those that were.
    pub async fn sendings(&self, issuance: IssuanceId) -> Result<Vec<Sendings>, StoreError> {
        const SQL: &str = "
            select count(*), max(o.at)
            from approvals a
            join observations o on o.issuance_id = a.issuance_id and o.name = a.name
            where a.issuance_id = $1 and a.approved_at is null and length(a.sealed_token) > 0
                and o.at >= a.created_at and o.method = 'email'
                and o.outcome in ('waiting', 'forbidden')
            group by a.token_hash";
        let rows = self.query(SQL, values![issuance.0]).await?;
        let read = |row: &Row| {
            Ok(Sendings {
                count: row.int(0)?,
                last: row.timestamp(1)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// How often approvers of an issuance were asked since a moment, about the name they were asked most
    /// about; void approvals count.
    pub async fn times_asked(
        &self,
        issuance: IssuanceId,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        const SQL: &str = "
            select count(*) from approvals where issuance_id = $1 and created_at > $2
            group by name order by 1 desc limit 1";
        let row = self.query_one(SQL, values![issuance.0, since]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// How many approvals were asked of an address since a moment, whoever ordered; void ones count.
    pub async fn approvals_asked_of(
        &self,
        address: &str,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        const SQL: &str = "
            select count(*) from approvals where address = $1 and created_at > $2";
        let row = self.query_one(SQL, values![address, since]).await?;
        row.map_or(Ok(0), |row| row.int(0))
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
