//! Domains proved ahead of any order, and proofs listed and dropped: by whom, and for which orders they serve.

use chancery_domain::reseller_settings::ProofScope;
use chancery_testkit::{Panel, TestServer, on_both_engines};
use serde_json::{Value, json};

use crate::database::{execute, int};
use crate::proofs::{share_proofs, standings};

on_both_engines!(
    a_domain_proved_ahead_serves_orders_that_ask_for_it,
    a_domain_is_proved_by_each_method,
    a_domain_is_asked_for_again_and_in_another_way,
    what_an_alias_shows_proves_no_domain,
    looks_at_domains_keep_the_pace_of_orders,
    what_is_not_shown_in_time_expires,
    a_dropped_domain_serves_no_order,
    domains_that_came_to_nothing_are_removed_in_time,
    domains_and_proofs_of_others_are_not_there,
    what_cannot_be_proved_is_refused,
    a_dropped_proof_is_not_used_again_and_the_certificate_stays,
    a_proof_dropped_while_an_order_rests_on_it_is_shown_anew,
    a_proof_dropped_by_a_clock_behind_is_dropped_for_good,
    a_proof_of_a_renewal_is_dropped_with_those_before_it,
);

const DAY: i64 = 86_400;

async fn validate(panel: &Panel, body: &Value) -> Value {
    let reply = panel.http.post("/ssl/v2/domains/validate", body).await;
    reply.data()
}

async fn info(panel: &Panel, id: &str) -> Value {
    let path = format!("/ssl/v2/domains/{id}/info");
    panel.http.get(&path).await.data()
}

async fn list(panel: &Panel, what: &str) -> Vec<Value> {
    let found = panel.http.get(&format!("/ssl/v2/{what}/list")).await.data();
    found.as_array().unwrap().clone()
}

fn id(data: &Value) -> String {
    data["domainId"].as_str().unwrap().to_owned()
}

/// Has the platform look, as asking does, and gives what is told then.
async fn look(panel: &Panel, id: &str) -> Value {
    panel.world.advance_clock(10).await;
    info(panel, id).await;
    panel.world.run_due_jobs().await;
    info(panel, id).await
}

/// Proves a domain ahead of any order, by the DNS.
async fn proved(panel: &Panel, domain: &str) -> String {
    let data = validate(panel, &json!({ "domain": domain, "authType": "dns" })).await;
    panel
        .publish(&json!({ "commonName": data["challenge"] }))
        .await;
    let told = look(panel, &id(&data)).await;
    assert_eq!(told["domainStatus"], "VALIDATED", "{told:#}");
    id(&data)
}

async fn placed(panel: &Panel, names: &[&str], uses: Option<bool>) -> Vec<String> {
    let mut order = panel.order("ssl123", "dns", names).await;
    if let Some(uses) = uses {
        order["usePrevalidated"] = json!(uses);
    }
    standings(&panel.place(&order).await.data)
}

async fn a_domain_proved_ahead_serves_orders_that_ask_for_it(server: &mut TestServer) {
    let panel = server.panel().await;
    proved(&panel, "shop.test").await;
    let names = ["shop.test", "www.shop.test", "kiosk.test"];
    for uses in [None, Some(false)] {
        assert_eq!(placed(&panel, &names, uses).await, ["PENDING"; 3]);
    }
    let shown = ["VALIDATED", "VALIDATED", "PENDING"];
    assert_eq!(placed(&panel, &names, Some(true)).await, shown);
    // What an order has shown itself is no pre-validation.
    panel.issue("ssl123", &["other.test"]).await;
    assert_eq!(
        placed(&panel, &["other.test"], Some(true)).await,
        ["PENDING"]
    );

    // An order that asked once is replaced on it, too.
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["usePrevalidated"] = json!(true);
    order["reuseKey"] = json!(true);
    let order = panel.place(&order).await;
    panel.world.run_due_jobs().await;
    let before = panel.certificate(&order.id).await;
    panel.world.advance(90 * DAY).await;
    let panel = panel.again().await;
    proved(&panel, "shop.test").await;
    panel.world.advance(50 * DAY).await;
    let panel = panel.again().await;
    assert_eq!(panel.statuses(&order.id).await.1, "ACTIVE");
    assert_ne!(panel.certificate(&order.id).await, before);
    // A reissue says so where the order did not.
    let plain = panel.issue("ssl123", &["plain.test"]).await;
    let path = format!("/ssl/v2/orders/{plain}/reissue");
    let csr = chancery_testkit::csr(&["plain.test"]);
    let mut body = json!({ "csr": csr, "sanfield": ["www.shop.test"] });
    let data = panel.http.post(&path, &body).await.data();
    assert_eq!(standings(&data), ["VALIDATED", "PENDING"]);
    body["usePrevalidated"] = json!(true);
    let data = panel.http.post(&path, &body).await.data();
    assert_eq!(standings(&data), ["VALIDATED", "VALIDATED"]);
}

