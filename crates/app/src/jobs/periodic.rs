//! Jobs that come again by themselves.

use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::{Change, ClaimedJob, JobId};

use super::Task;
use crate::crls::REST;
use crate::{App, AppError};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long a repeated request is known as one.
const REPEAT_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long an approval is kept after its end. What it proved is kept elsewhere.
const APPROVAL_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long a message with a password is remembered. The password itself is not.
const PASSWORD_MAIL_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long a count of calls is kept after its day or month.
const COUNT_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 60);

impl App {
    /// Makes sure that every periodic job is queued, once.
    pub async fn start_periodic_jobs(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut change = Change::new();
        for task in [
            Task::RefreshCrl,
            Task::FollowIssuingCa,
            Task::Housekeep,
            Task::IndexNames,
            Task::IndexContacts,
        ] {
            let id = JobId(self.row_id().await?);
            change.enqueue(task.as_new_job(id, now, Some(task.kind())), now);
        }
        self.store.commit(change).await?;
        Ok(())
    }

    /// Signs fresh revocation lists a day, well within the four days allowed (BR 4.9.7), and when something was
    /// revoked. Then the job rests: all that is revoked meanwhile is signed at once in the next lists.
    pub(super) async fn refresh_crl(&self, job: &ClaimedJob) -> Result<(), AppError> {
        // Before the revoked certificates are read: who asks from here on is served by the next run.
        let asked = self.store.runs_asked_for(job.id).await?;
        let now = self.clock.now();
        let mut change = Change::new();
        let signed = self.sign_crls(&mut change, now).await?;
        let rests_until = if asked > 0 { now + REST } else { now };
        change.rest_job(job.id, job.attempt, asked, rests_until, now + DAY);
        self.store.commit(change).await?;
        self.crls.publish(signed);
        self.prune_crls().await
    }

    /// Looks once a day whether it is time for another issuing CA. A failure to make it is tried again, and
    /// logged as an error, for as long as it lasts.
    pub(super) async fn follow_issuing_ca_daily(&self, job: &ClaimedJob) -> Result<(), AppError> {
        let now = self.clock.now();
        self.follow_issuing_ca(now).await?;
        let mut change = Change::new();
        change.postpone_job(job.id, job.attempt, now + DAY);
        self.store.commit(change).await?;
        Ok(())
    }

    /// Forgets the keys of repeated requests that no client will repeat any more, old approvals, old counts of
    /// calls, old messages with passwords, and customers' tokens that have ended.
    pub(super) async fn housekeep(&self, job: &ClaimedJob) -> Result<(), AppError> {
        let now: Timestamp = self.clock.now();
        let mut change = Change::new();
        change.forget_before(now - REPEAT_MEMORY);
        change.forget_approvals_before(now - APPROVAL_MEMORY);
        change.forget_calls_before(now - COUNT_MEMORY);
        change.forget_password_mails_before(now - PASSWORD_MAIL_MEMORY);
        change.forget_customer_tokens_before(now);
        change.postpone_job(job.id, job.attempt, now + DAY);
        self.store.commit(change).await?;
        Ok(())
    }
}
