//! Placing and cancelling: what is refused and how, and what money does.

use chancery_testkit::{Downloaded, Key, TestServer, csr, csr_with_key, on_both_engines};
use futures_util::future::join_all;
use serde_json::{Value, json};

on_both_engines!(
    every_fault_is_told_at_once,
    each_fault_has_its_sentence,
    csrs_that_cannot_be_certified,
    what_is_another_s_is_not_there,
    names_and_prices_follow_the_product,
    too_little_balance_stores_nothing,
    cancelling_gives_the_money_back_once,
    what_is_issued_is_given_back_within_its_window,
    orders_are_found_by_name_and_number,
);

async fn every_fault_is_told_at_once(server: &mut TestServer) {
    let panel = server.panel().await;
    let empty = panel
        .http
        .post("/ssl/v2/orders/new", &json!({}))
        .await
        .refusal();
    empty.is(400, "SSL4000", "Field validation error.");
    for field in [
        "productKey",
        "term",
        "csr",
        "authType",
        "administratorContactId",
    ] {
        assert_eq!(
            empty.about(field),
            [format!("'{field}' is required.")],
            "{empty:?}"
        );
    }
    assert_eq!(empty.fields.len(), 5, "{empty:?}");

    let wrong = json!({
        "productKey": "nothing", "term": "two", "csr": "no CSR", "authType": "http",
        "administratorContactId": "me", "technicalContactId": "SSL99999999T", "sanfield": "a.test",
        "approverEmail": 5,
    });
    let wrong = panel
        .http
        .post("/ssl/v2/orders/new", &wrong)
        .await
        .refusal();
    wrong.is(400, "SSL4000", "Field validation error.");
    let told: Vec<&str> = wrong.fields.iter().map(|(field, _)| &field[..]).collect();
    for field in [
        "productKey",
        "term",
        "csr",
        "authType",
        "administratorContactId",
        "technicalContactId",
        "sanfield",
        "approverEmail",
    ] {
        assert_eq!(
            told.iter().filter(|name| **name == field).count(),
            1,
            "{field}: {wrong:?}"
        );
    }
    assert_eq!(wrong.about("productKey"), ["Invalid product key."]);
    assert_eq!(
        wrong.about("authType"),
        ["'authType' is invalid. Acceptable values are 'email', 'dns', 'file'."]
    );
}

async fn each_fault_has_its_sentence(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    for (field, value, sub_code, message) in [
        (
            "productKey",
            json!("gold"),
            "SSL2400",
            "Invalid product key.",
        ),
        (
            "term",
            json!(9),
            "SSL2400",
            "Invalid terms. Supported terms are [1, 2, 3]",
        ),
        (
            "term",
            json!(0),
            "SSL2400",
            "Invalid terms. Supported terms are [1, 2, 3]",
        ),
        (
            "administratorContactId",
            json!("SSL99999999T"),
            "SSL2400",
            "Contact not found: SSL99999999T",
        ),
        (
            "technicalContactId",
            json!("SSL99999999T"),
            "SSL2400",
            "Contact not found: SSL99999999T",
        ),
        (
            "shipmentContactId",
            json!("SSL99999999T"),
            "SSL2400",
            "Contact not found: SSL99999999T",
        ),
        (
            "administratorContactId",
            json!("WN1T"),
            "SSL2400",
            "Invalid contact id.",
        ),
        (
            "sanfield",
            json!(["a b.test"]),
            "SSL4000",
            "Field validation error.",
        ),
        ("sanfield", json!([7]), "SSL4000", "Field validation error."),
        ("sanfield", json!({}), "SSL4000", "Field validation error."),
        ("authType", json!(7), "SSL4000", "Field validation error."),
        ("csr", json!(7), "SSL4000", "Field validation error."),
    ] {
        let mut wrong = order.clone();
        wrong[field] = value.clone();
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &wrong)
            .await
            .refusal();
        let told = (refusal.status, &refusal.sub_code[..], &refusal.message[..]);
        assert_eq!(told, (400, sub_code, message), "{field} {value}");
    }
    // OV and EV need an organization, and none can be vetted yet.
    let order = panel.order("ov-multi", "dns", &["shop.test"]).await;
    let refusal = panel
        .http
        .post("/ssl/v2/orders/new", &order)
        .await
        .refusal();
    assert_eq!(
        refusal.about("organizationId"),
        ["'organizationId' is required."]
    );
    let mut order = panel.order("ev-multi", "dns", &["shop.test"]).await;
    order["organizationId"] = json!(8);
    let refusal = panel
        .http
        .post("/ssl/v2/orders/new", &order)
        .await
        .refusal();
    refusal.is(400, "SSL2400", "Organization not found");
    assert_eq!(panel.cents().await, before, "nothing was charged");
}

