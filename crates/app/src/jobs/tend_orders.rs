//! Having the orders of a reseller tended that go by its setting of key reuse, when that was changed.

use chancery_domain::SignedDuration;
use chancery_domain::resellers::ResellerId;
use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError};

/// Orders that are told in one change set.
const PAGE: i64 = 200;

/// How far apart two orders are tended.
const APART: SignedDuration = SignedDuration::from_millis(10);

impl App {
    /// Tells every such order, page by page. Where it is cut short it begins anew, which changes nothing.
    pub(super) async fn tend_orders(
        &self,
        job: &ClaimedJob,
        reseller: ResellerId,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let (mut after, mut at) = (0, now);
        loop {
            let page = self
                .store
                .orders_by_default_key_reuse(reseller, now, after, PAGE);
            let page = page.await?;
            let mut change = Change::new();
            for (_, order) in &page {
                at += APART;
                self.tend_soon(&mut change, *order, at).await?;
            }
            let Some((last, _)) = page.last() else {
                change.finish_job(job.id, job.attempt);
                self.store.commit(change).await?;
                self.wake_worker();
                return Ok(());
            };
            after = *last;
            self.store.commit(change).await?;
        }
    }
}
