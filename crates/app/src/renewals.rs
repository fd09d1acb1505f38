//! Renewals: a new order in the place of one that ends, linked both ways.

use chancery_domain::approvers::chosen_approvers;
use chancery_domain::authorizations::{Challenge, Method};
use chancery_domain::fields::{Field, FieldError};
use chancery_domain::issuances::{Issuance, NameControl};
use chancery_domain::names::DomainName;
use chancery_domain::orders::{OrderId, OrderState};
use chancery_domain::products::DEFAULT_RENEWAL_DAYS;
use chancery_domain::resellers::Reseller;
use chancery_domain::validity::days;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_pki::csr::Csr;
use chancery_pki::pem;
use chancery_store::orders::OrderFile;

use crate::jobs;
use crate::orders::{OpenError, OrderReport, Placed, RepeatKey};
use crate::reissues::{echoed, kept_names, without_companion};
use crate::{App, AppError, ApproverChoice, OrderRequest, Refusal};

/// For so long after its end an order may still be renewed.
const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A renewal as a dialect understood it. What is not said is as it was in the order to be renewed.
#[derive(Clone, Debug, Default)]
pub struct RenewalRequest {
    /// Years.
    pub term: Option<i64>,
    /// The CSR, PEM. Left out, the last one is certified again, which is to ask for its key to be reused.
    pub csr: Option<String>,
    /// Further names; where none are given, those of the order and those that a new CSR adds.
    pub names: Option<Vec<String>>,
    /// How control of the names is to be shown.
    pub method: Option<Method>,
    /// Who is to approve, for the email method.
    pub approvers: Vec<ApproverChoice>,
    /// Whether the key may be certified again when a certificate is replaced.
    pub reuse_key: Option<bool>,
    /// Whether what the reseller has proved ahead of any order serves it.
    pub use_prevalidated: Option<bool>,
    /// A note.
    pub special_instruction: Option<String>,
    /// What the dialect found wrong already; reported together with what is found here.
    pub errors: Vec<FieldError>,
}

impl App {
    /// Opens the order that renews another, and charges it, from a time before the end of its term on that the
    /// product sets. All that is left of the old term when the new one begins is added to it.
    ///
    /// An order is renewed once: asking again for the same gives the answer of the first.
    pub async fn renew_order(
        &self,
        reseller: &Reseller,
        id: OrderId,
        asked: RenewalRequest,
        repeat: Option<RepeatKey>,
    ) -> Result<Placed, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            if let Some(answer) = self.remembered(reseller, repeat.as_ref()).await? {
                return Ok(answer);
            }
            let report = self.order(reseller, Some(id), None).await?;
            let order = &report.file.order;
            let echoed = echoed(order, asked.names.as_deref());
            let (names, approvers) =
                without_companion(order, asked.names.as_ref(), &asked.approvers);
            let asked = RenewalRequest {
                names,
                approvers,
                ..asked.clone()
            };
            if let Some(renewal) = report.file.order.renewed_by {
                return self
                    .renewed_before(reseller, renewal, &asked, echoed.as_ref())
                    .await;
            }
            let OrderState::Active { expires_at, .. } = report.file.order.state else {
                return Err(AppError::WrongState(Box::new(report)));
            };
            if report.now >= expires_at + GRACE {
                return Err(AppError::WrongState(Box::new(report)));
            }
            let opens_at = self.renewable_from(&report.file.order.product_key, expires_at);
            if report.now < opens_at {
                return Err(Refusal::RenewalNotOpen(opens_at).into());
            }
            let request = self.renewal(&report, asked, echoed).await?;
            let checked = self.check_order(reseller, request).await?;
            let renewed = Some(report.file);
            match self
                .open_order(reseller, checked, renewed, repeat.as_ref())
                .await
            {
                Err(OpenError::Repeated | OpenError::Overtaken) => {}
                Err(OpenError::App(error)) => return Err(error),
                Ok(placed) => return Ok(placed),
            }
        }
        Err(AppError::Busy)
    }

    /// From when on an order for a product, whose term ends then, can be renewed: at a whole second, as panels are
    /// told it, so that who comes at that moment is not refused.
    pub(crate) fn renewable_from(&self, product: &str, term_end: Timestamp) -> Timestamp {
        let sold = self.catalogue().product(product);
        let ahead = days(sold.map_or(DEFAULT_RENEWAL_DAYS, |product| product.renewal_days));
        let opens_at = term_end - ahead;
        Timestamp::from_second(opens_at.as_second()).unwrap_or(opens_at)
    }

    /// The answer to a renewal that was asked for once more.
    async fn renewed_before(
        &self,
        reseller: &Reseller,
        renewal: OrderId,
        asked: &RenewalRequest,
        echoed: Option<&DomainName>,
    ) -> Result<Placed, AppError> {
        let report = self.order(reseller, Some(renewal), None).await?;
        if !asked.errors.is_empty() {
            return Err(AppError::Invalid(asked.errors.clone()));
        }
        let run = &report.file.issuance;
        if asked.method.unwrap_or(run.method) == Method::Email {
            let chosen = chosen_approvers(&run.covered(), &asked.approvers);
            chosen.map_err(AppError::Invalid)?;
        }
        match is_repeated(&report.file, asked) {
            true => Ok(self.placed_before(report.file, echoed)),
            false => Err(Refusal::RenewedBefore(renewal).into()),
        }
    }

    /// The order that is asked for: the old one, with what was said about the new.
    async fn renewal(
        &self,
        report: &OrderReport,
        asked: RenewalRequest,
        echoed: Option<DomainName>,
    ) -> Result<OrderRequest, AppError> {
        let order = &report.file.order;
        let last = self.last_issued(&report.file).await?;
        let has_csr = asked.csr.is_some() || asked.errors.iter().any(|e| e.field == Field::Csr);
        let csr = match has_csr {
            true => asked.csr,
            false => Some(pem::encode("CERTIFICATE REQUEST", &last.csr)),
        };
        let kept = || {
            let parsed = csr.as_deref().and_then(|text| Csr::parse(text).ok());
            let sold = self.catalogue().product(&order.product_key);
            match parsed.zip(sold) {
                Some((csr, product)) => kept_names(order, &csr, &last, product),
                None => order.names[1..].iter().map(ToString::to_string).collect(),
            }
        };
        let names = Some(asked.names.unwrap_or_else(kept));
        let method = asked.method.or(Some(report.file.issuance.method));
        Ok(OrderRequest {
            product: Some(order.product_key.clone()),
            term: asked.term,
            csr,
            names,
            administrator: Some(order.administrator),
            technical: Some(order.technical),
            shipment: None,
            organization: order.organization.map(|id| id.to_string()),
            method,
            approvers: asked.approvers,
            echoed,
            before: report.file.issuance.names.clone(),
            reuse_key: asked.reuse_key.or(order.reuse_key),
            use_prevalidated: asked.use_prevalidated.or(Some(order.use_prevalidated)),
            special_instruction: asked.special_instruction,
            errors: asked.errors,
        })
    }
}

