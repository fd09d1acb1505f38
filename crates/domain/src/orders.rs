//! Orders: a product bought for a term, which outlives many certificates.
//!
//! An order is charged when it is placed and given back when it ends before its first certificate. Its term
//! begins with that certificate. What follows from the clock, such as *expired*, is computed and not stored.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::TransitionError;
use crate::contacts::ContactId;
use crate::issuances::IssuanceId;
use crate::money::Money;
use crate::names::DomainName;
use crate::products::Term;
use crate::resellers::ResellerId;

crate::id! {
    /// The id of an [`Order`]; also its number on the wire.
    OrderId
}

/// A product bought for a term.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who ordered and pays.
    pub reseller: ResellerId,
    /// What was bought.
    pub product_key: String,
    /// How the product was called when it was bought.
    pub product_name: String,
    /// For how many years.
    pub term: Term,
    /// What certificates are to cover, the common name first, each name once.
    pub names: Vec<DomainName>,
    /// The contact who administers the order.
    pub administrator: ContactId,
    /// The contact for technical matters.
    pub technical: ContactId,
    /// What was charged.
    pub price: Money,
    /// The latest run towards a certificate.
    pub issuance: IssuanceId,
    /// The reseller's note.
    pub special_instruction: Option<String>,
    /// How far the order has come.
    pub state: OrderState,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last moved.
    pub modified_at: Timestamp,
    /// Counts the moves; the store saves a move only over the version it was read at.
    pub version: i64,
}

/// How far an order has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OrderState {
    /// Charged; no certificate yet.
    Open,
    /// It has, or had, a certificate.
    Active {
        /// When the first certificate was issued; the term counts from here.
        settled_at: Timestamp,
        /// When the term ends.
        expires_at: Timestamp,
    },
    /// Cancelled before the first certificate, and given back.
    Cancelled,
    /// Ended by the platform before the first certificate, and given back.
    Failed(Failure),
}

/// Why the platform ended an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Control of the names was not shown in time.
    ValidationExpired,
    /// The issuer will not sign, for the reason given.
    IssuerRefused(String),
}

impl Order {
    /// Ends the order at the reseller's wish. Only before the first certificate.
    pub fn cancel(self, now: Timestamp) -> Result<Self, TransitionError> {
        self.leave_open("be cancelled", OrderState::Cancelled, now)
    }

    /// Ends the order because it cannot be fulfilled. Only before the first certificate.
    pub fn fail(self, failure: Failure, now: Timestamp) -> Result<Self, TransitionError> {
        self.leave_open("fail", OrderState::Failed(failure), now)
    }

    /// Notes the first certificate, with which the term begins; later ones change nothing here.
    pub fn settle(self, now: Timestamp) -> Result<Self, TransitionError> {
        if matches!(self.state, OrderState::Active { .. }) {
            return Ok(self);
        }
        let expires_at = end_of_term(now, self.term);
        self.leave_open(
            "settle",
            OrderState::Active {
                settled_at: now,
                expires_at,
            },
            now,
        )
    }

    /// When the term ends, or would end if the first certificate were issued now.
    pub fn term_end(&self, now: Timestamp) -> Timestamp {
        match self.state {
            OrderState::Active { expires_at, .. } => expires_at,
            OrderState::Open | OrderState::Cancelled | OrderState::Failed(_) => {
                end_of_term(now, self.term)
            }
        }
    }

    /// The first of the names.
    pub fn common_name(&self) -> &DomainName {
        self.names.first().expect("an order has at least one name")
    }

    fn leave_open(
        self,
        verb: &'static str,
        state: OrderState,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        let present = match self.state {
            OrderState::Open => {
                return Ok(Self {
                    state,
                    modified_at: now,
                    ..self
                });
            }
            OrderState::Active { .. } => "active",
            OrderState::Cancelled => "cancelled",
            OrderState::Failed(_) => "ended",
        };
        Err(TransitionError {
            what: "an order",
            state: present,
            verb,
        })
    }
}

/// The same day and time, so many years on; 29 February becomes the 28th.
fn end_of_term(from: Timestamp, term: Term) -> Timestamp {
    let start: DateTime = from.to_zoned(TimeZone::UTC).datetime();
    start
        .saturating_add(Span::new().years(term.0))
        .to_zoned(TimeZone::UTC)
        .map_or(from, |end| end.timestamp())
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Currency;

    pub(crate) fn an_order() -> Order {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        Order {
            id: OrderId(1_000_000_001),
            reseller: ResellerId(2001),
            product_key: "ssl123".to_owned(),
            product_name: "SSL 123".to_owned(),
            term: Term(1),
            names: vec![DomainName::parse("shop.example").unwrap()],
            administrator: ContactId(1),
            technical: ContactId(2),
            price: Money::parse("10", Currency::parse("USD").unwrap()).unwrap(),
            issuance: IssuanceId(5),
            special_instruction: None,
            state: OrderState::Open,
            created_at: now,
            modified_at: now,
            version: 0,
        }
    }

    #[test]
    fn the_term_begins_with_the_first_certificate() {
        let now = "2028-02-29T10:00:00Z".parse().unwrap();
        let order = an_order().settle(now).unwrap();
        let OrderState::Active { expires_at, .. } = order.state else {
            panic!("not active")
        };
        assert_eq!(expires_at.to_string(), "2029-02-28T10:00:00Z");
        let later = "2028-06-01T10:00:00Z".parse().unwrap();
        assert_eq!(order.clone().settle(later).unwrap(), order);
        assert!(order.cancel(later).is_err());
    }

    fn a_move() -> impl Strategy<Value = u8> {
        0..3_u8
    }

    proptest! {
        /// However an order is pushed, it leaves *open* at most once and never changes its end.
        #[test]
        fn an_order_ends_once(moves in prop::collection::vec(a_move(), 1..12)) {
            let now = an_order().created_at;
            let mut order = an_order();
            let mut left = 0;
            for step in moves {
                let before = order.clone();
                let moved = match step {
                    0 => order.clone().cancel(now),
                    1 => order.clone().fail(Failure::ValidationExpired, now),
                    _ => order.clone().settle(now),
                };
                order = moved.unwrap_or_else(|_| before.clone());
                left += usize::from(before.state != order.state);
            }
            prop_assert!(left <= 1);
        }
    }
}
