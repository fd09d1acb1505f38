//! Issuances: one run of an order towards one certificate.
//!
//! Each certificate of an order comes out of one: the first, a reissue, or a scheduled replacement. This
//! module decides what an issuance may do next and refuses the rest; a settled one never moves again. It
//! looks at no clock, socket or table: callers bring the facts in and carry the result away.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::TransitionError;
use crate::authorizations::{Authorization, Challenge, Method};
use crate::certificates::CertificateId;
use crate::looks::Pace;
use crate::money::Money;
use crate::names::DomainName;
use crate::orders::OrderId;
use crate::resellers::ResellerId;
use crate::validity::ValidityRules;

crate::id! {
    /// The id of an [`Issuance`].
    IssuanceId
}

/// The longest an applicant may take to show control; random values live no longer (BR 3.2.2.4).
pub const VALIDATION_TIME_MAX_DAYS: u32 = 30;

/// One run of an order towards one certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuance {
    /// Its id.
    pub id: IssuanceId,
    /// Of which order.
    pub order: OrderId,
    /// Whose order.
    pub reseller: ResellerId,
    /// Why it was begun.
    pub purpose: Purpose,
    /// What was charged for it; given back if it comes to nothing.
    pub price: Money,
    /// The certificate signing request, DER.
    pub csr: Vec<u8>,
    /// The key to be certified: SubjectPublicKeyInfo, DER, in canonical form.
    pub spki: Vec<u8>,
    /// How control is to be shown.
    pub method: Method,
    /// What is to be proved, the common name first.
    pub names: Vec<NameControl>,
    /// How many looks at the world have been made; paces the next.
    pub looks: u32,
    /// When the last look was made.
    pub looked_at: Option<Timestamp>,
    /// The end of the time to show control.
    pub validate_by: Timestamp,
    /// Not to be signed before this moment, where one is set: proofs are collected ahead of a replacement.
    pub sign_from: Option<Timestamp>,
    /// How far it has come.
    pub state: IssuanceState,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last moved.
    pub modified_at: Timestamp,
    /// Counts the moves; the store saves a move only over the version it was read at.
    pub version: i64,
}

/// Why an issuance was begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// For the order's first certificate.
    First,
    /// The reseller asked for another certificate: with another key, other names, or both.
    Reissue,
    /// The certificate in force grows old.
    Replacement,
}

impl Purpose {
    /// The word under which the purpose is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Reissue => "reissue",
            Self::Replacement => "replacement",
        }
    }

    /// Reads [`Purpose::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::First, Self::Reissue, Self::Replacement]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }
}

/// One name to be proved, and how far that is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NameControl {
    /// The name.
    pub name: DomainName,
    /// What the applicant has to do; kept when done, to show what was asked.
    pub challenge: Challenge,
    /// The proof, once there is one.
    pub proof: Option<Proof>,
}

/// Where and when control of a name was shown.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The authorization domain name the evidence was found at.
    pub domain: DomainName,
    /// How.
    pub method: Method,
    /// When the evidence was obtained.
    pub obtained_at: Timestamp,
}

impl Proof {
    /// Whether the evidence vouches for a name, its age aside.
    pub fn covers(&self, name: &DomainName) -> bool {
        self.method.covers(&self.domain, name)
    }
}

impl From<&Authorization> for Proof {
    fn from(held: &Authorization) -> Self {
        Self {
            domain: held.domain.clone(),
            method: held.method,
            obtained_at: held.obtained_at,
        }
    }
}

/// How far an issuance has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IssuanceState {
    /// Names are being proved.
    Validating,
    /// All is proved, and the certificate is on record, to be signed.
    Signing {
        /// The certificate, not signed yet.
        certificate: CertificateId,
    },
    /// The certificate is signed and stored.
    Issued {
        /// The certificate.
        certificate: CertificateId,
    },
    /// It came to nothing, for the reason given.
    Rejected {
        /// In words for people.
        reason: String,
    },
    /// It was stopped on request.
    Cancelled,
}

/// What an issuance needs now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NextStep {
    /// To be signed.
    Sign,
    /// More looks at the world.
    Wait,
    /// All is proved, but it is not to be signed before this moment.
    Hold(Timestamp),
    /// To be rejected: time is up.
    Expire,
    /// Nothing: it is settled or on its way.
    Nothing,
}

