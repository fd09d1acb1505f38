//! Plans: the certificates an order has had and will have, and when control is to be shown for them again.
//!
//! An order is sold for a term, a certificate lives as long as the cap of its day allows. So certificates
//! follow each other: each is replaced at two thirds of its life, by one that ends with the order at the
//! latest. A plan is computed from the order, its certificates, the dated rules and the time, whenever it is
//! asked for; nothing of it is stored, so nothing of it can be out of date.

use jiff::{SignedDuration, Timestamp};

use crate::authorizations::Method;
use crate::certificates::CertificateSummary;
use crate::issuances::NameControl;
use crate::names::DomainName;
use crate::orders::{Order, OrderState};
use crate::validity::{Validity, ValidityRules, days};

/// How long before a replacement the proofs that will be too old by then are asked for.
pub const OFFER_LEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many days before an end people are told of it, where nothing happens by itself.
pub const NOTICE_DAYS: [u32; 5] = [30, 14, 7, 3, 1];

/// More certificates than any term can need.
const COMING_MAX: usize = 1_000;

/// What an order has had and will have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Its certificates, the oldest first.
    pub certificates: Vec<PlannedCertificate>,
    /// The proofs of its names, in the order of the names.
    pub authorizations: Vec<PlannedAuthorization>,
}

/// A certificate that was, is or will be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlannedCertificate {
    /// Which of these.
    pub phase: Phase,
    /// When it was, or is to be, signed.
    pub issue_at: Timestamp,
    /// Its first and last second.
    pub validity: Validity,
    /// The longest life allowed on the day of its issuance, in days.
    pub cap_days: u32,
    /// When the next one takes its place; the last has none.
    pub replace_at: Option<Timestamp>,
}

/// Where a certificate stands in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Replaced, revoked or run out.
    Past,
    /// The one in force.
    InForce,
    /// To be issued.
    Coming,
}

/// The proof of a name, now and later.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedAuthorization {
    /// The name.
    pub name: DomainName,
    /// How control was shown, or is to be.
    pub method: Method,
    /// When the evidence was obtained, if there is any.
    pub obtained_at: Option<Timestamp>,
    /// Until when it may be used.
    pub good_until: Option<Timestamp>,
    /// When it is asked for anew, if a coming certificate needs that.
    pub renew_at: Option<Timestamp>,
}

