//! Orders: place, look at, renew, reissue, cancel.

use aws_lc_rs::digest;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, Uri};
use chancery_app::{
    App, OrderDescription, OrderFile, OrderReport, OrderRequest, ReissueRequest, RenewalRequest,
    RepeatKey,
};
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::names::DomainName;
use chancery_domain::orders::{OrderId, OrderState};
use chancery_domain::revocations::RevocationReason;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::auth::{Caller, ScopedCaller};
use crate::body::{
    Body, FromMembers, JSON_LIMIT, Members, NoFields, OrderPath, approvers, boolean,
    contact_number, integer, method, note, number_or_text, pem, read, text, texts,
};
use crate::envelope::Envelope;
use crate::errors::{Obstacle, WebnicError, order_id};
use crate::plans::PlanView;
use crate::query::Query;
use crate::routes::Wire;
use crate::scalars::{ContactNumber, Moment, Quoted};
use crate::status::{CertStatus, OrderStatus, statuses};
use crate::validations::ControlsView;
use crate::words::Fault;

/// A request about an order that may be sent again under a key. What is wrong with its form travels along, to
/// be told with what is wrong with its content.
pub(crate) struct Repeatable<T> {
    request: T,
    repeat: Option<RepeatKey>,
}

impl<T: FromMembers> FromRequest<Wire> for Repeatable<T> {
    type Rejection = WebnicError;

    async fn from_request(request: Request, wire: &Wire) -> Result<Self, WebnicError> {
        let (parts, body) = read(request, wire.body_time, JSON_LIMIT).await?;
        let mut members = Members::parse(&body)?;
        let repeat = repeat_key(&parts.headers, &parts.uri, &body)
            .map_err(|fault| members.note(fault))
            .unwrap_or_default();
        Ok(Self {
            request: T::from_members(members)?,
            repeat,
        })
    }
}

/// An order to be placed.
pub(crate) struct PlaceOrder(OrderRequest);

impl FromMembers for PlaceOrder {
    fn from_members(members: Members) -> Result<Self, WebnicError> {
        Ok(Self(order_request(members)))
    }
}

/// An order to be renewed.
pub(crate) struct Renew(RenewalRequest);

impl FromMembers for Renew {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        Ok(Self(RenewalRequest {
            term: body.take(Field::Term, integer),
            csr: body.take(Field::Csr, pem),
            names: body.take(Field::Names, texts),
            method: body.take(Field::Method, method),
            approvers: body.take(Field::Approver, approvers).unwrap_or_default(),
            reuse_key: body.take(Field::ReuseKey, boolean),
            use_prevalidated: body.take(Field::UsePrevalidated, boolean),
            special_instruction: body.take(Field::SpecialInstruction, note),
            errors: body.into_faults(),
        }))
    }
}

/// A certificate to be issued anew.
pub(crate) struct Reissue(ReissueRequest);

impl FromMembers for Reissue {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        Ok(Self(ReissueRequest {
            csr: body.take(Field::Csr, pem),
            names: body.take(Field::Names, texts),
            method: body.take(Field::Method, method),
            approvers: body.take(Field::Approver, approvers).unwrap_or_default(),
            reuse_key: body.take(Field::ReuseKey, boolean),
            use_prevalidated: body.take(Field::UsePrevalidated, boolean),
            errors: body.into_faults(),
        }))
    }
}

fn order_request(mut body: Members) -> OrderRequest {
    OrderRequest {
        product: body.take(Field::Product, text),
        term: body.take(Field::Term, integer),
        csr: body.take(Field::Csr, pem),
        names: body.take(Field::Names, texts),
        administrator: body.take(Field::Administrator, contact_number),
        technical: body.take(Field::Technical, contact_number),
        shipment: body.take(Field::Shipment, contact_number),
        organization: body.take(Field::Organization, number_or_text),
        method: body.take(Field::Method, method),
        approvers: body.take(Field::Approver, approvers).unwrap_or_default(),
        reuse_key: body.take(Field::ReuseKey, boolean),
        use_prevalidated: body.take(Field::UsePrevalidated, boolean),
        special_instruction: body.take(Field::SpecialInstruction, note),
        errors: body.into_faults(),
        ..OrderRequest::default()
    }
}

/// The longest `Idempotency-Key` taken.
const REPEAT_KEY_LIMIT: usize = 200;

