//! Orders: a product bought for a term, which outlives many certificates.
//!
//! An order is charged when it is placed and given back when it ends before its first certificate, or within
//! its product's refund window after it. Its term begins with that certificate. What follows from the clock,
//! such as *expired*, is no state of its own.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::TransitionError;
use crate::certificates::CertificateId;
use crate::checklists::VettingKind;
use crate::contacts::ContactId;
use crate::issuances::{Issuance, IssuanceId};
use crate::money::Money;
use crate::names::DomainName;
use crate::organizations::OrganizationId;
use crate::products::Term;
use crate::resellers::{ResellerId, ResellerSettings};
use crate::stages::Stage;

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
    /// Whom its certificates name, for products that vet an organization.
    pub organization: Option<OrganizationId>,
    /// How thoroughly that organization is vetted.
    pub vetting: Option<VettingKind>,
    /// The contact who administers the order.
    pub administrator: ContactId,
    /// The contact for technical matters.
    pub technical: ContactId,
    /// What was charged and not given back.
    pub price: Money,
    /// Further names that are paid for, in every certificate of the term.
    pub paid: NameCounts,
    /// The latest run towards a certificate.
    pub issuance: IssuanceId,
    /// The certificate in force: the latest that was issued.
    pub certificate: Option<CertificateId>,
    /// Whether the platform may certify the last key again when it replaces a certificate, where the order says
    /// so; else it is as [`ResellerSettings::reuse_keys`] has it.
    pub reuse_key: Option<bool>,
    /// The name that comes along, for nothing, in the certificate in force; it is none of `names`.
    pub companion: Option<DomainName>,
    /// Whether what the reseller has proved ahead of any order serves it.
    pub use_prevalidated: bool,
    /// The order this one renews.
    pub renews: Option<OrderId>,
    /// The order this one was renewed by.
    pub renewed_by: Option<OrderId>,
    /// When the order this one renews ends: what is left of it is added to the term.
    pub carry_until: Option<Timestamp>,
    /// The reseller's note.
    pub special_instruction: Option<String>,
    /// How far the order has come.
    pub state: OrderState,
    /// The same in one word, its latest run and certificate considered.
    pub stage: Stage,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last moved.
    pub modified_at: Timestamp,
    /// Counts the moves; the store saves a move only over the version it was read at.
    pub version: i64,
}

/// How many further names, beside the common name, by what they cost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NameCounts {
    /// Ordinary ones.
    pub names: u32,
    /// Wildcards.
    pub wildcards: u32,
}

impl NameCounts {
    /// The further names of a list that begins with the common name, without the one that is free.
    pub fn of(names: &[DomainName], free: Option<&DomainName>) -> Self {
        let further = names.iter().skip(1).filter(|name| Some(*name) != free);
        let (wildcards, names): (Vec<_>, Vec<_>) = further.partition(|name| name.is_wildcard());
        let count = |names: Vec<&DomainName>| u32::try_from(names.len()).unwrap_or(u32::MAX);
        Self {
            names: count(names),
            wildcards: count(wildcards),
        }
    }

    /// Enough for either.
    pub fn or(self, other: Self) -> Self {
        Self {
            names: self.names.max(other.names),
            wildcards: self.wildcards.max(other.wildcards),
        }
    }
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
    /// Cancelled after the first certificate: its certificates are revoked, its price given back.
    Refunded {
        /// When the first certificate was issued.
        settled_at: Timestamp,
        /// When the term would have ended.
        expires_at: Timestamp,
    },
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
    /// The organization was not found to be what it says, for the reason given.
    OrganizationRejected(String),
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

