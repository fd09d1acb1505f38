//! Opening, migrating, closing, and what stays.

use std::collections::{BTreeMap, BTreeSet};

use chancery_store::{Change, DatabaseUrl, Store, StoreError, values};
use futures_util::future::join_all;

use crate::bed::{Bed, on_both_engines, settings};

on_both_engines!(
    data_is_there_after_reopening,
    closing_writes_what_was_handed_over,
    a_closed_store_refuses_work,
    a_database_of_a_newer_release_is_refused,
    migrating_again_changes_nothing,
    health_is_a_real_write,
);

async fn data_is_there_after_reopening(bed: &Bed) {
    bed.apply(
        "insert into meta (key, value) values ('kept', 'yes')",
        vec![],
    )
    .await;
    bed.store.close().await;
    let again = bed.another().await;
    assert_eq!(again.pending_migrations().await.unwrap(), 0);
    let row = again
        .query_one("select value from meta where key = 'kept'", vec![])
        .await
        .unwrap();
    assert_eq!(row.unwrap().text(0).unwrap(), "yes");
    again.close().await;
}

async fn closing_writes_what_was_handed_over(bed: &Bed) {
    let sets = (0..100_i64).map(|n| {
        let store = bed.store.clone();
        let mut change = Change::new();
        let sql = "insert into meta (key, value) values ($1, 'x')";
        change.execute(sql, values![format!("test {n}")]);
        async move { store.commit(change).await }
    });
    let (outcomes, ()) = tokio::join!(join_all(sets), bed.store.close());
    let applied = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let again = bed.another().await;
    let sql = "select cast(count(*) as bigint) from meta where key like 'test%'";
    let rows = again.query(sql, vec![]).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), applied as i64);
    assert!(
        outcomes
            .iter()
            .all(|outcome| !matches!(outcome, Err(StoreError::Unknown(_))))
    );
    again.close().await;
}

async fn a_closed_store_refuses_work(bed: &Bed) {
    bed.store.close().await;
    bed.store.close().await;
    assert!(matches!(
        bed.store.check_writable().await,
        Err(StoreError::Database(_))
    ));
    assert!(
        bed.store
            .query("select key from meta", vec![])
            .await
            .is_err()
    );
    assert!(
        bed.store
            .scan("select key from meta", vec![])
            .await
            .is_err()
    );
}

async fn a_database_of_a_newer_release_is_refused(bed: &Bed) {
    bed.apply(
        "insert into migrations (number, name) values (9999, 'later')",
        vec![],
    )
    .await;
    let outcome = Store::open(&bed.url, &settings()).await;
    assert!(matches!(
        outcome,
        Err(StoreError::TooNew { found: 9999, .. })
    ));
    assert!(matches!(
        bed.store.migrate().await,
        Err(StoreError::TooNew { .. })
    ));
}

async fn migrating_again_changes_nothing(bed: &Bed) {
    let before = bed
        .rows("select number, name from migrations order by number")
        .await;
    bed.store.migrate().await.unwrap();
    assert_eq!(
        bed.rows("select number, name from migrations order by number")
            .await,
        before
    );
    assert_eq!(bed.store.pending_migrations().await.unwrap(), 0);
}

async fn health_is_a_real_write(bed: &Bed) {
    let sql = "select key from meta where key like 'written %' order by key";
    assert!(bed.rows(sql).await.is_empty());
    bed.store.check_writable().await.unwrap();
    let first = bed.rows(sql).await;
    bed.store.check_writable().await.unwrap();
    assert!(first.len() == 1 && bed.rows(sql).await.len() == 2);
    for _ in 0..20 {
        bed.store.check_writable().await.unwrap();
    }
    let last = bed.rows(sql).await;
    assert!(last.len() <= 8 && !last.contains(&first[0]), "{last:?}");
}

