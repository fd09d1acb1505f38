//! Indexing contacts that an older release has left, for searches.

use std::time::{Duration, Instant};

use chancery_domain::SignedDuration;
use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError};

/// How long they are left alone when there was nothing to do: an older release may still be at work beside us.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// How long one run goes on; well within its lease.
const RUN_TIME: Duration = Duration::from_secs(30);

impl App {
    /// Indexes what is not indexed yet, for a while.
    pub(super) async fn index_contacts(&self, job: &ClaimedJob) -> Result<(), AppError> {
        let started = Instant::now();
        let mut pause = PAUSE;
        while self.store.index_contacts().await? {
            if started.elapsed() > RUN_TIME {
                pause = SignedDuration::ZERO;
                break;
            }
        }
        let mut change = Change::new();
        change.postpone_job(job.id, job.attempt, self.clock.now() + pause);
        self.store.commit(change).await?;
        Ok(())
    }
}
