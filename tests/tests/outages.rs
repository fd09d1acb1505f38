//! A database that cannot be written: health says so, nothing is half done, and it ends when the outage does.

use std::time::{Duration, Instant};

use chancery_testkit::{Engine, TestServer, itself, on_both_engines, with};

use crate::logicboxes_contacts::DOCUMENTED;

/// How long whoever asks for something waits at most.
const WITHIN: Duration = Duration::from_secs(5);

on_both_engines!(an_outage_is_told_and_overcome);

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
    let reason = health.json()["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason, "the database cannot be written");
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
