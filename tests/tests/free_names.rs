//! Names that come along for nothing, and names that a CSR brings.

use chancery_testkit::{Panel, TestServer, csr, on_both_engines, openssl};
use serde_json::{Value, json};

use crate::database::int;

on_both_engines!(
    www_comes_along_where_the_same_proof_covers_it,
    a_file_proves_one_name_and_holds_no_order_up_for_another,
    the_bare_name_comes_along_with_a_wildcard,
    what_comes_along_costs_nothing_where_it_is_asked_for,
    a_reissue_keeps_what_came_along,
    what_does_not_come_along_any_more_is_told,
    the_names_of_a_csr_count_where_nothing_else_is_said,
    names_of_a_csr_that_are_left_out_are_listed,
    names_of_a_csr_are_held_against_the_product,
    what_cannot_come_along_is_listed_as_left_out,
    addresses_and_second_names_of_a_csr_are_listed_as_left_out,
    what_came_along_and_is_sent_back_holds_nothing_up,
    a_wildcard_brings_its_bare_name_along_and_no_other,
);

async fn issue_by(panel: &Panel, method: &str, product: &str, names: &[&str]) -> String {
    let placed = panel
        .place(&panel.order(product, method, names).await)
        .await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    placed.id
}

/// Which names a certificate has.
async fn covered(panel: &Panel, id: &str) -> Vec<String> {
    let info = panel.info(id).await;
    let names = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
    let mut told = vec![info["commonName"].as_str().unwrap().to_owned()];
    told.extend(names(&info["sanfield"]));
    let hosts: Vec<String> = told.iter().map(|name| name.replace('*', "any")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    panel.verify(id, &hosts).await;
    told
}

async fn www_comes_along_where_the_same_proof_covers_it(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let id = issue_by(&panel, "dns", "dv-single", &["shop.test"]).await;
    assert_eq!(panel.cents().await, before - 690);
    assert_eq!(covered(&panel, &id).await, ["shop.test", "www.shop.test"]);
    assert_eq!(panel.info(&id).await["companion"], "www.shop.test");
    // Control of www.kiosk.test says nothing of kiosk.test; control of kiosk.test says all of www.kiosk.test.
    let id = issue_by(&panel, "dns", "dv-single", &["www.kiosk.test"]).await;
    assert_eq!(covered(&panel, &id).await, ["www.kiosk.test"]);
    let asked = panel.order("dv-single", "dns", &["www.store.test"]).await;
    let placed = panel.place(&asked).await;
    let value = placed.data["commonName"]["value"].as_str().unwrap();
    (panel.world)
        .put_dns("_dnsauth.store.test", "TXT", &[value])
        .await;
    panel.finish(&placed.id).await;
    assert_eq!(
        covered(&panel, &placed.id).await,
        ["www.store.test", "store.test"]
    );
    // Products of several names bring none along.
    let id = issue_by(&panel, "dns", "ssl123", &["plain.test"]).await;
    assert_eq!(covered(&panel, &id).await, ["plain.test"]);
    let list = panel.http.get("/ssl/v2/products/list").await.data();
    let of = |key: &str| {
        let mut products = list.as_array().unwrap().iter();
        products.find(|item| item["productKey"] == key).unwrap()["companion"].clone()
    };
    assert_eq!(
        [of("dv-single"), of("dv-wildcard"), of("ssl123")],
        [json!("www"), json!("bare"), Value::Null]
    );
}

async fn a_file_proves_one_name_and_holds_no_order_up_for_another(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = issue_by(&panel, "file", "dv-single", &["shop.test"]).await;
    assert_eq!(covered(&panel, &id).await, ["shop.test"]);
    assert_eq!(panel.info(&id).await["companion"], Value::Null);
}

async fn the_bare_name_comes_along_with_a_wildcard(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = issue_by(&panel, "dns", "dv-wildcard", &["*.shop.test"]).await;
    assert_eq!(covered(&panel, &id).await, ["*.shop.test", "shop.test"]);
}

async fn what_comes_along_costs_nothing_where_it_is_asked_for(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let names = ["shop.test", "www.shop.test"];
    let placed = panel
        .place(&panel.order("dv-single", "dns", &names).await)
        .await;
    // It was asked for, so that it has to be proved as any name.
    assert_eq!(placed.data["san"][0]["name"], "www.shop.test");
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    assert_eq!(panel.cents().await, before - 690);
    assert_eq!(covered(&panel, &placed.id).await, names);
    let refusal = panel
        .http
        .post(
            "/ssl/v2/orders/new",
            &panel
                .order("dv-single", "dns", &["shop.test", "mail.shop.test"])
                .await,
        )
        .await
        .refusal();
    assert!(!refusal.about("sanfield").is_empty(), "{refusal:?}");
    panel.cancel(&placed.id).await.json();
    assert_eq!(panel.cents().await, before);
}

async fn a_reissue_keeps_what_came_along(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = issue_by(&panel, "dns", "dv-single", &["shop.test"]).await;
    let before = panel.cents().await;
    let path = format!("/ssl/v2/orders/{id}/reissue");
    // A panel that sends back what it was shown.
    for body in [
        json!({ "csr": csr(&["shop.test"]) }),
        json!({ "csr": csr(&["shop.test"]), "sanfield": ["www.shop.test"] }),
    ] {
        panel.http.post(&path, &body).await.data();
        panel.world.run_due_jobs().await;
        assert_eq!(covered(&panel, &id).await, ["shop.test", "www.shop.test"]);
    }
    assert_eq!(panel.cents().await, before);
}

async fn what_does_not_come_along_any_more_is_told(server: &mut TestServer) {
    let panel = server.panel().await;
    let asked = panel.order("dv-single", "dns", &["www.store.test"]).await;
    let placed = panel.place(&asked).await;
    let value = placed.data["commonName"]["value"].as_str().unwrap();
    (panel.world)
        .put_dns("_dnsauth.store.test", "TXT", &[value])
        .await;
    panel.finish(&placed.id).await;
    let both = ["www.store.test", "store.test"];
    assert_eq!(covered(&panel, &placed.id).await, both);

    // The proof is too old by then, and control is shown at the name itself, which says nothing of its parent.
    panel.world.advance(210 * 86_400).await;
    let panel = panel.again().await;
    let path = format!("/ssl/v2/orders/{}/reissue", placed.id);
    let body = json!({ "csr": csr(&["www.store.test"]) });
    let data = panel.http.post(&path, &body).await.data();
    panel.world.clear_mail().await;
    panel.publish(&data).await;
    panel.finish(&placed.id).await;
    assert_eq!(covered(&panel, &placed.id).await, ["www.store.test"]);
    let lost =
        "select count(*) from events where kind = 'companion_lost' and detail = 'store.test'";
    assert_eq!(int(server, lost).await, 1);
    let mails = panel.world.mails().await;
    let told = "does not cover store.test any more";
    let told = mails
        .iter()
        .find(|mail| mail["subject"].as_str().unwrap().contains(told));
    let mail = panel.world.mail(&told.unwrap()["id"]).await;
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("reissue the order with"), "{text}");
    // It is told once.
    panel.world.clear_mail().await;
    panel.http.post(&path, &body).await.data();
    panel.world.run_due_jobs().await;
    assert!(panel.world.mails().await.is_empty());
}

