//! Requests that come twice: under a key, an order is placed once, and the first answer is given again.

use chancery_testkit::{PlacedOrder, TestServer, on_both_engines};
use futures_util::future::join_all;
use serde_json::json;

on_both_engines!(
    a_repeated_request_gets_the_same_bytes,
    the_same_key_many_times_at_once_is_one_order,
    keys_belong_to_their_reseller,
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
