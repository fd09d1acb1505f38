//! Sending the approval mails of an issuance.

use std::time::{Duration, Instant};

use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, NextStep};
use chancery_domain::observations::Outcome;
use chancery_domain::prevalidations::PrevalidationId;
use chancery_domain::validations::ValidationId;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::approvals::Approval;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};

use crate::approvals::{AskedFor, mail_observation, still_asked};
use crate::{App, AppError};

/// How long messages of one run may be begun: with the last one under way, still well within what a run may take.
const MAILS_LIMIT: Duration = Duration::from_secs(60);

/// How long after the mail server's time is up a message may still be put on record as sent.
const RECORDING: SignedDuration = SignedDuration::from_secs(10);

/// What became of a message whose turn it was.
enum Mailed {
    /// It was sent, refused for good, or is asked for no more.
    Done,
    /// It is not to be sent before.
    Later(Timestamp),
    /// The mail server does not take it now.
    Failed(AppError),
}

impl App {
    /// Mails every approver whose message is still to be sent. One may go out twice, unchanged, when the
    /// process dies between the mail server's answer and the commit. What the relay does not take now, because of
    /// its reader perhaps, keeps no other from being sent.
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
            Some(asked) => self.mail_all(job, run, &asked).await?,
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
    /// when the next message may be sent. An error means that some are to be tried again.
    async fn mail_all(
        &self,
        job: &ClaimedJob,
        run: ValidationId,
        asked: &AskedFor,
    ) -> Result<Option<Timestamp>, AppError> {
        let end = Instant::now() + MAILS_LIMIT;
        let mut listed = self.store.approvals_of(run).await?;
        listed.retain(|approval| is_unsent(approval, asked));
        if let Ok(tries) = usize::try_from(job.tries) {
            // Those that keep the relay waiting are not before the others each time.
            let first = tries.saturating_sub(1) % listed.len().max(1);
            listed.rotate_left(first);
        }
        let (mut next, mut failed) = (None::<Timestamp>, None);
        for Approval { token_hash, .. } in listed {
            if Instant::now() >= end {
                let now = self.clock.now();
                return failed.map_or(Ok(Some(now)), Err);
            }
            match self.mail_in_turn(job, asked, token_hash).await? {
                Mailed::Done => {}
                Mailed::Later(at) => next = Some(next.map_or(at, |next| next.min(at))),
                Mailed::Failed(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(next), Err)
    }

    /// Sends one message if it is its turn and nobody else's: the run that has the job, and only it, claims the
    /// message first.
    async fn mail_in_turn(
        &self,
        job: &ClaimedJob,
        asked: &AskedFor,
        token_hash: [u8; 32],
    ) -> Result<Mailed, AppError> {
        // It may have been answered, sent or void since the list was read.
        let found = self.store.approval(token_hash).await?;
        let Some(approval) = found.filter(|approval| is_unsent(approval, asked)) else {
            return Ok(Mailed::Done);
        };
        let now = self.clock.now();
        if approval.send_from > now {
            return Ok(Mailed::Later(approval.send_from));
        }
        let patience =
            SignedDuration::try_from(self.mailer.timeout()).map_err(AppError::internal)?;
        let abandoned = now - patience - RECORDING;
        let is_at_it = |since: &Timestamp| *since > abandoned && *since <= now;
        if let Some(since) = approval.sending_since.filter(is_at_it) {
            return Ok(Mailed::Later(since + patience + RECORDING));
        }
        let turn = self.turn_of(asked.reseller(), &approval, now).await?;
        let mut change = Change::new();
        change.expect_claim(job.id, job.attempt);
        if turn > now {
            change.delay_mail(&approval, turn);
            self.store.commit(change).await?;
            return Ok(Mailed::Later(turn));
        }
        change.claim_mail(&approval, now, abandoned);
        self.store.commit(change).await?;
        self.mail_approver(asked, &approval, now).await
    }

    /// Sends a message that was claimed at a moment, and keeps what came of it.
    async fn mail_approver(
        &self,
        asked: &AskedFor,
        approval: &Approval,
        claimed_at: Timestamp,
    ) -> Result<Mailed, AppError> {
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
                let advice = "open the link in the message and approve there";
                (Outcome::Waiting, found, advice)
            }
            Err(later) if later.may_pass_later() => {
                change.give_mail_back(approval.token_hash, claimed_at);
                let advice = "wait: it is tried again";
                (Outcome::Unreachable, later.to_string(), advice)
            }
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
        Ok(match sent {
            Err(later) if later.may_pass_later() => Mailed::Failed(AppError::internal(later)),
            _ => Mailed::Done,
        })
    }
}

/// Whether a message is still to be sent.
fn is_unsent(approval: &Approval, asked: &AskedFor) -> bool {
    approval.approved_at.is_none()
        && approval.sent_at.is_none()
        && !still_asked(approval, asked.names()).is_empty()
}
