//! A database that cannot be written: health says so, nothing is half done, and it ends when the outage does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chancery_testkit::{Engine, Reply, TestServer, itself, on_both_engines, run_server, with};
use serde_json::{Value, json};

use crate::database::execute;
use crate::logicboxes_contacts::DOCUMENTED;
use crate::production::Outside;
use crate::relays::Relay;

/// How long whoever asks for something waits at most.
const WITHIN: Duration = Duration::from_secs(5);

on_both_engines!(
    an_outage_is_told_and_overcome,
    operators_are_told_of_each_thing_and_strangers_one_word,
    jobs_that_gave_up_and_lists_that_are_old_are_told,
    a_relay_and_resolvers_that_are_away_are_told,
    jobs_that_are_late_are_told,
);

#[test]
fn a_database_that_takes_nothing_new_is_not_healthy() {
    run_server(Engine::Postgres, no_room_for_what_is_new);
}

/// How each thing stands, by its name.
fn checks(health: &Reply) -> BTreeMap<String, String> {
    let health = health.json();
    let checks = health["checks"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks
        .map(|check| (text(&check["name"]), text(&check["status"])))
        .collect()
}

/// What is said of one thing, once something is.
async fn told_of(server: &TestServer, name: &str) -> String {
    loop {
        let health = server.http().get("/health").await;
        assert_eq!(health.status, 200, "{}", health.text());
        let health = health.json();
        let mut checks = health["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["name"] == name).unwrap();
        if check["status"] == "warning" {
            assert_eq!(health["status"], "warning");
            return check["detail"].as_str().unwrap().to_owned();
        }
    }
}

/// Waits until all is well.
async fn all_is_well(server: &TestServer) {
    while server.http().get("/health").await.json()["status"] != "ok" {}
}

async fn jobs_that_gave_up_and_lists_that_are_old_are_told(server: &mut TestServer) {
    server.world().run_due_jobs().await;
    let parked = "update jobs set parked_at = 1, last_error = 'no' where kind in ('housekeep', 'index_names')";
    execute(server, parked).await;
    let told = told_of(server, "jobs").await;
    assert_eq!(told, "2 gave up and are parked: see chancery job list");
    execute(server, "update jobs set parked_at = null").await;

    let never = "update jobs set run_at = 4000000000000000 where kind = 'refresh_crl'";
    execute(server, never).await;
    server.world().advance(37 * 3_600).await;
    let told = told_of(server, "revocation lists").await;
    assert!(told.contains(": 37 hours old"), "{told}");
    execute(
        server,
        "update jobs set run_at = 1 where kind = 'refresh_crl'",
    )
    .await;
    server.world().run_due_jobs().await;
    all_is_well(server).await;
}

async fn a_relay_and_resolvers_that_are_away_are_told(server: &mut TestServer) {
    // Nobody listens there any more.
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    let outside = Outside::start().await;
    outside
        .surround(server, nobody, |config| {
            config.smtp.port = nobody.port();
            config.dns.timeout_seconds = 1;
        })
        .await;
    let told = told_of(server, "mail").await;
    assert!(told.starts_with("the relay: "), "{told}");
    let told = told_of(server, "resolvers").await;
    assert!(!told.is_empty());
    // That no resolver can be asked is an error.
    assert!(!server.logs.take_errors().is_empty());
    outside.end().await;
}

async fn jobs_that_are_late_are_told(server: &mut TestServer) {
    let relay = Relay::start().await;
    relay.change(|standing| standing.is_slow = true);
    let outside = Outside::start().await;
    let (resolver, port) = (outside.resolver(), relay.address.port());
    outside
        .surround(server, resolver, |config| {
            config.smtp.port = port;
            // One message at a time.
            config.limits.jobs = 1;
        })
        .await;
    let panel = server.another_panel("1000.00").await;
    for name in ["a-shop.com", "b-shop.com", "c-shop.com"] {
        panel
            .place(&panel.order("ssl123", "email", &[name]).await)
            .await;
    }
    relay.stands(|standing| standing.begun == 1).await;
    let minutes = chancery_domain::SignedDuration::from_secs(90);
    server.app().advance_clock(minutes).await.unwrap();
    let told = told_of(server, "jobs").await;
    assert_eq!(told, "2 should have been begun a minute ago");
    relay.change(|standing| standing.is_slow = false);
    server.app().run_due_jobs().await.unwrap();
    assert_eq!(relay.taken().len(), 3);
    relay.end();
    outside.end().await;
}

/// A full disk of a server: what is there can be changed in place, and nothing new be made.
async fn no_room_for_what_is_new(server: &mut TestServer) {
    let full = "create function no_room() returns event_trigger language plpgsql as $$
        begin raise exception 'no room' using errcode = 'disk_full'; end $$;
        create event trigger full_disk on ddl_command_start execute function no_room();";
    server.database.run(full).await;
    let health = server.http().get("/health").await;
    assert_eq!(health.status, 503, "{}", health.text());
    assert_eq!(checks(&health)["database"], "failing");
    server.database.run("drop event trigger full_disk").await;
    while server.http().get("/health").await.status != 200 {}
    assert!(!server.logs.take_errors().is_empty());
}

async fn operators_are_told_of_each_thing_and_strangers_one_word(server: &mut TestServer) {
    let http = server.http();
    server.world().run_due_jobs().await;
    for path in ["/health", "/health/ready"] {
        let health = http.get(path).await;
        assert_eq!(health.status, 200, "{}", health.text());
        let told = checks(&health);
        let names: Vec<&str> = told.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "database",
                "jobs",
                "mail",
                "resolvers",
                "revocation lists",
                "signing",
                "worker"
            ]
        );
        assert!(
            told.values().all(|state| state == "ok"),
            "{}",
            health.text()
        );
        for header in ["x-forwarded-for", "forwarded", "via"] {
            let stranger = http.with_header(header, "192.0.2.1").get(path).await;
            assert_eq!(stranger.json(), json!({ "status": "ok" }));
        }
    }
    assert_eq!(
        http.get("/health/live").await.json(),
        json!({ "status": "ok" })
    );
    server
        .restart_with(|config| config.health.operators = "192.0.2.0/24".to_owned())
        .await;
    assert_eq!(
        server.http().get("/health").await.json(),
        json!({ "status": "ok" })
    );
}

