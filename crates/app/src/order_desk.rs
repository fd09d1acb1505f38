//! Orders as operators see them, whosever they are.

use chancery_domain::events::Event;
use chancery_domain::issuances::IssuanceId;
use chancery_domain::observations::Observation;
use chancery_domain::orders::OrderId;
use chancery_store::orders::OrderFile;

use crate::{AppError, Noun, Operations};

/// How many looks are shown at once.
const LOOKS: i64 = 100;

impl Operations {
    /// An order with its latest run and the certificate in force.
    pub async fn order_file(&self, id: OrderId) -> Result<OrderFile, AppError> {
        let missing = || AppError::NotFound {
            what: Noun::Order,
            id: id.to_string(),
        };
        self.store.order_file(id).await?.ok_or_else(missing)
    }

    /// An order's history, the oldest line first.
    pub async fn order_history(&self, id: OrderId) -> Result<Vec<Event>, AppError> {
        Ok(self.store.events(id).await?)
    }

    /// The last looks at the world for a run, the latest first.
    pub async fn observations(&self, run: IssuanceId) -> Result<Vec<Observation>, AppError> {
        Ok(self.store.observations(run, LOOKS).await?)
    }
}
