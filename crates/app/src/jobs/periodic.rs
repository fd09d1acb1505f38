//! Jobs that come again by themselves.

use chancery_domain::approval_mails::COUNTED_FOR;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::record::blocking;
use chancery_store::retention::Stale;
use chancery_store::{Change, ClaimedJob, JobId};

use super::{NOBODYS, PERIODIC, Task};
use crate::crls::{CRL_LIFE, REST};
use crate::holds::HOLD_LOOK;
use crate::{App, AppError, Retention};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long a repeated request is known as one.
const REPEAT_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long an approval is kept after its end. What it proved is kept elsewhere.
const APPROVAL_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long a message with a password is remembered. The password itself is not.
const PASSWORD_MAIL_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long a count of calls is kept after its day or month.
const COUNT_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 60);

/// How long a notice is kept after its order's end.
const NOTICE_MEMORY: SignedDuration = SignedDuration::from_hours(24 * 400);

/// How long a proof may be relied on and the certificates that rely on it may live, both as long as they ever
/// could: 825 days each.
const RELIANCE: SignedDuration = SignedDuration::from_hours(24 * 2 * 825);

/// How many rows of a table are removed at once.
const PRUNED_AT_ONCE: i64 = 500;

/// How long others have the database to themselves between two steps.
const BETWEEN_STEPS: SignedDuration = SignedDuration::from_secs(1);

impl App {
    /// Makes sure that every periodic job is queued, once. One that was parked has another chance.
    pub async fn start_periodic_jobs(&self) -> Result<(), AppError> {
        self.beat_pulse().await?;
        let now = self.clock.now();
        let mut change = Change::new();
        change.unpark_jobs(&PERIODIC.map(Task::kind), None, now);
        // An earlier release has parked what is never parked any more.
        change.unpark_jobs(&Task::kept_on(), None, now);
        for task in PERIODIC {
            let id = JobId(self.row_id().await?);
            change.enqueue(task.as_new_job(id, NOBODYS, now, Some(task.kind())), now);
        }
        self.store.commit(change).await?;
        Ok(())
    }

    /// Signs fresh revocation lists a day, well within the four days allowed (BR 4.9.7), and when something was
    /// revoked. Then the job rests: all that is revoked meanwhile is signed at once in the next lists.
    pub(super) async fn refresh_crl(&self, job: &ClaimedJob) -> Result<(), AppError> {
        if self.signing_hold().is_some() {
            return self.postpone_held(job).await;
        }
        // Before the revoked certificates are read: who asks from here on is served by the next run.
        let asked = self.store.runs_asked_for(job.id).await?;
        let now = self.clock.now();
        let mut change = Change::new();
        let signed = self.sign_crls(&mut change, now).await?;
        let rests_until = if asked > 0 { now + REST } else { now };
        change.rest_job(job.id, job.attempt, asked, rests_until, now + DAY);
        self.store.commit(change).await?;
        self.publish_crls(signed).await;
        self.prune_crls().await
    }

    async fn postpone_held(&self, job: &ClaimedJob) -> Result<(), AppError> {
        let mut change = Change::new();
        change.postpone_job(job.id, job.attempt, self.clock.now() + HOLD_LOOK);
        self.store.commit(change).await?;
        Ok(())
    }

    /// Looks once a day whether it is time for another issuing CA. A failure to make it is tried again, and
    /// logged as an error, for as long as it lasts.
    pub(super) async fn follow_issuing_ca_daily(&self, job: &ClaimedJob) -> Result<(), AppError> {
        if self.signing_hold().is_some() {
            return self.postpone_held(job).await;
        }
        let now = self.clock.now();
        self.follow_issuing_ca(now).await?;
        let mut change = Change::new();
        change.postpone_job(job.id, job.attempt, now + DAY);
        self.store.commit(change).await?;
        Ok(())
    }

    /// Removes a step of what has outlived its use, and comes again soon while there is more.
    pub(super) async fn housekeep(&self, job: &ClaimedJob) -> Result<(), AppError> {
        let now: Timestamp = self.clock.now();
        let mut is_more = false;
        for what in Stale::ALL {
            let before = now - self.kept(what);
            let removed = self.store.prune(what, before, PRUNED_AT_ONCE).await?;
            is_more |= removed >= PRUNED_AT_ONCE as usize;
            if removed > 0 {
                tracing::debug!(?what, removed, "removed what is old");
            }
        }
        let pause = if is_more { BETWEEN_STEPS } else { DAY };
        let mut change = Change::new();
        if let Some(record) = self.store.record().filter(|_| !is_more) {
            // What has expired stays for as long as it may be on a revocation list.
            blocking(move || record.drop_expired(now - CRL_LIFE)).await?;
        }
        change.postpone_job(job.id, job.attempt, now + pause);
        self.store.commit(change).await?;
        Ok(())
    }

    /// How long things are kept, by what they are found by.
    fn kept(&self, what: Stale) -> SignedDuration {
        let Retention {
            failed_looks,
            records,
            sign_ins,
        } = self.settings.retention;
        match what {
            Stale::RepeatKeys => REPEAT_MEMORY,
            Stale::Approvals => APPROVAL_MEMORY,
            Stale::ApprovalMails => COUNTED_FOR,
            Stale::CallCounts => COUNT_MEMORY,
            Stale::PasswordMails => PASSWORD_MAIL_MEMORY,
            Stale::CustomerTokens => SignedDuration::ZERO,
            Stale::AccessTrail => sign_ins,
            Stale::FailedLooks | Stale::Prevalidations => failed_looks,
            Stale::ProvingLooks => records + RELIANCE,
            Stale::Notices => NOTICE_MEMORY,
        }
    }
}
