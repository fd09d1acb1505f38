//! Looking for the proof of a domain that is proved ahead of any order.

use chancery_domain::authorizations::{Authorization, Method};
use chancery_domain::issuances::Proof;
use chancery_domain::observations::Outcome;
use chancery_domain::prevalidations::{PrevalidationId, PrevalidationState};
use chancery_store::{Change, ClaimedJob, Queue};
use tokio::time::Instant;

use super::failures::with_jitter;
use super::poll_dcv::{LOOK_LIMIT, SLOW};
use crate::{App, AppError};

impl App {
    pub(super) async fn poll_domain(
        &self,
        job: &ClaimedJob,
        id: PrevalidationId,
    ) -> Result<(), AppError> {
        let mut change = Change::new();
        let found = self.store.prevalidation(id).await?;
        let open = found.filter(|held| held.state == PrevalidationState::Validating);
        let Some(mut held) = open else {
            change.finish_job(job.id, job.attempt);
            self.store.commit(change).await?;
            return Ok(());
        };
        let began = self.clock.now();
        let look = match held.waits(began) && held.method() != Method::Email {
            true => {
                let end = Instant::now() + LOOK_LIMIT;
                let gate = self.0.look_gates.of(job.queue);
                self.look_for(gate, held.reseller, held.control.clone(), end)
                    .await
            }
            // The answer comes to us.
            false => None,
        };
        let is_slow = look
            .as_ref()
            .is_some_and(|(seen, took)| seen.outcome == Outcome::Timeout || *took > SLOW);
        let queue = if is_slow {
            Queue::SlowLooks
        } else {
            Queue::Looks
        };
        let look = look.map(|(seen, _)| seen);
        let now = self.clock.now();
        if let Some(look) = &look {
            held.looked(now);
            change.insert_observation(self.row_id().await?, id, look);
        }
        let domain = look
            .as_ref()
            .filter(|look| look.outcome == Outcome::Proved)
            .and_then(|look| look.proved_domain.clone());
        if let (Some(look), Some(domain)) = (&look, domain) {
            let (method, obtained_at) = (look.method, look.at);
            let proof = Proof {
                domain: domain.clone(),
                method,
                obtained_at,
            };
            held = held.prove(proof, now)?;
            let proved = Authorization {
                domain,
                method,
                obtained_at,
            };
            change.insert_prevalidated(self.row_id().await?, held.reseller, id, &proved);
            change.finish_job(job.id, job.attempt);
        } else if now >= held.validate_by {
            held = held.expire(now)?;
            change.void_approvals(id, now);
            change.finish_job(job.id, job.attempt);
        } else {
            let next = match held.method() {
                Method::Email => held.validate_by,
                Method::Dns | Method::File => {
                    (now + with_jitter(held.look_delay(now))).min(held.validate_by)
                }
            };
            change.postpone_into(job.id, job.attempt, queue, next);
        }
        change.save_prevalidation(&held);
        self.store.commit(change).await?;
        Ok(())
    }
}
