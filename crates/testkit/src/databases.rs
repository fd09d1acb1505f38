//! A database of a test's own, on either engine.

use chancery_server::config::Config;
use chancery_server::open_store;
use chancery_store::Engine;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The migrated database that those of the tests are copied from.
const TEMPLATE: &str = "chancery_testkit";

/// An empty database. The one on PostgreSQL is dropped by [`Database::remove`].
pub struct Database {
    /// Its URL, as the configuration takes it; `None` for the SQLite file in the data folder.
    pub url: Option<String>,
    name: Option<String>,
}

impl Database {
    /// Makes one, migrated already on PostgreSQL, where that takes long.
    pub async fn create(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self {
                url: None,
                name: None,
            },
            Engine::Postgres => {
                let admin = connect().await;
                make_template(&admin).await;
                let row = admin
                    .query_one("select md5(gen_random_uuid()::text)", &[])
                    .await;
                let name = format!("test_{}", row.unwrap().get::<_, String>(0));
                let create = format!("create database {name} template {TEMPLATE}");
                admin.batch_execute(&create).await.unwrap();
                Self {
                    url: Some(url_of(&name)),
                    name: Some(name),
                }
            }
        }
    }

    /// Cuts every connection and lets no new one in, until [`Database::let_in`].
    pub async fn lock_out(&self) {
        let name = self
            .name
            .as_deref()
            .expect("an SQLite file has no connections");
        let admin = connect().await;
        let script = format!(
            "alter database {name} allow_connections false; \
             select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
        );
        admin.batch_execute(&script).await.unwrap();
    }

    /// Ends [`Database::lock_out`].
    pub async fn let_in(&self) {
        let name = self
            .name
            .as_deref()
            .expect("an SQLite file has no connections");
        let script = format!("alter database {name} allow_connections true");
        connect().await.batch_execute(&script).await.unwrap();
    }

    /// Runs statements on it, on PostgreSQL, as its superuser.
    pub async fn run(&self, script: &str) {
        let name = self
            .name
            .as_deref()
            .expect("only PostgreSQL has a superuser");
        let connected = tokio_postgres::connect(&url_of(name), NoTls).await;
        let (client, connection) = connected.unwrap();
        tokio::spawn(connection);
        client.batch_execute(script).await.unwrap();
    }

    /// Drops it, whoever is still connected.
    pub async fn remove(self) {
        if let Some(name) = self.name {
            let drop = format!("drop database {name} with (force)");
            connect().await.batch_execute(&drop).await.unwrap();
        }
    }
}

fn server() -> String {
    std::env::var("TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "this test needs PostgreSQL and TEST_POSTGRES is not set: run `./test`, or put \
             scripts/with-postgres.sh --fast before the command"
        )
    })
}

/// The URL of a database on the tests' server.
fn url_of(database: &str) -> String {
    let address = server();
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

async fn connect() -> Client {
    let (client, connection) = tokio_postgres::connect(&url_of("postgres"), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// Makes the template once for each server, whichever process comes first.
async fn make_template(admin: &Client) {
    admin
        .batch_execute("select pg_advisory_lock(78)")
        .await
        .unwrap();
    let find = "select 1 from pg_database where datname = $1";
    if admin.query_opt(find, &[&TEMPLATE]).await.unwrap().is_none() {
        let building = format!("{TEMPLATE}_building");
        for script in [
            format!("drop database if exists {building} with (force)"),
            format!("create database {building}"),
        ] {
            admin.batch_execute(&script).await.unwrap();
        }
        let data = TempDir::new().unwrap();
        let config = Config {
            data: data.path().to_owned(),
            database: Some(url_of(&building)),
            ..Config::default()
        };
        open_store(&config).await.unwrap().close().await;
        // A closed connection takes the server a moment to forget.
        let count = "select count(*) from pg_stat_activity where datname = $1";
        while admin
            .query_one(count, &[&building])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            tokio::task::yield_now().await;
        }
        let rename = format!("alter database {building} rename to {TEMPLATE}");
        admin.batch_execute(&rename).await.unwrap();
    }
    admin
        .batch_execute("select pg_advisory_unlock(78)")
        .await
        .unwrap();
}
