//! How long certificates may live and proofs may be reused, by the day of issuance.
//!
//! The limits shrink on dates known in advance (BR 6.3.2, 4.2.1), so they are data: a table of rows, each
//! in force from its date at 00:00 UTC. Validity is inclusive: a certificate from second `a` to second `b`
//! lives `b - a + 1` seconds (BR 1.6.1).

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// The limits in force from one date on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ValidityRule {
    /// From this moment.
    pub from: Timestamp,
    /// The longest life of a certificate, in days of 86,400 seconds.
    pub validity_days: u32,
    /// The greatest age of domain control evidence, in days.
    pub domain_reuse_days: u32,
    /// The greatest age of identity evidence, in days.
    pub identity_reuse_days: u32,
}

/// The dated limits, oldest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValidityRules(Vec<ValidityRule>);

/// The table of BR 6.3.2 and 4.2.1 as of BR 2.3.1.
const BASELINE: [(&str, u32, u32, u32); 4] = [
    ("1970-01-01T00:00:00Z", 398, 398, 825),
    ("2026-03-15T00:00:00Z", 200, 200, 398),
    ("2027-03-15T00:00:00Z", 100, 100, 398),
    ("2029-03-15T00:00:00Z", 47, 10, 398),
];

/// How far before the moment of signing a certificate begins, for clocks that are slow.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// The days between the cap and what is issued, for clocks and calculations that differ.
const MARGIN_DAYS: u32 = 1;

const DAY_SECONDS: i64 = 86_400;

impl Default for ValidityRules {
    fn default() -> Self {
        Self(
            BASELINE
                .iter()
                .map(
                    |(from, validity_days, domain_reuse_days, identity_reuse_days)| ValidityRule {
                        from: from.parse().expect("the built-in dates are RFC 3339"),
                        validity_days: *validity_days,
                        domain_reuse_days: *domain_reuse_days,
                        identity_reuse_days: *identity_reuse_days,
                    },
                )
                .collect(),
        )
    }
}

impl ValidityRules {
    /// A table of an operator's own; `None` when it is empty or not in ascending order.
    pub fn new(rows: Vec<ValidityRule>) -> Option<Self> {
        let ascending = rows.windows(2).all(|pair| pair[0].from < pair[1].from);
        (!rows.is_empty() && ascending).then_some(Self(rows))
    }

    /// The limits for a certificate issued at `now`.
    pub fn at(&self, now: Timestamp) -> ValidityRule {
        *self
            .0
            .iter()
            .rev()
            .find(|rule| rule.from <= now)
            .unwrap_or(&self.0[0])
    }

    /// Whether evidence obtained at `obtained_at` may still be used at `now` (BR 4.2.1).
    pub fn is_fresh(&self, obtained_at: Timestamp, now: Timestamp) -> bool {
        let age = now.duration_since(obtained_at);
        age <= days(self.at(now).domain_reuse_days)
    }

    /// The life of a certificate signed at `now` under an order that ends at `order_end`.
    ///
    /// It begins an hour back and lasts a day less than the cap, or until the order ends, whichever is
    /// first; both ends are whole seconds.
    pub fn leaf_validity(&self, now: Timestamp, order_end: Timestamp) -> Validity {
        let start = (now - SKEW).as_second();
        let length = i64::from(self.at(now).validity_days - MARGIN_DAYS) * DAY_SECONDS;
        let end = (start + length - 1).min(order_end.as_second());
        Validity {
            not_before: Timestamp::from_second(start).expect("a certificate's dates are in range"),
            not_after: Timestamp::from_second(end).expect("a certificate's dates are in range"),
        }
    }
}

/// So many days of 86,400 seconds.
pub fn days(count: u32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(count) * DAY_SECONDS)
}

/// The first and the last second of a certificate's life, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn life_in_days(now: &str) -> i64 {
        let life = ValidityRules::default().leaf_validity(at(now), at("2040-01-01T00:00:00Z"));
        let seconds = life.not_after.as_second() - life.not_before.as_second() + 1;
        assert_eq!(seconds % DAY_SECONDS, 0);
        seconds / DAY_SECONDS
    }

    #[test]
    fn certificates_live_a_day_less_than_the_cap_of_their_day() {
        assert_eq!(life_in_days("2026-11-22T12:00:00Z"), 199);
        assert_eq!(life_in_days("2027-03-14T23:59:59Z"), 199);
        assert_eq!(life_in_days("2027-03-15T00:00:00Z"), 99);
        assert_eq!(life_in_days("2029-03-15T00:00:00Z"), 46);
    }

    #[test]
    fn a_certificate_ends_with_its_order() {
        let end = at("2026-12-01T10:00:00Z");
        let life = ValidityRules::default().leaf_validity(at("2026-11-22T12:00:00Z"), end);
        assert_eq!(life.not_after, end);
    }

    #[test]
    fn evidence_ages_by_the_day_of_issuance() {
        let rules = ValidityRules::default();
        let obtained = at("2026-12-04T00:00:00Z");
        assert!(rules.is_fresh(obtained, at("2027-03-14T23:59:59Z")));
        assert!(!rules.is_fresh(obtained, at("2027-03-15T00:00:01Z")));
        assert!(rules.is_fresh(at("2026-12-05T00:00:00Z"), at("2027-03-15T00:00:00Z")));
    }

    #[test]
    fn a_table_must_ascend() {
        let rule = ValidityRules::default().at(at("2026-11-22T00:00:00Z"));
        assert!(ValidityRules::new(vec![]).is_none());
        assert!(ValidityRules::new(vec![rule, rule]).is_none());
        assert!(ValidityRules::new(vec![rule]).is_some());
    }
}
