//! Orders: place, look at.

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateSummary;
use chancery_domain::checklists::VettingKind;
use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::issuances::{
    Issuance, IssuanceId, IssuanceState, NameControl, NextStep, Purpose,
};
use chancery_domain::ledger::Posting;
use chancery_domain::names::DomainName;
use chancery_domain::orders::{Order, OrderId, OrderState};
use chancery_domain::plans::Plan;
use chancery_domain::resellers::{Reseller, ResellerId};
use chancery_domain::stages::Stage;
use chancery_pki::csr::Csr;
use chancery_store::idempotency::Remembered;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, Sequence, StoreError};
use serde::{Deserialize, Serialize};

use crate::identities::Naming;
use crate::jobs::{CONFLICT_TRIES, Put, ReserveError, Signing, Task};
use crate::order_requests::{CheckedOrder, OrderRequest, left_out};
use crate::{App, AppError, Noun, Refusal};

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
    /// Names of the CSR that the certificate will not have.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// An order with all that its description needs, at a moment.
#[derive(Clone, Debug)]
pub struct OrderReport {
    /// The order, its latest issuance and that one's certificate.
    pub file: OrderFile,
    /// The moment.
    pub now: Timestamp,
}

/// All that is to be said of an order.
#[derive(Clone, Debug)]
pub struct OrderDescription {
    /// The order at a moment.
    pub report: OrderReport,
    /// The certificates it has had and will have.
    pub plan: Plan,
    /// From when on it can be renewed; nothing before its term and after its renewal.
    pub renewable_from: Option<Timestamp>,
    /// Whether the platform certifies its key again by itself when it replaces a certificate.
    pub reuses_key: bool,
    /// Why its latest run came to nothing, or which decision it waits for.
    pub remarks: Option<String>,
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
        for _ in 0..CONFLICT_TRIES {
            let checked = self.check_order(reseller, asked.clone()).await?;
            match self
                .open_order(reseller, checked, None, repeat.as_ref())
                .await
            {
                // The same request arrived twice at once; the other one won.
                Err(OpenError::Repeated) => {
                    let first = self.remembered(reseller, repeat.as_ref()).await?;
                    return first.ok_or(AppError::Busy);
                }
                // A contact was deleted since we looked.
                Err(OpenError::Overtaken) => {}
                Err(OpenError::App(error)) => return Err(error),
                Ok(placed) => return Ok(placed),
            }
        }
        Err(AppError::Busy)
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

    /// Adds a line to an order's history.
    pub(crate) async fn note(
        &self,
        change: &mut Change,
        order: &Order,
        actor: Actor,
        kind: EventKind,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        let event = Event {
            id: self.row_id().await?,
            order: order.id,
            issuance: Some(order.issuance),
            at: self.clock.now(),
            actor,
            kind,
            detail,
        };
        change.record_event(order.reseller, &event);
        Ok(())
    }

