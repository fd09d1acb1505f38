//! Bodies and path segments, read so that refusals speak the dialect.
//!
//! A body becomes a JSON value first and is then read member by member, each fault noted and none final, so
//! that a client learns of all of them at once. The tolerances real clients need are here: a member that is
//! null or blank is absent, and so is a blank entry of a list; numbers may come as numeric strings where either has been seen; what a request
//! does not know is ignored; and where no member is needed, any body will do.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use chancery_app::ApproverChoice;
use chancery_bodies::BodyError;
use chancery_domain::authorizations::Method;
use chancery_domain::contacts::ContactId;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::orders::OrderId;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::contract::Described;
use crate::errors::{Family, Obstacle, WebnicError, order_id};
use crate::routes::Wire;
use crate::scalars::{parse_contact_number, parse_digits};
use crate::words::{METHODS, auth_type, wire_name};

/// The longest JSON body taken, in octets: room for a CSR and some hundred names.
pub(crate) const JSON_LIMIT: usize = 256 * 1024;

/// The longest array taken; no product covers as many names.
const ARRAY_LIMIT: usize = 1000;

/// What a request is made of: read from the members of a JSON object.
pub(crate) trait FromMembers: Described + Sized {
    fn from_members(members: Members) -> Result<Self, WebnicError>;
}

/// A JSON body as a request.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: FromMembers> FromRequest<Wire> for Body<T> {
    type Rejection = WebnicError;

    async fn from_request(request: Request, wire: &Wire) -> Result<Self, WebnicError> {
        let (parts, bytes) = read(request, wire.body_time, JSON_LIMIT).await?;
        let of_family = |error: WebnicError| error.in_family(Family::of(parts.uri.path()));
        let members = Members::parse(&bytes).map_err(of_family)?;
        T::from_members(members).map(Self).map_err(of_family)
    }
}

/// A JSON body that may be absent: none at all, zero bytes and `[]` are read like an object without members.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: FromMembers> FromRequest<Wire> for OptionalBody<T> {
    type Rejection = WebnicError;

    async fn from_request(request: Request, wire: &Wire) -> Result<Self, WebnicError> {
        let (parts, bytes) = read(request, wire.body_time, JSON_LIMIT).await?;
        let of_family = |error: WebnicError| error.in_family(Family::of(parts.uri.path()));
        let members = match bytes.trim_ascii() {
            b"" | b"[]" => Members::default(),
            body => Members::parse(body).map_err(of_family)?,
        };
        T::from_members(members).map(Self).map_err(of_family)
    }
}

/// A body that nothing is read from: absent, empty, `[]`, or anything else within the limits.
pub(crate) struct NoFields;

impl FromRequest<Wire> for NoFields {
    type Rejection = WebnicError;

    async fn from_request(request: Request, wire: &Wire) -> Result<Self, WebnicError> {
        read(request, wire.body_time, JSON_LIMIT)
            .await
            .map(|_| Self)
    }
}

/// Reads a body, within so much time and so many octets.
pub(crate) async fn read(
    request: Request,
    time: Duration,
    limit: usize,
) -> Result<(Parts, Bytes), WebnicError> {
    let (parts, body) = request.into_parts();
    match chancery_bodies::read(body, time, limit).await {
        Ok(octets) => Ok((parts, octets)),
        Err(error) => Err(unread(&parts, error)),
    }
}

/// Reads a body that may hold secrets, likewise; the buffer clears itself, and nothing is copied out of it.
pub(crate) async fn read_secret(
    request: Request,
    time: Duration,
    limit: usize,
) -> Result<(Parts, Zeroizing<Vec<u8>>), WebnicError> {
    let (parts, body) = request.into_parts();
    match chancery_bodies::read_secret(body, time, limit).await {
        Ok(octets) => Ok((parts, octets)),
        Err(error) => Err(unread(&parts, error)),
    }
}

fn unread(parts: &Parts, error: BodyError) -> WebnicError {
    let obstacle = match error {
        BodyError::TooLarge => Obstacle::TooLarge,
        BodyError::TooSlow => Obstacle::TooSlow,
        BodyError::Broken => Obstacle::Unparseable("JSON"),
        BodyError::NoRoom => Obstacle::Overloaded,
    };
    WebnicError::new(Family::of(parts.uri.path()), obstacle)
}

/// The order a path is about.
pub(crate) struct OrderPath(pub(crate) OrderId);

impl FromRequestParts<Wire> for OrderPath {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let text = path_segment(parts, wire, "orderId").await;
        order_id(&text.unwrap_or_default()).map(Self)
    }
}

