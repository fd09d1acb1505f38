//! What this machine can do at all: signatures, durable commits, answers without work.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use futures_util::future::try_join_all;
use rusqlite::Connection;
use tokio_postgres::{Client, NoTls, Statement};

use crate::processes::thread_cpu;

/// Connections that commit to PostgreSQL at a time.
const CONNECTIONS: usize = 16;

/// Rows of a grouped commit.
pub(crate) const ROWS: usize = 32;

/// Rows that fill the log of an SQLite file beyond the size at which it is begun again.
const WARM_UP_ROWS: usize = 200_000;

/// Ids of rows that only measure, far from those of the platform.
static NEXT_ID: AtomicI64 = AtomicI64::new(1 << 40);

const INSERT_EVENT: &str = "
    insert into events (id, order_id, at, actor, kind, detail)
    values ($1, $2, $3, 'platform', 'bench', '0123456789abcdef0123456789abcdef')";

fn next_id() -> i64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// P-256 signatures over a certificate's worth of octets, in a second of one processor's time.
pub(crate) fn signatures_a_second(time: Duration) -> Result<f64> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let tbs = [0x30; 600];
    let (began, cpu) = (Instant::now(), thread_cpu()?);
    let mut count = 0_u32;
    while began.elapsed() < time {
        std::hint::black_box(key.sign(&random, &tbs)?);
        count += 1;
    }
    Ok(f64::from(count) / (thread_cpu()? - cpu).as_secs_f64())
}

/// Durable commits a second to an SQLite file, each of so many rows, with the settings of the store.
pub(crate) fn sqlite_commits_a_second(file: &Path, rows: usize, time: Duration) -> Result<f64> {
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
         pragma temp_store = memory; pragma mmap_size = 0; pragma cache_size = -16384;
         pragma wal_autocheckpoint = 4000; pragma journal_size_limit = 67108864;",
    )?;
    let mut begin = connection.prepare("begin immediate")?;
    let mut insert = connection.prepare(INSERT_EVENT)?;
    let mut commit = connection.prepare("commit")?;
    let mut transaction = |rows: usize| -> Result<()> {
        begin.raw_execute()?;
        for _ in 0..rows {
            let id = next_id();
            insert.execute([id, id, id])?;
        }
        commit.raw_execute()?;
        Ok(())
    };
    // A log that grows is slower to flush than one that is written over, as it is most of the time.
    transaction(WARM_UP_ROWS)?;
    connection.query_row("pragma wal_checkpoint(restart)", [], |_| Ok(()))?;
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < time {
        transaction(rows)?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// What is committed to PostgreSQL.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Load {
    /// One row a commit.
    OneRow,
    /// [`ROWS`] rows a commit, by one statement.
    ManyRows,
    /// `begin`, ten statements and `commit` in one round trip.
    TenStatements,
}

/// Durable commits a second to a PostgreSQL database, by 16 connections.
pub(crate) fn postgres_commits_a_second(url: &str, load: Load, time: Duration) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut sessions = Vec::new();
        for number in 0..CONNECTIONS {
            sessions.push(Session::open(url, number).await?);
        }
        let count = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let tasks: Vec<_> = sessions
            .into_iter()
            .map(|session| {
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    while began.elapsed() < time {
                        session.commit(load).await?;
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok::<_, anyhow::Error>(())
                })
            })
            .collect();
        for done in try_join_all(tasks).await? {
            done?;
        }
        Ok(count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
    })
}

struct Session {
    client: Client,
    key: String,
    event: Statement,
    events: Statement,
    entry: Statement,
    answer: Statement,
    own_row: Statement,
}

impl Session {
    async fn open(url: &str, number: usize) -> Result<Self> {
        let (client, driver) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(driver);
        let key = format!("bench-{number}");
        const OWN: &str = "
            insert into meta (key, value) values ($1, '') on conflict (key) do nothing";
        client.execute(OWN, &[&key]).await?;
        let events = format!(
            "insert into events (id, order_id, at, actor, kind, detail)
             select cast($1 as bigint) + n, $2, $3, 'platform', 'bench', '0123456789abcdef0123456789abcdef'
             from generate_series(0, {}) n",
            ROWS - 1
        );
        Ok(Self {
            key,
            event: client.prepare(INSERT_EVENT).await?,
            events: client.prepare(&events).await?,
            entry: client
                .prepare(
                    "insert into ledger_entries (id, posting_id, account, amount, currency, kind, at)
                     values ($1, $2, 'sales', 0, 'USD', 'bench', $3)",
                )
                .await?,
            answer: client
                .prepare(
                    "insert into idempotency (reseller_id, key, request_hash, order_id, answer,
                         created_at)
                     values ($1, cast($2 as bigint)::text, '\\x00', $2, '{}', $3)",
                )
                .await?,
            own_row: client
                .prepare("update meta set value = $1 where key = $2")
                .await?,
            client,
        })
    }

    async fn commit(&self, load: Load) -> Result<()> {
        match load {
            Load::OneRow => self.insert(&self.event, next_id()).await,
            Load::ManyRows => {
                let first = NEXT_ID.fetch_add(ROWS as i64, Ordering::Relaxed);
                self.insert(&self.events, first).await
            }
            Load::TenStatements => self.ten_statements().await,
        }
    }

    async fn insert(&self, statement: &Statement, id: i64) -> Result<()> {
        self.client.execute(statement, &[&id, &id, &id]).await?;
        Ok(())
    }

    /// All of it goes out before the first answer is awaited: futures joined are polled in their order.
    async fn ten_statements(&self) -> Result<()> {
        let insert = |statement| self.insert(statement, next_id());
        let value = next_id().to_string();
        let (e, l, a) = (&self.event, &self.entry, &self.answer);
        tokio::try_join!(
            biased;
            self.control("begin"),
            async {
                self.client.execute(&self.own_row, &[&value, &self.key]).await?;
                Ok(())
            },
            insert(e), insert(e), insert(e), insert(e),
            insert(l), insert(l), insert(l),
            insert(a), insert(a),
            self.control("commit"),
        )?;
        Ok(())
    }

    async fn control(&self, sql: &str) -> Result<()> {
        Ok(self.client.batch_execute(sql).await?)
    }
}

/// A server whose every answer is empty, in a process of its own. Killed when dropped.
pub(crate) struct EmptyServer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl EmptyServer {
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("empty-server")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("the server has no output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)?;
        Ok(Self {
            address: line.trim().parse()?,
            child,
        })
    }
}

impl Drop for EmptyServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
