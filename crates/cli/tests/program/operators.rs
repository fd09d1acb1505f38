//! The operator's chores, with the server running and stopped.

use chancery_testkit::{Engine, Panel};
use serde_json::json;

use crate::programs::{Installation, Running, on_both_engines};

on_both_engines!(
    chores_work_with_the_server_stopped,
    chores_work_with_the_server_running,
    chores_refuse_what_makes_no_sense,
    the_root_is_exported_as_it_is_served,
    a_reseller_gets_a_price_of_its_own,
);

async fn chores_work_with_the_server_stopped(engine: Engine) {
    let home = Installation::new(engine).await;
    // No server was ever here.
    migrate(&home);
    let (id, credential) = new_reseller(&home);
    let server = home.serve().await;
    can_order(&server, &credential).await;
    server.stop().await;

    let balance = home.json(&[
        "balance",
        "credit",
        "--reseller",
        &id,
        "--amount",
        "5.00",
        "--json",
    ]);
    assert_eq!(balance["balance"], "95.00");
    revoke(&home, &credential.0);
    let server = home.serve().await;
    cannot_sign_in(&server, &credential).await;
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn chores_work_with_the_server_running(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let (id, credential) = new_reseller(&home);
    let panel = can_order(&server, &credential).await;
    let balance = home.json(&[
        "balance",
        "credit",
        "--reseller",
        &id,
        "--amount",
        "5.00",
        "--note",
        "gift",
        "--json",
    ]);
    assert_eq!(balance["balance"], "95.00");
    assert_eq!(panel.cents().await, 9500);

    let other = home.json(&["credential", "add", "--reseller", &id, "--json"]);
    let list = home.chore(&["credential", "list", "--reseller", &id, "--json"]);
    assert!(
        list.printed.contains(other["username"].as_str().unwrap()),
        "{list:?}"
    );
    assert!(
        list.printed.contains(&credential.0) && !list.printed.contains(&credential.1),
        "{list:?}"
    );
    // Revoking ends the tokens that are out there, and leaves the other credential alone.
    revoke(&home, &credential.0);
    assert_eq!(panel.http.get("/reseller/v2/balance").await.status, 401);
    cannot_sign_in(&server, &credential).await;
    let text = |key: &str| other[key].as_str().unwrap().to_owned();
    Panel::sign_in(server.http(), &text("username"), &text("password"))
        .await
        .cents()
        .await;
    let audit = home.chore(&["balance", "audit"]);
    assert!(audit.succeeded, "{audit:?}");
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

fn migrate(home: &Installation) {
    let migrated = home.chore(&["migrate"]);
    assert!(migrated.succeeded, "{migrated:?}");
}

/// A reseller with a credential and 100.00 to spend.
fn new_reseller(home: &Installation) -> (String, (String, String)) {
    let made = home.json(&[
        "reseller",
        "add",
        "--name",
        "Hosting Ltd",
        "--currency",
        "USD",
        "--json",
    ]);
    let id = made["resellerId"].as_i64().unwrap().to_string();
    assert_eq!(made, json!({ "resellerId": made["resellerId"] }));
    let credential = home.json(&["credential", "add", "--reseller", &id, "--json"]);
    let text = |key: &str| credential[key].as_str().unwrap().to_owned();
    let balance = home.json(&[
        "balance",
        "credit",
        "--reseller",
        &id,
        "--amount",
        "100.00",
        "--json",
    ]);
    assert_eq!(balance["balance"], "100.00");
    (id, (text("username"), text("password")))
}

async fn can_order(server: &Running, (username, password): &(String, String)) -> Panel {
    let panel = Panel::sign_in(server.http(), username, password).await;
    let before = panel.cents().await;
    panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    assert_eq!(panel.cents().await, before - 1000);
    panel
}

async fn cannot_sign_in(server: &Running, (username, password): &(String, String)) {
    let body = json!({ "username": username, "password": password });
    let refusal = server
        .http()
        .post("/reseller/v2/api-user/token", &body)
        .await
        .refusal();
    refusal.is(500, "RES5001", "Invalid username");
}

fn revoke(home: &Installation, username: &str) {
    let revoked = home.chore(&["credential", "revoke", "--username", username]);
    assert!(revoked.succeeded, "{revoked:?}");
}

async fn chores_refuse_what_makes_no_sense(engine: Engine) {
    let home = Installation::new(engine).await;
    if engine == Engine::Sqlite {
        let early = home.chore(&["reseller", "list"]);
        assert!(
            !early.succeeded && early.complained.contains("chancery migrate"),
            "{early:?}"
        );
        assert!(!home.data().exists(), "a chore made a folder");
    }
    migrate(&home);
    let (id, _) = new_reseller(&home);
    for (arguments, word) in [
        (&["credential", "add", "--reseller", "99999"][..], "99999"),
        (&["credential", "list", "--reseller", "99999"], "99999"),
        (&["credential", "revoke", "--username", "nobody"], "nobody"),
        (
            &[
                "balance",
                "credit",
                "--reseller",
                "99999",
                "--amount",
                "1.00",
            ],
            "99999",
        ),
        (
            &["balance", "credit", "--reseller", &id, "--amount", "1.001"],
            "amount",
        ),
        (
            &["balance", "credit", "--reseller", &id, "--amount", "-1.00"],
            "amount",
        ),
        (
            &["balance", "credit", "--reseller", &id, "--amount", "0"],
            "amount",
        ),
        (
            &["balance", "credit", "--reseller", &id, "--amount", "much"],
            "amount",
        ),
        (
            &[
                "balance",
                "credit",
                "--reseller",
                &id,
                "--amount",
                "99999999999999999999",
            ],
            "amount",
        ),
        (
            &["reseller", "add", "--name", " ", "--currency", "USD"],
            "name",
        ),
        (
            &["reseller", "add", "--name", "x", "--currency", "dollars"],
            "currency",
        ),
        (&["reseller", "add", "--name", "x"], "currency"),
    ] {
        let outcome = home.chore(arguments);
        assert!(!outcome.succeeded, "{arguments:?}: {outcome:?}");
        assert!(
            outcome.complained.contains(word),
            "{arguments:?}: {outcome:?}"
        );
        assert!(
            !outcome.complained.contains("panicked"),
            "{arguments:?}: {outcome:?}"
        );
    }
    home.remove().await;
}

async fn the_root_is_exported_as_it_is_served(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let exported = home.chore(&["ca", "export-root"]);
    let served = server.http().get("/pki/root.crt").await;
    let served = chancery_testkit::openssl(&["x509", "-inform", "DER"], &served.body).unwrap();
    assert_eq!(exported.printed, served);
    let shown = home.chore(&["ca", "show"]);
    assert!(
        shown.succeeded
            && shown.printed.starts_with("Root\n")
            && shown.printed.contains("\nIssuing CA 1, ")
            && shown.printed.contains(", which signs\n"),
        "{shown:?}"
    );
    server.stop().await;
    home.remove().await;
}

async fn a_reseller_gets_a_price_of_its_own(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let (id, (username, password)) = new_reseller(&home);
    let panel = Panel::sign_in(server.http(), &username, &password).await;
    let price = async || {
        let path = "/ssl/v2/products/pricing?productKey=ssl123&term=1";
        panel.http.get(path).await.data()["price"].to_string()
    };
    let of = ["--reseller", &id, "--product", "SSL123", "--term", "1"];
    let chore = |verb: &str, more: &[&str]| {
        let arguments = [&["price", verb][..], &of, more].concat();
        home.chore(&arguments)
    };
    let amounts = ["--base", "8.00", "--name", "1.00", "--wildcard", "2.00"];
    let set = chore("set", &amounts);
    assert!(set.succeeded, "{set:?}");
    assert_eq!(price().await, "8.0");
    let later = [&amounts[..], &["--from", "2199-01-01"]].concat();
    let set = chore("set", &later);
    assert!(set.succeeded, "{set:?}");
    assert!(set.printed.contains("from 2199-01-01T00:00:00Z"), "{set:?}");
    let ended = chore("end", &[]);
    assert!(ended.succeeded, "{ended:?}");
    assert_eq!(price().await, "10.0");

    let list = home.chore(&["price", "list", "--reseller", &id, "--json"]);
    let rows: Vec<serde_json::Value> = list
        .printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let column = |key: &str| rows.iter().map(|row| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(column("base"), [json!("8.00"), json!(null), json!("8.00")]);
    let standing = ["past", "counting", "coming"].map(|word| json!(word));
    assert_eq!(column("standing"), standing);
    let list = home.chore(&["price", "list", "--reseller", &id]);
    assert!(list.printed.contains("the catalogue's price"), "{list:?}");

    for (outcome, word) in [
        (chore("set", &["--base", "8.001"]), "base"),
        (chore("set", &["--base", "8"]), "further name"),
        (chore("end", &[]), "no price of its own"),
        (chore("end", &["--from", "2020-01-01"]), "past"),
        (chore("end", &["--from", "soon"]), "--from"),
        (
            home.chore(&["price", "list", "--reseller", "99999"]),
            "99999",
        ),
        (
            home.chore(&[
                "price",
                "end",
                "--reseller",
                &id,
                "--product",
                "gold",
                "--term",
                "1",
            ]),
            "gold",
        ),
    ] {
        assert!(!outcome.succeeded, "{outcome:?}");
        assert!(outcome.complained.contains(word), "{word}: {outcome:?}");
    }
    server.stop().await;
    home.remove().await;
}
