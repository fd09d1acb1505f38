//! Fills a database with orders by the million, by statements of its own: what the product would have written
//! for a reseller who placed them over three years, as far as lists and counts read it.
//!
//! Orders, certificates and counts are written here; the index of names is made by the server, as ever. What
//! lists never read, such as issuances, events and ledger entries, is left out.

use std::path::Path;

use anyhow::{Context, Result};
use tokio_postgres::NoTls;

use crate::engines::Database;
use crate::load::block_on;

/// How many orders one statement writes.
const BATCH: u64 = 500_000;

/// How many products there are.
pub(crate) const PRODUCTS: u64 = 8;

/// Days between the first order and the last.
pub(crate) const DAYS: u64 = 3 * 365;

/// The common name of the n-th order. Every second one has a shop in it.
pub(crate) fn name(n: u64) -> String {
    let kind = if n.is_multiple_of(2) { "shop" } else { "mail" };
    format!("{kind}{n}.customer{}.example", n % 5_003)
}

/// The n-th orders from one to another. `$reseller`, `$count` and the like are filled in; `$numbers` is the
/// engine's way to count.
const ORDERS: &str = "
    insert into orders (id, reseller_id, product_key, product_name, term_years, common_name, names,
        administrator_id, technical_id, issuance_id, amount, currency, state, settled_at, expires_at,
        created_at, modified_at, version, certificate_id, ordinal, stage)
    $numbers
    select n, $reseller, product, 'The product ' || product, 1, name, '[\"' || name || '\"]',
        $contact, $contact, n, 5000, 'USD',
        case stage when 'validating' then 'open' when 'refused' then 'cancelled'
            when 'cancelled' then 'cancelled' when 'validation_expired' then 'validation_expired'
            when 'refunded' then 'refunded' else 'active' end,
        case when has_certificate = 1 then placed end,
        case when has_certificate = 1 then placed + 31536000000000 end,
        placed, placed, 3, case when has_certificate = 1 then n end, n, stage
    from (
        select n, placed, product, name, stage,
            case when stage in ('active', 'expired', 'revoked', 'refunded') then 1 else 0 end as has_certificate
        from (
            select n,
                $last - ($count - n) * ($days * 86400000000 / $count) as placed,
                'product-' || (n * 7919 / 13 % $products) as product,
                case when n % 2 = 0 then 'shop' else 'mail' end || n || '.customer' || (n % 5003)
                    || '.example' as name,
                case
                    when n > $count - $count / 200 then 'validating'
                    when n * 7919 % 1000 < 50 then 'cancelled'
                    when n * 7919 % 1000 < 60 then 'refunded'
                    when n * 7919 % 1000 < 70 then 'refused'
                    when n * 7919 % 1000 < 72 then 'revoked'
                    when n * 7919 % 1000 < 80 then 'validation_expired'
                    when n <= $count * 2 / 3 then 'expired'
                    else 'active' end as stage
            from numbers) as made) as told";

const CERTIFICATES: &str = "
    insert into certificates (id, issuance_id, order_id, reseller_id, issuer, serial, names, spki_sha256,
        not_before, not_after, tbs, reserved_at, state, signed_at)
    select id, id, id, reseller_id, 'bench', $serial, '[]', $empty,
        created_at, created_at + 199 * 86400000000, $empty, created_at, 'issued', created_at
    from orders where id between $from and $to and certificate_id is not null";

/// The counts, from the orders; months by the calendar's rules, counting years from March on.
const COUNTS: &str = "
    update resellers set order_count = $count where id = $reseller;
    insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
        select reseller_id, level, ordinal >> level, product_key, stage, count(*)
        from orders, (select 20 as level union all select 15 union all select 10) as levels group by 1, 2, 3, 4, 5;
    insert into order_months (reseller_id, month, product_key, n)
        select reseller_id,
            (400 * era + year) * 12 + 2 + (5 * (day - (365 * year + year / 4 - year / 100)) + 2) / 153,
            product_key, count(*)
        from (
            select reseller_id, product_key, era, day,
                (day - day / 1460 + day / 36524 - day / 146096) / 365 as year
            from (
                select reseller_id, product_key, (created_at / 86400000000 + 719468) / 146097 as era,
                    (created_at / 86400000000 + 719468) % 146097 as day
                from orders) as days) as years
        group by 1, 2, 3;
    insert into order_ends (reseller_id, day, n)
        select reseller_id, expires_at / 86400000000, count(*) from orders
        where stage in ('active', 'reissuing', 'lapsed', 'revoked') group by 1, 2;";

/// Indexes that are dropped while rows are written, and made again.
const INDEXES: [(&str, &str); 2] = [
    (
        "orders_by_name",
        "orders (reseller_id, common_name, ordinal)",
    ),
    ("certificates_of_order", "certificates (order_id)"),
];

/// Fills a migrated database, whose server is stopped, with so many orders of its one reseller.
pub(crate) fn fill(database: &Database, count: u64) -> Result<()> {
    match database {
        Database::Sqlite(file) => fill_sqlite(file, count),
        Database::Postgres { url, .. } => block_on(fill_postgres(url, count)),
    }
}

