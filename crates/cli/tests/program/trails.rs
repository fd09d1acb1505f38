//! What operators can look at: who got in, who did not, and what they did themselves.

use chancery_testkit::{Engine, Panel};
use serde_json::{Value, json};

use crate::programs::{Installation, on_both_engines};

on_both_engines!(
    an_operator_sees_who_signed_in_and_who_was_turned_away,
    every_change_goes_on_record_under_a_name,
);

fn lines(printed: &str) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap();
    printed.lines().map(read).collect()
}

async fn an_operator_sees_who_signed_in_and_who_was_turned_away(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let add = [
        "reseller",
        "add",
        "--name",
        "x",
        "--currency",
        "USD",
        "--json",
    ];
    let id = home.json(&add)["resellerId"].to_string();
    let made = home.json(&["credential", "add", "--reseller", &id, "--json"]);
    let [username, password] = ["username", "password"].map(|key| made[key].as_str().unwrap());
    let list = ["credential", "list", "--reseller", &id];
    let unused = home.chore(&list).printed;
    assert!(unused.contains("never used"), "{unused}");

    Panel::sign_in(server.http(), username, password)
        .await
        .cents()
        .await;
    let http = server.http();
    for (name, secret) in [(username, "wrong"), ("mallory\u{1b}[2J", "wrong")] {
        let body = json!({ "username": name, "password": secret });
        http.post("/reseller/v2/api-user/token", &body).await;
    }
    // What is fresh is put on record as the server stops, at the latest.
    server.stop().await;
    let log = home.log_text();
    assert!(
        log.contains("turned away") && log.contains("wrong_secret"),
        "{log}"
    );
    assert!(!log.contains('\u{1b}'), "{log}");

    let refused = home
        .chore(&["access", "list", "--refused", "--json"])
        .printed;
    let told: Vec<Value> = lines(&refused)
        .into_iter()
        .map(|line| {
            json!([
                line["outcome"],
                line["username"],
                line["address"],
                line["times"]
            ])
        })
        .collect();
    assert!(
        told.contains(&json!(["wrong_secret", username, "127.0.0.1", 1])),
        "{told:?}"
    );
    let mallory = json!(["unknown_username", "mallory\u{fffd}[2J", "127.0.0.1", 1]);
    assert!(told.contains(&mallory), "{told:?}");
    let of_one = [
        "access",
        "list",
        "--reseller",
        &id,
        "--outcome",
        "signed_in",
    ];
    let text = home.chore(&of_one).printed;
    assert!(
        text.contains(username) && text.lines().count() == 1,
        "{text}"
    );
    let none = home.chore(&["access", "list", "--address", "203.0.113.9"]);
    assert!(none.succeeded && none.printed.is_empty(), "{none:?}");
    let wrong = home.chore(&["access", "list", "--outcome", "luck"]);
    assert!(wrong.complained.contains("wrong_secret"), "{wrong:?}");
    let used = home.json(&[&list[..], &["--json"]].concat());
    assert_eq!(used["lastUsedFrom"], "127.0.0.1");
    assert!(used["lastUsedAt"].is_string(), "{used}");
    home.remove().await;
}

async fn every_change_goes_on_record_under_a_name(engine: Engine) {
    let home = Installation::new(engine).await;
    home.serve().await.stop().await;
    let add = [
        "reseller",
        "add",
        "--name",
        "x",
        "--currency",
        "USD",
        "--json",
    ];
    let id = home.json(&add)["resellerId"].to_string();
    let username = home.json(&["credential", "add", "--reseller", &id, "--json"]);
    let username = username["username"].as_str().unwrap();
    let price = ["--reseller", &id, "--product", "ssl123", "--term", "1"];
    let amounts = ["--base", "8.00", "--name", "1.00", "--wildcard", "2.00"];
    let set = [&["price", "set"][..], &price, &amounts].concat();
    let end = [&["price", "end"][..], &price].concat();
    for arguments in [
        &[
            "credential",
            "scope",
            "--username",
            username,
            "--scope",
            "read",
        ][..],
        &["credential", "allow", "--username", username, "203.0.113.7"],
        &["balance", "credit", "--reseller", &id, "--amount", "5.00"],
        &set[..],
        &end[..],
        &["credential", "revoke", "--username", username],
    ] {
        let done = home.chore(&[arguments, &["--operator", "olga"]].concat());
        assert!(done.succeeded, "{arguments:?}: {done:?}");
    }
    let acts = home
        .chore(&["act", "list", "--reseller", &id, "--json"])
        .printed;
    let told: Vec<String> = lines(&acts)
        .iter()
        .map(|act| {
            format!(
                "{} {}",
                act["operator"].as_str().unwrap(),
                act["act"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "olga credential_revoked",
            "olga price_ended",
            "olga price_set",
            "olga balance_credited",
            "olga credential_allowed",
            "olga credential_scoped",
            "tester credential_added",
            "tester reseller_added",
        ]
    );
    assert!(!acts.contains("password"), "{acts}");
    // Who says no name acts under the account's in a test environment only, and nobody acts under none.
    let nameless = home.chore(&[
        "credential",
        "add",
        "--reseller",
        &id,
        "--operator",
        "not a name",
    ]);
    assert!(nameless.complained.contains("operator"), "{nameless:?}");
    home.remove().await;
}
