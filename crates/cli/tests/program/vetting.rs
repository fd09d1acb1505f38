//! Vetting from the command line, by two people, with the server running and stopped.

use std::fs;

use chancery_testkit::{Engine, Panel};
use serde_json::{Value, json};

use crate::programs::{Installation, Outcome, on_both_engines};

on_both_engines!(
    two_people_vet_for_ev,
    a_rejection_reaches_the_reseller,
    steps_that_make_no_sense_are_refused,
);

/// An organization submitted for validation; gives its case.
async fn submitted(home: &Installation, panel: &Panel, kind: &str) -> (i64, String) {
    let id = panel.organization(&format!("{kind} Ltd")).await;
    assert_eq!(panel.submit_validation(id, kind).await.status, 200);
    let listed = home.chore(&["vetting", "list", "--json"]);
    let first: Value = serde_json::from_str(listed.printed.lines().next().unwrap()).unwrap();
    assert_eq!(first["organizationId"], json!(id), "{listed:?}");
    assert_eq!(first["kind"], kind.to_lowercase());
    (id, first["caseId"].to_string())
}

fn show(home: &Installation, case: &str) -> Value {
    home.json(&["vetting", "show", "--case", case, "--json"])
}

/// Records a text for everything that is missing but the cross-check.
fn record_all(home: &Installation, case: &str, operator: &str) {
    for row in show(home, case)["missing"].as_array().unwrap() {
        let item = row["item"].as_str().unwrap();
        if item == "cross-check" {
            continue;
        }
        let source = row["sources"][0].as_str().unwrap();
        let mut flags = vec![
            "vetting",
            "record",
            "--case",
            case,
            "--item",
            item,
            "--source",
            source,
            "--text",
            "as told",
            "--operator",
            operator,
            "--json",
        ];
        if item == "registration" {
            flags.extend([
                "--category",
                "private-organization",
                "--country",
                "my",
                "--number",
                "1550001-A",
            ]);
        }
        let recorded = home.json(&flags);
        assert_eq!(recorded["collectedBy"], operator);
    }
}

fn approve(home: &Installation, case: &str, operator: &str, more: &[&str]) -> Outcome {
    let mut flags = vec!["vetting", "approve", "--case", case, "--operator", operator];
    flags.extend(more);
    home.chore(&flags)
}

