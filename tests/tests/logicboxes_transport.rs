//! The transport of the LogicBoxes dialect: parameters wherever clients put them, answers as clients read them, and
//! what comes of calls that are wrong.

use std::collections::BTreeSet;

use chancery_domain::access::{Access, Networks, Scope};
use chancery_logicboxes::routes;
use chancery_testkit::{
    Engine, LogicBoxes, Reply, TestServer, encoded, itself, on_both_engines, run, with,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::logicboxes_contacts::DOCUMENTED;
use crate::logicboxes_customers::ANN;

on_both_engines!(
    answers_are_written_as_clients_read_them,
    who_only_looks_changes_nothing,
    status_lines_have_reasons,
    nothing_else_is_served,
    wrong_credentials_are_told_in_the_known_words,
    credentials_are_good_for_what_they_were_made,
    bad_input_is_refused_and_stores_nothing,
    a_query_string_is_enough,
);

/// A method that takes nothing but credentials.
const METHOD: &str = "contacts/dotca/registrantagreement";

const FORM: &str = "application/x-www-form-urlencoded";

const MULTIPART: &str = "multipart/form-data; boundary=cut";

fn path() -> String {
    format!("/api/{METHOD}.json")
}

async fn answers_are_written_as_clients_read_them(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let reply = client.call(METHOD, &[]).await;
    assert_eq!(
        reply.header("content-type"),
        "application/json;charset=UTF-8"
    );
    let text = reply.text();
    assert!(!text.contains(['<', '>', '=', '\'', '\n']), "{text}");
    assert!(text.starts_with('{') && text.ends_with('}'), "{text}");
    let map = reply.json();
    assert!(
        map.as_object()
            .unwrap()
            .values()
            .all(serde_json::Value::is_string)
    );

    let reply = client.call_for("xml", METHOD, &[]).await;
    assert_eq!(reply.header("content-type"), "text/xml;charset=UTF-8");
    let text = reply.text();
    assert!(text.starts_with("<hashtable><entry><string>"), "{text}");
    assert!(text.contains("<entry><string>version</string><string>2.0</string></entry>"));

    let target = format!("{}?{}", path(), client.form(&[]));
    let head = client.http.send("HEAD", &target, "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

async fn who_only_looks_changes_nothing(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let count = async || {
        let page = [
            ("customer-id", &customer[..]),
            ("no-of-records", "10"),
            ("page-no", "1"),
        ];
        client.done("contacts/search", &page).await["recsindb"].clone()
    };
    let before = count().await;
    let contact = with(DOCUMENTED, &[("customer-id", &customer)]);
    let target = format!("/api/contacts/add.json?{}", client.form(&contact));
    assert_eq!(client.http.send("HEAD", &target, "").await.status, 500);
    assert_eq!(count().await, before);
    assert_eq!(client.http.send("GET", &target, "").await.status, 200);
    assert_ne!(count().await, before);
}

async fn status_lines_have_reasons(server: &mut TestServer) {
    // Clients that split raw headers need them.
    let http = server.http();
    let unknown = "GET /api/x.json".to_owned();
    for (line, status) in [
        (unknown, "404 Not Found"),
        (format!("POST {}", path()), "500 Internal Server Error"),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut stream = http.open_raw(head.as_bytes()).await;
        let mut raw = String::new();
        stream.read_to_string(&mut raw).await.unwrap();
        assert!(raw.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{raw}");
    }
}

async fn nothing_else_is_served(server: &mut TestServer) {
    let client = server.logicboxes().await;
    for path in [
        "/api",
        "/api/",
        "/api/contacts",
        "/api/contacts/edit.json",
        "/api/contacts/Add.json",
        "/api/contacts/dotca/registrantagreement",
        "/api/contacts/dotca/registrantagreement.yaml",
        "//api//contacts/edit.json",
        "/api/contacts/%zz.json",
    ] {
        for method in ["GET", "POST", "PUT"] {
            let reply = client.http.send(method, path, "").await;
            assert_eq!(reply.logicboxes_error(), "No such method", "{path}");
        }
    }
    let reply = client.http.get("/api/contacts/edit.xml").await;
    assert_eq!(reply.logicboxes_error(), "No such method");
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let target = format!("{}?{}", path(), client.form(&[]));
        let reply = client.http.send(method, &target, "").await;
        assert_eq!(
            reply.logicboxes_error(),
            "This method must be called with GET or POST"
        );
    }
}

const BAD_CREDENTIALS: &str =
    "Invalid credentials, or your User account maybe Inactive or Suspended";

async fn wrong_credentials_are_told_in_the_known_words(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let other = server.another_logicboxes().await;
    let reseller = itself(&client, server).await;
    let panel = server.panel().await;
    let [username, password] = panel.credential();
    let is = async |parameters: &[(&str, &str)], message: &str| {
        let target = format!("{}?{}", path(), encoded(parameters));
        let reply = client.http.get(&target).await;
        assert_eq!(reply.logicboxes_error(), message, "{target}");
    };
    is(&[], "Required parameter missing: auth-userid").await;
    is(
        &[("api-key", &client.key)],
        "Required parameter missing: auth-userid",
    )
    .await;
    is(
        &[("auth-userid", &client.user_id)],
        "Required parameter missing: api-key",
    )
    .await;
    let both = |user: &str, key: &str| {
        [
            ("auth-userid", user.to_owned()),
            ("api-key", key.to_owned()),
        ]
    };
    for pair in [
        both(&client.user_id, "x"),
        both(&client.user_id, &other.key),
        both(&other.user_id, &client.key),
        both(&reseller, &client.key),
        both("1", &client.key),
        both("x", "x"),
        both(&"9".repeat(5000), "x"),
        // A credential of the other dialect.
        both(username, password),
    ] {
        let pair = [(pair[0].0, &pair[0].1[..]), (pair[1].0, &pair[1].1[..])];
        is(&pair, BAD_CREDENTIALS).await;
    }
}

async fn credentials_are_good_for_what_they_were_made(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let other = server.another_logicboxes().await;
    // None of this dialect is good for the other.
    let body = serde_json::json!({ "username": client.user_id, "password": client.key });
    let refusal = client
        .http
        .post("/reseller/v2/api-user/token", &body)
        .await
        .refusal();
    refusal.is(500, "RES5001", "Invalid username");

    let allowed = Networks::parse("192.0.2.1").unwrap();
    let blocked = server
        .logicboxes_with(Access {
            scope: Scope::Read,
            allowed,
        })
        .await;
    let message = "Access Denied. You are not authorized to perform this action. \
                   The request came from 127.0.0.1.";
    assert_eq!(blocked.refused(METHOD, &[]).await, message);

    let operations = server.operations();
    operations.revoke_credential(&other.user_id).await.unwrap();
    assert_eq!(other.refused(METHOD, &[]).await, BAD_CREDENTIALS);
    client.done(METHOD, &[]).await;
}

/// A multipart body of this many parts.
fn parts(count: usize) -> String {
    let part = |n: usize| {
        format!("--cut\r\nContent-Disposition: form-data; name=\"attr-name{n}\"\r\n\r\nx\r\n")
    };
    (1..=count).map(part).collect::<String>() + "--cut--\r\n"
}

/// A multipart body whose only part is no text.
const NO_TEXT: &[u8] =
    b"--cut\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n\xff\r\n--cut--\r\n";

/// A call that would make something, all of it right.
struct Making<'a> {
    client: &'a LogicBoxes,
    method: &'static str,
    form: String,
}

impl Making<'_> {
    /// Sends it with a query string and a body of its own.
    async fn send(&self, extension: &str, kind: &str, query: &str, body: &[u8]) -> Reply {
        let target = format!("/api/{}.{extension}?{query}", self.method);
        let http = self.client.http.with_header("content-type", kind);
        http.send("POST", &target, body.to_vec()).await
    }

    async fn is_refused(&self, kind: &str, query: &str, body: &[u8], message: &str) {
        for extension in ["json", "xml"] {
            let reply = self.send(extension, kind, query, body).await;
            assert_eq!(reply.logicboxes_error(), message, "{}", self.method);
        }
    }
}

/// The calls that make something, about a customer.
fn makings<'a>(client: &'a LogicBoxes, customer: &str) -> [Making<'a>; 2] {
    let contact = with(DOCUMENTED, &[("customer-id", customer)]);
    [("contacts/add", &contact[..]), ("customers/signup", ANN)].map(|(method, parameters)| Making {
        client,
        method,
        form: client.form(parameters),
    })
}