/// Several processes that start together migrate an empty database once.
async fn race_to_migrate(bed: &Bed) {
    let known = bed.store.pending_migrations().await.unwrap();
    assert!(known > 0);
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(bed.another().await);
    }
    for outcome in join_all(stores.iter().map(Store::migrate)).await {
        outcome.unwrap();
    }
    let sql = "select cast(count(*) as bigint) from migrations";
    assert_eq!(bed.int(sql).await, known as i64);
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_processes_migrate_a_file_once() {
    let bed = Bed::empty_sqlite().await;
    race_to_migrate(&bed).await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_processes_migrate_a_server_once() {
    let bed = Bed::empty_postgres().await;
    race_to_migrate(&bed).await;
    bed.remove().await;
}

/// Table → column → (kind, may be null, part of the primary key).
type Tables = BTreeMap<String, BTreeMap<String, (String, bool, bool)>>;

#[tokio::test]
async fn both_engines_have_the_same_tables() {
    let (file, server) = (Bed::sqlite().await, Bed::postgres().await);
    let in_file = tables(
        &file,
        "select tables.name, columns.name, lower(columns.type),
                case when columns.\"notnull\" = 1 or columns.pk > 0 then 0 else 1 end,
                case when columns.pk > 0 then 1 else 0 end
         from pragma_table_list as tables, pragma_table_info(tables.name) as columns
         where tables.schema = 'main' and tables.type = 'table' and tables.name not like 'sqlite%'",
    )
    .await;
    let on_server = tables(
        &server,
        "select cast(columns.table_name as text), cast(columns.column_name as text),
                case columns.data_type when 'bigint' then 'integer' when 'bytea' then 'blob'
                    else cast(columns.data_type as text) end,
                case when columns.is_nullable = 'YES' then 1 else 0 end,
                case when keys.column_name is null then 0 else 1 end
         from information_schema.columns as columns
         left join (
             select usage.table_name, usage.column_name
             from information_schema.key_column_usage as usage
             join information_schema.table_constraints as constraints
               on constraints.constraint_name = usage.constraint_name
              and constraints.table_name = usage.table_name
             where constraints.constraint_type = 'PRIMARY KEY'
         ) as keys on keys.table_name = columns.table_name
                  and keys.column_name = columns.column_name
         where columns.table_schema = 'public'",
    )
    .await;
    assert!(in_file.len() > 10);
    assert_eq!(in_file, on_server);

    let indexes = "select name from sqlite_schema where type = 'index' and sql is not null";
    let names = "select cast(indexname as text) from pg_indexes where schemaname = 'public'
        and indexname not like '%_pkey' and indexname not like '%_key'";
    let in_file = file.rows(indexes).await;
    let in_file: BTreeSet<_> = in_file.iter().map(|row| row.string(0).unwrap()).collect();
    let on_server = server.rows(names).await;
    let on_server: BTreeSet<_> = on_server.iter().map(|row| row.string(0).unwrap()).collect();
    assert_eq!(in_file, on_server);
    file.remove().await;
    server.remove().await;
}

async fn tables(bed: &Bed, sql: &'static str) -> Tables {
    let mut tables = Tables::new();
    for row in bed.rows(sql).await {
        let column = (
            row.string(2).unwrap(),
            row.truth(3).unwrap(),
            row.truth(4).unwrap(),
        );
        tables
            .entry(row.string(0).unwrap())
            .or_default()
            .insert(row.string(1).unwrap(), column);
    }
    tables
}

#[tokio::test]
async fn a_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::sqlite().await;
    let file = bed.url.to_string().replace("sqlite://", "");
    for companion in ["", "-wal"] {
        let mode = std::fs::metadata(format!("{file}{companion}"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}{companion}");
    }
    bed.remove().await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_an_error() {
    let url = DatabaseUrl::parse("sqlite:///nowhere/at/all/chancery.db").unwrap();
    assert!(matches!(
        Store::open(&url, &settings()).await,
        Err(StoreError::Database(_))
    ));
    // Nobody listens there now; somebody may later.
    let url = DatabaseUrl::parse("postgres://nobody@127.0.0.1:1/nothing").unwrap();
    assert!(matches!(
        Store::open(&url, &settings()).await,
        Err(StoreError::Unavailable(_))
    ));
}

#[tokio::test]
async fn a_server_is_reached_over_tls_and_verified() {
    let bed = Bed::postgres().await;
    let root = std::env::var("TEST_POSTGRES_ROOT").expect("scripts/with-postgres.sh sets it");
    let (server, database) = bed.server();
    let (_, port) = server.split_once(':').unwrap();
    let url = |host: &str, roots: &str| {
        let url = format!(
            "postgres://chancery@{host}:{port}/{database}?hostaddr=127.0.0.1&sslmode=require{roots}"
        );
        DatabaseUrl::parse(&url).unwrap()
    };
    let trusted = format!("&sslrootcert={root}");
    let store = Store::open(&url("localhost", &trusted), &settings())
        .await
        .unwrap();
    let sql =
        "select case when ssl then 1 else 0 end from pg_stat_ssl where pid = pg_backend_pid()";
    assert!(
        store
            .query_one(sql, vec![])
            .await
            .unwrap()
            .unwrap()
            .truth(0)
            .unwrap()
    );
    store.check_writable().await.unwrap();
    store.close().await;
    drop(store);

    // A certificate nobody vouches for, or one for another name, is refused.
    for (host, roots) in [("localhost", ""), ("db.example", trusted.as_str())] {
        let Err(error) = Store::open(&url(host, roots), &settings()).await else {
            panic!("{host} was trusted with {roots}");
        };
        assert!(
            format!("{error:?}").contains("InvalidCertificate"),
            "{error:?}"
        );
    }
    bed.remove().await;
}