async fn a_domain_is_proved_by_each_method(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let file = validate(
        &panel,
        &json!({ "domain": "file.test", "authType": "file" }),
    )
    .await;
    let seen = look(&panel, &id(&file)).await;
    assert_eq!(seen["domainStatus"], "PENDING");
    assert_eq!(seen["observations"][0]["outcome"], "not_found", "{seen:#}");
    panel
        .publish(&json!({ "commonName": file["challenge"] }))
        .await;
    let seen = look(&panel, &id(&file)).await;
    assert_eq!(seen["domainStatus"], "VALIDATED", "{seen:#}");
    // A file proves its name alone.
    let names = ["file.test", "www.file.test"];
    let shown = ["VALIDATED", "PENDING"];
    assert_eq!(placed(&panel, &names, Some(true)).await, shown);

    let mail = json!({ "domain": "*.mail.test", "authType": "email", "approverEmail": "webmaster@mail.test" });
    let mail = validate(&panel, &mail).await;
    assert_eq!(mail["challenge"]["name"], "mail.test");
    world.run_due_jobs().await;
    let link = world.approval_links("webmaster@mail.test").await.remove(0);
    let page = server.http().get(&link).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("mail.test"), "{}", page.text());
    assert_eq!(info(&panel, &id(&mail)).await["domainStatus"], "PENDING");
    assert_eq!(server.http().send("POST", &link, "").await.status, 200);
    let told = info(&panel, &id(&mail)).await;
    assert_eq!(told["domainStatus"], "VALIDATED", "{told:#}");
    assert_eq!(told["observations"][0]["outcome"], "proved");
    let names = ["a.mail.test", "b.c.mail.test"];
    assert_eq!(placed(&panel, &names, Some(true)).await, ["VALIDATED"; 2]);
    assert_eq!(server.http().send("POST", &link, "").await.status, 200);
    world.run_due_jobs().await;
}

async fn a_domain_is_asked_for_again_and_in_another_way(server: &mut TestServer) {
    let panel = server.panel().await;
    let by_dns = json!({ "domain": "shop.test", "authType": "dns" });
    let first = validate(&panel, &by_dns).await;
    // The same again changes nothing; another method voids the value.
    assert_eq!(
        validate(&panel, &by_dns).await["challenge"],
        first["challenge"]
    );
    let by_file = json!({ "domain": "SHOP.test.", "authType": "file" });
    let second = validate(&panel, &by_file).await;
    assert_eq!(second["domainId"], first["domainId"]);
    panel
        .publish(&json!({ "commonName": first["challenge"] }))
        .await;
    assert_eq!(look(&panel, &id(&first)).await["domainStatus"], "PENDING");
    panel
        .publish(&json!({ "commonName": second["challenge"] }))
        .await;
    assert_eq!(look(&panel, &id(&first)).await["domainStatus"], "VALIDATED");

    // Once more, while the old proof still serves.
    let second = info(&panel, &id(&first)).await;
    let third = validate(&panel, &by_file).await;
    assert_eq!(third["domainStatus"], "VALIDATED");
    assert!(third["dtvalidateBy"].is_string(), "{third:#}");
    for key in ["dtvalidate", "dtexpire"] {
        assert_eq!(third[key], second[key], "{key}");
    }
    assert_ne!(third["challenge"]["value"], second["challenge"]["value"]);
    assert_eq!(
        placed(&panel, &["shop.test"], Some(true)).await,
        ["VALIDATED"]
    );
    assert_eq!(list(&panel, "domains").await.len(), 1);
    // Not shown anew in time, the old proof serves to its end, and no longer.
    panel.world.advance(40 * DAY).await;
    let panel = panel.again().await;
    let told = info(&panel, &id(&first)).await;
    assert_eq!(told["domainStatus"], "VALIDATED", "{told:#}");
    assert_eq!(told["dtvalidateBy"], Value::Null);
    assert_eq!(told["dtexpire"], second["dtexpire"]);
    panel.world.advance(170 * DAY).await;
    let panel = panel.again().await;
    for told in [
        info(&panel, &id(&first)).await,
        list(&panel, "domains").await.remove(0),
    ] {
        assert_eq!(told["domainStatus"], "EXPIRED", "{told:#}");
        assert_eq!(told["dtexpire"], second["dtexpire"]);
    }
}

