//! Sending the approval mails of an issuance.

use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, NextStep};
use chancery_domain::observations::Outcome;
use chancery_store::approvals::Approval;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};

use crate::approvals::mail_observation;
use crate::{App, AppError};

impl App {
    /// Mails every approver whose message is still to be sent. One may go out twice, unchanged, when the
    /// process dies between the mail server's answer and the commit.
    pub(super) async fn mail_approvers(
        &self,
        job: &ClaimedJob,
        id: IssuanceId,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let waits = |file: &OrderFile| file.issuance.next_step(now) == NextStep::Wait;
        let file = self.file_of(id).await?.filter(waits);
        let mut put_off = None;
        if let Some(file) = &file {
            for approval in self.store.approvals_of(id).await? {
                if approval.approved_at.is_none() && approval.sent_at.is_none() {
                    let outcome = self.mail_approver(file, &approval).await;
                    put_off = outcome.err().or(put_off);
                }
            }
        }
        if let Some(error) = put_off {
            return Err(error);
        }
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        self.store.commit(change).await?;
        Ok(())
    }

    /// Sends one message and keeps what came of it. An error means that it is to be tried again.
    async fn mail_approver(&self, file: &OrderFile, approval: &Approval) -> Result<(), AppError> {
        let mail = self.approval_mail(approval, file)?;
        let sent = self.mailer.send(&mail).await;
        let now = self.clock.now();
        let mut change = Change::new();
        let (outcome, found, advice) = match &sent {
            Ok(()) => {
                change.mark_sent(approval.token_hash, now);
                let detail = Some(approval.address.clone());
                let kind = EventKind::ApproverMailed;
                self.note(&mut change, &file.order, Actor::Platform, kind, detail)
                    .await?;
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
        let look = mail_observation(approval, now, found, outcome, advice.to_owned());
        change.insert_observation(self.row_id().await?, approval.issuance, &look);
        self.store.commit(change).await?;
        match sent {
            Err(later) if later.may_pass_later() => Err(AppError::internal(later)),
            _ => Ok(()),
        }
    }
}
