//! Whether the platform may certify the key of an order again by itself, when it replaces a certificate.
//!
//! It is said for a reseller by its operator and, before that, by the order. It concerns what the platform does by
//! itself and nothing else: whoever sends the CSR in use has asked for its key.

use chancery_domain::events::{Actor, EventKind};
use chancery_domain::orders::{Order, OrderId, OrderState};
use chancery_domain::resellers::Reseller;
use chancery_store::{Change, StoreError};

use crate::jobs::CONFLICT_TRIES;
use crate::orders::put_order;
use crate::{App, AppError, OrderDescription};

impl App {
    /// Whether the platform certifies an order's last key again by itself.
    pub(crate) async fn reuses_key(&self, order: &Order) -> Result<bool, AppError> {
        if let Some(choice) = order.reuse_key {
            return Ok(choice);
        }
        let reseller = self.store.reseller(order.reseller).await?;
        let reseller = reseller.ok_or_else(|| AppError::Internal("its reseller is gone".into()))?;
        Ok(order.reuses_key(&reseller.settings))
    }

    /// Says of an order whether its key may be certified again by itself; with `None` it is as the reseller's
    /// settings have it. An order that has ended says nothing any more.
    pub async fn set_key_reuse(
        &self,
        reseller: &Reseller,
        id: OrderId,
        choice: Option<bool>,
    ) -> Result<OrderDescription, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let report = self.order(reseller, Some(id), None).await?;
            let file = &report.file;
            if file.order.state != OrderState::Open && !file.order.is_running(report.now) {
                return Err(AppError::WrongState(Box::new(report)));
            }
            if file.order.reuse_key == choice {
                return self.described_order(reseller, Some(id), None).await;
            }
            let mut order = file.order.clone();
            order.reuse_key = choice;
            order.modified_at = report.now;
            let mut change = Change::new();
            let held = file.certificate.as_ref();
            put_order(&mut change, &mut order, &file.issuance, held, report.now);
            let word = match choice {
                Some(true) => "allowed",
                Some(false) => "refused",
                None => "as the reseller's settings have it",
            };
            let (by, kind) = (Actor::Reseller, EventKind::KeyReuseSet);
            self.note(&mut change, &order, by, kind, Some(word.to_owned()))
                .await?;
            if order.is_running(report.now) {
                self.tend_soon(&mut change, id, report.now).await?;
            }
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => self.let_a_job_end().await,
                Err(other) => return Err(other.into()),
                Ok(_) => {
                    self.wake_worker();
                    return self.described_order(reseller, Some(id), None).await;
                }
            }
        }
        Err(AppError::Busy)
    }
}
