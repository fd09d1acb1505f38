//! One request: its id, its answer, and its line in the log.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use hyper::body::Incoming;
use tower::ServiceExt as _;
use tracing::Instrument as _;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives requests their ids: what this start is called, and a number.
pub(crate) struct RequestIds {
    start: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let mut start = [0; 4];
        aws_lc_rs::rand::fill(&mut start).expect("the operating system gives random bytes");
        Self {
            start: format!("{:08x}", u32::from_be_bytes(start)),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.start)
    }
}

/// Has a request answered. Whatever is logged meanwhile carries the id that the answer names.
pub(crate) async fn answer(
    router: Router,
    mut request: hyper::Request<Incoming>,
    peer: SocketAddr,
    ids: &RequestIds,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let id = ids.next();
    // Of the highest level, so that errors carry it whatever else is logged.
    let span = tracing::error_span!(
        "request",
        id,
        method = %request.method(),
        path = %shown(request.uri().path()),
    );
    let began = Instant::now();
    let answering = router.oneshot(request.map(Body::new));
    let mut response = answering.instrument(span.clone()).await?;
    let micros = began.elapsed().as_micros();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, micros, "answered"));
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// A path for the log. What follows in an approval link is a secret, however the link was mangled.
fn shown(path: &str) -> Cow<'_, str> {
    const SECRET_FOLLOWS: &[u8] = b"approve/";
    let found = path
        .as_bytes()
        .windows(SECRET_FOLLOWS.len())
        .position(|window| window.eq_ignore_ascii_case(SECRET_FOLLOWS));
    match found {
        Some(at) => format!("{}…", &path[..at + SECRET_FOLLOWS.len()]).into(),
        None => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_an_approval_link_is_not_shown() {
        for (path, text) in [
            ("/approve/s3cret", "/approve/…"),
            ("//approve/s3cret", "//approve/…"),
            ("/x/Approve//s3cret/", "/x/Approve/…"),
            ("/approve", "/approve"),
            (
                "/ssl/v2/orders/1/approver-email",
                "/ssl/v2/orders/1/approver-email",
            ),
            ("/é", "/é"),
        ] {
            assert_eq!(shown(path), text);
        }
    }

    #[test]
    fn no_two_requests_share_an_id() {
        let ids = RequestIds::new();
        assert_ne!(ids.next(), ids.next());
        assert_ne!(ids.next(), RequestIds::new().next());
    }
}
