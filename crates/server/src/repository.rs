//! The repository: CA certificates and revocation lists, at the URLs inside certificates (RFC 5280
//! §4.2.1.13, §4.2.2.1), over plain HTTP, DER. What this process has seen once is served from memory, so that
//! relying parties notice nothing of an outage of the database.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chancery_app::{App, AppError, PublishedCrl};

const CERTIFICATE: HeaderValue = HeaderValue::from_static("application/pkix-cert");
const CRL: HeaderValue = HeaderValue::from_static("application/pkix-crl");

/// Lists are signed daily; a cache may keep one for an hour.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=3600");

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/pki/root.crt", get(root_certificate))
        .route("/pki/{file}", get(published))
        .with_state(app)
}

async fn root_certificate(State(app): State<App>) -> Response {
    served(CERTIFICATE, app.root_certificate())
}

/// Of each issuing CA, the certificate and the revocation list have URLs of their own, for as long as there
/// is the database; so has the root's list.
async fn published(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    let file = uri.path().rsplit('/').next().unwrap_or_default();
    match file.split_once('.') {
        Some((name, "crt")) => found(app.issuing_certificate(name).await, |der| {
            served(CERTIFICATE, der)
        }),
        Some((name, "crl")) => found(app.crl(name).await, |crl| served_crl(&headers, crl)),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn found<T>(read: Result<Option<T>, AppError>, serve: impl FnOnce(T) -> Response) -> Response {
    match read {
        Ok(Some(found)) => serve(found),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error @ AppError::Unavailable { .. }) => {
            tracing::error!(%error, "reading a certificate or a revocation list failed");
            let later = [(RETRY_AFTER, HeaderValue::from(AppError::AWAY_SECONDS))];
            (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "reading a certificate or a revocation list failed");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn served(kind: HeaderValue, der: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, CACHE)], der).into_response()
}

/// A list may be of megabytes: who has it already is told so (RFC 9110 §13.1.2).
fn served_crl(headers: &HeaderMap, crl: Arc<PublishedCrl>) -> Response {
    let tag = format!("\"{}\"", crl.digest);
    let made = crl.this_update.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let about = [
        (CONTENT_TYPE, CRL),
        (CACHE_CONTROL, CACHE),
        (ETAG, ascii(&tag)),
        (LAST_MODIFIED, ascii(&made.to_string())),
    ];
    let asked = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = asked
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if tags.any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, Bytes::from_owner(Octets(crl))).into_response()
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits, letters and signs are a header's value")
}

/// The octets of a list that stay where they are while they are sent.
struct Octets(Arc<PublishedCrl>);

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0.der
    }
}
