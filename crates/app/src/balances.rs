//! Balances, as operators see and move them: credits, debits, and the counter-entries of what was a mistake.
//!
//! An entry is never changed. A balance never falls below zero, whoever moves it.

use chancery_domain::ledger::{AccountEntry, Posting};
use chancery_domain::money::Money;
use chancery_domain::operators::ActKind;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;
use chancery_store::idempotency::Remembered;
use chancery_store::{Change, Sequence, StoreError};

use crate::operators::{OperatorRefusal, no_reseller};
use crate::sign_in::secret_hash;
use crate::{AppError, Noun, Operations, Refusal};

/// A credit that is on record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credited {
    /// Whether it was on record before, under the same key.
    pub repeated: bool,
    /// Its entry; `None` where it was on record before.
    pub entry: Option<i64>,
    /// The balance now; `None` where only reading it failed.
    pub balance: Option<Money>,
}

/// A debit or a correction that is on record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moved {
    /// Whether it was on record before, under the same key.
    pub repeated: bool,
    /// Its entry.
    pub entry: i64,
    /// By how much the balance changed.
    pub amount: Money,
    /// The balance now; `None` where only reading it failed.
    pub balance: Option<Money>,
}

impl Operations {
    /// What a reseller may spend.
    pub async fn balance(&self, id: ResellerId) -> Result<Money, AppError> {
        let missing = || no_reseller(id);
        self.store.balance(id).await?.ok_or_else(missing)
    }