async fn what_an_alias_shows_proves_no_domain(server: &mut TestServer) {
    let panel = server.panel().await;
    let world = &panel.world;
    let asked = validate(&panel, &json!({ "domain": "shop.test", "authType": "dns" })).await;
    let value = asked["challenge"]["value"].as_str().unwrap();
    world
        .put_dns("shop.test", "CNAME", &["edge.cdn.test"])
        .await;
    world.put_dns("_dnsauth.cdn.test", "TXT", &[value]).await;
    let seen = look(&panel, &id(&asked)).await;
    assert_eq!(seen["domainStatus"], "PENDING", "{seen:#}");
    assert_eq!(seen["observations"][0]["outcome"], "not_found", "{seen:#}");
    let advice = seen["observations"][0]["advice"].as_str().unwrap();
    assert!(advice.contains("_dnsauth.shop.test itself"), "{advice}");
    world.put_dns("_dnsauth.shop.test", "TXT", &[value]).await;
    let seen = look(&panel, &id(&asked)).await;
    assert_eq!(seen["domainStatus"], "VALIDATED", "{seen:#}");
    assert_eq!(
        placed(&panel, &["shop.test"], Some(true)).await,
        ["VALIDATED"]
    );
}

async fn looks_at_domains_keep_the_pace_of_orders(server: &mut TestServer) {
    let panel = server.panel().await;
    let asked = validate(
        &panel,
        &json!({ "domain": "silent.test", "authType": "dns" }),
    )
    .await;
    let host = asked["challenge"]["host"].as_str().unwrap();
    panel
        .world
        .put_dns_set(host, "TXT", &json!({ "drop": true }))
        .await;
    panel.world.advance(6).await;
    let queue = "select queue from jobs where kind = 'poll_domain'";
    assert_eq!(int(server, queue).await, 3);
    for _ in 0..40 {
        panel.world.advance(20).await;
    }
    let made = int(server, "select count(*) from observations").await;
    assert!((3..=6).contains(&made), "{made} looks in 13 minutes");
}

async fn what_is_not_shown_in_time_expires(server: &mut TestServer) {
    let panel = server.panel().await;
    let by_dns = validate(&panel, &json!({ "domain": "dns.test", "authType": "dns" })).await;
    let by_mail = validate(
        &panel,
        &json!({ "domain": "mail.test", "authType": "email" }),
    )
    .await;
    panel.world.run_due_jobs().await;
    let link = panel.world.approval_links("@mail.test").await.remove(0);
    panel.world.advance(31 * DAY).await;
    let panel = panel.again().await;
    for domain in [&by_dns, &by_mail] {
        let told = info(&panel, &id(domain)).await;
        assert_eq!(told["domainStatus"], "EXPIRED", "{told:#}");
    }
    assert_ne!(server.http().send("POST", &link, "").await.status, 200);
    proved(&panel, "dns.test").await;
    // Proofs grow old like those of orders.
    assert_eq!(
        placed(&panel, &["dns.test"], Some(true)).await,
        ["VALIDATED"]
    );
    panel.world.advance(400 * DAY).await;
    let panel = panel.again().await;
    assert_eq!(placed(&panel, &["dns.test"], Some(true)).await, ["PENDING"]);
}

async fn domains_that_came_to_nothing_are_removed_in_time(server: &mut TestServer) {
    let panel = server.panel().await;
    let drop = async |id: &str| {
        let path = format!("/ssl/v2/domains/{id}");
        assert_eq!(panel.http.delete(&path).await.status, 200);
    };
    let ask = async |domain: &str| {
        let asked = json!({ "domain": domain, "authType": "dns" });
        id(&validate(&panel, &asked).await)
    };
    drop(&ask("dropped.test").await).await;
    ask("late.test").await;
    drop(&proved(&panel, "proved.test").await).await;
    let domains = async || int(server, "select count(*) from prevalidations").await;
    panel.world.advance(31 * DAY).await;
    panel.world.advance(58 * DAY).await;
    assert_eq!(domains().await, 3);
    panel.world.advance(2 * DAY).await;
    assert_eq!(domains().await, 2, "the one that was dropped is gone");
    panel.world.advance(60 * DAY).await;
    assert_eq!(domains().await, 1, "what was proved stays with its proof");
}

