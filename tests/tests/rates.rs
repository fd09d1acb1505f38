//! How often one may call: by day and month and at once, for each credential and each reseller, over restarts and
//! with several servers; and how often one may guess.

use std::time::{Duration, Instant};

use chancery_domain::access::{Access, Networks, Scope};
use chancery_server::Server;
use chancery_server::config::{Config, RatesConfig};
use chancery_testkit::{Engine, Http, Reply, TestServer, on_both_engines, run_server};
use serde_json::json;

on_both_engines!(
    a_credential_has_its_day,
    a_reseller_has_its_month_whatever_the_credential,
    calls_at_once_are_a_burst,
    a_restart_forgets_no_calls,
    refused_from_elsewhere_is_not_counted,
    tokens_from_elsewhere_are_paced_like_guesses,
    guessing_is_held_and_nobody_else,
    a_test_environment_has_no_limits,
);

const BALANCE: &str = "/reseller/v2/balance";

/// Limits as said, and no others.
fn limited(change: impl FnOnce(&mut RatesConfig)) -> impl FnOnce(&mut Config) {
    move |config| {
        config.rates = RatesConfig {
            limited: Some(true),
            credential_per_day: 0,
            credential_per_month: 0,
            credential_per_second: 0,
            credential_burst: 0,
            reseller_per_day: 0,
            reseller_per_month: 0,
            reseller_per_second: 0,
            reseller_burst: 0,
            failed_sign_ins_per_minute: 0,
        };
        change(&mut config.rates);
    }
}

/// How many calls go through, and what is said of the next.
async fn call(http: &Http, most: usize) -> (usize, Reply) {
    for passed in 0..most {
        let reply = http.get(BALANCE).await;
        if reply.status != 200 {
            return (passed, reply);
        }
    }
    panic!("{most} calls went through");
}

fn is_too_many(reply: &Reply, message: &str) -> i64 {
    let refusal = reply.refusal();
    assert_eq!(
        (refusal.status, &refusal.sub_code[..]),
        (429, "RES4290"),
        "{refusal:?}"
    );
    let seconds: i64 = reply.header("retry-after").parse().unwrap();
    let plural = if seconds == 1 { "" } else { "s" };
    let told = format!(
        "Too many requests: there may be {message}. Try again in {seconds} second{plural}."
    );
    assert_eq!(refusal.message, told);
    seconds
}

/// Starts the server with limits, at noon of a day in the middle of a month.
async fn at_noon(server: &mut TestServer, change: impl FnOnce(&mut RatesConfig)) {
    let noon = json!({ "set": "2030-06-15T12:00:00Z" });
    let set = server.http().post("/ote/clock", &noon).await;
    assert_eq!(set.status, 200, "{}", set.text());
    server.restart_with(limited(change)).await;
}

async fn sign_in(server: &TestServer, username: &str, password: &str) -> Reply {
    let body = json!({ "username": username, "password": password });
    let http = server.http();
    http.post("/reseller/v2/api-user/token", &body).await
}

async fn a_credential_has_its_day(server: &mut TestServer) {
    at_noon(server, |rates| rates.credential_per_day = 150).await;
    let panel = server.panel_with(Access::default()).await;
    let (passed, refused) = call(&panel.http, 200).await;
    assert_eq!(passed, 149, "the token was a call, too");
    let seconds = is_too_many(&refused, "150 a day");
    assert!((43_100..=43_200).contains(&seconds), "{seconds}");
    // Another credential of the reseller goes on.
    assert_eq!(server.panel().await.http.get(BALANCE).await.status, 200);
    let [username, password] = panel.credential();
    is_too_many(&sign_in(server, username, password).await, "150 a day");
    // What is refused is not counted.
    server.world().advance_clock(seconds).await;
    let panel = panel.again().await;
    assert_eq!(call(&panel.http, 200).await.0, 149);
}

