//! Every refusal in the dialect's shape.
//!
//! `code` and `message` are the same for all of them; the sub code, the text and the two lists tell them
//! apart. `validationErrors` and `fieldErrors` never come together, and the unused one is left out.

use std::borrow::Cow;

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chancery_app::{AppError, Noun};
use chancery_domain::fields::FieldError;
use chancery_domain::orders::OrderId;
use serde::Serialize;

use crate::envelope::{json, to_json};
use crate::status::statuses;
use crate::words::{self, Fault, FaultKind};

/// Clients compare this text to the letter, and then sign in again.
const BAD_TOKEN: &str = "Invalid or expired token. Reason: Provided token isn't active";

/// Which of the two APIs is spoken; it shows in the sub codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Family {
    /// `/ssl/v2`
    Ssl,
    /// `/reseller/v2`
    Reseller,
}

impl Family {
    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with("/reseller/") {
            Self::Reseller
        } else {
            Self::Ssl
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Ssl => "SSL",
            Self::Reseller => "RES",
        }
    }
}

/// What stopped a request.
#[derive(Debug)]
pub(crate) struct WebnicError {
    family: Family,
    obstacle: Obstacle,
}

/// What stops a request: a use case, or the wire itself.
#[derive(Debug)]
pub(crate) enum Obstacle {
    App(AppError),
    /// Faults found before any use case was asked.
    Faults(Vec<Fault>),
    /// The body is not the JSON object that is needed.
    Unparseable(&'static str),
    /// The body is longer than is taken.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// Something only the wire knows of is wrong with a well-formed request.
    Refused(String),
    /// Nothing is served there.
    UnknownPath(String),
    /// Something is, by other methods.
    WrongMethod(Method),
}

impl WebnicError {
    pub(crate) fn new(family: Family, obstacle: Obstacle) -> Self {
        Self { family, obstacle }
    }

    /// The same, as an error of that API.
    pub(crate) fn in_family(self, family: Family) -> Self {
        Self { family, ..self }
    }

    /// An error of a use case behind the reseller API.
    pub(crate) fn of_reseller_api(error: AppError) -> Self {
        Self::from(error).in_family(Family::Reseller)
    }

    pub(crate) fn no_such_order(text: &str) -> Self {
        AppError::NotFound {
            what: Noun::Order,
            id: text.to_owned(),
        }
        .into()
    }
}

impl From<AppError> for WebnicError {
    fn from(error: AppError) -> Self {
        Self::new(Family::Ssl, Obstacle::App(error))
    }
}

impl From<Vec<FieldError>> for WebnicError {
    fn from(errors: Vec<FieldError>) -> Self {
        AppError::Invalid(errors).into()
    }
}

impl From<Obstacle> for WebnicError {
    fn from(obstacle: Obstacle) -> Self {
        Self::new(Family::Ssl, obstacle)
    }
}

/// Answers a path where nothing is served.
pub(crate) async fn unknown_path(uri: Uri) -> WebnicError {
    let path = uri.path().to_owned();
    WebnicError::new(Family::of(&path), Obstacle::UnknownPath(path))
}

/// Answers a method that a path does not take; the router adds which ones it does.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> WebnicError {
    WebnicError::new(Family::of(uri.path()), Obstacle::WrongMethod(method))
}

/// An answer in the making.
struct Reply {
    status: StatusCode,
    number: &'static str,
    text: Cow<'static, str>,
    faults: Vec<Fault>,
}