async fn a_dropped_domain_serves_no_order(server: &mut TestServer) {
    let panel = server.panel().await;
    let open = validate(
        &panel,
        &json!({ "domain": "open.test", "authType": "email" }),
    )
    .await;
    panel.world.run_due_jobs().await;
    let link = panel.world.approval_links("@open.test").await.remove(0);
    let shown = proved(&panel, "shop.test").await;
    for id in [&id(&open), &shown] {
        let path = format!("/ssl/v2/domains/{id}");
        assert_eq!(panel.http.delete(&path).await.status, 200);
        let refusal = panel.http.delete(&path).await.refusal();
        assert_eq!(refusal.message, "Domain not found.");
    }
    panel.world.run_due_jobs().await;
    assert!(list(&panel, "domains").await.is_empty());
    assert!(list(&panel, "proofs").await.is_empty());
    assert_eq!(
        placed(&panel, &["shop.test"], Some(true)).await,
        ["PENDING"]
    );
    assert_ne!(server.http().send("POST", &link, "").await.status, 200);
    // It may be proved again.
    proved(&panel, "shop.test").await;
    assert_eq!(
        placed(&panel, &["shop.test"], Some(true)).await,
        ["VALIDATED"]
    );
}

async fn domains_and_proofs_of_others_are_not_there(server: &mut TestServer) {
    let panel = server.panel().await;
    let domain = proved(&panel, "shop.test").await;
    let proofs = list(&panel, "proofs").await;
    assert_eq!(proofs.len(), 1);
    assert_eq!(proofs[0]["domainId"], domain);
    let proof = proofs[0]["proofId"].as_str().unwrap();
    let other = server.another_panel("100.00").await;
    assert!(list(&other, "domains").await.is_empty());
    assert!(list(&other, "proofs").await.is_empty());
    assert_eq!(
        placed(&other, &["shop.test"], Some(true)).await,
        ["PENDING"]
    );
    let http = &other.http;
    for reply in [
        http.get(&format!("/ssl/v2/domains/{domain}/info")).await,
        http.delete(&format!("/ssl/v2/domains/{domain}")).await,
        http.delete(&format!("/ssl/v2/proofs/{proof}")).await,
    ] {
        reply.refusal();
    }
    assert_eq!(info(&panel, &domain).await["domainStatus"], "VALIDATED");
    // Each reseller has its own of one domain.
    let theirs = validate(&other, &json!({ "domain": "shop.test", "authType": "dns" })).await;
    assert_ne!(theirs["domainId"], domain);
}

async fn what_cannot_be_proved_is_refused(server: &mut TestServer) {
    let panel = server.panel().await;
    let refused = async |body: Value| {
        let reply = panel.http.post("/ssl/v2/domains/validate", &body).await;
        reply.refusal()
    };
    for domain in [
        "co.uk",
        "shop.internal",
        "shop",
        "1.0.0.127.in-addr.arpa",
        "shop.onion",
        "printer.home.arpa",
        "1.2.3.e164.arpa",
        "",
    ] {
        let refusal = refused(json!({ "domain": domain, "authType": "dns" })).await;
        assert_eq!(refusal.about("domain").len(), 1, "{refusal:?}");
    }
    let refusal = refused(json!({})).await;
    assert_eq!(refusal.about("domain").len(), 1, "{refusal:?}");
    assert_eq!(refusal.about("authType").len(), 1, "{refusal:?}");
    let wrong =
        json!({ "domain": "shop.test", "authType": "email", "approverEmail": "admin@other.test" });
    assert_eq!(refused(wrong).await.about("approverEmail").len(), 1);
}

async fn a_dropped_proof_is_not_used_again_and_the_certificate_stays(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel.issue("ssl123", &["shop.test"]).await;
    let other = panel.issue("ssl123", &["kiosk.test"]).await;
    let all = list(&panel, "proofs").await;
    assert_eq!(all.len(), 2);
    let of_order = format!("/ssl/v2/proofs/list?orderId={order}");
    let of_order = panel.http.get(&of_order).await.data();
    assert_eq!(of_order.as_array().unwrap().len(), 1);
    assert_eq!(of_order[0]["domain"], "shop.test");
    assert_eq!(of_order[0]["orderId"], order);
    let of_domain = "/ssl/v2/proofs/list?domain=www.kiosk.test";
    let of_domain = panel.http.get(of_domain).await.data();
    assert_eq!(of_domain[0]["orderId"], other);
    let id = of_order[0]["proofId"].as_str().unwrap();
    let path = format!("/ssl/v2/proofs/{id}");
    assert_eq!(panel.http.delete(&path).await.status, 200);
    assert_eq!(
        panel.http.delete(&path).await.refusal().message,
        "Proof not found."
    );
    assert_eq!(list(&panel, "proofs").await.len(), 1);
    assert_eq!(panel.statuses(&order).await.1, "ACTIVE");
    panel.verify(&order, &["shop.test"]).await;
    let reissued = async |id: &str, name: &str| {
        let path = format!("/ssl/v2/orders/{id}/reissue");
        let body = json!({ "csr": chancery_testkit::csr(&[name]) });
        standings(&panel.http.post(&path, &body).await.data())
    };
    assert_eq!(reissued(&order, "shop.test").await, ["PENDING"]);
    assert_eq!(reissued(&other, "kiosk.test").await, ["VALIDATED"]);
}

