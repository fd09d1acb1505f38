//! The wire itself: tokens, paths, methods, bodies and connections, right and wrong.

use chancery_domain::access::Access;
use chancery_domain::resellers::CredentialKind;
use chancery_testkit::{Panel, TestServer, on_both_engines};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

on_both_engines!(
    what_is_no_token_is_told_in_the_exact_words,
    signing_in,
    a_revoked_credential_ends_its_tokens,
    unknown_paths_and_wrong_methods,
    bodies_that_are_not_what_they_should_be,
    bodies_that_are_too_long,
    clients_that_take_their_time,
    answers_look_as_recorded,
    the_control_surface_is_for_this_machine,
    health_and_repository,
    a_request_is_for_one_host,
    the_front_page_is_for_people_and_tells_programs_where_to_go,
);

const BAD_TOKEN: &str = "Invalid or expired token. Reason: Provided token isn't active";

/// Each path of the dialect with each of its methods, as its table has them.
async fn what_is_no_token_is_told_in_the_exact_words(server: &mut TestServer) {
    let token = server.panel().await.token;
    let (head, rest) = token.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    let unsigned = format!("{head}.{claims}.");
    for header in [
        format!("Bearer {}x", &token[..token.len() - 2]),
        format!("Bearer {none}"),
        format!("Bearer {unsigned}"),
        format!("Basic {token}"),
        format!("Bearer{token}"),
        "Bearer ".to_owned(),
        "Bearer null".to_owned(),
        "Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(),
        token.clone(),
    ] {
        let http = server.http().with_header("authorization", &header);
        http.get("/ssl/v2/products/list")
            .await
            .refusal()
            .is(401, "SSL4010", BAD_TOKEN);
        http.get("/reseller/v2/balance")
            .await
            .refusal()
            .is(401, "RES4010", BAD_TOKEN);
    }
    // Who sends a broken body without a token learns of the token.
    let reply = server.http().send("POST", "/ssl/v2/orders/new", "{").await;
    reply.refusal().is(401, "SSL4010", BAD_TOKEN);
}

