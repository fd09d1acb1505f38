//! What has outlived its use is removed, in steps of so many rows, so that nothing waits long behind one.

use chancery_domain::Timestamp;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;

/// Things that are kept for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stale {
    /// Keys of requests that may be repeated, by when they came.
    RepeatKeys,
    /// Approvals, by their end.
    Approvals,
    /// When approvers were written to, by then.
    ApprovalMails,
    /// Counts of calls, by the end of their day or month.
    CallCounts,
    /// Messages with a password, by when they were asked for.
    PasswordMails,
    /// Customers' tokens, by their end.
    CustomerTokens,
    /// Lines of the trail of sign-ins and refusals, by the hour or minute they tell of.
    AccessTrail,
    /// Looks at the world that proved nothing, of runs that are settled and of domains proved ahead of any order.
    FailedLooks,
    /// Looks that proved a name.
    ProvingLooks,
    /// Notices about orders that are over.
    Notices,
    /// Domains to be proved ahead of any order that never were, and are dropped or too late, by when that was.
    Prevalidations,
}

impl Stale {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::RepeatKeys,
        Self::Approvals,
        Self::ApprovalMails,
        Self::CallCounts,
        Self::PasswordMails,
        Self::CustomerTokens,
        Self::AccessTrail,
        Self::FailedLooks,
        Self::ProvingLooks,
        Self::Notices,
        Self::Prevalidations,
    ];

    /// Removes the oldest, so many at most. Each goes by an index.
    fn statement(self) -> &'static str {
        match self {
            Self::RepeatKeys => {
                "delete from idempotency where (reseller_id, key) in (
                    select reseller_id, key from idempotency where created_at < $1
                    order by created_at limit $2)
                 returning 1"
            }
            Self::Approvals => {
                "delete from approvals where token_hash in (
                    select token_hash from approvals where expires_at < $1
                    order by expires_at limit $2)
                 returning 1"
            }
            Self::ApprovalMails => {
                "delete from approval_mails where (address, at, token_hash) in (
                    select address, at, token_hash from approval_mails where at < $1
                    order by at limit $2)
                 returning 1"
            }
            Self::CallCounts => {
                "delete from call_counts where (subject, period) in (
                    select subject, period from call_counts where ends_at < $1
                    order by ends_at limit $2)
                 returning 1"
            }
            Self::PasswordMails => {
                "delete from password_mails where id in (
                    select id from password_mails where created_at < $1
                    order by created_at limit $2)
                 returning 1"
            }
            Self::CustomerTokens => {
                "delete from customer_tokens where token_hash in (
                    select token_hash from customer_tokens where expires_at < $1
                    order by expires_at limit $2)
                 returning 1"
            }
            Self::AccessTrail => {
                "delete from access_trail where (period, outcome, username, address) in (
                    select period, outcome, username, address from access_trail where period < $1
                    order by period limit $2)
                 returning 1"
            }
            Self::FailedLooks => {
                "delete from observations where id in (
                    select o.id from observations o left join issuances i on i.id = o.issuance_id
                    where o.outcome <> 'proved' and o.at < $1
                        and (i.id is null or i.state in ('issued', 'rejected', 'cancelled'))
                    order by o.at limit $2)
                 returning 1"
            }
            Self::ProvingLooks => {
                "delete from observations where id in (
                    select id from observations where outcome = 'proved' and at < $1
                    order by at limit $2)
                 returning 1"
            }
            Self::Notices => {
                "delete from notices where id in (
                    select n.id from notices n join orders o on o.id = n.order_id
                    where n.created_at < $1 and o.state <> 'open'
                        and (o.state <> 'active' or o.expires_at < $1)
                    order by n.created_at limit $2)
                 returning 1"
            }
            Self::Prevalidations => {
                "delete from prevalidations where id in (
                    select p.id from prevalidations p
                    where p.state in ('dropped', 'expired') and p.modified_at < $1 and not exists (
                        select 1 from authorizations a where a.prevalidation_id = p.id)
                    order by p.modified_at limit $2)
                 returning 1"
            }
        }
    }
}

impl Store {
    /// Removes what is older than a moment, so many rows at most; says how many it were. As many as that: there
    /// may be more.
    pub async fn prune(
        &self,
        what: Stale,
        before: Timestamp,
        most: i64,
    ) -> Result<usize, StoreError> {
        let mut change = Change::new();
        change.query(what.statement(), values![before, most]);
        let removed = self.commit(change).await?;
        Ok(removed.first().map_or(0, Vec::len))
    }
}
