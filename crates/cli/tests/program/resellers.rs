//! What operators set for a reseller, and the history of it.

use chancery_testkit::{Engine, Panel};
use serde_json::{Value, json};

use crate::programs::{Installation, on_both_engines};

on_both_engines!(
    a_reseller_is_set_shown_suspended_and_resumed,
    a_wider_proof_scope_takes_a_yes,
    settings_that_make_no_sense_change_nothing,
    in_production_an_operator_says_who_they_are,
);

fn new_reseller(home: &Installation) -> String {
    let add = [
        "reseller",
        "add",
        "--name",
        "Panel Ltd",
        "--currency",
        "USD",
        "--json",
    ];
    home.json(&add)["resellerId"].to_string()
}

fn done(home: &Installation, arguments: &[&str]) -> String {
    let outcome = home.chore(arguments);
    assert!(outcome.succeeded, "{arguments:?}: {outcome:?}");
    outcome.printed
}

fn show(home: &Installation, id: &str) -> Value {
    home.json(&["reseller", "show", "--reseller", id, "--json"])
}

async fn a_reseller_is_set_shown_suspended_and_resumed(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let id = new_reseller(&home);
    let credential = home.json(&["credential", "add", "--reseller", &id, "--json"]);
    let [username, password] =
        ["username", "password"].map(|key| credential[key].as_str().unwrap());
    let panel = Panel::sign_in(server.http(), username, password).await;
    let by = ["--reseller", &id, "--operator", "Olga"];
    let set = [
        &["reseller", "set"][..],
        &by,
        &[
            "--notices-to",
            "both",
            "--notice-email",
            "ssl@panel.example",
        ],
        &[
            "--notice-sender",
            "Panel SSL",
            "--notice-footer",
            "Panel Ltd\nLondon",
        ],
        &[
            "--company",
            "Panel Limited",
            "--branding-url",
            "https://panel.example",
        ],
        &["--reuse-keys", "false", "--name", "Panel Limited"],
    ];
    let set = done(&home, &set.concat());
    assert!(set.contains("notices to    both"), "{set}");
    let suspended = done(
        &home,
        &[&["reseller", "suspend", "--reason", "unpaid"][..], &by].concat(),
    );
    assert!(suspended.contains("is suspended"), "{suspended}");
    // The server that runs knows at once.
    assert_eq!(panel.http.get("/reseller/v2/balance").await.status, 403);
    let list = done(&home, &["reseller", "list"]);
    assert!(list.contains("Panel Limited  suspended 20"), "{list}");
    let shown = show(&home, &id);
    assert_ne!(shown["suspendedAt"], Value::Null);
    done(
        &home,
        &[&["reseller", "resume", "--reason", "paid"][..], &by].concat(),
    );
    assert_eq!(panel.http.get("/reseller/v2/balance").await.status, 200);

    let shown = show(&home, &id);
    for (key, value) in [
        ("name", json!("Panel Limited")),
        ("proofScope", json!("order")),
        ("reuseKeys", json!(false)),
        ("noticesTo", json!("both")),
        ("noticeEmail", json!("ssl@panel.example")),
        ("noticeSender", json!("Panel SSL")),
        ("noticeFooter", json!("Panel Ltd\nLondon")),
        ("company", json!("Panel Limited")),
        ("brandingUrl", json!("https://panel.example")),
        ("suspendedAt", Value::Null),
        ("balance", json!("0.00")),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
    let history = shown["history"].as_array().unwrap();
    let told: Vec<[&str; 2]> = history
        .iter()
        .map(|act| [&act["operator"], &act["act"]].map(|word| word.as_str().unwrap()))
        .collect();
    assert_eq!(
        told[..3],
        [
            ["olga", "reseller_resumed"],
            ["olga", "reseller_suspended"],
            ["olga", "reseller_set"],
        ]
    );
    assert!(told.contains(&["tester", "reseller_added"]), "{told:?}");
    let detail = history[2]["detail"].as_str().unwrap();
    for word in [
        r#"name: "Panel Ltd" -> "Panel Limited""#,
        r#"reuse-keys: "true" -> "false""#,
        r#"notice-email: "" -> "ssl@panel.example""#,
    ] {
        assert!(detail.contains(word), "{detail}");
    }
    let text = done(&home, &["reseller", "show", "--reseller", &id]);
    assert!(
        text.contains("olga  reseller_suspended") && text.contains("unpaid"),
        "{text}"
    );
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn a_wider_proof_scope_takes_a_yes(engine: Engine) {
    let home = Installation::new(engine).await;
    done(&home, &["migrate"]);
    let id = new_reseller(&home);
    for scope in ["customer", "reseller"] {
        let set = ["reseller", "set", "--reseller", &id, "--proof-scope", scope];
        let before = show(&home, &id)["proofScope"].clone();
        let refused = home.chore(&set);
        assert!(!refused.succeeded, "{refused:?}");
        for word in ["warning", "without showing", "--yes"] {
            assert!(refused.complained.contains(word), "{word}: {refused:?}");
        }
        assert_eq!(show(&home, &id)["proofScope"], before);
        done(&home, &[&set[..], &["--yes"]].concat());
        assert_eq!(show(&home, &id)["proofScope"], scope);
    }
    // Back to the narrow one at any time.
    done(
        &home,
        &[
            "reseller",
            "set",
            "--reseller",
            &id,
            "--proof-scope",
            "order",
        ],
    );
    assert_eq!(show(&home, &id)["proofScope"], "order");
    home.remove().await;
}

async fn settings_that_make_no_sense_change_nothing(engine: Engine) {
    let home = Installation::new(engine).await;
    done(&home, &["migrate"]);
    let id = new_reseller(&home);
    let before = show(&home, &id);
    for (flags, word) in [
        (&["--notice-email", "nobody"][..], "notice-email"),
        (&["--branding-url", "javascript:alert(1)"], "branding-url"),
        (&["--notices-to", "reseller"], "notice-email"),
        (&["--notices-to", "everybody"], "administrator"),
        (&["--proof-scope", "world"], "customer"),
        (
            &["--notice-sender", "a\r\nBcc: x@y.example"],
            "notice-sender",
        ),
        (&["--name", " "], "name"),
        (&["--reuse-keys", "perhaps"], "reuse-keys"),
        (&[], "required"),
    ] {
        let outcome = home.chore(&[&["reseller", "set", "--reseller", &id][..], flags].concat());
        assert!(!outcome.succeeded, "{flags:?}: {outcome:?}");
        assert!(outcome.complained.contains(word), "{flags:?}: {outcome:?}");
    }
    for verb in ["suspend", "resume"] {
        let outcome = home.chore(&["reseller", verb, "--reseller", &id, "--reason", " "]);
        assert!(outcome.complained.contains("reason"), "{outcome:?}");
    }
    assert_eq!(show(&home, &id), before);
    for verb in ["set", "suspend"] {
        let flags = match verb {
            "set" => ["--name", "x"],
            _ => ["--reason", "x"],
        };
        let outcome =
            home.chore(&[&["reseller", verb, "--reseller", "99999"][..], &flags].concat());
        assert!(outcome.complained.contains("99999"), "{outcome:?}");
    }
    home.remove().await;
}

async fn in_production_an_operator_says_who_they_are(engine: Engine) {
    let home = Installation::new(engine).await;
    done(&home, &["migrate"]);
    let add = [
        "reseller",
        "add",
        "--name",
        "Panel Ltd",
        "--currency",
        "USD",
    ];
    let refused = home.chore_of_account("anna", &add);
    assert!(!refused.succeeded, "{refused:?}");
    assert!(
        refused.complained.contains("--operator: who are you?"),
        "{refused:?}"
    );
    // A test environment takes the name of the account.
    home.serve().await.stop().await;
    let added = home.chore_of_account("anna", &add);
    assert!(added.succeeded, "{added:?}");
    let id = added.printed.split(' ').nth(1).unwrap();
    assert_eq!(show(&home, id)["history"][0]["operator"], "anna");
    home.remove().await;
}
