//! Read-only connections, taken and given back without a wait.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{Access, bind, collect, connect, numbered};
use crate::changes::StatementKey;
use crate::errors::StoreError;
use crate::store::StoreSettings;
use crate::values::{Row, Value};

pub(super) struct Readers {
    file: PathBuf,
    settings: StoreSettings,
    /// Idle connections; `None` once closed.
    idle: Mutex<Option<Vec<Reader>>>,
    scans: Arc<Semaphore>,
}

struct Reader {
    connection: Connection,
    texts: HashMap<StatementKey, Box<str>>,
}

impl Readers {
    pub(super) fn new(file: &Path, settings: &StoreSettings) -> Self {
        Self {
            file: file.to_owned(),
            settings: settings.clone(),
            idle: Mutex::new(Some(Vec::new())),
            scans: Arc::new(Semaphore::new(settings.scans)),
        }
    }

    /// Runs in place. As no caller waits between taking a connection and giving it back, there are never
    /// more of them than threads.
    pub(super) fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let mut reader = self.take()?;
        let answer = reader.query(sql, values);
        // A connection that failed is not trusted again.
        if answer.is_ok() {
            self.give_back(reader);
        }
        answer
    }

    pub(super) async fn scan(
        readers: &Arc<Self>,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let scans = Arc::clone(&readers.scans);
        let turn = scans.acquire_owned().await.map_err(StoreError::database)?;
        let readers = Arc::clone(readers);
        // The turn ends with the work: a caller who gives up does not make room for another scan.
        tokio::task::spawn_blocking(move || {
            let answer = readers.query(sql, &values);
            drop(turn);
            answer
        })
        .await
        .map_err(StoreError::database)?
    }

    pub(super) fn close(&self) {
        self.scans.close();
        *self.idle.lock() = None;
    }

    fn take(&self) -> Result<Reader, StoreError> {
        let idle = match self.idle.lock().as_mut() {
            Some(idle) => idle.pop(),
            None => return Err(StoreError::database("the store is closed")),
        };
        match idle {
            Some(reader) => Ok(reader),
            None => Reader::open(&self.file, &self.settings),
        }
    }

    fn give_back(&self, reader: Reader) {
        if let Some(idle) = self.idle.lock().as_mut()
            && idle.len() < self.settings.readers
        {
            idle.push(reader);
        }
    }
}

impl Reader {
    fn open(file: &Path, settings: &StoreSettings) -> Result<Self, StoreError> {
        let connection = connect(file, Access::Read, settings)?;
        connection.set_prepared_statement_cache_capacity(256);
        Ok(Self {
            connection,
            texts: HashMap::new(),
        })
    }

    fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let text = self
            .texts
            .entry(StatementKey::of(sql))
            .or_insert_with(|| numbered(sql).into());
        let mut statement = self
            .connection
            .prepare_cached(text)
            .map_err(StoreError::database)?;
        bind(&mut statement, values).map_err(StoreError::Database)?;
        collect(sql, &mut statement).map_err(StoreError::database)
    }
}
