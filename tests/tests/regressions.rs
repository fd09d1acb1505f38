//! What once went wrong, each told as the promise that was broken.

use chancery_domain::authorizations::Method;
use chancery_domain::validity::{ValidityRules, days};
use chancery_testkit::{Panel, PlacedOrder, TestServer, on_both_engines};
use serde_json::json;

on_both_engines!(
    a_proof_that_grows_old_is_asked_for_again_by_record,
    a_proof_that_grows_old_is_asked_for_again_by_mail,
);

const DAY: i64 = 86_400;

/// An order for `old.test`, whose proof may be reused for a day or two more, and `new.test`, unproved.
async fn placed_on_an_old_proof(server: &TestServer, method: &str) -> (Panel, PlacedOrder) {
    server.panel().await.issue("ssl123", &["old.test"]).await;
    let (rules, now) = (ValidityRules::default(), server.app().now());
    let still = |count: &u32| rules.is_fresh(Method::Dns, now, now + days(*count));
    let last = (1..).take_while(still).last().unwrap();
    let nearly = i64::from(last) * DAY - DAY / 2;
    server.world().advance(nearly).await;
    let panel = server.panel().await;
    let names = ["new.test", "old.test"];
    let placed = panel
        .place(&panel.order("ssl123", method, &names).await)
        .await;
    assert_eq!(placed.challenges()[1]["status"], "VALIDATED");
    // The first look by itself has been, and the next one is far.
    server.world().advance(60).await;
    server.world().advance(2 * DAY).await;
    (server.panel().await, placed)
}

async fn a_proof_that_grows_old_is_asked_for_again_by_record(server: &mut TestServer) {
    let (panel, placed) = placed_on_an_old_proof(server, "dns").await;
    let [new, old] = &placed.challenges()[..] else {
        panic!("{placed:?}");
    };
    panel.publish(&json!({ "commonName": new })).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    panel.publish(&json!({ "commonName": old })).await;
    panel.finish(&placed.id).await;
}

async fn a_proof_that_grows_old_is_asked_for_again_by_mail(server: &mut TestServer) {
    let (panel, placed) = placed_on_an_old_proof(server, "email").await;
    let world = server.world();
    assert!(world.approval_links("@old.test").await.is_empty());
    let link = world.approval_links("@new.test").await.remove(0);
    assert_eq!(server.http().send("POST", &link, "").await.status, 200);
    world.run_due_jobs().await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    let link = world.approval_links("@old.test").await.remove(0);
    assert_eq!(server.http().send("POST", &link, "").await.status, 200);
    panel.finish(&placed.id).await;
}