async fn signing_in(server: &mut TestServer) {
    let path = "/reseller/v2/api-user/token";
    let credential: Value = {
        let file = server.config.data.join("ote-credential.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    };
    let http = server.http();
    let data = http.post(path, &credential).await.data();
    assert_eq!(data["expires_in"], 3600);
    assert!(data["access_token"].as_str().unwrap().starts_with("eyJ"));
    // An old token, broken or not, does no harm here.
    assert_eq!(
        http.with_token("x").post(path, &credential).await.status,
        200
    );

    let mut wrong = credential.clone();
    wrong["password"] = json!("wrong");
    http.post(path, &wrong)
        .await
        .refusal()
        .is(500, "RES5001", "Invalid password");
    let nobody = json!({ "username": "api-nobody", "password": "x" });
    http.post(path, &nobody)
        .await
        .refusal()
        .is(500, "RES5001", "Invalid username");
    let refusal = http.post(path, &json!({ "username": 5 })).await.refusal();
    refusal.is(400, "RES4000", "Field validation error.");
    assert_eq!(
        refusal.about("username"),
        ["'username' is invalid. Expected a string."]
    );
    assert_eq!(refusal.about("password"), ["'password' is required."]);
    let reply = http.send("POST", path, "").await;
    reply.refusal().is(400, "RES4002", "Unparseable JSON input");
}

async fn a_revoked_credential_ends_its_tokens(server: &mut TestServer) {
    let operations = server.operations();
    let reseller = operations.resellers().await.unwrap()[0].id;
    let made = operations
        .add_credential(reseller, CredentialKind::Webnic, Access::default())
        .await
        .unwrap();
    let panel = Panel::sign_in(server.http(), &made.username, &made.password).await;
    panel.cents().await;
    operations.revoke_credential(&made.username).await.unwrap();
    let refusal = panel.http.get("/reseller/v2/balance").await.refusal();
    refusal.is(401, "RES4010", BAD_TOKEN);
    let body = json!({ "username": made.username, "password": made.password });
    let refusal = server
        .http()
        .post("/reseller/v2/api-user/token", &body)
        .await
        .refusal();
    refusal.is(500, "RES5001", "Invalid username");
    server.panel().await.cents().await;
}

async fn unknown_paths_and_wrong_methods(server: &mut TestServer) {
    let panel = server.panel().await;
    for path in [
        "/ssl/v2",
        "/ssl/v2/nothing",
        "/ssl/v2/orders/1/nothing",
        "/ssl/v1/orders/info",
        "/SSL/v2/orders/info",
    ] {
        for http in [&panel.http, &server.http()] {
            let refusal = http.get(path).await.refusal();
            assert_eq!(refusal.status, 404, "{path}");
            assert!(
                refusal.message.contains("No static resource"),
                "{path} {refusal:?}"
            );
        }
    }
    for (method, path) in [
        ("GET", "/ssl/v2/orders/new"),
        ("DELETE", "/ssl/v2/orders/info"),
        ("PATCH", "/ssl/v2/orders/1/auth"),
        ("GET", "/reseller/v2/api-user/token"),
        ("OPTIONS", "/ssl/v2/orders/1/cancel"),
    ] {
        let reply = panel.http.send(method, path, "").await;
        let refusal = reply.refusal();
        assert_eq!(refusal.status, 405, "{method} {path}");
        assert_eq!(
            refusal.message,
            format!("Request method '{method}' is not supported.")
        );
        assert!(!reply.header("allow").is_empty(), "{method} {path}");
    }
}

async fn bodies_that_are_not_what_they_should_be(server: &mut TestServer) {
    let panel = server.panel().await;
    for path in [
        "/ssl/v2/orders/new",
        "/ssl/v2/contact/create",
        "/ssl/v2/generate-csr",
        "/ssl/v2/decode-csr",
    ] {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "\"text\"",
            "{\"term\":1}}",
            "\u{feff}{}",
            "term=1",
        ] {
            let refusal = panel.http.send("POST", path, body).await.refusal();
            refusal.is(400, "SSL4002", "Unparseable JSON input");
        }
        let latin: &[u8] = b"{\"csr\":\"\xe4\"}";
        panel.http.send("POST", path, latin).await.refusal().is(
            400,
            "SSL4002",
            "Unparseable JSON input",
        );
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!("{{\"term\":{deep}}}");
    let refusal = panel
        .http
        .send("POST", "/ssl/v2/orders/new", deep)
        .await
        .refusal();
    assert_eq!(refusal.status, 400, "{refusal:?}");
    let refusal = panel
        .http
        .post("/ssl/v2/decode-csr", &json!({ "csr": ["x"] }))
        .await
        .refusal();
    assert_eq!(
        refusal.about("csr"),
        ["'csr' is invalid. Expected a string."]
    );
}

async fn bodies_that_are_too_long(server: &mut TestServer) {
    let panel = server.panel().await;
    let long = json!({ "specialInstruction": "x".repeat(300 * 1024) }).to_string();
    let path = "/ssl/v2/orders/new";
    let reply = panel.http.send("POST", path, long.clone()).await;
    reply
        .refusal()
        .is(413, "SSL4130", "Request body is too large.");

    // Announced, and never sent.
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 99999999999\r\n\r\n",
        panel.token
    );
    server.http().send_raw(head.as_bytes()).await.refusal().is(
        413,
        "SSL4130",
        "Request body is too large.",
    );

    // Not announced, piece by piece.
    let mut chunked = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        panel.token
    );
    for piece in long.as_bytes().chunks(16 * 1024) {
        chunked.push_str(&format!(
            "{:x}\r\n{}\r\n",
            piece.len(),
            String::from_utf8_lossy(piece)
        ));
    }
    let reply = server.http().send_raw(chunked.as_bytes()).await;
    reply
        .refusal()
        .is(413, "SSL4130", "Request body is too large.");

    let head = "X".repeat(200 * 1024);
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {head}\r\n\r\n");
    assert_eq!(server.http().send_raw(request.as_bytes()).await.status, 431);
}

async fn clients_that_take_their_time(server: &mut TestServer) {
    server
        .restart_with(|config| config.limits.request_seconds = 1)
        .await;
    let panel = server.panel().await;
    let http = server.http();
    // Half a body, and silence.
    let begin = format!(
        "POST /ssl/v2/orders/new HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{\"term\"",
        panel.token
    );
    let stream = http.open_raw(begin.as_bytes()).await;
    let reply = http.read_raw(stream).await;
    reply
        .refusal()
        .is(408, "SSL4080", "Request body did not arrive in time.");
    assert_eq!(reply.header("connection"), "close");

    // Half a head: there is nothing to answer to.
    let mut stream = http
        .open_raw(b"GET /ssl/v2/products/list HTTP/1.1\r\nHost:")
        .await;
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)
        .await
        .unwrap();
    let rest = String::from_utf8_lossy(&rest);
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
        "{rest}"
    );

    // While many wait, others are served.
    let mut waiting = Vec::new();
    for _ in 0..50 {
        waiting.push(http.open_raw(begin.as_bytes()).await);
    }
    panel.cents().await;

    // Slow, and yet in time.
    let body = json!({ "csr": "x" }).to_string();
    let head = format!(
        "POST /ssl/v2/decode-csr HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        panel.token,
        body.len()
    );
    let mut stream = http.open_raw(head.as_bytes()).await;
    for byte in body.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(http.read_raw(stream).await.refusal().sub_code, "SSL4000");
}

