//! Who may use the control surface: programs on this machine, and no web page of someone else.
//!
//! A browser on this machine would carry a foreign page's request to loopback, either openly (then it names the
//! page in Origin) or after the page's own host name was pointed here (then the Host header gives it away). A
//! proxy on this machine would carry anybody's; what it adds to a request gives it away.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::control::Refusal;

/// Who may use the control surface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Only clients on this machine that are not led by a foreign web page.
    LoopbackOnly,
    /// Anyone who can connect. The operator has chosen so.
    Anyone,
}

pub(crate) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    match objection(access, &request) {
        Some(why) => Refusal::new(StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    }
}

/// Why the request may not pass. What cannot be told counts against it.
fn objection(access: Access, request: &Request) -> Option<&'static str> {
    if access == Access::Anyone {
        return None;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let headers = request.headers();
    let host = request
        .uri()
        .authority()
        .map(axum::http::uri::Authority::as_str)
        .or(text(headers, HOST));
    if !peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback()) {
        return Some("the OTE control surface is open to this machine only");
    }
    if !host.is_some_and(is_loopback_authority) {
        return Some("the OTE control surface is asked for by a loopback name or address only");
    }
    if headers.keys().any(is_of_a_proxy) {
        return Some("the OTE control surface is not to be reached through a proxy");
    }
    if headers.contains_key(ORIGIN) && !text(headers, ORIGIN).is_some_and(is_loopback_origin) {
        return Some("the OTE control surface is closed to other web pages");
    }
    None
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a header is one that proxies add.
fn is_of_a_proxy(name: &HeaderName) -> bool {
    matches!(name.as_str(), "forwarded" | "via" | "x-real-ip")
        || name.as_str().starts_with("x-forwarded-")
}

fn is_loopback_origin(origin: &str) -> bool {
    let rest = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(is_loopback_authority)
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port.
fn is_loopback_authority(authority: &str) -> bool {
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let bare = authority
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || bare
            .unwrap_or(host)
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_authorities_are_told_from_others() {
        for authority in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:8080",
        ] {
            assert!(is_loopback_authority(authority), "{authority}");
        }
        for authority in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[2001:db8::1]:80",
            "user@localhost",
            "localhost:x",
        ] {
            assert!(!is_loopback_authority(authority), "{authority}");
        }
        assert!(is_loopback_origin("http://localhost:8080"));
        assert!(!is_loopback_origin("null"));
        assert!(!is_loopback_origin("https://evil.example"));
    }
}
