//! The thread that writes: it takes the sets that wait, applies them in one transaction, flushes once, and
//! answers them all.
//!
//! A set whose expectation fails is taken back alone: the group is run again with each set in a savepoint.
//! While a group is flushed the next one gathers; under load the cost of a flush is shared, and an idle
//! store answers a single set as fast as the disk allows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::{bind, collect, numbered};
use crate::changes::{Change, Expectation, StatementKey};
use crate::errors::{BoxedError, Shared, StoreError};
use crate::store::StoreSettings;
use crate::waiting::{Rows, Waiting, hand_over, unless_away};

pub(super) struct Writer {
    work: mpsc::Sender<Work>,
    /// Whether the thread waits for another process to let go of the file.
    waits_for_others: Arc<AtomicBool>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

enum Work {
    Set(Waiting),
    Script(String, oneshot::Sender<Result<(), StoreError>>),
    Close,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        settings: &StoreSettings,
    ) -> Result<Self, StoreError> {
        let (work, inbox) = mpsc::channel(settings.queue);
        let group = settings.group.max(1);
        let waits_for_others = Arc::<AtomicBool>::default();
        let waits = Arc::clone(&waits_for_others);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                run(&connection, inbox, group, waits);
                if let Err((_, error)) = connection.close() {
                    tracing::warn!(%error, "the database file was not closed cleanly");
                }
            })
            .map_err(StoreError::database)?;
        Ok(Self {
            work,
            waits_for_others,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) async fn commit(&self, change: Change) -> Result<Rows, StoreError> {
        let (waiting, pending) = hand_over(change);
        let is_away = || async { self.waits_for_others.load(Ordering::SeqCst) };
        let handed_over = unless_away(self.send(Work::Set(waiting)), is_away).await;
        handed_over.map_err(StoreError::Unavailable)??;
        pending.outcome(is_away).await
    }

    pub(super) async fn run_script(&self, script: String) -> Result<(), StoreError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Work::Script(script, answer)).await?;
        outcome
            .await
            .map_err(|error| StoreError::Unknown(error.into()))?
    }

    pub(super) async fn close(&self) {
        // A failure means that the thread has ended already.
        let _ = self.work.send(Work::Close).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the thread that writes to the database has panicked");
            }
        }
    }

    async fn send(&self, work: Work) -> Result<(), StoreError> {
        self.work
            .send(work)
            .await
            .map_err(|_| StoreError::database("the store is closed"))
    }
}

fn run(
    connection: &Connection,
    inbox: mpsc::Receiver<Work>,
    limit: usize,
    waits_for_others: Arc<AtomicBool>,
) {
    let mut session = Session {
        connection,
        waits_for_others,
        statements: HashMap::new(),
    };
    let mut gathering = Gathering {
        inbox,
        limit,
        last_size: 0,
        last_took: Duration::ZERO,
    };
    let mut group = Vec::with_capacity(limit);
    while let Some(script) = gathering.next(&mut group) {
        let started = Instant::now();
        gathering.last_size = group.len();
        session.apply(&mut group);
        gathering.last_took = started.elapsed();
        if let Some((script, answer)) = script {
            // Nobody listening is nobody's loss.
            let _ = answer.send(session.run_script(&script));
        }
    }
}

type Script = (String, oneshot::Sender<Result<(), StoreError>>);

/// Decides which sets share a flush: those that wait, and those that will be here in a moment.
struct Gathering {
    inbox: mpsc::Receiver<Work>,
    limit: usize,
    last_size: usize,
    last_took: Duration,
}

impl Gathering {
    /// Fills the group, and returns a script if one is to be run after it; `None` at the end of all work.
    ///
    /// Callers who were answered together tend to come back together, so after a group of several the
    /// thread waits for as many, but no longer than a fraction of what the group took.
    fn next(&mut self, group: &mut Vec<Waiting>) -> Option<Option<Script>> {
        let mut next = Some(self.inbox.blocking_recv()?);
        let expected = if self.last_size > 1 {
            self.last_size.min(self.limit)
        } else {
            0
        };
        let deadline = Instant::now() + (self.last_took / 4).min(LONGEST_WAIT);
        loop {
            match next.take() {
                Some(Work::Set(set)) => group.push(set),
                Some(Work::Script(script, answer)) => return Some(Some((script, answer))),
                Some(Work::Close) => self.inbox.close(),
                None if group.len() < expected && Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                None => return Some(None),
            }
            if group.len() < self.limit {
                next = self.inbox.try_recv().ok();
            } else {
                return Some(None);
            }
        }
    }
}

/// The longest that a set waits for company.
const LONGEST_WAIT: Duration = Duration::from_micros(500);

/// Whether the sets of a group can be taken back one by one.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Guard {
    None,
    Savepoints,
}

struct Session<'c> {
    connection: &'c Connection,
    waits_for_others: Arc<AtomicBool>,
    statements: HashMap<StatementKey, rusqlite::Statement<'c>>,
}

impl<'c> Session<'c> {
    /// Applies a group and answers all of it.
    fn apply(&mut self, group: &mut Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        let outcomes = self.outcomes(group);
        for (set, outcome) in group.drain(..).zip(outcomes) {
            set.answer(outcome);
        }
    }

    /// Applies a group without savepoints, for these copy every page that a set touches, and with them only
    /// when a set has failed.
    fn outcomes(&mut self, group: &mut Vec<Waiting>) -> Vec<Result<Rows, StoreError>> {
        match self.attempt(group, Guard::None) {
            Some(outcomes) => outcomes,
            None => self.attempt(group, Guard::Savepoints).unwrap_or_default(),
        }
    }