async fn csrs_that_cannot_be_certified(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let good = csr(&["shop.test"]);
    let cut = &good[..good.len() / 2];
    let (before, after) = good.split_at(good.len() / 2);
    let (letter, rest) = after.trim_start().split_at(1);
    let tampered = format!("{before}{}{rest}", if letter == "A" { "B" } else { "A" });
    let foreign = good.replace("CERTIFICATE REQUEST", "CERTIFICATE");
    let small = chancery_testkit::openssl(
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:1024",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            "/CN=shop.test",
        ],
        b"",
    );
    let nameless = chancery_testkit::openssl(
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            "/O=Shop",
        ],
        b"",
    );
    let small = small.unwrap();
    let nameless = nameless.unwrap();
    for wrong in ["", "AAAA", cut, &tampered, &foreign, &small, &nameless] {
        let mut order = order.clone();
        order["csr"] = json!(wrong);
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert_eq!(
            (refusal.status, &refusal.sub_code[..]),
            (400, "SSL4000"),
            "{refusal:?} {wrong}"
        );
        let told = refusal.about("csr");
        assert!(
            told.len() == 1 && (told[0].contains("CSR") || wrong.is_empty()),
            "{refusal:?}"
        );
    }
    // Each kind of key that is certified.
    for (number, key) in [Key::P256, Key::P384, Key::Rsa2048].into_iter().enumerate() {
        let name = format!("key{number}.test");
        let mut order = panel.order("ssl123", "dns", &[&name]).await;
        order["csr"] = json!(csr_with_key(&[&name], key).csr_pem);
        let placed = panel.place(&order).await;
        panel.publish(&placed.data).await;
        panel.finish(&placed.id).await;
        panel.verify(&placed.id, &[&name]).await;
    }
}