impl Reply {
    fn new(status: StatusCode, number: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            number,
            text: text.into(),
            faults: Vec::new(),
        }
    }

    fn business(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "2400", text)
    }

    /// A lone fault of business speaks for itself; all else is told field by field.
    fn of_faults(mut faults: Vec<Fault>) -> Self {
        if let [fault] = &mut faults[..]
            && fault.kind == FaultKind::Business
        {
            return Self::business(std::mem::take(&mut fault.text));
        }
        let reply = Self::new(StatusCode::BAD_REQUEST, "4000", "Field validation error.");
        Self { faults, ..reply }
    }

    fn of_app(error: AppError) -> Self {
        match error {
            AppError::Unauthenticated => Self::new(StatusCode::UNAUTHORIZED, "4010", BAD_TOKEN),
            AppError::UnknownUsername => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "5001",
                "Invalid username",
            ),
            AppError::WrongPassword => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "5001",
                "Invalid password",
            ),
            // What a client knows this by comes first; the address is what its operator wants to know.
            AppError::AddressNotAllowed(address) => Self::new(
                StatusCode::FORBIDDEN,
                "0004",
                format!("Forbidden access with current ip address: {address}"),
            ),
            AppError::OutOfScope { held, needed } => Self::new(
                StatusCode::FORBIDDEN,
                "4030",
                format!("Forbidden: the credential has the scope '{held}', this needs '{needed}'."),
            ),
            AppError::NotFound {
                what: Noun::Reseller,
                id,
            } => {
                let text = words::not_found(Noun::Reseller, &id);
                Self::new(StatusCode::BAD_REQUEST, "5001", text)
            }
            AppError::NotFound { what, id } => Self::business(words::not_found(what, &id)),
            AppError::Invalid(errors) => {
                Self::of_faults(errors.into_iter().map(Fault::from).collect())
            }
            AppError::Refused(refusal) => Self::business(words::refusal(&refusal)),
            AppError::WrongState(report) => {
                let status = statuses(&report.file, report.now).order;
                Self::business(format!("Action prohibited for '{status}' status."))
            }
            AppError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "5030",
                "Others changed the same at once. Please send the request again.",
            ),
            AppError::Internal(source) => {
                tracing::error!(error = source.as_ref(), "request failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "5000",
                    "Unknown error occurred.",
                )
            }
        }
    }

    fn of(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::App(error) => Self::of_app(error),
            Obstacle::Faults(faults) => Self::of_faults(faults),
            Obstacle::Unparseable(what) => Self::new(
                StatusCode::BAD_REQUEST,
                "4002",
                format!("Unparseable {what} input"),
            ),
            Obstacle::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "4130",
                "Request body is too large.",
            ),
            Obstacle::TooSlow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "4080",
                "Request body did not arrive in time.",
            ),
            Obstacle::Refused(text) => Self::business(text),
            Obstacle::UnknownPath(path) => {
                let path = path.trim_start_matches('/');
                Self::new(
                    StatusCode::NOT_FOUND,
                    "4040",
                    format!("No static resource {path}."),
                )
            }
            Obstacle::WrongMethod(method) => {
                let text = format!("Request method '{method}' is not supported.");
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "4050", text)
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    code: &'static str,
    message: &'static str,
    error: ErrorDetail<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<ValidationError<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    field_errors: Vec<FieldMessages<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorDetail<'a> {
    sub_code: String,
    message: &'a str,
}

#[derive(Serialize)]
struct ValidationError<'a> {
    field: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct FieldMessages<'a> {
    field: &'a str,
    messages: Vec<&'a str>,
}

impl Reply {
    fn body(&self, family: Family) -> Vec<u8> {
        let is_about_content = self
            .faults
            .iter()
            .any(|fault| fault.kind == FaultKind::Content);
        let mut body = ErrorBody {
            code: "2400",
            message: "System message",
            error: ErrorDetail {
                sub_code: format!("{}{}", family.prefix(), self.number),
                message: &self.text,
            },
            validation_errors: Vec::new(),
            field_errors: Vec::new(),
        };
        for Fault { name, text, .. } in &self.faults {
            if !is_about_content {
                body.validation_errors.push(ValidationError {
                    field: name,
                    message: text,
                });
            } else if let Some(of_field) = body
                .field_errors
                .iter_mut()
                .find(|entry| entry.field == name)
            {
                of_field.messages.push(text);
            } else {
                body.field_errors.push(FieldMessages {
                    field: name,
                    messages: vec![text],
                });
            }
        }
        to_json(&body)
    }
}

