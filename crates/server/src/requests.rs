//! One request: its id, its answer, and its line in the log.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderName, HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse as _, Response};
use chancery_bodies::Budget;
use hyper::body::Incoming;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::clients::{Client, client_address};
use crate::dialects;
use crate::health::{self, ThroughStrangers};
use crate::listener::RESERVED_PATIENCE;
use crate::places::Manner;
use crate::reloads::Reloadable;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers requests, and what is true for all of them.
pub(crate) struct Reception {
    router: Router,
    ids: RequestIds,
    trusted_proxies: Arc<Reloadable>,
    bodies: Budget,
}

/// Gives requests their ids: what this start is called, and a number.
struct RequestIds {
    start: String,
    next: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
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

impl Reception {
    /// All bodies together may take so many octets.
    pub(crate) fn new(
        router: Router,
        trusted_proxies: Arc<Reloadable>,
        body_octets: usize,
    ) -> Self {
        Self {
            bodies: Budget::new(body_octets),
            router,
            ids: RequestIds::new(),
            trusted_proxies,
        }
    }

    /// Has a request answered. Whatever is logged meanwhile carries the id that the answer names.
    ///
    /// Whoever answers finds the client's address in `ConnectInfo`; its port is 0 where it is behind a proxy.
    pub(crate) async fn answer(
        &self,
        mut request: hyper::Request<Incoming>,
        peer: SocketAddr,
        manner: Manner,
    ) -> Result<Response, Infallible> {
        let (client, is_believed) = self.trusted_proxies.read(|proxies| {
            let client = client_address(peer.ip(), request.headers(), proxies);
            (client, proxies.contains(peer.ip()))
        });
        if !is_believed && health::tell_of_a_proxy(request.headers()) {
            request.extensions_mut().insert(ThroughStrangers);
        }
        let is_direct = client == peer.ip().to_canonical();
        let port = if is_direct { peer.port() } else { 0 };
        let connected = ConnectInfo(SocketAddr::new(client, port));
        request.extensions_mut().insert(connected);
        let id = self.ids.next();
        // Of the highest level, so that errors carry it whatever else is logged.
        let span = tracing::error_span!(
            "request",
            id,
            %client,
            method = %request.method(),
            path = %shown(request.uri().path()),
        );
        let began = Instant::now();
        let mut response = if !is_for_one_host(&request) {
            not_for_one_host()
        } else if manner == Manner::Reserved && !is_always_answered(request.uri().path()) {
            dialects::overloaded(request.uri().path())
        } else {
            let (head, body) = request.into_parts();
            let time = (manner == Manner::Reserved).then_some(RESERVED_PATIENCE);
            // A trusted proxy that does not say whom it asks for may ask for many.
            let is_known = !(is_believed && is_direct);
            let of_whom = is_known.then(|| Client::of(client).number());
            let (body, share) = self.bodies.watch(of_whom, body, time);
            let request = hyper::Request::from_parts(head, Body::new(body));
            let answering = self.router.clone().oneshot(request);
            let response = answering.instrument(span.clone()).await?;
            drop(share);
            response
        };
        let micros = began.elapsed().as_micros();
        let status = response.status().as_u16();
        span.in_scope(|| tracing::info!(status, micros, "answered"));
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Ok(response)
    }
}

/// Whether a path is answered however many connections there are: monitors and relying parties must not be shut out.
fn is_always_answered(path: &str) -> bool {
    path == "/health" || path.starts_with("/health/") || path.starts_with("/pki/")
}

/// Whether a request names its host as it has to (RFC 9112 §3.2): once, or before HTTP/1.1 perhaps not at all. Where
/// two are named, whoever stands before us may have gone by the other one.
fn is_for_one_host<B>(request: &hyper::Request<B>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        1 => true,
        _ => false,
    }
}

fn not_for_one_host() -> Response {
    let close = [(CONNECTION, HeaderValue::from_static("close"))];
    let text = "a request names its host in one Host header\n";
    (StatusCode::BAD_REQUEST, close, text).into_response()
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