async fn answers_look_as_recorded(server: &mut TestServer) {
    let panel = server.panel().await;
    let reply = panel.http.get("/reseller/v2/balance").await;
    assert_eq!(
        reply.text(),
        r#"{"code":"1000","message":"Command completed successfully.","data":{"balance":[{"amount":1000000.0,"currency":"USD"}]}}"#
    );
    let refused = panel.http.get("/ssl/v2/orders/info?orderId=1").await;
    assert_eq!(
        refused.text(),
        r#"{"code":"2400","message":"System message","error":{"subCode":"SSL2400","message":"Order not found."}}"#
    );
    let unknown = panel.http.get("/ssl/v2/nothing").await;
    let wrong_method = panel.http.delete("/ssl/v2/orders/info").await;
    let json = "application/json;charset=UTF-8";
    let id = panel.issue("dv-single", &["issued.test"]).await;
    let file = panel.download(&id, "PEM", None).await;
    for (reply, kind) in [
        (&reply, json),
        (&refused, json),
        (&unknown, json),
        (&wrong_method, json),
        (&file, "application/x-pem-file"),
    ] {
        for (name, value) in [
            ("content-type", kind),
            (
                "cache-control",
                "no-cache, no-store, max-age=0, must-revalidate",
            ),
            ("pragma", "no-cache"),
            ("expires", "0"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(reply.header(name), value, "{name} {}", reply.status);
        }
    }
    // No `data` where there is nothing to say.
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    let done = panel.cancel(&placed.id).await;
    assert_eq!(
        done.text(),
        r#"{"code":"1000","message":"Command completed successfully."}"#
    );
}

async fn the_control_surface_is_for_this_machine(server: &mut TestServer) {
    let http = server.http();
    for header in [
        "Host: chancery.example\r\n",
        "Host: 127.0.0.1\r\nOrigin: https://evil.example\r\n",
    ] {
        let request = format!("GET /ote/clock HTTP/1.1\r\n{header}\r\n");
        assert_eq!(
            http.send_raw(request.as_bytes()).await.status,
            403,
            "{header}"
        );
    }
    assert_eq!(http.get("/ote/clock").await.status, 200);
    assert_eq!(http.get("/ote/nothing").await.status, 404);
    assert_eq!(http.send("PATCH", "/ote/clock", "").await.status, 405);
    for (path, body) in [
        ("/ote/dns/shop.test/TXT", "{"),
        ("/ote/dns/shop.test/XYZ", "{}"),
        ("/ote/dns/bank.com/TXT", r#"{"values":["x"]}"#),
    ] {
        let refused = http.send("PUT", path, body).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.json()["error"].is_string(), "{path}");
    }
}

async fn health_and_repository(server: &mut TestServer) {
    let http = server.http();
    let health = http.get("/health").await;
    assert_eq!(
        (health.status, health.json()["status"].as_str()),
        (200, Some("ok"))
    );
    for (path, kind) in [
        ("/pki/root.crt", "application/pkix-cert"),
        ("/pki/issuing.crt", "application/pkix-cert"),
        ("/pki/root.crl", "application/pkix-crl"),
        ("/pki/issuing.crl", "application/pkix-crl"),
    ] {
        server.world().run_due_jobs().await;
        let served = http.get(path).await;
        assert_eq!(
            (served.status, served.header("content-type")),
            (200, kind),
            "{path}"
        );
        assert_eq!(served.body[0], 0x30, "{path} is DER");
    }
}

/// Whoever stands before the server may have gone by another host than the server would.
async fn a_request_is_for_one_host(server: &mut TestServer) {
    let http = server.http();
    for (head, status) in [
        ("GET /openapi.json HTTP/1.1\r\n", 400),
        (
            "GET /openapi.json HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n",
            400,
        ),
        (
            "GET /openapi.json HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n",
            400,
        ),
        (
            "GET /openapi.json HTTP/1.0\r\nHost: a.test\r\nHost: b.test\r\n",
            400,
        ),
        ("GET /openapi.json HTTP/1.1\r\nHost: a.test\r\n", 200),
        ("GET /openapi.json HTTP/1.0\r\n", 200),
    ] {
        let request = format!("{head}Connection: close\r\n\r\n");
        let stream = http.open_raw(request.as_bytes()).await;
        let reply = http.read_raw(stream).await;
        assert_eq!(reply.status, status, "{head}: {}", reply.text());
    }
}

async fn the_front_page_is_for_people_and_tells_programs_where_to_go(server: &mut TestServer) {
    let browser = server.http().with_header("accept", "text/html,*/*;q=0.8");
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    let html = page.text();
    assert!(
        html.contains("This server works") && html.contains("test environment"),
        "{html}"
    );
    server.world().run_due_jobs().await;
    for rest in html.split("href=\"").skip(1) {
        let (link, _) = rest.split_once('"').unwrap();
        assert_eq!(server.http().get(link).await.status, 200, "{link}");
    }
    for accept in ["*/*", "application/json"] {
        let told = server.http().with_header("accept", accept).get("/").await;
        assert_eq!(told.status, 200);
        let told = told.json();
        assert_eq!(
            (&told["name"], &told["status"]),
            (&json!("Chancery"), &json!("ok"))
        );
        for member in ["documentation", "openapi", "health", "rootCertificate"] {
            let link = told[member].as_str().unwrap();
            assert_eq!(server.http().get(link).await.status, 200, "{link}");
        }
    }
    let posted = server.http().post("/", &json!({})).await;
    assert_eq!(posted.status, 405);
}