    pub(crate) async fn remembered(
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

    /// The same with all that is to be said of the order. Brings the next look forward as [`App::dcv_status`] does.
    pub async fn described_order(
        &self,
        reseller: &Reseller,
        id: Option<OrderId>,
        common_name: Option<&DomainName>,
    ) -> Result<OrderDescription, AppError> {
        let report = self.order(reseller, id, common_name).await?;
        self.look_soon(&report.file.issuance, report.now);
        let plan = self.plan(&report.file, report.now).await?;
        let order = &report.file.order;
        let renewable_from = match order.state {
            OrderState::Active { expires_at, .. } if order.renewed_by.is_none() => {
                Some(self.renewable_from(&order.product_key, expires_at))
            }
            _ => None,
        };
        let remarks = match &report.file.issuance.state {
            IssuanceState::Rejected { reason } => Some(reason.clone()),
            _ => {
                let waits_for = self.vetting_wait(&report.file, report.now).await?;
                waits_for.map(|what| format!("waits for {what}"))
            }
        };
        Ok(OrderDescription {
            remarks,
            reuses_key: order.reuses_key(&reseller.settings),
            report,
            plan,
            renewable_from,
        })
    }

    /// What was answered when the latest run of an order was begun, or nearly: names may have been proved since.
    /// `echoed` is a name that came along before and was sent back.
    pub(crate) fn placed_before(
        &self,
        OrderFile {
            order, issuance, ..
        }: OrderFile,
        echoed: Option<&DomainName>,
    ) -> Placed {
        let csr = Csr::from_der(issuance.csr.clone()).ok();
        let left_out = csr.map(|csr| self.left_out(&csr, &order, &issuance, echoed));
        Placed {
            order: order.id,
            left_out: left_out.unwrap_or_default(),
            controls: issuance.names,
        }
    }

    /// The names of a CSR that the certificate of a run will not have.
    pub(crate) fn left_out(
        &self,
        csr: &Csr,
        order: &Order,
        issuance: &Issuance,
        echoed: Option<&DomainName>,
    ) -> Vec<String> {
        let companion = self.free_name(order);
        let by = (&self.rules, self.clock.now());
        left_out(csr, issuance, companion, echoed, by)
    }

    /// Opens an order in one change set with its charge, its first run and, for a renewal, the link from the
    /// order it renews.
    pub(crate) async fn open_order(
        &self,
        reseller: &Reseller,
        checked: CheckedOrder<'_>,
        renewed: Option<OrderFile>,
        repeat: Option<&RepeatKey>,
    ) -> Result<Placed, OpenError> {
        let now = self.clock.now();
        let id = OrderId(self.store.next_id(Sequence::Order).await?);
        let run = IssuanceId(self.row_id().await?);
        let renews = renewed.as_ref().map(|file| &file.order);
        let (csr, echoed) = (checked.csr.clone(), checked.echoed.clone());
        let (mut order, mut issuance) = self.draft(reseller.id, checked, renews, (id, run), now);
        let scope = reseller.settings.proof_scope;
        let held = self.held_proofs(scope, &order, &order.names).await?;
        issuance.reuse(&held, &self.rules, now);
        let placed = Placed {
            order: id,
            controls: issuance.names.clone(),
            left_out: self.left_out(&csr, &order, &issuance, echoed.as_ref()),
        };
        let naming = self.identity_for(&order, &issuance, now).await?;
        if issuance.next_step(now) == NextStep::Sign && matches!(naming, Naming::Ready(_)) {
            order.stage = Stage::Issuing;
        }

        self.check_mail_limits(&issuance, now).await?;

        let mut change = Change::new();
        self.remember(&mut change, reseller, repeat, &placed, now)?;
        let charge = Posting::charge(self.row_id().await?, &issuance, now);
        change.expect_contacts(reseller.id, [order.administrator, order.technical]);
        change.place_order(
            &order,
            &charge,
            [self.row_id().await?, self.row_id().await?],
        );
        let by = Actor::Reseller;
        self.note(&mut change, &order, by, EventKind::OrderPlaced, None)
            .await?;
        if let Some(mut old) = renewed {
            old.order.renewed_by = Some(id);
            old.order.modified_at = now;
            put_order(
                &mut change,
                &mut old.order,
                &old.issuance,
                old.certificate.as_ref(),
                now,
            );
            let detail = Some(id.to_string());
            let kind = EventKind::OrderRenewed;
            self.note(&mut change, &old.order, by, kind, detail).await?;
        }
        let file = OrderFile {
            order,
            issuance,
            certificate: None,
        };
        let vetted = file.order.clone();
        let signing = self.begin(&mut change, file, naming, now).await?;
        self.commit_run(change, run).await?;
        // What is missed here, the run's own looks see to.
        if let Err(error) = self.see_to_vetting(&vetted).await {
            tracing::warn!(%error, order.id = id.0, "the vetting was not asked for yet");
        }
        match signing {
            Some(signing) => signing.hand_over(),
            None => self.wake_worker(),
        }
        Ok(placed)
    }

    /// An order as it is placed, with its first run, nothing proved.
    fn draft(
        &self,
        reseller: ResellerId,
        checked: CheckedOrder<'_>,
        renews: Option<&Order>,
        (id, run): (OrderId, IssuanceId),
        now: Timestamp,
    ) -> (Order, Issuance) {
        let order = Order {
            id,
            reseller,
            product_key: checked.product.key.clone(),
            product_name: checked.product.name.clone(),
            term: checked.term,
            paid: checked.product.counts(&checked.names),
            names: checked.names,
            organization: checked.organization,
            vetting: VettingKind::of(checked.product.validation),
            administrator: checked.administrator,
            technical: checked.technical,
            price: checked.price,
            issuance: run,
            certificate: None,
            reuse_key: checked.reuse_key,
            companion: None,
            use_prevalidated: checked.use_prevalidated,
            renews: renews.map(|order| order.id),
            renewed_by: None,
            carry_until: renews.map(|order| order.term_end(now)),
            special_instruction: checked.special_instruction,
            state: OrderState::Open,
            stage: Stage::Placed,
            created_at: now,
            modified_at: now,
            version: 0,
        };
        let issuance = Issuance {
            id: run,
            order: id,
            reseller,
            purpose: Purpose::First,
            price: checked.price,
            csr: checked.csr.der,
            spki: checked.csr.spki_der,
            method: checked.method,
            names: checked.controls,
            looks: 0,
            looked_at: None,
            validate_by: now + self.settings.validation_time,
            sign_from: None,
            state: IssuanceState::Validating,
            created_at: now,
            modified_at: now,
            version: 0,
        };
        (order, issuance)
    }

    /// Keeps the answer to a request that may be repeated.
    pub(crate) fn remember(
        &self,
        change: &mut Change,
        reseller: &Reseller,
        repeat: Option<&RepeatKey>,
        placed: &Placed,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some(repeat) = repeat else { return Ok(()) };
        let first = Remembered {
            request_hash: repeat.request_hash,
            order: placed.order,
            answer: serde_json::to_string(placed).map_err(AppError::internal)?,
        };
        change.remember(reseller.id, &repeat.key, &first, now);
        Ok(())
    }

    /// Adds a run that is not in the database yet: to be signed, if all is proved already, else to be
    /// validated. The caller says whom it names as of `now`, commits, and hands over what is to be signed.
    pub(crate) async fn begin(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        naming: Naming,
        now: Timestamp,
    ) -> Result<Option<Signing>, AppError> {
        if file.issuance.next_step(now) == NextStep::Sign
            && let Naming::Ready(identity) = naming
        {
            match self.reserve(&file, identity.as_ref(), now).await {
                Ok(certificate) => {
                    let signing = self
                        .begin_signing(change, file, certificate, Put::Insert)
                        .await?;
                    return Ok(Some(signing));
                }
                // The run's first look is refused the same, ends it, and gives the price back.
                Err(ReserveError::Refused(_) | ReserveError::KeyBlocked) => restage(
                    change,
                    &mut file.order,
                    &file.issuance,
                    file.certificate.as_ref(),
                    now,
                ),
                Err(ReserveError::App(error)) => return Err(error),
            }
        }
        change.insert_issuance(&file.issuance);
        self.start_validation(change, &file.issuance, now).await?;
        Ok(None)
    }

    /// Commits a change set that begins a run.
    pub(crate) async fn commit_run(
        &self,
        change: Change,
        run: IssuanceId,
    ) -> Result<(), OpenError> {
        match self.store.commit(change).await {
            Ok(_) => Ok(()),
            Err(StoreError::Refused("balance")) => {
                Err(AppError::from(Refusal::InsufficientBalance).into())
            }
            Err(StoreError::Refused("idempotency")) => Err(OpenError::Repeated),
            // Also where what the order has cost was given back by someone else.
            Err(StoreError::Conflict { .. } | StoreError::Refused("posting")) => {
                Err(OpenError::Overtaken)
            }
            // The database went away around the commit: the run tells whether it is there. If the answer is
            // no, or none, the caller must not take it for begun.
            Err(unknown @ StoreError::Unknown(_)) => match self.store.issuance(run).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) | Err(_) => Err(AppError::from(unknown).into()),
            },
            Err(other) => Err(AppError::from(other).into()),
        }
    }

    /// Adds what makes a fresh issuance, or one whose challenges changed, go on.
    pub(crate) async fn start_validation(
        &self,
        change: &mut Change,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        // Nobody can have published a value that was made just now; who has, asks for the status.
        let first_look = match issuance.next_step(now) {
            NextStep::Hold(until) => until,
            _ => now + issuance.pace().delay(now),
        };
        let task = Task::PollDcv(issuance.id);
        self.enqueue(change, task, issuance.reseller, first_look)
            .await?;
        self.ask_approvers(change, issuance, issuance.unproved(), now)
            .await
    }
}

/// Why a run was not begun.
pub(crate) enum OpenError {
    /// The key is on record already.
    Repeated,
    /// Someone else moved the order meanwhile.
    Overtaken,
    App(AppError),
}

impl<E: Into<AppError>> From<E> for OpenError {
    fn from(error: E) -> Self {
        Self::App(error.into())
    }
}

/// Saves an order under the stage it has reached.
pub(crate) fn put_order(
    change: &mut Change,
    order: &mut Order,
    issuance: &Issuance,
    certificate: Option<&CertificateSummary>,
    now: Timestamp,
) {
    let before = order.stage;
    order.stage = Stage::of(order, issuance, certificate, now);
    change.save_order(order, before);
    order.version += 1;
}

/// Saves an order whose stage has changed with its run, its certificate or the time; only then.
pub(crate) fn restage(
    change: &mut Change,
    order: &mut Order,
    issuance: &Issuance,
    certificate: Option<&CertificateSummary>,
    now: Timestamp,
) {
    if Stage::of(order, issuance, certificate, now) != order.stage {
        put_order(change, order, issuance, certificate, now);
    }
}