/// For how long a proof that is taken over should still serve: other names may have to be shown meanwhile.
const FOR_A_WHILE: SignedDuration = SignedDuration::from_hours(48);

impl Issuance {
    /// Takes over authorizations that are still fresh and cover unproved names: of several the first that stays so for
    /// a while, or else the latest.
    pub fn reuse(
        &mut self,
        authorizations: &[Authorization],
        rules: &ValidityRules,
        now: Timestamp,
    ) {
        for control in self
            .names
            .iter_mut()
            .filter(|control| control.proof.is_none())
        {
            let fresh_at = |at: Timestamp| {
                let name = &control.name;
                authorizations.iter().filter(move |held| {
                    held.covers(name) && rules.is_fresh(held.method, held.obtained_at, at)
                })
            };
            let lasting = fresh_at(now)
                .find(|held| rules.is_fresh(held.method, held.obtained_at, now + FOR_A_WHILE));
            let latest = || fresh_at(now).max_by_key(|held| held.obtained_at);
            control.proof = lasting.or_else(latest).map(Proof::from);
        }
    }

    /// Notes a proof found for `name`, and for every other name it covers. Returns whether it told
    /// anything new; a settled issuance learns nothing.
    pub fn prove(&mut self, name: &DomainName, proof: &Proof) -> bool {
        if self.state != IssuanceState::Validating {
            return false;
        }
        let mut news = false;
        for control in self
            .names
            .iter_mut()
            .filter(|control| control.proof.is_none())
        {
            if control.name == *name || proof.covers(&control.name) {
                control.proof = Some(proof.clone());
                news = true;
            }
        }
        news
    }

    /// Notes that these names were approved, and no others: an approver is asked about each.
    pub fn approve(&mut self, names: &[DomainName], proof: &Proof) {
        if self.state != IssuanceState::Validating {
            return;
        }
        for control in &mut self.names {
            if control.proof.is_none() && names.contains(&control.name) {
                control.proof = Some(proof.clone());
            }
        }
    }

    /// Drops proofs that have grown too old to be used at `now` (BR 4.2.1), and tells whose: control of
    /// those names is to be shown again.
    pub fn forget_stale(&mut self, rules: &ValidityRules, now: Timestamp) -> Vec<DomainName> {
        let mut dropped = Vec::new();
        for control in &mut self.names {
            let stale = |proof: &Proof| !is_fresh(proof, rules, now);
            if control.proof.as_ref().is_some_and(stale) {
                control.proof = None;
                dropped.push(control.name.clone());
            }
        }
        dropped
    }

    /// Forgets all proofs but these, and tells whose: control of those names is to be shown again.
    pub fn forget_all_but(&mut self, usable: &[Authorization]) -> Vec<DomainName> {
        let mut forgotten = Vec::new();
        for control in &mut self.names {
            let is_usable = |proof: &Proof| usable.iter().any(|held| *proof == Proof::from(held));
            if control
                .proof
                .as_ref()
                .is_some_and(|proof| !is_usable(proof))
            {
                control.proof = None;
                forgotten.push(control.name.clone());
            }
        }
        forgotten
    }

    /// What it rests on so far, each once.
    pub fn rests_on(&self) -> Vec<Authorization> {
        let mut proofs: Vec<Authorization> = Vec::new();
        for proof in self
            .names
            .iter()
            .filter_map(|control| control.proof.as_ref())
        {
            if !proofs.iter().any(|held| Proof::from(held) == *proof) {
                proofs.push(Authorization {
                    domain: proof.domain.clone(),
                    method: proof.method,
                    obtained_at: proof.obtained_at,
                });
            }
        }
        proofs
    }

    /// Notes that a look at the world was made: at all names that were to be looked for.
    pub fn looked(&mut self, now: Timestamp) {
        self.looks = self.looks.saturating_add(1);
        self.looked_at = Some(now);
    }

    /// Notes that a look at some of the names was made; the rest is to follow at once.
    pub fn looked_in_part(&mut self) {
        self.looks = self.looks.saturating_add(1);
    }

