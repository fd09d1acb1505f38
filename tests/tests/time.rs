//! What the clock brings about: windows that close, certificates and tokens that end, lists that are renewed; and
//! what a restart keeps.

use chancery_domain::Timestamp;
use chancery_domain::reseller_settings::ProofScope;
use chancery_testkit::{Panel, TestServer, on_both_engines};

use crate::proofs::share_proofs;
use serde_json::json;

on_both_engines!(
    an_order_nobody_proves_expires_and_is_paid_back,
    statuses_follow_the_certificate_and_the_term,
    tokens_live_an_hour_by_the_platform_s_clock,
    the_clock_only_goes_forward,
    a_restart_keeps_everything,
    revocation_lists_are_renewed,
    old_proofs_are_not_reused,
    looking_slows_down_and_never_stops,
);

const DAY: i64 = 86_400;

fn both(order: &str, certificate: &str) -> (String, String) {
    (order.to_owned(), certificate.to_owned())
}

async fn an_order_nobody_proves_expires_and_is_paid_back(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let mut placed = Vec::new();
    for method in ["dns", "file", "email"] {
        placed.push(
            panel
                .place(&panel.order("ssl123", method, &["shop.test"]).await)
                .await,
        );
    }
    assert_eq!(panel.cents().await, before - 3000);
    server.world().advance(30 * DAY - 60).await;
    let panel = server.panel().await;
    for order in &placed {
        assert_eq!(panel.statuses(&order.id).await.1, "INITIAL");
    }
    server.world().advance(120).await;
    for order in &placed {
        assert_eq!(panel.statuses(&order.id).await, both("EXPIRED", "EXPIRED"));
    }
    assert_eq!(panel.cents().await, before);

    // Too late for everything.
    panel.publish(&placed[0].data).await;
    panel.look(&placed[0].id).await;
    assert_eq!(
        panel.statuses(&placed[0].id).await,
        both("EXPIRED", "EXPIRED")
    );
    let refused = "Action prohibited for 'EXPIRED' status.";
    let change = panel
        .change_method(&placed[0].id, &json!({ "authType": "file" }))
        .await;
    change.refusal().is(400, "SSL2400", refused);
    panel
        .cancel(&placed[0].id)
        .await
        .refusal()
        .is(400, "SSL2400", refused);
    let link = server.world().approval_links("@shop.test").await.remove(0);
    let page = server.http().send("POST", &link, "").await;
    assert!([404, 409].contains(&page.status), "{}", page.text());
    assert_eq!(panel.cents().await, before);
}

async fn statuses_follow_the_certificate_and_the_term(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let info = panel.info(&id).await;
    let end = |key: &str| -> Timestamp { info[key].as_str().unwrap().parse().unwrap() };
    let (certificate, order) = (end("dtcertexpire"), end("dtorderexpire"));
    assert!(certificate < order, "{info:#}");
    let days = order.duration_since(end("dtsettle")).as_hours() / 24;
    assert!(
        (365..=366).contains(&days),
        "a term of one year has {days} days"
    );

    set_clock(server, certificate.as_second() - 30).await;
    assert_eq!(
        server.panel().await.statuses(&id).await,
        both("COMPLETED", "ACTIVE")
    );
    set_clock(server, certificate.as_second() + 2).await;
    assert_eq!(
        server.panel().await.statuses(&id).await,
        both("EXPIRED", "EXPIRED")
    );
    set_clock(server, order.as_second() + 1).await;
    let panel = server.panel().await;
    assert_eq!(panel.statuses(&id).await, both("EXPIRED", "EXPIRED"));
    assert_eq!(panel.dcv_status(&id).await["orderStatus"], "EXPIRED");
    assert_eq!(
        panel.certificate(&id).await.matches("BEGIN").count(),
        2,
        "it can still be had"
    );
}

async fn set_clock(server: &TestServer, second: i64) {
    let to = Timestamp::from_second(second).unwrap().to_string();
    let moved = server
        .http()
        .post("/ote/clock", &json!({ "set": to }))
        .await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    server.world().run_due_jobs().await;
}

async fn tokens_live_an_hour_by_the_platform_s_clock(server: &mut TestServer) {
    let old = server.panel().await;
    server.world().advance(1800).await;
    let new = server.panel().await;
    assert_ne!(old.token, new.token);
    let status = async |panel: &Panel| panel.http.get("/reseller/v2/balance").await.status;
    assert_eq!((status(&old).await, status(&new).await), (200, 200));
    server.world().advance(1801).await;
    let refusal = old.http.get("/reseller/v2/balance").await.refusal();
    let text = "Invalid or expired token. Reason: Provided token isn't active";
    refusal.is(401, "RES4010", text);
    assert_eq!(status(&new).await, 200);
}

