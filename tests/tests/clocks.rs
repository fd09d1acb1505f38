//! A clock that went back: nothing is signed, nothing fails, and an operator ends it.

use chancery_domain::SignedDuration;
use chancery_server::open_store;
use chancery_store::Change;
use chancery_testkit::{TestServer, on_both_engines};

on_both_engines!(
    a_clock_that_goes_back_stops_signing_until_it_is_accepted,
    a_start_before_the_last_recorded_time_signs_nothing,
    small_steps_of_the_clock_are_nothing,
);

/// Lets the clock have been ahead by so much.
async fn was_ahead(server: &TestServer, by: SignedDuration) {
    let store = open_store(&server.config).await.unwrap();
    let mut change = Change::new();
    change.set_latest_time(server.app().now() + by);
    store.commit(change).await.unwrap();
    store.close().await;
}

fn told(server: &TestServer) -> bool {
    let logged = server.logs.take_errors();
    logged.iter().any(|line| line.contains("the clock shows"))
}

async fn list(server: &TestServer) -> Vec<u8> {
    server.http().get("/pki/issuing.crl").await.body.to_vec()
}

async fn a_clock_that_goes_back_stops_signing_until_it_is_accepted(server: &mut TestServer) {
    let panel = server.panel().await;
    let revoked = panel.issue("ssl123", &["revoked.test"]).await;
    server.app().run_due_jobs().await.unwrap();
    let before = list(server).await;
    was_ahead(server, SignedDuration::from_hours(1)).await;
    server.app().beat_pulse().await.unwrap();
    assert!(server.app().signing_hold().is_some());
    assert!(told(server));

    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    panel.cancel(&revoked).await.data();
    for _ in 0..3 {
        server.world().advance(60).await;
        server.app().run_due_jobs().await.unwrap();
    }
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    assert!(list(server).await == before, "a list was signed");

    server.operations().accept_clock("ann").await.unwrap();
    server.app().beat_pulse().await.unwrap();
    assert!(server.app().signing_hold().is_none());
    server.world().advance(60).await;
    panel.finish(&placed.id).await;
    assert!(list(server).await != before, "no list was signed");
}

async fn a_start_before_the_last_recorded_time_signs_nothing(server: &mut TestServer) {
    let panel = server.panel().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    was_ahead(server, SignedDuration::from_hours(24)).await;
    server.restart().await;
    assert!(server.app().signing_hold().is_some() && told(server));
    let panel = server.panel().await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    // It ends by itself when the clock has caught up.
    server.world().advance(86_400).await;
    server.app().beat_pulse().await.unwrap();
    assert!(server.app().signing_hold().is_none());
    server.world().advance(60).await;
    server.panel().await.finish(&placed.id).await;
}

async fn small_steps_of_the_clock_are_nothing(server: &mut TestServer) {
    was_ahead(server, SignedDuration::from_mins(4)).await;
    server.app().beat_pulse().await.unwrap();
    assert_eq!(server.app().signing_hold(), None);
    server.panel().await.issue("ssl123", &["shop.test"]).await;
}
