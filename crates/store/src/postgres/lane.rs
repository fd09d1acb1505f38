//! A connection that writes: it takes the sets that wait, sends them as one transaction in one round trip,
//! and answers them all.
//!
//! If a set fails, the transaction is gone. The others are sent again without it, and it is tried once more
//! alone, so that it is judged by what is in the database and not by what was only tried beside it.
//!
//! A connection can be lost between sending `commit` and reading its answer. Each connection therefore owns
//! a row that counts its groups, and each group counts itself, on condition that the row still stands at the
//! number before. On a new connection the row is marked: that waits for a transaction still under way, tells
//! whether the group was applied, and makes sure that it never will be if it was not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::connection::{Connector, Trouble};
use super::session::{Refusal, Session, Stop};
use crate::changes::{Change, Expectation};
use crate::errors::{BoxedError, Shared, StoreError};
use crate::store::StoreSettings;
use crate::values;
use crate::values::Row;
use crate::waiting::{Rows, Waiting, hand_over, unless_away};

/// How often a set is tried that lost a deadlock, or a group whose connection was lost.
const TRIES: usize = 5;

/// After so many failures in one group the rest are tried one by one.
const SPLITS: usize = 3;

/// How often a lane lets others run before it sends a group smaller than the last.
const PATIENCE: usize = 4;

pub(super) struct Lane {
    work: mpsc::Sender<Work>,
    under_way: AtomicUsize,
}

enum Work {
    Set(Waiting),
    Close(oneshot::Sender<()>),
}

impl Lane {
    /// `found_away` tells when the server is found away.
    pub(super) fn start(
        connector: Arc<Connector>,
        settings: &StoreSettings,
        found_away: watch::Receiver<()>,
    ) -> Self {
        let (work, inbox) = mpsc::channel(settings.queue);
        let limit = settings.group.max(1);
        let patience = settings.answer_within + settings.reconnect_within;
        let writer = Writer {
            connector,
            session: None,
            stale: None,
            found_away,
            patience,
        };
        tokio::spawn(writer.run(inbox, limit));
        Self {
            work,
            under_way: AtomicUsize::new(0),
        }
    }

    /// How many sets wait for this lane, or are on their way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(super) async fn commit<F: Future<Output = bool>>(
        &self,
        change: Change,
        is_away: impl Fn() -> F,
    ) -> Result<Rows, StoreError> {
        let _counted = Counted::new(&self.under_way);
        let (waiting, pending) = hand_over(change);
        let closed = |_| StoreError::database("the store is closed");
        let handed_over = unless_away(self.work.send(Work::Set(waiting)), &is_away).await;
        handed_over
            .map_err(StoreError::Unavailable)?
            .map_err(closed)?;
        pending.outcome(is_away).await
    }

    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.work.send(Work::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

/// Counts a set for as long as its caller waits.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Writer {
    connector: Arc<Connector>,
    session: Option<Session>,
    /// A row in `commit_lanes` that has served its purpose.
    stale: Option<String>,
    found_away: watch::Receiver<()>,
    patience: Duration,
}

/// What became of a group.
enum Outcome {
    /// All of it is in the database. The rows of each statement; those that were lost on the way are `None`.
    Applied(Vec<Option<Vec<Row>>>),
    /// None of it is, because of the set at this place, or of none in particular.
    Failed { at: Option<usize>, refusal: Refusal },
    /// None of it is, and the connection was lost: worth another try.
    Interrupted(BoxedError),
    /// None of it is, and the server stays away.
    Unavailable(StoreError),
    /// Nobody can say.
    Unknown(BoxedError),
}

impl Writer {
    async fn run(mut self, mut inbox: mpsc::Receiver<Work>, limit: usize) {
        let mut closing = Vec::new();
        let mut last_size = 0;
        while let Some(first) = inbox.recv().await {
            let mut group = Vec::new();
            let mut next = Some(first);
            let mut patience = PATIENCE;
            loop {
                match next.take() {
                    Some(Work::Set(set)) => group.push(set),
                    Some(Work::Close(done)) => {
                        inbox.close();
                        closing.push(done);
                    }
                    // Callers who were answered together tend to come back together: let them run.
                    None if group.len() < last_size && patience > 0 => {
                        patience -= 1;
                        tokio::task::yield_now().await;
                    }
                    None => break,
                }
                if group.len() >= limit {
                    break;
                }
                next = inbox.try_recv().ok();
            }
            last_size = group.len();
            if !group.is_empty() {
                self.apply(group).await;
            }
        }
        if let Some(session) = self.session.take() {
            session.end().await;
        }
        for done in closing {
            // Whoever asked may have stopped waiting.
            let _ = done.send(());
        }
    }

