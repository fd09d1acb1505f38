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

/// The least time between two looks that were asked for, whoever asks.
pub const LOOK_INTERVAL: SignedDuration = SignedDuration::from_secs(5);

/// How long after a challenge was made the first look by itself comes: nobody has published its value sooner.
const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(5);

/// How often names are looked for by themselves: until challenges are so old, so often.
const PACES: [(SignedDuration, SignedDuration); 3] = [
    (SignedDuration::from_mins(15), SignedDuration::from_mins(1)),
    (SignedDuration::from_hours(1), SignedDuration::from_mins(5)),
    (
        SignedDuration::from_hours(24),
        SignedDuration::from_mins(15),
    ),
];

/// How often after that.
const LAST_PACE: SignedDuration = SignedDuration::from_hours(1);

/// How far silent servers slow looks down that would be made more often.
const SILENCE_LIMIT: SignedDuration = SignedDuration::from_mins(15);

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

impl Issuance {
    /// Takes over authorizations that are still fresh and cover unproved names, of several the first.
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
            let fresh = authorizations.iter().find(|held| {
                held.covers(&control.name) && rules.is_fresh(held.method, held.obtained_at, now)
            });
            control.proof = fresh.map(Proof::from);
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
            if control.proof.as_ref().is_some_and(|proof| !is_usable(proof)) {
                control.proof = None;
                forgotten.push(control.name.clone());
            }
        }
        forgotten
    }

    /// What it rests on so far, each once.
    pub fn rests_on(&self) -> Vec<Authorization> {
        let mut proofs: Vec<Authorization> = Vec::new();
        for proof in self.names.iter().filter_map(|control| control.proof.as_ref()) {
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

    /// Notes that a look at the world was made.
    pub fn looked(&mut self, now: Timestamp) {
        self.looks = self.looks.saturating_add(1);
        self.looked_at = Some(now);
    }

    /// Whether someone who asks may have a look made now, rather than when it is due.
    pub fn may_look(&self, now: Timestamp) -> bool {
        self.state == IssuanceState::Validating
            && self.looked_at.is_none_or(|at| is_look_over(at, now))
    }

    /// How long to wait before the next look by itself: 5 seconds at first; then a minute until the challenges
    /// are a quarter of an hour old, five minutes for the rest of the hour, a quarter of an hour for the rest of the
    /// day, an hour from then on.
    pub fn look_delay(&self, now: Timestamp) -> SignedDuration {
        look_delay(self.looks, self.challenged_at(), now)
    }

    /// The same where the servers asked were silent or slow: twice as long as the time since the look before, unless
    /// that is more than a quarter of an hour.
    pub fn look_delay_after_silence(
        &self,
        since: SignedDuration,
        now: Timestamp,
    ) -> SignedDuration {
        let doubled = since.saturating_mul(2).min(SILENCE_LIMIT);
        self.look_delay(now).max(doubled)
    }

    /// How long ago the last look was, or, before the first, the challenges were made.
    pub fn since_last_look(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.looked_at.unwrap_or(self.challenged_at()))
    }

    /// When the challenges were made: until it goes to the CA, only new ones move an issuance.
    fn challenged_at(&self) -> Timestamp {
        self.modified_at
    }

    /// Changes how control is to be shown: new challenges for all names that are not proved.
    ///
    /// `challenges` holds one for each name, in order. Old challenges are void from here on.
    pub fn change_challenges(
        mut self,
        method: Method,
        challenges: Vec<Challenge>,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        if self.state != IssuanceState::Validating {
            return Err(self.cannot("change its challenges"));
        }
        for (control, challenge) in self.names.iter_mut().zip(challenges) {
            if control.proof.is_none() {
                control.challenge = challenge;
            }
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

/// Whether a look was so long ago that another may be asked for. One of a clock that was ahead is over.
pub fn is_look_over(at: Timestamp, now: Timestamp) -> bool {
    let since = now.duration_since(at);
    since.is_negative() || since >= LOOK_INTERVAL
}

/// How long to wait before the next look by itself, after so many, for what was asked for at a time.
pub(crate) fn look_delay(looks: u32, challenged_at: Timestamp, now: Timestamp) -> SignedDuration {
    let age = now.duration_since(challenged_at);
    // What the future is said to have asked for was asked for by a clock that was ahead: that may go on for long.
    let is_new = !age.is_negative() && age < FIRST_LOOK;
    if looks == 0 || is_new {
        return FIRST_LOOK;
    }
    let pace = PACES.iter().find(|(until, _)| age < *until);
    pace.map_or(LAST_PACE, |(_, pace)| *pace)
}

fn is_fresh(proof: &Proof, rules: &ValidityRules, now: Timestamp) -> bool {
    rules.is_fresh(proof.method, proof.obtained_at, now)
}

#[cfg(test)]
pub(crate) mod tests {
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

    /// Looks of an issuance by themselves, in seconds after its challenges were made.
    fn looks_within(seconds: i64) -> Vec<i64> {
        let mut issuance = an_issuance();
        let mut looks = vec![];
        let mut now = start();
        loop {
            now += issuance.look_delay(now);
            let age = now.duration_since(start()).as_secs();
            if age > seconds {
                return looks;
            }
            issuance.looked(now);
            looks.push(age);
        }
    }

    #[test]
    fn looks_slow_down_with_the_age_of_the_challenges() {
        assert_eq!(looks_within(130), [5, 65, 125]);
        let day = looks_within(24 * 3_600);
        let between = |from, to| day.iter().filter(|age| (from..to).contains(*age)).count();
        assert_eq!(between(0, 900), 15);
        assert_eq!(between(900, 3_600), 9);
        assert_eq!(between(3_600, 24 * 3_600), 92);
        assert_eq!(looks_within(48 * 3_600).len(), day.len() + 24);
    }

    #[test]
    fn looks_that_are_asked_for_keep_their_distance() {
        let mut issuance = an_issuance();
        issuance.looked(start());
        assert!(!issuance.may_look(start() + SignedDuration::from_secs(4)));
        assert!(issuance.may_look(start() + SignedDuration::from_secs(5)));

        // Another method makes the next look by itself come soon, and no look come at once.
        let challenges = issuance.names.iter().map(|n| n.challenge.clone()).collect();
        let changed = issuance.change_challenges(Method::File, challenges, start());
        let changed = changed.unwrap();
        assert_eq!(changed.look_delay(start()), FIRST_LOOK);
        assert!(!changed.may_look(start() + SignedDuration::from_secs(4)));
    }

    #[test]
    fn silent_servers_are_asked_half_as_often_each_time() {
        let mut issuance = an_issuance();
        let mut now = start() + FIRST_LOOK;
        let mut delays = vec![];
        for _ in 0..7 {
            let since = issuance.since_last_look(now);
            issuance.looked(now);
            let delay = issuance.look_delay_after_silence(since, now);
            delays.push(delay.as_secs() / 60);
            now += delay;
        }
        assert_eq!(delays, [1, 2, 4, 8, 15, 15, 15]);
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
        /// However old challenges are and whoever is silent, the next look comes, and slower with age.
        #[test]
        fn the_next_look_comes_within_bounds(
            age in 0..3_000_000_i64,
            older in 0..3_000_000_i64,
            since in 0..3_000_000_i64,
            looks in 1..2_000_u32,
        ) {
            let mut issuance = an_issuance();
            issuance.looks = looks;
            let at = |age| start() + SignedDuration::from_secs(age);
            let delay = issuance.look_delay(at(age));
            prop_assert!((FIRST_LOOK..=LAST_PACE).contains(&delay));
            prop_assert!(delay <= issuance.look_delay(at(age + older)));
            let silent = issuance.look_delay_after_silence(SignedDuration::from_secs(since), at(age));
            prop_assert!(delay <= silent && silent <= delay.max(SILENCE_LIMIT));
        }

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