/// What keeps everyone from writing while it lives.
pub(crate) enum Outage {
    /// Another process that holds the file and does not let go.
    Locked(rusqlite::Connection),
    /// A server that throws everyone out.
    LockedOut,
}

impl Outage {
    pub(crate) async fn begin(server: &TestServer) -> Self {
        match server.engine() {
            Engine::Sqlite => {
                let file = server.config.data.join("chancery.db");
                let connection = rusqlite::Connection::open(file).unwrap();
                connection.execute_batch("begin immediate").unwrap();
                Self::Locked(connection)
            }
            Engine::Postgres => {
                server.database.lock_out().await;
                Self::LockedOut
            }
        }
    }

    pub(crate) async fn end(self, server: &TestServer) {
        match self {
            Self::Locked(connection) => connection.execute_batch("rollback").unwrap(),
            Self::LockedOut => server.database.let_in().await,
        }
    }
}

async fn an_outage_is_told_and_overcome(server: &mut TestServer) {
    let panel = server.panel().await;
    let cents = panel.cents().await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let outage = Outage::begin(server).await;

    let health = server.http().get("/health").await;
    assert_eq!(health.status, 503, "{}", health.text());
    let told = checks(&health);
    assert_eq!(told["database"], "failing", "{}", health.text());
    assert_eq!(told["worker"], "ok", "{}", health.text());
    // What nobody can look at now is not waited for.
    let others: Vec<&str> = told.keys().map(String::as_str).collect();
    let expected = ["database", "mail", "resolvers", "signing", "worker"];
    assert_eq!(others, expected, "{}", health.text());
    assert!(health.text().contains("the database cannot be written"));
    let stranger = server.http().with_header("x-forwarded-for", "192.0.2.1");
    let health = stranger.get("/health/ready").await;
    assert_eq!(
        (health.status, health.json()),
        (503, json!({ "status": "failing" }))
    );
    assert_eq!(server.http().get("/health/live").await.status, 200);
    let browser = server.http().with_header("accept", "text/html");
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("does not work at the moment"),
        "{}",
        page.text()
    );
    let began = Instant::now();
    let reply = panel.place_under_key("invoice-1", &order).await;
    assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
    let refusal = reply.refusal();
    assert_eq!(
        (refusal.status, &refusal.sub_code[..]),
        (503, "SSL5031"),
        "{refusal:?}"
    );
    assert_eq!(reply.header("retry-after"), "5");
    assert!(!reply.text().contains("database"), "{}", reply.text());
    let began = Instant::now();
    let of_customer = with(DOCUMENTED, &[("customer-id", &customer)]);
    let reply = client.call("contacts/add", &of_customer).await;
    assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(reply.json()["status"], "ERROR");

    outage.end(server).await;
    let mut health = server.http().get("/health").await;
    while health.status != 200 {
        health = server.http().get("/health").await;
    }
    // The same again: one order, whatever became of the first attempt.
    let panel = server.panel().await;
    panel.place_under_key("invoice-1", &order).await.data();
    assert_eq!(panel.cents().await, cents - 1000);
    panel.issue("ssl123", &["after.test"]).await;
    assert!(!server.logs.take_errors().is_empty(), "an outage is logged");
}
