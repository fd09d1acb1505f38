//! Sending the approval mails of an issuance.

use std::time::{Duration, Instant};

use chancery_domain::Timestamp;
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, NextStep};
use chancery_domain::observations::Outcome;
use chancery_domain::prevalidations::PrevalidationId;
use chancery_domain::validations::ValidationId;
use chancery_store::approvals::Approval;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};

use crate::approvals::{AskedFor, mail_observation, still_asked};
use crate::{App, AppError};

/// How long messages of one run may be begun: with the last one under way, still well within the lease.
const MAILS_LIMIT: Duration = Duration::from_secs(60);

impl App {
    /// Mails every approver whose message is still to be sent. One may go out twice, unchanged, when the
    /// process dies between the mail server's answer and the commit. A relay that does not take one message
    /// now takes none: the others wait with it.
    pub(super) async fn mail_approvers(
        &self,
        job: &ClaimedJob,
        id: IssuanceId,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let waits = |file: &OrderFile| file.issuance.next_step(now) == NextStep::Wait;
        let file = self.file_of(id).await?.filter(waits);
        let asked = file.map(|file| AskedFor::Order(Box::new(file)));
        self.mail_run(job, id.into(), asked).await
    }

    /// The same for a domain that is proved ahead of any order.
    pub(super) async fn mail_domain_approver(
        &self,
        job: &ClaimedJob,
        id: PrevalidationId,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let found = self.store.prevalidation(id).await?;
        let open = found.filter(|held| held.waits(now));
        let asked = open.map(|held| AskedFor::Domain(Box::new(held)));
        self.mail_run(job, id.into(), asked).await
    }

    async fn mail_run(
        &self,
        job: &ClaimedJob,
        run: ValidationId,
        asked: Option<AskedFor>,
    ) -> Result<(), AppError> {
        let mut change = Change::new();
        let next = match asked {
            Some(asked) => self.mail_all(run, &asked).await?,
            None => None,
        };
        match next {
            Some(next) => change.postpone_job(job.id, job.attempt, next),
            None => change.finish_job(job.id, job.attempt),
        }
        self.store.commit(change).await?;
        Ok(())
    }

    /// Sends what is to be sent by now. Tells when to come back: at once when the time for it was over before, or
    /// when the next message may be sent.
    async fn mail_all(
        &self,
        run: ValidationId,
        asked: &AskedFor,
    ) -> Result<Option<Timestamp>, AppError> {
        let end = Instant::now() + MAILS_LIMIT;
        let is_unsent = |approval: &Approval| {
            approval.approved_at.is_none()
                && approval.sent_at.is_none()
                && !still_asked(approval, asked.names()).is_empty()
        };
        let mut next = None;
        for listed in self.store.approvals_of(run).await? {
            if !is_unsent(&listed) {
                continue;
            }
            let now = self.clock.now();
            if Instant::now() >= end {
                return Ok(Some(now));
            }
            if listed.send_from > now {
                next = Some(next.unwrap_or(listed.send_from).min(listed.send_from));
                continue;
            }
            // It may have been answered, sent or void since the list was read.
            let approval = self.store.approval(listed.token_hash).await?;
            if let Some(approval) = approval.filter(is_unsent) {
                self.mail_approver(asked, &approval).await?;
            }
        }
        Ok(next)
    }

    /// Sends one message and keeps what came of it. An error means that it is to be tried again.
    async fn mail_approver(&self, asked: &AskedFor, approval: &Approval) -> Result<(), AppError> {
        let scope = self.proof_scope(asked.reseller()).await?;
        let mail = self.approval_mail(approval, asked, scope)?;
        let sent = self.mailer.send(&mail).await;
        let now = self.clock.now();
        let mut change = Change::new();
        let (outcome, found, advice) = match &sent {
            Ok(()) => {
                change.mark_sent(approval.token_hash, now);
                if let AskedFor::Order(file) = asked {
                    let detail = Some(approval.address.clone());
                    let kind = EventKind::ApproverMailed;
                    self.note(&mut change, &file.order, Actor::Platform, kind, detail)
                        .await?;
                }
                let found = "the message was handed to the mail server".to_owned();
                (
                    Outcome::Waiting,
                    found,
                    "open the link in the message and approve there",
                )
            }
            Err(later) if later.may_pass_later() => (
                Outcome::Unreachable,
                later.to_string(),
                "wait: it is tried again",
            ),
            Err(refused) => {
                change.mark_sent(approval.token_hash, now);
                let advice = "choose another approver, or another method";
                (Outcome::Forbidden, refused.to_string(), advice)
            }
        };
        for name in &approval.names {
            let look = mail_observation(approval, name, now, found.clone(), outcome, advice);
            change.insert_observation(self.row_id().await?, approval.run, &look);
        }
        self.store.commit(change).await?;
        match sent {
            Err(later) if later.may_pass_later() => Err(AppError::internal(later)),
            _ => Ok(()),
        }
    }
}
