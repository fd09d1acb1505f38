//! The engine over PostgreSQL: a few connections that write groups, a few that read.
//!
//! Readers are shared, not lent: requests of many callers are pipelined over one connection, so a read costs
//! a round trip and no queueing for a pool. Long reads have connections of their own.

mod connection;
mod lane;
mod outages;
mod pooled;
mod pulse;
mod session;
mod statements;
mod tls;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_postgres::error::SqlState;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::StoreSettings;
use crate::values::{Row, Value};
use crate::waiting::unless_away;
use connection::{Connection, Connector, Trouble};
use lane::Lane;
pub(crate) use outages::is_outage;
use pulse::Pulse;

pub(crate) struct Postgres {
    connector: Arc<Connector>,
    lanes: Vec<Lane>,
    readers: Vec<Slot>,
    next_reader: AtomicUsize,
    pulse: Pulse,
    scanners: Vec<Slot>,
    next_scanner: AtomicUsize,
    scans: Semaphore,
}

impl Postgres {
    pub(crate) async fn open(
        config: &tokio_postgres::Config,
        root_certificates: Option<&Path>,
        settings: &StoreSettings,
    ) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(config, root_certificates, settings)?);
        let first = connector.connect().await.map_err(StoreError::from)?;
        refuse_pools(&connector, &first).await?;
        let slots = |count: usize| {
            (0..count.max(1))
                .map(|_| Slot::default())
                .collect::<Vec<_>>()
        };
        let readers = slots(settings.readers);
        *readers[0].connection.lock() = Some(Arc::new(first));
        let pulse = Pulse::default();
        Ok(Self {
            lanes: (0..settings.lanes.max(1))
                .map(|_| Lane::start(Arc::clone(&connector), settings, pulse.subscribe()))
                .collect(),
            readers,
            next_reader: AtomicUsize::new(0),
            pulse,
            scanners: slots(settings.scans),
            next_scanner: AtomicUsize::new(0),
            scans: Semaphore::new(settings.scans.max(1)),
            connector,
        })
    }

    pub(crate) async fn commit(&self, change: Change) -> Result<Vec<Vec<Row>>, StoreError> {
        let lane = match change.lane {
            // Neighbouring keys are spread over the lanes.
            Some(key) => {
                let spread = key.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                &self.lanes[spread as usize % self.lanes.len()]
            }
            // Callers who were answered together find their lane empty and travel together again.
            None => self
                .lanes
                .iter()
                .min_by_key(|lane| lane.under_way())
                .unwrap_or(&self.lanes[0]),
        };
        self.refuse_while_away().await?;
        lane.commit(change, || self.is_away()).await
    }

    pub(crate) async fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed);
        let slot = &self.readers[turn % self.readers.len()];
        self.refuse_while_away().await?;
        let reading = unless_away(self.read(slot, sql, values), || self.is_away());
        reading.await.map_err(StoreError::Unavailable)?
    }

    pub(crate) async fn scan(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        self.refuse_while_away().await?;
        let scanning = async {
            let _turn = self.scans.acquire().await.map_err(StoreError::database)?;
            let turn = self.next_scanner.fetch_add(1, Ordering::Relaxed);
            let slot = &self.scanners[turn % self.scanners.len()];
            self.read(slot, sql, values).await
        };
        let scanned = unless_away(scanning, || self.is_away()).await;
        scanned.map_err(StoreError::Unavailable)?
    }

    /// Spares callers the wait for a server that did not answer a moment ago.
    async fn refuse_while_away(&self) -> Result<(), StoreError> {
        match self.pulse.was_away(&self.connector).await {
            true => Err(StoreError::Unavailable(
                "the database does not answer".into(),
            )),
            false => Ok(()),
        }
    }

    /// Whether the server does not answer. What it was asked on its connections will hardly be answered then.
    async fn is_away(&self) -> bool {
        let is_away = self.pulse.is_away(&self.connector).await;
        if is_away {
            let slots = self.readers.iter().chain(&self.scanners);
            slots.for_each(Slot::clear);
        }
        is_away
    }

    /// Runs a script in one transaction, one process at a time.
    pub(crate) async fn run_script(&self, script: String) -> Result<(), StoreError> {
        let connection = self.connector.connect().await.map_err(StoreError::from)?;
        // Any number will do, as long as every release uses the same.
        let script = format!("begin; select pg_advisory_xact_lock(3390221); {script} commit;");
        let outcome = connection.run_script(&script).await;
        connection.close().await;
        outcome.map_err(StoreError::from)
    }

    /// Makes sure that there is room for what is new: a table of the moment needs a file of its own.
    pub(crate) async fn check_space(&self) -> Result<(), StoreError> {
        const SCRIPT: &str = "
            begin;
            create temporary table chancery_space (row text) on commit drop;
            insert into chancery_space (row) values ('written');
            commit;";
        let checking = async {
            let connection = self.connector.connect().await?;
            let outcome = connection.run_script(SCRIPT).await;
            connection.close().await;
            outcome
        };
        let outcome = unless_away(checking, || self.is_away()).await;
        match outcome.map_err(StoreError::Unavailable)? {
            // Whoever may not make such a table writes to others all the same.
            Err(Trouble::Refused(error))
                if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) =>
            {
                Ok(())
            }
            outcome => outcome.map_err(StoreError::from),
        }
    }

    pub(crate) async fn close(&self) {
        self.scans.close();
        for lane in &self.lanes {
            lane.close().await;
        }
        self.connector.close();
        let asked = std::iter::once(self.pulse.slot());
        for slot in self.readers.iter().chain(&self.scanners).chain(asked) {
            let connection = slot.connection.lock().take();
            if let Some(connection) = connection.and_then(Arc::into_inner) {
                connection.close().await;
            }
        }
    }

    /// Reads, and reads again on another connection if the first one is lost: reading twice harms nobody.
    async fn read(
        &self,
        slot: &Slot,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let connection = slot.get(&self.connector).await?;
        match connection.query(sql, values).await {
            Err(Trouble::Lost(_)) => {
                slot.forget(&connection);
                drop(connection);
                let connection = slot.get(&self.connector).await?;
                connection
                    .query(sql, values)
                    .await
                    .map_err(StoreError::from)
            }
            outcome => outcome.map_err(StoreError::from),
        }
    }
}

/// Refuses a pool of statements in front of the server.
async fn refuse_pools(connector: &Connector, first: &Connection) -> Result<(), StoreError> {
    let other = connector.connect().await.map_err(StoreError::from)?;
    let are_pooled = pooled::are_pooled(first, &other).await;
    other.close().await;
    match are_pooled.map_err(StoreError::from)? {
        true => Err(StoreError::Pooled),
        false => Ok(()),
    }
}

/// Holds a connection that many callers share, and opens another when it is lost.
#[derive(Default)]
struct Slot {
    connection: Mutex<Option<Arc<Connection>>>,
    opening: tokio::sync::Mutex<()>,
}

impl Slot {
    async fn get(&self, connector: &Connector) -> Result<Arc<Connection>, StoreError> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let _turn = self.opening.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let connection = Arc::new(
            connector
                .connect_patiently()
                .await
                .map_err(StoreError::from)?,
        );
        *self.connection.lock() = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn current(&self) -> Option<Arc<Connection>> {
        self.connection
            .lock()
            .as_ref()
            .filter(|connection| !connection.is_closed())
            .cloned()
    }

    fn clear(&self) {
        *self.connection.lock() = None;
    }

    fn forget(&self, lost: &Arc<Connection>) {
        let mut connection = self.connection.lock();
        if connection
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, lost))
        {
            *connection = None;
        }
    }
}
