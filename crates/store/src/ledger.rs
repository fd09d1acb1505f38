//! The ledger. A posting's two entries and the balance it moves are one change.

use chancery_domain::ledger::{Account, AccountEntry, Posting, PostingKind};
use chancery_domain::money::{Currency, Money};
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure, Told};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

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
                currency, kind, note, at, issuance_id, corrects)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $15, $16),
                ($11, $2, $12, $13, $5, $14, $7, $8, $9, $10, $15, $16)";
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
                posting.corrects,
            ],
            2,
            Failure::Refused("posting"),
        );
        self.tell(Told {
            what: moved(posting.kind),
            order: posting.order,
            reseller: posting.reseller,
            issuance: posting.issuance,
            amount: Some(posting.amount),
        });
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

    /// Movements on a reseller's account before a posting, the latest first.
    pub async fn account_entries(
        &self,
        reseller: ResellerId,
        before: i64,
        most: i64,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        const SQL: &str = "
            select posting_id, reseller_id, amount, currency, kind, order_id, corrects, note, at
            from ledger_entries
            where reseller_id = $1 and account = 'reseller' and posting_id < $2
            order by posting_id desc limit $3";
        let rows = self.scan(SQL, values![reseller.0, before, most]).await?;
        rows.iter().map(read_entry).collect()
    }

    /// What a posting did to a reseller's account.
    pub async fn account_entry(
        &self,
        reseller: ResellerId,
        posting: i64,
    ) -> Result<Option<AccountEntry>, StoreError> {
        const SQL: &str = "
            select posting_id, reseller_id, amount, currency, kind, order_id, corrects, note, at
            from ledger_entries
            where reseller_id = $1 and account = 'reseller' and posting_id = $2";
        let rows = self.scan(SQL, values![reseller.0, posting]).await?;
        rows.first().map(read_entry).transpose()
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

/// What a movement is called in the log.
fn moved(kind: PostingKind) -> &'static str {
    match kind {
        PostingKind::Charge => "order charged",
        PostingKind::Refund => "order given back",
        PostingKind::Credit => "balance credited",
        PostingKind::Debit => "balance debited",
        PostingKind::Correction => "balance corrected",
    }
}

fn read_entry(row: &Row) -> Result<AccountEntry, StoreError> {
    Ok(AccountEntry {
        posting: row.int(0)?,
        reseller: ResellerId(row.int(1)?),
        amount: Money {
            minor: row.int(2)?,
            currency: row.parsed(3, |text| Currency::parse(text).ok())?,
        },
        kind: row.parsed(4, PostingKind::parse)?,
        order: row.opt_int(5)?.map(OrderId),
        corrects: row.opt_int(6)?,
        note: row.opt_string(7)?,
        at: row.timestamp(8)?,
    })
}

fn owner(account: Account) -> Option<i64> {
    match account {
        Account::Reseller(reseller) => Some(reseller.0),
        Account::Sales | Account::Deposits => None,
    }
}
