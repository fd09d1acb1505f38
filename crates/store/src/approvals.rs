//! Approvals by mail: whom we wrote to about which names, with what secret, and whether the answer came.
//!
//! The sealed secret is wiped with the answer, and when an approval is void: an unanswered one without it
//! is as good as gone. The row stays a while, to count how often an address was written to.

use chancery_domain::Timestamp;
use chancery_domain::approval_mails::COUNTED_FOR;
use chancery_domain::names::DomainName;
use chancery_domain::resellers::ResellerId;
use chancery_domain::validations::ValidationId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// One message to one address about all names of a run that it is to approve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approval {
    /// SHA-256 of the secret in the link; finds the approval.
    pub token_hash: [u8; 32],
    /// The secret under the master key, to send the message again unchanged; empty once answered.
    pub sealed_token: Vec<u8>,
    /// For which run.
    pub run: ValidationId,
    /// The names to be proved, at least one.
    pub names: Vec<DomainName>,
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
    /// Not to be sent before.
    pub send_from: Timestamp,
    /// Since when it is being handed to the mail server, if someone is at it.
    pub sending_since: Option<Timestamp>,
    /// When the mail server took the message; `None` while it is to be sent.
    pub sent_at: Option<Timestamp>,
    /// When it was answered.
    pub approved_at: Option<Timestamp>,
}

/// A message to an address, sent or to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CountedMail {
    /// Of which approval.
    pub token_hash: [u8; 32],
    /// For whom.
    pub reseller: ResellerId,
    /// When it was sent, or is to be.
    pub at: Timestamp,
    /// Whether it is still to be sent, and nobody is at it.
    pub waits: bool,
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
                created_at, expires_at, sent_at, approved_at, names, coalesce(send_from, created_at),
                sending_since
            from approvals where (approved_at is not null or length(sealed_token) > 0) and ",
            $condition
        )
    };
}

impl Change {
    /// Inserts an approval that a reseller is to ask for, and counts its message.
    pub fn insert_approval(&mut self, reseller: ResellerId, approval: &Approval) {
        const SQL: &str = "
            insert into approvals (token_hash, sealed_token, issuance_id, name, domain, address,
                message_id, created_at, expires_at, names, send_from)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        self.execute(
            SQL,
            values![
                approval.token_hash,
                approval.sealed_token.as_slice(),
                approval.run.0,
                approval.names.first().map(DomainName::as_str),
                approval.domain.as_str(),
                &approval.address,
                &approval.message_id,
                approval.created_at,
                approval.expires_at,
                to_json(&approval.names),
                approval.send_from,
            ],
        );
        self.count_mail(reseller, approval, approval.send_from);
    }

    /// Counts a message to an address, sent or to be sent then.
    fn count_mail(&mut self, reseller: ResellerId, approval: &Approval, at: Timestamp) {
        const SQL: &str = "
            insert into approval_mails (address, at, token_hash, reseller_id)
            values ($1, $2, $3, $4) on conflict do nothing";
        self.execute(
            SQL,
            values![&approval.address, at, approval.token_hash, reseller.0],
        );
    }

    /// Notes that the mail server took the message.
    pub fn mark_sent(&mut self, token_hash: [u8; 32], at: Timestamp) {
        const SQL: &str =
            "update approvals set sent_at = $1, sending_since = null where token_hash = $2";
        self.execute(SQL, values![at, token_hash]);
    }

    /// Keeps everybody else from sending a message that is to be sent; a conflict if it is not, or if someone else
    /// is at it. Who has been since `abandoned` is not any more.
    pub fn claim_mail(&mut self, approval: &Approval, now: Timestamp, abandoned: Timestamp) {
        const SQL: &str = "
            update approvals set sending_since = $1
            where token_hash = $2 and sent_at is null and approved_at is null
                and length(sealed_token) > 0
                and (sending_since is null or sending_since <= $3 or sending_since > $1)";
        self.expect_one(SQL, values![now, approval.token_hash, abandoned], changed());
    }

    /// Gives a message back that the mail server did not take.
    pub fn give_mail_back(&mut self, token_hash: [u8; 32], since: Timestamp) {
        const SQL: &str = "
            update approvals set sending_since = null
            where token_hash = $1 and sending_since = $2 and sent_at is null";
        self.execute(SQL, values![token_hash, since]);
    }

    /// Has a message that waits be sent later; a conflict if it does not wait any more.
    pub fn delay_mail(&mut self, approval: &Approval, until: Timestamp) {
        const SQL: &str = "
            update approvals set send_from = $1
            where token_hash = $2 and sent_at is null and approved_at is null
                and length(sealed_token) > 0 and coalesce(send_from, created_at) = $3";
        const COUNTED: &str = "update approval_mails set at = $1 where token_hash = $2 and at = $3";
        let values = values![until, approval.token_hash, approval.send_from];
        self.expect_one(SQL, values.clone(), changed());
        self.execute(COUNTED, values);
    }

    /// Makes a message that waits for an answer be sent once more, then or later, and counts it.
    pub fn mail_again(&mut self, reseller: ResellerId, approval: &Approval, at: Timestamp) {
        const SQL: &str = "
            update approvals set sent_at = null, send_from = $1
            where token_hash = $2 and approved_at is null and length(sealed_token) > 0";
        self.execute(SQL, values![at, approval.token_hash]);
        self.count_mail(reseller, approval, at);
    }

