//! Who signed in and who was turned away is on record: by user name, address and reason.

use chancery_app::AccessFilter;
use chancery_domain::access::{Access, Networks, Scope};
use chancery_domain::access_trail::{LINES_A_MINUTE, OTHERS};
use chancery_domain::customers::CustomerId;
use chancery_domain::operators::OperatorName;
use chancery_testkit::{Reply, TestServer, on_both_engines};
use serde_json::json;

use crate::logicboxes_customers::{ANN, sign_up};

on_both_engines!(
    sign_ins_and_refusals_are_on_record_with_their_reasons,
    the_last_use_of_each_credential_is_known,
    guessing_does_not_fill_the_disk,
    customers_who_sign_in_are_on_record_until_they_are_erased,
);

const BALANCE: &str = "/reseller/v2/balance";

async fn sign_in(server: &TestServer, username: &str, password: &str) -> Reply {
    let body = json!({ "username": username, "password": password });
    let http = server.http();
    http.post("/reseller/v2/api-user/token", &body).await
}

/// Outcome, user name and count of what is on record, in order.
async fn on_record(server: &TestServer) -> Vec<(&'static str, String, i64)> {
    server.app().settle_access_trail().await.unwrap();
    let all = AccessFilter::default();
    let lines = server.operations().access_trail(&all, 1_000).await.unwrap();
    let mut told: Vec<_> = lines
        .into_iter()
        .map(|line| {
            let is_whole = line.key.address == "127.0.0.1" || line.key.address == OTHERS;
            assert!(is_whole, "{line:?}");
            (line.key.outcome.as_str(), line.key.username, line.times)
        })
        .collect();
    told.sort();
    told
}

async fn sign_ins_and_refusals_are_on_record_with_their_reasons(server: &mut TestServer) {
    let panel = server.panel_with(Access::default()).await;
    let [username, password] = panel.credential().map(str::to_owned);
    assert_eq!(sign_in(server, &username, "wrong").await.status, 500);
    assert_eq!(sign_in(server, &username, "wrong").await.status, 500);
    assert_eq!(sign_in(server, "nobody", &password).await.status, 500);
    let forged = server.http().with_token("a.b.c");
    assert_eq!(forged.get(BALANCE).await.status, 401);
    let client = server.logicboxes_with(Access {
        scope: Scope::Read,
        ..Access::default()
    });
    let client = client.await;
    client
        .refused("contacts/delete", &[("contact-id", "1")])
        .await;
    let operations = server.operations();
    let elsewhere = Networks::parse("203.0.113.0/24").unwrap();
    operations.set_allowed(&username, &elsewhere).await.unwrap();
    assert_eq!(panel.http.get(BALANCE).await.status, 403);
    operations
        .set_allowed(&username, &Networks::default())
        .await
        .unwrap();
    let reseller = server.reseller().await.id;
    operations
        .suspend_reseller(reseller, "unpaid")
        .await
        .unwrap();
    assert_eq!(panel.http.get(BALANCE).await.status, 403);
    operations.resume_reseller(reseller, "paid").await.unwrap();
    operations.revoke_credential(&username).await.unwrap();
    assert_eq!(panel.http.get(BALANCE).await.status, 401);
    assert_eq!(sign_in(server, &username, &password).await.status, 500);

    let told = on_record(server).await;
    for expected in [
        ("address_not_allowed", &username[..], 1),
        ("bad_token", "", 1),
        ("out_of_scope", &client.user_id[..], 1),
        ("revoked", &username[..], 2),
        ("signed_in", &username[..], 1),
        ("suspended", &username[..], 1),
        ("unknown_username", "nobody", 1),
        ("wrong_secret", &username[..], 2),
    ] {
        let (outcome, name, times) = expected;
        // A minute may have ended in between.
        let of = |line: &&(&str, String, i64)| line.0 == outcome && line.1 == name;
        let sum: i64 = told.iter().filter(of).map(|line| line.2).sum();
        assert_eq!(sum, times, "{expected:?}: {told:?}");
    }
    assert!(!format!("{told:?}").contains(&password));
}

