//! Looking for the proofs an issuance still lacks, then doing what it needs.
//!
//! The looking happens with no transaction open, so a slow DNS server never holds the database. If the
//! issuance moved meanwhile, the commit reports a conflict and the job comes again.

use std::time::Duration;

use chancery_domain::authorizations::{Authorization, Challenge, FILE_DIRECTORY, Method};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{
    Issuance, IssuanceId, IssuanceState, NameControl, NextStep, Proof,
};
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::orders::{Failure, Order};
use chancery_domain::resellers::ResellerId;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob, Queue};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::failures::with_jitter;
use super::look_gate::LookGate;
use super::sign::Proceeding;
use crate::identities::Naming;
use crate::orders::restage;
use crate::{App, AppError};

/// How many names of one issuance are looked for at once.
const PARALLEL_LOOKS: usize = 8;

/// How many names are looked for in one run.
const LOOKS_A_RUN: usize = 48;

/// How long one look may take, however slow the world is.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// When a look is repeated that could not be made for a reason of our own.
const AFTER_OWN_FAILURE: SignedDuration = SignedDuration::from_secs(30);

/// How long all looks of one run may take together, waiting for their turn included.
const LOOKS_LIMIT: Duration = Duration::from_secs(60);

/// A server that takes longer to answer is slow: what is looked for there waits apart from the rest.
pub(super) const SLOW: Duration = Duration::from_secs(2);

/// What the looks of one run came to.
#[derive(Default)]
struct Sight {
    observations: Vec<Observation>,
    /// Whether a server was silent, or slow.
    is_slow: bool,
}

impl App {
    pub(super) async fn poll_dcv(&self, job: &ClaimedJob, id: IssuanceId) -> Result<(), AppError> {
        let mut change = Change::new();
        let Some(mut file) = self.file_of(id).await? else {
            change.finish_job(job.id, job.attempt);
            self.store.commit(change).await?;
            return Ok(());
        };
        let began = self.clock.now();
        if file.issuance.state == IssuanceState::Validating
            && let Naming::Rejected(reason) = self
                .identity_for(&file.order, &file.issuance, began)
                .await?
        {
            // Whatever its names: nothing can come of it.
            change.finish_job(job.id, job.attempt);
            let failure = Failure::OrganizationRejected(reason);
            self.fail_issuance(&mut change, file, failure, began)
                .await?;
            self.store.commit(change).await?;
            return Ok(());
        }
        self.forget_unusable(&mut change, &file.order, &mut file.issuance, began)
            .await?;
        let mut pause = None;
        let mut queue = job.queue;
        let mut was_prevented = false;
        if file.issuance.next_step(began) == NextStep::Wait {
            // Where there is nothing to look for the run counts too: the order is in hand.
            let sight = self.look(job, &file.issuance).await;
            let now = self.clock.now();
            let since = file.issuance.since_last_look(now);
            let is_own = |look: &Observation| look.outcome == Outcome::OwnFailure;
            was_prevented = sight.observations.iter().any(is_own);
            if !was_prevented {
                // Else it was no look, and does not count as one.
                file.issuance.looked(now);
            }
            (queue, pause) = match sight.is_slow {
                true => (Queue::SlowLooks, Some(since)),
                false => (Queue::Looks, None),
            };
            for look in &sight.observations {
                self.record(&mut change, &file.order, &mut file.issuance, look)
                    .await?;
            }
        }
        let now = self.clock.now();
        self.forget_stale(&mut change, &mut file.issuance, now)
            .await?;
        let mut signing = None;
        match file.issuance.next_step(now) {
            NextStep::Sign => {
                match self.sign_or_end(&mut change, file, now).await? {
                    Proceeding::Signs(to_sign) => signing = Some(to_sign),
                    Proceeding::Ended => {}
                    Proceeding::Waits(file) => {
                        return self.wait_for_vetting(change, job, *file, now).await;
                    }
                }
                change.finish_job(job.id, job.attempt);
            }
            NextStep::Wait | NextStep::Hold(_) => {
                let run_at = match was_prevented {
                    true => (now + with_jitter(AFTER_OWN_FAILURE)).min(file.issuance.validate_by),
                    false => next_look(&file.issuance, pause, now),
                };
                change.save_issuance(&file.issuance);
                let OrderFile {
                    order,
                    issuance,
                    certificate,
                } = &mut file;
                restage(&mut change, order, issuance, certificate.as_ref(), now);
                change.postpone_into(job.id, job.attempt, queue, run_at);
            }
            NextStep::Expire => {
                change.finish_job(job.id, job.attempt);
                let failure = Failure::ValidationExpired;
                self.fail_issuance(&mut change, file, failure, now).await?;
            }
            NextStep::Nothing => {
                change.finish_job(job.id, job.attempt);
            }
        }
        self.store.commit(change).await?;
        if let Some(signing) = signing {
            signing.hand_over();
        }
        Ok(())
    }

