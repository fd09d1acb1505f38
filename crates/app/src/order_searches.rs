//! Searches for orders, and what is counted of them.

use chancery_domain::months::Month;
use chancery_domain::resellers::Reseller;
use chancery_domain::stages::Stage;
use chancery_domain::validity::days;
use chancery_store::order_counts::MonthCount;
use chancery_store::order_searches::{OrderFilter, OrderPage};

use crate::{App, AppError, Refusal};

/// How many days before its term's end an order counts as ending.
pub const ENDING_DAYS: u32 = 30;

/// How many orders there are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrderStatistics {
    /// In each stage that has some.
    pub by_stage: Vec<(Stage, u64)>,
    /// Of those in their term: whose term ends within [`ENDING_DAYS`].
    pub ending: u64,
}

impl OrderStatistics {
    /// How many there are in any of these stages.
    pub fn in_stages(&self, stages: &[Stage]) -> u64 {
        let counts = self.by_stage.iter();
        counts
            .filter(|(stage, _)| stages.contains(stage))
            .map(|(_, orders)| orders)
            .sum()
    }
}

impl App {
    /// A page, from 1, of the reseller's orders that a filter lets through, in its order. Stages are
    /// those on record: what time alone brings about shows when the platform has written it down.
    pub async fn search_orders(
        &self,
        reseller: &Reseller,
        filter: &OrderFilter,
        page: u32,
        page_size: u32,
    ) -> Result<OrderPage, AppError> {
        let skip = u64::from(page.saturating_sub(1)) * u64::from(page_size);
        let found = self
            .store
            .search_orders(reseller.id, filter, page_size, skip)
            .await?;
        if !found.is_complete && skip > 0 && skip >= found.total {
            return Err(Refusal::SearchTooWide.into());
        }
        Ok(found)
    }

    /// How many orders the reseller has.
    pub async fn order_statistics(&self, reseller: &Reseller) -> Result<OrderStatistics, AppError> {
        let now = self.clock.now();
        let end = now + days(ENDING_DAYS);
        Ok(OrderStatistics {
            by_stage: self.store.orders_by_stage(reseller.id).await?,
            ending: self.store.orders_ending(reseller.id, now, end).await?,
        })
    }

    /// How many orders the reseller placed from one month to another, by month and product.
    pub async fn orders_by_month(
        &self,
        reseller: &Reseller,
        first: Month,
        last: Month,
    ) -> Result<Vec<MonthCount>, AppError> {
        Ok(self.store.orders_by_month(reseller.id, first, last).await?)
    }
}