async fn the_names_of_a_csr_count_where_nothing_else_is_said(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["csr"] = json!(csr(&["shop.test", "a.shop.test"]));
    order["sanfield"] = json!([""]);
    let placed = panel.place(&order).await;
    assert_eq!(panel.cents().await, before - 2000);
    assert_eq!(placed.data["san"][0]["name"], "a.shop.test");
    assert_eq!(placed.data.get("leftOut"), None);
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    assert_eq!(
        covered(&panel, &placed.id).await,
        ["shop.test", "a.shop.test"]
    );
    // A new CSR adds names to those the order has; the same one once more does not.
    let path = format!("/ssl/v2/orders/{}/reissue", placed.id);
    let new = csr(&["shop.test", "b.shop.test"]);
    for _ in 0..2 {
        panel.http.post(&path, &json!({ "csr": new })).await.data();
        panel.world.run_due_jobs().await;
    }
    assert_eq!(panel.cents().await, before - 3000);
    assert_eq!(
        covered(&panel, &placed.id).await,
        ["shop.test", "a.shop.test", "b.shop.test"]
    );
}

async fn names_of_a_csr_that_are_left_out_are_listed(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["csr"] = json!(csr(&["shop.test", "a.shop.test", "b.shop.test"]));
    order["sanfield"] = json!(["b.shop.test"]);
    let reply = panel.place_under_key("left-out", &order).await;
    assert_eq!(reply.data()["leftOut"], json!(["a.shop.test"]));
    let again = panel.place_under_key("left-out", &order).await;
    assert_eq!(again.body, reply.body);
    order["sanfield"] = json!([]);
    let none = panel.place(&order).await;
    assert_eq!(none.data["san"], json!([]));
    assert_eq!(none.data["leftOut"], json!(["a.shop.test", "b.shop.test"]));

    let mut single = panel.order("dv-single", "dns", &["shop.test"]).await;
    single["csr"] = json!(csr(&["shop.test", "www.shop.test", "mail.shop.test"]));
    let placed = panel.place(&single).await;
    assert_eq!(placed.data["leftOut"], json!(["mail.shop.test"]));
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    assert_eq!(
        covered(&panel, &placed.id).await,
        ["shop.test", "www.shop.test"]
    );
}

