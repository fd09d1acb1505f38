//! Revoking the certificates of an order: an endpoint of ours.

use axum::extract::State;
use chancery_app::{App, RevocationReport, RevocationRequest};
use chancery_domain::certificates::{CertificateLine, parse_serial, serial_hex};
use chancery_domain::fields::{Field, Problem};
use chancery_domain::orders::OrderId;
use chancery_domain::revocations::{Revocation, RevocationReason};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::auth::Caller;
use crate::body::{FromMembers, Members, OptionalBody, OrderPath, text};
use crate::envelope::Envelope;
use crate::errors::WebnicError;
use crate::scalars::{Moment, Quoted};

/// What is to be revoked, and why.
pub(crate) struct Revoke(RevocationRequest);

impl FromMembers for Revoke {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        Ok(Self(RevocationRequest {
            reason: body.take(Field::RevocationReason, reason),
            serial: body.take(Field::Serial, serial),
            errors: body.into_faults(),
        }))
    }
}

/// A reason by its name or number.
fn reason(value: Value) -> Result<RevocationReason, Problem> {
    let word = match value {
        Value::String(word) => word,
        other => other.to_string(),
    };
    RevocationReason::parse(&word).ok_or_else(|| {
        let names = RevocationReason::OF_SUBSCRIBERS.map(|reason| reason.name().to_owned());
        Problem::NotOneOf(names.to_vec())
    })
}

/// A serial number in hexadecimal.
fn serial(value: Value) -> Result<Vec<u8>, Problem> {
    parse_serial(&text(value)?).ok_or(Problem::Format)
}

/// What was revoked.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Revocation")]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevocationView<'a> {
    order_id: Quoted<OrderId>,
    /// The certificates of the order that are revoked, the oldest first.
    certificates: Vec<RevokedView<'a>>,
    /// Whether the key is blocked, so that it is never certified again.
    key_blocked: bool,
    /// Other certificates of the reseller's with a blocked key, a hundred at most: they are being revoked, too.
    same_key: Vec<SameKeyView<'a>>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "RevokedCertificate")]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevokedView<'a> {
    /// In hexadecimal.
    serial: String,
    common_name: &'a str,
    dtcertexpire: Moment,
    dtrevoke: Moment,
    reason: &'static str,
    reason_code: u8,
    /// When it was asked for.
    dtrequest: Moment,
    /// By when it had to be done.
    dtdeadline: Moment,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "SameKeyCertificate")]
#[serde(rename_all = "camelCase")]
pub(crate) struct SameKeyView<'a> {
    order_id: Quoted<OrderId>,
    /// In hexadecimal.
    serial: String,
    common_name: &'a str,
    dtcertexpire: Moment,
}

impl<'a> RevocationView<'a> {
    fn of(report: &'a RevocationReport) -> Self {
        let revoked = |line: &'a CertificateLine| {
            let revocation = line.revocation.as_ref()?;
            Some(RevokedView::of(line, revocation))
        };
        Self {
            order_id: Quoted(report.order),
            certificates: report.certificates.iter().filter_map(revoked).collect(),
            key_blocked: report.is_key_blocked,
            same_key: report.same_key.iter().map(SameKeyView::of).collect(),
        }
    }
}

impl<'a> RevokedView<'a> {
    fn of(line: &'a CertificateLine, revocation: &Revocation) -> Self {
        Self {
            serial: serial_hex(&line.serial),
            common_name: common_name(line),
            dtcertexpire: Moment(line.validity.not_after),
            dtrevoke: Moment(revocation.at),
            reason: revocation.reason.name(),
            reason_code: revocation.reason.code(),
            dtrequest: Moment(revocation.asked_at),
            dtdeadline: Moment(revocation.due_at),
        }
    }
}

impl<'a> SameKeyView<'a> {
    fn of(line: &'a CertificateLine) -> Self {
        Self {
            order_id: Quoted(line.order),
            serial: serial_hex(&line.serial),
            common_name: common_name(line),
            dtcertexpire: Moment(line.validity.not_after),
        }
    }
}

fn common_name(line: &CertificateLine) -> &str {
    line.names.first().map_or("", |name| name.as_str())
}

/// `POST /ssl/v2/orders/{orderId}/revoke`
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    OptionalBody(Revoke(asked)): OptionalBody<Revoke>,
) -> Result<Envelope, WebnicError> {
    let report = app.revoke_order(&reseller, id, asked).await?;
    Ok(Envelope::of(&RevocationView::of(&report)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> RevocationRequest {
        let members = Members::parse(body.to_string().as_bytes()).unwrap();
        Revoke::from_members(members).unwrap().0
    }

    #[test]
    fn a_reason_is_a_name_or_a_number() {
        for told in [
            json!("keyCompromise"),
            json!("KEY_COMPROMISE"),
            json!(1),
            json!("1"),
        ] {
            let asked = read(&json!({ "reason": told, "serial": "0A:0b" }));
            assert_eq!(
                asked.reason,
                Some(RevocationReason::KeyCompromise),
                "{told}"
            );
            assert_eq!(asked.serial, Some(vec![0x0a, 0x0b]));
            assert!(asked.errors.is_empty());
        }
    }

    #[test]
    fn what_is_none_is_a_fault_of_its_field() {
        for (told, serial) in [
            (json!(6), json!("x")),
            (json!("certificateHold"), json!(5)),
            (json!(1.5), json!("")),
            (json!([1]), json!("0")),
        ] {
            let asked = read(&json!({ "reason": told, "serial": serial }));
            let fields: Vec<Field> = asked.errors.iter().map(|error| error.field).collect();
            let is_blank = serial == json!("");
            assert_eq!(fields[0], Field::RevocationReason);
            assert_eq!(fields.get(1), (!is_blank).then_some(&Field::Serial));
        }
    }
}
