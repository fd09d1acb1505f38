//! The one interface over both engines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use crate::changes::{Change, Told};
use crate::errors::StoreError;
use crate::migrations;
use crate::postgres::Postgres;
use crate::record::Record;
use crate::sequences::Sequences;
use crate::sqlite::Sqlite;
use crate::url::{Address, DatabaseUrl};
use crate::values;
use crate::values::{Row, Value};

/// A database, open for work. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    sequences: Sequences,
    record: OnceLock<Arc<Record>>,
    /// Whether the database was found to lack what it had.
    is_behind: AtomicBool,
    /// How that showed, until the database has it.
    behind_untold: Mutex<Option<String>>,
}

pub(crate) enum Backend {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

/// Which database works underneath.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Engine {
    /// An SQLite file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// How hard SQLite tries to keep a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// A commit that was answered survives a power loss.
    Full,
    /// A commit survives the process, but not the machine. For tests that need no disk.
    ProcessOnly,
}

/// What may be tuned. The defaults fit a small machine.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Change sets that may wait to be written; above that, callers wait to hand theirs over.
    pub queue: usize,
    /// Change sets that may share one flush.
    pub group: usize,
    /// How long SQLite waits for another process that writes.
    pub busy_timeout: Duration,
    /// How hard SQLite tries to keep a commit. On PostgreSQL the server decides.
    pub durability: Durability,
    /// Connections that write to PostgreSQL.
    pub lanes: usize,
    /// Connections that read: shared and pipelined on PostgreSQL, kept open on SQLite.
    pub readers: usize,
    /// Long reads that may run at a time.
    pub scans: usize,
    /// How long one statement or one group may take on PostgreSQL before its connection counts as lost.
    pub answer_within: Duration,
    /// How long a lost PostgreSQL connection is tried again before waiting callers get an error.
    pub reconnect_within: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            queue: 1024,
            group: 256,
            busy_timeout: Duration::from_secs(4),
            durability: Durability::Full,
            // More would share fewer flushes; fewer would leave a processor of a near server idle.
            lanes: std::thread::available_parallelism()
                .map_or(2, usize::from)
                .clamp(2, 8),
            readers: 4,
            scans: 2,
            answer_within: Duration::from_secs(30),
            reconnect_within: Duration::from_secs(10),
        }
    }
}

impl Store {
    /// Opens a database and checks that it answers and is not of a newer release. Creates an SQLite file,
    /// readable by its owner only, where there is none; changes nothing else.
    pub async fn open(url: &DatabaseUrl, settings: &StoreSettings) -> Result<Self, StoreError> {
        let backend = match &url.0 {
            Address::Sqlite(file) => Backend::Sqlite(Sqlite::open(file, settings)?),
            Address::Postgres {
                config,
                root_certificates,
            } => {
                let roots = root_certificates.as_deref();
                Backend::Postgres(Postgres::open(config, roots, settings).await?.into())
            }
        };
        let store = Self {
            inner: Arc::new(Inner {
                backend,
                sequences: Sequences::default(),
                record: OnceLock::new(),
                is_behind: AtomicBool::new(false),
                behind_untold: Mutex::default(),
            }),
        };
        migrations::refuse_newer(&store).await?;
        Ok(store)
    }

    /// Brings the database up to this release. Safe to call from several processes at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrations::migrate(self).await
    }

    /// How many migrations of this release the database lacks.
    pub async fn pending_migrations(&self) -> Result<usize, StoreError> {
        migrations::pending(self).await
    }

    /// Applies a change set, all of it or nothing, and answers when it is safe on disk. Hands back the rows
    /// of its `query` statements, in order.
    pub async fn commit(&self, mut change: Change) -> Result<Vec<Vec<Row>>, StoreError> {
        if change.is_empty() {
            return Ok(Vec::new());
        }
        let told = std::mem::take(&mut change.told);
        let answers = match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.commit(change).await,
            Backend::Postgres(postgres) => postgres.commit(change).await,
        }?;
        told.into_iter().for_each(Told::write);
        Ok(answers)
    }

    /// Reads by key: a few rows, found through an index. On SQLite it runs in place and takes microseconds.
    pub async fn query(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => {
                // A read in place never waits; a caller who reads in a loop must still let others run.
                tokio::task::consume_budget().await;
                sqlite.query(sql, &values)
            }
            Backend::Postgres(postgres) => postgres.query(sql, &values).await,
        }
    }

    /// Reads the one row a key names, or none. More than one is an error.
    pub async fn query_one(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        let mut rows = self.query(sql, values).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            _ => Err(rows[0].corrupt(0, "expected at most one row")),
        }
    }

    /// Reads what may take long: searches, sums, reports. Keyed reads do not wait behind it.
    pub async fn scan(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.scan(sql, values).await,
            Backend::Postgres(postgres) => postgres.scan(sql, &values).await,
        }
    }

    /// Really writes a row that was not there before, durably, so that a health check knows; the last few are kept. A
    /// row that is changed in place may find room where nothing new does.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        const WRITE: &str = "
            insert into meta (key, value)
            select 'written ' || cast(coalesce(max(cast(substr(key, 9) as bigint)), 0) + 1 as text),
                cast($1 as text)
            from meta where key like 'written %'
            on conflict (key) do update set value = excluded.value";
        const PRUNE: &str = "
            delete from meta where case when key like 'written %' then cast(substr(key, 9) as bigint) end
                <= (select max(cast(substr(key, 9) as bigint)) - 8 from meta where key like 'written %')";
        const FILLER: usize = 1000;
        let mut change = Change::new();
        change.execute(WRITE, values!["x".repeat(FILLER)]);
        change.execute(PRUNE, Vec::new());
        self.commit(change).await?;
        match &self.inner.backend {
            // What was deleted makes room in the file; the log takes every write anew.
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(postgres) => postgres.check_space().await,
        }
    }

    /// Which engine works underneath.
    pub fn engine(&self) -> Engine {
        match &self.inner.backend {
            Backend::Sqlite(_) => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }

    /// Writes what was handed over, then closes. Later calls of any clone fail.
    pub async fn close(&self) {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }

    /// The record that is kept beside the database, once one is attached.
    pub fn record(&self) -> Option<Arc<Record>> {
        self.inner.record.get().cloned()
    }

    /// The first one attached stays.
    pub(crate) fn attach(&self, record: Arc<Record>) {
        let _ = self.inner.record.set(record);
    }

    /// Whether the database was found to lack what it had, since this process has it open.
    pub fn is_behind(&self) -> bool {
        self.inner.is_behind.load(Ordering::SeqCst)
    }

    /// Whether it was before.
    pub(crate) fn set_behind(&self) -> bool {
        self.inner.is_behind.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn behind_untold(&self) -> &Mutex<Option<String>> {
        &self.inner.behind_untold
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.inner.backend
    }

    pub(crate) fn sequences(&self) -> &Sequences {
        &self.inner.sequences
    }
}
