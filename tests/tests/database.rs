//! The database behind a server, for what no dialect shows and what no client can break.

use chancery_server::open_store;
use chancery_store::{Change, Row, Store, Value};
use chancery_testkit::{Engine, TestServer};

/// Carries out something of one's own on a store of one's own, and closes it.
async fn with_store<T>(server: &TestServer, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let store = open_store(&server.config).await.unwrap();
    let outcome = work(&store).await;
    store.close().await;
    outcome
}

/// The rows a question finds.
pub async fn ask(server: &TestServer, sql: &'static str) -> Vec<Row> {
    with_store(server, async |store| {
        store.scan(sql, Vec::new()).await.unwrap()
    })
    .await
}

/// The one number a question finds.
pub async fn int(server: &TestServer, sql: &'static str) -> i64 {
    let rows = ask(server, sql).await;
    assert_eq!(rows.len(), 1, "{sql}");
    rows[0].int(0).unwrap()
}

/// Carries a statement out.
pub async fn execute(server: &TestServer, sql: &'static str) {
    execute_with(server, sql, Vec::new()).await;
}

/// The same with values.
pub async fn execute_with(server: &TestServer, sql: &'static str, values: Vec<Value>) {
    let mut change = Change::new();
    change.execute(sql, values);
    with_store(server, async |store| store.commit(change).await.unwrap()).await;
}

/// Whether a certificate that was signed can be stored.
pub async fn refuse_signatures(server: &TestServer, refuse: bool) {
    let statements: &[&'static str] = match (server.engine(), refuse) {
        (Engine::Sqlite, true) => &["create trigger unstored before update on certificates
            begin select raise(abort, 'no room for certificates'); end"],
        (Engine::Sqlite, false) => &["drop trigger unstored"],
        (Engine::Postgres, true) => &[
            "create function unstored() returns trigger language plpgsql as
                $$ begin raise exception 'no room for certificates'; end $$",
            "create trigger unstored before update on certificates
                for each row execute function unstored()",
        ],
        (Engine::Postgres, false) => &[
            "drop trigger unstored on certificates",
            "drop function unstored()",
        ],
    };
    for sql in statements {
        execute(server, sql).await;
    }
}