    /// Movements on a reseller's account before an entry, the latest first.
    pub async fn account_entries(
        &self,
        reseller: ResellerId,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<AccountEntry>, AppError> {
        let before = before.unwrap_or(i64::MAX);
        let entries = self.store.account_entries(reseller, before, most.into());
        Ok(entries.await?)
    }

    /// Credits a reseller's balance, with more than nothing and in its currency.
    pub async fn credit(
        &self,
        reseller: ResellerId,
        amount: Money,
        note: Option<String>,
    ) -> Result<Credited, AppError> {
        self.credit_under(reseller, amount, note, None).await
    }

    /// The same under a key of the caller's: a repetition within thirty days changes nothing, so it is safe
    /// after an answer that was lost.
    pub async fn credit_once(
        &self,
        reseller: ResellerId,
        amount: Money,
        note: Option<String>,
        key: &str,
    ) -> Result<Credited, AppError> {
        // Apart from the keys of the reseller's own requests.
        let key = format!("credit:{key}");
        self.credit_under(reseller, amount, note, Some(&key)).await
    }

    async fn credit_under(
        &self,
        reseller: ResellerId,
        amount: Money,
        note: Option<String>,
        key: Option<&str>,
    ) -> Result<Credited, AppError> {
        self.check_currency(reseller, amount).await?;
        if amount.minor <= 0 {
            return Err(Refusal::CreditOfNothing.into());
        }
        let now = self.clock.now();
        let mut change = Change::new();
        let posting = Posting::credit(self.row().await?, reseller, amount, note, now);
        if let Some(key) = key {
            change.remember(reseller, key, &first_of(&posting), now);
        }
        self.post(&mut change, &posting, ActKind::BalanceCredited)
            .await?;
        let repeated = match (self.store.commit(change).await, key) {
            (Ok(_), _) => false,
            (Err(StoreError::Refused("idempotency")), Some(key)) => {
                self.first_under(&posting, key).await?;
                true
            }
            (Err(other), _) => return Err(other.into()),
        };
        Ok(Credited {
            repeated,
            entry: (!repeated).then_some(posting.id),
            balance: self.balance_after(reseller).await,
        })
    }

    /// Takes money off a reseller's balance, as much as there is at most.
    pub async fn debit(
        &self,
        reseller: ResellerId,
        amount: Money,
        reason: &str,
    ) -> Result<Moved, AppError> {
        self.debit_under(reseller, amount, reason, None).await
    }

    /// The same under a key of the caller's, as [`Operations::credit_once`] has it.
    pub async fn debit_once(
        &self,
        reseller: ResellerId,
        amount: Money,
        reason: &str,
        key: &str,
    ) -> Result<Moved, AppError> {
        let key = format!("debit:{key}");
        self.debit_under(reseller, amount, reason, Some(&key)).await
    }

    async fn debit_under(
        &self,
        reseller: ResellerId,
        amount: Money,
        reason: &str,
        key: Option<&str>,
    ) -> Result<Moved, AppError> {
        self.check_currency(reseller, amount).await?;
        if amount.minor <= 0 {
            return Err(OperatorRefusal::DebitOfNothing.into());
        }
        let (note, now) = (given(reason)?, self.clock.now());
        let posting = Posting::debit(self.row().await?, reseller, amount, Some(note), now);
        self.move_balance(&posting, ActKind::BalanceDebited, key)
            .await
    }

    /// Puts a credit or a debit right that was a mistake, by its counter-entry.
    pub async fn correct(
        &self,
        reseller: ResellerId,
        entry: i64,
        reason: &str,
    ) -> Result<Moved, AppError> {
        self.reseller(reseller).await?;
        let (note, now) = (given(reason)?, self.clock.now());
        let missing = || AppError::NotFound {
            what: Noun::LedgerEntry,
            id: entry.to_string(),
        };
        let found = self.store.account_entry(reseller, entry).await?;
        let found = found.ok_or_else(missing)?;
        let posting = Posting::correction(self.row().await?, &found, note, now)
            .map_err(OperatorRefusal::Correction)?;
        self.move_balance(&posting, ActKind::BalanceCorrected, None)
            .await
    }

    async fn move_balance(
        &self,
        posting: &Posting,
        kind: ActKind,
        key: Option<&str>,
    ) -> Result<Moved, AppError> {
        let mut change = Change::new();
        if let Some(key) = key {
            change.remember(posting.reseller, key, &first_of(posting), posting.at);
        }
        self.post(&mut change, posting, kind).await?;
        let mut entry = posting.id;
        match self.store.commit(change).await {
            Err(StoreError::Refused("idempotency")) if key.is_some() => {
                let first = self.first_under(posting, key.unwrap_or_default()).await?;
                entry = first.answer.parse().map_err(AppError::internal)?;
            }
            Err(StoreError::Refused("balance")) => {
                let held = self.balance(posting.reseller).await?;
                return Err(OperatorRefusal::BalanceTooSmall(held).into());
            }
            Err(StoreError::Refused("posting")) => {
                return Err(OperatorRefusal::CorrectedAlready.into());
            }
            other => drop(other?),
        }
        Ok(Moved {
            repeated: entry != posting.id,
            entry,
            amount: Money {
                minor: posting.balance_change(),
                ..posting.amount
            },
            balance: self.balance_after(posting.reseller).await,
        })
    }

    /// The movement that is on record under a key, if it is the same as the one that comes now.
    async fn first_under(&self, posting: &Posting, key: &str) -> Result<Remembered, AppError> {
        let first = self.store.remembered(posting.reseller, key).await?;
        let hash = first_of(posting).request_hash;
        let first = first.filter(|first| first.request_hash == hash);
        first.ok_or(Refusal::KeyReused.into())
    }

    /// Adds a posting, and who made it.
    async fn post(
        &self,
        change: &mut Change,
        posting: &Posting,
        kind: ActKind,
    ) -> Result<(), AppError> {
        change.post(posting, [self.row().await?, self.row().await?]);
        let corrects = posting
            .corrects
            .map(|entry| format!("corrects entry {entry}"));
        let detail = [
            Some(posting.amount.to_string()),
            corrects,
            posting.note.clone(),
        ];
        let detail: Vec<String> = detail.into_iter().flatten().collect();
        let (subject, whose) = (format!("entry {}", posting.id), Some(posting.reseller));
        self.record_act(change, kind, subject, whose, Some(detail.join(", ")))
            .await
    }

    async fn check_currency(&self, reseller: ResellerId, amount: Money) -> Result<(), AppError> {
        let currency = self.reseller(reseller).await?.currency;
        match amount.currency == currency {
            true => Ok(()),
            false => Err(Refusal::OtherCurrency(currency).into()),
        }
    }

    async fn balance_after(&self, reseller: ResellerId) -> Option<Money> {
        self.store.balance(reseller).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the balance could not be read after it was moved");
            None
        })
    }

    pub(crate) async fn row(&self) -> Result<i64, AppError> {
        Ok(self.store.next_id(Sequence::Row).await?)
    }
}

/// What is remembered of a movement under a key: how much it is, and its entry.
fn first_of(posting: &Posting) -> Remembered {
    Remembered {
        request_hash: secret_hash(&posting.amount.to_string()),
        order: OrderId(0),
        answer: posting.id.to_string(),
    }
}

/// A reason there is one of.
fn given(reason: &str) -> Result<String, AppError> {
    match reason.trim() {
        "" => Err(OperatorRefusal::NoReason.into()),
        reason => Ok(reason.to_owned()),
    }
}
