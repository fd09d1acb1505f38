//! Tending an order through its term: replacing its certificate in time, telling people what only they can
//! do, and noting the end.
//!
//! One job an order. It reads where the order stands, does what is due, and comes back when something is due
//! next; whatever changes the order has it run anew. It trusts nothing it planned before, so that a changed
//! rule or clock needs nobody's attention.

use chancery_domain::certificates::CertificateSummary;
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceState, NextStep, Purpose};
use chancery_domain::notices::News;
use chancery_domain::orders::{Order, OrderId, OrderState};
use chancery_domain::plans::{OFFER_LEAD, due_notice, needs_successor, next_notice, replace_at};
use chancery_domain::stages::Stage;
use chancery_domain::validity::Validity;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};

use super::{NOBODYS, Signing, Task, tend_key};
use crate::cancellations::stop_run;
use crate::orders::{put_order, restage};
use crate::{App, AppError};

/// The longest an order is left alone: limits may have changed meanwhile.
const AT_LEAST_EVERY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long after a replacement came to nothing the next one is begun. People are told meanwhile.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// When something is due next.
struct Due {
    now: Timestamp,
    at: Timestamp,
}

impl Due {
    fn by(&mut self, at: Timestamp) {
        if at > self.now {
            self.at = self.at.min(at);
        }
    }
}

impl App {
    /// Has an order tended at once.
    pub(crate) async fn tend_soon(
        &self,
        change: &mut Change,
        order: OrderId,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.enqueue_tend(change, order, now).await
    }

    /// Ends the job that has signed a certificate, and has its order tended when the first thing may be due.
    pub(super) async fn tend_later(
        &self,
        change: &mut Change,
        signed: &ClaimedJob,
        order: &Order,
        purpose: Purpose,
        certificate: Validity,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let end = order.term_end(now);
        let mut due = Due {
            now,
            at: now + AT_LEAST_EVERY,
        };
        due.by(replace_at(certificate) - OFFER_LEAD);
        due.by(end);
        if let Some(next) = next_notice(end, now) {
            due.by(next);
        }
        if purpose == Purpose::First {
            // Nothing tends the order yet: the row of the job that is done does for the one to come.
            let key = tend_key(order.id);
            let task = Task::Tend(order.id).as_new_job(signed.id, NOBODYS, now, Some(&key));
            change.finish_into(signed.id, signed.attempt, task, due.at);
            return Ok(());
        }
        change.finish_job(signed.id, signed.attempt);
        self.enqueue_tend(change, order.id, due.at).await
    }

