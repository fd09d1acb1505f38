//! How long certificates may live and proofs may be reused, by the day of issuance.
//!
//! The limits shrink on dates known in advance (BR 6.3.2, 4.2.1), so they are data: a table of rows, each
//! in force from its date at 00:00 UTC. Validity is inclusive: a certificate from second `a` to second `b`
//! lives `b - a + 1` seconds (BR 1.6.1).

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::authorizations::Method;

/// The limits in force from one date on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
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

/// The moment from which a method proves nothing any more (BR 3.2.2.4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
struct MethodEnd {
    method: Method,
    at: Timestamp,
}

/// The dated limits, oldest first, and the ends of methods.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ValidityRules {
    #[serde(rename = "limit")]
    limits: Vec<ValidityRule>,
    #[serde(default, rename = "end")]
    ends: Vec<MethodEnd>,
}

/// Why a table of limits cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ValidityRulesError {
    /// It is not TOML, or a key is missing, unknown or of the wrong type.
    #[error("the table cannot be read")]
    Syntax(#[from] toml::de::Error),
    /// It holds no limit, or the limits do not ascend.
    #[error("the table needs at least one limit, each from a later moment than the one before")]
    Order,
    /// A limit is shorter than the margin that is kept to it.
    #[error("a limit on validity is at least two days")]
    TooShort,
}

/// How far before the moment of signing a certificate begins, for clocks that are slow.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// The days between the cap and what is issued, for clocks and calculations that differ.
const MARGIN_DAYS: u32 = 1;

const DAY_SECONDS: i64 = 86_400;

impl Default for ValidityRules {
    /// The built-in table.
    fn default() -> Self {
        Self::parse(include_str!("validity.toml")).expect("the built-in table is right")
    }
}

impl ValidityRules {
    /// Reads a table from TOML.
    pub fn parse(text: &str) -> Result<Self, ValidityRulesError> {
        let rules: Self = toml::from_str(text)?;
        let ascending = rules
            .limits
            .windows(2)
            .all(|pair| pair[0].from < pair[1].from);
        if rules.limits.is_empty() || !ascending {
            return Err(ValidityRulesError::Order);
        }
        if rules
            .limits
            .iter()
            .any(|limit| limit.validity_days <= MARGIN_DAYS)
        {
            return Err(ValidityRulesError::TooShort);
        }
        Ok(rules)
    }

    /// The limits for a certificate issued at `now`.
    pub fn at(&self, now: Timestamp) -> ValidityRule {
        let in_force = self.limits.iter().rev().find(|rule| rule.from <= now);
        *in_force.unwrap_or(&self.limits[0])
    }

    /// Whether a method still proves anything at `now`.
    pub fn is_in_force(&self, method: Method, now: Timestamp) -> bool {
        let ended = |end: &MethodEnd| end.method == method && end.at <= now;
        !self.ends.iter().any(ended)
    }

    /// Whether evidence obtained at `obtained_at` by a method may still be used at `now` (BR 4.2.1).
    pub fn is_fresh(&self, method: Method, obtained_at: Timestamp, now: Timestamp) -> bool {
        let age = now.duration_since(obtained_at);
        age <= days(self.at(now).domain_reuse_days) && self.is_in_force(method, now)
    }

    /// The last moment at which evidence may be used.
    pub fn fresh_until(&self, method: Method, obtained_at: Timestamp) -> Timestamp {
        let ended = self.ends.iter().find(|end| end.method == method);
        let mut until = ended.map_or(Timestamp::MAX, |end| end.at);
        for (at, rule) in self.limits.iter().enumerate() {
            let next = self.limits.get(at + 1).map(|next| next.from);
            if next.is_some_and(|next| next <= obtained_at) {
                continue;
            }
            let too_old = obtained_at + days(rule.domain_reuse_days);
            if next.is_none_or(|next| too_old < next) {
                until = until.min(too_old.max(rule.from));
                break;
            }
        }
        until
    }