    /// Applies a group in one transaction; `None` if a set failed that cannot be taken back alone.
    fn attempt(
        &mut self,
        group: &mut Vec<Waiting>,
        guard: Guard,
    ) -> Option<Vec<Result<Rows, StoreError>>> {
        self.waits_for_others.store(true, Ordering::SeqCst);
        let begun = self.control("begin immediate");
        self.waits_for_others.store(false, Ordering::SeqCst);
        if let Err(error) = begun {
            return Some(all_failed(group.len(), &error.into()));
        }
        // Whoever gave up meanwhile has taken the set for undone.
        group.retain(Waiting::begin);
        let mut outcomes = Vec::with_capacity(group.len());
        for set in group.iter() {
            match self.apply_one(&set.change, guard) {
                Ok(Err(_)) if guard == Guard::None && group.len() > 1 => {
                    self.abandon();
                    return None;
                }
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    self.abandon();
                    return Some(all_failed(group.len(), &error));
                }
            }
        }
        // Also where all have given up.
        if outcomes.iter().all(Result::is_err) {
            self.abandon();
            return Some(outcomes);
        }
        if let Err(error) = self.control("commit") {
            self.abandon();
            self.settle(&error, &mut outcomes);
        }
        Some(outcomes)
    }

    /// Runs one set of an open transaction. The outer error says that the transaction itself is lost.
    fn apply_one(
        &mut self,
        change: &Change,
        guard: Guard,
    ) -> Result<Result<Rows, StoreError>, StoreError> {
        if guard == Guard::Savepoints {
            self.control("savepoint change_set")?;
        }
        let outcome = match self.run_statements(change) {
            // Some errors, a full disk among them, make SQLite roll back everything.
            Err(error) if self.connection.is_autocommit() => return Err(error),
            outcome => outcome,
        };
        if guard == Guard::Savepoints {
            if outcome.is_err() {
                self.control("rollback to change_set")?;
            }
            self.control("release change_set")?;
        }
        Ok(outcome)
    }

    fn run_statements(&mut self, change: &Change) -> Result<Rows, StoreError> {
        let mut answers = Vec::new();
        for wanted in &change.statements {
            let statement = self.prepared(wanted.sql).map_err(StoreError::database)?;
            bind(statement, &wanted.values).map_err(StoreError::Database)?;
            match wanted.expect {
                Expectation::Any => {
                    statement.raw_execute().map_err(StoreError::database)?;
                }
                Expectation::Answer => {
                    answers.push(collect(wanted.sql, statement).map_err(StoreError::database)?);
                }
                Expectation::Found(expected, failure) => {
                    let found = collect(wanted.sql, statement).map_err(StoreError::database)?;
                    if found.len() as u64 != expected {
                        return Err(failure.into());
                    }
                }
                Expectation::Rows(expected, failure) => match statement.raw_execute() {
                    Ok(changed) if changed as u64 == expected => {}
                    Ok(_) => return Err(failure.into()),
                    Err(error) if is_refusal(&error) => return Err(failure.into()),
                    Err(error) => return Err(StoreError::database(error)),
                },
            }
        }
        Ok(answers)
    }

    fn run_script(&self, script: &str) -> Result<(), StoreError> {
        let outcome = self
            .connection
            .execute_batch("begin immediate")
            .and_then(|()| self.connection.execute_batch(script))
            .and_then(|()| self.connection.execute_batch("commit"));
        self.abandon();
        outcome.map_err(StoreError::database)
    }

    /// After a commit that failed: makes sure that it stays failed, and says so.
    ///
    /// The log may hold the whole group though its flush failed, and a crash right now would bring it to
    /// life. The next commit writes over it; so one is made here.
    fn settle(&mut self, error: &rusqlite::Error, outcomes: &mut [Result<Rows, StoreError>]) {
        let cause = Shared::new(error);
        let fenced = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::ConstraintViolation | ErrorCode::DatabaseBusy | ErrorCode::DiskFull)
        ) || self.fence().is_ok();
        tracing::error!(%error, fenced, "a commit failed");
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            let cause: BoxedError = Box::new(cause.clone());
            *outcome = Err(match (fenced, super::is_outage(error)) {
                (true, true) => StoreError::Unavailable(cause),
                (true, false) => StoreError::Database(cause),
                (false, _) => StoreError::Unknown(cause),
            });
        }
    }

    fn fence(&self) -> Result<(), rusqlite::Error> {
        self.connection.execute_batch(
            "begin immediate;
             insert into meta (key, value) values ('fenced', '1')
             on conflict (key) do update set value = cast(meta.value as integer) + 1;
             commit;",
        )
    }

    /// Leaves no transaction open, whatever happened before.
    fn abandon(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("rollback")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    fn control(&mut self, sql: &'static str) -> Result<(), rusqlite::Error> {
        self.prepared(sql)?.raw_execute().map(drop)
    }

    fn prepared(
        &mut self,
        sql: &'static str,
    ) -> Result<&mut rusqlite::Statement<'c>, rusqlite::Error> {
        Ok(match self.statements.entry(StatementKey::of(sql)) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(self.connection.prepare(&numbered(sql))?),
        })
    }
}

fn all_failed(count: usize, error: &StoreError) -> Vec<Result<Rows, StoreError>> {
    let cause = Shared::new(error);
    tracing::error!(error = %cause, "a group of change sets failed");
    (0..count)
        .map(|_| Err(error.alike(Box::new(cause.clone()))))
        .collect()
}

/// Whether a key or a check stands in the way, which is an answer and not an accident.
fn is_refusal(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | rusqlite::ffi::SQLITE_CONSTRAINT_CHECK
        )
    )
}
