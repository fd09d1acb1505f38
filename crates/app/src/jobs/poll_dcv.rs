//! Looking for the proofs an issuance still lacks, then doing what it needs.
//!
//! The looking happens with no transaction open, so a slow DNS server never holds the database. If the
//! issuance moved meanwhile, the commit reports a conflict and the job comes again.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Authorization, Method};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{
    Issuance, IssuanceId, IssuanceState, NameControl, NextStep, Proof,
};
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::orders::{Failure, Order};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob, Queue};

use super::failures::with_jitter;
use super::looking::Looks;
use super::sign::Proceeding;
use crate::identities::Naming;
use crate::orders::restage;
use crate::{App, AppError};

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
        let mut looks = None;
        if file.issuance.next_step(began) == NextStep::Wait {
            looks = Some(self.look(&mut change, job, &mut file).await?);
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
                let (queue, run_at) = next_look(job.queue, &file.issuance, looks.as_ref(), now);
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

    /// Looks for the unproved names, and keeps what was seen.
    async fn look(
        &self,
        change: &mut Change,
        job: &ClaimedJob,
        OrderFile {
            order, issuance, ..
        }: &mut OrderFile,
    ) -> Result<Looks, AppError> {
        let is_looked_for = |control: &&NameControl| control.challenge.method() != Method::Email;
        let wanted = issuance.unproved().filter(is_looked_for);
        let wanted: Vec<NameControl> = wanted.cloned().collect();
        let whose = (issuance.reseller, issuance.pace());
        let looks = self.look_at(job, issuance.id, whose, wanted).await?;
        match looks.ends_round() {
            // Where there is nothing to look for it counts too: the order is in hand.
            Some(true) => issuance.looked(self.clock.now()),
            Some(false) => issuance.looked_in_part(),
            None => {}
        }
        for look in &looks.observations {
            self.record(change, order, issuance, look).await?;
        }
        Ok(looks)
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

/// Where and when the next look waits by itself, or the end of the time for it, whichever is first.
fn next_look(
    queue: Queue,
    issuance: &Issuance,
    looks: Option<&Looks>,
    now: Timestamp,
) -> (Queue, Timestamp) {
    if let NextStep::Hold(until) = issuance.next_step(now) {
        return (queue, until);
    }
    if !issuance.is_looked_for() {
        // The answers come to us.
        return (queue, issuance.validate_by);
    }
    let pace = issuance.pace();
    let (queue, at) = match looks {
        Some(looks) => looks.next(pace, now),
        None => (queue, now + with_jitter(pace.delay(now))),
    };
    (queue, at.min(issuance.validate_by))
}
