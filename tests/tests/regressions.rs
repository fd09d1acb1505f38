//! What once went wrong, each told as the promise that was broken.

use chancery_domain::authorizations::Method;
use chancery_domain::money::{Currency, Money};
use chancery_domain::reseller_settings::ProofScope;
use chancery_domain::validity::{ValidityRules, days};
use chancery_testkit::{Panel, PlacedOrder, Reply, TestServer, on_both_engines};
use serde_json::json;

use crate::looks::observations_of;
use crate::proofs::share_proofs;

on_both_engines!(
    a_proof_that_grows_old_is_asked_for_again_by_record,
    a_proof_that_grows_old_is_asked_for_again_by_mail,
    approvers_are_not_flooded_by_repetition,
    approvers_are_not_flooded_by_changes,
    early_looks_are_paced_by_domain,
    a_credit_counts_once_under_its_key,
    clock_moves_add_up,
);

const DAY: i64 = 86_400;

/// An order for `old.test`, whose proof may be reused for a day or two more, and `new.test`, unproved.
async fn placed_on_an_old_proof(server: &TestServer, method: &str) -> (Panel, PlacedOrder) {
    share_proofs(server, ProofScope::Reseller).await;
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

const TOO_MANY: &str = "Too many approval mails were sent for this order. Try again later.";

fn is_too_many(reply: &Reply) {
    reply.refusal().is(400, "SSL2400", TOO_MANY);
}

async fn approvers_are_not_flooded_by_repetition(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let placed = panel
        .place(&panel.order("ssl123", "email", &["shop.test"]).await)
        .await;
    let path = format!("/ssl/v2/orders/{}/approver-email/send", placed.id);
    let sent = async |count| {
        world.run_due_jobs().await;
        assert_eq!(world.mails().await.len(), count);
    };
    sent(1).await;
    // The first time at once, then not before five minutes are over.
    assert_eq!(panel.http.send("POST", &path, "").await.status, 200);
    sent(2).await;
    is_too_many(&panel.http.send("POST", &path, "").await);
    sent(2).await;
    world.advance(301).await;
    assert_eq!(panel.http.send("POST", &path, "").await.status, 200);
    sent(3).await;
    is_too_many(&panel.http.send("POST", &path, "").await);
}

async fn approvers_are_not_flooded_by_changes(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    let users = ["admin", "administrator", "hostmaster", "postmaster"];
    let change = async |panel: &Panel, at: usize| {
        let email = format!("{}@shop.test", users[at % users.len()]);
        let body = json!({ "authType": "email", "approverEmail": [{ "name": "shop.test", "email": email }] });
        panel.change_method(&placed.id, &body).await
    };
    for at in 0..10 {
        change(&panel, at).await.data();
    }
    is_too_many(&change(&panel, 10).await);
    world.run_due_jobs().await;
    let links = world.approval_links("@shop.test").await;
    assert!(!links.is_empty() && links.len() <= 10);
    world.advance(3_601).await;
    change(&server.panel().await, 11).await.data();
    world.run_due_jobs().await;
    let link = world
        .approval_links("postmaster@shop.test")
        .await
        .pop()
        .unwrap();
    assert_eq!(server.http().send("POST", &link, "").await.status, 200);
}

async fn early_looks_are_paced_by_domain(server: &mut TestServer) {
    let panel = server.panel().await;
    let names = ["a.shop.test", "b.shop.test", "other.test"];
    let mut placed = Vec::new();
    for name in names {
        let order = panel.order("ssl123", "dns", &[name]).await;
        placed.push(panel.place(&order).await);
    }
    // After the first look by itself the next is a minute off.
    server.world().advance(6).await;
    server.world().advance(10).await;
    for order in &placed {
        panel.dcv_status(&order.id).await;
    }
    server.world().run_due_jobs().await;
    let mut looks = Vec::new();
    for order in &placed {
        looks.push(observations_of(server, &order.id).await);
    }
    assert_eq!(looks, [2, 1, 2]);
}

async fn a_credit_counts_once_under_its_key(server: &mut TestServer) {
    let panel = server.another_panel("10.00").await;
    let operations = server.operations();
    let reseller = operations.resellers().await.unwrap().last().unwrap().id;
    let dollars = |text| Money::parse(text, Currency::parse("USD").unwrap()).unwrap();
    let credit = async |amount, key| {
        let amount = dollars(amount);
        operations.credit_once(reseller, amount, None, key).await
    };
    for (repeated, balance) in [(false, "15.00"), (true, "15.00")] {
        let credited = credit("5.00", "transfer-1").await.unwrap();
        assert_eq!(credited.repeated, repeated);
        assert_eq!(credited.balance, Some(dollars(balance)));
    }
    assert!(credit("6.00", "transfer-1").await.is_err());
    assert!(credit("0.00", "transfer-2").await.is_err());
    let euros = Money::parse("5.00", Currency::parse("EUR").unwrap()).unwrap();
    assert!(operations.credit(reseller, euros, None).await.is_err());
    assert_eq!(panel.cents().await, 1500);
}

async fn clock_moves_add_up(server: &mut TestServer) {
    let before = server.app().now();
    let moves = (0..8).map(|_| {
        let app = server.app().clone();
        tokio::spawn(async move { app.advance_clock(days(1)).await.unwrap() })
    });
    for moved in moves.collect::<Vec<_>>() {
        moved.await.unwrap();
    }
    assert!(server.app().now().duration_since(before) >= days(8));
    server.restart().await;
    assert!(server.app().now().duration_since(before) >= days(8));
    server.world().run_due_jobs().await;
}