async fn names_of_a_csr_are_held_against_the_product(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let names: Vec<String> = (0..101).map(|at| format!("n{at}.shop.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut order = panel.order("ssl123", "dns", &names[..1]).await;
    order["csr"] = json!(csr(&names));
    let refusal = panel
        .http
        .post("/ssl/v2/orders/new", &order)
        .await
        .refusal();
    assert!(
        refusal.about("csr")[0].contains("at most 100"),
        "{refusal:?}"
    );
    // What no certificate can have was never meant to be in one.
    order["csr"] = json!(csr(&["n0.shop.test", "server.internal", "a.shop.test"]));
    let placed = panel.place(&order).await;
    assert_eq!(placed.data["san"].as_array().unwrap().len(), 1);
    assert_eq!(placed.data["leftOut"], json!(["server.internal"]));
    assert_eq!(panel.cents().await, before - 2000);
}

async fn what_cannot_come_along_is_listed_as_left_out(server: &mut TestServer) {
    let panel = server.panel().await;
    for (method, names, left_out) in [
        ("dns", ["shop.test", "www.shop.test"], Value::Null),
        ("email", ["shop.test", "www.shop.test"], Value::Null),
        (
            "file",
            ["shop.test", "www.shop.test"],
            json!(["www.shop.test"]),
        ),
        // Control of www.shop.test says nothing of shop.test.
        ("dns", ["www.shop.test", "shop.test"], json!(["shop.test"])),
    ] {
        let mut order = panel.order("dv-single", method, &names[..1]).await;
        order["csr"] = json!(csr(&names));
        let placed = panel.place(&order).await;
        let told = placed.data.get("leftOut").cloned().unwrap_or_default();
        assert_eq!(told, left_out, "{method} {names:?}");
    }
}

async fn addresses_and_second_names_of_a_csr_are_listed_as_left_out(server: &mut TestServer) {
    let panel = server.panel().await;
    let asked = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "/dev/null",
        "-subj",
        "/CN=shop.test/CN=second.test",
        "-addext",
        "subjectAltName=DNS:shop.test,DNS:a.shop.test,IP:192.0.2.1,IP:2001:db8::1,email:a@shop.test",
    ];
    let made = openssl(&asked, b"").unwrap();
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["csr"] = json!(made);
    let placed = panel.place(&order).await;
    assert_eq!(placed.data["san"][0]["name"], "a.shop.test");
    let left_out = json!(["second.test", "192.0.2.1", "2001:db8::1", "a@shop.test"]);
    assert_eq!(placed.data["leftOut"], left_out);
}

async fn what_came_along_and_is_sent_back_holds_nothing_up(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let id = issue_by(&panel, "dns", "dv-single", &["shop.test"]).await;
    // By file, www. would need one of its own.
    let again = json!({
        "csr": csr(&["shop.test"]), "sanfield": ["www.shop.test"], "authType": "file", "term": 1,
    });
    for action in ["reissue", "renew"] {
        let path = format!("/ssl/v2/orders/{id}/{action}");
        let first = panel.http.post(&path, &again).await;
        let frame = |data: Value| match action {
            "renew" => data["renewOrder"].clone(),
            _ => data,
        };
        let data = frame(first.data());
        assert_eq!(data["san"], json!([]), "{action}: {data}");
        // The proof by DNS serves on, and covers it.
        assert_eq!(data.get("leftOut"), None, "{action}");
        let repeated = frame(panel.http.post(&path, &again).await.data());
        assert_eq!(repeated["orderId"], data["orderId"]);
        assert_eq!(repeated.get("leftOut"), None, "{action}");
        panel.world.run_due_jobs().await;
        let issued = covered(&panel, data["orderId"].as_str().unwrap()).await;
        assert_eq!(issued, ["shop.test", "www.shop.test"], "{action}");
    }
    // Where none is left, and a file would show nothing of it, that is said.
    let lost = issue_by(&panel, "dns", "dv-single", &["lost.test"]).await;
    for proof in panel
        .http
        .get("/ssl/v2/proofs/list?domain=lost.test")
        .await
        .data()
        .as_array()
        .unwrap()
    {
        let path = format!("/ssl/v2/proofs/{}", proof["proofId"].as_str().unwrap());
        panel.http.delete(&path).await.data();
    }
    let path = format!("/ssl/v2/orders/{lost}/reissue");
    let again = json!({
        "csr": csr(&["lost.test"]), "sanfield": ["www.lost.test"], "authType": "file",
    });
    for _ in 0..2 {
        let data = panel.http.post(&path, &again).await.data();
        assert_eq!(data["leftOut"], json!(["www.lost.test"]), "{data}");
    }
    // Who was chosen to approve of it alone is not needed.
    for approvers in [
        json!([{ "domain": "lost.test", "email": "admin@lost.test" },
            { "domain": "www.lost.test", "email": "webmaster@lost.test" }]),
        json!(["admin@lost.test", "webmaster@lost.test"]),
    ] {
        let again = json!({
            "csr": csr(&["lost.test"]), "sanfield": ["www.lost.test"], "authType": "email",
            "approverEmail": approvers,
        });
        let data = panel.http.post(&path, &again).await.data();
        assert_eq!(data["commonName"]["value"], "admin@lost.test", "{data}");
    }
    // Where a proof covers it, it comes along again.
    let other = issue_by(&panel, "dns", "dv-single", &["other.test"]).await;
    let path = format!("/ssl/v2/orders/{other}/reissue");
    let body = json!({ "csr": csr(&["other.test"]), "sanfield": ["www.other.test"] });
    let data = panel.http.post(&path, &body).await.data();
    assert_eq!((&data["san"], data.get("leftOut")), (&json!([]), None));
    panel.world.run_due_jobs().await;
    assert_eq!(
        covered(&panel, &other).await,
        ["other.test", "www.other.test"]
    );
}

async fn a_wildcard_brings_its_bare_name_along_and_no_other(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let list = panel.http.get("/ssl/v2/products/list").await.data();
    let mut products = list.as_array().unwrap().iter();
    let sold = products.find(|item| item["productKey"] == "dv-wildcard");
    assert_eq!(sold.unwrap()["maxSan"], 0);
    for names in [
        &["*.shop.test", "other.test"][..],
        &["*.shop.test", "shop.test", "other.test"],
    ] {
        let order = panel.order("dv-wildcard", "dns", names).await;
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert!(!refusal.about("sanfield").is_empty(), "{refusal:?}");
    }
    let id = issue_by(&panel, "dns", "dv-wildcard", &["*.shop.test", "shop.test"]).await;
    assert_eq!(covered(&panel, &id).await, ["*.shop.test", "shop.test"]);
    assert_eq!(panel.cents().await, before - 4900);
}
