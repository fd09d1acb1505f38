//! The worker: claims due jobs, never more than it has free slots, and runs them.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chancery_domain::SignedDuration;
use chancery_store::{Change, ClaimedJob};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{ATTEMPTS, LEASE, Task};
use crate::{App, AppError};

/// The longest the worker sleeps: other replicas add jobs without waking this one.
const PATIENCE: Duration = Duration::from_secs(1);

/// The power of two, in seconds, at which a failing job stops backing off further: about an hour.
const LONGEST_BACK_OFF: u32 = 12;

/// The shortest the worker sleeps when it got nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a job is parked that a later release has left; that release puts it back.
const UNKNOWN_KIND: &str = "this release does not know the kind";

/// How often it is put back: an earlier release may be at work beside this one.
const UNPARK_EVERY: Duration = Duration::from_secs(60);

/// A worker that was not heard of for so long is taken for dead.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// How the rest of the program and the worker tell each other what is going on.
pub(crate) struct Wake {
    work: Notify,
    progress: Notify,
    busy: AtomicUsize,
    done: AtomicU64,
    started: Instant,
    heartbeat_millis: AtomicI64,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            work: Notify::new(),
            progress: Notify::new(),
            busy: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            started: Instant::now(),
            heartbeat_millis: AtomicI64::new(i64::MIN),
        }
    }
}

/// Counts a run while it lives.
pub(super) struct Busy(App);

impl Busy {
    pub(super) fn new(app: &App) -> Self {
        app.0.worker.busy.fetch_add(1, Ordering::SeqCst);
        Self(app.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let wake = &self.0.0.worker;
        wake.busy.fetch_sub(1, Ordering::SeqCst);
        wake.done.fetch_add(1, Ordering::SeqCst);
        wake.progress.notify_waiters();
    }
}

impl App {
    /// Tells the worker that there may be something to do.
    pub(crate) fn wake_worker(&self) {
        self.0.worker.work.notify_one();
    }

    /// Waits for a certificate on its way, or for whoever was faster: until a job has ended, a tenth of a
    /// second at most.
    pub(crate) async fn let_a_job_end(&self) {
        let ended = self.0.worker.progress.notified();
        let _ = tokio::time::timeout(Duration::from_millis(100), ended).await;
    }