    /// How far its looks have come. Until it goes to the CA, only new challenges move an issuance.
    pub fn pace(&self) -> Pace {
        Pace {
            looks: self.looks,
            looked_at: self.looked_at,
            challenged_at: self.modified_at,
        }
    }

    /// Whether someone who asks may have a look made now, rather than when it is due.
    pub fn may_look(&self, now: Timestamp) -> bool {
        self.state == IssuanceState::Validating && self.pace().may_look(now)
    }

    /// Changes how control is to be shown: new challenges for all names that are not proved.
    ///
    /// `challenges` holds one for each of those names, in order. Old challenges are void from here on.
    pub fn change_challenges(
        mut self,
        method: Method,
        challenges: Vec<Challenge>,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        if self.state != IssuanceState::Validating {
            return Err(self.cannot("change its challenges"));
        }
        let unproved = self.names.iter_mut();
        let unproved = unproved.filter(|control| control.proof.is_none());
        for (control, challenge) in unproved.zip(challenges) {
            control.challenge = challenge;
        }
        Ok(Self {
            method,
            looks: 0,
            modified_at: now,
            ..self
        })
    }

    /// What the certificate is to cover, the common name first.
    pub fn covered(&self) -> Vec<DomainName> {
        let name = |control: &NameControl| control.name.clone();
        self.names.iter().map(name).collect()
    }

    /// The names that still need a proof, with what is asked for them.
    pub fn unproved(&self) -> impl Iterator<Item = &NameControl> {
        self.names.iter().filter(|control| control.proof.is_none())
    }

    /// Whether a name still needs a proof that is found by looking; approvals come by themselves.
    pub fn is_looked_for(&self) -> bool {
        self.unproved()
            .any(|control| control.challenge.method() != Method::Email)
    }

    /// The proof of one of its names that covers another name, too, and may still be used.
    pub fn proof_covering(
        &self,
        name: &DomainName,
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Option<&Proof> {
        let proofs = self
            .names
            .iter()
            .filter_map(|control| control.proof.as_ref());
        proofs
            .filter(|proof| is_fresh(proof, rules, now))
            .find(|proof| proof.covers(name))
    }

    /// What this issuance needs now. The poll job asks, then does as it is told.
    pub fn next_step(&self, now: Timestamp) -> NextStep {
        match self.state {
            IssuanceState::Validating if self.is_proved() => match self.sign_from {
                Some(from) if now < from => NextStep::Hold(from),
                Some(_) | None => NextStep::Sign,
            },
            IssuanceState::Validating if now >= self.validate_by => NextStep::Expire,
            IssuanceState::Validating => NextStep::Wait,
            IssuanceState::Signing { .. }
            | IssuanceState::Issued { .. }
            | IssuanceState::Rejected { .. }
            | IssuanceState::Cancelled => NextStep::Nothing,
        }
    }

    /// Hands the issuance to the CA, its certificate being on record. Every name must have a proof that may
    /// still be used.
    ///
    /// A second time it replaces a certificate that was never signed by a fresh one.
    pub fn begin_signing(
        self,
        certificate: CertificateId,
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        let fresh = |proof: &Proof| is_fresh(proof, rules, now);
        let mut controls = self.names.iter();
        let is_proved = controls.all(|control| control.proof.as_ref().is_some_and(fresh));
        match self.state {
            IssuanceState::Validating | IssuanceState::Signing { .. } if is_proved => {}
            _ => return Err(self.cannot("go to the CA")),
        }
        Ok(Self {
            state: IssuanceState::Signing { certificate },
            modified_at: now,
            ..self
        })
    }

    /// Notes that the CA has signed.
    pub fn issue(self, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            IssuanceState::Signing { certificate } => {
                let state = IssuanceState::Issued { certificate };
                Ok(Self {
                    state,
                    modified_at: now,
                    ..self
                })
            }
            _ => Err(self.cannot("be issued")),
        }
    }

    /// Ends the issuance without a certificate.
    pub fn reject(self, reason: String, now: Timestamp) -> Result<Self, TransitionError> {
        self.end(IssuanceState::Rejected { reason }, "be rejected", now)
    }