/// Whether a renewal is what is asked for once more: of the same term, and for the same key, names, method, approvers and
/// choices, where these are given.
fn is_repeated(
    OrderFile {
        order, issuance, ..
    }: &OrderFile,
    asked: &RenewalRequest,
) -> bool {
    let is_of_run = |text: &String| Csr::parse(text).is_ok_and(|csr| csr.der == issuance.csr);
    let covers = |names: &Vec<String>| {
        let asked: Vec<_> = names
            .iter()
            .map(|name| DomainName::parse(name).ok())
            .collect();
        let covered = issuance.covered();
        let is_known =
            |name: &Option<DomainName>| name.as_ref().is_some_and(|n| covered.contains(n));
        let is_asked = |name: &DomainName| asked.contains(&Some(name.clone()));
        asked.iter().all(is_known) && covered.iter().skip(1).all(is_asked)
    };
    asked.term == Some(i64::from(order.term.0))
        && asked.csr.as_ref().is_none_or(is_of_run)
        && asked.names.as_ref().is_none_or(covers)
        && asked.method.is_none_or(|method| method == issuance.method)
        && asked
            .reuse_key
            .is_none_or(|choice| order.reuse_key == Some(choice))
        && (asked.use_prevalidated).is_none_or(|choice| order.use_prevalidated == choice)
        && has_chosen_approvers(issuance, &asked.approvers)
}

/// Whether the approvers that are chosen are those of a run, where one is still wanted.
fn has_chosen_approvers(issuance: &Issuance, choices: &[ApproverChoice]) -> bool {
    if issuance.method != Method::Email {
        return true;
    }
    let Ok(chosen) = chosen_approvers(&issuance.covered(), choices) else {
        return false;
    };
    let is_same = |(control, chosen): (&NameControl, Option<String>)| match &control.challenge {
        Challenge::Email { approver } => {
            control.proof.is_some() || chosen.is_none_or(|chosen| chosen == *approver)
        }
        Challenge::Dns { .. } | Challenge::File { .. } => true,
    };
    issuance.names.iter().zip(chosen).all(is_same)
}