/// A variable segment of the path, percent-decoded; `None` where it is not UTF-8 or not there.
pub(crate) async fn path_segment(parts: &mut Parts, wire: &Wire, name: &str) -> Option<String> {
    let segments = RawPathParams::from_request_parts(parts, wire).await.ok()?;
    segments
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// The members of a JSON object, taken one by one, with what was wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Members {
    members: Map<String, Value>,
    faults: Vec<FieldError>,
}

impl Members {
    /// Parses a body that has to be a JSON object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, WebnicError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self {
                members,
                faults: Vec::new(),
            }),
            Ok(_) | Err(_) => Err(Obstacle::Unparseable("JSON").into()),
        }
    }

    /// Takes a member, if it is there and as it must be.
    pub(crate) fn take<T>(&mut self, field: Field, kind: Kind<T>) -> Option<T> {
        let value = self.take_value(&wire_name(field))?;
        let fault = |problem| self.faults.push(FieldError { field, problem });
        kind(value).map_err(fault).ok()
    }

    /// Takes a member that has to be there.
    pub(crate) fn require<T>(&mut self, field: Field, kind: Kind<T>) -> Option<T> {
        let faults = self.faults.len();
        let taken = self.take(field, kind);
        if taken.is_none() && self.faults.len() == faults {
            self.faults.push(FieldError::missing(field));
        }
        taken
    }

    /// Takes a member by its name, unless it is null or blank, or a list of nothing but such entries. An empty
    /// list is said to be empty.
    pub(crate) fn take_value(&mut self, name: &str) -> Option<Value> {
        #[cfg(test)]
        TAKEN.with_borrow_mut(|taken| taken.insert(name.to_owned()));
        self.members.remove(name).filter(|value| match value {
            Value::Array(items) => items.is_empty() || !items.iter().all(is_blank),
            value => !is_blank(value),
        })
    }

    /// Notes a fault found elsewhere.
    pub(crate) fn note(&mut self, fault: FieldError) {
        self.faults.push(fault);
    }

    /// All that was wrong.
    pub(crate) fn into_faults(self) -> Vec<FieldError> {
        self.faults
    }
}

#[cfg(test)]
thread_local! {
    static TAKEN: std::cell::RefCell<std::collections::BTreeSet<String>> = std::cell::RefCell::default();
}

/// The names of the members that this thread has asked for since it was asked last.
#[cfg(test)]
pub(crate) fn taken_members() -> std::collections::BTreeSet<String> {
    TAKEN.take()
}

impl From<Map<String, Value>> for Members {
    fn from(members: Map<String, Value>) -> Self {
        Self {
            members,
            faults: Vec::new(),
        }
    }
}

/// Whether a member or an entry of a list says nothing: forms send what was left empty.
pub(crate) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// What a member has to be, as the function that reads it.
pub(crate) type Kind<T> = fn(Value) -> Result<T, Problem>;

/// A string. One with a NUL is nobody's text, and not every database could keep it.
pub(crate) fn text(value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) if text.contains('\0') => Err(Problem::Format),
        Value::String(text) => Ok(text),
        _ => Err(Problem::Type("a string")),
    }
}

/// A text in PEM. One in UTF-16 whose octets were taken for characters has NULs, and is read all the same.
pub(crate) fn pem(value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Problem::Type("a string")),
    }
}

/// A string of a line or some, for people.
pub(crate) fn note(value: Value) -> Result<String, Problem> {
    const MAX: usize = 1000;
    let text = text(value)?;
    if text.chars().count() > MAX {
        return Err(Problem::Length { min: 1, max: MAX });
    }
    Ok(text)
}

/// A whole number, or one in a string.
pub(crate) fn integer(value: Value) -> Result<i64, Problem> {
    let read = match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // PHP writes a whole float as 1.0.
            let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
            format!("{float:.0}").parse().ok()
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    read.ok_or(Problem::Type("an integer"))
}

/// A number or a string: ids that the platform writes as numbers come back as either.
pub(crate) fn number_or_text(value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Problem::Type("an integer or a string")),
    }
}

pub(crate) fn texts(value: Value) -> Result<Vec<String>, Problem> {
    const WANTED: Problem = Problem::Type("an array of at most 1000 strings");
    match value {
        Value::Array(items) if items.len() <= ARRAY_LIMIT => items
            .into_iter()
            .filter(|item| !is_blank(item))
            .map(|item| text(item).map_err(|_| WANTED))
            .collect(),
        _ => Err(WANTED),
    }
}

/// A boolean, or one in a string, as multipart forms have it.
pub(crate) fn boolean(value: Value) -> Result<bool, Problem> {
    let text = match value {
        Value::Bool(is) => return Ok(is),
        Value::String(text) => text,
        other => other.to_string(),
    };
    match &text.trim().to_ascii_lowercase()[..] {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Problem::NotOneOf(
            ["true", "false"].map(str::to_owned).to_vec(),
        )),
    }
}

