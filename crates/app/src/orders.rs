//! Orders: place, look at, cancel.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::Authorization;
use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::issuances::{Issuance, IssuanceId, IssuanceState, NameControl, NextStep};
use chancery_domain::ledger::Posting;
use chancery_domain::names::DomainName;
use chancery_domain::orders::{Failure, Order, OrderId, OrderState};
use chancery_domain::resellers::Reseller;
use chancery_store::idempotency::Remembered;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, Sequence, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::jobs::{self, Put, Task};
use crate::order_requests::{CheckedOrder, OrderRequest};
use crate::{App, AppError, Noun, PARALLEL_READS, Refusal};

/// What makes a repeated request known as one.
#[derive(Clone, Debug)]
pub struct RepeatKey {
    /// Chosen by the caller.
    pub key: String,
    /// SHA-256 of the request's body.
    pub request_hash: [u8; 32],
}

/// An order just placed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Placed {
    /// Its id.
    pub order: OrderId,
    /// What has to be proved, and how, common name first.
    pub controls: Vec<NameControl>,
}

/// An order with all that its description needs, at a moment.
#[derive(Clone, Debug)]
pub struct OrderReport {
    /// The order, its latest issuance and that one's certificate.
    pub file: OrderFile,
    /// The moment.
    pub now: Timestamp,
}

impl App {
    /// Opens an order, charges it, and starts its first issuance.
    ///
    /// With a key, the same request gives the first answer again, whatever became of the order since.
    pub async fn place_order(
        &self,
        reseller: &Reseller,
        asked: OrderRequest,
        repeat: Option<RepeatKey>,
    ) -> Result<Placed, AppError> {
        if let Some(answer) = self.remembered(reseller, repeat.as_ref()).await? {
            return Ok(answer);
        }
        let checked = self.check_order(reseller, asked).await?;
        let held = self.authorizations(reseller, &checked.names).await?;
        match self
            .open_order(reseller, checked, &held, repeat.as_ref())
            .await
        {
            // The same request arrived twice at once; the other one won.
            Err(OpenError::Repeated) => self
                .remembered(reseller, repeat.as_ref())
                .await?
                .ok_or(AppError::Busy),
            Err(OpenError::App(error)) => Err(error),
            Ok(placed) => Ok(placed),
        }
    }

    /// An order of the reseller's, by its id, by its common name, or by both.
    pub async fn order(
        &self,
        reseller: &Reseller,
        id: Option<OrderId>,
        common_name: Option<&DomainName>,
    ) -> Result<OrderReport, AppError> {
        let found = match (id, common_name) {
            (Some(id), _) => self.store.find_order(reseller.id, id).await?,
            (None, Some(name)) => self.store.find_order_by_name(reseller.id, name).await?,
            (None, None) => None,
        };
        let matches =
            |file: &OrderFile| common_name.is_none_or(|asked| asked == file.order.common_name());
        match found.filter(matches) {
            Some(file) => Ok(OrderReport {
                file,
                now: self.clock.now(),
            }),
            None => {
                let id = id.map(|id| id.to_string());
                let id = id
                    .or_else(|| common_name.map(ToString::to_string))
                    .unwrap_or_default();
                Err(AppError::NotFound {
                    what: Noun::Order,
                    id,
                })
            }
        }
    }

