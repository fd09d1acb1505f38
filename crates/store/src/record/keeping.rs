//! The record of an open database: what is kept as it happens, and that the database is found to have gone back.

use std::sync::Arc;

use chancery_domain::revocations::{BlockedKey, BlockedKeyId};

use super::{BlockedLine, Record, RecordError};
use crate::changes::Change;
use crate::errors::StoreError;
use crate::sequences::Sequence;
use crate::store::Store;
use crate::values;

/// Blocked keys that are read at once.
const PAGE: i64 = 1000;

/// The fact that the database went back, for all who have it open.
const BEHIND: &str = "behind";

impl Change {
    /// Keeps that the database went back, and how that showed first.
    fn keep_behind(&mut self, why: &str) {
        const SQL: &str =
            "insert into meta (key, value) values ($1, $2) on conflict (key) do nothing";
        self.execute(SQL, values![BEHIND, why]);
    }

    /// What is known was put back.
    pub fn forget_behind(&mut self) {
        const SQL: &str = "delete from meta where key = $1";
        self.execute(SQL, values![BEHIND]);
    }
}

impl Store {
    /// Has a record kept from now on: the numbers reserved so far, and each block before it is used.
    pub async fn attach_record(&self, record: Record) -> Result<(), StoreError> {
        let record = Arc::new(record);
        self.attach(Arc::clone(&record));
        self.record_numbers().await
    }

    /// Keeps up to where the sequences are reserved by now, whoever did it.
    pub async fn record_numbers(&self) -> Result<(), StoreError> {
        let Some(record) = self.record() else {
            return Ok(());
        };
        let numbers = self.sequence_numbers().await?;
        blocking(move || {
            let mut kept = numbers.iter();
            kept.try_for_each(|(name, next)| record.keep_number(name, *next))
        })
        .await
    }

    /// Keeps that keys are blocked which the database has, whoever blocked them.
    pub async fn record_blocked_keys(&self) -> Result<(), StoreError> {
        let mut after = BlockedKeyId(i64::MIN);
        loop {
            let found = self.blocked_keys(after, PAGE).await?;
            let Some(last) = found.last() else {
                return Ok(());
            };
            after = last.id;
            self.record_blocked(&found).await?;
        }
    }

    /// Keeps that keys are blocked, once the database has it.
    pub async fn record_blocked(&self, keys: &[BlockedKey]) -> Result<(), StoreError> {
        let Some(record) = self.record() else {
            return Ok(());
        };
        let lines: Vec<BlockedLine> = keys.iter().map(BlockedLine::of).collect();
        blocking(move || record.keep_blocked(&lines)).await
    }

    /// Keeps up to where one sequence is reserved, before its numbers are used.
    pub(crate) async fn record_reserved(
        &self,
        sequence: Sequence,
        next: i64,
    ) -> Result<(), StoreError> {
        match self.record() {
            Some(record) => blocking(move || record.keep_number(sequence.name(), next)).await,
            None => Ok(()),
        }
    }

    /// Has nothing done with the database any more that would be done twice: it lacks what it had. Later starts know
    /// it from the record, and other processes from the database, until what is known was put back.
    pub async fn declare_behind(&self, why: &str) {
        if self.set_behind() {
            return;
        }
        tracing::error!(
            why,
            "the database went back to an earlier state: nothing is done with it any more"
        );
        *self.behind_untold().lock() = Some(why.to_owned());
        if let Some(record) = self.record() {
            let why = why.to_owned();
            if let Err(error) = blocking(move || record.keep_behind(&why)).await {
                tracing::error!(%error, "the record could not keep that the database went back");
            }
        }
        if let Err(error) = self.tell_behind().await {
            tracing::error!(%error, "others could not be told yet that the database went back");
        }
    }

    /// Has the database say that it went back, where it could not be told when that was found.
    pub async fn tell_behind(&self) -> Result<(), StoreError> {
        let Some(why) = self.behind_untold().lock().clone() else {
            return Ok(());
        };
        let mut change = Change::new();
        change.keep_behind(&why);
        self.commit(change).await?;
        *self.behind_untold().lock() = None;
        Ok(())
    }

    /// How it showed to any process that the database went back, if it did and nothing was put back since.
    pub async fn told_behind(&self) -> Result<Option<String>, StoreError> {
        self.meta(BEHIND).await
    }

    /// Refuses what may not be done with a database that went back.
    pub(crate) fn refuse_behind(&self) -> Result<(), StoreError> {
        match self.is_behind() {
            true => Err(StoreError::Unavailable(
                "it went back to an earlier state: stop all servers and run `chancery restore-check`".into(),
            )),
            false => Ok(()),
        }
    }
}

/// Waits for the disk off the async runtime.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(StoreError::database)?
        .map_err(StoreError::database)
}