pub(crate) fn method(value: Value) -> Result<Method, Problem> {
    let word = text(value)?;
    let is_it = |method: &Method| auth_type(*method).eq_ignore_ascii_case(word.trim());
    METHODS.into_iter().find(is_it).ok_or_else(|| {
        Problem::NotOneOf(METHODS.map(|method| auth_type(method).to_owned()).to_vec())
    })
}

pub(crate) fn contact_number(value: Value) -> Result<ContactId, Problem> {
    parse_contact_number(&text(value)?).ok_or(Problem::Format)
}

/// Approvers in each form that has been seen: one address, addresses in the order of the names, or objects
/// with `email` and the name as `domain` or `name`. Blank ones keep their place.
pub(crate) fn approvers(value: Value) -> Result<Vec<ApproverChoice>, Problem> {
    match value {
        Value::Array(items) if items.len() <= ARRAY_LIMIT => {
            // A blank one keeps its place: it says nothing of the name there.
            items.into_iter().map(approver).collect()
        }
        Value::Array(_) => Err(Problem::Type("at most 1000 approvers")),
        one => Ok(vec![approver(one)?]),
    }
}

fn approver(value: Value) -> Result<ApproverChoice, Problem> {
    const WANTED: Problem =
        Problem::Type("an address, or a list of addresses or of objects with 'domain' and 'email'");
    let bare = |address| ApproverChoice {
        name: None,
        address,
    };
    match value {
        Value::Null => Ok(bare(String::new())),
        Value::String(address) => Ok(bare(address)),
        Value::Object(members) => {
            // As an empty line of a form.
            let is_blank = |value: &Value| match value {
                Value::Null => true,
                Value::String(text) => text.trim().is_empty(),
                _ => false,
            };
            let says_who = members.contains_key("email") || members.values().all(is_blank);
            let mut members = Members::from(members);
            let name = members
                .take_value("domain")
                .or_else(|| members.take_value("name"));
            let name = name.map(text).transpose().map_err(|_| WANTED)?;
            let address = match members.take_value("email") {
                Some(address) => text(address).map_err(|_| WANTED)?,
                None if says_who => String::new(),
                None => return Err(WANTED),
            };
            Ok(ApproverChoice { name, address })
        }
        _ => Err(WANTED),
    }
}

