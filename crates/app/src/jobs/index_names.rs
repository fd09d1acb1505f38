//! Indexing the names of orders for searches, behind the orders that are placed.

use std::time::{Duration, Instant};

use chancery_domain::SignedDuration;
use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError};

/// How long the index is left alone when there was nothing to do, and when there was.
const IDLE_PAUSE: SignedDuration = SignedDuration::from_secs(60);
const BUSY_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// How long one run goes on; well within its lease.
const RUN_TIME: Duration = Duration::from_secs(30);

impl App {
    /// Indexes what is not indexed yet, for a while.
    pub(super) async fn index_names(&self, job: &ClaimedJob) -> Result<(), AppError> {
        let started = Instant::now();
        let resellers = self.store.resellers_to_index().await?;
        let mut pause = match resellers.is_empty() {
            true => IDLE_PAUSE,
            false => BUSY_PAUSE,
        };
        'resellers: for reseller in resellers {
            while self.store.index_names(reseller).await? {
                if started.elapsed() > RUN_TIME {
                    pause = SignedDuration::ZERO;
                    break 'resellers;
                }
            }
        }
        let mut change = Change::new();
        change.postpone_job(job.id, job.attempt, self.clock.now() + pause);
        self.store.commit(change).await?;
        Ok(())
    }
}