async fn what_is_another_s_is_not_there(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("dv-single", &["shop.test"]).await;
    let [contact, _] = panel.contacts().await;
    let other = server.another_panel("100.00").await;
    let of_order = |path: &str| path.replace("{}", &id);
    for (method, path, body) in [
        ("GET", "/ssl/v2/orders/info?orderId={}", ""),
        ("GET", "/ssl/v2/orders/info?commonName=shop.test", ""),
        ("GET", "/ssl/v2/orders/{}/dcv-status", ""),
        ("GET", "/ssl/v2/orders/{}/auth/info", ""),
        ("PUT", "/ssl/v2/orders/{}/auth", r#"{"authType":"dns"}"#),
        (
            "PUT",
            "/ssl/v2/orders/{}/approver-email",
            r#"{"approverEmail":["admin@shop.test"]}"#,
        ),
        ("POST", "/ssl/v2/orders/{}/approver-email/send", ""),
        ("POST", "/ssl/v2/orders/{}/cancel", ""),
        ("POST", "/ssl/v2/orders/{}/download/format/PEM", ""),
    ] {
        let refusal = other
            .http
            .send(method, &of_order(path), body)
            .await
            .refusal();
        refusal.is(400, "SSL2400", "Order not found.");
    }
    let missing = format!("Contact not found: {contact}");
    let path = format!("/ssl/v2/contact/info?contactId={contact}");
    other
        .http
        .get(&path)
        .await
        .refusal()
        .is(400, "SSL2400", &missing);
    let path = format!("/ssl/v2/contact?contactId={contact}");
    other
        .http
        .delete(&path)
        .await
        .refusal()
        .is(400, "SSL2400", &missing);
    let mut order = other.order("ssl123", "dns", &["other.test"]).await;
    order["technicalContactId"] = json!(contact);
    let refusal = other
        .http
        .post("/ssl/v2/orders/new", &order)
        .await
        .refusal();
    refusal.is(400, "SSL2400", &missing);
    for wrong in ["0", "99999999999999999999", "abc", "-1", "%20"] {
        let path = format!("/ssl/v2/orders/{wrong}/dcv-status");
        panel
            .http
            .get(&path)
            .await
            .refusal()
            .is(400, "SSL2400", "Order not found.");
    }
}

async fn names_and_prices_follow_the_product(server: &mut TestServer) {
    let panel = server.panel().await;
    let refused = async |product: &str, names: &[&str]| {
        let order = panel.order(product, "dns", names).await;
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert_eq!(refusal.status, 400, "{product} {names:?} {refusal:?}");
    };
    refused("dv-single", &["shop.test", "other.test"]).await;
    refused("dv-wildcard", &["shop.test"]).await;
    refused("ssl123", &["*.shop.test"]).await;
    let many: Vec<String> = (0..101)
        .map(|number| format!("shop{number}.test"))
        .collect();
    refused(
        "ssl123",
        &many.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;

    for (product, names, cents) in [
        ("dv-single", &["shop.test"][..], 690),
        (
            "ssl123",
            &["shop.test", "www.shop.test", "*.shop.test"],
            4000,
        ),
        (
            "dv-multi",
            &["shop.test", "a.test", "b.test", "c.test"],
            3700,
        ),
        // A name asked for twice is one name.
        (
            "ssl123",
            &["shop.test", "www.shop.test", "WWW.shop.test", "shop.test"],
            2000,
        ),
    ] {
        let before = panel.cents().await;
        panel.place(&panel.order(product, "dns", names).await).await;
        assert_eq!(before - panel.cents().await, cents, "{product}");
    }
    let path = "/ssl/v2/products/pricing?productKey=ssl123&term=1&commonSAN=2&wildcardSAN=1";
    let price = panel.http.get(path).await.data();
    assert_eq!(price["price"].to_string(), "50.0");
}

async fn too_little_balance_stores_nothing(server: &mut TestServer) {
    let panel = server.another_panel("15.00").await;
    panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    let order = panel.order("ssl123", "dns", &["other.test"]).await;
    for key in [None, Some("k-1"), Some("k-1")] {
        let reply = match key {
            Some(key) => panel.place_under_key(key, &order).await,
            None => panel.http.post("/ssl/v2/orders/new", &order).await,
        };
        let message = "Unable to place order due to insufficient balance";
        reply.refusal().is(400, "SSL2400", message);
    }
    assert_eq!(panel.cents().await, 500);
    let by_name = panel
        .http
        .get("/ssl/v2/orders/info?commonName=other.test")
        .await;
    by_name.refusal().is(400, "SSL2400", "Order not found.");

    // Of two that could each be paid, and not both, exactly one is.
    let rich = server.another_panel("10.00").await;
    let mut orders = Vec::new();
    for name in ["a.test", "b.test", "c.test", "d.test"] {
        orders.push(rich.order("ssl123", "dns", &[name]).await);
    }
    let replies = join_all(
        orders
            .iter()
            .map(|order| rich.http.post("/ssl/v2/orders/new", order)),
    )
    .await;
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 200).count(),
        1
    );
    assert_eq!(rich.cents().await, 0);
}

