//! The control surface: every route, every documented error, and who is kept out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use chancery_domain::Timestamp;
use chancery_domain::observations::Outcome;
use chancery_ote::Access;
use chancery_ote::control::{self, Platform, SetClock};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fixtures::{FILE_PATH, Outside, VALUE, address};

/// A platform of a clock and nothing else.
struct Clockwork {
    seconds: AtomicI64,
}

impl Platform for Clockwork {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds.load(Ordering::SeqCst)).expect("a time")
    }

    async fn set_clock(&self, to: SetClock) -> Result<Timestamp, String> {
        match to {
            SetClock::Advance(by) => {
                self.seconds.fetch_add(by.as_secs(), Ordering::SeqCst);
            }
            SetClock::To(at) if at.as_second() == 4_000_000_000 => return Err("no".to_owned()),
            SetClock::To(at) => self.seconds.store(at.as_second(), Ordering::SeqCst),
        }
        Ok(self.now())
    }

    async fn run_jobs(&self) -> Result<u64, String> {
        Ok(3)
    }
}

struct Surface {
    outside: Outside,
    router: Router,
}

impl Surface {
    async fn start() -> Self {
        Self::with(Access::LoopbackOnly).await
    }

    async fn with(access: Access) -> Self {
        let outside = Outside::start().await;
        let platform = Arc::new(Clockwork {
            seconds: AtomicI64::new(1_800_000_000),
        });
        let router = control::router(outside.world.clone(), platform, access);
        Self { outside, router }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        read(response).await
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        self.send(request(method, path, body)).await
    }

    async fn expect(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, value) = self.call(method, path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {value}");
        value
    }

    async fn expect_error(&self, method: &str, path: &str, body: &str, status: u16, why: &str) {
        let (actual, value) = self.call(method, path, body).await;
        let error = value["error"].as_str().unwrap_or_default();
        assert_eq!(actual.as_u16(), status, "{method} {path} {body}: {value}");
        assert!(error.contains(why), "{method} {path} {body}: {value}");
    }
}

async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:8080")
        .body(Body::from(body.to_owned()))
        .expect("a request");
    request
        .extensions_mut()
        .insert(ConnectInfo(address("127.0.0.1:40000")));
    request
}