    /// Comes back for a run whose names are proved when its organization may be vetted.
    async fn wait_for_vetting(
        &self,
        mut change: Change,
        job: &ClaimedJob,
        file: OrderFile,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.see_to_vetting(&file.order).await?;
        let OrderFile {
            mut order,
            mut issuance,
            certificate,
        } = file;
        if issuance.looks == 0 {
            // The order is in hand, though there was nothing to look for.
            issuance.looked(now);
        }
        change.save_issuance(&issuance);
        restage(
            &mut change,
            &mut order,
            &issuance,
            certificate.as_ref(),
            now,
        );
        change.postpone_job(job.id, job.attempt, self.next_naming(now));
        self.store.commit(change).await?;
        Ok(())
    }

    /// An issuance with its order, unless a later issuance has taken its place.
    pub(super) async fn file_of(&self, id: IssuanceId) -> Result<Option<OrderFile>, AppError> {
        Ok(self.store.file_of_issuance(id).await?)
    }

    /// Looks for some of the unproved names. What the time does not suffice for waits for the next run.
    async fn look(&self, job: &ClaimedJob, issuance: &Issuance) -> Sight {
        let is_looked_for = |control: &&NameControl| control.challenge.method() != Method::Email;
        let unproved: Vec<_> = issuance.unproved().filter(is_looked_for).collect();
        // A long list is worked through from run to run.
        let first = (issuance.looks as usize).saturating_mul(LOOKS_A_RUN) % unproved.len().max(1);
        let turn: Vec<NameControl> = (unproved.iter().cycle().skip(first))
            .take(unproved.len().min(LOOKS_A_RUN))
            .map(|control| NameControl::clone(control))
            .collect();
        let end = Instant::now() + LOOKS_LIMIT;
        let gate = self.0.look_gates.of(job.queue);
        let mut looks = stream::iter(turn)
            .map(|control| self.look_for(gate, issuance.reseller, control, end))
            .buffer_unordered(PARALLEL_LOOKS);
        let mut sight = Sight::default();
        while let Some(look) = looks.next().await {
            if let Some((seen, took)) = look {
                sight.is_slow |= seen.outcome == Outcome::Timeout || took > SLOW;
                sight.observations.push(seen);
            }
        }
        sight
    }

    /// Takes one look when it is its turn, and tells how long it took; `None` if its turn did not come in time.
    pub(super) async fn look_for(
        &self,
        gate: &LookGate,
        reseller: ResellerId,
        control: NameControl,
        end: Instant,
    ) -> Option<(Observation, Duration)> {
        let pass = tokio::time::timeout_at(end, gate.enter(reseller, &control.name));
        let _pass = pass.await.ok()?;
        let (began, now) = (Instant::now(), self.clock.now());
        let look = self.dcv.look(&control.name, &control.challenge, now);
        let seen = match tokio::time::timeout_at(end.min(began + LOOK_LIMIT), look).await {
            Ok(seen) => seen,
            Err(_) => cut_short(control, now),
        };
        Some((seen, began.elapsed()))
    }

    async fn record(
        &self,
        change: &mut Change,
        order: &Order,
        issuance: &mut Issuance,
        look: &Observation,
    ) -> Result<(), AppError> {
        change.insert_observation(self.row_id().await?, issuance.id, look);
        let Some(domain) = look
            .proved_domain
            .clone()
            .filter(|_| look.outcome == Outcome::Proved)
        else {
            return Ok(());
        };
        let proof = Proof {
            domain: domain.clone(),
            method: look.method,
            obtained_at: look.at,
        };
        if issuance.prove(&look.name, &proof) {
            let held = Authorization {
                domain,
                method: look.method,
                obtained_at: look.at,
            };
            let whose = (order.reseller, order.id);
            change.insert_authorization(self.row_id().await?, whose, issuance.id, &held);
            let detail = Some(look.name.to_string());
            self.note(
                change,
                order,
                Actor::Platform,
                EventKind::NameProved,
                detail,
            )
            .await?;
        }
        Ok(())
    }
}

/// A look that was given up.
fn cut_short(control: NameControl, at: Timestamp) -> Observation {
    let asked = match &control.challenge {
        Challenge::Dns {
            record_type, host, ..
        } => format!("{} {host}", record_type.as_str()),
        Challenge::File { file_name, .. } => {
            format!("http://{}{FILE_DIRECTORY}{file_name}", control.name)
        }
        Challenge::Email { approver } => format!("approval by {approver}"),
    };
    Observation {
        name: control.name,
        method: control.challenge.method(),
        at,
        asked,
        of: "the servers of the domain".to_owned(),
        found: "no answer in time".to_owned(),
        outcome: Outcome::Timeout,
        advice: "Make the servers of the domain answer faster; it is looked for again.".to_owned(),
        proved_domain: None,
    }
}

/// The next look by itself, or the end of the time for it, whichever is first. Where servers were slow, `pause` is
/// the time since the look before.
fn next_look(issuance: &Issuance, pause: Option<SignedDuration>, now: Timestamp) -> Timestamp {
    if let NextStep::Hold(until) = issuance.next_step(now) {
        return until;
    }
    match issuance.is_looked_for() {
        true => {
            let delay = match pause {
                Some(pause) => issuance.look_delay_after_silence(pause, now),
                None => issuance.look_delay(now),
            };
            (now + with_jitter(delay)).min(issuance.validate_by)
        }
        // Nothing to look for: the answers come to us.
        false => issuance.validate_by,
    }
}
