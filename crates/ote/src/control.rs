//! The control surface of OTE mode: HTTP routes below `/ote/` that change the world and the clock.
//!
//! Bodies are JSON, whatever their Content-Type says; files are raw. An error is `{"error": "…"}` with a status of
//! 400 or above. The routes belong on the platform's own listener; [`Access`] keeps strangers out.

mod clock;
mod dns;
mod mail;
mod web;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use chancery_domain::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::access::{Access, guard};
use crate::errors::OteError;
use crate::worlds::OteWorld;

/// The largest body taken, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// What the control surface asks of the platform behind it.
pub trait Platform: Send + Sync + 'static {
    /// The time in the process.
    fn now(&self) -> Timestamp;

    /// Moves the clock and keeps it moved. Gives the new time, or says why not.
    fn set_clock(&self, to: SetClock) -> impl Future<Output = Result<Timestamp, String>> + Send;

    /// Runs the jobs that are due until none is left. Gives how many ran, or says why it could not.
    fn run_jobs(&self) -> impl Future<Output = Result<u64, String>> + Send;
}

/// How to move the clock. It only goes forward.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetClock {
    /// By this much; never negative.
    Advance(SignedDuration),
    /// To this moment.
    To(Timestamp),
}

/// What every handler works on.
struct Control<P> {
    world: OteWorld,
    platform: Arc<P>,
}

/// The routes, ready to be merged into the platform's router.
///
/// The listener must attach `ConnectInfo<SocketAddr>` to its requests, or [`Access::LoopbackOnly`] refuses all.
pub fn router<P: Platform>(world: OteWorld, platform: Arc<P>, access: Access) -> Router {
    Router::new()
        .route("/ote/clock", get(clock::show::<P>).post(clock::set::<P>))
        .route("/ote/jobs/run", post(clock::run_jobs::<P>))
        .route("/ote/zones", get(dns::list_zones::<P>))
        .route("/ote/zones/{zone}", put(dns::add_zone::<P>))
        .route("/ote/dns", get(dns::list::<P>))
        .route(
            "/ote/dns/{name}/{type}",
            put(dns::put::<P>).delete(dns::delete::<P>),
        )
        .route("/ote/web", get(web::list::<P>))
        .route(
            "/ote/web/{host}/",
            put(web::put::<P>).delete(web::delete::<P>),
        )
        .route(
            "/ote/web/{host}/{*path}",
            put(web::put::<P>).delete(web::delete::<P>),
        )
        .route("/ote/mail", get(mail::list::<P>).delete(mail::clear::<P>))
        .route("/ote/mail/{id}", get(mail::show::<P>))
        .route("/ote/{*rest}", any(unknown))
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::new(Control { world, platform }))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(access, guard))
}

async fn unknown(uri: Uri) -> Refusal {
    let path = uri.path();
    Refusal::new(
        StatusCode::NOT_FOUND,
        format!("the OTE control surface has no {path}"),
    )
}

async fn wrong_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path has other methods",
    )
}

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<OteError> for Refusal {
    fn from(error: OteError) -> Self {
        let status = match &error {
            OteError::Refused(_) => StatusCode::BAD_REQUEST,
            OteError::NotFound(_) => StatusCode::NOT_FOUND,
            OteError::Io { source, .. } => {
                tracing::error!(%error, cause = %source, "the OTE world cannot be kept");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Document(json!({ "error": self.message }))).into_response()
    }
}

/// A JSON answer.
struct Document(Value);

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        (
            [(CONTENT_TYPE, "application/json")],
            format!("{}\n", self.0),
        )
            .into_response()
    }
}

/// The parts of the path that vary, percent-decoded.
struct Params(RawPathParams);

impl Params {
    /// The part called `name`; empty where the route has none.
    fn part(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match RawPathParams::from_request_parts(parts, state).await {
            Ok(params) => Ok(Self(params)),
            Err(rejection) => Err(Refusal::new(rejection.status(), rejection.body_text())),
        }
    }
}

/// The body, within [`BODY_LIMIT`].
struct Raw(Bytes);

impl Raw {
    fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.0)
            .map_err(|error| Refusal::bad(format!("the body is not what is expected: {error}")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body is larger than {BODY_LIMIT} bytes");
                Err(Refusal::new(rejection.status(), message))
            }
            Err(rejection) => Err(Refusal::new(rejection.status(), rejection.body_text())),
        }
    }
}