async fn two_people_vet_for_ev(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let (id, case) = submitted(&home, &panel, "EV").await;
    assert_eq!(panel.validation_status(id).await[0]["status"], "PENDING");
    let early = approve(&home, &case, "bert", &[]);
    assert!(early.complained.contains("legal-existence"), "{early:?}");

    let extract = home.folder.path().join("extract.pdf");
    let bytes: Vec<u8> = b"%PDF-1.7\0".iter().copied().cycle().take(70_000).collect();
    fs::write(&extract, &bytes).unwrap();
    let recorded = home.json(&[
        "vetting",
        "record",
        "--case",
        &case,
        "--item",
        "legal-existence",
        "--source",
        "government-register",
        "--reference",
        "https://register.example/1",
        "--file",
        extract.to_str().unwrap(),
        "--operator",
        "Anna",
        "--json",
    ]);
    assert_eq!(recorded["file"]["name"], "extract.pdf");
    assert_eq!(recorded["file"]["size"], 70_000);
    let evidence = recorded["evidenceId"].to_string();
    let printed = home.chore(&["vetting", "file", "--evidence", &evidence]);
    assert_eq!(printed.printed.as_bytes(), bytes);
    record_all(&home, &case, "anna");

    // Who collected neither cross-checks nor approves, whatever the spelling.
    for name in ["anna", "ANNA"] {
        let own = approve(&home, &case, name, &["--cross-check", "no discrepancies"]);
        assert!(!own.succeeded, "{own:?}");
        assert!(own.complained.contains("somebody else"), "{own:?}");
    }
    let unchecked = approve(&home, &case, "bert", &[]);
    assert!(
        unchecked.complained.contains("cross-check"),
        "{unchecked:?}"
    );
    assert_eq!(panel.validation_status(id).await[0]["status"], "PENDING");
    let done = approve(&home, &case, "bert", &["--cross-check", "no discrepancies"]);
    assert!(done.succeeded, "{done:?}");
    let status = panel.validation_status(id).await;
    assert_eq!(status[0]["status"], "APPROVED", "{status}");
    let shown = show(&home, &case);
    assert_eq!(shown["decidedBy"], "bert");
    assert_eq!(shown["missing"], json!([]));
    let text = home.chore(&["vetting", "show", "--case", &case]);
    assert!(text.printed.contains("approved by bert"), "{text:?}");
    assert!(
        text.printed.contains("Private Organization, MY 1550001-A"),
        "{text:?}"
    );
    assert_eq!(home.chore(&["vetting", "list"]).printed, "");
    assert!(
        home.chore(&["vetting", "list", "--all"])
            .printed
            .contains("approved")
    );
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn a_rejection_reaches_the_reseller(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let (id, case) = submitted(&home, &panel, "OV").await;
    server.stop().await;

    let reason = "the register knows no such company";
    let rejected = home.json(&[
        "vetting",
        "reject",
        "--case",
        &case,
        "--reason",
        reason,
        "--operator",
        "anna",
        "--json",
    ]);
    assert_eq!(rejected["state"], "rejected");
    let again = home.chore(&[
        "vetting",
        "reject",
        "--case",
        &case,
        "--reason",
        "x",
        "--operator",
        "anna",
    ]);
    assert!(
        again.complained.contains("rejected cannot be rejected"),
        "{again:?}"
    );

    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let expected =
        json!([{ "type": "OV", "status": "REJECTED", "dtexpire": null, "reason": reason }]);
    assert_eq!(panel.validation_status(id).await, expected);
    // Asked for again, it is looked into again; for OV one person is enough.
    assert_eq!(panel.submit_validation(id, "OV").await.status, 200);
    let listed = home.json(&["vetting", "list", "--json"]);
    let case = listed["caseId"].to_string();
    record_all(&home, &case, "anna");
    let done = approve(&home, &case, "anna", &["--json"]);
    assert!(done.printed.contains("goodUntil"), "{done:?}");
    assert_eq!(panel.validation_status(id).await[0]["status"], "APPROVED");
    server.stop().await;
    home.remove().await;
}

async fn steps_that_make_no_sense_are_refused(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let (_, case) = submitted(&home, &panel, "OV").await;
    let large = home.folder.path().join("large.bin");
    fs::write(&large, vec![7; (5 << 20) + 1]).unwrap();
    let large = large.to_str().unwrap();
    let record = |more: &[&str]| {
        let mut flags = vec!["vetting", "record", "--case", &case];
        flags.extend(more);
        home.chore(&flags)
    };
    let by = ["--operator", "anna"];
    let telephone = ["--item", "telephone", "--source", "government-register"];
    for (flags, word) in [
        (
            &["--item", "passport", "--source", "call", "--text", "x"][..],
            "legal-existence",
        ),
        (
            &["--item", "telephone", "--source", "rumour", "--text", "x"],
            "tax-database",
        ),
        (
            &["--item", "telephone", "--source", "call", "--text", "x"],
            "does not show telephone",
        ),
        (
            &[
                "--item",
                "telephone",
                "--source",
                "test-environment",
                "--text",
                "x",
            ],
            "does not show",
        ),
        (
            &["--item", "cross-check", "--source", "review", "--text", "x"],
            "not on the checklist",
        ),
        (&telephone, "a text, a file or both"),
        (
            &["--item", "telephone", "--source", "agency", "--file", large],
            "at most",
        ),
        (
            &[
                "--item",
                "telephone",
                "--source",
                "agency",
                "--file",
                "/nonexistent",
            ],
            "/nonexistent",
        ),
        (
            &[
                "--item",
                "telephone",
                "--source",
                "agency",
                "--text",
                "x",
                "--obtained-at",
                "2199-01-01T00:00:00Z",
            ],
            "future",
        ),
        (
            &[
                "--item",
                "telephone",
                "--source",
                "agency",
                "--text",
                "x",
                "--obtained-at",
                "2020-01-01T00:00:00Z",
            ],
            "too old",
        ),
        (
            &[
                "--item",
                "telephone",
                "--source",
                "agency",
                "--text",
                "x",
                "--category",
                "x",
            ],
            "--country",
        ),
    ] {
        let refused = record(&[flags, &by].concat());
        assert!(
            !refused.succeeded && refused.complained.contains(word),
            "{flags:?}: {refused:?}"
        );
        assert!(!refused.complained.contains("panicked"), "{refused:?}");
    }
    for (flags, word) in [
        (&["vetting", "show", "--case", "99999999"][..], "99999999"),
        (&["vetting", "file", "--evidence", "99999999"], "99999999"),
        (
            &[
                "vetting",
                "approve",
                "--case",
                "99999999",
                "--operator",
                "anna",
            ],
            "99999999",
        ),
        (
            &[
                "vetting",
                "approve",
                "--case",
                &case,
                "--operator",
                "platform:approver",
            ],
            "operator",
        ),
        (
            &[
                "vetting",
                "reject",
                "--case",
                &case,
                "--reason",
                " ",
                "--operator",
                "anna",
            ],
            "reason",
        ),
    ] {
        let refused = home.chore(flags);
        assert!(
            !refused.succeeded && refused.complained.contains(word),
            "{flags:?}: {refused:?}"
        );
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}
