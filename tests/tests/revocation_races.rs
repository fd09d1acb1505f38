//! Revocations that meet something else: their own repetition, a reissue, a cancellation, a replacement that is being
//! signed, an order that waits with the same key.

use chancery_pki::csr::Csr;
use chancery_testkit::{Key, Panel, TestServer, csr, csr_with_key, on_both_engines};
use futures_util::future::join_all;
use serde_json::json;

use crate::revocations::{in_force, pair, revoke, share_proofs};

on_both_engines!(
    a_compromise_that_is_told_twice_leaves_the_key_of_an_earlier_certificate_alone,
    a_revocation_does_not_wait_for_a_replacement_that_cannot_be_signed,
    a_revocation_and_a_cancellation_at_once_give_the_money_back_once,
    a_revocation_and_a_reissue_at_once_leave_the_old_key_nowhere,
    an_order_whose_key_is_blocked_ends_and_is_given_back,
    a_reissue_whose_key_is_blocked_ends_and_the_order_goes_on,
    a_replacement_whose_key_is_blocked_is_not_made,
    an_operator_who_cancels_waits_for_what_is_being_signed,
);

const DAY: i64 = 86_400;

async fn is_blocked(server: &TestServer, csr: &str) -> bool {
    let key = Csr::parse(csr).unwrap().spki_sha256;
    let found = server.operations().blocked_key(&key).await.unwrap();
    found.is_some()
}

fn new_csr(names: &[&str]) -> String {
    csr_with_key(names, Key::P256).csr_pem
}

async fn reissue(panel: &Panel, id: &str, csr: &str) {
    let path = format!("/ssl/v2/orders/{id}/reissue");
    panel.http.post(&path, &json!({ "csr": csr })).await.data();
    panel.world.run_due_jobs().await;
}

async fn a_compromise_that_is_told_twice_leaves_the_key_of_an_earlier_certificate_alone(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let [earlier, later] = [0, 1].map(|_| new_csr(&["shop.test"]));
    let id = panel.issue_for("ssl123", &["shop.test"], &earlier).await;
    reissue(&panel, &id, &later).await;
    // The earlier one is superseded some days later.
    server.world().advance(4 * DAY).await;
    let panel = panel.again().await;
    assert_eq!(in_force(server, &earlier).await, 0);
    let other = panel.issue_for("ssl123", &["other.test"], &earlier).await;

    let asked = json!({ "reason": 1 });
    let first = revoke(&panel, &id, &asked).await;
    assert_eq!(
        first.data()["certificates"].as_array().unwrap().len(),
        1,
        "{}",
        first.text()
    );
    // The client lost the answer and asks again, also long after.
    for wait in [0, DAY] {
        server.world().advance(wait).await;
        let panel = panel.again().await;
        let again = revoke(&panel, &id, &asked).await;
        assert_eq!(again.text(), first.text());
        server.world().run_due_jobs().await;
        assert!(is_blocked(server, &later).await && !is_blocked(server, &earlier).await);
        let active = pair("COMPLETED", "ACTIVE");
        assert_eq!(panel.statuses(&other).await, active);
    }
    // It is blocked where its certificate is named.
    let panel = panel.again().await;
    let key = Csr::parse(&earlier).unwrap().spki_sha256;
    let key = chancery_app::CertificateFilter::Key(key);
    let after = chancery_domain::certificates::CertificateId(0);
    let lines = server.operations().certificates(&key, after).await.unwrap();
    let line = lines.iter().find(|line| line.order.to_string() == id);
    let serial = chancery_domain::certificates::serial_hex(&line.unwrap().serial);
    let named = json!({ "reason": 1, "serial": serial });
    let data = revoke(&panel, &id, &named).await.data();
    assert_eq!(data["certificates"][0]["reason"], "keyCompromise");
    server.world().run_due_jobs().await;
    assert!(is_blocked(server, &earlier).await);
    assert_eq!(panel.statuses(&other).await, pair("COMPLETED", "REVOKED"));
}

