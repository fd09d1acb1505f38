//! Proofs, and domains proved ahead of any order, from the command line.

use chancery_testkit::{Engine, Panel};
use serde_json::{Value, json};

use crate::programs::{Installation, Running, on_both_engines};

on_both_engines!(
    proofs_are_listed_and_dropped,
    domains_are_listed_shown_and_dropped,
);

/// A server, its panel and the number of its reseller.
async fn started(home: &Installation) -> (Running, Panel, String) {
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let reseller = home.json(&["reseller", "list", "--json"])["resellerId"].to_string();
    (server, panel, reseller)
}

/// What a command lists, a line of JSON for each.
fn listed(home: &Installation, command: &[&str]) -> Vec<Value> {
    let outcome = home.chore(&[command, &["--json"]].concat());
    assert!(outcome.succeeded, "{outcome:?}");
    let lines = outcome.printed.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn proofs_are_listed_and_dropped(engine: Engine) {
    let home = Installation::new(engine).await;
    let (server, panel, reseller) = started(&home).await;
    let order = panel.issue("ssl123", &["shop.test"]).await;
    panel.issue("ssl123", &["other.test"]).await;
    let list = ["proof", "list", "--reseller", &reseller];
    assert_eq!(listed(&home, &list).len(), 2);
    let of_domain = [&list[..], &["--domain", "www.shop.test"]].concat();
    let found = listed(&home, &of_domain);
    let [proof] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        [
            &proof["domain"],
            &proof["method"],
            &proof["orderId"].to_string().into()
        ],
        [&json!("shop.test"), &json!("dns"), &json!(order)]
    );
    let line = home.chore(&of_domain).printed;
    assert!(line.contains("shop.test  dns  order"), "{line}");

    let id = proof["proofId"].to_string();
    let drop =
        |reseller: &str| home.chore(&["proof", "drop", "--reseller", reseller, "--proof", &id]);
    let added = home.json(&[
        "reseller",
        "add",
        "--name",
        "Other",
        "--currency",
        "USD",
        "--json",
    ]);
    let anothers = drop(&added["resellerId"].to_string());
    assert!(!anothers.succeeded, "{anothers:?}");
    assert_eq!(listed(&home, &of_domain).len(), 1);
    let dropped = drop(&reseller);
    assert!(
        dropped.succeeded && dropped.printed.contains("not used any more"),
        "{dropped:?}"
    );
    assert_eq!(listed(&home, &of_domain).len(), 0);
    let twice = drop(&reseller);
    assert!(
        !twice.succeeded && twice.complained.contains("proof"),
        "{twice:?}"
    );
    let acts = home.chore(&["act", "list"]).printed;
    assert!(acts.contains("tester  proof_dropped"), "{acts}");

    // What rests on it stays; what is asked for next is shown anew.
    panel.verify(&order, &["shop.test"]).await;
    let reissue = json!({ "csr": chancery_testkit::csr(&["shop.test"]) });
    let path = format!("/ssl/v2/orders/{order}/reissue");
    let asked = panel.http.post(&path, &reissue).await.data();
    assert_eq!(asked["commonName"]["status"], "PENDING", "{asked:#}");
    server.stop().await;
    assert_eq!(listed(&home, &list).len(), 1);
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn domains_are_listed_shown_and_dropped(engine: Engine) {
    let home = Installation::new(engine).await;
    let (server, panel, reseller) = started(&home).await;
    let asked = json!({ "domain": "shop.test", "authType": "dns" });
    let http = &panel.http;
    let told = http.post("/ssl/v2/domains/validate", &asked).await.data();
    let id = told["domainId"].as_str().unwrap();
    let list = ["domain", "list", "--reseller", &reseller];
    assert_eq!(listed(&home, &list)[0]["state"], "validating");
    panel
        .publish(&json!({ "commonName": told["challenge"] }))
        .await;
    panel.world.advance(120).await;
    let found = listed(&home, &list);
    let [domain] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        [&domain["domain"], &domain["domainId"].to_string().into()],
        [&json!("shop.test"), &json!(id)]
    );
    assert!(domain["usableUntil"].is_string(), "{domain}");
    let show = ["domain", "show", "--reseller", &reseller, "--domain", id];
    let shown = home.json(&[&show[..], &["--json"]].concat());
    assert_eq!(shown["observations"][0]["outcome"], "proved", "{shown:#}");
    let line = home.chore(&show).printed;
    assert!(line.contains("proved  TXT _dnsauth.shop.test"), "{line}");

    let drop = ["domain", "drop", "--reseller", &reseller, "--domain", id];
    server.stop().await;
    let dropped = home.chore(&drop);
    assert!(
        dropped.succeeded && dropped.printed.contains("its proofs with it"),
        "{dropped:?}"
    );
    assert!(!home.chore(&drop).succeeded && !home.chore(&show).succeeded);
    assert_eq!(listed(&home, &list).len(), 0);
    assert_eq!(
        listed(&home, &["proof", "list", "--reseller", &reseller]).len(),
        0
    );
    let acts = home.chore(&["act", "list"]).printed;
    assert!(acts.contains("tester  domain_dropped"), "{acts}");

    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["usePrevalidated"] = json!(true);
    let placed = panel.place(&order).await;
    assert_eq!(
        placed.challenges()[0]["status"],
        "PENDING",
        "{:#}",
        placed.data
    );
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}
