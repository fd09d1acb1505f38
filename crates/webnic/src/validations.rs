//! Showing control of the names of an order.

use axum::extract::State;
use chancery_app::{App, ApproverChoice, Placed, ValidationReport};
use chancery_domain::authorizations::{Challenge, FILE_DIRECTORY, Method};
use chancery_domain::fields::Field;
use chancery_domain::issuances::NameControl;
use chancery_domain::observations::Observation;
use chancery_domain::orders::OrderId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Caller;
use crate::body::{
    Body, FromMembers, Members, NoFields, OrderPath, approvers as approver_list, method, text,
};
use crate::envelope::Envelope;
use crate::errors::WebnicError;
use crate::query::Query;
use crate::scalars::{Moment, Quoted};
use crate::status::{CertStatus, OrderStatus, statuses};
use crate::words::{auth_type, auth_type_schema};

/// The names of an order and what is asked for each. `commonName` is an object here, as clients read it, and a
/// string in order info.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "NameControls")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ControlsView<'a> {
    order_id: Quoted<OrderId>,
    common_name: Option<ControlView<'a>>,
    san: Vec<ControlView<'a>>,
    /// Names of the CSR that the certificate will not have, where there are any.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    left_out: &'a [String],
}

/// One name: the documented keys, those of its kind, and whether it is done.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "NameControl")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ControlView<'a> {
    name: &'a str,
    #[schemars(schema_with = "auth_type_schema")]
    auth_type: &'static str,
    /// What is to be published, or the address of the approver.
    value: &'a str,
    /// For `dns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["TXT", "CNAME"]))]
    record_type: Option<&'static str>,
    /// For `dns`: the full name of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    /// For `file`: the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'static str>,
    /// For `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<&'a str>,
    #[schemars(extend("enum" = ["PENDING", "VALIDATED"]))]
    status: &'static str,
}

impl<'a> ControlsView<'a> {
    pub(crate) fn of(order: OrderId, controls: &'a [NameControl]) -> Self {
        let mut views = controls.iter().map(ControlView::of);
        Self {
            order_id: Quoted(order),
            common_name: views.next(),
            san: views.collect(),
            left_out: &[],
        }
    }

    /// What is asked for an order just placed, and what was left out of it.
    pub(crate) fn placed(placed: &'a Placed) -> Self {
        Self {
            left_out: &placed.left_out,
            ..Self::of(placed.order, &placed.controls)
        }
    }
}

impl<'a> ControlView<'a> {
    pub(crate) fn of(control: &'a NameControl) -> Self {
        let plain = |value: &'a str| Self {
            name: control.name.as_str(),
            auth_type: auth_type(control.challenge.method()),
            value,
            record_type: None,
            host: None,
            path: None,
            file_name: None,
            status: if control.proof.is_some() {
                "VALIDATED"
            } else {
                "PENDING"
            },
        };
        match &control.challenge {
            Challenge::Email { approver } => plain(approver),
            Challenge::Dns {
                record_type,
                host,
                value,
            } => Self {
                record_type: Some(record_type.as_str()),
                host: Some(host),
                ..plain(value)
            },
            Challenge::File { file_name, value } => Self {
                path: Some(FILE_DIRECTORY),
                file_name: Some(file_name),
                ..plain(value)
            },
        }
    }
}

/// The names of an order, what is asked for each, and, which is ours, what the latest looks saw.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AuthInfo")]
pub(crate) struct AuthInfoView<'a> {
    #[serde(flatten)]
    controls: ControlsView<'a>,
    observations: Vec<ObservationView<'a>>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Observation")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObservationView<'a> {
    name: &'a str,
    #[schemars(schema_with = "auth_type_schema")]
    auth_type: &'static str,
    at: Moment,
    /// Which record or address.
    asked: &'a str,
    /// Which server.
    of: &'a str,
    /// What was there.
    found: &'a str,
    #[schemars(extend("enum" = [
        "proved", "not_found", "no_such_name", "wrong_value", "timeout", "server_failure", "unreachable",
        "bad_status", "forbidden", "waiting", "own_failure",
    ]))]
    outcome: &'static str,
    /// What to change, for people.
    advice: &'a str,
}

