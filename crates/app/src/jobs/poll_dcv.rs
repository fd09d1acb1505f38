//! Looking for the proofs an issuance still lacks, then doing what it needs.
//!
//! The looking happens with no transaction open, so a slow DNS server never holds the database. If the
//! issuance moved meanwhile, the commit reports a conflict and the job comes again.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Authorization, Method};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{Issuance, IssuanceId, NameControl, NextStep, Proof};
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::orders::{Failure, Order};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};
use futures_util::{StreamExt, stream};

use super::worker::with_jitter;
use crate::{App, AppError};

/// How many names of one issuance are looked for at once.
const PARALLEL_LOOKS: usize = 8;

/// How many names are looked for in one run, so that it ends well within its lease.
const LOOKS_A_RUN: usize = 48;

impl App {
    pub(super) async fn poll_dcv(&self, job: &ClaimedJob, id: IssuanceId) -> Result<(), AppError> {
        let mut change = Change::new();
        let Some(OrderFile {
            order,
            mut issuance,
            ..
        }) = self.file_of(id).await?
        else {
            change.finish_job(job.id, job.attempt);
            self.store.commit(change).await?;
            return Ok(());
        };
        let began = self.clock.now();
        self.forget_stale(&mut change, &mut issuance, began).await?;
        if issuance.next_step(began) == NextStep::Wait {
            // Where there is nothing to look for the run counts too: the order is in hand.
            let looks = self.look(&issuance).await;
            let now = self.clock.now();
            issuance.looked(now);
            for look in &looks {
                self.record(&mut change, &order, &mut issuance, look)
                    .await?;
            }
        }
        let now = self.clock.now();
        self.forget_stale(&mut change, &mut issuance, now).await?;
        match issuance.next_step(now) {
            NextStep::Sign => {
                change.finish_job(job.id, job.attempt);
                let signing = self.sign_or_end(&mut change, order, issuance, now).await?;
                self.store.commit(change).await?;
                if let Some(signing) = signing {
                    signing.hand_over();
                }
            }
            NextStep::Wait => {
                let run_at = next_look(&issuance, now);
                change.save_issuance(&issuance);
                change.postpone_job(job.id, job.attempt, run_at);
                self.store.commit(change).await?;
            }
            NextStep::Expire => {
                change.finish_job(job.id, job.attempt);
                let failure = Failure::ValidationExpired;
                self.end_order(&mut change, order, issuance, failure, now)
                    .await?;
                self.store.commit(change).await?;
            }
            NextStep::Nothing => {
                change.finish_job(job.id, job.attempt);
                self.store.commit(change).await?;
            }
        }
        Ok(())
    }

    /// An issuance with its order, unless a later issuance has taken its place.
    pub(super) async fn file_of(&self, id: IssuanceId) -> Result<Option<OrderFile>, AppError> {
        let Some(issuance) = self.store.issuance(id).await? else {
            return Ok(None);
        };
        let file = self.store.order_file(issuance.order).await?;
        Ok(file.filter(|file| file.issuance.id == id))
    }

    async fn look(&self, issuance: &Issuance) -> Vec<Observation> {
        let is_looked_for = |control: &&NameControl| control.challenge.method() != Method::Email;
        let unproved: Vec<_> = issuance.unproved().filter(is_looked_for).collect();
        // A long list is worked through from run to run.
        let first = (issuance.looks as usize).saturating_mul(LOOKS_A_RUN) % unproved.len().max(1);
        let turn: Vec<NameControl> = (unproved.iter().cycle().skip(first))
            .take(unproved.len().min(LOOKS_A_RUN))
            .map(|control| NameControl::clone(control))
            .collect();
        stream::iter(turn)
            .map(|control| async move {
                let now = self.clock.now();
                self.dcv.look(&control.name, &control.challenge, now).await
            })
            .buffer_unordered(PARALLEL_LOOKS)
            .collect()
            .await
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
            change.insert_authorization(self.row_id().await?, order.reseller, issuance.id, &held);
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

/// The next look by itself, or the end of the time for it, whichever is first.
fn next_look(issuance: &Issuance, now: Timestamp) -> Timestamp {
    match issuance.is_looked_for() {
        true => (now + with_jitter(issuance.look_delay())).min(issuance.validate_by),
        // Nothing to look for: the answers come to us.
        false => issuance.validate_by,
    }
}
