//! Revoking an issuing CA, and taking the clock for right, from the command line.

use chancery_domain::SignedDuration;
use chancery_store::{Change, DatabaseUrl, Store, StoreSettings};
use chancery_testkit::Engine;
use serde_json::Value;

use crate::programs::{Installation, on_both_engines};

on_both_engines!(
    an_issuing_ca_is_shown_and_revoked_and_followed,
    a_clock_that_was_ahead_is_accepted,
);

async fn an_issuing_ca_is_shown_and_revoked_and_followed(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let order = panel.issue("ssl123", &["shop.test"]).await;
    let before = panel.certificate(&order).await;
    let certificates = |ca: &str| home.chore(&["ca", "certificates", "--ca", ca, "--json"]);
    let listed = certificates("1").printed;
    let held: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(held["orderId"].to_string(), order, "{held}");
    let unknown = certificates("7");
    assert!(
        !unknown.succeeded && unknown.complained.contains("--ca"),
        "{unknown:?}"
    );

    let revoke = |more: &[&str]| {
        let words = ["ca", "revoke", "--ca", "1", "--reason", "key-compromise"];
        home.chore(&[&words[..], more].concat())
    };
    let shown = revoke(&[]);
    assert!(
        shown.printed.contains("1 certificates in force"),
        "{shown:?}"
    );
    assert!(shown.printed.contains("Nothing was changed"), "{shown:?}");
    assert!(!home.chore(&["ca", "show"]).printed.contains("revoked"));
    let done = revoke(&["--yes"]);
    assert!(
        done.succeeded && done.printed.contains("revoked 2"),
        "{done:?}"
    );
    let twice = revoke(&["--yes"]);
    assert!(
        twice.succeeded && twice.printed.contains("it was revoked before"),
        "{twice:?}"
    );

    server.world().advance(60).await;
    let shown = home.chore(&["ca", "show"]).printed;
    assert!(
        shown.contains("(key-compromise)") && shown.contains("Issuing CA 2"),
        "{shown}"
    );
    // By its successor, and the one that was there is replaced.
    let new = panel.issue("ssl123", &["new.test"]).await;
    panel.verify(&new, &["new.test"]).await;
    panel.verify(&order, &["shop.test"]).await;
    assert_ne!(panel.certificate(&order).await, before);
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn a_clock_that_was_ahead_is_accepted(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let show = || home.chore(&["clock", "show"]).printed;
    assert!(!show().contains("gone back"), "{}", show());
    let now = server.world().now().await;
    server.stop().await;
    let url = DatabaseUrl::parse(&home.database_url()).unwrap();
    let store = Store::open(&url, &StoreSettings::default()).await.unwrap();
    let mut change = Change::new();
    let now: chancery_domain::Timestamp = now.parse().unwrap();
    change.set_latest_time(now + SignedDuration::from_hours(24));
    store.commit(change).await.unwrap();
    store.close().await;
    assert!(
        show().contains("nothing is signed until it has caught up"),
        "{}",
        show()
    );

    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    let accepted = home.chore(&["clock", "accept"]);
    assert!(
        accepted.succeeded && accepted.printed.contains("taken for right"),
        "{accepted:?}"
    );
    // Servers look every few seconds whether it is.
    while panel.statuses(&placed.id).await.0 != "COMPLETED" {
        server.world().run_due_jobs().await;
    }
    assert!(!show().contains("gone back"), "{}", show());
    server.stop().await;
    let told = home.logged_errors();
    assert!(
        told.iter().all(|line| line.contains("the clock shows")) && !told.is_empty(),
        "{told:?}"
    );
    home.remove().await;
}
