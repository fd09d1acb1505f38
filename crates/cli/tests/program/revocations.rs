//! Certificates and keys at the operator's hands: shown first, revoked with `--yes`, with the server running and
//! stopped.

use std::fs;

use chancery_testkit::{Downloaded, Engine, Key, Panel, csr_with_key, openssl};
use serde_json::{Value, json};

use crate::programs::{Installation, Running, on_both_engines};

on_both_engines!(
    certificates_are_shown_first_and_revoked_with_yes,
    a_key_is_blocked_and_takes_its_certificates_along_with_the_server_stopped,
    a_kill_between_the_steps_leaves_no_certificate_with_a_blocked_key,
    an_earlier_certificate_and_its_key_are_meant_only_where_they_are_named,
);

fn lines(printed: &str) -> Vec<Value> {
    let lines = printed.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn chore(home: &Installation, arguments: &[&str]) -> Vec<Value> {
    let done = home.chore(&[arguments, &["--json"]].concat());
    assert!(done.succeeded, "{arguments:?}: {done:?}");
    lines(&done.printed)
}

async fn downloaded(panel: &Panel, id: &str) -> Downloaded {
    Downloaded::of(&panel.http, &panel.certificate(id).await).await
}

async fn certificates_are_shown_first_and_revoked_with_yes(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let mut ids = Vec::new();
    let mut held = Vec::new();
    for name in ["one.test", "two.test", "three.test"] {
        let id = panel.issue("ssl123", &[name]).await;
        held.push(downloaded(&panel, &id).await);
        ids.push(id);
    }
    let listed = chore(&home, &["certificate", "list"]);
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|line| line["state"] == "in force"));
    let serial = held[0].serial();
    let shown = chore(&home, &["certificate", "show", "--name", "one.test"]);
    assert_eq!(shown[0]["serial"], json!(serial.to_lowercase()));
    assert_eq!(
        shown[0]["pem"].as_str().unwrap(),
        fs::read_to_string(&held[0].leaf).unwrap()
    );
    let by_key = [
        "certificate",
        "list",
        "--key",
        shown[0]["key"].as_str().unwrap(),
    ];
    assert_eq!(chore(&home, &by_key).len(), 1);

    // Shown, and nothing more.
    let revoke = [
        "certificate",
        "revoke",
        "--serial",
        &serial,
        "--reason",
        "privilegeWithdrawn",
        "--operator",
        "anna",
    ];
    let shown = chore(&home, &revoke);
    assert_eq!(shown[0]["outcome"], "to be revoked");
    assert_eq!(panel.statuses(&ids[0]).await.1, "ACTIVE");
    let done = chore(&home, &[&revoke[..], &["--yes"]].concat());
    assert_eq!(done[0]["outcome"], "revoked");
    let revocation = &done[0]["revocation"];
    assert_eq!(
        (&revocation["reasonCode"], &revocation["by"]),
        (&json!(9), &json!("operator anna"))
    );
    // The running server has it on its list within a minute.
    server.world().run_due_jobs().await;
    wait_for_list(&server, &serial, "Privilege Withdrawn").await;
    assert_eq!(panel.statuses(&ids[0]).await.1, "REVOKED");
    let again = chore(&home, &[&revoke[..], &["--yes"]].concat());
    assert_eq!(again[0]["outcome"], "revoked before");
    assert_eq!(again[0]["revocation"], done[0]["revocation"]);

    // Several at once, by a file.
    let file = home.folder.path().join("these.txt");
    let text = format!(
        "# found by a scan\n{}  # the second\n\norder {}\n",
        held[1].serial(),
        ids[2]
    );
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let revoke = [
        "certificate",
        "revoke",
        "--file",
        &file,
        "--reason",
        "4",
        "--operator",
        "anna",
    ];
    assert_eq!(chore(&home, &revoke).len(), 2);
    server.stop().await;
    assert_eq!(chore(&home, &[&revoke[..], &["--yes"]].concat()).len(), 2);
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    wait_for_list(&server, &held[1].serial(), "Superseded").await;
    assert_eq!(panel.statuses(&ids[2]).await.1, "REVOKED");

    for (wrong, complaint) in [
        (
            vec!["certificate", "revoke", "--serial", "0abc", "--reason", "1"],
            "no certificate",
        ),
        (
            vec![
                "certificate",
                "revoke",
                "--serial",
                &serial,
                "--reason",
                "6",
            ],
            "a reason is one of",
        ),
        (vec!["certificate", "revoke", "--reason", "1"], "which?"),
        (
            vec!["certificate", "show", "--serial", "xyz"],
            "serial number",
        ),
        (vec!["key", "block", "--sha256", "12"], "SHA-256"),
    ] {
        let refused = home.chore(&wrong);
        assert!(
            !refused.succeeded && refused.complained.contains(complaint),
            "{wrong:?}: {refused:?}"
        );
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

/// Waits until a running server's list has a serial number, for the reason in OpenSSL's words.
async fn wait_for_list(server: &Running, serial: &str, reason: &str) {
    for _ in 0..5 {
        server.world().run_due_jobs().await;
        server.world().advance(30).await;
        let list = server.http().get("/pki/issuing.crl").await.body;
        let text = openssl(&["crl", "-inform", "DER", "-noout", "-text"], &list).unwrap();
        let entry = text.split("Serial Number: ");
        let entry = entry.into_iter().find(|entry| entry.starts_with(serial));
        if entry.is_some_and(|entry| entry.contains(reason)) {
            return;
        }
    }
    panic!("the list has no {reason}");
}

async fn a_key_is_blocked_and_takes_its_certificates_along_with_the_server_stopped(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let made = csr_with_key(&["shop.test"], Key::P256);
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(
            panel
                .issue_for("ssl123", &["shop.test"], &made.csr_pem)
                .await,
        );
    }
    server.stop().await;
    // What was sent was the private key: its public half is blocked.
    let file = home.folder.path().join("public.pem");
    let public = openssl(
        &["pkey", "-pubout"],
        made.private_key_pem.expose().as_bytes(),
    );
    fs::write(&file, public.unwrap()).unwrap();
    let file = file.display().to_string();
    let block = [
        "key",
        "block",
        "--public-key",
        &file,
        "--note",
        "found in a repository",
        "--operator",
        "anna",
    ];
    let shown = chore(&home, &block);
    assert_eq!(shown.len(), 2);
    assert!(chore(&home, &["key", "list"]).is_empty());
    let done = chore(&home, &[&block[..], &["--yes"]].concat());
    assert_eq!(
        (&done[0]["isNew"], &done[0]["revoked"], &done[0]["by"]),
        (&json!(true), &json!(2), &json!("operator anna"))
    );
    let again = chore(&home, &[&block[..], &["--yes"]].concat());
    assert_eq!(
        (&again[0]["isNew"], &again[0]["revoked"]),
        (&json!(false), &json!(0))
    );
    let listed = chore(&home, &["key", "list"]);
    assert_eq!(listed[0]["note"], "found in a repository");
    // Of the same key by its CSR and by the hash.
    let csr = home.folder.path().join("shop.csr");
    fs::write(&csr, &made.csr_pem).unwrap();
    let csr = csr.display().to_string();
    let hash = listed[0]["key"].as_str().unwrap();
    for which in [["--csr", &csr], ["--sha256", hash]] {
        let again = chore(
            &home,
            &[&["key", "block", "--operator", "anna", "--yes"], &which[..]].concat(),
        );
        assert_eq!(again[0]["isNew"], json!(false), "{which:?}");
    }
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    for id in &ids {
        assert_eq!(panel.statuses(id).await.1, "REVOKED");
    }
    let body = json!({ "csr": made.csr_pem });
    panel.http.post("/ssl/v2/decode-csr", &body).await.refusal();
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn a_kill_between_the_steps_leaves_no_certificate_with_a_blocked_key(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let share = [
        "reseller",
        "set",
        "--reseller",
        "2001",
        "--proof-scope",
        "reseller",
        "--yes",
    ];
    assert!(home.chore(&share).succeeded);
    let made = csr_with_key(&["shop.test"], Key::P256);
    let first = panel
        .issue_for("ssl123", &["shop.test"], &made.csr_pem)
        .await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["csr"] = json!(made.csr_pem);
    let mut ids = vec![first.clone()];
    for _ in 0..60 {
        ids.push(panel.place(&order).await.id);
    }
    server.world().run_due_jobs().await;
    let before = panel.cents().await;
    let path = format!("/ssl/v2/orders/{first}/revoke");
    let body = json!({ "reason": 1 });
    panel.http.post(&path, &body).await.data();
    // The others are being revoked, one after the other.
    server.kill().await;
    let server = home.serve().await;
    server.world().advance_clock(200).await;
    server.world().run_due_jobs().await;
    let panel = server.panel(&home.data()).await;
    let in_force = chore(&home, &["certificate", "list"]);
    let in_force = in_force.iter().filter(|line| line["state"] == "in force");
    assert_eq!(in_force.count(), 0);
    assert_eq!(panel.statuses(&ids[60]).await.1, "REVOKED");
    assert_eq!(panel.cents().await, before);
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn an_earlier_certificate_and_its_key_are_meant_only_where_they_are_named(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let earlier = downloaded(&panel, &id).await.serial().to_lowercase();
    let path = format!("/ssl/v2/orders/{id}/reissue");
    let body = json!({ "csr": csr_with_key(&["shop.test"], Key::P256).csr_pem });
    panel.http.post(&path, &body).await.data();
    server.world().run_due_jobs().await;
    // It is superseded some days later.
    server.world().advance(4 * 86_400).await;
    server.stop().await;

    let of = |which: [&str; 2]| {
        let why = ["--reason", "keyCompromise", "--operator", "anna", "--yes"];
        let told = chore(
            &home,
            &[&["certificate", "revoke"], &which[..], &why[..]].concat(),
        );
        let serials = told.iter().map(|line| line["serial"].as_str().unwrap());
        serials.map(str::to_owned).collect::<Vec<_>>()
    };
    let first = of(["--order", &id]);
    assert!(first.len() == 1 && first[0] != earlier, "{first:?}");
    // Asking twice is answered the same, by the order and by the name.
    assert_eq!(of(["--order", &id]), first);
    assert_eq!(of(["--name", "shop.test"]), first);
    assert_eq!(chore(&home, &["key", "list"]).len(), 1);
    assert_eq!(of(["--serial", &earlier]), [earlier]);
    assert_eq!(chore(&home, &["key", "list"]).len(), 2);
    home.remove().await;
}