    /// Applies a group, or parts of it, and answers all of it.
    async fn apply(&mut self, mut group: Vec<Waiting>) {
        // Two processes that meet the same rows meet them in the same order.
        group.sort_by_key(|set| set.change.lane);
        let mut groups = VecDeque::from([group]);
        let mut splits = 0;
        while let Some(mut group) = groups.pop_front() {
            match self.outcome(&mut group).await {
                Outcome::Applied(answers) => answer_applied(group, answers),
                Outcome::Failed { at: Some(at), .. } if group.len() > 1 => {
                    splits += 1;
                    groups.push_back(vec![group.remove(at)]);
                    if splits < SPLITS {
                        groups.push_front(group);
                    } else {
                        groups.extend(group.into_iter().map(|set| vec![set]));
                    }
                }
                Outcome::Failed { at: None, .. } if group.len() > 1 => {
                    groups.extend(group.into_iter().map(|set| vec![set]));
                }
                Outcome::Failed { refusal, .. } => {
                    if let Some(set) = group.pop() {
                        set.answer(Err(refusal.error));
                    }
                }
                Outcome::Unavailable(error) => {
                    answer_all(group, &error, |cause| error.alike(cause));
                }
                Outcome::Interrupted(error) => answer_all(group, &*error, StoreError::Unavailable),
                Outcome::Unknown(error) => answer_all(group, &*error, StoreError::Unknown),
            }
        }
    }

    /// Tries a group until something other than chance decides.
    async fn outcome(&mut self, group: &mut Vec<Waiting>) -> Outcome {
        for _ in 1..TRIES {
            match self.attempt(group).await {
                Outcome::Interrupted(_) => group.iter().for_each(Waiting::rest),
                Outcome::Failed { refusal, .. } if refusal.chance => {}
                outcome => return outcome,
            }
        }
        self.attempt(group).await
    }

    async fn attempt(&mut self, group: &mut Vec<Waiting>) -> Outcome {
        let mut session = match self.take_session().await {
            Ok(session) => session,
            Err(trouble) => return Outcome::Unavailable(trouble.into()),
        };
        // Whoever gave up meanwhile has taken the set for undone.
        group.retain(Waiting::begin);
        if group.is_empty() {
            self.session = Some(session);
            return Outcome::Applied(Vec::new());
        }
        self.found_away.mark_unchanged();
        let sent = tokio::select! {
            sent = session.send(group) => sent,
            // An answer that was given will not get here any more.
            Ok(()) = self.found_away.changed() => Err(Stop::Lost {
                error: "the database does not answer".into(),
                answers: Vec::new(),
            }),
        };
        match sent {
            Ok(answers) => {
                self.session = Some(session);
                Outcome::Applied(answers)
            }
            Err(Stop::Set { at, refusal }) => {
                self.session = Some(session);
                Outcome::Failed { at, refusal }
            }
            Err(Stop::NotSent(error)) => {
                self.stale = Some(session.token);
                Outcome::Interrupted(error)
            }
            Err(Stop::Begin(error)) => {
                self.stale = Some(session.token);
                Outcome::Unknown(error)
            }
            Err(Stop::Lost { error, answers }) => self.investigate(session, error, answers).await,
        }
    }

    async fn take_session(&mut self) -> Result<Session, Trouble> {
        match self.session.take() {
            Some(session) if !session.connection.is_closed() => Ok(session),
            old => {
                let stale = old
                    .map(|session| session.token)
                    .or_else(|| self.stale.take());
                let connection = self.connector.connect_patiently().await?;
                if let Some(token) = stale {
                    const SQL: &str = "delete from commit_lanes where token = $1";
                    connection.query(SQL, &values![token]).await?;
                }
                Session::start(connection).await
            }
        }
    }

    /// After a connection was lost with a commit on its way: finds out, and settles it for good.
    async fn investigate(
        &mut self,
        session: Session,
        error: BoxedError,
        answers: Vec<Option<Vec<Row>>>,
    ) -> Outcome {
        let Session {
            connection,
            token,
            committed,
        } = session;
        drop(connection);
        tracing::warn!(error = &*error, "a connection was lost around a commit");
        let Ok(standing) = timeout(self.patience, self.standing(&token)).await else {
            return Outcome::Unknown(error);
        };
        self.stale = Some(token);
        match standing {
            Some(standing) if standing == committed => Outcome::Interrupted(error),
            Some(standing) if standing == committed + 1 => Outcome::Applied(answers),
            _ => Outcome::Unknown(error),
        }
    }

    /// How many groups a lane has committed, now and forever; `None` if its row is gone.
    ///
    /// The update waits for a transaction that holds the row. It may run twice, for its own answer may be
    /// lost, and says the same both times.
    async fn standing(&self, token: &str) -> Option<i64> {
        const SQL: &str = "
            update commit_lanes
            set committed = case when committed < 0 then committed else -1 - committed end
            where token = $1 returning -1 - committed";
        loop {
            if let Ok(connection) = self.connector.connect().await
                && let Ok(rows) = connection.query(SQL, &values![token]).await
            {
                return rows.first().and_then(|row| row.int(0).ok());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn answer_applied(group: Vec<Waiting>, answers: Vec<Option<Vec<Row>>>) {
    let mut answers = answers.into_iter();
    for set in group {
        let mut rows = Ok(Vec::new());
        for statement in &set.change.statements {
            let answer = answers.next().flatten();
            if statement.expect == Expectation::Answer {
                match (&mut rows, answer) {
                    (Ok(rows), Some(answer)) => rows.push(answer),
                    _ => rows = Err(StoreError::Unknown("applied, but the rows are lost".into())),
                }
            }
        }
        set.answer(rows);
    }
}

fn answer_all<E: std::error::Error + ?Sized>(
    group: Vec<Waiting>,
    error: &E,
    kind: impl Fn(BoxedError) -> StoreError,
) {
    let cause = Shared::new(error);
    for set in group {
        set.answer(Err(kind(Box::new(cause.clone()))));
    }
}