/// A count, as query strings have it.
pub(crate) fn count(value: Value) -> Result<u32, Problem> {
    let digits = text(value).ok().and_then(|text| parse_digits(text.trim()));
    digits
        .and_then(|n| u32::try_from(n).ok())
        .ok_or(Problem::Type("an integer from 0"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn members(value: &Value) -> Members {
        Members::parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let mut body = members(&json!({"term": {}, "csr": 5, "authType": "http", "sanfield": "x"}));
        assert_eq!(body.require(Field::Product, text), None);
        assert_eq!(body.take(Field::Term, integer), None);
        assert_eq!(body.take(Field::Csr, pem), None);
        assert_eq!(body.take(Field::Method, method), None);
        assert_eq!(body.take(Field::Names, texts), None);
        assert_eq!(body.take(Field::Technical, contact_number), None);
        let faults = body.into_faults();
        let fields: Vec<Field> = faults.iter().map(|fault| fault.field).collect();
        let expected = [
            Field::Product,
            Field::Term,
            Field::Csr,
            Field::Method,
            Field::Names,
        ];
        assert_eq!(fields, expected);
        assert_eq!(faults[1].problem, Problem::Type("an integer"));
    }

    #[test]
    fn null_and_blank_members_are_absent() {
        let mut body = members(&json!({"csr": null, "technicalContactId": " ", "term": ""}));
        assert_eq!(body.take(Field::Csr, pem), None);
        assert_eq!(body.take(Field::Technical, contact_number), None);
        assert_eq!(body.take(Field::Term, integer), None);
        assert!(body.into_faults().is_empty());
    }

    #[test]
    fn terms_come_as_numbers_and_as_text() {
        for value in [json!(1), json!("1"), json!(" 1 "), json!(1.0)] {
            assert_eq!(integer(value), Ok(1));
        }
        for value in [
            json!("one"),
            json!(1.5),
            json!(true),
            json!([1]),
            json!(1e300),
        ] {
            assert_eq!(
                integer(value.clone()),
                Err(Problem::Type("an integer")),
                "{value}"
            );
        }
        assert_eq!(number_or_text(json!(8)), Ok("8".to_owned()));
        assert_eq!(number_or_text(json!("8")), Ok("8".to_owned()));
    }

    #[test]
    fn approvers_come_in_four_forms() {
        let read = |value| {
            let choices = approvers(value).unwrap();
            let pair = |choice: ApproverChoice| (choice.name, choice.address);
            choices.into_iter().map(pair).collect::<Vec<_>>()
        };
        let bare = (None, "admin@shop.example".to_owned());
        let named = (
            Some("shop.example".to_owned()),
            "admin@shop.example".to_owned(),
        );
        assert_eq!(read(json!("admin@shop.example")), vec![bare.clone()]);
        assert_eq!(read(json!(["admin@shop.example"])), [bare]);
        for key in ["domain", "name"] {
            let value = json!([{key: "shop.example", "email": "admin@shop.example"}]);
            assert_eq!(read(value), vec![named.clone()]);
        }
        assert!(read(json!([])).is_empty());
        let blank = (None, String::new());
        assert_eq!(
            read(json!(["", null, {}])),
            [blank.clone(), blank.clone(), blank]
        );
        let blank = (Some("shop.example".to_owned()), String::new());
        assert_eq!(
            read(json!([{"domain": "shop.example", "email": " "}])),
            [blank]
        );
        for nothing_said in [
            json!([{"domain": "shop.example"}]),
            json!({"shop.example": "admin@shop.example"}),
            json!([{"domainName": "shop.example", "approver": "admin@shop.example"}]),
            json!([{"Email": "admin@shop.example"}]),
        ] {
            assert!(approvers(nothing_said.clone()).is_err(), "{nothing_said}");
        }
        assert!(approvers(json!(5)).is_err());
    }

    #[test]
    fn texts_hold_no_nul_and_notes_have_an_end() {
        assert_eq!(text(json!("a\u{0}b")), Err(Problem::Format));
        assert_eq!(text(json!("a\nb")), Ok("a\nb".to_owned()));
        assert!(note(json!("x".repeat(1000))).is_ok());
        let long = note(json!("x".repeat(1001)));
        assert_eq!(long, Err(Problem::Length { min: 1, max: 1000 }));
    }

    #[test]
    fn arrays_have_an_end() {
        assert!(texts(json!(vec!["a"; ARRAY_LIMIT])).is_ok());
        assert!(texts(json!(vec!["a"; ARRAY_LIMIT + 1])).is_err());
        assert!(texts(json!(["a", 1])).is_err());
    }

    #[test]
    fn blank_entries_of_lists_are_left_out() {
        let names = json!(["www.shop.example", "", null, " "]);
        assert_eq!(texts(names), Ok(vec!["www.shop.example".to_owned()]));
        // Approvers go by place: a blank one says nothing of the name at its own.
        let approver = json!(["", "admin@shop.example"]);
        assert_eq!(approvers(approver).unwrap().len(), 2);
        // A list of blanks says nothing; an empty one says that there are none.
        let mut body = members(&json!({ "sanfield": [""], "approverEmail": [] }));
        assert_eq!(body.take(Field::Names, texts), None);
        assert!(body.take(Field::Approver, approvers).unwrap().is_empty());
        assert!(body.into_faults().is_empty());
    }

    #[test]
    fn only_a_json_object_has_members() {
        for body in ["", "[]", "{", "null", "\"x\"", "{\"a\":}", "\u{0}"] {
            assert!(Members::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Members::parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(Members::parse(b" {} ").is_ok());
        assert!(Members::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    fn request(body: axum::body::Body) -> Request {
        Request::builder()
            .uri("/ssl/v2/orders/new")
            .body(body)
            .unwrap()
    }

    #[tokio::test]
    async fn a_body_too_long_or_too_slow_is_refused() {
        use axum::response::IntoResponse;
        let time = Duration::from_secs(30);
        let status = |error: WebnicError| error.into_response().status().as_u16();
        let error = read(request("12345".into()), time, 4).await.unwrap_err();
        assert_eq!(status(error), 413);
        let read_it = read(request("1234".into()), time, 4).await.unwrap();
        assert_eq!(read_it.1, "1234");
        let (_, secret) = read_secret(request("1234".into()), time, 4).await.unwrap();
        assert_eq!(*secret, b"1234");
        let error = read_secret(request("12345".into()), time, 4).await;
        assert_eq!(status(error.unwrap_err()), 413);
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let slow = axum::body::Body::from_stream(never);
        let error = read(request(slow), Duration::ZERO, 4).await.unwrap_err();
        assert_eq!(status(error), 408);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in ".{0,200}") {
            let _ = Members::parse(text.as_bytes());
            let _ = integer(Value::String(text.clone()));
            let _ = approvers(Value::String(text));
        }
    }
}