    pub(super) async fn tend(&self, job: &ClaimedJob, id: OrderId) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut change = Change::new();
        let file = self.store.order_file(id).await?;
        let active = file.and_then(|file| match file.order.state {
            OrderState::Active { expires_at, .. } => Some((file, expires_at)),
            _ => None,
        });
        let Some((file, end)) = active else {
            change.finish_job(job.id, job.attempt);
            self.store.commit(change).await?;
            return Ok(());
        };
        let mut signing = None;
        if now >= end {
            change.finish_job(job.id, job.attempt);
            self.end_term(&mut change, file, now).await?;
        } else {
            let mut due = Due {
                now,
                at: now + AT_LEAST_EVERY,
            };
            signing = self.look_after(&mut change, file, end, &mut due).await?;
            change.postpone_job(job.id, job.attempt, due.at);
        }
        self.store.commit(change).await?;
        match signing {
            Some(signing) => signing.hand_over(),
            None => self.wake_worker(),
        }
        Ok(())
    }

    /// Notes that the term is over, and ends what was still under way.
    async fn end_term(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let order = &mut file.order;
        if file.issuance.state == IssuanceState::Validating {
            let price = file.issuance.price;
            self.refund(change, &file.issuance, now).await?;
            file.issuance = file.issuance.cancel(now)?;
            order.price = order.price.plus(-price).map_err(AppError::internal)?;
            stop_run(change, &file.issuance, now);
        }
        let before = order.stage;
        put_order(
            change,
            order,
            &file.issuance,
            file.certificate.as_ref(),
            now,
        );
        if before == Stage::Expired {
            return Ok(());
        }
        let kind = EventKind::OrderExpired;
        self.note(change, order, Actor::Platform, kind, None).await
    }

    /// Does what is due for an order in its term, and tells when to come back.
    async fn look_after(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        end: Timestamp,
        due: &mut Due,
    ) -> Result<Option<Signing>, AppError> {
        let now = due.now;
        let before = file.order.version;
        restage(
            change,
            &mut file.order,
            &file.issuance,
            file.certificate.as_ref(),
            now,
        );
        let is_saved = file.order.version != before;
        due.by(end);
        let is_succeeded = self.is_succeeded(&file.order, now).await?;
        if let Some(certificate) = file.certificate {
            due.by(certificate.validity.not_after + SignedDuration::from_secs(1));
        }
        let mut told: Vec<News> = (self.store.notices(file.order.id).await?)
            .into_iter()
            .map(|notice| notice.news)
            .collect();
        if !is_succeeded {
            if let Some(left) = due_notice(end, now) {
                let news = News::OrderEnding(left);
                self.tell_once(change, &told, &file, news, now).await?;
            }
            if let Some(next) = next_notice(end, now) {
                due.by(next);
            }
        }
        let Some(certificate) = file.certificate.filter(|_| !is_succeeded) else {
            return Ok(None);
        };
        let is_of_revoked_ca = self.is_of_revoked_ca(certificate.id).await?;
        if certificate.revoked_at.is_some()
            || !(is_of_revoked_ca || needs_successor(certificate.validity, end))
        {
            return Ok(None);
        }
        if is_saved {
            // The rest goes by a version that this change set has used up: come back at once.
            due.at = now;
            return Ok(None);
        }
        let mut from = replace_at(certificate.validity);
        if is_of_revoked_ca {
            from = from.min(now);
            let news = News::CaRevoked(certificate.id);
            self.tell_once(change, &told, &file, news, now).await?;
            // That says already that a CSR is needed.
            told.push(News::CsrWanted(certificate.id));
        }
        self.see_to_successor(change, file, certificate, from, &told, due)
            .await
    }

    /// Replaces a certificate from `from` on, or tells people to.
    async fn see_to_successor(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        certificate: CertificateSummary,
        from: Timestamp,
        told: &[News],
        due: &mut Due,
    ) -> Result<Option<Signing>, AppError> {
        let now = due.now;
        let may_reuse = self.reuses_key(&file.order).await?;
        let reuses_key = may_reuse
            && !self
                .is_key_blocked(&self.last_issued(&file).await?.spki)
                .await?;
        if !reuses_key
            && file.issuance.purpose == Purpose::Replacement
            && file.issuance.state == IssuanceState::Validating
        {
            self.stop_replacement(change, &mut file, now).await?;
        }
        let is_under_way = !file.issuance.is_settled();
        if !is_under_way && reuses_key {
            let begins = self.replacement_begins(&file, from, now).await?;
            if begins <= now {
                // What the run needs is told with it; what comes after it is due when it has moved.
                due.at = now;
                return self.begin_replacement(change, file, from, now).await;
            }
            due.by(begins);
        }
        if is_under_way
            && file.issuance.purpose == Purpose::Replacement
            && file.issuance.next_step(now) == NextStep::Wait
        {
            let news = News::ControlWanted(file.issuance.id);
            self.tell_once(change, told, &file, news, now).await?;
        }
        let waits_for_people = !is_under_way
            || matches!(
                file.issuance.next_step(now),
                NextStep::Wait | NextStep::Sign
            );
        if now < from {
            due.by(from);
        } else if waits_for_people {
            if !is_under_way && !reuses_key {
                let news = News::CsrWanted(certificate.id);
                self.tell_once(change, told, &file, news, now).await?;
            }
            let ends = certificate.validity.not_after;
            if let Some(left) = due_notice(ends, now) {
                let news = News::CertificateEnding(certificate.id, left);
                self.tell_once(change, told, &file, news, now).await?;
            }
            if let Some(next) = next_notice(ends, now) {
                due.by(next);
            }
        }
        Ok(None)
    }

    /// When the replacement of a certificate is begun: at its time, or ahead of it where proofs will be too
    /// old by then; some time later where the last one came to nothing.
    async fn replacement_begins(
        &self,
        file: &OrderFile,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Timestamp, AppError> {
        let last = &file.issuance;
        if let (Purpose::Replacement, IssuanceState::Rejected { .. }) = (last.purpose, &last.state)
        {
            return Ok(from.max(last.modified_at + TRY_AGAIN_AFTER));
        }
        if now >= from {
            return Ok(from);
        }
        let order = &file.order;
        let scope = self.proof_scope(order.reseller).await?;
        let held = self.held_proofs(scope, order, &order.names).await?;
        let is_good = |name| {
            held.iter().any(|held| {
                held.covers(name) && self.rules.is_fresh(held.method, held.obtained_at, from)
            })
        };
        Ok(match file.order.names.iter().all(is_good) {
            true => from,
            false => from - OFFER_LEAD,
        })
    }
}
