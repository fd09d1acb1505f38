//! Migrations: numbered scripts, paired by number and name for the two engines, built into the program.
//!
//! A script is never edited once released, and the previous release understands its result. What was run
//! is kept in the table `migrations`. Several processes may start together: each script takes its number
//! first, in the transaction that runs it, so only one of them runs it.

use crate::errors::StoreError;
use crate::store::{Backend, Store};

struct Migration {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migration {
    ($number:literal, $name:literal) => {
        Migration {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }
    };
}

const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_foundation"),
    migration!(2, "0002_order_years"),
    migration!(3, "0003_organizations"),
    migration!(4, "0004_access"),
    migration!(5, "0005_prices"),
    migration!(6, "0006_issuing_cas"),
    migration!(7, "0007_search"),
    migration!(8, "0008_credential_kinds"),
    migration!(9, "0009_customers"),
    migration!(10, "0010_search_tiers"),
    migration!(11, "0011_told_without_addresses"),
    migration!(12, "0012_reseller_settings"),
    migration!(13, "0013_asked_runs"),
    migration!(14, "0014_revocation"),
    migration!(15, "0015_order_choices"),
    migration!(16, "0016_trails"),
    migration!(17, "0017_job_queues"),
    migration!(18, "0018_whose_proofs"),
    migration!(19, "0019_restores_and_revoked_cas"),
    migration!(20, "0020_prevalidations"),
    migration!(21, "0021_order_finding"),
    migration!(22, "0022_claimed_mails"),
    migration!(23, "0023_lost_certificates"),
];

const JOURNAL_SQLITE: &str = "
    create table if not exists migrations (number integer primary key, name text not null) strict;";

const JOURNAL_POSTGRES: &str = "
    create table if not exists migrations (number bigint primary key, name text not null);";

/// Refuses a database that a newer release has changed.
pub(crate) async fn refuse_newer(store: &Store) -> Result<(), StoreError> {
    let found = applied(store).await?;
    let known = MIGRATIONS.last().map_or(0, |migration| migration.number);
    if found > known {
        Err(StoreError::TooNew { found, known })
    } else {
        Ok(())
    }
}

pub(crate) async fn pending(store: &Store) -> Result<usize, StoreError> {
    let found = applied(store).await?;
    Ok(MIGRATIONS
        .iter()
        .filter(|migration| migration.number > found)
        .count())
}

pub(crate) async fn migrate(store: &Store) -> Result<(), StoreError> {
    refuse_newer(store).await?;
    if pending(store).await? == 0 {
        return Ok(());
    }
    run(store, JOURNAL_SQLITE, JOURNAL_POSTGRES, "").await?;
    let found = applied(store).await?;
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.number > found)
    {
        let Migration {
            number,
            name,
            sqlite,
            postgres,
        } = migration;
        let journal =
            format!("insert into migrations (number, name) values ({number}, '{name}');\n");
        match run(store, sqlite, postgres, &journal).await {
            Ok(()) => tracing::info!(migration = name, "migrated the database"),
            // Another process was first.
            Err(_) if applied(store).await? >= *number => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn run(
    store: &Store,
    sqlite_script: &str,
    postgres_script: &str,
    journal: &str,
) -> Result<(), StoreError> {
    match store.backend() {
        Backend::Sqlite(sqlite) => sqlite.run_script(format!("{journal}{sqlite_script}")).await,
        Backend::Postgres(postgres) => {
            postgres
                .run_script(format!("{journal}{postgres_script}"))
                .await
        }
    }
}

/// The number of the last migration that was run, 0 for an empty database.
async fn applied(store: &Store) -> Result<i64, StoreError> {
    // Each engine has its own catalogue.
    let exists = match store.backend() {
        Backend::Sqlite(_) => {
            "select count(*) from sqlite_schema where type = 'table' and name = 'migrations'"
        }
        Backend::Postgres(_) => {
            "select case when to_regclass('migrations') is null then 0 else 1 end"
        }
    };
    let row = store.query_one(exists, Vec::new()).await?;
    if row.map_or(Ok(0), |row| row.int(0))? == 0 {
        return Ok(0);
    }
    let last = "select coalesce(max(number), 0) from migrations";
    store
        .query_one(last, Vec::new())
        .await?
        .map_or(Ok(0), |row| row.int(0))
}
