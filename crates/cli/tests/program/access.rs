//! What an operator lets a credential do, and what is told of a refusal.

use chancery_testkit::{Engine, Panel};
use serde_json::json;

use crate::programs::{Installation, on_both_engines};

on_both_engines!(an_operator_limits_a_credential_and_sees_who_was_refused);

async fn an_operator_limits_a_credential_and_sees_who_was_refused(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let done = |arguments: &[&str]| {
        let outcome = home.chore(arguments);
        assert!(outcome.succeeded, "{arguments:?}: {outcome:?}");
        outcome.printed
    };
    let reseller = ["reseller", "add", "--name", "x", "--currency", "USD"];
    let id = home.json(&[&reseller[..], &["--json"]].concat())["resellerId"].to_string();
    let add = ["credential", "add", "--reseller", &id, "--json"];
    let limits = ["--scope", "read", "--allow", "203.0.113.0/24,2001:db8::7"];
    let made = home.json(&[&add[..], &limits[..]].concat());
    let [username, password] = ["username", "password"].map(|key| made[key].as_str().unwrap());

    let list = ["credential", "list", "--reseller", &id];
    let held = home.json(&[&list[..], &["--json"]].concat());
    assert_eq!(held["scope"], "read");
    assert_eq!(held["allowed"], json!(["203.0.113.0/24", "2001:db8::7"]));
    let shown = done(&list);
    assert!(
        shown.contains("read") && shown.contains("from 203.0.113.0/24, 2001:db8::7"),
        "{shown}"
    );

    let panel = Panel::sign_in(server.http(), username, password).await;
    let refused = panel.http.get("/reseller/v2/balance").await;
    let text = "Forbidden access with current ip address: 127.0.0.1";
    refused.refusal().is(403, "RES0004", text);
    let id_of_request = refused.header("x-request-id");
    let log = home.log_text();
    let line = log.lines().find(|line| line.contains(id_of_request));
    let line = line.unwrap_or_else(|| panic!("nothing of {id_of_request} in {log}"));
    for part in ["client=127.0.0.1", "address=127.0.0.1", username] {
        assert!(line.contains(part), "{part}: {line}");
    }

    let allow = ["credential", "allow", "--username", username];
    let said = done(&[&allow[..], &["127.0.0.1", "203.0.113.0/24"]].concat());
    assert!(said.contains("127.0.0.1, 203.0.113.0/24"), "{said}");
    assert_eq!(panel.cents().await, 0);
    let csr = json!({ "commonName": "shop.test", "keySize": 256 });
    let generate = async || panel.http.post("/ssl/v2/generate-csr", &csr).await.status;
    assert_eq!(generate().await, 403);
    done(&[
        "credential",
        "scope",
        "--username",
        username,
        "--scope",
        "orders",
    ]);
    assert_eq!(generate().await, 200);
    let said = done(&[&allow[..], &["--everywhere"]].concat());
    assert!(said.contains("everywhere"), "{said}");

    for (arguments, word) in [
        (
            &["203.0.113.7/24"][..],
            "write 203.0.113.0/24 or 203.0.113.7",
        ),
        (&["example.com"], "neither an address nor a range"),
        (&[], "CIDR"),
        (&["--everywhere", "203.0.113.7"], "cannot be used with"),
    ] {
        let outcome = home.chore(&[&allow[..], arguments].concat());
        assert!(
            !outcome.succeeded && outcome.complained.contains(word),
            "{outcome:?}"
        );
    }
    let scope = ["credential", "scope", "--username"];
    for (rest, word) in [
        ([username, "--scope", "all"], "read, orders, money"),
        (["nobody", "--scope", "read"], "nobody"),
    ] {
        let outcome = home.chore(&[&scope[..], &rest[..]].concat());
        assert!(
            !outcome.succeeded && outcome.complained.contains(word),
            "{outcome:?}"
        );
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}