impl Plan {
    /// The plan of an order, which has had these certificates, the oldest first, and whose latest run is to
    /// prove, or has proved, these names. `term_end` is [`Order::term_end`]; where a renewal has taken the
    /// order's place, `is_succeeded`, nothing more is to come.
    pub fn of(
        order: &Order,
        issued: &[CertificateSummary],
        names: &[NameControl],
        term_end: Timestamp,
        is_succeeded: bool,
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Self {
        let is_running = matches!(order.state, OrderState::Open) || order.is_running(now);
        let goes_on = is_running && !is_succeeded;
        let mut certificates: Vec<PlannedCertificate> = issued
            .iter()
            .map(|certificate| past(order, certificate, rules, now))
            .collect();
        if goes_on {
            let last = certificates
                .last()
                .filter(|last| last.phase == Phase::InForce);
            let from = last.map(|last| last.validity);
            let coming = coming(from, term_end, rules, now);
            if let Some(last) = certificates.last_mut() {
                let next = coming.first().map(|next| next.issue_at);
                last.replace_at = next.filter(|_| last.phase == Phase::InForce);
            }
            certificates.extend(coming);
        }
        let authorizations = names
            .iter()
            .map(|control| authorization(control, &certificates, rules, now))
            .collect();
        Self {
            certificates,
            authorizations,
        }
    }
}

fn past(
    order: &Order,
    certificate: &CertificateSummary,
    rules: &ValidityRules,
    now: Timestamp,
) -> PlannedCertificate {
    let is_in_force = order.certificate == Some(certificate.id)
        && certificate.revoked_at.is_none()
        && now <= certificate.validity.not_after;
    PlannedCertificate {
        phase: if is_in_force {
            Phase::InForce
        } else {
            Phase::Past
        },
        issue_at: certificate.signed_at,
        validity: certificate.validity,
        cap_days: rules.at(certificate.signed_at).validity_days,
        replace_at: None,
    }
}

/// What follows a certificate, or the first of all, until the term is covered.
fn coming(
    from: Option<Validity>,
    term_end: Timestamp,
    rules: &ValidityRules,
    now: Timestamp,
) -> Vec<PlannedCertificate> {
    let mut coming: Vec<PlannedCertificate> = Vec::new();
    let mut last = from;
    while coming.len() < COMING_MAX && last.is_none_or(|last| needs_successor(last, term_end)) {
        let issue_at = last.map_or(now, |last| replace_at(last).max(now));
        if let Some(before) = coming.last_mut() {
            before.replace_at = Some(issue_at);
        }
        let validity = rules.leaf_validity(issue_at, term_end);
        coming.push(PlannedCertificate {
            phase: Phase::Coming,
            issue_at,
            validity,
            cap_days: rules.at(issue_at).validity_days,
            replace_at: None,
        });
        last = Some(validity);
    }
    coming
}

fn authorization(
    control: &NameControl,
    certificates: &[PlannedCertificate],
    rules: &ValidityRules,
    now: Timestamp,
) -> PlannedAuthorization {
    let coming = certificates
        .iter()
        .filter(|certificate| certificate.phase == Phase::Coming)
        .map(|certificate| certificate.issue_at);
    let Some(proof) = &control.proof else {
        return PlannedAuthorization {
            name: control.name.clone(),
            method: control.challenge.method(),
            obtained_at: None,
            good_until: None,
            renew_at: Some(now),
        };
    };
    let mut too_late =
        coming.filter(|issue_at| !rules.is_fresh(proof.method, proof.obtained_at, *issue_at));
    PlannedAuthorization {
        name: control.name.clone(),
        method: proof.method,
        obtained_at: Some(proof.obtained_at),
        good_until: Some(rules.fresh_until(proof.method, proof.obtained_at)),
        renew_at: too_late
            .next()
            .map(|issue_at| (issue_at - OFFER_LEAD).max(now)),
    }
}

/// When a certificate is to be replaced: at two thirds of its life.
pub fn replace_at(validity: Validity) -> Timestamp {
    let life = validity.not_after.duration_since(validity.not_before);
    validity.not_before + life * 2 / 3
}

/// Whether the term goes on after a certificate.
pub fn needs_successor(validity: Validity, term_end: Timestamp) -> bool {
    validity.not_after.as_second() < term_end.as_second()
}

/// Which notice is due for something that ends at `end`: the number of days that are left at most.
pub fn due_notice(end: Timestamp, now: Timestamp) -> Option<u32> {
    let passed = |left: &&u32| end - days(**left) <= now;
    NOTICE_DAYS
        .iter()
        .rev()
        .find(passed)
        .copied()
        .filter(|_| now < end)
}

/// When the next notice for something that ends at `end` is due.
pub fn next_notice(end: Timestamp, now: Timestamp) -> Option<Timestamp> {
    NOTICE_DAYS
        .iter()
        .map(|left| end - days(*left))
        .find(|at| *at > now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::authorizations::{Challenge, RecordType};
    use crate::certificates::CertificateId;
    use crate::issuances::Proof;
    use crate::orders::tests::an_order;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn plan_of(start: Timestamp, end: Timestamp) -> Vec<PlannedCertificate> {
        let rules = ValidityRules::default();
        Plan::of(&an_order(), &[], &[], end, false, &rules, start).certificates
    }

    #[test]
    fn a_year_begun_in_2026_takes_four_certificates() {
        let plan = plan_of(at("2026-11-22T12:00:00Z"), at("2027-11-22T12:00:00Z"));
        let caps: Vec<u32> = plan.iter().map(|planned| planned.cap_days).collect();
        // Two thirds of 199 days lead to April 2027, when 100 days are the cap.
        assert_eq!(caps[0], 200);
        assert!(caps[1..].iter().all(|cap| *cap == 100));
        assert!((4..=6).contains(&plan.len()), "{}", plan.len());
        assert_eq!(
            plan.last().unwrap().validity.not_after,
            at("2027-11-22T12:00:00Z")
        );
    }

    #[test]
    fn proofs_are_asked_for_ahead_of_the_certificate_that_needs_them() {
        let now = at("2026-11-22T12:00:00Z");
        let name = DomainName::parse("shop.example").unwrap();
        let control = NameControl {
            name: name.clone(),
            challenge: Challenge::Dns {
                record_type: RecordType::Txt,
                host: "_dnsauth.shop.example".to_owned(),
                value: "x".to_owned(),
            },
            proof: Some(Proof {
                domain: name,
                method: Method::Dns,
                obtained_at: now,
            }),
        };
        let rules = ValidityRules::default();
        let validity = rules.leaf_validity(now, at("2030-01-01T00:00:00Z"));
        let certificate = CertificateSummary {
            id: CertificateId(9),
            validity,
            signed_at: now,
            revoked_at: None,
            revocation_reason: None,
        };
        let mut order = an_order();
        order.certificate = Some(CertificateId(9));
        order.state = OrderState::Active {
            settled_at: now,
            expires_at: at("2027-11-22T12:00:00Z"),
        };
        let end = at("2027-11-22T12:00:00Z");
        let plan = Plan::of(
            &order,
            &[certificate],
            std::slice::from_ref(&control),
            end,
            false,
            &rules,
            now,
        );
        assert_eq!(plan.certificates[0].phase, Phase::InForce);
        assert_eq!(
            plan.certificates[0].replace_at,
            Some(plan.certificates[1].issue_at)
        );
        let proof = &plan.authorizations[0];
        // 100 days are over before the cap shrinks, so the switch itself ends the proof.
        assert_eq!(proof.good_until, Some(at("2027-03-15T00:00:00Z")));
        assert_eq!(
            proof.renew_at,
            Some(plan.certificates[1].issue_at - OFFER_LEAD)
        );
        let succeeded = Plan::of(&order, &[certificate], &[control], end, true, &rules, now);
        assert_eq!(succeeded.certificates.len(), 1);
        assert_eq!(succeeded.certificates[0].replace_at, None);
    }

    #[test]
    fn notices_come_nearer_and_once() {
        let end = at("2027-03-31T00:00:00Z");
        assert_eq!(due_notice(end, at("2027-02-28T23:59:59Z")), None);
        assert_eq!(due_notice(end, at("2027-03-01T00:00:00Z")), Some(30));
        assert_eq!(due_notice(end, at("2027-03-25T00:00:00Z")), Some(7));
        assert_eq!(due_notice(end, at("2027-03-30T12:00:00Z")), Some(1));
        assert_eq!(due_notice(end, end), None);
        assert_eq!(
            next_notice(end, at("2027-03-01T00:00:00Z")),
            Some(at("2027-03-17T00:00:00Z"))
        );
        assert_eq!(next_notice(end, at("2027-03-30T00:00:00Z")), None);
    }

    proptest! {
        /// Whenever an order is placed and however long it runs, its certificates cover it without a gap,
        /// none lives longer than its day allows, and the last ends with the order.
        #[test]
        fn a_plan_covers_the_term(start in 1_790_000_000..1_990_000_000_i64, days_long in 1..3_660_i64) {
            let start = Timestamp::from_second(start).unwrap();
            let end = start + SignedDuration::from_hours(24 * days_long);
            let plan = plan_of(start, end);
            for pair in plan.windows(2) {
                prop_assert!(pair[1].issue_at < pair[0].validity.not_after);
                prop_assert_eq!(pair[0].replace_at, Some(pair[1].issue_at));
            }
            for planned in &plan {
                let life = planned.validity.not_after.as_second()
                    - planned.validity.not_before.as_second() + 1;
                prop_assert!(life <= i64::from(planned.cap_days - 1) * 86_400);
            }
            prop_assert_eq!(plan.last().unwrap().validity.not_after, end);
        }
    }
}