    /// Notes the answer; a conflict if there was one, or the approval is void.
    pub fn approve(&mut self, token_hash: [u8; 32], at: Timestamp) {
        const SQL: &str = "
            update approvals set approved_at = $1, sealed_token = $3
            where token_hash = $2 and approved_at is null and length(sealed_token) > 0";
        self.expect_one(SQL, values![at, token_hash, WIPED], changed());
    }

    /// Voids the approvals of a run that wait for an answer. Messages that were not sent yet do not count.
    pub fn void_approvals(&mut self, run: impl Into<ValidationId>, now: Timestamp) {
        const UNSENT: &str = "
            delete from approval_mails where at > $2 and token_hash in (
                select token_hash from approvals where issuance_id = $1 and approved_at is null)";
        const SQL: &str = "
            update approvals set sealed_token = $2 where issuance_id = $1 and approved_at is null";
        let run = run.into().0;
        self.execute(UNSENT, values![run, now]);
        self.execute(SQL, values![run, WIPED]);
    }

    /// Voids an approval that waits for an answer.
    pub fn void_approval(&mut self, token_hash: [u8; 32], now: Timestamp) {
        const UNSENT: &str = "delete from approval_mails where at > $2 and token_hash = $1";
        const SQL: &str = "
            update approvals set sealed_token = $2 where token_hash = $1 and approved_at is null";
        self.execute(UNSENT, values![token_hash, now]);
        self.execute(SQL, values![token_hash, WIPED]);
    }
}

impl Store {
    /// The approval with a secret of this hash.
    pub async fn approval(&self, token_hash: [u8; 32]) -> Result<Option<Approval>, StoreError> {
        const SQL: &str = select!("token_hash = $1");
        let row = self.query_one(SQL, values![token_hash]).await?;
        row.as_ref().map(read).transpose()
    }

    /// The approvals of a run.
    pub async fn approvals_of(
        &self,
        run: impl Into<ValidationId>,
    ) -> Result<Vec<Approval>, StoreError> {
        const SQL: &str = select!("issuance_id = $1 order by created_at, address, token_hash");
        let rows = self.query(SQL, values![run.into().0]).await?;
        rows.iter().map(read).collect()
    }

    /// How often each open approval of a run was sent, of those that were.
    pub async fn sendings(
        &self,
        run: impl Into<ValidationId>,
    ) -> Result<Vec<Sendings>, StoreError> {
        const SQL: &str = "
            select count(*), max(o.at)
            from approvals a
            join observations o on o.issuance_id = a.issuance_id and o.name = a.name
            where a.issuance_id = $1 and a.approved_at is null and length(a.sealed_token) > 0
                and o.at >= a.created_at and o.method = 'email'
                and o.outcome in ('waiting', 'forbidden')
            group by a.token_hash";
        let rows = self.query(SQL, values![run.into().0]).await?;
        let read = |row: &Row| {
            Ok(Sendings {
                count: row.int(0)?,
                last: row.timestamp(1)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// How often approvers of a run were asked since a moment, about the name they were asked most about; void
    /// approvals count.
    pub async fn times_asked(
        &self,
        run: impl Into<ValidationId>,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        const SQL: &str = "
            select count(*) from approvals where issuance_id = $1 and created_at > $2
            group by name order by 1 desc limit 1";
        let row = self.query_one(SQL, values![run.into().0, since]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// The messages that were, or are to be, sent to an address, of those that count.
    pub async fn approval_mails(
        &self,
        address: &str,
        now: Timestamp,
    ) -> Result<Vec<CountedMail>, StoreError> {
        const SQL: &str = "
            select m.token_hash, m.reseller_id, m.at, cast(case
                when a.sent_at is null and a.sending_since is null and a.approved_at is null
                    and length(a.sealed_token) > 0 and m.at = coalesce(a.send_from, a.created_at)
                then 1 else 0 end as bigint)
            from approval_mails m left join approvals a on a.token_hash = m.token_hash
            where m.address = $1 and m.at > $2 order by m.at, m.token_hash";
        let rows = self.query(SQL, values![address, now - COUNTED_FOR]).await?;
        let counted = |row: &Row| {
            Ok(CountedMail {
                token_hash: row.array(0)?,
                reseller: ResellerId(row.int(1)?),
                at: row.timestamp(2)?,
                waits: row.int(3)? == 1,
            })
        };
        rows.iter().map(counted).collect()
    }
}

fn changed() -> Failure {
    Failure::Conflict {
        what: "approval",
        id: 0,
    }
}

fn read(row: &Row) -> Result<Approval, StoreError> {
    let names = match row.opt_text(11)? {
        // Asked for by a release that asked for each name by itself.
        None => vec![row.domain_name(3)?],
        Some(_) => row.json(11)?,
    };
    Ok(Approval {
        token_hash: row.array(0)?,
        sealed_token: row.bytes(1)?.to_vec(),
        run: ValidationId(row.int(2)?),
        names,
        domain: row.domain_name(4)?,
        address: row.string(5)?,
        message_id: row.string(6)?,
        created_at: row.timestamp(7)?,
        expires_at: row.timestamp(8)?,
        sent_at: row.opt_timestamp(9)?,
        approved_at: row.opt_timestamp(10)?,
        send_from: row.timestamp(12)?,
        sending_since: row.opt_timestamp(13)?,
    })
}
