//! An empty, migrated database for one test, on either engine.

use std::time::Duration;

use chancery_store::{Change, DatabaseUrl, Durability, Row, Store, StoreSettings, Value};
use tokio_postgres::NoTls;

/// Declares each test of the list twice: `sqlite::name` and `postgres::name`.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = crate::bed::Bed::sqlite().await;
                super::$name(&bed).await;
                bed.remove().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = crate::bed::Bed::postgres().await;
                super::$name(&bed).await;
                bed.remove().await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

const TEMPLATE: &str = "chancery_conformance";

pub struct Bed {
    pub store: Store,
    pub url: DatabaseUrl,
    place: Place,
}

enum Place {
    Folder(tempfile::TempDir),
    Server { address: String, database: String },
}

pub fn settings() -> StoreSettings {
    StoreSettings {
        durability: Durability::ProcessOnly,
        answer_within: Duration::from_secs(20),
        reconnect_within: Duration::from_secs(10),
        ..StoreSettings::default()
    }
}

impl Bed {
    pub async fn sqlite() -> Self {
        let bed = Self::empty_sqlite().await;
        bed.store.migrate().await.unwrap();
        bed
    }

    pub async fn empty_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("chancery.db")).unwrap();
        let store = Store::open(&url, &settings()).await.unwrap();
        Self {
            store,
            url,
            place: Place::Folder(folder),
        }
    }

    pub async fn postgres() -> Self {
        let address = server();
        let admin = connect(&address, "postgres").await;
        make_template(&address, &admin).await;
        Self::create(address, &format!("template {TEMPLATE}")).await
    }

    pub async fn empty_postgres() -> Self {
        Self::create(server(), "").await
    }

    async fn create(address: String, from: &str) -> Self {
        let admin = connect(&address, "postgres").await;
        let row = admin
            .query_one("select md5(gen_random_uuid()::text)", &[])
            .await
            .unwrap();
        let database = format!("test_{}", row.get::<_, String>(0));
        admin
            .batch_execute(&format!("create database {database} {from}"))
            .await
            .unwrap();
        let url = DatabaseUrl::parse(&address_of(&address, &database)).unwrap();
        let store = Store::open(&url, &settings()).await.unwrap();
        Self {
            store,
            url,
            place: Place::Server { address, database },
        }
    }

    /// Another store on the same database, as another process would open it.
    pub async fn another(&self) -> Store {
        Store::open(&self.url, &settings()).await.unwrap()
    }

    pub async fn remove(self) {
        self.store.close().await;
        match self.place {
            Place::Folder(folder) => folder.close().unwrap(),
            Place::Server { address, database } => {
                let admin = connect(&address, "postgres").await;
                let drop = format!("drop database {database} with (force)");
                admin.batch_execute(&drop).await.unwrap();
            }
        }
    }

    /// The host and port of the server, and the name of the database.
    pub fn server(&self) -> (String, String) {
        match &self.place {
            Place::Server { address, database } => {
                let (_, host) = address.split_once('@').unwrap();
                let (host, _) = host.split_once('/').unwrap();
                (host.to_owned(), database.clone())
            }
            Place::Folder(_) => unreachable!("an SQLite file has no server"),
        }
    }

    /// A superuser's connection to the test's database.
    pub async fn admin(&self) -> tokio_postgres::Client {
        match &self.place {
            Place::Server { address, database } => connect(address, database).await,
            Place::Folder(_) => unreachable!("an SQLite file has no superuser"),
        }
    }

    pub async fn apply(&self, sql: &'static str, values: Vec<Value>) {
        let mut change = Change::new();
        change.execute(sql, values);
        self.store.commit(change).await.unwrap();
    }

    pub async fn rows(&self, sql: &'static str) -> Vec<Row> {
        self.store.query(sql, Vec::new()).await.unwrap()
    }

    pub async fn int(&self, sql: &'static str) -> i64 {
        self.rows(sql).await[0].int(0).unwrap()
    }
}

fn server() -> String {
    std::env::var("TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "this test needs PostgreSQL and TEST_POSTGRES is not set: \
             run scripts/with-postgres.sh --fast cargo test -p chancery-store"
        )
    })
}

/// The address of another database on the same server.
fn address_of(address: &str, database: &str) -> String {
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

async fn connect(address: &str, database: &str) -> tokio_postgres::Client {
    let address = address_of(address, database);
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Makes the migrated template once for each server, whichever process comes first.
async fn make_template(address: &str, admin: &tokio_postgres::Client) {
    admin
        .batch_execute("select pg_advisory_lock(77)")
        .await
        .unwrap();
    let exists = admin
        .query_opt("select 1 from pg_database where datname = $1", &[&TEMPLATE])
        .await
        .unwrap();
    if exists.is_none() {
        let building = format!("{TEMPLATE}_building");
        let script = format!("drop database if exists {building} with (force)");
        admin.batch_execute(&script).await.unwrap();
        admin
            .batch_execute(&format!("create database {building}"))
            .await
            .unwrap();
        let url = DatabaseUrl::parse(&address_of(address, &building)).unwrap();
        let store = Store::open(&url, &settings()).await.unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        drop(store);
        wait_until_unused(admin, &building).await;
        let rename = format!("alter database {building} rename to {TEMPLATE}");
        admin.batch_execute(&rename).await.unwrap();
    }
    admin
        .batch_execute("select pg_advisory_unlock(77)")
        .await
        .unwrap();
}

/// A closed connection takes the server a moment to forget.
async fn wait_until_unused(admin: &tokio_postgres::Client, database: &str) {
    let count = "select count(*) from pg_stat_activity where datname = $1";
    while admin
        .query_one(count, &[&database])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        tokio::task::yield_now().await;
    }
}