#[tokio::test]
async fn the_clock_is_shown_and_goes_forward_only() {
    let surface = Surface::start().await;
    let at = |text: &str| json!({ "now": text });
    assert_eq!(
        surface.expect("GET", "/ote/clock", "").await,
        at("2027-01-15T08:00:00Z")
    );
    let moved = surface
        .expect("POST", "/ote/clock", r#"{"advance_seconds":3600}"#)
        .await;
    assert_eq!(moved, at("2027-01-15T09:00:00Z"));
    let moved = surface
        .expect(
            "POST",
            "/ote/clock",
            r#"{"set":"2027-02-01T00:00:00+01:00"}"#,
        )
        .await;
    assert_eq!(moved, at("2027-01-31T23:00:00Z"));
    for (body, why) in [
        (r#"{"advance_seconds":-1}"#, "only goes forward"),
        (r#"{"set":"2027-01-01T00:00:00Z"}"#, "only goes forward"),
        (
            r#"{"advance_seconds":9000000000000}"#,
            "beyond the calendar",
        ),
        (r#"{"set":"tomorrow"}"#, "'tomorrow' is not a time"),
        (r#"{"set":"2096-10-02T07:06:40Z"}"#, "no"),
        (
            r#"{"set":"2027-03-01T00:00:00Z","advance_seconds":1}"#,
            "either",
        ),
        ("{}", "either"),
        (r#"{"advance":1}"#, "unknown field"),
        ("now", "not what is expected"),
    ] {
        surface
            .expect_error("POST", "/ote/clock", body, 400, why)
            .await;
    }
    assert_eq!(
        surface.expect("GET", "/ote/clock", "").await,
        at("2027-01-31T23:00:00Z")
    );
}

#[tokio::test]
async fn due_jobs_are_run_on_request() {
    let surface = Surface::start().await;
    assert_eq!(
        surface.expect("POST", "/ote/jobs/run", "").await,
        json!({ "ran": 3 })
    );
}

#[tokio::test]
async fn a_published_record_proves_a_name_and_a_deleted_one_does_not() {
    let surface = Surface::start().await;
    let path = "/ote/dns/_dnsauth.shop.test/TXT";
    let body = json!({ "values": [VALUE], "ttl": 30 }).to_string();
    let placed = surface.expect("PUT", path, &body).await;
    let expected =
        json!({ "name": "_dnsauth.shop.test", "type": "TXT", "ttl": 30, "values": [VALUE] });
    assert_eq!(placed, expected);
    assert_eq!(
        surface.expect("GET", "/ote/dns", "").await,
        json!([expected])
    );
    assert_eq!(
        surface.outside.look_for_txt("shop.test").await.outcome,
        Outcome::Proved
    );
    assert_eq!(
        surface.call("DELETE", path, "").await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        surface.outside.look_for_txt("shop.test").await.outcome,
        Outcome::NoSuchName
    );
    surface
        .expect_error("DELETE", path, "", 404, "there is no TXT record")
        .await;
}

#[tokio::test]
async fn bad_records_are_refused_with_the_reason() {
    let surface = Surface::start().await;
    surface
        .expect("PUT", "/ote/dns/a.test/TXT", r#"{"values":["x"]}"#)
        .await;
    for (path, body, why) in [
        (
            "/ote/dns/a.test/WKS",
            r#"{"values":["x"]}"#,
            "'WKS' is not a record type",
        ),
        (
            "/ote/dns/a.test/A",
            r#"{"values":["x"]}"#,
            "'x' cannot be a A value",
        ),
        ("/ote/dns/a.test/A", r#"{"values":"x"}"#, "invalid type"),
        ("/ote/dns/a.test/A", r#"{"values":[]}"#, "use DELETE"),
        ("/ote/dns/a.test/A", "", "not what is expected"),
        (
            "/ote/dns/a.edu/A",
            r#"{"values":["127.0.0.1"]}"#,
            "PUT /ote/zones/",
        ),
        (
            "/ote/dns/a%20b.test/A",
            r#"{"values":["127.0.0.1"]}"#,
            "is not a name",
        ),
        (
            "/ote/dns/a.test/CNAME",
            r#"{"values":["b.test"]}"#,
            "a CNAME stands alone",
        ),
        (
            "/ote/dns/example.com/CNAME",
            r#"{"values":["b.test"]}"#,
            "cannot be an alias",
        ),
    ] {
        surface.expect_error("PUT", path, body, 400, why).await;
    }
}

#[tokio::test]
async fn a_failure_can_be_put_in_place_of_values() {
    let surface = Surface::start().await;
    let path = "/ote/dns/_dnsauth.shop.test/TXT";
    let placed = surface.expect("PUT", path, r#"{"rcode":"SERVFAIL"}"#).await;
    assert_eq!(placed["rcode"], "SERVFAIL");
    assert_eq!(
        surface.outside.look_for_txt("shop.test").await.outcome,
        Outcome::ServerFailure
    );
    assert_eq!(
        surface.expect("PUT", path, r#"{"drop":true}"#).await["drop"],
        true
    );
    assert_eq!(
        surface.outside.look_for_txt("shop.test").await.outcome,
        Outcome::Timeout
    );
}

#[tokio::test]
async fn zones_are_added_once() {
    let surface = Surface::start().await;
    for _ in 0..2 {
        let added = surface.expect("PUT", "/ote/zones/Shop.Kiosk", "").await;
        assert_eq!(added, json!({ "zone": "shop.kiosk" }));
    }
    let zones = surface.expect("GET", "/ote/zones", "").await;
    let mut zones: Vec<&str> = zones
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    zones.sort_unstable();
    let expected = [
        "example",
        "example.com",
        "example.net",
        "example.org",
        "shop.kiosk",
        "test",
    ];
    assert_eq!(zones, expected);
    surface
        .expect_error("PUT", "/ote/zones/a..b", "", 400, "is not a name")
        .await;
}

#[tokio::test]
async fn a_published_file_proves_a_name_and_a_deleted_one_does_not() {
    let surface = Surface::start().await;
    let path = format!("/ote/web/shop.test{FILE_PATH}");
    let placed = surface.expect("PUT", &path, VALUE).await;
    assert_eq!(placed["path"], FILE_PATH);
    assert_eq!(placed["length"], VALUE.len());
    assert_eq!(surface.expect("GET", "/ote/web", "").await, json!([placed]));
    assert_eq!(
        surface.outside.look_for_file("shop.test").await.outcome,
        Outcome::Proved
    );
    assert_eq!(
        surface.call("DELETE", &path, "").await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        surface.outside.look_for_file("shop.test").await.outcome,
        Outcome::NotFound
    );
    surface
        .expect_error("DELETE", &path, "", 404, "there is no file")
        .await;
}

#[tokio::test]
async fn redirects_can_be_rehearsed() {
    let surface = Surface::start().await;
    let mut redirect = request("PUT", &format!("/ote/web/shop.test{FILE_PATH}"), "");
    redirect
        .headers_mut()
        .insert("x-ote-status", "302".parse().unwrap());
    redirect
        .headers_mut()
        .insert("x-ote-location", "http://shop.test:8080/".parse().unwrap());
    let (status, placed) = surface.send(redirect).await;
    assert_eq!((status, &placed["status"]), (StatusCode::OK, &json!(302)));
    let seen = surface.outside.look_for_file("shop.test").await;
    assert_eq!(seen.outcome, Outcome::Forbidden);
    assert!(seen.found.contains("port 8080"), "{}", seen.found);

    for bad in ["99", "600", "x"] {
        let mut redirect = request("PUT", "/ote/web/shop.test/", "");
        redirect
            .headers_mut()
            .insert("x-ote-status", bad.parse().unwrap());
        assert_eq!(
            surface.send(redirect).await.0,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn large_files_are_taken_up_to_the_limit() {
    let surface = Surface::start().await;
    let body = "x".repeat(control::BODY_LIMIT);
    surface.expect("PUT", "/ote/web/shop.test/", &body).await;
    let body = "x".repeat(control::BODY_LIMIT + 1);
    surface
        .expect_error("PUT", "/ote/web/shop.test/", &body, 413, "larger than")
        .await;
}

#[tokio::test]
async fn mail_is_listed_shown_and_cleared() {
    let surface = Surface::start().await;
    let raw = "From: a@ca.example\r\nTo: b@shop.test\r\nSubject: Hi\r\n\
        Date: Sun, 31 Jan 2027 12:00:00 +0000\r\n\r\nText\r\n";
    assert_eq!(surface.expect("GET", "/ote/mail", "").await, json!([]));
    surface.outside.world.mailbox.deliver(raw.into()).unwrap();
    let summary = json!({
        "id": 1, "from": "a@ca.example", "to": "b@shop.test", "subject": "Hi",
        "date": "2027-01-31T12:00:00Z",
    });
    assert_eq!(
        surface.expect("GET", "/ote/mail", "").await,
        json!([summary])
    );
    let shown = surface.expect("GET", "/ote/mail/1", "").await;
    assert_eq!(
        (&shown["raw"], &shown["text"]),
        (&json!(raw), &json!("Text\r\n"))
    );
    for id in ["2", "x"] {
        surface
            .expect_error("GET", &format!("/ote/mail/{id}"), "", 404, "no message")
            .await;
    }
    assert_eq!(
        surface.expect("DELETE", "/ote/mail", "").await,
        json!({ "deleted": 1 })
    );
    assert_eq!(surface.expect("GET", "/ote/mail", "").await, json!([]));
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_json() {
    let surface = Surface::start().await;
    surface
        .expect_error("GET", "/ote/nothing", "", 404, "/ote/nothing")
        .await;
    surface
        .expect_error("PATCH", "/ote/clock", "", 405, "other methods")
        .await;
}

/// Where a request comes from, and the headers that tell more.
type Caller = (
    Option<&'static str>,
    &'static [(&'static str, &'static str)],
);

#[tokio::test]
async fn strangers_and_foreign_web_pages_are_kept_out_unless_allowed() {
    let from = |peer: Option<&str>, headers: &[(&'static str, &str)]| {
        let mut request = request("GET", "/ote/clock", "");
        request.extensions_mut().remove::<ConnectInfo<SocketAddr>>();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(address(peer)));
        }
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    };
    let local = Some("127.0.0.1:1");
    let refused: [Caller; 12] = [
        (None, &[]),
        (Some("192.0.2.1:1"), &[]),
        (Some("[2001:db8::1]:1"), &[]),
        (local, &[("host", "rebound.evil.example:8080")]),
        (local, &[("origin", "https://evil.example")]),
        (local, &[("origin", "null")]),
        (local, &[("host", "")]),
        (local, &[("forwarded", "for=192.0.2.1")]),
        (local, &[("x-forwarded-for", "127.0.0.1")]),
        (local, &[("x-forwarded-host", "localhost")]),
        (local, &[("x-real-ip", "127.0.0.1")]),
        (local, &[("via", "1.1 proxy")]),
    ];
    let allowed: [Caller; 4] = [
        (local, &[]),
        (Some("[::1]:1"), &[("host", "localhost:8080")]),
        (Some("[::ffff:127.0.0.1]:1"), &[("host", "[::1]")]),
        (local, &[("origin", "http://127.0.0.1:8080")]),
    ];
    let surface = Surface::start().await;
    let open = Surface::with(Access::Anyone).await;
    for (peer, headers) in refused {
        let (status, value) = surface.send(from(peer, headers)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{peer:?} {headers:?}");
        assert!(value["error"].is_string());
        assert_eq!(
            open.send(from(peer, headers)).await.0,
            StatusCode::OK,
            "{peer:?} {headers:?}"
        );
    }
    for (peer, headers) in allowed {
        let (status, _) = surface.send(from(peer, headers)).await;
        assert_eq!(status, StatusCode::OK, "{peer:?} {headers:?}");
    }
}
