//! Reissues: another certificate under the same order, for another key, other names, or both. A CSR with the key in
//! use is taken: to send it is to ask for that.
//!
//! The certificate in force stays good until the new one is issued, and for a while after it. Names beyond
//! those that are paid for are charged, and given back if the run comes to nothing.

use chancery_domain::access::Scope;
use chancery_domain::authorizations::{Challenge, Method};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::fields::{Field, FieldError};
use chancery_domain::issuances::{Issuance, IssuanceId, IssuanceState, NameControl, Purpose};
use chancery_domain::money::Money;
use chancery_domain::names::DomainName;
use chancery_domain::orders::{NameCounts, Order, OrderId};
use chancery_domain::products::Product;
use chancery_domain::resellers::Reseller;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_pki::csr::Csr;
use chancery_pki::pem;
use chancery_store::Change;
use chancery_store::orders::OrderFile;

use crate::cancellations::stop_run;
use crate::challenges::{Approvers, challenges};
use crate::jobs;
use crate::order_requests::{Faults, controls, names_of};
use crate::orders::{OpenError, OrderReport, Placed, RepeatKey, put_order};
use crate::{Admitted, App, AppError, ApproverChoice, Refusal};

/// For so long after its certificate a reissue may be asked for once more by a client that lost the answer. Later
/// the same request asks for another certificate.
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// A reissue as a dialect understood it: form is checked, content is not.
#[derive(Clone, Debug, Default)]
pub struct ReissueRequest {
    /// The CSR, PEM. Its common name is the order's. Left out, the last one is certified again.
    pub csr: Option<String>,
    /// The further names; where none are given, those of the order and those that a new CSR adds.
    pub names: Option<Vec<String>>,
    /// How control of the names is to be shown; as before, where nothing is said.
    pub method: Option<Method>,
    /// Who is to approve, for the email method; as before, where nobody is named.
    pub approvers: Vec<ApproverChoice>,
    /// Whether the platform may certify the key again by itself from now on; as before, where nothing is said.
    pub reuse_key: Option<bool>,
    /// Whether what the reseller has proved ahead of any order serves it, and what follows; as before, where nothing
    /// is said.
    pub use_prevalidated: Option<bool>,
    /// What the dialect found wrong already; reported together with what is found here.
    pub errors: Vec<FieldError>,
}

/// A reissue whose every field has passed.
struct CheckedReissue<'a> {
    product: &'a Product,
    csr: Csr,
    names: Vec<DomainName>,
    method: Method,
    controls: Vec<NameControl>,
    /// The name that came along and was sent back.
    echoed: Option<DomainName>,
    reuse_key: Option<bool>,
    use_prevalidated: bool,
}

impl App {
    /// Begins another certificate for an order in its term. A run that was still being validated is
    /// stopped for it. Names that cost need the scope to spend.
    ///
    /// The same request again, by its key or, for a day, by its content, gives the answer of the first.
    pub async fn reissue_order(
        &self,
        caller: &Admitted,
        id: OrderId,
        asked: ReissueRequest,
        repeat: Option<RepeatKey>,
    ) -> Result<Placed, AppError> {
        let reseller = &caller.reseller;
        for _ in 0..jobs::CONFLICT_TRIES {
            if let Some(answer) = self.remembered(reseller, repeat.as_ref()).await? {
                return Ok(answer);
            }
            let report = self.order(reseller, Some(id), None).await?;
            if !report.file.order.is_running(report.now) {
                return Err(AppError::WrongState(Box::new(report)));
            }
            let checked = self.check_reissue(reseller, &report, &asked).await?;
            if is_repeated(&report.file, &checked, report.now)
                && !self.is_of_lost_ca(&report.file).await?
            {
                return Ok(self.placed_before(report.file, checked.echoed.as_ref()));
            }
            match self
                .begin_reissue(caller, report, checked, repeat.as_ref())
                .await
            {
                Err(OpenError::Repeated | OpenError::Overtaken) => self.let_a_job_end().await,
                Err(OpenError::App(error)) => return Err(error),
                Ok(placed) => return Ok(placed),
            }
        }
        Err(AppError::Busy)
    }