    /// Whether the worker was heard of lately.
    pub fn is_worker_alive(&self) -> bool {
        let wake = &self.0.worker;
        let last = wake.heartbeat_millis.load(Ordering::SeqCst);
        let now = i64::try_from(wake.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let limit = i64::try_from(HEARTBEAT_LIMIT.as_millis()).unwrap_or(i64::MAX);
        last != i64::MIN && now.saturating_sub(last) < limit
    }

    /// Runs jobs until told to stop, then lets those under way finish, for so long at most. What is cut off
    /// then is due again when its lease ends.
    pub async fn run_worker(&self, mut stop: watch::Receiver<bool>, drain: Duration) {
        let mut signers = tokio::spawn(self.clone().run_signers(stop.clone()));
        let lists = tokio::spawn(self.clone().follow_crls());
        let mut running = JoinSet::new();
        let mut unparked: Option<Instant> = None;
        while !*stop.borrow() {
            self.beat();
            if unparked.is_none_or(|at| at.elapsed() > UNPARK_EVERY) {
                unparked = Some(Instant::now());
                self.unpark_known().await;
            }
            while running.try_join_next().is_some() {}
            let free = self.settings.worker_slots.saturating_sub(running.len());
            let wait = self.until_due().await;
            if free > 0 && wait.is_zero() && self.claim_into(&mut running, free).await > 0 {
                continue;
            }
            // With all slots taken, or with another replica faster, a job may be due and yet not ours.
            let sleep = wait.clamp(PAUSE, PATIENCE);
            tokio::select! {
                () = self.0.worker.work.notified() => {}
                Some(_) = running.join_next() => {}
                () = tokio::time::sleep(sleep) => {}
                _ = stop.changed() => {}
            }
        }
        lists.abort();
        let finish = async {
            while running.join_next().await.is_some() {}
            if let Err(error) = (&mut signers).await {
                tracing::error!(%error, "the signers stopped");
            }
        };
        if tokio::time::timeout(drain, finish).await.is_err() {
            tracing::warn!(jobs = running.len(), "jobs under way are cut off");
            signers.abort();
            running.shutdown().await;
        }
    }

    /// Runs what is due, and answers once nothing is due or under way: how many jobs that were.
    pub async fn run_due_jobs(&self) -> Result<u64, AppError> {
        let wake = &self.0.worker;
        let before = wake.done.load(Ordering::SeqCst);
        loop {
            let progress = wake.progress.notified();
            self.wake_worker();
            if wake.busy.load(Ordering::SeqCst) == 0
                && self.store.count_due(self.clock.now()).await? == 0
                && wake.busy.load(Ordering::SeqCst) == 0
            {
                return Ok(wake.done.load(Ordering::SeqCst) - before);
            }
            // The bound covers a claim that found nothing; it ends without progress.
            let _ = tokio::time::timeout(Duration::from_millis(20), progress).await;
        }
    }

    fn beat(&self) {
        let wake = &self.0.worker;
        let now = i64::try_from(wake.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        wake.heartbeat_millis.store(now, Ordering::SeqCst);
    }

    /// Claims at most `free` jobs and starts them; tells how many.
    async fn claim_into(&self, running: &mut JoinSet<()>, free: usize) -> usize {
        if free == 0 {
            return 0;
        }
        // Claimed jobs are not due any more; being busy keeps them seen until they run.
        self.0.worker.busy.fetch_add(1, Ordering::SeqCst);
        let now = self.clock.now();
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let claimed = self
            .store
            .claim_jobs(now, now + LEASE, limit)
            .await
            .unwrap_or_else(|error| {
                tracing::error!(%error, "claiming jobs failed");
                Vec::new()
            });
        let count = claimed.len();
        for job in claimed {
            let busy = Busy::new(self);
            let app = self.clone();
            running.spawn(async move {
                app.run_job(&job).await;
                drop(busy);
            });
        }
        self.0.worker.busy.fetch_sub(1, Ordering::SeqCst);
        count
    }

    /// Puts back what an earlier release has parked because it did not know the kind.
    async fn unpark_known(&self) {
        let mut change = Change::new();
        change.unpark_jobs(&Task::kinds(), UNKNOWN_KIND, self.clock.now());
        if let Err(error) = self.store.commit(change).await {
            tracing::error!(%error, "putting parked jobs back failed");
        }
    }

    /// How long until a job is due: a read, so that an idle worker writes nothing.
    async fn until_due(&self) -> Duration {
        match self.store.next_due().await {
            Ok(Some(due)) => {
                let wait = due.duration_since(self.clock.now());
                Duration::try_from(wait).unwrap_or(Duration::ZERO)
            }
            Ok(None) => PATIENCE,
            Err(error) => {
                tracing::error!(%error, "asking for due jobs failed");
                PATIENCE
            }
        }
    }

    async fn run_job(&self, job: &ClaimedJob) {
        let outcome = match Task::parse(&job.kind, job.subject) {
            Some(Task::PollDcv(id)) => self.poll_dcv(job, id).await,
            Some(Task::MailApprovers(id)) => self.mail_approvers(job, id).await,
            Some(Task::Sign(id)) => self.sign_claimed(job, id).await,
            Some(Task::Supersede(id)) => self.supersede(job, id).await,
            Some(Task::Tend(id)) => self.tend(job, id).await,
            Some(Task::MailNotice(id)) => self.mail_notice(job, id).await,
            Some(Task::MailPassword(id)) => self.send_password(job, id).await,
            Some(Task::VetByItself(id)) => self.vet_by_itself(job, id).await,
            Some(Task::RevokeKey(id)) => self.revoke_key(job, id).await,
            Some(Task::RefreshCrl) => self.refresh_crl(job).await,
            Some(Task::FollowIssuingCa) => self.follow_issuing_ca_daily(job).await,
            Some(Task::Housekeep) => self.housekeep(job).await,
            Some(Task::IndexNames) => self.index_names(job).await,
            Some(Task::IndexContacts) => self.index_contacts(job).await,
            None => self.park(job, UNKNOWN_KIND).await,
        };
        if let Err(error) = outcome {
            self.job_failed(job, &error).await;
        }
    }

    /// Backs off, or parks the job after its last attempt.
    pub(super) async fn job_failed(&self, job: &ClaimedJob, error: &AppError) {
        let text = describe(error);
        let outcome = match error {
            // Others were faster, so the facts have changed: look again soon.
            AppError::Busy => {
                let mut change = Change::new();
                change.postpone_job(job.id, job.attempt, self.clock.now() + a_moment());
                self.store
                    .commit(change)
                    .await
                    .map(drop)
                    .map_err(AppError::from)
            }
            _ if job.tries >= ATTEMPTS && !is_vital(job) => {
                tracing::error!(job.id = job.id.0, job.kind, error = text, "job parked");
                self.park(job, &text).await
            }
            _ => {
                let (id, kind, tries) = (job.id.0, &job.kind, job.tries);
                if tries < ATTEMPTS {
                    tracing::warn!(
                        job.id = id,
                        job.kind = kind,
                        tries,
                        error = text,
                        "job failed"
                    );
                } else {
                    tracing::error!(
                        job.id = id,
                        job.kind = kind,
                        tries,
                        error = text,
                        "job failed"
                    );
                }
                let exponent = u32::try_from(tries).unwrap_or(0).min(longest_back_off(job));
                let delay = SignedDuration::from_secs(1 << exponent);
                let mut change = Change::new();
                let run_at = self.clock.now() + with_jitter(delay);
                change.retry_job(job.id, job.attempt, run_at, &text);
                self.store
                    .commit(change)
                    .await
                    .map(drop)
                    .map_err(AppError::from)
            }
        };
        match outcome {
            Ok(()) => {}
            Err(AppError::Busy) => {
                let (id, kind) = (job.id.0, &job.kind);
                tracing::warn!(
                    job.id = id,
                    job.kind = kind,
                    "the lease was lost, another run has taken over"
                );
            }
            Err(error) => {
                tracing::error!(job.id = job.id.0, job.kind, %error, "ending a job failed");
            }
        }
    }

    async fn park(&self, job: &ClaimedJob, text: &str) -> Result<(), AppError> {
        let mut change = Change::new();
        change.park_job(job.id, job.attempt, self.clock.now(), text);
        self.store.commit(change).await?;
        Ok(())
    }
}

/// The power of two, in seconds, at which a failing job stops backing off further.
fn longest_back_off(job: &ClaimedJob) -> u32 {
    match Task::parse(&job.kind, job.subject) {
        // What is revoked is to be on a list within a minute.
        Some(Task::RefreshCrl) => 4,
        _ => LONGEST_BACK_OFF,
    }
}

/// Whether an order, its money or its certificates hang on the job: such a job is tried for ever.
fn is_vital(job: &ClaimedJob) -> bool {
    match Task::parse(&job.kind, job.subject) {
        // Who waits for a message waits as long as the order does; then the job ends by itself.
        Some(
            Task::PollDcv(_)
            | Task::MailApprovers(_)
            | Task::Sign(_)
            | Task::Supersede(_)
            | Task::Tend(_)
            | Task::MailNotice(_)
            | Task::MailPassword(_)
            | Task::VetByItself(_)
            | Task::RevokeKey(_)
            | Task::RefreshCrl
            | Task::FollowIssuingCa
            | Task::Housekeep
            | Task::IndexNames
            | Task::IndexContacts,
        ) => true,
        None => false,
    }
}

/// An error with its sources, in one line. Sources speak of storage or network, never of secrets.
fn describe(error: &AppError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A delay, up to a fifth longer, so that what failed together does not come back together.
pub(super) fn with_jitter(delay: SignedDuration) -> SignedDuration {
    delay + delay * i32::from(random_byte()) / (5 * 256)
}

/// Between a tenth and half a second, so that those who met do not meet again.
fn a_moment() -> SignedDuration {
    SignedDuration::from_millis(100 + i64::from(random_byte()) * 400 / 255)
}

fn random_byte() -> u8 {
    let mut byte = [0_u8];
    SystemRandom::new()
        .fill(&mut byte)
        .expect("the system gives random bytes");
    byte[0]
}