impl<'a> AuthInfoView<'a> {
    fn of(report: &'a ValidationReport) -> Self {
        Self {
            controls: ControlsView::of(report.order, &report.controls),
            observations: report
                .observations
                .iter()
                .map(ObservationView::of)
                .collect(),
        }
    }
}

impl<'a> ObservationView<'a> {
    pub(crate) fn of(seen: &'a Observation) -> Self {
        Self {
            name: seen.name.as_str(),
            auth_type: auth_type(seen.method),
            at: Moment(seen.at),
            asked: &seen.asked,
            of: &seen.of,
            found: &seen.found,
            outcome: seen.outcome.as_str(),
            advice: &seen.advice,
        }
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DcvStatus")]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusView {
    order_id: Quoted<OrderId>,
    order_status: OrderStatus,
    cert_status: CertStatus,
}

/// `GET /ssl/v2/orders/{orderId}/dcv-status`
pub(crate) async fn status(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
) -> Result<Envelope, WebnicError> {
    let report = app.dcv_status(&reseller, id).await?;
    let status = statuses(&report.file, report.now);
    let order_id = Quoted(id);
    Ok(Envelope::of(&StatusView {
        order_id,
        order_status: status.order,
        cert_status: status.cert,
    }))
}

/// `GET /ssl/v2/orders/{orderId}/auth/info`
pub(crate) async fn info(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
) -> Result<Envelope, WebnicError> {
    let report = app.auth_info(&reseller, id).await?;
    Ok(Envelope::of(&AuthInfoView::of(&report)))
}

/// Another way to show control.
pub(crate) struct ChangeMethod {
    method: Method,
    approvers: Vec<ApproverChoice>,
}

impl FromMembers for ChangeMethod {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        let method = body.require(Field::Method, method);
        let approvers = body
            .take(Field::Approver, approver_list)
            .unwrap_or_default();
        let faults = body.into_faults();
        match method {
            Some(method) if faults.is_empty() => Ok(Self { method, approvers }),
            _ => Err(faults.into()),
        }
    }
}

/// `PUT /ssl/v2/orders/{orderId}/auth`; `POST` is sent by clients too.
pub(crate) async fn change(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    Body(asked): Body<ChangeMethod>,
) -> Result<Envelope, WebnicError> {
    let report = app
        .change_method(&reseller, id, asked.method, asked.approvers)
        .await?;
    Ok(Envelope::of(&AuthInfoView::of(&report)))
}

/// Other approvers.
pub(crate) struct ChangeApprovers(Vec<ApproverChoice>);

impl FromMembers for ChangeApprovers {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        match body.require(Field::Approver, approver_list) {
            Some(approvers) => Ok(Self(approvers)),
            None => Err(body.into_faults().into()),
        }
    }
}

/// `PUT /ssl/v2/orders/{orderId}/approver-email`
pub(crate) async fn change_approvers(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    Body(ChangeApprovers(approvers)): Body<ChangeApprovers>,
) -> Result<Envelope, WebnicError> {
    let report = app.change_approvers(&reseller, id, approvers).await?;
    Ok(Envelope::of(&AuthInfoView::of(&report)))
}

/// `POST /ssl/v2/orders/{orderId}/approver-email/send`
pub(crate) async fn resend(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    _: NoFields,
) -> Result<Envelope, WebnicError> {
    app.resend_approver_mail(&reseller, id).await?;
    Ok(Envelope::done())
}

/// `GET /ssl/v2/domainValidations/approver-list?commonName=`
pub(crate) async fn approvers(
    State(app): State<App>,
    Caller(_): Caller,
    mut query: Query,
) -> Result<Envelope, WebnicError> {
    let Some(name) = query.require(Field::CommonName, text) else {
        return Err(query.refusal());
    };
    Ok(Envelope::of(&app.approvers(&name)?))
}

