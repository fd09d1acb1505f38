//! What becomes of a job that fails: it backs off, and is parked after its last attempt unless money or a signature
//! hangs on it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chancery_domain::SignedDuration;
use chancery_store::{Change, ClaimedJob};
use futures_util::FutureExt as _;

use super::{ATTEMPTS, Task};
use crate::{App, AppError};

/// From this attempt on, a failure of a job that is never parked is an error in the log.
const ALARMING: i64 = 8;

/// After so many runs in a row that came to no end, a job waits before it is run again: it may be what ends processes.
const DEADLY: i64 = 3;

/// Why a job is parked that processes have died over.
const DIED_OVER_IT: &str = "the server ended each time while it ran: the job may be what ends it";

/// The power of two, in seconds, at which a failing job stops backing off further: about an hour.
const LONGEST_BACK_OFF: u32 = 12;

/// The longest a run may take. No job comes near it: what does is stuck, and would be held for ever.
const RUN_LIMIT: Duration = Duration::from_secs(600);

/// How long what runs in the background is left alone after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// How long a job waits at most that met another one.
pub(super) const LONGEST_MOMENT: SignedDuration = SignedDuration::from_millis(500);

/// Why a job is parked that a later release has left; that release puts it back.
pub(super) const UNKNOWN_KIND: &str = "this release does not know the kind";

impl App {
    /// Carries a run out, unless processes have died over the last ones: then the job waits, longer each time, so that
    /// others get done before the next may, and is parked in the end like one that fails.
    pub(super) async fn run_or_set_aside(&self, job: &ClaimedJob) {
        if job.lost < DEADLY || job.tries <= 1 {
            return self.contain(job, self.run_job(job)).await;
        }
        let task = Task::parse(&job.kind, job.subject);
        let attempts = task.and_then(Task::attempts);
        let (id, kind, lost) = (job.id.0, &job.kind, job.lost);
        let now = self.clock.now();
        let mut change = Change::new();
        if attempts.is_some() && lost >= ATTEMPTS {
            let error = DIED_OVER_IT;
            tracing::error!(job.id = id, job.kind = kind, lost, error, "job parked");
            change.park_job(job.id, job.attempt, now, error);
        } else {
            let order = self.order_of_job(job.id).await;
            tracing::error!(
                job.id = id,
                job.kind = kind,
                order.id = order,
                lost,
                error = DIED_OVER_IT,
                "job set aside"
            );
            let run_at = now + with_jitter(back_off(task, lost));
            change.set_job_aside(job.id, job.attempt, run_at);
        }
        self.end_job(job, change).await;
    }