async fn a_reseller_has_its_month_whatever_the_credential(server: &mut TestServer) {
    at_noon(server, |rates| rates.reseller_per_month = 20).await;
    let panels = [
        server.panel_with(Access::default()).await,
        server.panel_with(Access::default()).await,
    ];
    for _ in 0..9 {
        assert_eq!(panels[0].http.get(BALANCE).await.status, 200);
    }
    let (passed, refused) = call(&panels[1].http, 30).await;
    assert_eq!(passed, 9);
    let seconds = is_too_many(&refused, "20 a month");
    let until_july = 15 * 86_400 + 43_200;
    assert!(
        (until_july - 100..=until_july).contains(&seconds),
        "{seconds}"
    );
    let refused = panels[0].http.get("/ssl/v2/products/list").await.refusal();
    assert_eq!((refused.status, &refused.sub_code[..]), (429, "SSL4290"));
    // Another reseller goes on.
    let other = server.another_panel("10.00").await;
    assert_eq!(other.http.get(BALANCE).await.status, 200);

    // A new day is not enough.
    server.world().advance_clock(86_400).await;
    let [username, password] = panels[0].credential();
    is_too_many(&sign_in(server, username, password).await, "20 a month");
    server.world().advance_clock(seconds - 86_400).await;
    assert_eq!(panels[0].again().await.http.get(BALANCE).await.status, 200);
}

async fn calls_at_once_are_a_burst(server: &mut TestServer) {
    // So slow a pace that the time the test takes does not count.
    at_noon(server, |rates| {
        rates.credential_per_second = 1;
        rates.credential_burst = 5;
    })
    .await;
    let panel = server.panel_with(Access::default()).await;
    server.world().advance_clock(60).await;
    let (passed, refused) = call(&panel.http, 50).await;
    assert!((5..15).contains(&passed), "{passed}");
    assert_eq!(is_too_many(&refused, "1 a second"), 1);
    server.world().advance_clock(1).await;
    assert_eq!(panel.http.get(BALANCE).await.status, 200);
    assert_eq!(server.panel().await.http.get(BALANCE).await.status, 200);
}

async fn a_restart_forgets_no_calls(server: &mut TestServer) {
    at_noon(server, |rates| rates.reseller_per_day = 1000).await;
    let panel = server.panel().await;
    for _ in 0..7 {
        panel.http.get(BALANCE).await;
    }
    server
        .restart_with(|config| config.rates.reseller_per_day = 10)
        .await;
    let (passed, refused) = call(&panel.http, 20).await;
    assert_eq!(passed, 2);
    is_too_many(&refused, "10 a day");
}

async fn refused_from_elsewhere_is_not_counted(server: &mut TestServer) {
    at_noon(server, |rates| rates.reseller_per_day = 5).await;
    let stolen = server
        .panel_with(Access {
            scope: Scope::Money,
            allowed: Networks::parse("192.0.2.1").unwrap(),
        })
        .await;
    for _ in 0..20 {
        assert_eq!(stolen.http.get(BALANCE).await.status, 403);
    }
    // Neither do tokens that are had from there.
    let [username, password] = stolen.credential();
    for _ in 0..20 {
        assert_eq!(sign_in(server, username, password).await.status, 200);
    }
    let panel = server.panel().await;
    assert_eq!(call(&panel.http, 20).await.0, 4);
}

async fn tokens_from_elsewhere_are_paced_like_guesses(server: &mut TestServer) {
    at_noon(server, |rates| {
        rates.failed_sign_ins_per_minute = 6;
        rates.credential_per_day = 100;
    })
    .await;
    server
        .restart_with(|config| config.trusted_proxies = Some("127.0.0.1".to_owned()))
        .await;
    let panel = server
        .panel_with(Access {
            scope: Scope::Money,
            allowed: Networks::parse("192.0.2.1").unwrap(),
        })
        .await;
    let [username, password] = panel.credential();
    let from = async |address: &str| {
        let http = server.http().with_header("x-forwarded-for", address);
        let body = json!({ "username": username, "password": password });
        http.post("/reseller/v2/api-user/token", &body).await.status
    };
    for _ in 0..6 {
        assert_eq!(from("203.0.113.7").await, 200);
    }
    assert_eq!(from("203.0.113.7").await, 429);
    // The owner, at home, is not held.
    for _ in 0..20 {
        assert_eq!(from("192.0.2.1").await, 200);
    }
}