    /// Ends the issuance on request. Once the CA has been asked it is too late.
    pub fn cancel(self, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            IssuanceState::Validating => self.end(IssuanceState::Cancelled, "be cancelled", now),
            _ => Err(self.cannot("be cancelled")),
        }
    }

    /// Whether it will never move again.
    pub fn is_settled(&self) -> bool {
        match self.state {
            IssuanceState::Validating | IssuanceState::Signing { .. } => false,
            IssuanceState::Issued { .. }
            | IssuanceState::Rejected { .. }
            | IssuanceState::Cancelled => true,
        }
    }

    /// Whether every name has a proof.
    pub fn is_proved(&self) -> bool {
        self.unproved().next().is_none()
    }

    fn end(
        self,
        state: IssuanceState,
        verb: &'static str,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        if self.is_settled() {
            return Err(self.cannot(verb));
        }
        Ok(Self {
            state,
            modified_at: now,
            ..self
        })
    }

    fn cannot(&self, verb: &'static str) -> TransitionError {
        let state = match self.state {
            IssuanceState::Validating => "validating",
            IssuanceState::Signing { .. } => "being signed",
            IssuanceState::Issued { .. } => "issued",
            IssuanceState::Rejected { .. } => "rejected",
            IssuanceState::Cancelled => "cancelled",
        };
        TransitionError {
            what: "an issuance",
            state,
            verb,
        }
    }
}