async fn a_proof_dropped_while_an_order_rests_on_it_is_shown_anew(server: &mut TestServer) {
    let panel = server.panel().await;
    share_proofs(server, ProofScope::Reseller).await;
    panel.issue("ssl123", &["shop.test"]).await;
    let order = panel
        .order("ssl123", "dns", &["shop.test", "kiosk.test"])
        .await;
    let placed = panel.place(&order).await;
    assert_eq!(standings(&placed.data), ["VALIDATED", "PENDING"]);
    let proofs = list(&panel, "proofs").await;
    let id = proofs[0]["proofId"].as_str().unwrap();
    let path = format!("/ssl/v2/proofs/{id}");
    assert_eq!(panel.http.delete(&path).await.status, 200);
    let [shop, kiosk] = &placed.challenges()[..] else {
        panic!("{placed:?}")
    };
    panel.world.delete_dns("_dnsauth.shop.test", "TXT").await;
    panel.publish(&json!({ "commonName": kiosk })).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    panel.publish(&json!({ "commonName": shop })).await;
    panel.finish(&placed.id).await;
}

async fn a_proof_dropped_by_a_clock_behind_is_dropped_for_good(server: &mut TestServer) {
    let panel = server.panel().await;
    share_proofs(server, ProofScope::Reseller).await;
    panel.issue("ssl123", &["shop.test"]).await;
    let names = ["shop.test", "kiosk.test"];
    let order = panel.order("ssl123", "dns", &names).await;
    let placed = panel.place(&order).await;
    assert_eq!(standings(&placed.data), ["VALIDATED", "PENDING"]);
    // As a server does whose clock is behind, or whose drop was begun before the order and done after it.
    let dropped = "update authorizations set dropped_at = 1 where domain = 'shop.test'";
    execute(server, dropped).await;
    panel.world.delete_dns("_dnsauth.shop.test", "TXT").await;
    let kiosk = placed.challenges()[1].clone();
    panel.publish(&json!({ "commonName": kiosk })).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    let told = panel.auth_info(&placed.id).await;
    assert_eq!(standings(&told), ["PENDING", "VALIDATED"]);
}

async fn a_proof_of_a_renewal_is_dropped_with_those_before_it(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let first = panel.issue("ssl123", &["shop.test"]).await;
    let path = format!("/ssl/v2/orders/{first}/renew");
    let csr = chancery_testkit::csr(&["shop.test"]);
    let body = json!({ "term": 1, "csr": csr });
    let renewal = panel.http.post(&path, &body).await.data()["renewOrder"].clone();
    panel.world.run_due_jobs().await;
    let renewal = renewal["orderId"].as_str().unwrap();
    // Shown once more for the renewal, as a reissue asks for it when the first proof has grown too old for it.
    let newer = "insert into authorizations (id, reseller_id, issuance_id, domain, base_domain, method, obtained_at, order_id)
        select 900000000 + a.id, a.reseller_id, a.issuance_id, a.domain, a.base_domain, a.method, a.obtained_at + 1, o.id
        from authorizations a, orders o where o.renews_id is not null";
    execute(server, newer).await;
    let of_renewal = format!("/ssl/v2/proofs/list?orderId={renewal}");
    let of_renewal = panel.http.get(&of_renewal).await.data();
    let proof = of_renewal[0]["proofId"].as_str().unwrap();
    let path = format!("/ssl/v2/proofs/{proof}");
    assert_eq!(panel.http.delete(&path).await.status, 200);
    assert!(list(&panel, "proofs").await.is_empty());
    let path = format!("/ssl/v2/orders/{renewal}/reissue");
    let csr = chancery_testkit::csr(&["shop.test"]);
    let data = panel.http.post(&path, &json!({ "csr": csr })).await.data();
    assert_eq!(standings(&data), ["PENDING"]);
}