    /// Carries a run out. What it does wrong, a panic or no end included, is a failure of its job.
    pub(super) async fn contain(
        &self,
        job: &ClaimedJob,
        run: impl Future<Output = Result<(), AppError>>,
    ) {
        let run = AssertUnwindSafe(run).catch_unwind();
        let outcome = match tokio::time::timeout(RUN_LIMIT, run).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(panicked(job, panic.as_ref())),
            Err(_) => Err(AppError::Internal("the job came to no end".into())),
        };
        if let Err(error) = outcome {
            self.job_failed(job, &error).await;
        }
    }

    /// Backs off, or parks the job after its last attempt.
    pub(super) async fn job_failed(&self, job: &ClaimedJob, error: &AppError) {
        let text = describe(error);
        let (id, kind, tries) = (job.id.0, &job.kind, job.tries);
        let order = self.order_of_job(job.id).await;
        let task = Task::parse(kind, job.subject);
        let attempts = task.and_then(Task::attempts);
        let mut change = Change::new();
        if matches!(error, AppError::Busy) {
            // Others were faster, so the facts have changed: look again soon.
            change.postpone_job(job.id, job.attempt, self.clock.now() + a_moment());
        } else if attempts.is_some_and(|attempts| tries >= attempts) {
            tracing::error!(
                job.id = id,
                job.kind = kind,
                order.id = order,
                tries,
                error = text,
                "job parked"
            );
            change.park_job(job.id, job.attempt, self.clock.now(), &text);
        } else {
            if attempts.is_none() && tries >= ALARMING {
                tracing::error!(
                    job.id = id,
                    job.kind = kind,
                    order.id = order,
                    tries,
                    error = text,
                    "job failed"
                );
            } else {
                tracing::warn!(
                    job.id = id,
                    job.kind = kind,
                    order.id = order,
                    tries,
                    error = text,
                    "job failed"
                );
            }
            let run_at = self.clock.now() + with_jitter(back_off(task, tries));
            change.retry_job(job.id, job.attempt, run_at, &text);
        }
        self.end_job(job, change).await;
    }

    async fn end_job(&self, job: &ClaimedJob, change: Change) {
        let (id, kind) = (job.id.0, &job.kind);
        match self.store.commit(change).await.map_err(AppError::from) {
            Ok(_) => {}
            Err(AppError::Busy) => {
                tracing::warn!(
                    job.id = id,
                    job.kind = kind,
                    "the lease was lost, another run has taken over"
                );
            }
            Err(error) => {
                tracing::error!(job.id = id, job.kind = kind, %error, "ending a job failed");
            }
        }
    }

    /// Puts a job aside whose kind this release does not know.
    pub(super) async fn park_unknown(&self, job: &ClaimedJob) -> Result<(), AppError> {
        tracing::error!(
            job.id = job.id.0,
            job.kind,
            error = UNKNOWN_KIND,
            "job parked"
        );
        let mut change = Change::new();
        change.park_job(job.id, job.attempt, self.clock.now(), UNKNOWN_KIND);
        self.store.commit(change).await?;
        Ok(())
    }
}

/// A panic as the failure of a job.
pub(super) fn panicked(job: &ClaimedJob, panic: &(dyn Any + Send)) -> AppError {
    let said = said(panic);
    tracing::error!(job.id = job.id.0, job.kind, panic = said, "job panicked");
    AppError::Internal(format!("the job panicked: {said}").into())
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    said.unwrap_or("it said nothing")
}

/// Keeps something going that is never to end by itself: what panics begins again after a moment.
pub(super) async fn kept_going<F: Future<Output = ()>>(what: &'static str, begin: impl Fn() -> F) {
    while let Err(panic) = AssertUnwindSafe(begin()).catch_unwind().await {
        let panic = said(panic.as_ref());
        tracing::error!(
            what,
            panic,
            "what runs in the background panicked; it begins again"
        );
        tokio::time::sleep(AFTER_PANIC).await;
    }
}

/// How long a job waits after so many tries: twice as long each time, up to about an hour.
fn back_off(task: Option<Task>, tries: i64) -> SignedDuration {
    let longest = match task {
        // What is revoked is to be on a list within a minute.
        Some(Task::RefreshCrl) => 4,
        _ => LONGEST_BACK_OFF,
    };
    let exponent = u32::try_from(tries).unwrap_or(0).min(longest);
    SignedDuration::from_secs(1 << exponent)
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

/// Between a fifth of it and the longest moment, so that those who met do not meet again.
fn a_moment() -> SignedDuration {
    let least = LONGEST_MOMENT / 5;
    least + (LONGEST_MOMENT - least) * i32::from(random_byte()) / 255
}

fn random_byte() -> u8 {
    let mut byte = [0_u8];
    SystemRandom::new()
        .fill(&mut byte)
        .expect("the system gives random bytes");
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_in_the_background_begins_again() {
        let begun = std::cell::Cell::new(0);
        kept_going("test", || async {
            begun.set(begun.get() + 1);
            assert_eq!(begun.get(), 3, "not yet");
        })
        .await;
        assert_eq!(begun.get(), 3);
    }

    #[test]
    fn a_failing_job_backs_off_up_to_an_hour_or_so() {
        let waits: Vec<i64> = (1..=20)
            .map(|tries| back_off(None, tries).as_secs())
            .collect();
        assert_eq!(&waits[..3], [2, 4, 8]);
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits[19], 4_096);
        let day = SignedDuration::from_hours(24);
        assert!((0..500).all(|_| (day..day * 6 / 5).contains(&with_jitter(day))));
    }
}
