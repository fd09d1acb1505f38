//! Requests that come twice: under a key, an order is placed once, and the first answer is given again.

use chancery_testkit::{PlacedOrder, TestServer, csr, on_both_engines};
use futures_util::future::join_all;
use serde_json::json;

on_both_engines!(
    a_repeated_request_gets_the_same_bytes,
    the_same_key_many_times_at_once_is_one_order,
    keys_belong_to_their_reseller,
    a_reissue_with_another_approver_is_no_repetition,
    a_renewal_with_other_choices_is_no_repetition,
);

async fn a_repeated_request_gets_the_same_bytes(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let first = panel.place_under_key("invoice-17", &order).await;
    let id = PlacedOrder::of(&first).id;
    panel.cancel(&id).await.data();
    // Whatever became of the order since, and across a restart.
    server.restart().await;
    let again = panel.place_under_key("invoice-17", &order).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(panel.cents().await, before);

    let mut other = order.clone();
    other["term"] = json!(2);
    let refusal = panel.place_under_key("invoice-17", &other).await.refusal();
    refusal.is(
        400,
        "SSL2400",
        "The Idempotency-Key was used for another request already.",
    );
    let new = panel.place_under_key("invoice-18", &order).await;
    assert_ne!(PlacedOrder::of(&new).id, id);
    let refusal = panel
        .place_under_key(&"k".repeat(201), &order)
        .await
        .refusal();
    assert_eq!(refusal.about("Idempotency-Key").len(), 1, "{refusal:?}");
}

async fn the_same_key_many_times_at_once_is_one_order(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let many = (0..16).map(|_| panel.place_under_key("invoice-17", &order));
    let replies = join_all(many).await;
    for reply in &replies {
        assert_eq!(
            (reply.status, &reply.body),
            (200, &replies[0].body),
            "{}",
            reply.text()
        );
    }
    assert_eq!(panel.cents().await, before - 1000);
}

async fn keys_belong_to_their_reseller(server: &mut TestServer) {
    let panels = [server.panel().await, server.another_panel("10.00").await];
    let mut ids = Vec::new();
    for panel in &panels {
        let order = panel.order("ssl123", "dns", &["shop.test"]).await;
        ids.push(PlacedOrder::of(&panel.place_under_key("invoice-17", &order).await).id);
    }
    assert_ne!(ids[0], ids[1]);
}

async fn a_reissue_with_another_approver_is_no_repetition(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let path = format!("/ssl/v2/orders/{id}/reissue");
    // Control of new names is to be shown by mail.
    let made = csr(&["shop.test", "new.example"]);
    let ask = async |approver: Option<&str>| {
        let body = json!({ "csr": made, "authType": "email", "approverEmail": approver });
        let reply = panel.http.post(&path, &body).await;
        panel.world.run_due_jobs().await;
        reply
    };
    let approver = async || {
        let asked = panel.auth_info(&id).await;
        let mut san = asked["san"].as_array().unwrap().clone();
        san.remove(0)["value"].as_str().unwrap().to_owned()
    };
    let first = ask(None).await.data();
    let before = panel.cents().await;
    assert_eq!(approver().await, "admin@new.example");
    assert_eq!(ask(None).await.data(), first);
    let chosen = json!([{ "name": "new.example", "email": "hostmaster@new.example" }]);
    let body = json!({ "csr": made, "authType": "email", "approverEmail": chosen });
    let changed = panel.http.post(&path, &body).await.data();
    assert_eq!(approver().await, "hostmaster@new.example");
    panel.world.run_due_jobs().await;
    let links = panel.world.approval_links("hostmaster@new.example").await;
    assert_eq!(links.len(), 1);
    // The same once more is the same, and no second mail; nor is a further name paid for twice.
    assert_eq!(panel.http.post(&path, &body).await.data(), changed);
    panel.world.run_due_jobs().await;
    let links = panel.world.approval_links("hostmaster@new.example").await;
    assert_eq!((links.len(), panel.cents().await), (1, before));
    // One that fits no name is refused, and changes nothing.
    let wrong = ask(Some("admin@elsewhere.example")).await.refusal();
    assert!(!wrong.about("approverEmail").is_empty(), "{wrong:?}");
    assert_eq!(approver().await, "hostmaster@new.example");
}

async fn a_renewal_with_other_choices_is_no_repetition(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let path = format!("/ssl/v2/orders/{id}/renew");
    let asked = json!({ "term": 1, "csr": csr(&["shop.test"]), "reuseKey": true });
    let first = panel.http.post(&path, &asked).await.data();
    let before = panel.cents().await;
    let renewal = first["renewOrder"]["orderId"].as_str().unwrap();
    let again = panel.http.post(&path, &asked).await.data();
    assert_eq!(again["renewOrder"]["orderId"], json!(renewal));
    for (key, value) in [
        ("authType", json!("email")),
        ("reuseKey", json!(false)),
        ("usePrevalidated", json!(true)),
    ] {
        let mut other = asked.clone();
        other[key] = value;
        let refusal = panel.http.post(&path, &other).await.refusal();
        assert!(
            refusal.sub_code == "SSL2400" && refusal.message.contains(renewal),
            "{key}: {refusal:?}"
        );
    }
    let mut wrong = asked.clone();
    wrong["authType"] = json!("email");
    wrong["approverEmail"] = json!("admin@elsewhere.example");
    let refusal = panel.http.post(&path, &wrong).await.refusal();
    assert!(!refusal.about("approverEmail").is_empty(), "{refusal:?}");
    assert_eq!(panel.cents().await, before);
}
