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
}

impl PostingKind {
    /// The word under which the kind is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Credit => "credit",
        }
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
    /// A note for people.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
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
            note,
            at,
        }
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

    proptest! {
        /// However money is moved, the ledger sums to zero, and the balance is what was put in less what
        /// was charged and not given back.
        #[test]
        fn the_ledger_sums_to_zero(moves in prop::collection::vec((0..3_u8, 0..1_000_000_i64), 0..50)) {
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
                    _ => Posting::refund(id, &issuance, now),
                };
                expected += if kind == 1 { -minor } else { minor };
                total += posting.entries().iter().map(|(_, amount)| amount.minor).sum::<i64>();
                balance += posting.balance_change();
            }
            prop_assert_eq!(total, 0);
            prop_assert_eq!(balance, expected);
        }
    }
}