async fn the_last_use_of_each_credential_is_known(server: &mut TestServer) {
    let panel = server.panel_with(Access::default()).await;
    let client = server.logicboxes_with(Access::default()).await;
    let reseller = server.reseller().await.id;
    let uses = async || {
        server.app().settle_access_trail().await.unwrap();
        let uses = server.operations().credential_uses(reseller).await.unwrap();
        uses.into_iter()
            .map(|used| (used.username, (used.used_at, used.address)))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let [username, _] = panel.credential();
    // To have a token is not to have used it.
    assert!(!uses().await.contains_key(username));
    panel.cents().await;
    client
        .refused("contacts/details", &[("contact-id", "1")])
        .await;
    let first = uses().await;
    assert_eq!(first[username].1, "127.0.0.1");
    assert!(first.contains_key(&client.user_id));
    server.world().advance_clock(600).await;
    panel.cents().await;
    let second = uses().await;
    let later = second[username].0.duration_since(first[username].0);
    assert!(later.as_secs() >= 600, "{later:?}");
    assert_eq!(second[&client.user_id], first[&client.user_id]);
}

async fn guessing_does_not_fill_the_disk(server: &mut TestServer) {
    let attempts = 3 * LINES_A_MINUTE;
    for number in 0..attempts {
        let name = format!("guess-{number}-{}", "x".repeat(300));
        assert_eq!(sign_in(server, &name, "wrong").await.status, 500);
        if number == attempts / 2 {
            server.app().settle_access_trail().await.unwrap();
        }
    }
    let told = on_record(server).await;
    let guesses: Vec<_> = told
        .iter()
        .filter(|line| line.0 == "unknown_username")
        .collect();
    let sum: i64 = guesses.iter().map(|line| line.2).sum();
    assert_eq!(sum, i64::try_from(attempts).unwrap(), "each is counted");
    // Ten names and the others, in each of the few minutes that took.
    assert!(guesses.len() <= 5 * 11, "{}", guesses.len());
    assert!(guesses.iter().any(|line| line.1 == OTHERS));
    assert!(guesses.iter().all(|line| line.1.len() <= 64));
}

async fn customers_who_sign_in_are_on_record_until_they_are_erased(server: &mut TestServer) {
    server
        .restart_with(|config| config.rates.limited = Some(true))
        .await;
    let client = &server.logicboxes().await;
    let customer = sign_up(client, &[]).await;
    let name = ANN[0].1;
    let sign_in = async |name: &str, password: &str| {
        let who = [
            ("username", name),
            ("passwd", password),
            ("ip", "127.0.0.1"),
        ];
        client.call("customers/generate-token", &who).await.status
    };
    assert_eq!(sign_in(name, ANN[1].1).await, 200);
    assert_ne!(sign_in("nobody@shop.example", "a guess").await, 200);
    let mut wrong = 0;
    // Until it has to wait.
    loop {
        assert_ne!(sign_in(name, "a guess").await, 200);
        wrong += 1;
        let told = on_record(server).await;
        let is_held = |line: &(&str, String, i64)| line.0 == "held" && line.1 == name;
        if told.iter().any(is_held) {
            break;
        }
        assert!(wrong < 50);
    }
    let told = on_record(server).await;
    let times = |outcome: &str, name: &str| {
        let of = |line: &&(&str, String, i64)| line.0 == outcome && line.1 == name;
        told.iter().filter(of).map(|line| line.2).sum::<i64>()
    };
    assert_eq!(times("signed_in", name), 1);
    assert_eq!(times("wrong_secret", name), wrong - 1);
    assert_eq!(times("unknown_username", "nobody@shop.example"), 1);
    // They are the reseller's, and nobody's once the person is erased.
    let filter = AccessFilter {
        reseller: Some(server.reseller().await.id),
        username: Some(name.to_owned()),
        ..AccessFilter::default()
    };
    let operations = server.operations();
    assert!(operations.access_trail(&filter, 10).await.unwrap().len() >= 3);
    let by = OperatorName::parse("olga").unwrap();
    let id = CustomerId(customer.parse().unwrap());
    operations
        .erase_customer(id, &by, "asked for it")
        .await
        .unwrap();
    assert!(
        operations
            .access_trail(&filter, 10)
            .await
            .unwrap()
            .is_empty()
    );
}
