//! The repository: CA certificates and revocation lists, at the URLs inside certificates (RFC 5280
//! §4.2.1.13, §4.2.2.1), over plain HTTP, DER.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
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
        .route("/pki/root.crl", get(root_crl))
        .route("/pki/{file}", get(of_issuing_ca))
        .with_state(app)
}

async fn root_certificate(State(app): State<App>) -> Response {
    served(CERTIFICATE, app.root_certificate())
}

async fn root_crl(State(app): State<App>) -> Response {
    found(CRL, app.root_crl().await)
}

/// Of each issuing CA, the certificate and the revocation list have URLs of their own, for as long as there
/// is the database.
async fn of_issuing_ca(State(app): State<App>, uri: Uri) -> Response {
    let file = uri.path().rsplit('/').next().unwrap_or_default();
    match file.split_once('.') {
        Some((name, "crt")) => found(CERTIFICATE, app.issuing_certificate(name).await),
        Some((name, "crl")) => found(CRL, app.issuing_crl(name).await),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn found(kind: HeaderValue, read: Result<Option<Vec<u8>>, AppError>) -> Response {
    match read {
        Ok(Some(der)) => served(kind, der),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%error, "reading a certificate or a revocation list failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn served(kind: HeaderValue, der: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, CACHE)], der).into_response()
}
