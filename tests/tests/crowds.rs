//! Crowds: what many connections, many bodies or many sign-ins of one take from others, and what they must not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use chancery_testkit::{Engine, Http, LogicBoxes, TestServer, on_both_engines, run};
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::logicboxes_customers::sign_up;

on_both_engines!(one_resellers_sign_ins_hold_up_nobody_elses,);

/// A connection that has a place for all requests: it was answered and stays open.
async fn kept_open(server: &TestServer) -> TcpStream {
    loop {
        let asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
        let mut stream = server.http().open_raw(asked).await;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        if &status == b"HTTP/1.1 200" {
            return stream;
        }
    }
}

#[test]
fn health_and_the_repository_answer_at_the_limit_of_connections() {
    run(async |logs| {
        let server = TestServer::start_with(Engine::Sqlite, logs, |config| {
            config.limits.connections_per_client = 3;
        })
        .await;
        server.world().run_due_jobs().await;
        let mut held: Vec<TcpStream> = Vec::new();
        for _ in 0..3 {
            // Whoever before has asked and gone has given the place back, sooner or later.
            held.push(kept_open(&server).await);
        }
        for path in [
            "/health",
            "/health/live",
            "/pki/root.crt",
            "/pki/issuing.crl",
        ] {
            assert_eq!(server.http().get(path).await.status, 200, "{path}");
        }
        let refused = server.http().get("/ssl/v2/orders/info").await;
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(refused.header("connection"), "close");
        let text = "Too many requests at once. Please send the request again in a moment.";
        refused.refusal().is(503, "SSL5032", text);
        let refused = server.http().get("/api/contacts/details.json").await;
        assert_eq!(
            (refused.status, &refused.json()["status"]),
            (503, &json!("ERROR"))
        );
        drop(held);
        while server.http().get("/docs").await.status != 200 {}
        server.finish().await;
    });
}

#[test]
fn a_trusted_proxy_stands_for_many_clients() {
    run(async |logs| {
        let server = TestServer::start_with(Engine::Sqlite, logs, |config| {
            config.limits.connections_per_client = 1;
            config.trusted_proxies = Some("127.0.0.1".to_owned());
        })
        .await;
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(kept_open(&server).await);
        }
        for _ in 0..5 {
            assert_eq!(server.http().get("/docs").await.status, 200);
        }
        drop(held);
        server.finish().await;
    });
}

#[test]
fn a_client_has_its_part_of_the_room_for_bodies_and_others_are_served() {
    const PART: usize = 250_000;
    run(async |logs| {
        let server = TestServer::start_with(Engine::Sqlite, logs, |config| {
            // Two MiB for each client.
            config.limits.body_mebibytes = 16;
            config.trusted_proxies = Some("127.0.0.1".to_owned());
        })
        .await;
        let at = |http: &Http, address: &str| http.with_header("x-forwarded-for", address);
        let (greedy, other) = ("192.0.2.1", "192.0.2.2");
        let panel = server.panel().await;
        let client = server.logicboxes().await;
        // Eight bodies that lack their last octet.
        let head = format!(
            "POST /reseller/v2/api-user/token HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {greedy}\r\n\
             Content-Length: {}\r\n\r\n",
            PART + 1
        );
        let mut held = Vec::new();
        for _ in 0..8 {
            let request = [head.as_bytes(), &[b' '; PART][..]].concat();
            held.push(server.http().open_raw(&request).await);
        }
        let large = json!({ "csr": "x".repeat(100_000) });
        let ask = async |address| {
            let http = at(&panel.http, address);
            http.post("/ssl/v2/decode-csr", &large).await
        };
        let mut refused = ask(greedy).await;
        while refused.status != 503 {
            refused = ask(greedy).await;
        }
        assert_eq!(refused.refusal().sub_code, "SSL5032");
        assert_eq!(refused.header("retry-after"), "1");
        let text = "x".repeat(100_000);
        let mut at_greedy = client.clone();
        at_greedy.http = at(&client.http, greedy);
        let refused = at_greedy.call("contacts/add", &[("name", &text)]).await;
        assert_eq!(
            (refused.status, &refused.json()["status"]),
            (503, &json!("ERROR"))
        );
        // Whoever is elsewhere is served, and what takes no room is answered.
        for _ in 0..3 {
            assert_ne!(ask(other).await.status, 503);
        }
        let health = at(&server.http(), greedy).get("/health").await;
        assert_eq!(health.status, 200);
        drop(held);
        while ask(greedy).await.status == 503 {}
        server.finish().await;
    });
}

/// Nothing is held in memory for somebody whom nobody knows.
#[test]
fn no_body_is_read_of_who_shows_a_wrong_credential() {
    run(async |logs| {
        let server = TestServer::start(Engine::Sqlite, logs).await;
        let client = server.logicboxes().await;
        let http = server.http();
        // The bodies are announced and never come.
        let bodies = "Host: x\r\nContent-Length: 1000\r\n";
        let by_key = format!("auth-userid={}&api-key=wrong", client.user_id);
        let request = format!("POST /api/contacts/add.json?{by_key} HTTP/1.1\r\n{bodies}\r\n");
        let refused = http.send_raw(request.as_bytes()).await;
        assert!(
            refused
                .logicboxes_error()
                .starts_with("Invalid credentials")
        );
        let request = format!(
            "POST /ssl/v2/orders/new HTTP/1.1\r\n{bodies}Authorization: Bearer eyJ\r\n\r\n"
        );
        let refused = http.send_raw(request.as_bytes()).await;
        assert_eq!(refused.refusal().status, 401);
        server.finish().await;
    });
}

/// Signs a customer in, by a hash that is slow on purpose.
async fn sign_in(client: &LogicBoxes) {
    let asked = [
        ("username", "ann@shop.example"),
        ("passwd", "a pass word"),
        ("ip", "192.0.2.7"),
    ];
    client.done("customers/generate-token", &asked).await;
}

async fn one_resellers_sign_ins_hold_up_nobody_elses(server: &mut TestServer) {
    const MANY: usize = 8;
    let (greedy, other) = (server.logicboxes().await, server.another_logicboxes().await);
    for client in [&greedy, &other] {
        sign_up(client, &[]).await;
    }
    let left = AtomicUsize::new(MANY);
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let begun = Mutex::new(Some(begun));
    let many = join_all((0..MANY).map(|_| async {
        sign_in(&greedy).await;
        left.fetch_sub(1, Ordering::SeqCst);
        if let Some(begun) = begun.lock().unwrap().take() {
            begun.send(()).unwrap();
        }
    }));
    let one = async {
        has_begun.await.unwrap();
        sign_in(&other).await;
        left.load(Ordering::SeqCst)
    };
    let (_, left) = tokio::join!(many, one);
    assert!(left >= MANY / 2, "{left} of {MANY} were left");
}
