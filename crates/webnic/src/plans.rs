//! The plan of an order, as order info shows it: an addition of ours.

use chancery_domain::plans::{Phase, Plan, PlannedAuthorization, PlannedCertificate};
use schemars::JsonSchema;
use serde::Serialize;

use crate::scalars::Moment;
use crate::words::{auth_type, auth_type_schema};

/// Past and coming certificates, and when control is to be shown for them.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Plan")]
pub(crate) struct PlanView<'a> {
    certificates: Vec<CertificateView>,
    authorizations: Vec<AuthorizationView<'a>>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PlannedCertificate")]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificateView {
    #[schemars(extend("enum" = ["PAST", "ACTIVE", "PLANNED"]))]
    status: &'static str,
    /// When it is issued, or was.
    dtissue: Moment,
    dtstart: Moment,
    dtexpire: Moment,
    /// The longest life allowed on the day of issuance.
    cap_days: u32,
    /// When the next one takes its place.
    dtreplace: Option<Moment>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PlannedAuthorization")]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthorizationView<'a> {
    name: &'a str,
    #[schemars(schema_with = "auth_type_schema")]
    auth_type: &'static str,
    /// When control was shown, or is to be.
    dtvalidate: Option<Moment>,
    /// Until when that counts.
    dtexpire: Option<Moment>,
    /// When it is asked for anew; null where no coming certificate needs it.
    dtrenew: Option<Moment>,
}

impl<'a> PlanView<'a> {
    pub(crate) fn of(plan: &'a Plan) -> Self {
        Self {
            certificates: plan.certificates.iter().map(CertificateView::of).collect(),
            authorizations: (plan.authorizations.iter())
                .map(AuthorizationView::of)
                .collect(),
        }
    }
}

impl CertificateView {
    fn of(planned: &PlannedCertificate) -> Self {
        Self {
            status: match planned.phase {
                Phase::Past => "PAST",
                Phase::InForce => "ACTIVE",
                Phase::Coming => "PLANNED",
            },
            dtissue: Moment(planned.issue_at),
            dtstart: Moment(planned.validity.not_before),
            dtexpire: Moment(planned.validity.not_after),
            cap_days: planned.cap_days,
            dtreplace: planned.replace_at.map(Moment),
        }
    }
}

impl<'a> AuthorizationView<'a> {
    fn of(planned: &'a PlannedAuthorization) -> Self {
        Self {
            name: planned.name.as_str(),
            auth_type: auth_type(planned.method),
            dtvalidate: planned.obtained_at.map(Moment),
            dtexpire: planned.good_until.map(Moment),
            dtrenew: planned.renew_at.map(Moment),
        }
    }
}