#[cfg(test)]
mod tests {
    use chancery_domain::authorizations::RecordType;
    use chancery_domain::issuances::Proof;
    use chancery_domain::names::DomainName;
    use chancery_domain::observations::Outcome;
    use serde_json::{Value, json};

    use super::*;
    use crate::status::tests::at;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn control(text: &str, challenge: Challenge) -> NameControl {
        NameControl {
            name: name(text),
            challenge,
            proof: None,
        }
    }

    fn controls() -> Vec<NameControl> {
        let value = "0123456789abcdef".to_owned();
        let proof = Proof {
            domain: name("www.shop.example"),
            method: Method::File,
            obtained_at: at("2026-11-22T10:00:00Z"),
        };
        let file = Challenge::File {
            file_name: "fileauth.txt".to_owned(),
            value: value.clone(),
        };
        let host = "_dnsauth.shop.example".to_owned();
        vec![
            control(
                "shop.example",
                Challenge::Dns {
                    record_type: RecordType::Txt,
                    host,
                    value,
                },
            ),
            NameControl {
                proof: Some(proof),
                ..control("www.shop.example", file)
            },
            control(
                "a.test",
                Challenge::Email {
                    approver: "admin@a.test".to_owned(),
                },
            ),
        ]
    }

    #[test]
    fn each_method_shows_what_it_asks_for() {
        let controls = controls();
        let view = ControlsView::of(OrderId(1_000_000_001), &controls);
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            concat!(
                r#"{"orderId":"1000000001","commonName":{"name":"shop.example","authType":"dns","#,
                r#""value":"0123456789abcdef","recordType":"TXT","host":"_dnsauth.shop.example","#,
                r#""status":"PENDING"},"san":[{"name":"www.shop.example","authType":"file","#,
                r#""value":"0123456789abcdef","path":"/.well-known/pki-validation/","#,
                r#""fileName":"fileauth.txt","status":"VALIDATED"},{"name":"a.test","#,
                r#""authType":"email","value":"admin@a.test","status":"PENDING"}]}"#
            )
        );
    }

    #[test]
    fn auth_info_tells_what_was_seen() {
        let seen = Observation {
            name: name("shop.example"),
            method: Method::Dns,
            at: at("2026-11-22T10:00:05Z"),
            asked: "TXT _dnsauth.shop.example".to_owned(),
            of: "127.0.0.1:5353".to_owned(),
            found: "no such record".to_owned(),
            outcome: Outcome::NotFound,
            advice: "publish the record".to_owned(),
            proved_domain: None,
        };
        let report = ValidationReport {
            order: OrderId(1),
            controls: controls(),
            observations: vec![seen],
        };
        let json = serde_json::to_string(&AuthInfoView::of(&report)).unwrap();
        let keys = |view: &Value| view.as_object().unwrap().len();
        let view: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(keys(&view), 4);
        assert!(
            json.starts_with(r#"{"orderId":"1","commonName":{"#),
            "{json}"
        );
        assert!(
            json.ends_with(concat!(
                r#""observations":[{"name":"shop.example","authType":"dns","#,
                r#""at":"2026-11-22T10:00:05Z","asked":"TXT _dnsauth.shop.example","#,
                r#""of":"127.0.0.1:5353","found":"no such record","outcome":"not_found","#,
                r#""advice":"publish the record"}]}"#
            )),
            "{json}"
        );
    }

    #[test]
    fn a_change_of_method_takes_one_address() {
        let body = json!({"authType": "email", "approverEmail": "admin@shop.example"});
        let members = Members::parse(body.to_string().as_bytes()).unwrap();
        let asked = ChangeMethod::from_members(members).ok().unwrap();
        assert_eq!(asked.method, Method::Email);
        assert_eq!(asked.approvers[0].address, "admin@shop.example");
        let members = Members::parse(b"{}").unwrap();
        assert!(ChangeMethod::from_members(members).is_err());
    }
}
