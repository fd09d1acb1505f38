//! Sending the approval mails of an issuance.

use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, NextStep};
use chancery_domain::observations::Outcome;
use chancery_store::{Change, ClaimedJob};

use crate::approvals::mail_observation;
use crate::{App, AppError};

impl App {
    /// Mails every approver that has not answered. A message may go out twice, unchanged, when the process
    /// dies between the mail server's answer and the commit.
    pub(super) async fn mail_approvers(
        &self,
        job: &ClaimedJob,
        id: IssuanceId,
    ) -> Result<(), AppError> {
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        let file = self.file_of(id).await?;
        let waiting = |now| {
            file.as_ref()
                .filter(|file| file.issuance.next_step(now) == NextStep::Wait)
        };
        if let Some(file) = waiting(self.clock.now()) {
            for approval in self.store.approvals_of(id).await? {
                if approval.approved_at.is_some() {
                    continue;
                }
                let mail = self.approval_mail(&approval, file)?;
                let sent = self.mailer.send(&mail).await;
                let now = self.clock.now();
                let (outcome, found, advice) = match sent {
                    Ok(()) => {
                        change.mark_sent(approval.token_hash, now);
                        let detail = Some(approval.address.clone());
                        let kind = EventKind::ApproverMailed;
                        self.note(&mut change, &file.order, Actor::Platform, kind, detail)
                            .await?;
                        let advice = "open the link in the message and approve there".to_owned();
                        (
                            Outcome::Waiting,
                            "the message was handed to the mail server".to_owned(),
                            advice,
                        )
                    }
                    Err(later) if later.may_pass_later() => return Err(AppError::internal(later)),
                    Err(refused) => {
                        let advice = "choose another approver, or another method".to_owned();
                        (Outcome::Forbidden, refused.to_string(), advice)
                    }
                };
                let look = mail_observation(&approval, now, found, outcome, advice);
                change.insert_observation(self.row_id().await?, id, &look);
            }
        }
        self.store.commit(change).await?;
        Ok(())
    }
}
