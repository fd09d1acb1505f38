//! Domains that are proved ahead of any order, and the proofs on record.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use chancery_app::{App, AppError, DomainReport, DomainRequest, Noun, ProofAsked, RecordedProof};
use chancery_domain::Timestamp;
use chancery_domain::authorizations::ProofId;
use chancery_domain::fields::Field;
use chancery_domain::orders::OrderId;
use chancery_domain::prevalidations::{PrevalidationId, PrevalidationState, Standing};
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Caller;
use crate::body::{Body, FromMembers, Members, approvers, method, path_segment, text};
use crate::envelope::Envelope;
use crate::errors::{WebnicError, order_id};
use crate::query::Query;
use crate::routes::Wire;
use crate::scalars::{Moment, Quoted, parse_digits};
use crate::validations::{ControlView, ObservationView};
use crate::words::{auth_type, auth_type_schema};

/// A domain to be proved.
pub(crate) struct ValidateDomain(DomainRequest);

impl FromMembers for ValidateDomain {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        Ok(Self(DomainRequest {
            domain: body.take(Field::Domain, text),
            method: body.take(Field::Method, method),
            approvers: body.take(Field::Approver, approvers).unwrap_or_default(),
            errors: body.into_faults(),
        }))
    }
}

/// A domain, what is asked for it, and how far it has come.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Domain")]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainView<'a> {
    domain_id: Quoted<PrevalidationId>,
    #[schemars(extend("enum" = ["PENDING", "VALIDATED", "EXPIRED"]))]
    domain_status: &'static str,
    /// What is to be shown.
    challenge: ControlView<'a>,
    dtcreate: Moment,
    /// Until when control is to be shown, while it is.
    dtvalidate_by: Option<Moment>,
    /// When control was shown.
    dtvalidate: Option<Moment>,
    /// Until when what was shown may be used.
    dtexpire: Option<Moment>,
}

impl<'a> DomainView<'a> {
    pub(crate) fn of(report: &'a DomainReport) -> Self {
        let held = &report.domain;
        Self {
            domain_id: Quoted(held.id),
            domain_status: match report.standing {
                Standing::Pending => "PENDING",
                Standing::Proved => "VALIDATED",
                Standing::Expired => "EXPIRED",
            },
            challenge: ControlView::of(&held.control),
            dtcreate: Moment(held.created_at),
            dtvalidate_by: (held.state == PrevalidationState::Validating)
                .then_some(Moment(held.validate_by)),
            dtvalidate: (report.proved.as_ref()).map(|proof| Moment(proof.obtained_at)),
            dtexpire: report.valid_until.map(Moment),
        }
    }
}

/// The same with what the latest look saw.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DomainInfo")]
pub(crate) struct DomainInfoView<'a> {
    #[serde(flatten)]
    domain: DomainView<'a>,
    observations: Vec<ObservationView<'a>>,
}

impl<'a> DomainInfoView<'a> {
    fn of(report: &'a DomainReport) -> Self {
        Self {
            domain: DomainView::of(report),
            observations: report
                .observations
                .iter()
                .map(ObservationView::of)
                .collect(),
        }
    }
}

/// `POST /ssl/v2/domains/validate`
pub(crate) async fn validate(
    State(app): State<App>,
    Caller(reseller): Caller,
    Body(ValidateDomain(asked)): Body<ValidateDomain>,
) -> Result<Envelope, WebnicError> {
    let report = app.validate_domain(&reseller, asked).await?;
    Ok(Envelope::of(&DomainInfoView::of(&report)))
}

/// `GET /ssl/v2/domains/list?before=`
pub(crate) async fn list(
    State(app): State<App>,
    Caller(reseller): Caller,
    query: Query,
) -> Result<Envelope, WebnicError> {
    let before = query
        .word("before")
        .map(|text| domain_id(&text))
        .transpose()?;
    let domains = app.domains(&reseller, before).await?;
    let views: Vec<DomainView<'_>> = domains.iter().map(DomainView::of).collect();
    Ok(Envelope::of(&views))
}