/// How many contacts of a customer there are, and how many customers.
async fn made(client: &LogicBoxes, customer: &str) -> [serde_json::Value; 2] {
    let page = [("no-of-records", "10"), ("page-no", "1")];
    let of_customer = with(&page, &[("customer-id", customer)]);
    let contacts = client.done("contacts/search", &of_customer).await;
    let customers = client.done("customers/search", &page).await;
    [contacts["recsindb"].clone(), customers["recsindb"].clone()]
}

async fn bad_input_is_refused_and_stores_nothing(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let before = made(&client, &customer).await;
    for making in makings(&client, &customer) {
        unreadable_values_are_refused(&making).await;
        floods_are_refused(&making).await;
        contradictions_are_refused(&making).await;
        long_bodies_are_refused(&making).await;
    }
    assert_eq!(made(&client, &customer).await, before);
    for making in makings(&client, &customer) {
        let reply = making.send("json", FORM, &making.form, b"").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_ne!(made(&client, &customer).await, before);
}

async fn unreadable_values_are_refused(making: &Making<'_>) {
    let message = "Invalid name: it is not percent-encoded UTF-8 text";
    for text in ["name=%zz", "name=%4", "name=%ff%fe", "name=a%00b"] {
        let text = format!("{}&{text}", making.form);
        making.is_refused(FORM, &text, b"", message).await;
        making.is_refused(FORM, "", text.as_bytes(), message).await;
    }
    let form = &making.form;
    making.is_refused(FORM, form, b"name=\xff", message).await;
    making.is_refused(MULTIPART, form, NO_TEXT, message).await;
}

async fn floods_are_refused(making: &Making<'_>) {
    let many = "There can be at most 1000 parameters";
    let attributes: String = (1..=10_000)
        .map(|n| format!("&attr-name{n}=a{n}&attr-value{n}=b"))
        .collect();
    let form = &making.form;
    for body in [
        format!("{form}{attributes}"),
        format!("{form}&{}", "a=&".repeat(1000)),
    ] {
        making.is_refused(FORM, "", body.as_bytes(), many).await;
    }
    let query = "a&".repeat(1001);
    making.is_refused(FORM, &query, form.as_bytes(), many).await;
    let body = parts(1001);
    making
        .is_refused(MULTIPART, form, body.as_bytes(), many)
        .await;
}

async fn contradictions_are_refused(making: &Making<'_>) {
    let form = &making.form;
    for name in ["api-key", "auth-userid", "name"] {
        let message = format!("Invalid {name}: it has different values");
        let twice = format!("{form}&{name}=1");
        making.is_refused(FORM, &twice, b"", &message).await;
        let again = format!("{name}=1");
        making
            .is_refused(FORM, form, again.as_bytes(), &message)
            .await;
    }
}

async fn long_bodies_are_refused(making: &Making<'_>) {
    for (begin, length) in [("address-line-2=", 10_000_000), ("", 2_000_000)] {
        let head = format!(
            "POST /api/{}.json?{} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n\r\n{begin}",
            making.method, making.form
        );
        let http = &making.client.http;
        let mut stream = http.open_raw(head.as_bytes()).await;
        stream.flush().await.unwrap();
        let reply = http.read_raw(stream).await;
        assert_eq!(reply.logicboxes_error(), "The request is too large");
        assert_eq!(reply.header("connection"), "close");
    }
}

async fn a_query_string_is_enough(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let binary: Vec<u8> = (0..20_000_u32).map(|n| (n * 7 % 256) as u8).collect();
    let [making, _] = makings(&client, &customer);
    let bodies: [(&str, &[u8]); 7] = [
        (FORM, br#"{"a":"100%"}"#),
        (FORM, &binary),
        (FORM, b"foo=%zz&n\xff=1&%=2"),
        (MULTIPART, &binary),
        (MULTIPART, b"--cut\r\nbroken"),
        ("application/json", b"{"),
        ("\x22", &binary),
    ];
    let mut numbers = BTreeSet::new();
    for (kind, body) in bodies {
        for more in [
            "",
            "&foo=%zz",
            "&%ff%00=%zz&lang-pref=%ff",
            "&attr-value7=%zz",
        ] {
            let query = format!("{}{more}", making.form);
            let reply = making.send("json", kind, &query, body).await;
            assert_eq!(reply.status, 200, "{kind} {more}: {}", reply.text());
            numbers.insert(reply.text());
        }
    }
    assert_eq!(numbers.len(), bodies.len() * 4);
}

#[test]
fn strict_methods_refuse_every_other() {
    run(async |logs| {
        let change = |config: &mut chancery_server::config::Config| {
            config.logicboxes.strict_methods = true;
        };
        let server = TestServer::start_with(Engine::Sqlite, logs, change).await;
        let client = server.logicboxes().await;
        for route in routes() {
            let target = format!("/api/{}.json?{}", route.path, client.form(&[]));
            for method in ["GET", "HEAD", "POST"] {
                let is_documented = method.replace("HEAD", "GET") == route.method.as_str();
                let reply = client.http.send(method, &target, "").await;
                let wrong = format!("This method must be called with {}", route.method);
                match method {
                    "HEAD" => assert_eq!(reply.body.len(), 0, "{target}"),
                    _ if is_documented => {
                        assert!(!reply.text().contains("must be called"), "{target}");
                    }
                    _ => assert_eq!(reply.logicboxes_error(), wrong, "{target}"),
                }
            }
        }
        client.done(METHOD, &[]).await;
        let target = format!("{}?{}", path(), client.form(&[]));
        assert_eq!(client.http.send("HEAD", &target, "").await.status, 200);
        server.finish().await;
    });
}

#[test]
fn who_calls_too_often_is_told_when_to_come_again() {
    run(async |logs| {
        let change = |config: &mut chancery_server::config::Config| {
            config.rates.limited = Some(true);
            config.rates.credential_per_day = 2;
        };
        let server = TestServer::start_with(Engine::Sqlite, logs, change).await;
        let client = server.logicboxes().await;
        client.done(METHOD, &[]).await;
        client.done(METHOD, &[]).await;
        let reply = client.call(METHOD, &[]).await;
        let message = reply.logicboxes_error();
        assert!(
            message.starts_with("Too many requests: there may be 2 a day. Try again in "),
            "{message}"
        );
        let seconds: u64 = reply.header("retry-after").parse().unwrap();
        assert!(
            seconds > 0 && message.contains(&seconds.to_string()),
            "{message}"
        );
        server.finish().await;
    });
}