    /// Whether the run came to a certificate whose issuing CA was revoked since: who asks then wants another.
    async fn is_of_lost_ca(&self, file: &OrderFile) -> Result<bool, AppError> {
        match file.issuance.state {
            IssuanceState::Issued { certificate } => self.is_of_revoked_ca(certificate).await,
            _ => Ok(false),
        }
    }

    /// Holds a reissue against the order and its product's rules; reports all faults at once.
    async fn check_reissue(
        &self,
        reseller: &Reseller,
        OrderReport { file, now }: &OrderReport,
        asked: &ReissueRequest,
    ) -> Result<CheckedReissue<'_>, AppError> {
        let order = &file.order;
        let key = &order.product_key;
        let sold = self.catalogue().product(key);
        let product = sold.ok_or_else(|| Refusal::ProductWithdrawn(key.clone()))?;
        let last = self.last_issued(file).await?;
        let mut faults = Faults(asked.errors.clone());
        let has_csr = asked.csr.is_some() || asked.errors.iter().any(|e| e.field == Field::Csr);
        // Who asks for other names under the key in use asks for the key, too.
        let is_asked_for = || asked.names.is_some() || order.reuses_key(&reseller.settings);
        let takes_last = !has_csr && asked.reuse_key.unwrap_or_else(is_asked_for);
        let csr = match takes_last {
            true => Some(pem::encode("CERTIFICATE REQUEST", &last.csr)),
            false => faults.required(Field::Csr, asked.csr.clone()),
        };
        let csr = csr.and_then(|text| {
            let parsed = Csr::parse(&text);
            faults.keep(parsed.map_err(|e| FieldError::invalid(Field::Csr, e.to_string())))
        });
        if let Some(csr) = &csr {
            faults.0.extend(self.key_fault(csr).await?);
        }
        let names = csr.as_ref().and_then(|csr| {
            let kept = || kept_names(order, csr, &last, product);
            let (further, _) = without_companion(order, asked.names.as_ref(), &asked.approvers);
            faults.names(csr, &further.unwrap_or_else(kept))
        });
        let (_, chosen) = without_companion(order, asked.names.as_ref(), &asked.approvers);
        let method = asked.method.unwrap_or(file.issuance.method);
        let (Some(csr), Some(names)) = (csr, names) else {
            return Err(AppError::Invalid(faults.0));
        };
        if names.first() != Some(order.common_name()) {
            let text = format!("the common name of the order is {}", order.common_name());
            faults.0.push(FieldError::invalid(Field::Csr, text));
        }
        faults
            .0
            .extend(product.check_names(&names, self.settings.world));
        faults
            .0
            .extend(product.check_method(method, &names, &self.rules, *now));
        let approvers = Approvers {
            chosen: &chosen,
            before: &file.issuance.names,
        };
        let suffix = &self.settings.challenge_domain;
        let made = challenges(product.record_type, method, &names, approvers, suffix);
        let made = made.map_err(|errors| faults.0.extend(errors));
        let checked = CheckedReissue {
            product,
            csr,
            controls: controls(&names, made.unwrap_or_default()),
            echoed: echoed(order, asked.names.as_deref()),
            names,
            method,
            reuse_key: asked.reuse_key,
            use_prevalidated: asked.use_prevalidated.unwrap_or(order.use_prevalidated),
        };
        match faults.0.is_empty() {
            true => Ok(checked),
            false => Err(AppError::Invalid(faults.0)),
        }
    }

    async fn begin_reissue(
        &self,
        Admitted { reseller, scope }: &Admitted,
        report: OrderReport,
        checked: CheckedReissue<'_>,
        repeat: Option<&RepeatKey>,
    ) -> Result<Placed, OpenError> {
        let now = report.now;
        let mut change = Change::new();
        let mut file = report.file.clone();
        match file.issuance.state {
            IssuanceState::Validating => self.stop_for_another(&mut change, &mut file, now).await?,
            IssuanceState::Signing { .. } => return Err(OpenError::Overtaken),
            IssuanceState::Issued { .. }
            | IssuanceState::Rejected { .. }
            | IssuanceState::Cancelled => {}
        }
        let price = self
            .further_price(reseller, &file.order, &checked, now)
            .await?;
        if price.minor > 0 && !scope.includes(Scope::Money) {
            let (held, needed) = (*scope, Scope::Money);
            return Err(AppError::OutOfScope { held, needed }.into());
        }
        let reuse_key = checked.reuse_key;
        let (csr, echoed) = (checked.csr.clone(), checked.echoed.clone());
        file.order.use_prevalidated = checked.use_prevalidated;
        let issuance = self
            .reissue_run(reseller, &file.order, checked, price, now)
            .await?;
        let run = issuance.id;
        let placed = Placed {
            order: file.order.id,
            controls: issuance.names.clone(),
            left_out: self.left_out(&csr, &file.order, &issuance, echoed.as_ref()),
        };
        let order = &mut file.order;
        order.issuance = run;
        order.reuse_key = reuse_key.or(order.reuse_key);
        order.price = order.price.plus(price).map_err(AppError::internal)?;
        order.modified_at = now;
        self.remember(&mut change, reseller, repeat, &placed, now)?;
        self.charge(&mut change, &issuance, now).await?;
        put_order(
            &mut change,
            order,
            &issuance,
            file.certificate.as_ref(),
            now,
        );
        let kind = EventKind::ReissueAsked;
        self.note(&mut change, order, Actor::Reseller, kind, None)
            .await?;
        self.tend_soon(&mut change, order.id, now).await?;
        file.issuance = issuance;
        let naming = self.identity_for(&file.order, &file.issuance, now).await?;
        let signing = self.begin(&mut change, file, naming, now).await?;
        self.commit_run(change, run).await?;
        match signing {
            Some(signing) => signing.hand_over(),
            None => self.wake_worker(),
        }
        Ok(placed)
    }

    /// The run that was asked for; what was proved for the order lately is taken over.
    async fn reissue_run(
        &self,
        reseller: &Reseller,
        order: &Order,
        checked: CheckedReissue<'_>,
        price: Money,
        now: Timestamp,
    ) -> Result<Issuance, AppError> {
        let mut issuance = Issuance {
            id: IssuanceId(self.row_id().await?),
            order: order.id,
            reseller: order.reseller,
            purpose: Purpose::Reissue,
            price,
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
        let scope = reseller.settings.proof_scope;
        let held = self.held_proofs(scope, order, &checked.names).await?;
        issuance.reuse(&held, &self.rules, now);
        self.check_mail_limits(&issuance, now).await?;
        Ok(issuance)
    }

    /// What names beyond those that are paid for cost, at today's prices.
    async fn further_price(
        &self,
        reseller: &Reseller,
        order: &Order,
        asked: &CheckedReissue<'_>,
        now: Timestamp,
    ) -> Result<Money, AppError> {
        let wanted = order.paid.or(asked.product.counts(&asked.names));
        if wanted == order.paid {
            return Ok(Money::zero(order.price.currency));
        }
        let prices = self.price_list(reseller, asked.product, now).await?;
        let price = |counts: NameCounts| prices.quote(order.term, counts.names, counts.wildcards);
        let (before, after) = (price(order.paid)?, price(wanted)?);
        after.total.plus(-before.total).map_err(AppError::internal)
    }

    /// Stops a run that is being validated, since another takes its place, and gives back what it cost.
    async fn stop_for_another(
        &self,
        change: &mut Change,
        file: &mut OrderFile,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.refund(change, &file.issuance, now).await?;
        let price = &mut file.order.price;
        *price = price
            .plus(-file.issuance.price)
            .map_err(AppError::internal)?;
        file.issuance = file.issuance.clone().cancel(now)?;
        stop_run(change, &file.issuance, now);
        let kind = EventKind::IssuanceCancelled;
        self.note(change, &file.order, Actor::Reseller, kind, None)
            .await
    }
}