async fn the_clock_only_goes_forward(server: &mut TestServer) {
    let world = server.world();
    world.advance(DAY).await;
    let now = world.now().await;
    for wrong in [
        json!({ "advance_seconds": -1 }),
        json!({ "set": "2020-01-01T00:00:00Z" }),
        json!({ "set": "yesterday" }),
        json!({ "advance_seconds": i64::MAX }),
        json!({ "advance_seconds": 1, "set": "2100-01-01T00:00:00Z" }),
        json!({}),
    ] {
        let refused = server.http().post("/ote/clock", &wrong).await;
        assert_eq!(refused.status, 400, "{wrong}");
        assert!(refused.json()["error"].is_string(), "{wrong}");
    }
    let (before, after): (Timestamp, Timestamp) =
        (now.parse().unwrap(), world.now().await.parse().unwrap());
    assert!(after >= before && after.duration_since(before).as_secs() < 60);
}

async fn a_restart_keeps_everything(server: &mut TestServer) {
    let panel = server.panel().await;
    let cents = panel.cents().await;
    let issued = panel.issue("ssl123", &["shop.test"]).await;
    let open = panel
        .place(&panel.order("ssl123", "dns", &["kiosk.example"]).await)
        .await;
    let mailed = panel
        .place(&panel.order("ssl123", "email", &["mail.test"]).await)
        .await;
    panel.publish(&open.data).await;
    server.world().run_due_jobs().await;
    server.world().put_web("shop.test", "/index", "hello").await;
    server.world().advance_clock(100 * DAY).await;
    let (before, mails) = (server.world().now().await, server.world().mails().await);
    let certificate = server.panel().await.certificate(&issued).await;

    server.restart().await;
    let (panel, world) = (server.panel().await, server.world());
    let now: Timestamp = world.now().await.parse().unwrap();
    let before: Timestamp = before.parse().unwrap();
    assert!(
        now >= before && now.duration_since(before).as_secs() < 120,
        "{before} {now}"
    );
    assert_eq!(world.mails().await, mails);
    assert_eq!(panel.certificate(&issued).await, certificate);
    assert_eq!(panel.info(&mailed.id).await["orderId"], json!(mailed.id));
    let web = server.http().get("/ote/web").await.text();
    assert!(web.contains("/index"), "{web}");
    let dns = server.http().get("/ote/dns").await.text();
    assert!(dns.contains("_dnsauth.kiosk.example"), "{dns}");
    // A hundred days were too long for the open ones.
    world.run_due_jobs().await;
    assert_eq!(panel.statuses(&open.id).await.0, "EXPIRED");
    assert_eq!(panel.cents().await, cents - 1000);
    // And it goes on from there.
    let id = panel.issue("ssl123", &["after.test"]).await;
    panel.verify(&id, &["after.test"]).await;
}

async fn revocation_lists_are_renewed(server: &mut TestServer) {
    let id = server.panel().await.issue("ssl123", &["shop.test"]).await;
    for _ in 0..3 {
        server.world().advance(9 * DAY).await;
        // OpenSSL refuses a list whose time is over.
        server.panel().await.verify(&id, &["shop.test"]).await;
    }
}

async fn old_proofs_are_not_reused(server: &mut TestServer) {
    let panel = server.panel().await;
    share_proofs(server, ProofScope::Reseller).await;
    panel.issue("ssl123", &["shop.test"]).await;
    let placed_again = async |panel: &Panel| {
        let order = panel.order("ssl123", "dns", &["www.shop.test"]).await;
        panel.place(&order).await.challenges()[0]["status"].clone()
    };
    assert_eq!(placed_again(&panel).await, "VALIDATED");
    server.world().advance(400 * DAY).await;
    assert_eq!(placed_again(&server.panel().await).await, "PENDING");
}

async fn looking_slows_down_and_never_stops(server: &mut TestServer) {
    let panel = server.panel().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    server.world().advance(20 * DAY).await;
    server.panel().await.publish(&placed.data).await;
    // Within the hour and its jitter, without anyone asking.
    server.world().advance(4500).await;
    assert_eq!(
        server.panel().await.statuses(&placed.id).await,
        both("COMPLETED", "ACTIVE")
    );
}
