//! The operator changes the master key: with the server stopped, and however often it is interrupted.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use chancery_pki::sealing::MasterKey;
use chancery_testkit::{Engine, Panel};

use crate::programs::{Installation, on_both_engines};

on_both_engines!(
    the_master_key_is_changed_with_the_server_stopped,
    a_change_that_is_killed_goes_on,
);

fn new_key(home: &Installation, text: &str) -> PathBuf {
    let file = home.folder.path().join("new.key");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

fn a_key(home: &Installation) -> PathBuf {
    new_key(home, MasterKey::generate().unwrap().to_text().as_str())
}

/// Rotation of the key in the data folder, which OTE mode made.
fn rotate(file: &std::path::Path) -> Vec<String> {
    let file = file.display().to_string();
    ["key", "rotate", "--new-master-key-file", &file, "--json"]
        .map(str::to_owned)
        .to_vec()
}

fn words(text: &[String]) -> Vec<&str> {
    text.iter().map(String::as_str).collect()
}

fn put_in_place(home: &Installation, file: &std::path::Path) {
    fs::rename(file, home.data().join("master.key")).unwrap();
}

async fn the_master_key_is_changed_with_the_server_stopped(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let certificate = panel.issue("ssl123", &["shop.test"]).await;
    let before = panel.certificate(&certificate).await;
    let file = a_key(&home);
    if engine == Engine::Sqlite {
        let refused = home.chore(&words(&rotate(&file)));
        assert!(refused.complained.contains("in use"), "{refused:?}");
    }
    server.stop().await;

    let weak = new_key(&home, &"5a".repeat(32));
    let refused = home.chore(&words(&rotate(&weak)));
    assert!(
        refused.complained.contains("not drawn at random"),
        "{refused:?}"
    );
    let shown = a_key(&home);
    fs::set_permissions(&shown, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = home.chore(&words(&rotate(&shown)));
    assert!(refused.complained.contains("chmod 600"), "{refused:?}");

    let file = a_key(&home);
    let rotated = home.json(&words(&rotate(&file)));
    assert!(rotated["resealed"].as_i64().unwrap() >= 2, "{rotated}");
    // Who did not hear that it has ended asks again.
    let again = home.json(&words(&rotate(&file)));
    assert_eq!(again["resealed"], 0, "{again}");
    // The key of before opens nothing any more.
    let refused = home.chore(&["serve", "--ote", "--listen", "127.0.0.1:0"]);
    assert!(
        !refused.succeeded && refused.complained.contains("use that key"),
        "{refused:?}"
    );

    put_in_place(&home, &file);
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    assert_eq!(panel.certificate(&certificate).await, before);
    panel.issue("ssl123", &["other.test"]).await;
    server.stop().await;
    let acts = home.chore(&["act", "list"]);
    assert!(acts.printed.contains("tester  key_rotated"), "{acts:?}");
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn a_change_that_is_killed_goes_on(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel: Panel = server.panel(&home.data()).await;
    for number in 0..30 {
        let name = format!("shop-{number}.test");
        panel
            .place(&panel.order("ssl123", "email", &[&name]).await)
            .await;
    }
    server.stop().await;
    let file = a_key(&home);
    let arguments = rotate(&file);
    let mut killed = 0;
    // Later each time, from before it begins to after its end.
    for millis in (0..).step_by(7) {
        let mut child = home
            .tokio_command(&words(&arguments))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ended = tokio::time::timeout(Duration::from_millis(millis), child.wait()).await;
        // It ended, or had ended before and says so.
        if ended.is_ok() {
            break;
        }
        child.kill().await.unwrap();
        killed += 1;
    }
    assert!(killed > 0);
    let last = home.chore(&words(&arguments));
    assert!(
        last.succeeded || last.complained.contains("sealed under"),
        "{last:?}"
    );
    put_in_place(&home, &file);
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    panel.issue("ssl123", &["other.test"]).await;
    let mails = server.world().approval_links("@shop-7.test").await;
    assert_eq!(mails.len(), 1, "what was sent before is there still");
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}