/// The key of a request that may be sent again, with the hash of its path and body as they came.
fn repeat_key(
    headers: &HeaderMap,
    uri: &Uri,
    body: &[u8],
) -> Result<Option<RepeatKey>, FieldError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.as_bytes();
    if key.is_empty() || key.len() > REPEAT_KEY_LIMIT || !key.iter().all(u8::is_ascii_graphic) {
        let text = "it has 1 to 200 visible ASCII characters";
        return Err(FieldError::invalid(Field::RepeatKey, text));
    }
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(uri.path().as_bytes());
    hash.update(b"\n");
    hash.update(body);
    let hash = hash.finish();
    Ok(Some(RepeatKey {
        key: String::from_utf8_lossy(key).into_owned(),
        request_hash: hash.as_ref().try_into().expect("SHA-256 has 32 bytes"),
    }))
}

/// `POST /ssl/v2/orders/new`
pub(crate) async fn place(
    State(app): State<App>,
    Caller(reseller): Caller,
    asked: Repeatable<PlaceOrder>,
) -> Result<Envelope, WebnicError> {
    let PlaceOrder(request) = asked.request;
    let placed = app.place_order(&reseller, request, asked.repeat).await?;
    Ok(Envelope::of(&ControlsView::placed(&placed)))
}

/// The new order, in its frame.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Renewal")]
#[serde(rename_all = "camelCase")]
pub(crate) struct RenewalView<'a> {
    renew_order: ControlsView<'a>,
}

/// `POST /ssl/v2/orders/{orderId}/renew`
pub(crate) async fn renew(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    asked: Repeatable<Renew>,
) -> Result<Envelope, WebnicError> {
    let Renew(request) = asked.request;
    let placed = app
        .renew_order(&reseller, id, request, asked.repeat)
        .await?;
    Ok(Envelope::of(&RenewalView {
        renew_order: ControlsView::placed(&placed),
    }))
}

/// `POST /ssl/v2/orders/{orderId}/reissue`
pub(crate) async fn reissue(
    State(app): State<App>,
    ScopedCaller(caller): ScopedCaller,
    OrderPath(id): OrderPath,
    asked: Repeatable<Reissue>,
) -> Result<Envelope, WebnicError> {
    let Reissue(request) = asked.request;
    let placed = app
        .reissue_order(&caller, id, request, asked.repeat)
        .await?;
    Ok(Envelope::of(&ControlsView::placed(&placed)))
}

/// Whether the key may be certified again by itself.
pub(crate) struct SetKeyReuse(Option<bool>);

impl FromMembers for SetKeyReuse {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        match body.require(Field::ReuseKey, key_reuse) {
            Some(choice) => Ok(Self(choice)),
            None => Err(body.into_faults().into()),
        }
    }
}

/// A boolean, or `default`.
fn key_reuse(value: Value) -> Result<Option<bool>, Problem> {
    const DEFAULT: &str = "default";
    match &value {
        Value::String(word) if word.trim().eq_ignore_ascii_case(DEFAULT) => Ok(None),
        _ => boolean(value)
            .map(Some)
            .map_err(|_| Problem::NotOneOf(["true", "false", DEFAULT].map(str::to_owned).to_vec())),
    }
}

/// `PUT /ssl/v2/orders/{orderId}/reuse-key`
pub(crate) async fn set_key_reuse(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    Body(SetKeyReuse(choice)): Body<SetKeyReuse>,
) -> Result<Envelope, WebnicError> {
    let description = app.set_key_reuse(&reseller, id, choice).await?;
    Ok(Envelope::of(&OrderView::of(&description)))
}

/// An order. The keys of the documented answer come first, in its order.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Order")]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderView<'a> {
    /// The number of the order.
    id: i64,
    order_id: Quoted<OrderId>,
    common_name: &'a str,
    resid: i64,
    /// The further names, without the common name; the one that came along is the last.
    sanfield: Vec<&'a str>,
    /// In years.
    term: Quoted<u8>,
    order_status: OrderStatus,
    cert_status: CertStatus,
    /// The name of the product.
    product: &'a str,
    /// Whether it renews another order.
    renewal: bool,
    /// Whether a further certificate that was asked for is on its way.
    reissue: bool,
    /// Whether it is cancelled.
    cancel: bool,
    dtcreate: Moment,
    dtmodify: Moment,
    /// When the first certificate was issued.
    dtsettle: Option<Moment>,
    /// When the bought term ends.
    dtorderexpire: Option<Moment>,
    /// When the certificate ends, which may be much sooner.
    dtcertexpire: Option<Moment>,
    /// The administrator.
    admid: ContactNumber,
    /// The technical contact.
    tecid: ContactNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    special_instruction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<i64>,
    /// When the certificate was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    dtrevoke: Option<Moment>,
    /// Why the certificate was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_reason: Option<&'static str>,
    /// Why the latest run came to nothing, or which decision it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    remarks: Option<&'a str>,
    /// The order before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    renews: Option<Quoted<OrderId>>,
    /// The order after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed_by: Option<Quoted<OrderId>>,
    plan: PlanView<'a>,
    /// From when on it can be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    dtrenewable: Option<Moment>,
    /// Whether the platform certifies the key again by itself when it replaces a certificate.
    reuse_key: bool,
    /// The name among `sanfield` that came along with the common name for nothing.
    companion: Option<&'a str>,
}

