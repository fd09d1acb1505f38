//! Requests as clients in use write them: every form of the wire that has been seen of one of them, byte by byte
//! where bytes matter. A client is known by what it does.
//!
//! Whole lives of clients are in `conformance_clients.rs`, what the answers look like in `conformance_answers.rs`,
//! what the pages print in `documented.rs`.

use chancery_testkit::{
    Key, Panel, PlacedOrder, Reply, TestServer, csr, csr_with_key, on_both_engines,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

on_both_engines!(
    bodies_that_say_nothing,
    gets_that_name_a_content_type,
    whatever_is_accepted_the_answer_is_plain_json,
    paths_joined_with_two_slashes,
    segments_and_parameters_in_percents,
    posts_where_the_page_says_put,
    approvers_in_every_form,
    numbers_as_text_and_text_as_numbers,
    blanks_and_nulls_are_nothing,
    forms_as_different_libraries_write_them,
    a_form_that_waits_to_be_asked_for,
);

/// Sends these lines and this body as they are. `TOKEN` stands for the panel's.
pub(crate) async fn raw(panel: &Panel, lines: &[&str], body: &str) -> Reply {
    let head = lines.join("\r\n").replace("TOKEN", &panel.token);
    let request = format!("{head}\r\n\r\n{body}");
    panel.http.send_raw(request.as_bytes()).await
}

pub(crate) async fn placed(panel: &Panel, method: &str, name: &str) -> PlacedOrder {
    let order = panel.order("ssl123", method, &[name]).await;
    panel.place(&order).await
}

/// A body of nothing: its headers, and its bytes.
const NOTHINGS: [(&[&str], &str); 7] = [
    (&["Content-Type: application/json"], ""),
    (&[], ""),
    (&["Content-Type: application/json", "Content-Length: 0"], ""),
    (&["Content-Length: 0"], ""),
    (
        &["Content-Type: application/json", "Content-Length: 2"],
        "[]",
    ),
    (
        &["Content-Type: application/json", "Content-Length: 2"],
        "{}",
    ),
    (
        &[
            "Content-Type: application/json",
            "Transfer-Encoding: chunked",
        ],
        "0\r\n\r\n",
    ),
];

async fn bodies_that_say_nothing(server: &mut TestServer) {
    let panel = server.panel().await;
    let issued = panel.issue("dv-single", &["issued.test"]).await;
    for (at, (headers, body)) in NOTHINGS.into_iter().enumerate() {
        let by_dns = placed(&panel, "dns", &format!("dns{at}.test")).await;
        let by_mail = placed(&panel, "email", &format!("mail{at}.test")).await;
        let post = async |path: &str| {
            let line = format!("POST {path} HTTP/1.1");
            let mut lines = vec![&line[..], "Host: x", "Authorization: Bearer TOKEN"];
            lines.extend(headers);
            raw(&panel, &lines, body).await
        };
        let done = r#"{"code":"1000","message":"Command completed successfully."}"#;
        let sent = post(&format!(
            "/ssl/v2/orders/{}/approver-email/send",
            by_mail.id
        ))
        .await;
        assert_eq!(sent.text(), done, "{headers:?} {body}");
        let cancelled = post(&format!("/ssl/v2/orders/{}/cancel", by_dns.id)).await;
        assert_eq!(cancelled.text(), done, "{headers:?} {body}");
        let found = post("/ssl/v2/organization/search").await;
        assert_eq!(found.data()["items"], json!([]), "{headers:?} {body}");
        let found = post("/ssl/v2/orders/search").await;
        assert_eq!(found.data()["totalItems"], 3 + 2 * at, "{headers:?} {body}");
        let file = post(&format!("/ssl/v2/orders/{issued}/download/format/PEM")).await;
        assert!(
            file.text().starts_with("-----BEGIN CERTIFICATE"),
            "{headers:?} {body}"
        );
    }
}

async fn gets_that_name_a_content_type(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = placed(&panel, "dns", "shop.test").await;
    let [contact, _] = panel.contacts().await;
    let organization = panel.organization("Shop Ltd").await;
    for path in [
        "/reseller/v2/balance".to_owned(),
        "/ssl/v2/products/list".to_owned(),
        "/ssl/v2/products/pricing?productKey=ssl123&term=1".to_owned(),
        format!("/ssl/v2/orders/info?orderId={}", order.id),
        format!("/ssl/v2/orders/{}/dcv-status", order.id),
        format!("/ssl/v2/orders/{}/auth/info", order.id),
        "/ssl/v2/domainValidations/approver-list?commonName=shop.test".to_owned(),
        format!("/ssl/v2/contact/info?contactId={contact}"),
        format!("/ssl/v2/organization/{organization}/info"),
    ] {
        let line = format!("GET {path} HTTP/1.1");
        let head = [&line[..], "Host: x", "Authorization: Bearer TOKEN"];
        for more in [
            &["Content-Type: application/json"][..],
            &["Content-Type: application/json", "Content-Length: 0"],
            &["content-type: application/json; charset=utf-8"],
            // An encoder of empty arrays is at work for every method.
            &["Content-Type: application/json", "Content-Length: 2"],
        ] {
            let body = if more.contains(&"Content-Length: 2") {
                "[]"
            } else {
                ""
            };
            let reply = raw(&panel, &[&head[..], more].concat(), body).await;
            assert_eq!(reply.status, 200, "{path} {more:?} {}", reply.text());
        }
        let head = panel.http.send("HEAD", &path, "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}

async fn whatever_is_accepted_the_answer_is_plain_json(server: &mut TestServer) {
    let panel = server.panel().await;
    for more in [
        &["Accept: application/json"][..],
        &["Accept: */*"],
        &[],
        &[
            "Accept: application/json, text/plain, */*",
            "Accept-Encoding: gzip, compress, deflate, br",
        ],
        &["Accept: */*", "Accept-Encoding: deflate, gzip, br, zstd"],
        &["Accept: text/html"],
        &["Accept-Encoding: identity"],
    ] {
        for path in ["/ssl/v2/products/list", "/ssl/v2/orders/info?orderId=1"] {
            let line = format!("GET {path} HTTP/1.1");
            // Names of headers and of the scheme come in any case.
            let head = [&line[..], "hOST: x", "authorization: bearer TOKEN"];
            let reply = raw(&panel, &[&head[..], more].concat(), "").await;
            assert_eq!(
                reply.header("content-type"),
                "application/json;charset=UTF-8"
            );
            assert_eq!(reply.header("content-encoding"), "", "{more:?}");
            assert!(reply.text().starts_with("{\"code\":\""), "{more:?}");
        }
    }
    // An old protocol, and no host.
    let lines = [
        "GET /reseller/v2/balance HTTP/1.0",
        "Authorization: Bearer TOKEN",
    ];
    assert_eq!(raw(&panel, &lines, "").await.status, 200);
    // A body without a content type is JSON all the same, and so is one under another.
    let body = json!({ "csr": csr(&["shop.test"]) }).to_string();
    for http in [
        panel.http.clone(),
        panel.http.with_header("content-type", "text/plain"),
        panel
            .http
            .with_header("content-type", "application/x-www-form-urlencoded"),
    ] {
        let decoded = http.send("POST", "/ssl/v2/decode-csr", body.clone()).await;
        assert_eq!(decoded.data()["commonName"], "shop.test");
    }
}

async fn paths_joined_with_two_slashes(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("dv-single", &["shop.test"]).await;
    let [username, password] = panel.credential();
    let credential = json!({ "username": username, "password": password });
    let contact = json!({ "administrator": person() });
    for (method, path, body) in [
        ("POST", "//reseller/v2/api-user/token", &credential),
        ("GET", "//reseller/v2/balance", &Value::Null),
        ("GET", "//ssl/v2/products/list", &Value::Null),
        ("POST", "/ssl//v2/contact/create", &contact),
        ("GET", "//ssl/v2/orders//info?orderId={}", &Value::Null),
        ("GET", "/ssl/v2//orders///{}/dcv-status", &Value::Null),
        (
            "POST",
            "//ssl/v2/orders/{}/download/format/PEM",
            &Value::Null,
        ),
        ("POST", "//ssl/v2/orders/{}/cancel", &Value::Null),
    ] {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let reply = panel
            .http
            .send(method, &path.replace("{}", &id), body)
            .await;
        assert_eq!(reply.status, 200, "{method} {path} {}", reply.text());
    }
    let refusal = panel.http.get("//ssl/v2//nothing").await.refusal();
    assert_eq!(refusal.status, 404);
}

async fn segments_and_parameters_in_percents(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("dv-wildcard", &["*.shop.test"]).await;
    let [contact, _] = panel.contacts().await;
    let organization = panel.organization("Shop Ltd").await.to_string();
    let upper =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let lower =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    for path in [
        format!("/ssl/v2/orders/{}/dcv-status", upper(&id)),
        format!("/ssl/v2/orders/{}/auth/info", lower(&id)),
        format!("/ssl/v2/orders/info?orderId={}&ignored=%", upper(&id)),
        "/ssl/v2/orders/info?commonName=%2A.shop.test".to_owned(),
        "/ssl/v2/orders/info?commonName=*.shop.test&orderId=".to_owned(),
        "/ssl/v2/orders/info?%63ommonName=%2a%2Eshop%2Etest".to_owned(),
    ] {
        assert_eq!(
            panel.http.get(&path).await.data()["orderId"],
            json!(id),
            "{path}"
        );
    }
    for path in [
        format!("/ssl/v2/contact/{}", upper(&contact)),
        format!("/ssl/v2/contact/info?contactId={}", lower(&contact)),
        format!("/ssl/v2/organization/{}/info", upper(&organization)),
    ] {
        assert_eq!(panel.http.get(&path).await.status, 200, "{path}");
    }
    let path = format!("/ssl/v2/orders/{}/download/format/%50EM", upper(&id));
    assert_eq!(panel.http.send("POST", &path, "").await.status, 200);
    let path = format!(
        "/ssl/v2/domainValidations/approver-list?commonName={}",
        upper("shop.test")
    );
    assert_eq!(panel.http.get(&path).await.data()[0], "admin@shop.test");
}

async fn posts_where_the_page_says_put(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = placed(&panel, "dns", "kiosk.test").await;
    let auth = format!("/ssl/v2/orders/{}/auth", order.id);
    let by_mail = json!({ "authType": "EMAIL", "approverEmail": "admin@kiosk.test" });
    let id = panel.organization("Kiosk Ltd").await;
    let update = format!("/ssl/v2/organization/{id}/contact/update");
    for method in ["POST", "PUT"] {
        let changed = panel.http.send(method, &auth, by_mail.to_string()).await;
        assert_eq!(
            changed.data()["commonName"]["value"],
            "admin@kiosk.test",
            "{method}"
        );
        let mut organization = person();
        organization["company"] = json!(format!("Kiosk Ltd by {method}"));
        let body = json!({ "organization": organization }).to_string();
        let changed = panel.http.send(method, &update, body).await.data();
        assert_eq!(changed["details"]["company"], organization["company"]);
    }
}

async fn approvers_in_every_form(server: &mut TestServer) {
    let panel = server.panel().await;
    let names = ["shop.test", "kiosk.test"];
    // One address is for the first name; the other has its default.
    let [webmaster, admin] = ["webmaster@shop.test", "admin@kiosk.test"];
    let postmaster = "postmaster@kiosk.test";
    let forms = [
        (json!(webmaster), admin),
        (json!([webmaster]), admin),
        (json!([webmaster, postmaster]), postmaster),
        (
            json!([{ "domain": "kiosk.test", "email": postmaster }, { "domain": "shop.test", "email": webmaster }]),
            postmaster,
        ),
        (
            json!([{ "name": "kiosk.test", "email": postmaster }, { "name": "SHOP.test", "email": webmaster }]),
            postmaster,
        ),
        (json!({ "domain": "shop.test", "email": webmaster }), admin),
        (json!([{ "email": webmaster }, postmaster]), postmaster),
    ];
    let mut order = panel.order("ssl123", "email", &names).await;
    let by_dns = panel
        .place(&panel.order("ssl123", "dns", &names).await)
        .await;
    for (form, second) in forms {
        order["approverEmail"] = form.clone();
        let data = panel.place(&order).await.data;
        let told = [&data["commonName"]["value"], &data["san"][0]["value"]];
        assert_eq!(told, [webmaster, second], "{form}");
        let body = json!({ "authType": "email", "approverEmail": form });
        let data = panel.change_method(&by_dns.id, &body).await.data();
        let told = [&data["commonName"]["value"], &data["san"][0]["value"]];
        assert_eq!(told, [webmaster, second], "{form}");
        panel
            .change_method(&by_dns.id, &json!({ "authType": "dns" }))
            .await
            .data();
    }
}

async fn numbers_as_text_and_text_as_numbers(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    for term in [json!(1), json!("1"), json!(" 1"), json!(1.0)] {
        order["term"] = term.clone();
        let id = panel.place(&order).await.id;
        assert_eq!(panel.info(&id).await["term"], "1", "{term}");
    }
    for size in [json!(256), json!("256")] {
        let body = json!({ "commonName": "shop.test", "keySize": size });
        assert_eq!(
            panel.http.post("/ssl/v2/generate-csr", &body).await.status,
            200
        );
    }
    // An organization's number as either: neither is there, and both are understood.
    let mut order = panel.order("ov-multi", "dns", &["shop.test"]).await;
    for id in [json!(4711), json!("4711")] {
        order["organizationId"] = id;
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        refusal.is(400, "SSL2400", "Organization not found");
    }
    let organization = panel.organization("Shop Ltd").await;
    for (value, page) in [
        (json!(organization), json!(1)),
        (json!(organization.to_string()), json!("1")),
    ] {
        let body = json!({
            "filters": [{ "field": "organizationId", "operator": "EQUAL", "value": value }],
            "pagination": { "page": page, "pageSize": page },
        });
        let found = panel
            .http
            .post("/ssl/v2/organization/search", &body)
            .await
            .data();
        assert_eq!(found["totalItems"], 1, "{body}");
    }
}

/// A person with every part that may be nothing sent as one panel does.
pub(crate) fn person() -> Value {
    json!({
        "company": "Shop Ltd", "firstName": "Ann", "lastName": "Example",
        "address1": "1 Market Street", "address2": "", "city": "Kuala Lumpur",
        "state": "Selangor", "countryCode": "MY", "zip": "50000",
        "phoneNumber": "+60.123456789", "faxNumber": null, "email": "ann@shop.example",
    })
}

async fn blanks_and_nulls_are_nothing(server: &mut TestServer) {
    let panel = server.panel().await;
    let with = |address2: Value, fax: Value| {
        let mut person = person();
        person["address2"] = address2;
        person["faxNumber"] = fax;
        person
    };
    for administrator in [
        person(),
        with(Value::Null, json!("")),
        with(json!(" "), Value::Null),
    ] {
        let body = json!({ "administrator": administrator, "technical": null });
        let made = panel
            .http
            .post("/ssl/v2/contact/create", &body)
            .await
            .data();
        assert_eq!(made.as_array().unwrap().len(), 1);
        let details = &made[0]["details"];
        for key in ["address2", "faxNumber", "jobTitle"] {
            assert_eq!(details[key], Value::Null, "{key} of {body}");
        }
    }
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    assert!(order.get("sanfield").is_none());
    for (key, nothing) in [
        ("sanfield", json!(null)),
        ("sanfield", json!([])),
        ("approverEmail", json!(null)),
        ("approverEmail", json!([])),
        ("approverEmail", json!("")),
        ("shipmentContactId", json!(null)),
        ("technicalContactId", json!("")),
        ("organizationId", json!("")),
        ("specialInstruction", json!("")),
        ("somethingNew", json!({ "of": "tomorrow" })),
    ] {
        let mut order = order.clone();
        order[key] = nothing.clone();
        let placed = panel.place(&order).await;
        assert_eq!(placed.data["san"], json!([]), "{key}: {nothing}");
        let info = panel.info(&placed.id).await;
        assert_eq!(info["sanfield"], json!([]), "{key}: {nothing}");
        assert!(info["tecid"].is_string(), "{key}: {nothing}");
    }
}

/// The parts of a form: name, the header lines after it, and the content.
pub(crate) type Part<'a> = (&'a str, &'a str, &'a str);

/// A form as a request: the content type, and the body.
pub(crate) fn form(boundary: &str, parts: &[Part<'_>]) -> (String, String) {
    let mut body = String::new();
    for (name, more, content) in parts {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"{more}");
        body.push_str(&format!("--{boundary}\r\n{head}\r\n\r\n{content}\r\n"));
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    (format!("multipart/form-data; boundary={boundary}"), body)
}

async fn forms_as_different_libraries_write_them(server: &mut TestServer) {
    let panel = server.panel().await;
    let made = csr_with_key(&["shop.test"], Key::Rsa2048);
    let id = panel
        .issue_for("dv-single", &["shop.test"], &made.csr_pem)
        .await;
    let post = async |format: &str, (kind, body): (String, String)| {
        let path = format!("/ssl/v2/orders/{id}/download/format/{format}");
        // It says that it wants JSON, and takes the file.
        let http = panel.http.with_header("accept", "application/json");
        http.with_header("content-type", &kind)
            .send("POST", &path, body)
            .await
    };
    let blocks = |reply: &Reply| chancery_testkit::pem_blocks(&reply.text()).len();
    let boundaries = [
        "------------------------d74496d66958873e",
        "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "----formdata-undici-040412345678",
        "0123456789abcdef0123456789abcdef01234567",
    ];
    for boundary in boundaries {
        for (bundle, count) in [("true", 2), ("false", 1)] {
            let reply = post("PEM", form(boundary, &[("bundle", "", bundle)])).await;
            assert_eq!((reply.status, blocks(&reply)), (200, count), "{boundary}");
            // Some write how long each part is.
            let length = format!("\r\nContent-Length: {}", bundle.len());
            let reply = post("pem", form(boundary, &[("bundle", &length, bundle)])).await;
            assert_eq!((reply.status, blocks(&reply)), (200, count), "{boundary}");
        }
    }
    let (kind, body) = form("cut", &[("bundle", "", "true")]);
    let reply = post("PEM", (kind.replace("=cut", "=\"cut\""), body)).await;
    assert_eq!(blocks(&reply), 2);

    let key = made.private_key_pem.expose();
    let file = "; filename=\"shop.key\"\r\nContent-Type: application/octet-stream";
    let parts = [
        ("bundle", "", "true"),
        ("pfxPassword", "", "correct horse"),
        ("privateKey", file, key),
    ];
    let reply = post("PFX", form(boundaries[0], &parts)).await;
    assert_eq!((reply.status, reply.body[0]), (200, 0x30));
    assert_eq!(reply.header("content-type"), "application/x-pkcs12");
    // What is wrong is told in the envelope.
    let refusal = post("PFX", form(boundaries[0], &parts[..1]))
        .await
        .refusal();
    assert_eq!(refusal.sub_code, "SSL4000");
    assert_eq!(refusal.fields.len(), 2, "{refusal:?}");
}

async fn a_form_that_waits_to_be_asked_for(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("dv-single", &["shop.test"]).await;
    let (kind, body) = form(
        "------------------------d74496d66958873e",
        &[("bundle", "", "true")],
    );
    let head = format!(
        "POST /ssl/v2/orders/{id}/download/format/PEM HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\nExpect: 100-continue\r\nContent-Type: {kind}\r\n\r\n",
        panel.token,
        body.len()
    );
    let mut stream = panel.http.open_raw(head.as_bytes()).await;
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on[..12], b"HTTP/1.1 100");
    stream.write_all(body.as_bytes()).await.unwrap();
    let reply = panel.http.read_raw(stream).await;
    assert_eq!(chancery_testkit::pem_blocks(&reply.text()).len(), 2);
}
