//! The ledger. A posting's two entries and the balance it moves are one change.

use chancery_domain::ledger::{Account, Posting};
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;

impl Change {
    /// Posts a movement of money; refused as `balance` if the reseller's would fall below zero, and as
    /// `posting` if it charges or gives back a run of an order a second time.
    pub fn post(&mut self, posting: &Posting, entry_ids: [i64; 2]) {
        const BALANCE: &str = "
            update resellers set balance = balance + $1 where id = $2 and balance + $1 >= 0";
        let reseller = posting.reseller;
        // Sets that move one balance meet at its row: let them travel together.
        self.lane(reseller.0);
        let change = values![posting.balance_change(), reseller.0];
        self.expect_one(BALANCE, change, Failure::Refused("balance"));
        self.enter(posting, entry_ids);
    }

    /// Adds the two entries of a posting, whose balance another statement moves.
    pub(crate) fn enter(&mut self, posting: &Posting, entry_ids: [i64; 2]) {
        const ENTRIES: &str = "
            insert into ledger_entries (id, posting_id, account, reseller_id, order_id, amount,
                currency, kind, note, at, issuance_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $15),
                ($11, $2, $12, $13, $5, $14, $7, $8, $9, $10, $15)";
        let [(from, out), (to, arriving)] = posting.entries();
        self.expect_rows(
            ENTRIES,
            values![
                entry_ids[0],
                posting.id,
                from.as_str(),
                owner(from),
                posting.order.map(|order| order.0),
                out.minor,
                out.currency.as_str(),
                posting.kind.as_str(),
                posting.note.as_deref(),
                posting.at,
                entry_ids[1],
                to.as_str(),
                owner(to),
                arriving.minor,
                posting.issuance.map(|issuance| issuance.0),
            ],
            2,
            Failure::Refused("posting"),
        );
    }
}

impl Store {
    /// The sum of all entries, which is zero.
    pub async fn ledger_sum(&self) -> Result<i64, StoreError> {
        const SQL: &str = "select coalesce(cast(sum(amount) as bigint), 0) from ledger_entries";
        self.scan(SQL, Vec::new())
            .await?
            .first()
            .map_or(Ok(0), |row| row.int(0))
    }

    /// Each reseller's balance, and the sum of its account's entries, which is the same.
    pub async fn ledger_audit(&self) -> Result<Vec<(ResellerId, i64, i64)>, StoreError> {
        const SQL: &str = "
            select r.id, r.balance, (
                select coalesce(cast(sum(e.amount) as bigint), 0) from ledger_entries e
                where e.reseller_id = r.id)
            from resellers r order by r.id";
        let rows = self.scan(SQL, Vec::new()).await?;
        rows.iter()
            .map(|row| Ok((ResellerId(row.int(0)?), row.int(1)?, row.int(2)?)))
            .collect()
    }
}

fn owner(account: Account) -> Option<i64> {
    match account {
        Account::Reseller(reseller) => Some(reseller.0),
        Account::Sales | Account::Deposits => None,
    }
}
