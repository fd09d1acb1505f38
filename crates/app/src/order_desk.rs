//! Orders as operators see them, whosever they are.

use std::time::{Duration, Instant};

use chancery_domain::Timestamp;
use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::issuances::{IssuanceId, IssuanceState};
use chancery_domain::ledger::Posting;
use chancery_domain::money::Money;
use chancery_domain::observations::Observation;
use chancery_domain::operators::ActKind;
use chancery_domain::orders::{Order, OrderId, OrderState};
use chancery_store::orders::{ListedOrder, OrderFile, OrderListFilter};
use chancery_store::{Change, StoreError};

use crate::cancellations::{SIGNING_PATIENCE, stop_run};
use crate::jobs::{CONFLICT_TRIES, Task};
use crate::operators::OperatorRefusal;
use crate::orders::put_order;
use crate::{AppError, Noun, Operations};

/// How often it is looked whether a certificate that is being signed is there.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many looks are shown at once.
const LOOKS: i64 = 100;

impl Operations {
    /// Orders of whichever reseller's that a filter lets through, the newest first.
    pub async fn list_orders(
        &self,
        filter: &OrderListFilter,
        most: u32,
    ) -> Result<Vec<ListedOrder>, AppError> {
        Ok(self.store.list_orders(filter, most.into()).await?)
    }

    /// An order with its latest run and the certificate in force.
    pub async fn order_file(&self, id: OrderId) -> Result<OrderFile, AppError> {
        let missing = || AppError::NotFound {
            what: Noun::Order,
            id: id.to_string(),
        };
        self.store.order_file(id).await?.ok_or_else(missing)
    }

    /// Ends an order before its first certificate, and gives back what was charged for it. While the certificate is
    /// being signed, it waits for that.
    pub async fn cancel_order(&self, id: OrderId, reason: &str) -> Result<Order, AppError> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(OperatorRefusal::NoReason.into());
        }
        let patience = Instant::now() + SIGNING_PATIENCE;
        let mut tries = 0;
        while tries < CONFLICT_TRIES {
            let file = self.order_file(id).await?;
            if matches!(file.order.state, OrderState::Active { .. }) {
                return Err(OperatorRefusal::HasCertificate.into());
            }
            if matches!(file.issuance.state, IssuanceState::Signing { .. }) {
                if Instant::now() >= patience {
                    break;
                }
                // A server signs it, which tells this process nothing.
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            }
            tries += 1;
            let now = self.clock.now();
            let ended = file.order.cancel(now);
            let (Ok(mut order), Ok(issuance)) = (ended, file.issuance.cancel(now)) else {
                return Err(OperatorRefusal::OrderIsOver.into());
            };
            order.price = Money::zero(order.price.currency);
            let mut change = Change::new();
            let refund = Posting::refund(self.row().await?, &issuance, now);
            if refund.amount.minor > 0 {
                change.post(&refund, [self.row().await?, self.row().await?]);
            }
            put_order(&mut change, &mut order, &issuance, None, now);
            stop_run(&mut change, &issuance, now);
            self.unlink_renewed(&mut change, order.renews, now).await?;
            self.note_cancelled(&mut change, &order, reason).await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. } | StoreError::Refused("posting")) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => return Ok(order),
            }
        }
        Err(AppError::Busy)
    }

    /// Lets the order that a renewal was for be renewed again: the renewal came to nothing.
    async fn unlink_renewed(
        &self,
        change: &mut Change,
        renewed: Option<OrderId>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some(id) = renewed else { return Ok(()) };
        let Some(mut file) = self.store.order_file(id).await? else {
            return Ok(());
        };
        file.order.renewed_by = None;
        file.order.modified_at = now;
        let certificate = file.certificate.as_ref();
        put_order(change, &mut file.order, &file.issuance, certificate, now);
        change.bring_forward(Task::Tend(id).kind(), Task::Tend(id).subject(), now);
        Ok(())
    }

    /// In the order's history, and in the one of operators' acts.
    async fn note_cancelled(
        &self,
        change: &mut Change,
        order: &Order,
        reason: &str,
    ) -> Result<(), AppError> {
        let event = Event {
            id: self.row().await?,
            order: order.id,
            issuance: Some(order.issuance),
            at: self.clock.now(),
            actor: Actor::Operator,
            kind: EventKind::OrderCancelled,
            detail: Some(format!("{}: {reason}", self.operator)),
        };
        change.record_event(order.reseller, &event);
        let (act, subject) = (ActKind::OrderCancelled, format!("order {}", order.id));
        let (whose, detail) = (Some(order.reseller), Some(reason.to_owned()));
        self.record_act(change, act, subject, whose, detail).await
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
