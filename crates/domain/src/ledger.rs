//! The ledger: every movement of money, in double entry.
//!
//! A *posting* moves an amount from one account to another: its two entries sum to zero, so the sum over
//! the whole ledger is zero at any time. A reseller's balance is the sum of the entries of its account.
//! Nothing is ever changed or deleted; a mistake or a refund is a posting of its own.

use jiff::Timestamp;

use crate::issuances::{Issuance, IssuanceId};
use crate::money::Money;
use crate::orders::OrderId;
use crate::resellers::ResellerId;

/// Where money can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Account {
    /// What a reseller may still spend.
    Reseller(ResellerId),
    /// What resellers have spent.
    Sales,
    /// What came in from outside; negative.
    Deposits,
}

impl Account {
    /// The word under which the account is stored; a reseller's id is kept beside it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reseller(_) => "reseller",
            Self::Sales => "sales",
            Self::Deposits => "deposits",
        }
    }
}

/// Why money moved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PostingKind {
    /// An order was placed, or a reissue of one that costs.
    Charge,
    /// What was charged was given back.
    Refund,
    /// The operator credited a balance.
    Credit,
    /// The operator took money off a balance.
    Debit,
    /// The counter-entry of a credit or a debit that was a mistake.
    Correction,
}

impl PostingKind {
    /// The word under which the kind is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Credit => "credit",
            Self::Debit => "debit",
            Self::Correction => "correction",
        }
    }

    /// Reads [`PostingKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Charge,
            Self::Refund,
            Self::Credit,
            Self::Debit,
            Self::Correction,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

/// One movement: `amount` leaves `from` and arrives at `to`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Posting {
    /// Its id; its two entries share it.
    pub id: i64,
    /// The reseller whose money it is.
    pub reseller: ResellerId,
    /// Where the amount leaves.
    pub from: Account,
    /// Where it arrives.
    pub to: Account,
    /// How much; never negative.
    pub amount: Money,
    /// Why.
    pub kind: PostingKind,
    /// For which order.
    pub order: Option<OrderId>,
    /// For which run of it: each is charged once and given back once at most.
    pub issuance: Option<IssuanceId>,
    /// Which posting it is the counter-entry of, where that was a mistake; each has one at most.
    pub corrects: Option<i64>,
    /// A note for people.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A movement on a reseller's account, as it is on record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountEntry {
    /// The posting's id.
    pub posting: i64,
    /// Whose account.
    pub reseller: ResellerId,
    /// By how much the balance changed.
    pub amount: Money,
    /// Why.
    pub kind: PostingKind,
    /// For which order.
    pub order: Option<OrderId>,
    /// Which posting it is the counter-entry of.
    pub corrects: Option<i64>,
    /// A note for people.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why an entry is not corrected by a counter-entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CorrectionError {
    /// It follows from an order.
    #[error("the entry follows from order {0}: cancel the order instead")]
    OfOrder(OrderId),
    /// It is a counter-entry.
    #[error("the entry is itself a correction: credit or debit the balance instead")]
    Correction,
}

impl Posting {
    /// The price of an issuance, from its reseller's balance.
    pub fn charge(id: i64, issuance: &Issuance, at: Timestamp) -> Self {
        Self {
            id,
            reseller: issuance.reseller,
            from: Account::Reseller(issuance.reseller),
            to: Account::Sales,
            amount: issuance.price,
            kind: PostingKind::Charge,
            order: Some(issuance.order),
            issuance: Some(issuance.id),
            corrects: None,
            note: None,
            at,
        }
    }

    /// The counter-entry of [`Posting::charge`].
    pub fn refund(id: i64, issuance: &Issuance, at: Timestamp) -> Self {
        let charge = Self::charge(id, issuance, at);
        Self {
            from: charge.to,
            to: charge.from,
            kind: PostingKind::Refund,
            ..charge
        }
    }