/// The further names of an order that says nothing of them: those it has, and those that a CSR adds which is not the
/// last one.
pub(crate) fn kept_names(
    order: &Order,
    csr: &Csr,
    last: &Issuance,
    product: &Product,
) -> Vec<String> {
    let mut names: Vec<String> = order.names[1..].iter().map(ToString::to_string).collect();
    if csr.der != last.csr {
        names.extend(names_of(csr, product));
    }
    names
}

/// The name that came along with the certificate in force, where a panel sends it back as it was shown it: it comes
/// along again where a proof covers it, and holds nothing up where none does.
pub(crate) fn echoed(order: &Order, names: Option<&[String]>) -> Option<DomainName> {
    let companion = order.companion.as_ref()?;
    let is_it = |text: &String| DomainName::parse(text).is_ok_and(|name| name == *companion);
    names?.iter().any(is_it).then(|| companion.clone())
}

/// The further names that are asked for, and the approvers that are chosen, without the name that came along: whoever
/// was chosen for it alone is not needed, and who is at the places behind it moves up.
pub(crate) fn without_companion(
    order: &Order,
    names: Option<&Vec<String>>,
    approvers: &[ApproverChoice],
) -> (Option<Vec<String>>, Vec<ApproverChoice>) {
    let is_companion = |text: &String| {
        let name = DomainName::parse(text).ok();
        name.is_some() && name == order.companion
    };
    let mut approvers = approvers.to_vec();
    let Some(names) = names else {
        return (None, approvers);
    };
    if let Some(at) = names.iter().position(is_companion) {
        let mut before = vec![order.common_name().clone()];
        for name in names[..at]
            .iter()
            .filter_map(|name| DomainName::parse(name).ok())
        {
            if !before.contains(&name) {
                before.push(name);
            }
        }
        let place = before.len();
        if approvers.len() > place && approvers[place].name.is_none() {
            approvers.remove(place);
        }
        approvers.retain(|choice| !choice.name.as_ref().is_some_and(&is_companion));
    }
    let further = names.iter().filter(|name| !is_companion(name));
    (Some(further.cloned().collect()), approvers)
}

