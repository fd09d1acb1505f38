//! Ending orders, and giving back what was charged for them.

use std::time::{Duration, Instant};

use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{Issuance, IssuanceState};
use chancery_domain::ledger::Posting;
use chancery_domain::money::Money;
use chancery_domain::orders::{Failure, Order, OrderId, OrderState};
use chancery_domain::products::DEFAULT_REFUND_DAYS;
use chancery_domain::resellers::Reseller;
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_domain::stages::Stage;
use chancery_domain::validity::days;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, StoreError};

use crate::jobs::{self, Task, refresh_crl_soon};
use crate::orders::{OrderReport, put_order};
use crate::{App, AppError, Refusal};

/// How long a cancellation waits for a certificate that is being signed: far longer than that takes.
pub(crate) const SIGNING_PATIENCE: Duration = Duration::from_secs(10);

impl App {
    /// Ends an order at the reseller's wish, and gives back all that was charged for it: before its first
    /// certificate, or within its product's refund window after it, when its certificates are revoked.
    ///
    /// While a certificate is being signed, it waits for that, and revokes it with the others.
    pub async fn cancel_order(&self, reseller: &Reseller, id: OrderId) -> Result<(), AppError> {
        let patience = Instant::now() + SIGNING_PATIENCE;
        let mut tries = 0;
        while tries < jobs::CONFLICT_TRIES {
            let report = self.order(reseller, Some(id), None).await?;
            if is_being_signed(&report) {
                if Instant::now() >= patience {
                    break;
                }
                self.let_a_job_end().await;
                continue;
            }
            tries += 1;
            let change = match report.file.order.state {
                // A client that lost the first answer asks again: it has what it asked for.
                OrderState::Cancelled | OrderState::Refunded { .. } => return Ok(()),
                OrderState::Open => self.cancel_change(&report).await?,
                OrderState::Active { .. } => self.refund_change(&report).await?,
                OrderState::Failed(_) => None,
            };
            let Some(change) = change else {
                return Err(self.not_cancelled(report));
            };
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. } | StoreError::Refused("posting")) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => {
                    self.wake_worker();
                    return Ok(());
                }
            }
        }
        Err(AppError::Busy)
    }

    /// The change that cancels an order before its first certificate; `None` where it is too late.
    async fn cancel_change(
        &self,
        OrderReport { file, now }: &OrderReport,
    ) -> Result<Option<Change>, AppError> {
        let (Ok(mut order), Ok(issuance)) = (
            file.order.clone().cancel(*now),
            file.issuance.clone().cancel(*now),
        ) else {
            return Ok(None);
        };
        let mut change = Change::new();
        order.price = Money::zero(order.price.currency);
        self.refund(&mut change, &issuance, *now).await?;
        put_order(&mut change, &mut order, &issuance, None, *now);
        stop_run(&mut change, &issuance, *now);
        self.unlink_renewed(&mut change, order.renews, *now).await?;
        let kind = EventKind::OrderCancelled;
        self.note(&mut change, &order, Actor::Reseller, kind, None)
            .await?;
        Ok(Some(change))
    }

    /// Why an order cannot be cancelled, and what can be done instead.
    fn not_cancelled(&self, report: OrderReport) -> AppError {
        let OrderReport { file, now } = &report;
        let in_force = file.certificate.filter(|held| held.is_in_force(*now));
        match (&file.order.state, in_force) {
            (OrderState::Active { settled_at, .. }, Some(held)) => Refusal::RefundWindowOver {
                order: file.order.id,
                stage: Stage::of(&file.order, &file.issuance, Some(&held), *now),
                ended_at: *settled_at + self.refund_window(&file.order),
            }
            .into(),
            _ => AppError::WrongState(Box::new(report)),
        }
    }

    fn refund_window(&self, order: &Order) -> SignedDuration {
        let sold = self.catalogue().product(&order.product_key);
        days(sold.map_or(DEFAULT_REFUND_DAYS, |product| product.refund_days))
    }

    /// The change that revokes an order's certificates and gives all back; `None` where it is too late.
    async fn refund_change(
        &self,
        OrderReport { file, now }: &OrderReport,
    ) -> Result<Option<Change>, AppError> {
        let window = self.refund_window(&file.order);
        let Ok(mut order) = file.order.clone().refund(window, *now) else {
            return Ok(None);
        };
        if let Some(renewal) = order.renewed_by {
            // What is left of its term went there.
            return Err(Refusal::RenewedBefore(renewal).into());
        }
        let mut change = Change::new();
        let mut issuance = file.issuance.clone();
        if !issuance.is_settled() {
            issuance = issuance.cancel(*now)?;
            stop_run(&mut change, &issuance, *now);
        }
        for charged in self.store.charged_issuances(order.id).await? {
            self.refund(&mut change, &charged, *now).await?;
        }
        order.price = Money::zero(order.price.currency);
        put_order(
            &mut change,
            &mut order,
            &issuance,
            file.certificate.as_ref(),
            *now,
        );
        for certificate in self.store.issued_certificates(order.id).await? {
            if certificate.is_in_force(*now) {
                // The subscriber no longer wants it.
                let reason = RevocationReason::CessationOfOperation;
                let revocation = Revocation::new(reason, Requester::Reseller, *now, *now);
                change.revoke_certificate(certificate.id, &revocation);
                let detail = Some(format!("certificate {}", certificate.id));
                let kind = EventKind::CertificateRevoked;
                self.note(&mut change, &order, Actor::Reseller, kind, detail)
                    .await?;
            }
        }
        refresh_crl_soon(&mut change, *now);
        self.unlink_renewed(&mut change, order.renews, *now).await?;
        let kind = EventKind::OrderRefunded;
        self.note(&mut change, &order, Actor::Reseller, kind, None)
            .await?;
        Ok(Some(change))
    }

    /// Ends a run that cannot come to a certificate, and gives back what was charged for it. Without a
    /// certificate the order ends with it; with one, the order goes on. The caller commits.
    pub(crate) async fn fail_issuance(
        &self,
        change: &mut Change,
        file: OrderFile,
        failure: Failure,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (kind, reason) = match &failure {
            Failure::ValidationExpired => {
                let reason = "control of the names was not shown in time";
                (EventKind::ValidationExpired, reason.to_owned())
            }
            Failure::IssuerRefused(reason) => (EventKind::IssuerRefused, reason.clone()),
            Failure::OrganizationRejected(reason) => {
                let reason = format!("the organization was not vetted: {reason}");
                (EventKind::OrganizationRejected, reason)
            }
        };
        let issuance = file.issuance.reject(reason.clone(), now)?;
        let mut order = file.order;
        order.price = order
            .price
            .plus(-issuance.price)
            .map_err(AppError::internal)?;
        if order.state == OrderState::Open {
            order = order.fail(failure, now)?;
            self.unlink_renewed(change, order.renews, now).await?;
        } else {
            self.tend_soon(change, order.id, now).await?;
        }
        self.refund(change, &issuance, now).await?;
        put_order(
            change,
            &mut order,
            &issuance,
            file.certificate.as_ref(),
            now,
        );
        change.save_issuance(&issuance);
        change.void_approvals(issuance.id, now);
        self.note(change, &order, Actor::Platform, kind, Some(reason))
            .await
    }

    /// Adds the counter-entry of a run's charge, if it cost anything.
    pub(crate) async fn refund(
        &self,
        change: &mut Change,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let id = self.row_id().await?;
        self.post(change, &Posting::refund(id, issuance, now)).await
    }

    /// Adds the charge of a run, if it costs anything.
    pub(crate) async fn charge(
        &self,
        change: &mut Change,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let id = self.row_id().await?;
        self.post(change, &Posting::charge(id, issuance, now)).await
    }

    async fn post(&self, change: &mut Change, posting: &Posting) -> Result<(), AppError> {
        if posting.amount.minor > 0 {
            change.post(posting, [self.row_id().await?, self.row_id().await?]);
        }
        Ok(())
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
        put_order(
            change,
            &mut file.order,
            &file.issuance,
            file.certificate.as_ref(),
            now,
        );
        self.tend_soon(change, id, now).await
    }
}

/// Saves a run that was stopped, and ends what was under way for it.
pub(crate) fn stop_run(change: &mut Change, issuance: &Issuance, now: Timestamp) {
    change.save_issuance(issuance);
    change.void_approvals(issuance.id, now);
    // Its next run finds nothing to do and ends.
    let task = Task::PollDcv(issuance.id);
    change.bring_forward(task.kind(), task.subject(), now);
}

/// Whether a certificate is on its way that would have to be revoked as well.
fn is_being_signed(report: &OrderReport) -> bool {
    matches!(report.file.issuance.state, IssuanceState::Signing { .. })
}
