//! Revocation by the reseller: at any time, for a reason, without money; and what it means for the order, the key and
//! whoever has other certificates with it.

use chancery_app::CertificateFilter;
use chancery_domain::certificates::CertificateId;
use chancery_domain::money::Money;
use chancery_domain::reseller_settings::{ProofScope, ResellerChanges};
use chancery_pki::csr::Csr;
use chancery_testkit::{
    Downloaded, Key, Panel, Reply, TestServer, csr, csr_with_key, on_both_engines, order_for,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

on_both_engines!(
    a_certificate_is_revoked_at_any_time_and_no_money_moves,
    each_reason_of_a_subscriber_is_taken_by_name_and_number,
    what_cannot_be_revoked_is_told_by_field,
    all_certificates_in_force_are_revoked_unless_one_is_named,
    a_revoked_order_is_brought_back_by_a_reissue_and_not_by_itself,
    a_revoked_certificate_is_not_delivered_without_saying_so,
    cancelling_out_of_time_says_what_to_do_instead,
    the_people_behind_the_order_are_told,
    a_compromised_key_is_refused_everywhere_and_for_ever,
    a_compromised_key_takes_every_certificate_with_it_along,
    a_reason_that_turns_out_to_be_compromise_is_amended,
    a_key_that_is_blocked_while_it_is_certified_leaves_nothing_in_force,
    many_certificates_of_a_key_are_revoked_in_steps_across_a_restart,
);

const DAY: i64 = 86_400;

pub(crate) async fn revoke(panel: &Panel, id: &str, body: &Value) -> Reply {
    let path = format!("/ssl/v2/orders/{id}/revoke");
    panel.http.post(&path, body).await
}

pub(crate) fn pair(order: &str, cert: &str) -> (String, String) {
    (order.to_owned(), cert.to_owned())
}

async fn downloaded(panel: &Panel, id: &str) -> Downloaded {
    Downloaded::of(&panel.http, &panel.certificate(id).await).await
}

/// Lets so much time pass that what was revoked is on its list: less than a minute.
async fn until_listed(server: &TestServer) {
    server.world().run_due_jobs().await;
    server.world().advance(50).await;
}

/// How many certificates with the key of a CSR are in force.
pub(crate) async fn in_force(server: &TestServer, csr: &str) -> usize {
    let key = CertificateFilter::Key(Csr::parse(csr).unwrap().spki_sha256);
    let operations = server.operations();
    let lines = operations.certificates(&key, CertificateId(0)).await;
    let now = server.app().now();
    let lines = lines.unwrap().into_iter();
    lines.filter(|line| line.is_in_force(now)).count()
}

async fn a_certificate_is_revoked_at_any_time_and_no_money_moves(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    // Long after the refund window, and renewed besides.
    server.world().advance(60 * DAY).await;
    let panel = panel.again().await;
    let path = format!("/ssl/v2/orders/{id}/renew");
    let asked = json!({ "term": 1, "csr": csr(&["shop.test"]) });
    panel.http.post(&path, &asked).await.json();
    let certificate = downloaded(&panel, &id).await;
    let before = panel.cents().await;
    let first = revoke(&panel, &id, &json!({ "reason": "cessationOfOperation" })).await;
    let data = first.data();
    let revoked = &data["certificates"][0];
    assert_eq!(data["orderId"], json!(id));
    assert_eq!(
        (&data["keyBlocked"], &data["sameKey"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(
        revoked["serial"].as_str().unwrap(),
        certificate.serial().to_lowercase()
    );
    assert_eq!(
        (&revoked["reason"], &revoked["reasonCode"]),
        (&json!("cessationOfOperation"), &json!(5))
    );
    // Subscribers are served within a day (BR 4.9.1.1).
    let at = |key: &str| -> chancery_domain::Timestamp {
        revoked[key].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(
        at("dtdeadline").duration_since(at("dtrequest")).as_hours(),
        24
    );
    assert!(at("dtrevoke") <= at("dtdeadline"));

    // The list has it within a minute.
    until_listed(server).await;
    let reason = certificate.revocation_reason_now(&server.http()).await;
    assert_eq!(reason.as_deref(), Some("Cessation Of Operation"));
    assert_eq!(panel.statuses(&id).await, pair("COMPLETED", "REVOKED"));
    let info = panel.info(&id).await;
    assert_eq!(info["dtrevoke"], revoked["dtrevoke"]);
    assert_eq!(info["revocationReason"], "cessationOfOperation");
    let count = panel
        .http
        .get("/ssl/v2/orders/statistics?type=totalRevoked")
        .await;
    assert_eq!(count.data(), json!(1));
    let body =
        json!({ "filters": [{ "field": "certStatus", "operator": "EQUAL", "value": "REVOKED" }] });
    let found = panel.http.post("/ssl/v2/orders/search", &body).await.data();
    assert_eq!(found["items"][0]["orderId"], json!(id));

    // Twice is answered as done, whatever reason is told then.
    let again = revoke(&panel, &id, &json!({ "reason": 4 })).await;
    assert_eq!(again.text(), first.text());
    assert_eq!(panel.cents().await, before);
}

async fn each_reason_of_a_subscriber_is_taken_by_name_and_number(server: &mut TestServer) {
    let panel = server.panel().await;
    let told = [
        (json!(0), "unspecified", None),
        (
            json!("affiliation_changed"),
            "affiliationChanged",
            Some("Affiliation Changed"),
        ),
        (json!("SUPERSEDED"), "superseded", Some("Superseded")),
        (
            json!("5"),
            "cessationOfOperation",
            Some("Cessation Of Operation"),
        ),
        (json!(1), "keyCompromise", Some("Key Compromise")),
    ];
    for (number, (reason, name, listed)) in told.into_iter().enumerate() {
        let host = format!("shop{number}.test");
        let id = panel.issue("ssl123", &[&host]).await;
        let certificate = downloaded(&panel, &id).await;
        let data = revoke(&panel, &id, &json!({ "reason": reason }))
            .await
            .data();
        assert_eq!(data["certificates"][0]["reason"], json!(name));
        until_listed(server).await;
        let found = certificate.revocation_reason_now(&server.http()).await;
        // No reason is told by leaving it out (BR 7.2.2).
        assert_eq!(found.as_deref(), Some(listed.unwrap_or_default()), "{name}");
    }
}

async fn what_cannot_be_revoked_is_told_by_field(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    // Not suspended, not withdrawn by a subscriber, not for a CA's reason.
    for reason in [
        json!(6),
        json!("certificateHold"),
        json!(9),
        json!("privilegeWithdrawn"),
        json!(2),
        json!(8),
        json!("perhaps"),
    ] {
        let refusal = revoke(&panel, &id, &json!({ "reason": reason }))
            .await
            .refusal();
        let texts = refusal.about("reason");
        assert!(
            refusal.sub_code == "SSL4000" && texts[0].contains("keyCompromise"),
            "{reason}: {refusal:?}"
        );
    }
    for empty in [json!({}), json!({ "reason": null })] {
        let refusal = revoke(&panel, &id, &empty).await.refusal();
        assert_eq!(refusal.about("reason"), ["'reason' is required."]);
    }
    let asked = json!({ "reason": 1, "serial": "not a number" });
    let refusal = revoke(&panel, &id, &asked).await.refusal();
    assert_eq!(refusal.about("serial").len(), 1);
    let asked = json!({ "reason": 1, "serial": "0abc" });
    let refusal = revoke(&panel, &id, &asked).await.refusal();
    refusal.is(400, "SSL2400", "'serial' not found: 0abc");

    let open = panel.order("ssl123", "dns", &["open.test"]).await;
    let open = panel.place(&open).await.id;
    let asked = json!({ "reason": 1 });
    let refusal = revoke(&panel, &open, &asked).await.refusal();
    refusal.is(400, "SSL2400", "The certificate is not issued yet.");
    let others = server.another_panel("10.00").await;
    for unknown in [&id[..], "4000000001"] {
        let refusal = revoke(&others, unknown, &asked).await.refusal();
        refusal.is(400, "SSL2400", "Order not found.");
    }
    panel.verify(&id, &["shop.test"]).await;
    server.world().advance(300 * DAY).await;
    let panel = panel.again().await;
    let refusal = revoke(&panel, &id, &asked).await.refusal();
    let text = "The certificate has ended: there is nothing to revoke.";
    refusal.is(400, "SSL2400", text);
}

async fn all_certificates_in_force_are_revoked_unless_one_is_named(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let old = downloaded(&panel, &id).await;
    let path = format!("/ssl/v2/orders/{id}/reissue");
    let asked = json!({ "csr": csr(&["shop.test"]) });
    panel.http.post(&path, &asked).await.json();
    server.world().run_due_jobs().await;
    let new = downloaded(&panel, &id).await;
    assert_ne!(old.serial(), new.serial());

    let other = panel.issue("ssl123", &["other.test"]).await;
    let asked = json!({ "reason": 4, "serial": old.serial() });
    let refusal = revoke(&panel, &other, &asked).await.refusal();
    assert!(refusal.message.contains("not found"), "{refusal:?}");
    // In OpenSSL's spelling, and only the old one: the order goes on.
    let data = revoke(&panel, &id, &asked).await.data();
    assert_eq!(data["certificates"].as_array().unwrap().len(), 1);
    assert_eq!(panel.statuses(&id).await, pair("COMPLETED", "ACTIVE"));
    panel.verify(&id, &["shop.test"]).await;

    // A third one, then all that are in force.
    let asked = json!({ "csr": csr(&["shop.test"]) });
    panel.http.post(&path, &asked).await.json();
    server.world().run_due_jobs().await;
    let third = downloaded(&panel, &id).await;
    let data = revoke(&panel, &id, &json!({ "reason": "unspecified" }))
        .await
        .data();
    let serials: Vec<String> = (data["certificates"].as_array().unwrap().iter())
        .map(|revoked| revoked["serial"].as_str().unwrap().to_uppercase())
        .collect();
    assert_eq!(serials, [new.serial(), third.serial()]);
    assert_eq!(panel.statuses(&id).await, pair("COMPLETED", "REVOKED"));
}

async fn a_revoked_order_is_brought_back_by_a_reissue_and_not_by_itself(server: &mut TestServer) {
    let panel = server.panel().await;
    let made = csr_with_key(&["shop.test"], Key::P256);
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["csr"] = json!(made.csr_pem);
    order["reuseKey"] = json!(true);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    // A replacement is under way by itself when it happens: its proofs are asked for anew.
    server.world().advance(128 * DAY).await;
    let panel = panel.again().await;
    revoke(&panel, &placed.id, &json!({ "reason": 5 }))
        .await
        .data();
    let revoked = pair("COMPLETED", "REVOKED");
    assert_eq!(panel.statuses(&placed.id).await, revoked);
    server.world().advance(40 * DAY).await;
    let panel = panel.again().await;
    assert_eq!(panel.statuses(&placed.id).await, revoked);
    assert_eq!(in_force(server, &made.csr_pem).await, 0);

    // The same CSR, asked for twice with its certificate revoked in between, is two requests.
    let path = format!("/ssl/v2/orders/{}/reissue", placed.id);
    let asked = json!({ "csr": csr(&["shop.test"]), "reuseKey": true });
    for _ in 0..2 {
        let data = panel.http.post(&path, &asked).await.data();
        panel.publish(&data).await;
        panel.finish(&placed.id).await;
        let certificate = panel.verify(&placed.id, &["shop.test"]).await;
        revoke(&panel, &placed.id, &json!({ "reason": 0 }))
            .await
            .data();
        until_listed(server).await;
        let reason = certificate.revocation_reason_now(&server.http()).await;
        assert_eq!(reason.as_deref(), Some(""));
    }
    panel.http.post(&path, &asked).await.data();
    server.world().run_due_jobs().await;
    assert_eq!(
        panel.statuses(&placed.id).await,
        pair("COMPLETED", "ACTIVE")
    );
}

async fn a_revoked_certificate_is_not_delivered_without_saying_so(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let serial = downloaded(&panel, &id).await.serial();
    let data = revoke(&panel, &id, &json!({ "reason": "keyCompromise" })).await;
    let at = data.data()["certificates"][0]["dtrevoke"].clone();
    let text = format!(
        "The certificate was revoked on {} (keyCompromise). Reissue the order for another one, or send \
         'includeRevoked' to download it all the same.",
        at.as_str().unwrap()
    );
    for format in ["PEM", "p7b", "ZIP", "DER", "PFX"] {
        let refusal = panel.download(&id, format, None).await.refusal();
        refusal.is(400, "SSL2400", &text);
    }
    let asked: [(&str, &[u8]); 2] = [("bundle", b"true"), ("includeRevoked", b"true")];
    let reply = panel.download_with(&id, "PEM", &asked).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let revoked = Downloaded::of(&panel.http, &reply.text()).await;
    assert_eq!(revoked.serial(), serial);

    // Nor is that of a cancelled order.
    let cancelled = panel.issue("ssl123", &["other.test"]).await;
    panel.cancel(&cancelled).await.json();
    let refusal = panel.download(&cancelled, "PEM", None).await.refusal();
    let why = "(cessationOfOperation)";
    assert!(
        refusal.sub_code == "SSL2400" && refusal.message.contains(why),
        "{refusal:?}"
    );
    let info = panel.info(&cancelled).await;
    assert_eq!(info["revocationReason"], "cessationOfOperation");
}

async fn cancelling_out_of_time_says_what_to_do_instead(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    server.world().advance(31 * DAY).await;
    let panel = panel.again().await;
    let before = panel.cents().await;
    let refusal = panel.cancel(&id).await.refusal();
    let path = format!("POST /ssl/v2/orders/{id}/revoke");
    assert!(
        refusal.sub_code == "SSL2400"
            && refusal
                .message
                .starts_with("Action prohibited for 'COMPLETED' status.")
            && refusal.message.contains("refund window ended on")
            && refusal.message.contains(&path),
        "{refusal:?}"
    );
    revoke(&panel, &id, &json!({ "reason": 5 })).await.data();
    // Then there is nothing more to do.
    let refusal = panel.cancel(&id).await.refusal();
    refusal.is(400, "SSL2400", "Action prohibited for 'COMPLETED' status.");
    assert_eq!(panel.cents().await, before);
}

async fn the_people_behind_the_order_are_told(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let serial = downloaded(&panel, &id).await.serial().to_lowercase();
    server.world().clear_mail().await;
    for _ in 0..2 {
        revoke(&panel, &id, &json!({ "reason": 1 })).await.data();
        server.world().run_due_jobs().await;
        server.world().advance(700).await;
    }
    let mails = server.world().mails().await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let mail = server.world().mail(&mails[0]["id"]).await;
    assert!(
        mail["to"].to_string().contains("ann@shop.example"),
        "{mail}"
    );
    assert_eq!(mail["subject"], "The certificate for shop.test was revoked");
    let text = mail["text"].as_str().unwrap();
    for part in [&id[..], &serial, "keyCompromise", "new key"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

async fn a_compromised_key_is_refused_everywhere_and_for_ever(server: &mut TestServer) {
    let panel = server.panel().await;
    let made = csr_with_key(&["shop.test"], Key::P256).csr_pem;
    let id = panel.issue_for("ssl123", &["shop.test"], &made).await;
    let data = revoke(&panel, &id, &json!({ "reason": 1 })).await.data();
    assert_eq!(data["keyBlocked"], json!(true));
    server.world().run_due_jobs().await;
    server.world().advance(1_800).await;

    let others = server.another_panel("100.00").await;
    let text =
        "Invalid CSR: its key is blocked, since it was reported as compromised; make a new key.";
    let before = (panel.cents().await, others.cents().await);
    for panel in [&panel, &others] {
        let body = json!({ "csr": made });
        let decoded = panel.http.post("/ssl/v2/decode-csr", &body).await.refusal();
        assert_eq!(decoded.about("csr"), [text]);
        let [administrator, technical] = panel.contacts().await;
        let mut order = order_for("ssl123", "dns", &["shop.test"], &administrator, &technical);
        order["csr"] = json!(made);
        let placed = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert_eq!(placed.about("csr"), [text]);
    }
    for (id, path, asked) in [
        (&id, "reissue", json!({ "csr": made, "reuseKey": true })),
        (&id, "reissue", json!({ "reuseKey": true })),
    ] {
        let path = format!("/ssl/v2/orders/{id}/{path}");
        let refusal = panel.http.post(&path, &asked).await.refusal();
        assert!(refusal.about("csr").contains(&text), "{path}: {refusal:?}");
    }
    assert_eq!(before, (panel.cents().await, others.cents().await));
    server.world().advance(300 * DAY).await;
    let panel = server.panel().await;
    for asked in [json!({ "term": 1 }), json!({ "term": 1, "csr": made })] {
        let path = format!("/ssl/v2/orders/{id}/renew");
        let refusal = panel.http.post(&path, &asked).await.refusal();
        assert!(refusal.about("csr").contains(&text), "{asked}: {refusal:?}");
    }
    // A year later as well, and after a restart; nobody else's key is.
    server.restart().await;
    server.world().advance(100 * DAY).await;
    let panel = server.panel().await;
    let body = json!({ "csr": made });
    let decoded = panel.http.post("/ssl/v2/decode-csr", &body).await.refusal();
    assert_eq!(decoded.about("csr"), [text]);
    let body = json!({ "csr": csr(&["shop.test"]) });
    panel.http.post("/ssl/v2/decode-csr", &body).await.data();
}

async fn a_compromised_key_takes_every_certificate_with_it_along(server: &mut TestServer) {
    let panel = server.panel().await;
    let made = csr_with_key(&["shop.test"], Key::P256).csr_pem;
    let first = panel.issue_for("ssl123", &["shop.test"], &made).await;
    let second = panel.issue_for("ssl123", &["shop.test"], &made).await;
    let others = server.another_panel("100.00").await;
    let foreign = others.issue_for("ssl123", &["shop.test"], &made).await;
    let spared = panel.issue("ssl123", &["spared.test"]).await;
    assert_eq!(in_force(server, &made).await, 3);
    let before = (panel.cents().await, others.cents().await);

    let data = revoke(&panel, &first, &json!({ "reason": 1 })).await.data();
    let same_key = data["sameKey"].as_array().unwrap();
    // The reseller's own, as far as they are in force still; never another's.
    assert!(same_key.len() <= 1, "{same_key:?}");
    assert!(
        same_key
            .iter()
            .all(|other| other["orderId"] == json!(second)),
        "{data}"
    );
    server.world().run_due_jobs().await;
    assert_eq!(in_force(server, &made).await, 0);
    let revoked = pair("COMPLETED", "REVOKED");
    for (panel, id) in [(&panel, &first), (&panel, &second), (&others, &foreign)] {
        assert_eq!(panel.statuses(id).await, revoked);
        let refusal = panel.download(id, "PEM", None).await.refusal();
        assert!(refusal.message.contains("keyCompromise"), "{refusal:?}");
    }
    assert_eq!(panel.statuses(&spared).await, pair("COMPLETED", "ACTIVE"));
    assert_eq!(before, (panel.cents().await, others.cents().await));
}

async fn a_reason_that_turns_out_to_be_compromise_is_amended(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let certificate = downloaded(&panel, &id).await;
    let first = revoke(&panel, &id, &json!({ "reason": 4 })).await.data();
    server.world().advance(1_800).await;
    let second = revoke(&panel, &id, &json!({ "reason": 1 })).await.data();
    let [before, after] = [&first, &second].map(|data| data["certificates"][0].clone());
    assert_eq!(before["dtrevoke"], after["dtrevoke"]);
    assert_eq!(
        (&before["reason"], &after["reason"]),
        (&json!("superseded"), &json!("keyCompromise"))
    );
    assert_eq!(second["keyBlocked"], json!(true));
    until_listed(server).await;
    let reason = certificate.revocation_reason_now(&server.http()).await;
    assert_eq!(reason.as_deref(), Some("Key Compromise"));
    // And does not turn back.
    let third = revoke(&panel, &id, &json!({ "reason": 4 })).await.data();
    assert_eq!(third["certificates"], second["certificates"]);
}

/// Lets a proof serve all orders of the reseller, so that they are signed as they are placed.
pub(crate) async fn share_proofs(server: &TestServer) {
    let changes = ResellerChanges {
        proof_scope: Some(ProofScope::Reseller),
        ..ResellerChanges::default()
    };
    server.set_reseller(changes).await;
}

async fn a_key_that_is_blocked_while_it_is_certified_leaves_nothing_in_force(
    server: &mut TestServer,
) {
    share_proofs(server).await;
    let panel = server.panel().await;
    let made = csr_with_key(&["shop.test"], Key::P256).csr_pem;
    let first = panel.issue_for("ssl123", &["shop.test"], &made).await;
    let [administrator, technical] = panel.contacts().await;
    let mut order = order_for("ssl123", "dns", &["shop.test"], &administrator, &technical);
    order["csr"] = json!(made);
    let before = panel.cents().await;
    let place = async || panel.http.post("/ssl/v2/orders/new", &order).await;
    let asked = json!({ "reason": 1 });
    let path = format!("/ssl/v2/orders/{first}/revoke");
    let (placed, revoked) = tokio::join!(
        join_all((0..24).map(|_| place())),
        panel.http.post(&path, &asked),
    );
    revoked.data();
    server.world().run_due_jobs().await;
    server.world().advance(1_000).await;
    assert_eq!(in_force(server, &made).await, 0);
    // What came to no certificate was given back.
    let panel = panel.again().await;
    let mut kept = 0;
    for reply in placed.iter().filter(|reply| reply.status == 200) {
        let id = reply.data()["orderId"].as_str().unwrap().to_owned();
        match panel.statuses(&id).await {
            (order, cert) if order == "COMPLETED" && cert == "REVOKED" => kept += 1,
            (order, cert) => assert_eq!((&order[..], &cert[..]), ("REJECTED", "FAILED")),
        }
    }
    assert_eq!(panel.cents().await, before - 1000 * kept);
}

async fn many_certificates_of_a_key_are_revoked_in_steps_across_a_restart(server: &mut TestServer) {
    share_proofs(server).await;
    let reseller = server.reseller().await;
    let amount = Money::parse("2000.00", reseller.currency).unwrap();
    let operations = server.operations();
    operations.credit(reseller.id, amount, None).await.unwrap();
    let panel = server.panel().await;
    let made = csr_with_key(&["shop.test"], Key::P256).csr_pem;
    let first = panel.issue_for("ssl123", &["shop.test"], &made).await;
    let [administrator, technical] = panel.contacts().await;
    let mut order = order_for("ssl123", "dns", &["shop.test"], &administrator, &technical);
    order["csr"] = json!(made);
    for _ in 0..12 {
        let place = async || panel.http.post("/ssl/v2/orders/new", &order).await.data();
        join_all((0..10).map(|_| place())).await;
    }
    server.world().run_due_jobs().await;
    assert_eq!(in_force(server, &made).await, 121);
    let data = revoke(&panel, &first, &json!({ "reason": 1 })).await.data();
    // The answer lists a bounded number.
    assert!(data["sameKey"].as_array().unwrap().len() <= 100);
    server.restart().await;
    server.world().run_due_jobs().await;
    assert_eq!(in_force(server, &made).await, 0);
    let count = panel
        .http
        .get("/ssl/v2/orders/statistics?type=totalRevoked")
        .await;
    assert_eq!(count.data(), json!(121));
}