fn is_fresh(proof: &Proof, rules: &ValidityRules, now: Timestamp) -> bool {
    rules.is_fresh(proof.method, proof.obtained_at, now)
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::authorizations::RecordType;
    use crate::money::Currency;

    fn start() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn dns_proof(domain: &str) -> Proof {
        Proof {
            domain: name(domain),
            method: Method::Dns,
            obtained_at: start(),
        }
    }

    pub(crate) fn an_issuance() -> Issuance {
        let control = |text: &str| NameControl {
            name: name(text),
            challenge: Challenge::Dns {
                record_type: RecordType::Txt,
                host: format!("_dnsauth.{text}"),
                value: "0123456789abcdef0123456789abcdef".to_owned(),
            },
            proof: None,
        };
        Issuance {
            id: IssuanceId(5),
            order: OrderId(1),
            reseller: ResellerId(2001),
            purpose: Purpose::First,
            price: Money::zero(Currency::parse("USD").unwrap()),
            csr: vec![],
            spki: vec![],
            method: Method::Dns,
            names: vec![control("shop.example"), control("www.shop.example")],
            looks: 0,
            looked_at: None,
            validate_by: start() + SignedDuration::from_hours(24 * 30),
            sign_from: None,
            state: IssuanceState::Validating,
            created_at: start(),
            modified_at: start(),
            version: 0,
        }
    }

    #[test]
    fn a_proof_covers_the_names_below_it() {
        let mut issuance = an_issuance();
        assert!(issuance.prove(&name("www.shop.example"), &dns_proof("www.shop.example")));
        assert_eq!(issuance.next_step(start()), NextStep::Wait);
        assert!(issuance.prove(&name("shop.example"), &dns_proof("shop.example")));
        assert_eq!(issuance.next_step(start()), NextStep::Sign);
        assert!(!issuance.prove(&name("shop.example"), &dns_proof("shop.example")));

        let mut issuance = an_issuance();
        issuance.prove(&name("shop.example"), &dns_proof("shop.example"));
        assert!(issuance.is_proved());
    }

    #[test]
    fn fresh_authorizations_are_reused_and_stale_ones_are_not() {
        let held = |hours| Authorization {
            domain: name("shop.example"),
            method: Method::Dns,
            obtained_at: start() - SignedDuration::from_hours(hours),
        };
        let rules = ValidityRules::default();
        let mut issuance = an_issuance();
        issuance.reuse(&[held(24 * 201)], &rules, start());
        assert!(!issuance.is_proved());
        issuance.reuse(&[held(24 * 199)], &rules, start());
        assert!(issuance.is_proved());
        let later = start() + SignedDuration::from_hours(48);
        let stale = issuance.clone();
        assert!(
            stale
                .begin_signing(CertificateId(9), &rules, later)
                .is_err()
        );
        let names = [name("shop.example"), name("www.shop.example")];
        assert_eq!(issuance.forget_stale(&rules, later), names);
        assert!(!issuance.is_proved());
        assert!(issuance.forget_stale(&rules, later).is_empty());
    }

    #[test]
    fn time_runs_out_only_while_validating() {
        let issuance = an_issuance();
        assert_eq!(issuance.next_step(issuance.validate_by), NextStep::Expire);
        let done = issuance
            .clone()
            .reject("too late".to_owned(), start())
            .unwrap();
        assert_eq!(done.next_step(issuance.validate_by), NextStep::Nothing);
    }

    #[test]
    fn what_is_proved_early_waits_for_its_time() {
        let mut issuance = an_issuance();
        let later = start() + SignedDuration::from_hours(48);
        issuance.sign_from = Some(later);
        assert_eq!(issuance.next_step(start()), NextStep::Wait);
        issuance.prove(&name("shop.example"), &dns_proof("shop.example"));
        assert_eq!(issuance.next_step(start()), NextStep::Hold(later));
        assert_eq!(issuance.next_step(later), NextStep::Sign);
    }

    #[test]
    fn another_method_makes_the_next_look_come_soon_and_no_look_at_once() {
        let mut issuance = an_issuance();
        issuance.looked(start());
        let challenges = issuance.names.iter().map(|n| n.challenge.clone()).collect();
        let changed = issuance.change_challenges(Method::File, challenges, start());
        let changed = changed.unwrap();
        let soon = SignedDuration::from_secs(5);
        assert_eq!(changed.pace().delay(start()), soon);
        assert!(!changed.may_look(start() + SignedDuration::from_secs(4)));
    }

    #[test]
    fn a_name_that_is_proved_keeps_its_challenge() {
        let mut issuance = an_issuance();
        issuance.prove(&name("www.shop.example"), &dns_proof("www.shop.example"));
        let by_mail = Challenge::Email {
            approver: "admin@shop.example".to_owned(),
        };
        let kept = issuance.names[1].challenge.clone();
        let changed = issuance.change_challenges(Method::Email, vec![by_mail.clone()], start());
        let changed = changed.unwrap();
        assert_eq!(changed.names[0].challenge, by_mail);
        assert_eq!(changed.names[1].challenge, kept);
    }

    fn any_step() -> impl Strategy<Value = u8> {
        0..6_u8
    }

    fn step(issuance: Issuance, which: u8) -> Result<Issuance, TransitionError> {
        let now = start();
        match which {
            0 => issuance.begin_signing(CertificateId(9), &ValidityRules::default(), now),
            1 => issuance.issue(now),
            2 => issuance.reject("no".to_owned(), now),
            3 => issuance.cancel(now),
            4 => {
                let challenges = issuance.names.iter().map(|n| n.challenge.clone()).collect();
                issuance.change_challenges(Method::Dns, challenges, now)
            }
            _ => {
                let mut issuance = issuance;
                issuance.prove(&name("shop.example"), &dns_proof("shop.example"));
                Ok(issuance)
            }
        }
    }

    proptest! {
        /// Whatever is tried, in whatever order, a settled issuance stays as it is.
        #[test]
        fn a_settled_issuance_never_moves(steps in prop::collection::vec(any_step(), 0..16)) {
            let mut issuance = an_issuance();
            for which in steps {
                let moved = step(issuance.clone(), which).unwrap_or_else(|_| issuance.clone());
                prop_assert!(!issuance.is_settled() || moved == issuance);
                issuance = moved;
            }
        }

        /// Nothing is signed or issued while a name lacks its proof.
        #[test]
        fn nothing_unproved_reaches_the_ca(steps in prop::collection::vec(any_step(), 0..16)) {
            let mut issuance = an_issuance();
            for which in steps {
                issuance = step(issuance.clone(), which).unwrap_or_else(|_| issuance.clone());
                let with_ca = matches!(
                    issuance.state,
                    IssuanceState::Signing { .. } | IssuanceState::Issued { .. }
                );
                prop_assert!(!with_ca || issuance.is_proved());
            }
        }
    }
}