impl IntoResponse for WebnicError {
    fn into_response(self) -> Response {
        let reply = Reply::of(self.obstacle);
        let mut response = json(reply.status, reply.body(self.family));
        let headers = response.headers_mut();
        match reply.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // The rest of such a body is not wanted, and cannot be skipped over.
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// An order's id in a path; another reseller's order is simply not there.
pub(crate) fn order_id(text: &str) -> Result<OrderId, WebnicError> {
    let digits = crate::scalars::parse_digits(text);
    digits
        .map(OrderId)
        .ok_or_else(|| WebnicError::no_such_order(text))
}

#[cfg(test)]
mod tests {
    use chancery_app::Refusal;
    use chancery_domain::access::Scope;
    use chancery_domain::contacts::{ContactField, Role};
    use chancery_domain::fields::{Field, Problem};

    use super::*;

    fn said(error: impl Into<WebnicError>) -> (u16, String) {
        let WebnicError { family, obstacle } = error.into();
        let reply = Reply::of(obstacle);
        (
            reply.status.as_u16(),
            String::from_utf8(reply.body(family)).unwrap(),
        )
    }

    fn fault(field: Field, problem: Problem) -> FieldError {
        FieldError { field, problem }
    }

    #[test]
    fn a_bad_token_is_told_in_the_exact_words() {
        let (status, body) = said(AppError::Unauthenticated);
        assert_eq!(status, 401);
        assert_eq!(
            body,
            r#"{"code":"2400","message":"System message","error":{"subCode":"SSL4010","message":"Invalid or expired token. Reason: Provided token isn't active"}}"#
        );
        let (status, body) = said(WebnicError::of_reseller_api(AppError::UnknownUsername));
        assert_eq!(status, 500);
        assert!(
            body.contains(r#""subCode":"RES5001","message":"Invalid username""#),
            "{body}"
        );
    }

    #[test]
    fn a_credential_is_told_what_it_may_not() {
        let address = "203.0.113.7".parse().unwrap();
        let (status, body) = said(AppError::AddressNotAllowed(address));
        assert_eq!(status, 403);
        assert!(body.contains(
            r#"{"subCode":"SSL0004","message":"Forbidden access with current ip address: 203.0.113.7"}"#
        ));
        let (held, needed) = (Scope::Read, Scope::Money);
        let refusal = WebnicError::of_reseller_api(AppError::OutOfScope { held, needed });
        let (status, body) = said(refusal);
        assert_eq!(status, 403);
        assert!(body.contains(
            r#"{"subCode":"RES4030","message":"Forbidden: the credential has the scope 'read', this needs 'money'."}"#
        ));
    }

    #[test]
    fn faults_of_form_are_listed_all_at_once() {
        let errors = vec![
            FieldError::missing(Field::Csr),
            fault(Field::Term, Problem::Type("an integer")),
            fault(Field::Product, Problem::Unknown("x".to_owned())),
        ];
        let (status, body) = said(errors);
        assert_eq!(status, 400);
        assert_eq!(
            body,
            r#"{"code":"2400","message":"System message","error":{"subCode":"SSL4000","message":"Field validation error."},"validationErrors":[{"field":"csr","message":"'csr' is required."},{"field":"term","message":"'term' is invalid. Expected an integer."},{"field":"productKey","message":"Invalid product key."}]}"#
        );
    }

    #[test]
    fn a_lone_fault_of_business_has_no_list() {
        let terms = ["1", "2", "3"].map(str::to_owned).to_vec();
        let (_, body) = said(vec![fault(Field::Term, Problem::NotOneOf(terms))]);
        assert_eq!(
            body,
            r#"{"code":"2400","message":"System message","error":{"subCode":"SSL2400","message":"Invalid terms. Supported terms are [1, 2, 3]"}}"#
        );
        let (_, body) = said(vec![fault(
            Field::Administrator,
            Problem::Unknown("1".to_owned()),
        )]);
        assert!(body.contains(r#"{"subCode":"SSL2400","message":"Contact not found: SSL1T"}"#));
    }

    #[test]
    fn the_content_of_contacts_goes_into_the_other_list() {
        let first = Field::Contact(Role::Administrator, ContactField::FirstName);
        let last = Field::Contact(Role::Administrator, ContactField::LastName);
        let errors = vec![
            fault(first, Problem::Length { min: 1, max: 60 }),
            fault(first, Problem::Format),
            FieldError::missing(last),
        ];
        let (_, body) = said(errors);
        assert_eq!(
            body,
            r#"{"code":"2400","message":"System message","error":{"subCode":"SSL4000","message":"Field validation error."},"fieldErrors":[{"field":"administrator.firstName","messages":["invalid length - min: 1 | max: 60","invalid format"]},{"field":"administrator.lastName","messages":["'administrator.lastName' is required."]}]}"#
        );
        let (_, body) = said(vec![FieldError::missing(last)]);
        assert!(
            body.contains("validationErrors") && !body.contains("fieldErrors"),
            "{body}"
        );
    }

    #[test]
    fn the_wire_s_own_errors_speak_the_dialect() {
        let told = |obstacle: Obstacle| {
            let (status, body) = said(obstacle);
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let text = |key: &str| body["error"][key].as_str().unwrap().to_owned();
            (status, text("subCode"), text("message"))
        };
        let is = |obstacle, status: u16, sub_code: &str, message: &str| {
            assert_eq!(
                told(obstacle),
                (status, sub_code.to_owned(), message.to_owned())
            );
        };
        is(
            Obstacle::Unparseable("JSON"),
            400,
            "SSL4002",
            "Unparseable JSON input",
        );
        is(
            Obstacle::TooLarge,
            413,
            "SSL4130",
            "Request body is too large.",
        );
        is(
            Obstacle::TooSlow,
            408,
            "SSL4080",
            "Request body did not arrive in time.",
        );
        let path = "/ssl/v2/nothing".to_owned();
        is(
            Obstacle::UnknownPath(path),
            404,
            "SSL4040",
            "No static resource ssl/v2/nothing.",
        );
        let method = Method::PATCH;
        is(
            Obstacle::WrongMethod(method),
            405,
            "SSL4050",
            "Request method 'PATCH' is not supported.",
        );
        is(
            Obstacle::App(Refusal::InsufficientBalance.into()),
            400,
            "SSL2400",
            "Unable to place order due to insufficient balance",
        );
        let internal = AppError::internal(std::io::Error::other("the disk is full"));
        is(
            Obstacle::App(internal),
            500,
            "SSL5000",
            "Unknown error occurred.",
        );
    }
}
