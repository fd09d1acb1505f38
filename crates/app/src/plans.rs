//! The plan of an order, and the replacements it brings about.

use chancery_domain::authorizations::{Challenge, Method, RecordType};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{Issuance, IssuanceId, IssuanceState, NextStep, Purpose};
use chancery_domain::money::Money;
use chancery_domain::notices::News;
use chancery_domain::orders::Order;
use chancery_domain::plans::Plan;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::Change;
use chancery_store::orders::OrderFile;

use crate::cancellations::stop_run;
use crate::challenges::{Approvers, challenges};
use crate::jobs::Signing;
use crate::order_requests::controls;
use crate::orders::put_order;
use crate::{App, AppError};

/// Why a replacement is given up.
pub(crate) const KEY_NOT_REUSED: &str = "its key may not be certified again by itself";

impl App {
    /// What an order has had and will have.
    pub(crate) async fn plan(&self, file: &OrderFile, now: Timestamp) -> Result<Plan, AppError> {
        let issued = match (&file.certificate, file.issuance.purpose) {
            (None, _) => Vec::new(),
            // The first run's certificate is the only one there can be.
            (Some(only), Purpose::First) => vec![*only],
            (Some(_), _) => self.store.issued_certificates(file.order.id).await?,
        };
        let term_end = file.order.term_end(now);
        let names = &file.issuance.names;
        Ok(Plan::of(
            &file.order,
            &issued,
            names,
            term_end,
            self.is_succeeded(&file.order, now).await?,
            &self.rules,
            now,
        ))
    }

    /// Whether a renewal has taken an order's place.
    pub(crate) async fn is_succeeded(
        &self,
        order: &Order,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        let Some(id) = order.renewed_by else {
            return Ok(false);
        };
        let renewal = self.store.order_file(id).await?;
        Ok(renewal.is_some_and(|file| file.order.is_running(now)))
    }

    /// Begins to replace an order's certificate with the same key: proofs that will be good at `from` are
    /// used again, for the others control is asked for anew. Nothing is signed before `from`.
    pub(crate) async fn begin_replacement(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Signing>, AppError> {
        let last = self.last_issued(&file).await?;
        let order = &mut file.order;
        let method = self.method_for(&last, from.max(now));
        let names = &order.names;
        let approvers = Approvers {
            chosen: &[],
            before: &last.names,
        };
        let suffix = &self.settings.challenge_domain;
        let made = challenges(record_type(&last), method, names, approvers, suffix)
            .map_err(AppError::Invalid)?;
        let mut issuance = Issuance {
            id: IssuanceId(self.row_id().await?),
            purpose: Purpose::Replacement,
            price: Money::zero(order.price.currency),
            method,
            names: controls(names, made),
            looks: 0,
            looked_at: None,
            validate_by: now + self.settings.validation_time,
            sign_from: Some(from).filter(|from| now < *from),
            state: IssuanceState::Validating,
            created_at: now,
            modified_at: now,
            version: 0,
            ..last
        };
        let scope = self.proof_scope(order.reseller).await?;
        let held = self.held_proofs(scope, order, names).await?;
        issuance.reuse(&held, &self.rules, from.max(now));
        order.issuance = issuance.id;
        put_order(change, order, &issuance, file.certificate.as_ref(), now);
        let kind = EventKind::ReplacementBegun;
        self.note(change, order, Actor::Platform, kind, None)
            .await?;
        file.issuance = issuance;
        if file.issuance.next_step(now) == NextStep::Wait {
            let news = News::ControlWanted(file.issuance.id);
            self.tell_once(change, &[], &file, news, now).await?;
        }
        let naming = self.identity_for(&file.order, &file.issuance, now).await?;
        self.begin(change, file, naming, now).await
    }

    /// Whether a run may go on: a replacement may as long as the platform may certify the key again by itself.
    pub(crate) async fn may_go_on(&self, file: &OrderFile) -> Result<bool, AppError> {
        match file.issuance.purpose {
            Purpose::Replacement => self.reuses_key(&file.order).await,
            Purpose::First | Purpose::Reissue => Ok(true),
        }
    }

    /// Stops a replacement that is being validated and may not go on.
    pub(crate) async fn stop_replacement(
        &self,
        change: &mut Change,
        file: &mut OrderFile,
        now: Timestamp,
    ) -> Result<(), AppError> {
        file.issuance = file.issuance.clone().cancel(now)?;
        stop_run(change, &file.issuance, now);
        let order = &mut file.order;
        order.modified_at = now;
        put_order(
            change,
            order,
            &file.issuance,
            file.certificate.as_ref(),
            now,
        );
        let kind = EventKind::IssuanceCancelled;
        let detail = Some(KEY_NOT_REUSED.to_owned());
        self.note(change, order, Actor::Platform, kind, detail)
            .await
    }

    /// The run that came to the certificate in force.
    pub(crate) async fn last_issued(&self, file: &OrderFile) -> Result<Issuance, AppError> {
        if let IssuanceState::Issued { certificate } = file.issuance.state
            && file.order.certificate == Some(certificate)
        {
            return Ok(file.issuance.clone());
        }
        let missing = || AppError::Internal("an order's last run is not there".into());
        let certificate = file.order.certificate.ok_or_else(missing)?;
        let certificate = self.store.certificate(certificate).await?;
        let run = certificate.ok_or_else(missing)?.issuance;
        self.store.issuance(run).await?.ok_or_else(missing)
    }

    /// The method to show control by for a certificate that is signed at `at` or a day later: the last one,
    /// where it still proves anything then, else the DNS, which proves every name.
    fn method_for(&self, last: &Issuance, at: Timestamp) -> Method {
        let window = SignedDuration::from_hours(24);
        match self.rules.is_in_force(last.method, at + window) {
            true => last.method,
            false => Method::Dns,
        }
    }
}

/// The kind of DNS record the last run asked for.
pub(crate) fn record_type(last: &Issuance) -> RecordType {
    let kinds = last.names.iter().map(|control| match &control.challenge {
        Challenge::Dns { record_type, .. } => Some(*record_type),
        Challenge::File { .. } | Challenge::Email { .. } => None,
    });
    kinds.flatten().next().unwrap_or(RecordType::Txt)
}