impl<'a> OrderView<'a> {
    fn of(description: &'a OrderDescription) -> Self {
        let OrderReport { file, now } = &description.report;
        let OrderFile {
            order,
            issuance,
            certificate,
        } = file;
        let status = statuses(file, *now);
        let further = order.names[1..].iter().chain(&order.companion);
        let (settled, expires) = match order.state {
            OrderState::Active {
                settled_at,
                expires_at,
            }
            | OrderState::Refunded {
                settled_at,
                expires_at,
            } => (Some(settled_at), Some(expires_at)),
            OrderState::Open | OrderState::Cancelled | OrderState::Failed(_) => (None, None),
        };
        Self {
            id: order.id.0,
            order_id: Quoted(order.id),
            common_name: order.common_name().as_str(),
            resid: order.reseller.0,
            sanfield: further.map(DomainName::as_str).collect(),
            term: Quoted(order.term.0),
            order_status: status.order,
            cert_status: status.cert,
            product: &order.product_name,
            renewal: order.renews.is_some(),
            reissue: status.order == OrderStatus::PendingReissue,
            cancel: matches!(status.order, OrderStatus::Cancelled | OrderStatus::Refunded),
            dtcreate: Moment(order.created_at),
            dtmodify: Moment(order.modified_at.max(issuance.modified_at)),
            dtsettle: settled.map(Moment),
            dtorderexpire: expires.map(Moment),
            dtcertexpire: certificate.map(|held| Moment(held.validity.not_after)),
            admid: ContactNumber(order.administrator),
            tecid: ContactNumber(order.technical),
            special_instruction: order.special_instruction.as_deref(),
            organization_id: order.organization.map(|id| id.0),
            dtrevoke: certificate.and_then(|held| held.revoked_at.map(Moment)),
            revocation_reason: certificate
                .and_then(|held| held.revocation_reason)
                .map(RevocationReason::name),
            remarks: description.remarks.as_deref(),
            renews: order.renews.map(Quoted),
            renewed_by: order.renewed_by.map(Quoted),
            plan: PlanView::of(&description.plan),
            dtrenewable: description.renewable_from.map(Moment),
            reuse_key: description.reuses_key,
            companion: order.companion.as_ref().map(DomainName::as_str),
        }
    }
}

/// `GET /ssl/v2/orders/info?orderId=&commonName=`
pub(crate) async fn info(
    State(app): State<App>,
    Caller(reseller): Caller,
    query: Query,
) -> Result<Envelope, WebnicError> {
    let id = query
        .word("orderId")
        .map(|text| order_id(&text))
        .transpose()?;
    let name = query
        .word("commonName")
        .map(|text| common_name(&text))
        .transpose()?;
    if id.is_none() && name.is_none() {
        let mut fault = Fault::missing_parameter("orderId".into());
        fault.text = fault.text.replace("'orderId'", "'orderId' or 'commonName'");
        return Err(Obstacle::Faults(vec![fault]).into());
    }
    let description = app.described_order(&reseller, id, name.as_ref()).await?;
    Ok(Envelope::of(&OrderView::of(&description)))
}

/// A name no order can have is one no order has.
fn common_name(text: &str) -> Result<DomainName, WebnicError> {
    DomainName::parse(text).map_err(|_| WebnicError::no_such_order(text))
}

/// `POST /ssl/v2/orders/{orderId}/cancel`
pub(crate) async fn cancel(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    _: NoFields,
) -> Result<Envelope, WebnicError> {
    app.cancel_order(&reseller, id).await?;
    Ok(Envelope::done())
}

#[cfg(test)]
mod tests {
    use chancery_domain::authorizations::Method;
    use chancery_domain::contacts::ContactId;
    use chancery_domain::plans::Plan;
    use serde_json::json;

    use super::*;
    use crate::status::tests::{a_file, an_open_file, at};

    fn described(file: OrderFile) -> OrderDescription {
        OrderDescription {
            report: OrderReport {
                file,
                now: at("2025-01-01T00:00:00Z"),
            },
            plan: Plan {
                certificates: vec![],
                authorizations: vec![],
            },
            renewable_from: Some(at("2025-02-20T04:00:00Z")),
            reuses_key: true,
            remarks: None,
        }
    }

