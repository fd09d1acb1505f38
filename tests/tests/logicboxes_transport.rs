//! The transport of the LogicBoxes dialect: parameters wherever clients put them, answers as clients read them, and
//! what comes of calls that are wrong.

use chancery_domain::access::{Access, Networks, Scope};
use chancery_testkit::{Engine, TestServer, encoded, on_both_engines, run};
use tokio::io::AsyncWriteExt as _;

on_both_engines!(
    answers_are_written_as_clients_read_them,
    wrong_credentials_are_told_in_the_known_words,
    bad_input_is_refused_and_stores_nothing,
);

/// A method that takes nothing but credentials.
const METHOD: &str = "contacts/dotca/registrantagreement";

const FORM: &str = "application/x-www-form-urlencoded";

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

    // Clients that split raw headers need a reason.
    let mut stream = client
        .http
        .open_raw(b"GET /api/x.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    let mut raw = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut raw)
        .await
        .unwrap();
    assert!(raw.starts_with("HTTP/1.1 404 Not Found\r\n"), "{raw}");
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        path()
    );
    let mut stream = client.http.open_raw(head.as_bytes()).await;
    let mut raw = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut raw)
        .await
        .unwrap();
    assert!(
        raw.starts_with("HTTP/1.1 500 Internal Server Error\r\n"),
        "{raw}"
    );

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
    let reseller = server.operations().resellers().await.unwrap()[0]
        .id
        .0
        .to_string();
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
    // Nor is one of this dialect good for the other.
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
    let message = "Access Denied. You are not authorized to perform this action.";
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

async fn bad_input_is_refused_and_stores_nothing(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let credential = client.form(&[]);
    let attributes: String = (1..=10_000)
        .map(|n| format!("&attr-name{n}=a{n}&attr-value{n}=b"))
        .collect();
    let refused = async |kind: &str, query: &str, body: &[u8], message: &str| {
        for extension in ["json", "xml"] {
            let target = format!("/api/{METHOD}.{extension}?{query}");
            let http = client.http.with_header("content-type", kind);
            let reply = http.send("POST", &target, body.to_vec()).await;
            assert_eq!(reply.logicboxes_error(), message);
        }
    };
    let unreadable = |name: &str| format!("Invalid {name}: it is not percent-encoded UTF-8 text");
    for (text, name) in [
        ("name=%zz", "name"),
        ("name=%4", "name"),
        ("name=%ff%fe", "name"),
        ("a%=1", "a%"),
    ] {
        let text = format!("{credential}&{text}");
        refused(FORM, &text, b"", &unreadable(name)).await;
        refused(FORM, "", text.as_bytes(), &unreadable(name)).await;
    }
    refused(FORM, &credential, b"name=\xff", &unreadable("name")).await;
    refused(FORM, &credential, b"name=a%00b", &unreadable("name")).await;
    let kind = "multipart/form-data; boundary=cut";
    let body = b"--cut\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n\xff\r\n--cut--\r\n";
    refused(kind, &credential, body, &unreadable("name")).await;

    let many = "There can be at most 1000 parameters";
    let body = format!("{credential}{attributes}");
    refused(FORM, "", body.as_bytes(), many).await;
    let body = format!("{credential}&{}", "a=&".repeat(1000));
    refused(FORM, "", body.as_bytes(), many).await;
    refused(FORM, &"a&".repeat(1001), b"", many).await;
    refused(kind, &credential, parts(1001).as_bytes(), many).await;

    let twice = format!("{credential}&api-key=other");
    refused(
        FORM,
        &twice,
        b"",
        "Invalid api-key: it has different values",
    )
    .await;
    refused(
        FORM,
        &credential,
        b"auth-userid=1",
        "Invalid auth-userid: it has different values",
    )
    .await;

    for (begin, length) in [("name=", 10_000_000), ("", 2_000_000)] {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n\r\n{begin}",
            path()
        );
        let mut stream = client.http.open_raw(head.as_bytes()).await;
        stream.flush().await.unwrap();
        let reply = client.http.read_raw(stream).await;
        assert_eq!(reply.logicboxes_error(), "The request is too large");
        assert_eq!(reply.header("connection"), "close");
    }
    client.done(METHOD, &[]).await;
}

#[test]
fn strict_methods_refuse_every_other() {
    run(async |logs| {
        let change = |config: &mut chancery_server::config::Config| {
            config.logicboxes.strict_methods = true;
        };
        let server = TestServer::start_with(Engine::Sqlite, logs, change).await;
        let client = server.logicboxes().await;
        let target = format!("{}?{}", path(), client.form(&[]));
        assert_eq!(client.http.get(&target).await.status, 200);
        assert_eq!(client.http.send("HEAD", &target, "").await.status, 200);
        let reply = client.http.send("POST", &target, "").await;
        assert_eq!(
            reply.logicboxes_error(),
            "This method must be called with GET"
        );
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
