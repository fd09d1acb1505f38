//! The repository: CA certificates and revocation lists, at the URLs inside certificates (RFC 5280
//! §4.2.1.13, §4.2.2.1), over plain HTTP, DER.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chancery_app::{App, AppError};

const CERTIFICATE: HeaderValue = HeaderValue::from_static("application/pkix-cert");
const CRL: HeaderValue = HeaderValue::from_static("application/pkix-crl");

/// Lists are signed daily; a cache may keep one for an hour.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=3600");

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/pki/root.crt", get(root_certificate))
        .route("/pki/issuing.crt", get(issuing_certificate))
        .route("/pki/root.crl", get(root_crl))
        .route("/pki/issuing.crl", get(issuing_crl))
        .with_state(app)
}

async fn root_certificate(State(app): State<App>) -> Response {
    served(CERTIFICATE, app.root_certificate())
}

async fn issuing_certificate(State(app): State<App>) -> Response {
    served(CERTIFICATE, app.issuing_certificate())
}

async fn root_crl(State(app): State<App>) -> Response {
    list(app.root_crl().await)
}

async fn issuing_crl(State(app): State<App>) -> Response {
    list(app.issuing_crl().await)
}

fn list(found: Result<Option<Vec<u8>>, AppError>) -> Response {
    match found {
        Ok(Some(der)) => served(CRL, der),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "reading a revocation list failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn served(kind: HeaderValue, der: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, CACHE)], der).into_response()
}