    /// Whether evidence of an identity obtained at `obtained_at` may still be used at `now` (BR 4.2.1).
    pub fn is_identity_fresh(&self, obtained_at: Timestamp, now: Timestamp) -> bool {
        now <= self.identity_end(obtained_at, now)
    }

    /// The last moment that evidence of an identity may be used, by the limits in force at `now`.
    pub fn identity_end(&self, obtained_at: Timestamp, now: Timestamp) -> Timestamp {
        let end = obtained_at.checked_add(days(self.at(now).identity_reuse_days));
        end.unwrap_or(Timestamp::MAX)
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
        assert!(rules.is_fresh(Method::Dns, obtained, at("2027-03-14T23:59:59Z")));
        assert!(!rules.is_fresh(Method::Dns, obtained, at("2027-03-15T00:00:01Z")));
        assert!(rules.is_fresh(
            Method::Dns,
            at("2026-12-05T00:00:00Z"),
            at("2027-03-15T00:00:00Z")
        ));
    }

    #[test]
    fn evidence_is_good_until_its_age_or_a_shorter_cap_ends_it() {
        let rules = ValidityRules::default();
        let until = |method, text| rules.fresh_until(method, at(text)).to_string();
        assert_eq!(
            until(Method::Dns, "2026-03-20T00:00:00Z"),
            "2026-10-06T00:00:00Z"
        );
        // A cap that shrinks ends at once what has outlived it.
        assert_eq!(
            until(Method::Dns, "2026-11-01T00:00:00Z"),
            "2027-03-15T00:00:00Z"
        );
        assert_eq!(
            until(Method::Dns, "2027-01-01T00:00:00Z"),
            "2027-04-11T00:00:00Z"
        );
        assert_eq!(
            until(Method::Email, "2028-03-01T00:00:00Z"),
            "2028-03-15T00:00:00Z"
        );
        assert_eq!(
            until(Method::Dns, "2029-06-01T00:00:00Z"),
            "2029-06-11T00:00:00Z"
        );
    }

    #[test]
    fn evidence_of_an_identity_lasts_398_days() {
        let rules = ValidityRules::default();
        let obtained = at("2026-11-22T10:00:00Z");
        let last = at("2027-12-25T10:00:00Z");
        assert_eq!(rules.identity_end(obtained, obtained), last);
        assert!(rules.is_identity_fresh(obtained, last));
        assert!(!rules.is_identity_fresh(obtained, at("2027-12-25T10:00:01Z")));
        // What was obtained under the old limit counts by the one of today.
        let old = at("2025-06-01T00:00:00Z");
        assert!(rules.is_identity_fresh(old, at("2026-03-14T23:59:59Z")));
        assert!(!rules.is_identity_fresh(old, at("2026-11-22T00:00:00Z")));
    }

    #[test]
    fn email_proves_nothing_after_its_last_day() {
        let rules = ValidityRules::default();
        let last = at("2028-03-14T23:59:59Z");
        assert!(rules.is_in_force(Method::Email, last));
        assert!(!rules.is_in_force(Method::Email, at("2028-03-15T00:00:00Z")));
        assert!(!rules.is_fresh(Method::Email, last, at("2028-03-15T00:00:00Z")));
        assert!(rules.is_fresh(Method::Dns, last, at("2028-03-15T00:00:00Z")));
    }

    #[test]
    fn a_table_must_ascend() {
        let limit = |from: &str| {
            format!(
                "[[limit]]\nfrom = \"{from}\"\nvalidity-days = 9\ndomain-reuse-days = 9\n\
                 identity-reuse-days = 9\n"
            )
        };
        let (early, late) = (limit("2026-01-01T00:00:00Z"), limit("2027-01-01T00:00:00Z"));
        assert!(ValidityRules::parse(&format!("{early}{late}")).is_ok());
        assert!(ValidityRules::parse(&format!("{late}{early}")).is_err());
        assert!(ValidityRules::parse("").is_err());
        assert!(ValidityRules::parse("limit = []").is_err());
        assert!(
            ValidityRules::parse(&early.replace("validity-days = 9", "validity-days = 1")).is_err()
        );
    }
}