/// `GET /ssl/v2/domains/{domainId}/info`
pub(crate) async fn info(
    State(app): State<App>,
    Caller(reseller): Caller,
    DomainPath(id): DomainPath,
) -> Result<Envelope, WebnicError> {
    let report = app.domain(&reseller, id).await?;
    Ok(Envelope::of(&DomainInfoView::of(&report)))
}

/// `DELETE /ssl/v2/domains/{domainId}`
pub(crate) async fn drop_domain(
    State(app): State<App>,
    Caller(reseller): Caller,
    DomainPath(id): DomainPath,
) -> Result<Envelope, WebnicError> {
    app.drop_domain(&reseller, id).await?;
    Ok(Envelope::done())
}

/// A proof on record.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Proof")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofView<'a> {
    proof_id: Quoted<ProofId>,
    /// Where control was shown.
    domain: &'a str,
    #[schemars(schema_with = "auth_type_schema")]
    auth_type: &'static str,
    dtvalidate: Moment,
    /// Until when it may be used.
    dtexpire: Moment,
    /// The order it was obtained for.
    order_id: Option<Quoted<OrderId>>,
    /// The domain it was obtained for, ahead of any order.
    domain_id: Option<Quoted<PrevalidationId>>,
}

impl<'a> ProofView<'a> {
    fn of((proof, until): &'a (RecordedProof, Timestamp)) -> Self {
        Self {
            proof_id: Quoted(proof.id),
            domain: proof.proved.domain.as_str(),
            auth_type: auth_type(proof.proved.method),
            dtvalidate: Moment(proof.proved.obtained_at),
            dtexpire: Moment(*until),
            order_id: proof.order.map(Quoted),
            domain_id: proof.prevalidation.map(Quoted),
        }
    }
}

/// `GET /ssl/v2/proofs/list?domain=&orderId=&before=`
pub(crate) async fn list_proofs(
    State(app): State<App>,
    Caller(reseller): Caller,
    mut query: Query,
) -> Result<Envelope, WebnicError> {
    let order = query
        .word("orderId")
        .map(|text| order_id(&text))
        .transpose()?;
    let before = query
        .word("before")
        .map(|text| proof_id(&text))
        .transpose()?;
    let domain = query.take(Field::Domain, text);
    if !query.is_right() {
        return Err(query.refusal());
    }
    let asked = ProofAsked {
        domain,
        order,
        before,
    };
    let proofs = app.proofs(&reseller, asked).await?;
    let views: Vec<ProofView<'_>> = proofs.iter().map(ProofView::of).collect();
    Ok(Envelope::of(&views))
}

/// `DELETE /ssl/v2/proofs/{proofId}`
pub(crate) async fn drop_proof(
    State(app): State<App>,
    Caller(reseller): Caller,
    ProofPath(id): ProofPath,
) -> Result<Envelope, WebnicError> {
    app.drop_proof(&reseller, id).await?;
    Ok(Envelope::done())
}

/// The domain a path is about.
pub(crate) struct DomainPath(PrevalidationId);

impl FromRequestParts<Wire> for DomainPath {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let text = path_segment(parts, wire, "domainId").await;
        domain_id(&text.unwrap_or_default()).map(Self)
    }
}

/// The proof a path is about.
pub(crate) struct ProofPath(ProofId);

impl FromRequestParts<Wire> for ProofPath {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let text = path_segment(parts, wire, "proofId").await;
        proof_id(&text.unwrap_or_default()).map(Self)
    }
}

/// A number no domain can have is one no domain has.
fn domain_id(text: &str) -> Result<PrevalidationId, WebnicError> {
    number(text, Noun::Domain).map(PrevalidationId)
}

fn proof_id(text: &str) -> Result<ProofId, WebnicError> {
    number(text, Noun::Proof).map(ProofId)
}

fn number(text: &str, what: Noun) -> Result<i64, WebnicError> {
    parse_digits(text.trim()).ok_or_else(|| {
        AppError::NotFound {
            what,
            id: text.to_owned(),
        }
        .into()
    })
}
