//! Orders, jobs and money, as operators see and move them; and what the log says of them.

use chancery_testkit::Engine;
use serde_json::{Value, json};

use crate::programs::{Installation, Outcome, on_both_engines};

on_both_engines!(
    operators_see_orders_their_histories_and_jobs,
    a_balance_is_debited_and_a_mistake_corrected,
    the_log_tells_of_orders_and_money,
);

fn lines(outcome: &Outcome) -> Vec<Value> {
    assert!(outcome.succeeded, "{outcome:?}");
    let read = |line: &str| serde_json::from_str(line).unwrap();
    outcome.printed.lines().map(read).collect()
}

async fn operators_see_orders_their_histories_and_jobs(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let done = panel.issue("ssl123", &["done.test"]).await;
    let open = panel
        .place(&panel.order("ssl123", "dns", &["open.test"]).await)
        .await
        .id;
    panel.look(&open).await;

    let list = lines(&home.chore(&["order", "list", "--json"]));
    let ids: Vec<String> = list
        .iter()
        .map(|order| order["orderId"].to_string())
        .collect();
    assert_eq!(ids, [open.clone(), done.clone()]);
    let reseller = list[0]["resellerId"].to_string();
    for (flags, found) in [
        (&["--name", "open.test"][..], &open),
        (&["--stage", "active"], &done),
        (&["--reseller", &reseller, "--limit", "1"], &open),
        (&["--before", &open], &done),
    ] {
        let list = lines(&home.chore(&[&["order", "list", "--json"], flags].concat()));
        assert_eq!(list.len(), 1, "{flags:?}");
        assert_eq!(list[0]["orderId"].to_string(), *found, "{flags:?}");
    }
    let text = home.chore(&["order", "list", "--stage", "active"]);
    assert!(text.printed.contains("done.test"), "{text:?}");

    let shown = home.json(&["order", "show", "--order", &open, "--json"]);
    assert_eq!(shown["names"], json!(["open.test"]));
    let unproved = &shown["run"]["unproved"][0];
    assert_eq!(unproved["name"], "open.test");
    assert!(
        unproved["advice"].as_str().unwrap().len() > 10,
        "{unproved}"
    );
    let job = shown["jobs"].as_array().unwrap();
    let job = job.iter().find(|job| job["kind"] == "poll_dcv").unwrap();
    let job = job["jobId"].to_string();
    let text = home.chore(&["order", "show", "--order", &done]);
    assert!(text.printed.contains("notAfter: 20"), "{text:?}");
    let events = lines(&home.chore(&["order", "events", "--order", &done, "--json"]));
    let told: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(told[0], "order_placed");
    assert!(
        told.contains(&"name_proved") && told.contains(&"certificate_issued"),
        "{told:?}"
    );

    let listed = [
        "job", "list", "--state", "waiting", "--order", &open, "--json",
    ];
    let jobs = lines(&home.chore(&listed));
    let ids =
        |key: &str| -> Vec<String> { jobs.iter().map(|listed| listed[key].to_string()).collect() };
    assert!(ids("jobId").contains(&job), "{jobs:?}");
    assert!(ids("orderId").iter().all(|id| *id == open), "{jobs:?}");
    let parked = home.chore(&["job", "list"]);
    assert!(parked.succeeded && parked.printed.is_empty(), "{parked:?}");
    let before = home.json(&["job", "show", "--id", &job, "--json"]);
    assert_eq!(before["kind"], "poll_dcv");
    let run = home.chore(&["job", "run", "--id", &job]);
    assert!(run.succeeded, "{run:?}");

    let cents = panel.cents().await;
    let cancel = |order: &str, reason: &str| {
        home.chore(&[
            "order",
            "cancel",
            "--order",
            order,
            "--reason",
            reason,
            "--operator",
            "olga",
        ])
    };
    let cancelled = cancel(&open, "asked for by telephone");
    assert!(cancelled.succeeded, "{cancelled:?}");
    assert_eq!(panel.cents().await, cents + 1000);
    assert_eq!(panel.statuses(&open).await.0, "CANCELLED");
    let events = home.chore(&["order", "events", "--order", &open]).printed;
    assert!(events.contains("olga: asked for by telephone"), "{events}");
    for (outcome, word) in [
        (cancel(&open, "again"), "the order is over"),
        (cancel(&done, "no more"), "has its certificate"),
        (cancel(&done, " "), "reason"),
        (cancel("1", "x"), "no order 1"),
    ] {
        assert!(
            !outcome.succeeded && outcome.complained.contains(word),
            "{outcome:?}"
        );
    }
    assert!(home.chore(&["balance", "audit"]).succeeded);

    for (arguments, word) in [
        (&["order", "show", "--order", "1"][..], "no order 1"),
        (&["order", "events", "--order", "1"], "no order 1"),
        (&["order", "list", "--stage", "lost"], "validating"),
        (&["job", "show", "--id", "1"], "no job 1"),
        (&["job", "run", "--id", "1"], "no job 1"),
        (&["job", "list", "--state", "lost"], "parked"),
    ] {
        let refused = home.chore(arguments);
        assert!(
            !refused.succeeded && refused.complained.contains(word),
            "{refused:?}"
        );
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn a_balance_is_debited_and_a_mistake_corrected(engine: Engine) {
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
    let of = ["--reseller", &id, "--operator", "olga"];
    let chore =
        |verb: &str, more: &[&str]| home.chore(&[&["balance", verb][..], &of, more].concat());
    let json_of = |verb: &str, more: &[&str]| {
        home.json(&[&["balance", verb, "--json"][..], &of, more].concat())
    };
    let invoice = ["--amount", "100.00", "--key", "invoice-17"];
    let credited = json_of("credit", &invoice);
    assert_eq!(
        (&credited["balance"], &credited["repeated"]),
        (&json!("100.00"), &json!(false))
    );
    let again = json_of("credit", &invoice);
    assert_eq!(
        (&again["balance"], &again["repeated"]),
        (&json!("100.00"), &json!(true))
    );
    let other = chore("credit", &["--amount", "200.00", "--key", "invoice-17"]);
    assert!(other.complained.contains("another request"), "{other:?}");

    let debited = json_of("debit", &["--amount", "30.00", "--reason", "paid out"]);
    assert_eq!(
        (&debited["balance"], &debited["amount"]),
        (&json!("70.00"), &json!("-30.00"))
    );
    let paid = [
        "--amount",
        "5.00",
        "--reason",
        "paid out",
        "--key",
        "payment-3",
    ];
    let [first, again] = [0, 1].map(|_| json_of("debit", &paid));
    assert_eq!(
        (&first["balance"], &first["repeated"]),
        (&json!("65.00"), &json!(false))
    );
    assert_eq!(
        (&again["balance"], &again["repeated"], &again["entry"]),
        (&json!("65.00"), &json!(true), &first["entry"])
    );
    // Apart from the keys of credits, and of another amount.
    let other = chore(
        "debit",
        &["--amount", "6.00", "--reason", "x", "--key", "payment-3"],
    );
    assert!(other.complained.contains("another request"), "{other:?}");
    json_of(
        "debit",
        &["--amount", "1.00", "--reason", "x", "--key", "invoice-17"],
    );
    json_of("credit", &["--amount", "6.00"]);
    let poor = chore("debit", &["--amount", "71.01", "--reason", "paid out"]);
    assert!(
        poor.complained.contains("does not fall below zero"),
        "{poor:?}"
    );
    let (credit, debit) = (credited["entry"].to_string(), debited["entry"].to_string());
    let correct = |entry: &str| chore("correct", &["--entry", entry, "--reason", "a mistake"]);
    let poor = correct(&credit);
    assert!(
        poor.complained.contains("does not fall below zero"),
        "{poor:?}"
    );
    assert!(correct(&debit).succeeded);
    let twice = correct(&debit);
    assert!(twice.complained.contains("corrected already"), "{twice:?}");
    let corrected = json_of("correct", &["--entry", &credit, "--reason", "of another"]);
    assert_eq!(
        (&corrected["balance"], &corrected["amount"]),
        (&json!("0.00"), &json!("-100.00"))
    );
    let counter = corrected["entry"].to_string();
    for (outcome, word) in [
        (correct(&counter), "itself a correction"),
        (correct("1"), "no entry"),
        (
            chore("correct", &["--entry", &credit, "--reason", " "]),
            "reason",
        ),
        (
            chore("debit", &["--amount", "1.00", "--reason", " "]),
            "reason",
        ),
        (
            chore("debit", &["--amount", "-1.00", "--reason", "x"]),
            "amount",
        ),
    ] {
        assert!(
            !outcome.succeeded && outcome.complained.contains(word),
            "{word}: {outcome:?}"
        );
    }

    let shown = home.json(&["balance", "show", "--reseller", &id, "--json"]);
    assert_eq!(shown["balance"], "0.00");
    let entries: Vec<Value> = shown["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| json!([entry["kind"], entry["amount"], entry["note"]]))
        .collect();
    assert_eq!(
        entries,
        [
            json!(["correction", "-100.00", "of another"]),
            json!(["correction", "30.00", "a mistake"]),
            json!(["credit", "6.00", null]),
            json!(["debit", "-1.00", "x"]),
            json!(["debit", "-5.00", "paid out"]),
            json!(["debit", "-30.00", "paid out"]),
            json!(["credit", "100.00", null]),
        ]
    );
    let text = home.chore(&["balance", "show", "--reseller", &id, "--limit", "1"]);
    assert_eq!(text.printed.lines().count(), 2, "{text:?}");
    let acts = home.chore(&["act", "list", "--reseller", &id]);
    assert!(acts.printed.contains("olga  balance_corrected"), "{acts:?}");
    assert!(home.chore(&["balance", "audit"]).succeeded);
    home.remove().await;
}

async fn the_log_tells_of_orders_and_money(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve_with(&[("CHANCERY_LOG", "info")]).await;
    let panel = server.panel(&home.data()).await;
    let issued = panel.issue("ssl123", &["shop.test"]).await;
    let cancelled = panel
        .place(&panel.order("ssl123", "dns", &["other.test"]).await)
        .await
        .id;
    panel.cancel(&cancelled).await.data();
    panel.cancel(&issued).await;
    server.stop().await;
    let log = home.log_text();
    let told = |what: &str, order: &str| {
        log.lines().any(|line| {
            line.contains(what)
                && line.contains(&format!("order.id={order}"))
                && line.contains("reseller.id=2")
        })
    };
    for (what, order) in [
        ("order placed", &issued),
        ("order charged", &issued),
        ("name proved", &issued),
        ("certificate issued", &issued),
        ("certificate revoked", &issued),
        ("order given back", &issued),
        ("order placed", &cancelled),
        ("order cancelled", &cancelled),
        ("order given back", &cancelled),
    ] {
        assert!(told(what, order), "{what} of {order}: {log}");
    }
    home.remove().await;
}