    /// Ends an order that has no certificate yet, and gives its price back.
    pub async fn cancel_order(&self, reseller: &Reseller, id: OrderId) -> Result<(), AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let report = self.order(reseller, Some(id), None).await?;
            let (order, issuance) = (report.file.order.clone(), report.file.issuance.clone());
            let now = report.now;
            // A client that lost the first answer asks again: it has what it asked for.
            if order.state == OrderState::Cancelled {
                return Ok(());
            }
            let (Ok(order), Ok(issuance)) = (order.cancel(now), issuance.cancel(now)) else {
                return Err(AppError::WrongState(Box::new(report)));
            };
            let mut change = Change::new();
            change.save_order(&order);
            change.save_issuance(&issuance);
            change.void_approvals(issuance.id);
            // Its next run finds nothing to do and ends.
            let task = Task::PollDcv(issuance.id);
            change.bring_forward(task.kind(), task.subject(), now);
            self.refund(&mut change, &order, now).await?;
            self.note(
                &mut change,
                &order,
                Actor::Reseller,
                EventKind::OrderCancelled,
                None,
            )
            .await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => {
                    self.wake_worker();
                    return Ok(());
                }
            }
        }
        Err(AppError::Busy)
    }

    /// Ends an order that cannot be fulfilled, its issuance with it, and gives its price back. The caller
    /// commits.
    pub(crate) async fn end_order(
        &self,
        change: &mut Change,
        order: Order,
        issuance: Issuance,
        failure: Failure,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (kind, reason) = match &failure {
            Failure::ValidationExpired => {
                let reason = "control of the names was not shown in time";
                (EventKind::ValidationExpired, reason.to_owned())
            }
            Failure::IssuerRefused(reason) => (EventKind::IssuerRefused, reason.clone()),
        };
        let issuance = issuance.reject(reason.clone(), now)?;
        let order = order.fail(failure, now)?;
        change.save_issuance(&issuance);
        change.save_order(&order);
        change.void_approvals(issuance.id);
        self.refund(change, &order, now).await?;
        self.note(change, &order, Actor::Platform, kind, Some(reason))
            .await
    }

    /// Adds the counter-entry of an order's charge.
    pub(crate) async fn refund(
        &self,
        change: &mut Change,
        order: &Order,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let posting = Posting::refund(
            self.row_id().await?,
            order.reseller,
            order.id,
            order.price,
            now,
        );
        change.post(&posting, [self.row_id().await?, self.row_id().await?]);
        Ok(())
    }

    /// Adds a line to an order's history.
    pub(crate) async fn note(
        &self,
        change: &mut Change,
        order: &Order,
        actor: Actor,
        kind: EventKind,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        change.insert_event(&Event {
            id: self.row_id().await?,
            order: order.id,
            issuance: Some(order.issuance),
            at: self.clock.now(),
            actor,
            kind,
            detail,
        });
        Ok(())
    }

    async fn remembered(
        &self,
        reseller: &Reseller,
        repeat: Option<&RepeatKey>,
    ) -> Result<Option<Placed>, AppError> {
        let Some(repeat) = repeat else {
            return Ok(None);
        };
        match self.store.remembered(reseller.id, &repeat.key).await? {
            None => Ok(None),
            Some(first) if first.request_hash != repeat.request_hash => {
                Err(Refusal::KeyReused.into())
            }
            Some(first) => Ok(Some(
                serde_json::from_str(&first.answer).map_err(AppError::internal)?,
            )),
        }
    }

    /// What the reseller has proved about the domains of these names, fresh enough to be used today.
    pub(crate) async fn authorizations(
        &self,
        reseller: &Reseller,
        names: &[DomainName],
    ) -> Result<Vec<Authorization>, AppError> {
        let now = self.clock.now();
        let since = now - chancery_domain::validity::days(self.rules.at(now).domain_reuse_days);
        let mut bases: Vec<DomainName> = names.iter().filter_map(DomainName::base_domain).collect();
        bases.sort_unstable();
        bases.dedup();
        let reseller = reseller.id;
        let reads = bases
            .into_iter()
            .map(|base| async move { self.store.authorizations(reseller, &base, since).await });
        let held: Vec<Vec<Authorization>> = stream::iter(reads)
            .buffer_unordered(PARALLEL_READS)
            .try_collect()
            .await?;
        Ok(held.into_iter().flatten().collect())
    }

    async fn open_order(
        &self,
        reseller: &Reseller,
        checked: CheckedOrder<'_>,
        held: &[Authorization],
        repeat: Option<&RepeatKey>,
    ) -> Result<Placed, OpenError> {
        let now = self.clock.now();
        let id = OrderId(self.store.next_id(Sequence::Order).await?);
        let issuance_id = IssuanceId(self.row_id().await?);
        let order = Order {
            id,
            reseller: reseller.id,
            product_key: checked.product.key.clone(),
            product_name: checked.product.name.clone(),
            term: checked.term,
            names: checked.names,
            administrator: checked.administrator,
            technical: checked.technical,
            price: checked.price,
            issuance: issuance_id,
            special_instruction: checked.special_instruction,
            state: OrderState::Open,
            created_at: now,
            modified_at: now,
            version: 0,
        };
        let mut issuance = Issuance {
            id: issuance_id,
            order: id,
            reseller: reseller.id,
            csr: checked.csr.der,
            spki: checked.csr.spki_der,
            method: checked.method,
            names: checked.controls,
            looks: 0,
            looked_at: None,
            validate_by: now + self.settings.validation_time,
            state: IssuanceState::Validating,
            created_at: now,
            modified_at: now,
            version: 0,
        };
        issuance.reuse(held, &self.rules, now);
        let placed = Placed {
            order: id,
            controls: issuance.names.clone(),
        };

        self.check_mail_limits(&issuance, now).await?;

        let mut change = Change::new();
        if let Some(repeat) = repeat {
            let first = Remembered {
                request_hash: repeat.request_hash,
                order: id,
                answer: serde_json::to_string(&placed).map_err(AppError::internal)?,
            };
            change.remember(reseller.id, &repeat.key, &first, now);
        }
        let posting = Posting::charge(self.row_id().await?, reseller.id, id, order.price, now);
        change.post(&posting, [self.row_id().await?, self.row_id().await?]);
        change.insert_order(&order);
        self.note(
            &mut change,
            &order,
            Actor::Reseller,
            EventKind::OrderPlaced,
            None,
        )
        .await?;
        let proved = issuance.next_step(now) == NextStep::Sign;
        let signing = if proved {
            let certificate = self
                .reserve(&order, &issuance, now)
                .await
                .map_err(AppError::from)?;
            let signing = self
                .begin_signing(&mut change, order, issuance, certificate, Put::Insert)
                .await?;
            Some(signing)
        } else {
            change.insert_issuance(&issuance);
            self.start_validation(&mut change, &issuance, now).await?;
            None
        };
        match self.store.commit(change).await {
            Ok(_) => {}
            Err(StoreError::Refused("balance")) => {
                return Err(AppError::from(Refusal::InsufficientBalance).into());
            }
            Err(StoreError::Refused("idempotency")) => return Err(OpenError::Repeated),
            // The database went away around the commit: the order tells whether it is there. If the answer is
            // no, or none, the caller must not take the order for placed.
            Err(unknown @ StoreError::Unknown(_)) => match self.store.order_file(id).await {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Err(AppError::from(unknown).into()),
            },
            Err(other) => return Err(AppError::from(other).into()),
        }
        match signing {
            Some(signing) => signing.hand_over(),
            None => self.wake_worker(),
        }
        Ok(placed)
    }

    /// Adds what makes a fresh issuance, or one whose challenges changed, go on.
    pub(crate) async fn start_validation(
        &self,
        change: &mut Change,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        // Nobody can have published a value that was made just now; who has, asks for the status.
        self.enqueue(
            change,
            Task::PollDcv(issuance.id),
            now + issuance.look_delay(),
        )
        .await?;
        self.ask_approvers(change, issuance, issuance.unproved(), now)
            .await
    }
}

enum OpenError {
    /// The key is on record already.
    Repeated,
    App(AppError),
}

impl<E: Into<AppError>> From<E> for OpenError {
    fn from(error: E) -> Self {
        Self::App(error.into())
    }
}