async fn a_revocation_does_not_wait_for_a_replacement_that_cannot_be_signed(
    server: &mut TestServer,
) {
    let to = json!({ "set": "2027-04-01T12:00:00Z" });
    server.http().post("/ote/clock", &to).await.json();
    server.world().run_due_jobs().await;
    let panel = server.panel().await;
    let made = new_csr(&["shop.test"]);
    let id = panel.issue_for("ssl123", &["shop.test"], &made).await;
    // What is signed cannot be put on record for a while, so that nothing is signed.
    let record = server.config.data.join("record");
    let installation = std::fs::read_dir(record).unwrap().next().unwrap();
    let installation = installation.unwrap().path();
    let in_the_way = ["2027-06", "2027-07"].map(|month| {
        let journal = installation.join(format!("signed-{month}.jsonl"));
        std::fs::create_dir(&journal).unwrap();
        journal
    });
    server.world().advance(68 * DAY).await;
    let panel = panel.again().await;
    let history = async || {
        let order = chancery_domain::orders::OrderId(id.parse().unwrap());
        server.operations().order_history(order).await.unwrap()
    };
    let reserved_of = |events: &[chancery_domain::events::Event]| {
        let of =
            |event: &&chancery_domain::events::Event| event.kind.as_str() == "certificate_reserved";
        events.iter().filter(of).count()
    };
    let events = history().await;
    assert_eq!(reserved_of(&events), 2, "a replacement is being signed");
    assert_eq!(in_force(server, &made).await, 1);

    let data = revoke(&panel, &id, &json!({ "reason": 1 })).await.data();
    assert_eq!(data["keyBlocked"], json!(true));
    let revoked = pair("COMPLETED", "REVOKED");
    assert_eq!(panel.statuses(&id).await, revoked);
    assert_eq!(in_force(server, &made).await, 0);
    // Nor does it come when signing goes on.
    for journal in in_the_way {
        std::fs::remove_dir(journal).unwrap();
    }
    for _ in 0..4 {
        server.world().advance(600).await;
    }
    let panel = panel.again().await;
    assert_eq!(panel.statuses(&id).await, revoked);
    assert_eq!(in_force(server, &made).await, 0);
    let given_up = history().await;
    let is_reserved = reserved_of(&given_up);
    assert_eq!(is_reserved, 2, "{given_up:?}");
    server.logs.take_errors();
}

async fn a_revocation_and_a_cancellation_at_once_give_the_money_back_once(server: &mut TestServer) {
    share_proofs(server).await;
    let panel = server.panel().await;
    let before = panel.cents().await;
    let mut orders = vec![panel.issue("ssl123", &["shop.test"]).await];
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    for _ in 0..7 {
        orders.push(panel.place(&order).await.id);
    }
    server.world().run_due_jobs().await;
    let asked = json!({ "reason": 5 });
    let pairs = orders.iter().map(async |id| {
        let (revoked, cancelled) = tokio::join!(revoke(&panel, id, &asked), panel.cancel(id));
        revoked.data();
        assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    });
    join_all(pairs).await;
    server.world().run_due_jobs().await;
    assert_eq!(panel.cents().await, before);
    for id in &orders {
        assert_eq!(panel.statuses(id).await, pair("REFUNDED", "CANCELLED"));
    }
}

async fn a_revocation_and_a_reissue_at_once_leave_the_old_key_nowhere(server: &mut TestServer) {
    let panel = server.panel().await;
    for round in 0..6 {
        let name = format!("shop{round}.test");
        let [old, new] = [0, 1].map(|_| new_csr(&[&name]));
        let id = panel.issue_for("ssl123", &[&name], &old).await;
        let path = format!("/ssl/v2/orders/{id}/reissue");
        let (asked, body) = (json!({ "reason": 1 }), json!({ "csr": new }));
        let (revoked, reissued) =
            tokio::join!(revoke(&panel, &id, &asked), panel.http.post(&path, &body));
        revoked.data();
        reissued.data();
        server.world().run_due_jobs().await;
        server.world().advance(60).await;
        assert_eq!(in_force(server, &old).await, 0);
        assert!(is_blocked(server, &old).await);
        // It was there before and is revoked with the other, or came after and is good.
        let is_good = !is_blocked(server, &new).await;
        assert_eq!(in_force(server, &new).await, usize::from(is_good));
        let cert = if is_good { "ACTIVE" } else { "REVOKED" };
        assert_eq!(panel.statuses(&id).await, pair("COMPLETED", cert));
    }
}