async fn cancelling_gives_the_money_back_once(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    assert_eq!(panel.cents().await, before - 1000);
    // Every form of the empty body, and again and again, all at once.
    let path = format!("/ssl/v2/orders/{}/cancel", placed.id);
    let bodies = ["", "[]", "{}", ""];
    let replies = join_all(bodies.map(|body| panel.http.send("POST", &path, body))).await;
    for reply in replies {
        assert_eq!(
            reply.json(),
            json!({ "code": "1000", "message": "Command completed successfully." })
        );
    }
    assert_eq!(panel.cents().await, before);
    assert_eq!(
        panel.statuses(&placed.id).await,
        ("CANCELLED".to_owned(), "CANCELLED".to_owned())
    );
    // The proof comes too late.
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "CANCELLED");
    let refusal = panel
        .change_method(&placed.id, &json!({ "authType": "file" }))
        .await
        .refusal();
    refusal.is(400, "SSL2400", "Action prohibited for 'CANCELLED' status.");
}

async fn what_is_issued_is_given_back_within_its_window(server: &mut TestServer) {
    let panel = server.panel().await;
    let early = panel.issue("ssl123", &["shop.test"]).await;
    let late = panel.issue("ssl123", &["late.test"]).await;
    let before = panel.cents().await;
    server.world().advance(29 * 86_400).await;
    let panel = panel.again().await;
    // Again and again, all at once: it is given back once.
    let path = format!("/ssl/v2/orders/{early}/cancel");
    let bodies = ["", "[]", "{}"];
    for reply in join_all(bodies.map(|body| panel.http.send("POST", &path, body))).await {
        assert_eq!(reply.json()["code"], "1000");
    }
    assert_eq!(panel.cents().await, before + 1000);
    let refunded = ("REFUNDED".to_owned(), "CANCELLED".to_owned());
    assert_eq!(panel.statuses(&early).await, refunded);
    server.app().run_due_jobs().await.unwrap();
    let asked: [(&str, &[u8]); 2] = [("bundle", b"true"), ("includeRevoked", b"true")];
    let revoked = panel.download_with(&early, "PEM", &asked).await.text();
    let revoked = Downloaded::of(&panel.http, &revoked).await;
    assert_eq!(
        revoked.revocation_reason().as_deref(),
        Some("Cessation Of Operation")
    );

    server.world().advance(2 * 86_400).await;
    let panel = panel.again().await;
    let refusal = panel.cancel(&late).await.refusal();
    let text = "Action prohibited for 'COMPLETED' status. The refund window ended on";
    assert!(refusal.message.starts_with(text), "{refusal:?}");
    assert_eq!(panel.cents().await, before + 1000);
    panel.verify(&late, &["late.test"]).await;
}

async fn orders_are_found_by_name_and_number(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel
        .order("ssl123", "dns", &["shop.test", "www.shop.test"])
        .await;
    let old = panel.place(&order).await.id;
    let new = panel.place(&order).await.id;
    let find = async |query: &str| {
        panel
            .http
            .get(&format!("/ssl/v2/orders/info?{query}"))
            .await
    };
    assert_eq!(
        find("commonName=SHOP.test").await.data()["orderId"],
        json!(new)
    );
    let both = format!("orderId={old}&commonName=shop.test");
    assert_eq!(find(&both).await.data()["orderId"], json!(old));
    let both = format!("orderId={old}&commonName=www.shop.test");
    find(&both)
        .await
        .refusal()
        .is(400, "SSL2400", "Order not found.");
    find("")
        .await
        .refusal()
        .is(400, "SSL4000", "Field validation error.");
    for wrong in ["commonName=a%20b", "commonName=nothing.test", "orderId=%00"] {
        find(wrong)
            .await
            .refusal()
            .is(400, "SSL2400", "Order not found.");
    }

    let info = find(&format!("orderId={old}")).await;
    let info = info.data();
    assert_eq!(info["term"], "1");
    assert_eq!(info["sanfield"], json!(["www.shop.test"]));
    assert_eq!(info["product"], "SSL 123");
    assert_eq!(info["dtcertexpire"], Value::Null);
}