    /// Money that came in for a reseller.
    pub fn credit(
        id: i64,
        reseller: ResellerId,
        amount: Money,
        note: Option<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            reseller,
            from: Account::Deposits,
            to: Account::Reseller(reseller),
            amount,
            kind: PostingKind::Credit,
            order: None,
            issuance: None,
            corrects: None,
            note,
            at,
        }
    }

    /// Money that goes back to where it came from.
    pub fn debit(
        id: i64,
        reseller: ResellerId,
        amount: Money,
        note: Option<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            from: Account::Reseller(reseller),
            to: Account::Deposits,
            kind: PostingKind::Debit,
            ..Self::credit(id, reseller, amount, note, at)
        }
    }

    /// The counter-entry of a credit or a debit that was a mistake.
    pub fn correction(
        id: i64,
        entry: &AccountEntry,
        note: String,
        at: Timestamp,
    ) -> Result<Self, CorrectionError> {
        let (reseller, note) = (entry.reseller, Some(note));
        let counter = match (entry.kind, entry.order) {
            (PostingKind::Credit, None) => Self::debit(id, reseller, entry.amount, note, at),
            (PostingKind::Debit, None) => Self::credit(id, reseller, -entry.amount, note, at),
            (_, Some(order)) => return Err(CorrectionError::OfOrder(order)),
            (_, None) => return Err(CorrectionError::Correction),
        };
        Ok(Self {
            kind: PostingKind::Correction,
            corrects: Some(entry.posting),
            ..counter
        })
    }

    /// The two entries: account and signed amount. They sum to zero.
    pub fn entries(&self) -> [(Account, Money); 2] {
        [(self.from, -self.amount), (self.to, self.amount)]
    }

    /// By how much the reseller's balance changes, in minor units.
    pub fn balance_change(&self) -> i64 {
        self.entries()
            .iter()
            .filter(|(account, _)| *account == Account::Reseller(self.reseller))
            .map(|(_, amount)| amount.minor)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::issuances::tests::an_issuance;
    use crate::money::Currency;

    fn an_entry(amount: Money) -> AccountEntry {
        AccountEntry {
            posting: 17,
            reseller: ResellerId(2001),
            amount,
            kind: match amount.minor < 0 {
                true => PostingKind::Debit,
                false => PostingKind::Credit,
            },
            order: None,
            corrects: None,
            note: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_correction_is_not_corrected() {
        let currency = Currency::parse("USD").unwrap();
        let amount = Money { minor: 5, currency };
        let correction = AccountEntry {
            kind: PostingKind::Correction,
            ..an_entry(amount)
        };
        let refused = Posting::correction(1, &correction, String::new(), Timestamp::UNIX_EPOCH);
        assert_eq!(refused, Err(CorrectionError::Correction));
    }

    proptest! {
        /// However money is moved, the ledger sums to zero, and the balance is what was put in less what
        /// was charged and not given back.
        #[test]
        fn the_ledger_sums_to_zero(moves in prop::collection::vec((0..6_u8, 0..1_000_000_i64), 0..50)) {
            let reseller = ResellerId(2001);
            let currency = Currency::parse("USD").unwrap();
            let (mut total, mut balance, mut expected) = (0_i64, 0_i64, 0_i64);
            for (id, (kind, minor)) in (0_i64..).zip(moves) {
                let amount = Money { minor, currency };
                let issuance = Issuance { price: amount, ..an_issuance() };
                let now = Timestamp::UNIX_EPOCH;
                let posting = match kind {
                    0 => Posting::credit(id, reseller, amount, None, now),
                    1 => Posting::charge(id, &issuance, now),
                    2 => Posting::refund(id, &issuance, now),
                    3 => Posting::debit(id, reseller, amount, None, now),
                    _ => {
                        let entry = an_entry(if kind == 4 { amount } else { -amount });
                        let of_order = AccountEntry { order: Some(OrderId(1)), ..entry.clone() };
                        let refused = Posting::correction(id, &of_order, String::new(), now);
                        prop_assert_eq!(refused, Err(CorrectionError::OfOrder(OrderId(1))));
                        let counter = Posting::correction(id, &entry, String::new(), now).unwrap();
                        prop_assert_eq!(counter.balance_change(), -entry.amount.minor);
                        prop_assert_eq!(counter.corrects, Some(entry.posting));
                        counter
                    }
                };
                prop_assert!(posting.amount.minor >= 0);
                expected += if matches!(kind, 1 | 3 | 4) { -minor } else { minor };
                total += posting.entries().iter().map(|(_, amount)| amount.minor).sum::<i64>();
                balance += posting.balance_change();
            }
            prop_assert_eq!(total, 0);
            prop_assert_eq!(balance, expected);
        }
    }
}
