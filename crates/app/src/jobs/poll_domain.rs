//! Looking for the proof of a domain that is proved ahead of any order.

use chancery_domain::authorizations::{Authorization, Challenge, Method};
use chancery_domain::issuances::Proof;
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::prevalidations::{Prevalidation, PrevalidationId, PrevalidationState};
use chancery_store::{Change, ClaimedJob};

use super::looking::Looks;
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
        let is_looked_for = held.waits(began) && held.method() != Method::Email;
        let mut looks = None;
        if is_looked_for {
            let (whose, wanted) = ((held.reseller, held.pace()), vec![held.control.clone()]);
            looks = Some(self.look_at(job, id, whose, wanted).await?);
        }
        let now = self.clock.now();
        // Of one name there are no parts.
        if looks.as_ref().and_then(Looks::ends_round) == Some(true) {
            held.looked(now);
        }
        let seen = looks.as_ref().and_then(|looks| looks.observations.first());
        let look = seen.map(|seen| of_domain_itself(&held, seen.clone()));
        if let Some(look) = &look {
            change.insert_observation(self.row_id().await?, id, look);
        }
        let domain = look.as_ref().and_then(|look| look.proved_domain.clone());
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
            let (queue, next) = match &looks {
                Some(looks) => looks.next(held.pace(), now),
                // The answer comes to us.
                None => (job.queue, held.validate_by),
            };
            let next = next.min(held.validate_by);
            change.postpone_into(job.id, job.attempt, queue, next);
        }
        change.save_prevalidation(&held);
        self.store.commit(change).await?;
        Ok(())
    }
}

/// A look as it counts for a domain: orders look for proofs of the domain and of those above it, and find none that an
/// alias has shown.
fn of_domain_itself(held: &Prevalidation, look: Observation) -> Observation {
    let covers = |domain: &DomainName| look.method.covers(domain, held.domain());
    match &look.proved_domain {
        Some(elsewhere) if !covers(elsewhere) => {
            let place = match &held.control.challenge {
                Challenge::Dns { host, .. } => host.as_str(),
                Challenge::File { .. } | Challenge::Email { .. } => held.domain().as_str(),
            };
            let name = held.domain();
            Observation {
                found: format!("the value is at {elsewhere}, of which {name} is an alias"),
                advice: format!(
                    "Put the record at {place} itself: what an alias shows serves no later order for {name}."
                ),
                outcome: Outcome::NotFound,
                proved_domain: None,
                ..look
            }
        }
        _ => look,
    }
}