/// Whether the latest run was begun by the very request that came now: the client lost the first answer.
fn is_repeated(
    OrderFile {
        order,
        issuance,
        certificate,
    }: &OrderFile,
    asked: &CheckedReissue<'_>,
    now: Timestamp,
) -> bool {
    // Who asks after the certificate was revoked wants another.
    let is_revoked = certificate.is_some_and(|held| held.revoked_at.is_some());
    let is_recent = match issuance.state {
        IssuanceState::Validating | IssuanceState::Signing { .. } => true,
        IssuanceState::Issued { .. } => !is_revoked && now < issuance.modified_at + REPEATED_WITHIN,
        IssuanceState::Rejected { .. } | IssuanceState::Cancelled => false,
    };
    is_recent
        && issuance.purpose == Purpose::Reissue
        && issuance.csr == asked.csr.der
        && issuance.method == asked.method
        && issuance.covered() == asked.names
        && has_same_approvers(&issuance.names, &asked.controls)
        && (asked.reuse_key.is_none() || order.reuse_key == asked.reuse_key)
        && order.use_prevalidated == asked.use_prevalidated
}

/// Whether the names of a run that are still to be approved would be approved by the same as is asked for now.
fn has_same_approvers(run: &[NameControl], asked: &[NameControl]) -> bool {
    let approver = |control: &NameControl| match &control.challenge {
        Challenge::Email { approver } => Some(approver.clone()),
        Challenge::Dns { .. } | Challenge::File { .. } => None,
    };
    let mut pairs = run.iter().zip(asked);
    pairs.all(|(run, asked)| run.proof.is_some() || approver(run) == approver(asked))
}
