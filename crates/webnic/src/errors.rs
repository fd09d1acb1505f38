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
    /// There are too many requests or connections at once.
    Overloaded,
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

/// Answers whoever comes while there are too many others.
pub fn overloaded(path: &str) -> Response {
    WebnicError::new(Family::of(path), Obstacle::Overloaded).into_response()
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
    /// When to try again, in seconds.
    retry_seconds: Option<u64>,
}

impl Reply {
    fn new(status: StatusCode, number: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            number,
            text: text.into(),
            faults: Vec::new(),
            retry_seconds: None,
        }
    }

    fn business(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "2400", text)
    }

    fn later(self, retry_seconds: u64) -> Self {
        Self {
            retry_seconds: Some(retry_seconds),
            ..self
        }
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
            AppError::Suspended => Self::new(
                StatusCode::FORBIDDEN,
                "4030",
                "Forbidden: the reseller account is suspended. Please ask its provider.",
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
            )
            .later(1),
            AppError::TooMany {
                what,
                retry_seconds,
            } => {
                let text = words::too_many(what, retry_seconds);
                Self::new(StatusCode::TOO_MANY_REQUESTS, "4290", text).later(retry_seconds)
            }
            AppError::Unavailable { is_undone, source } => {
                tracing::error!(error = source.as_ref(), "the database is away");
                let text = match is_undone {
                    true => "The platform is not available at the moment. Please try again later.",
                    false => {
                        "The platform is not available at the moment and cannot tell whether this was done. \
                         Please look before trying again."
                    }
                };
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "5031", text)
                    .later(AppError::AWAY_SECONDS)
            }
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
            Obstacle::Overloaded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "5032",
                "Too many requests at once. Please send the request again in a moment.",
            )
            .later(1),
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
            // The rest of such a body is not wanted, and cannot be skipped over.
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        if let Some(seconds) = reply.retry_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
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
mod tests;