async fn guessing_is_held_and_nobody_else(server: &mut TestServer) {
    at_noon(server, |rates| rates.failed_sign_ins_per_minute = 6).await;
    server
        .restart_with(|config| config.trusted_proxies = Some("127.0.0.1".to_owned()))
        .await;
    let panel = server.panel().await;
    let [username, password] = panel.credential();
    let from = async |address: &str, username: &str, password: &str| {
        let http = server.http().with_header("x-forwarded-for", address);
        let body = json!({ "username": username, "password": password });
        http.post("/reseller/v2/api-user/token", &body).await
    };
    for _ in 0..6 {
        let refusal = from("203.0.113.7", username, "guess").await.refusal();
        refusal.is(500, "RES5001", "Invalid password");
    }
    // Not even the right one, from there.
    for word in ["guess", password] {
        let held = from("203.0.113.7", username, word).await;
        let seconds: u32 = held.header("retry-after").parse().unwrap();
        assert!((1..=10).contains(&seconds), "{seconds}");
        let plural = if seconds == 1 { "" } else { "s" };
        let text = format!("Too many wrong passwords. Try again in {seconds} second{plural}.");
        held.refusal().is(429, "RES4290", &text);
    }
    assert_eq!(from("203.0.113.8", username, password).await.status, 200);
    let other = server.panel_with(Access::default()).await;
    let [name, word] = other.credential();
    assert_eq!(from("203.0.113.7", name, word).await.status, 200);
    assert_eq!(panel.http.get(BALANCE).await.status, 200);

    // Whoever has one address of an IPv6 network has them all.
    for last in 1..=6 {
        let address = format!("2001:db8:0:1::{last}");
        let refusal = from(&address, "nobody", "guess").await.refusal();
        refusal.is(500, "RES5001", "Invalid username");
    }
    assert_eq!(from("2001:db8:0:1::7", "nobody", "guess").await.status, 429);
    assert_eq!(from("2001:db8:0:2::7", "nobody", "guess").await.status, 500);

    server.world().advance_clock(11).await;
    assert_eq!(from("203.0.113.7", username, password).await.status, 200);
}

async fn a_test_environment_has_no_limits(server: &mut TestServer) {
    let panel = server.panel().await;
    for _ in 0..300 {
        assert_eq!(panel.http.get(BALANCE).await.status, 200);
    }
    for _ in 0..30 {
        assert_eq!(sign_in(server, "nobody", "guess").await.status, 500);
    }
}

/// Another process holds the file: nothing can be settled, and no call waits for that for long.
#[test]
fn a_database_that_takes_no_writes_keeps_no_call_waiting() {
    run_server(Engine::Sqlite, async |server| {
        at_noon(server, |rates| rates.reseller_per_day = 50).await;
        let panel = server.panel().await;
        let file = server.config.data.join("chancery.db");
        let holder = rusqlite::Connection::open(file).unwrap();
        holder.execute_batch("begin immediate").unwrap();
        let began = Instant::now();
        let (passed, refused) = call(&panel.http, 60).await;
        assert_eq!(passed, 49);
        is_too_many(&refused, "50 a day");
        assert!(began.elapsed() < Duration::from_secs(20));
        holder.execute_batch("rollback").unwrap();
        drop(holder);

        server.restart().await;
        assert_eq!(panel.http.get(BALANCE).await.status, 429);
        // Workers and others complain.
        server.logs.take_errors();
    });
}

/// One database, two servers, and a limit of which each may have three calls fresh.
#[test]
fn servers_together_exceed_a_limit_by_little() {
    run_server(Engine::Postgres, async |server| {
        at_noon(server, |rates| rates.reseller_per_day = 300).await;
        let panel = server.panel().await;
        let second = second_server(server).await;
        let both = [server.http(), Http::new(second.address)];
        let both = both.map(|http| http.with_token(&panel.token));
        let (mut passed, mut refused) = (1, 0);
        for at in 0.. {
            match both[at % 2].get(BALANCE).await.status {
                200 => (passed, refused) = (passed + 1, 0),
                429 => refused += 1,
                other => panic!("{other}"),
            }
            if refused == 4 {
                break;
            }
        }
        assert!((300..=306).contains(&passed), "{passed}");
        second.stop().await;
    });
}

/// Another server on the same database and with the same master key.
async fn second_server(server: &TestServer) -> Server {
    let any_port = "127.0.0.1:0".parse().unwrap();
    let mut config = Config {
        data: server.folder().join("second"),
        master_key_file: Some(server.config.data.join("master.key")),
        listen: any_port,
        ..server.config.clone()
    };
    config.ote.dns_listen = any_port;
    config.ote.web_listen = any_port;
    config.ote.smtp_listen = any_port;
    Server::start(config).await.unwrap()
}
