//! `/pki/revoke`: revocation by whoever holds a certificate's private key, without an account.
//!
//! A proof is a JWS as of RFC 8555 §7.6, or a CSR made for the purpose, PEM or in JSON. Refusals are problem documents
//! (RFC 9457) with the types of RFC 8555 §6.7, which programs for revocation know.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chancery_app::{App, AppError, KeyHolderError, KeyHolderReport, KeyProof};
use chancery_bodies::BodyError;
use chancery_domain::certificates::serial_hex;
use serde_json::{Value, json};

/// The longest proof, in octets: a certificate of a hundred names and a signature.
const PROOF_LIMIT: usize = 64 * 1024;

/// What a person who looks at the address reads.
const HELP: &str = include_str!("../assets/revoke.txt");

/// Where a proof is taken, and what is said of it.
#[derive(Clone)]
struct Desk {
    app: App,
    /// How long a client may take to send a body.
    body_time: Duration,
    help: String,
}

/// The route. `public_url` is where people reach it, without a final slash.
pub(crate) fn router(app: App, body_time: Duration, public_url: &str) -> Router {
    let desk = Desk {
        app,
        body_time,
        help: HELP.replace("{public_url}", public_url),
    };
    Router::new()
        .route("/pki/revoke", get(help).post(revoke))
        .with_state(desk)
}

async fn help(State(desk): State<Desk>) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(CONTENT_TYPE, kind)], desk.help).into_response()
}

async fn revoke(State(desk): State<Desk>, request: Request) -> Response {
    let ConnectInfo(client) = match request.extensions().get::<ConnectInfo<SocketAddr>>() {
        Some(client) => *client,
        None => return problem(&internal("the client's address is not known")),
    };
    let body = match chancery_bodies::read(request.into_body(), desk.body_time, PROOF_LIMIT).await {
        Ok(body) => body,
        Err(error) => return unread(error),
    };
    let Some(proof) = proof(&body) else {
        let text = "send a JWS in the flattened JSON form, or a CSR, PEM or as the member 'csr' of a JSON object";
        return problem(&KeyHolderError::Malformed(text.to_owned()));
    };
    match desk.app.revoke_by_key(proof, client.ip()).await {
        Ok(report) => answer(StatusCode::OK, "application/json", &done(&report)),
        Err(error) => problem(&error),
    }
}

/// A proof, whichever it is; its content type does not matter.
fn proof(body: &[u8]) -> Option<KeyProof> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with('{') {
        return (!text.is_empty()).then(|| KeyProof::Csr(text.to_owned()));
    }
    match serde_json::from_str(text).ok()? {
        Value::Object(members) => match members.get("csr") {
            Some(Value::String(csr)) => Some(KeyProof::Csr(csr.clone())),
            Some(_) => None,
            None => Some(KeyProof::Jws(members)),
        },
        _ => None,
    }
}

fn done(report: &KeyHolderReport) -> Value {
    let serial = serial_hex(&report.serial);
    let key_blocked = report.is_key_blocked;
    let Some(revocation) = &report.revocation else {
        let ended = report.not_after.to_string();
        return json!({ "serial": serial, "status": "ended", "endedAt": ended, "keyBlocked": key_blocked });
    };
    json!({
        "serial": serial,
        "status": "revoked",
        "reason": revocation.reason.name(),
        "reasonCode": revocation.reason.code(),
        "revokedAt": second(revocation.at),
        "requestedAt": second(revocation.asked_at),
        "dueBy": second(revocation.due_at),
        "keyBlocked": key_blocked,
    })
}

fn second(at: chancery_domain::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn internal(text: &'static str) -> KeyHolderError {
    KeyHolderError::App(AppError::Internal(text.into()))
}

fn unread(error: BodyError) -> Response {
    let (status, title, detail) = match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "Too long",
            "a proof has 64 KiB at most",
        ),
        BodyError::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            "Too slow",
            "the body did not arrive in time",
        ),
        BodyError::Broken => (
            StatusCode::BAD_REQUEST,
            "Malformed",
            "the body did not arrive",
        ),
        BodyError::NoRoom => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too much",
            "there are too many requests at once: send it again in a moment",
        ),
    };
    let mut response = told(status, "malformed", title, detail);
    let close = HeaderValue::from_static("close");
    response
        .headers_mut()
        .insert(axum::http::header::CONNECTION, close);
    response
}

/// A refusal as a problem document.
fn problem(error: &KeyHolderError) -> Response {
    const UNPROCESSED: StatusCode = StatusCode::BAD_REQUEST;
    let text = error.to_string();
    let (status, kind, title) = match error {
        KeyHolderError::Malformed(_) => (UNPROCESSED, "malformed", "Malformed"),
        KeyHolderError::UnknownCertificate => {
            (StatusCode::NOT_FOUND, "malformed", "Unknown certificate")
        }
        KeyHolderError::NotProved(_) => (StatusCode::FORBIDDEN, "unauthorized", "Not proved"),
        KeyHolderError::Algorithm(_) => {
            (UNPROCESSED, "badSignatureAlgorithm", "Algorithm not taken")
        }
        KeyHolderError::Reason(_) => (UNPROCESSED, "badRevocationReason", "Reason not taken"),
        KeyHolderError::TooMany(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            "rateLimited",
            "Too many requests",
        ),
        KeyHolderError::App(AppError::Busy) => {
            (StatusCode::SERVICE_UNAVAILABLE, "serverInternal", "Busy")
        }
        KeyHolderError::App(AppError::Unavailable { source, .. }) => {
            tracing::error!(error = source.as_ref(), "the database is away");
            (StatusCode::SERVICE_UNAVAILABLE, "serverInternal", "Away")
        }
        KeyHolderError::App(error) => {
            tracing::error!(%error, "a revocation by the key's holder failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "serverInternal",
                "Failed",
            )
        }
    };
    let detail = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "something went wrong on our side",
        StatusCode::SERVICE_UNAVAILABLE => "not possible at the moment: send it again later",
        _ => &text,
    };
    let mut response = told(status, kind, title, detail);
    let retry_seconds = match error {
        KeyHolderError::TooMany(seconds) => Some(*seconds),
        KeyHolderError::App(AppError::Busy) => Some(1),
        KeyHolderError::App(AppError::Unavailable { .. }) => Some(AppError::AWAY_SECONDS),
        _ => None,
    };
    if let Some(seconds) = retry_seconds {
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn told(status: StatusCode, kind: &str, title: &str, detail: &str) -> Response {
    let body = json!({
        "type": format!("urn:ietf:params:acme:error:{kind}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
    });
    answer(status, "application/problem+json", &body)
}

fn answer(status: StatusCode, kind: &'static str, body: &Value) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, Body::from(format!("{body}\n"))).into_response()
}