    /// Ends the order at the reseller's wish after its first certificate, within `window` of it.
    pub fn refund(self, window: SignedDuration, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            OrderState::Active {
                settled_at,
                expires_at,
            } if now < settled_at + window => Ok(Self {
                state: OrderState::Refunded {
                    settled_at,
                    expires_at,
                },
                modified_at: now,
                ..self
            }),
            _ => Err(self.cannot("be given back")),
        }
    }

    /// Notes that an issuance was signed. With the first the term begins, and all that is left of the order
    /// it renews is added. `paid` counts those of its names that cost, and `companion` is what came along with them.
    pub fn settle(
        self,
        issuance: &Issuance,
        certificate: CertificateId,
        paid: NameCounts,
        companion: Option<DomainName>,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        let state = match self.state {
            OrderState::Active { .. } => self.state,
            OrderState::Open => OrderState::Active {
                settled_at: now,
                expires_at: end_of_term(now, self.term) + self.carried(now),
            },
            OrderState::Cancelled | OrderState::Refunded { .. } | OrderState::Failed(_) => {
                return Err(self.cannot("settle"));
            }
        };
        Ok(Self {
            paid: self.paid.or(paid),
            names: issuance.covered(),
            companion,
            certificate: Some(certificate),
            state,
            modified_at: now,
            ..self
        })
    }

    /// When the term ends, or would end if the first certificate were issued now.
    pub fn term_end(&self, now: Timestamp) -> Timestamp {
        match self.state {
            OrderState::Active { expires_at, .. } | OrderState::Refunded { expires_at, .. } => {
                expires_at
            }
            OrderState::Open | OrderState::Cancelled | OrderState::Failed(_) => {
                end_of_term(now, self.term) + self.carried(now)
            }
        }
    }

    /// Whether the platform may certify the last key again by itself, its reseller having these settings.
    pub fn reuses_key(&self, settings: &ResellerSettings) -> bool {
        self.reuse_key.unwrap_or(settings.reuse_keys)
    }

    /// Whether the order is in its term.
    pub fn is_running(&self, now: Timestamp) -> bool {
        matches!(self.state, OrderState::Active { expires_at, .. } if now < expires_at)
    }

    /// What is left at `now` of the order it renews.
    fn carried(&self, now: Timestamp) -> SignedDuration {
        let left = self
            .carry_until
            .map_or(SignedDuration::ZERO, |until| until.duration_since(now));
        left.max(SignedDuration::ZERO)
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
        match self.state {
            OrderState::Open => Ok(Self {
                state,
                modified_at: now,
                ..self
            }),
            _ => Err(self.cannot(verb)),
        }
    }

    fn cannot(&self, verb: &'static str) -> TransitionError {
        let state = match self.state {
            OrderState::Open => "open",
            OrderState::Active { .. } => "active",
            OrderState::Cancelled => "cancelled",
            OrderState::Refunded { .. } => "given back",
            OrderState::Failed(_) => "ended",
        };
        TransitionError {
            what: "an order",
            state,
            verb,
        }
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
    use crate::issuances::tests::an_issuance;
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
            organization: None,
            vetting: None,
            price: Money::parse("10", Currency::parse("USD").unwrap()).unwrap(),
            paid: NameCounts::default(),
            issuance: IssuanceId(5),
            certificate: None,
            reuse_key: None,
            companion: None,
            use_prevalidated: false,
            renews: None,
            renewed_by: None,
            carry_until: None,
            special_instruction: None,
            state: OrderState::Open,
            stage: Stage::Placed,
            created_at: now,
            modified_at: now,
            version: 0,
        }
    }

    fn settled(order: Order, now: Timestamp) -> Order {
        let issuance = an_issuance();
        order
            .settle(
                &issuance,
                CertificateId(9),
                NameCounts::default(),
                None,
                now,
            )
            .unwrap()
    }

    #[test]
    fn the_term_begins_with_the_first_certificate() {
        let now = "2028-02-29T10:00:00Z".parse().unwrap();
        let order = settled(an_order(), now);
        let OrderState::Active { expires_at, .. } = order.state else {
            panic!("not active")
        };
        assert_eq!(expires_at.to_string(), "2029-02-28T10:00:00Z");
        let later = "2028-06-01T10:00:00Z".parse().unwrap();
        assert_eq!(settled(order.clone(), later).state, order.state);
        assert!(order.cancel(later).is_err());
    }

    #[test]
    fn all_that_is_left_of_the_renewed_order_is_added() {
        let now: Timestamp = "2027-06-01T00:00:00Z".parse().unwrap();
        let end = |until: &str| {
            let mut order = an_order();
            order.carry_until = Some(until.parse().unwrap());
            settled(order, now).term_end(now)
        };
        assert_eq!(
            end("2027-06-21T00:00:00Z").to_string(),
            "2028-06-21T00:00:00Z"
        );
        assert_eq!(
            end("2027-12-01T00:00:00Z").to_string(),
            "2028-12-01T00:00:00Z"
        );
        assert_eq!(
            end("2027-05-01T00:00:00Z").to_string(),
            "2028-06-01T00:00:00Z"
        );
    }

    #[test]
    fn an_order_says_no_to_its_key_only_if_it_says_so() {
        let settings = |reuse_keys| ResellerSettings {
            reuse_keys,
            ..ResellerSettings::default()
        };
        let order = |reuse_key| Order {
            reuse_key,
            ..an_order()
        };
        assert!(order(None).reuses_key(&ResellerSettings::default()));
        for reuse_keys in [true, false] {
            assert_eq!(order(None).reuses_key(&settings(reuse_keys)), reuse_keys);
            assert!(order(Some(true)).reuses_key(&settings(reuse_keys)));
            assert!(!order(Some(false)).reuses_key(&settings(reuse_keys)));
        }
    }

    #[test]
    fn an_order_is_given_back_within_its_window_only() {
        let now = an_order().created_at;
        let window = SignedDuration::from_hours(24 * 30);
        let order = settled(an_order(), now);
        assert!(order.clone().refund(window, now + window).is_err());
        let within = now + window - SignedDuration::from_secs(1);
        let refunded = order.refund(window, within).unwrap();
        assert!(matches!(refunded.state, OrderState::Refunded { .. }));
        assert!(refunded.refund(window, within).is_err());
        assert!(an_order().refund(window, now).is_err());
    }

    proptest! {
        /// However an order is pushed, it leaves *open* at most once, is given back at most once, and never
        /// leaves its end.
        #[test]
        fn an_order_ends_once(moves in prop::collection::vec(0..4_u8, 1..12)) {
            let now = an_order().created_at;
            let window = SignedDuration::from_hours(1);
            let issuance = an_issuance();
            let mut order = an_order();
            let (mut left, mut given_back) = (0, 0);
            for step in moves {
                let before = order.clone();
                let moved = match step {
                    0 => order.clone().cancel(now),
                    1 => order.clone().fail(Failure::ValidationExpired, now),
                    2 => order.clone().refund(window, now),
                    _ => order.clone().settle(&issuance, CertificateId(9), NameCounts::default(), None, now),
                };
                order = moved.unwrap_or_else(|_| before.clone());
                left += usize::from(before.state == OrderState::Open && order.state != OrderState::Open);
                let ends = |order: &Order| !matches!(order.state, OrderState::Open | OrderState::Active { .. });
                given_back += usize::from(!ends(&before) && ends(&order));
                prop_assert!(!ends(&before) || order == before);
            }
            prop_assert!(left <= 1 && given_back <= 1);
        }
    }
}