    #[test]
    fn an_order_looks_as_documented() {
        let documented = concat!(
            r#"{"id":757512302,"orderId":"757512302","commonName":"*.webnic.cc","resid":2222,"#,
            r#""sanfield":["webnic.cc"],"term":"1","orderStatus":"COMPLETED","#,
            r#""certStatus":"ACTIVE","product":"RapidSSL","renewal":false,"reissue":false,"#,
            r#""cancel":false,"dtcreate":"2024-12-02T09:42:34Z","#,
            r#""dtmodify":"2024-12-02T09:42:34Z","dtsettle":"2024-05-21T00:33:03Z","#,
            r#""dtorderexpire":"2025-05-21T04:00:00Z","dtcertexpire":"2025-05-20T04:00:00Z","#,
            r#""admid":"SSL10618T","tecid":"SSL10619T","plan":{"certificates":[],"#,
            r#""authorizations":[]},"dtrenewable":"2025-02-20T04:00:00Z","reuseKey":true,"companion":null}"#
        );
        assert_eq!(
            serde_json::to_string(&OrderView::of(&described(a_file()))).unwrap(),
            documented
        );
    }

    #[test]
    fn what_is_not_known_yet_is_null() {
        let mut file = an_open_file(0);
        file.order.special_instruction = Some("call first".to_owned());
        let mut description = described(file);
        let view = serde_json::to_value(OrderView::of(&description)).unwrap();
        for key in ["dtsettle", "dtorderexpire", "dtcertexpire"] {
            assert_eq!(view[key], Value::Null, "{key}");
        }
        assert_eq!(view["orderStatus"], "PENDING");
        assert_eq!(view["specialInstruction"], "call first");
        description.report.file.order.state = OrderState::Cancelled;
        let view = serde_json::to_value(OrderView::of(&description)).unwrap();
        assert_eq!(view["cancel"], true);
    }

    #[test]
    fn an_order_is_read_with_every_tolerance() {
        let body = json!({
            "productKey": "ssl123",
            "term": "1",
            "csr": "-----BEGIN CERTIFICATE REQUEST-----",
            "administratorContactId": "SSL1T",
            "technicalContactId": "",
            "shipmentContactId": "SSL1T",
            "organizationId": 8,
            "authType": "DNS",
            "approverEmail": [],
            "unknown": {"x": 1}
        });
        let asked = order_request(Members::parse(body.to_string().as_bytes()).unwrap());
        assert!(asked.errors.is_empty(), "{:?}", asked.errors);
        assert_eq!(asked.term, Some(1));
        assert_eq!(asked.administrator, Some(ContactId(1)));
        assert_eq!(asked.technical, None);
        assert_eq!(asked.organization.as_deref(), Some("8"));
        assert_eq!(asked.method, Some(Method::Dns));
        assert!(asked.names.is_none());
    }

    #[test]
    fn key_reuse_is_said_or_left_to_the_reseller() {
        assert_eq!(key_reuse(json!(true)), Ok(Some(true)));
        assert_eq!(key_reuse(json!("false")), Ok(Some(false)));
        assert_eq!(key_reuse(json!("Default")), Ok(None));
        assert!(key_reuse(json!("perhaps")).is_err());
    }

    #[test]
    fn faults_of_form_travel_with_the_order() {
        let body = json!({"term": "x", "administratorContactId": "me", "sanfield": "a.example"});
        let asked = order_request(Members::parse(body.to_string().as_bytes()).unwrap());
        let fields: Vec<Field> = asked.errors.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, [Field::Term, Field::Names, Field::Administrator]);
    }

    #[test]
    fn a_repeat_key_is_short_and_visible() {
        let key = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("Idempotency-Key", text.try_into().unwrap());
            repeat_key(&headers, &Uri::from_static("/ssl/v2/orders/new"), b"{}")
        };
        let held = key(b"a-1").unwrap().unwrap();
        assert_eq!(held.key, "a-1");
        let elsewhere = Uri::from_static("/ssl/v2/orders/1/renew");
        let mut headers = HeaderMap::new();
        headers.insert("Idempotency-Key", "a-1".parse().unwrap());
        let other = repeat_key(&headers, &elsewhere, b"{}").unwrap().unwrap();
        assert_ne!(held.request_hash, other.request_hash);
        assert!(
            repeat_key(&HeaderMap::new(), &Uri::from_static("/"), b"{}")
                .unwrap()
                .is_none()
        );
        assert!(key(&[b'x'; 200]).is_ok());
        for wrong in [&b""[..], b"a b", "ä".as_bytes(), &[b'x'; 201]] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
    }
}