/// The values of a statement's words.
struct Words {
    count: u64,
    reseller: i64,
    contact: i64,
    last: i64,
}

impl Words {
    fn fill(&self, text: &str) -> String {
        let Self {
            count,
            reseller,
            contact,
            last,
        } = self;
        text.replace("$count", &count.to_string())
            .replace("$reseller", &reseller.to_string())
            .replace("$contact", &contact.to_string())
            .replace("$last", &last.to_string())
            .replace("$days", &DAYS.to_string())
            .replace("$products", &PRODUCTS.to_string())
    }

    /// The batches, as their first and last order.
    fn batches(&self) -> impl Iterator<Item = (u64, u64)> {
        let count = self.count;
        (1..=count)
            .step_by(BATCH as usize)
            .map(move |first| (first, count.min(first + BATCH - 1)))
    }
}

const WHO: &str = "
    select r.id, c.id, r.created_at from resellers r join contacts c on c.reseller_id = r.id";

fn fill_sqlite(file: &Path, count: u64) -> Result<()> {
    const NUMBERS: &str = "
        with recursive numbers (n) as (
            select $from union all select n + 1 from numbers where n < $to)";
    let connection = rusqlite::Connection::open(file)?;
    let words = connection.query_row(WHO, [], |row| {
        Ok(Words {
            count,
            reseller: row.get(0)?,
            contact: row.get(1)?,
            last: row.get(2)?,
        })
    })?;
    let run = |sql: &str| {
        connection
            .execute_batch(sql)
            .with_context(|| sql.to_owned())
    };
    run(
        "pragma journal_mode = wal; pragma synchronous = off; pragma foreign_keys = off;
        pragma cache_size = -262144; pragma temp_store = file;",
    )?;
    for (name, _) in INDEXES {
        run(&format!("drop index {name}"))?;
    }
    for (from, to) in words.batches() {
        for sql in [ORDERS, CERTIFICATES] {
            let sql = sql.replace("$numbers", NUMBERS);
            let sql = words.fill(&sql.replace("$serial", "cast(printf('%016d', id) as blob)"));
            let sql = sql.replace("$empty", "x''");
            run(&between(&sql, from, to))?;
        }
    }
    for (name, columns) in INDEXES {
        run(&format!("create index {name} on {columns}"))?;
    }
    run(&words.fill(COUNTS))?;
    run("pragma wal_checkpoint(truncate)")
}

async fn fill_postgres(url: &str, count: u64) -> Result<()> {
    const NUMBERS: &str = "with numbers (n) as (
        select n from generate_series(cast($from as bigint), $to) as s (n))";
    let (client, driver) = tokio_postgres::connect(url, NoTls).await?;
    let driver = tokio::spawn(driver);
    let row = client.query_one(WHO, &[]).await?;
    let words = Words {
        count,
        reseller: row.get(0),
        contact: row.get(1),
        last: row.get(2),
    };
    let run = async |sql: &str| {
        client
            .batch_execute(sql)
            .await
            .with_context(|| sql.to_owned())
    };
    // Nothing refers to anything here that is not there by construction.
    run(
        "set session_replication_role = replica; set synchronous_commit = off;
        set maintenance_work_mem = '256MB'",
    )
    .await?;
    for (name, _) in INDEXES {
        run(&format!("drop index {name}")).await?;
    }
    for (from, to) in words.batches() {
        for sql in [ORDERS, CERTIFICATES] {
            let sql = sql.replace("$numbers", NUMBERS);
            let sql = words.fill(&sql.replace("$serial", "int8send(id)"));
            let sql = sql.replace("$empty", "''::bytea");
            run(&between(&sql, from, to)).await?;
        }
    }
    for (name, columns) in INDEXES {
        run(&format!("create index {name} on {columns}")).await?;
    }
    run(&words.fill(COUNTS)).await?;
    run("vacuum (analyze)").await?;
    run("checkpoint").await?;
    drop(client);
    driver.await??;
    Ok(())
}

fn between(sql: &str, from: u64, to: u64) -> String {
    sql.replace("$from", &from.to_string())
        .replace("$to", &to.to_string())
}

/// Whether the server has indexed all names that it can.
pub(crate) fn is_indexed(database: &Database, count: u64) -> Result<bool> {
    const SQL: &str = "select blocks, segments, merged from name_indexes";
    let found: Option<(i64, i64, i64)> = match database {
        Database::Sqlite(file) => {
            let connection = rusqlite::Connection::open(file)?;
            let mut statement = connection.prepare(SQL)?;
            let mut rows = statement.query([])?;
            match rows.next()? {
                Some(row) => Some((row.get(0)?, row.get(1)?, row.get(2)?)),
                None => None,
            }
        }
        Database::Postgres { url, .. } => block_on(async {
            let (client, driver) = tokio_postgres::connect(url, NoTls).await?;
            let driver = tokio::spawn(driver);
            let row = client.query_opt(SQL, &[]).await?;
            drop(client);
            driver.await??;
            Ok(row.map(|row| (row.get(0), row.get(1), row.get(2))))
        })?,
    };
    let found = found.unwrap_or_default();
    let full = i64::try_from((count + 1) / 64)?;
    Ok(found == (full, full / 512, full / 16_384))
}
