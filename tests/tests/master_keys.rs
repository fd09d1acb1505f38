//! Everything is sealed anew under another master key: whatever the interruption, all of it, and a server that
//! still has the key of before seals nothing more.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chancery_app::{Clock, MasterKeyError, Operations};
use chancery_pki::sealing::MasterKey;
use chancery_server::open_store;
use chancery_testkit::{TestServer, on_both_engines};
use serde_json::json;

on_both_engines!(
    everything_is_sealed_anew_whatever_the_interruption,
    a_server_that_was_not_stopped_seals_nothing_more,
);

fn key_of(file: &std::path::Path) -> MasterKey {
    MasterKey::from_text(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Puts the new key where the configuration names it.
fn write_key(server: &TestServer, key: &MasterKey) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = server.folder().join("new.key");
    std::fs::write(&file, key.to_text().as_str()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

async fn everything_is_sealed_anew_whatever_the_interruption(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut orders = Vec::new();
    for name in ["one.test", "two.test", "three.test"] {
        let order = panel.order("ssl123", "email", &[name]).await;
        orders.push(panel.place(&order).await);
    }
    server.world().run_due_jobs().await;
    let root = server.http().get("/pki/root.crt").await.body;
    let (old, new) = (
        key_of(&server.config.data.join("master.key")),
        MasterKey::generate().unwrap(),
    );
    server.stop().await;

    // Cut off after each number of steps it takes, as a kill would.
    let store = open_store(&server.config).await.unwrap();
    let operations = Operations::new(store.clone(), Clock::default());
    let mut interruptions = 0;
    'rotated: loop {
        let mut rotation = pin!(operations.rotate_master_key(&old, &new));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..=interruptions {
            match rotation.as_mut().poll(&mut context) {
                Poll::Pending => {}
                Poll::Ready(Ok(_)) => break 'rotated,
                // What was cut off was still on its way to the database.
                Poll::Ready(Err(MasterKeyError::Store(_))) => break,
                Poll::Ready(Err(error)) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        interruptions += 1;
        assert!(interruptions < 10_000);
    }
    assert!(interruptions > 2, "{interruptions}");
    // Who did not hear that it has ended asks again.
    let again = operations.rotate_master_key(&old, &new).await.unwrap();
    assert_eq!((again.resealed, again.resumed), (0, true));
    let third = MasterKey::generate().unwrap();
    let other = operations.rotate_master_key(&old, &third).await;
    let other = other.unwrap_err().to_string();
    assert!(other.contains(&new.id()), "{other}");
    store.close().await;

    let file = write_key(server, &new);
    server
        .restart_with(|config| config.master_key_file = Some(file))
        .await;
    assert_eq!(server.http().get("/pki/root.crt").await.body, root);
    // Tokens of before have ended; credentials have not.
    assert_eq!(panel.http.get("/reseller/v2/balance").await.status, 401);
    let panel = panel.again().await;
    server.world().advance(600).await;
    server.world().clear_mail().await;
    for order in &orders {
        let path = format!("/ssl/v2/orders/{}/approver-email/send", order.id);
        assert_eq!(panel.http.post(&path, &json!({})).await.status, 200);
    }
    server.world().run_due_jobs().await;
    // The secrets in the mails are those of before, so they were opened.
    let links = server.world().approval_links("@two.test").await;
    assert_eq!(links.len(), 1);
    assert_eq!(server.http().get(&links[0]).await.status, 200);
    panel.issue("ssl123", &["four.test"]).await;
}

async fn a_server_that_was_not_stopped_seals_nothing_more(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel.order("ssl123", "email", &["one.test"]).await;
    let before = panel.place(&order).await;
    let old = key_of(&server.config.data.join("master.key"));
    let new = MasterKey::generate().unwrap();
    let rotated = server.operations().rotate_master_key(&old, &new).await;
    assert!(!rotated.unwrap().resumed);

    let cents = panel.cents().await;
    let order = panel.order("ssl123", "email", &["two.test"]).await;
    let refused = panel.http.post("/ssl/v2/orders/new", &order).await;
    assert_eq!(refused.status, 500, "{}", refused.text());
    assert_eq!(panel.cents().await, cents);
    let logged = server.logs.take_errors().join("\n");
    assert!(
        logged.contains("start it again with the new one"),
        "{logged}"
    );

    // It starts with the new key only.
    server.stop().await;
    let started = chancery_server::Server::start(server.config.clone()).await;
    let refused = started.err().map(|error| format!("{error:?}")).unwrap();
    assert!(refused.contains("Other"), "{refused}");
    let file = write_key(server, &new);
    server
        .restart_with(|config| config.master_key_file = Some(file))
        .await;
    let panel = panel.again().await;
    panel.place(&order).await;
    assert_eq!(panel.cancel(&before.id).await.status, 200);
    server.world().run_due_jobs().await;
}
