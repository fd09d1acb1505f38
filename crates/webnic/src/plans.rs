//! The plan of an order, as order info shows it: an addition of ours.

use chancery_domain::plans::{Phase, Plan, PlannedAuthorization, PlannedCertificate};
use serde::Serialize;

use crate::scalars::Moment;
use crate::words::auth_type;

/// Past and coming certificates, and when control is to be shown for them.
#[derive(Serialize)]
pub(crate) struct PlanView<'a> {
    certificates: Vec<CertificateView>,
    authorizations: Vec<AuthorizationView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateView {
    status: &'static str,
    dtissue: Moment,
    dtstart: Moment,
    dtexpire: Moment,
    cap_days: u32,
    dtreplace: Option<Moment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationView<'a> {
    name: &'a str,
    auth_type: &'static str,
    dtvalidate: Option<Moment>,
    dtexpire: Option<Moment>,
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
