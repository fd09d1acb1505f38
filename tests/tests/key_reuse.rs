//! A "no" to the use of a key again: heard at once, also where a replacement has begun.

use chancery_domain::orders::OrderId;
use chancery_domain::reseller_settings::ResellerChanges;
use chancery_testkit::{Key, Panel, TestServer, csr_with_key, on_both_engines};
use serde_json::json;

use crate::revocations::in_force;

on_both_engines!(
    a_no_to_its_key_stops_a_replacement_that_has_begun,
    a_reseller_that_says_no_stops_its_replacements_at_once,
);

const DAY: i64 = 86_400;

/// An order whose replacement asks for control of its name anew.
async fn being_replaced(server: &TestServer, reuse_key: Option<bool>) -> (Panel, String, String) {
    let panel = server.panel().await;
    let made = csr_with_key(&["shop.test"], Key::P256).csr_pem;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["csr"] = json!(made);
    order["reuseKey"] = json!(reuse_key);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    server.world().advance(128 * DAY).await;
    assert_eq!(events(server, &placed.id, "replacement_begun").await, 1);
    (panel.again().await, placed.id, made)
}

async fn events(server: &TestServer, order: &str, kind: &str) -> usize {
    let order = OrderId(order.parse().unwrap());
    let history = server.operations().order_history(order).await.unwrap();
    let of_kind = history.iter().filter(|event| event.kind.as_str() == kind);
    of_kind.count()
}

/// That no second certificate comes, and a CSR is asked for when it is time.
async fn nothing_comes(server: &TestServer, panel: &Panel, (order, made): (&str, &str)) {
    assert_eq!(events(server, order, "issuance_cancelled").await, 1);
    panel.publish(&panel.auth_info(order).await).await;
    panel.look(order).await;
    server.world().advance(7 * DAY).await;
    assert_eq!(in_force(server, made).await, 1);
    assert_eq!(events(server, order, "certificate_reserved").await, 1);
    let mails = server.world().mails().await;
    let subject = json!("A new CSR is needed for shop.test");
    assert!(
        mails.iter().any(|mail| mail["subject"] == subject),
        "{mails:#?}"
    );
    let panel = panel.again().await;
    let active = ("COMPLETED".to_owned(), "ACTIVE".to_owned());
    assert_eq!(panel.statuses(order).await, active);
}

async fn a_no_to_its_key_stops_a_replacement_that_has_begun(server: &mut TestServer) {
    let (panel, order, made) = being_replaced(server, Some(true)).await;
    let path = format!("/ssl/v2/orders/{order}/reuse-key");
    let no = json!({ "reuseKey": false });
    panel.http.put(&path, &no).await.data();
    server.world().run_due_jobs().await;
    nothing_comes(server, &panel, (&order, &made)).await;
    // Who changes its mind once more has it begun again.
    let panel = panel.again().await;
    let yes = json!({ "reuseKey": true });
    panel.http.put(&path, &yes).await.data();
    server.world().run_due_jobs().await;
    panel.publish(&panel.auth_info(&order).await).await;
    panel.look(&order).await;
    assert_eq!(in_force(server, &made).await, 2);
}

async fn a_reseller_that_says_no_stops_its_replacements_at_once(server: &mut TestServer) {
    let (panel, order, made) = being_replaced(server, None).await;
    let no = ResellerChanges {
        reuse_keys: Some(false),
        ..ResellerChanges::default()
    };
    server.set_reseller(no).await;
    server.world().advance(60).await;
    nothing_comes(server, &panel, (&order, &made)).await;
}