async fn an_order_whose_key_is_blocked_ends_and_is_given_back(server: &mut TestServer) {
    let panel = server.panel().await;
    let made = new_csr(&["shop.test"]);
    let issued = panel.issue_for("ssl123", &["shop.test"], &made).await;
    let before = panel.cents().await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["csr"] = json!(made);
    let waiting = panel.place(&order).await;
    assert!(panel.cents().await < before);
    revoke(&panel, &issued, &json!({ "reason": 1 }))
        .await
        .data();
    panel.publish(&waiting.data).await;
    panel.look(&waiting.id).await;
    assert_eq!(
        panel.statuses(&waiting.id).await,
        pair("REJECTED", "FAILED")
    );
    assert_eq!(panel.cents().await, before);
    assert_eq!(in_force(server, &made).await, 0);
}

async fn a_reissue_whose_key_is_blocked_ends_and_the_order_goes_on(server: &mut TestServer) {
    let panel = server.panel().await;
    let kept = new_csr(&["kiosk.test"]);
    let id = panel.issue_for("ssl123", &["kiosk.test"], &kept).await;
    let before = panel.cents().await;
    // A further name, which is paid for.
    let path = format!("/ssl/v2/orders/{id}/reissue");
    let reissued = csr_with_key(&["kiosk.test", "new.example"], Key::P256);
    let asked = json!({ "csr": reissued.csr_pem });
    let placed = panel.http.post(&path, &asked).await.data();
    assert!(panel.cents().await < before, "the further name is charged");
    let key = Csr::parse(&reissued.csr_pem).unwrap().spki_sha256;
    let operator = chancery_domain::operators::OperatorName::parse("anna").unwrap();
    let operations = server.operations();
    operations.block_key(key, &operator, None).await.unwrap();
    panel.publish(&placed).await;
    panel.look(&id).await;
    assert_eq!(panel.cents().await, before);
    assert_eq!(panel.statuses(&id).await, pair("COMPLETED", "ACTIVE"));
    assert_eq!(in_force(server, &kept).await, 1);
}

async fn a_replacement_whose_key_is_blocked_is_not_made(server: &mut TestServer) {
    let to = json!({ "set": "2027-04-01T12:00:00Z" });
    server.http().post("/ote/clock", &to).await.json();
    server.world().run_due_jobs().await;
    let panel = server.panel().await;
    let made = new_csr(&["shop.test"]);
    let id = panel.issue_for("ssl123", &["shop.test"], &made).await;
    let key = Csr::parse(&made).unwrap().spki_sha256;
    let operator = chancery_domain::operators::OperatorName::parse("anna").unwrap();
    server.world().advance_clock(68 * DAY).await;
    // Its replacement and the block are due at once.
    let operations = server.operations();
    let (blocked, ()) = tokio::join!(
        operations.block_key(key, &operator, None),
        panel.world.run_due_jobs()
    );
    blocked.unwrap();
    server.world().advance(60).await;
    server.world().advance(60).await;
    let panel = panel.again().await;
    assert_eq!(in_force(server, &made).await, 0);
    assert_eq!(panel.statuses(&id).await, pair("COMPLETED", "REVOKED"));
    reissue(&panel, &id, &csr(&["shop.test"])).await;
}

async fn an_operator_who_cancels_waits_for_what_is_being_signed(server: &mut TestServer) {
    share_proofs(server).await;
    let panel = server.panel().await;
    panel.issue("ssl123", &["shop.test"]).await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    for _ in 0..8 {
        let placed = panel.place(&order).await.id;
        let id = chancery_domain::orders::OrderId(placed.parse().unwrap());
        let cancelled = server.operations().cancel_order(id, "a mistake").await;
        let told = cancelled.unwrap_err().to_string();
        assert!(told.contains("certificate"), "{told}");
        assert_eq!(panel.statuses(&placed).await.0, "COMPLETED");
    }
}
