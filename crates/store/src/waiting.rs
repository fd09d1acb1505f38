//! A change set that waits to be applied, and whoever waits for what became of it.
//!
//! A caller does not wait for ever for a database that is away. Who gives up on a set that was not begun yet takes
//! it back, and knows that nothing of it is applied, now or later. Of a set that was begun nobody can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::changes::Change;
use crate::errors::{BoxedError, StoreError};
use crate::values::Row;

/// How long a caller waits before it is asked whether the database is away.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) type Rows = Vec<Vec<Row>>;

/// A set in the hands of whoever applies it.
pub(crate) struct Waiting {
    pub(crate) change: Change,
    answer: oneshot::Sender<Result<Rows, StoreError>>,
    turn: Arc<Turn>,
}

/// The other end of it.
pub(crate) struct Pending {
    outcome: oneshot::Receiver<Result<Rows, StoreError>>,
    turn: Arc<Turn>,
}

/// Whose turn it is to decide about a set.
#[derive(Default)]
struct Turn(AtomicU8);

const WAITS: u8 = 0;
const BEGUN: u8 = 1;
const TAKEN_BACK: u8 = 2;

/// A set, to be handed over, and what to wait for.
pub(crate) fn hand_over(change: Change) -> (Waiting, Pending) {
    let (answer, outcome) = oneshot::channel();
    let turn = Arc::<Turn>::default();
    let waiting = Waiting {
        change,
        answer,
        turn: Arc::clone(&turn),
    };
    (waiting, Pending { outcome, turn })
}

impl Turn {
    /// Moves from waiting to another state, or stays in it; tells whether it is there now.
    fn claim(&self, state: u8) -> bool {
        let now = &self.0;
        match now.compare_exchange(WAITS, state, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => true,
            Err(now) => now == state,
        }
    }
}

impl Waiting {
    /// Begins the set, unless its caller has taken it back.
    pub(crate) fn begin(&self) -> bool {
        // A caller who left without a word cannot take anything for undone.
        self.turn.claim(BEGUN)
    }

    /// Says that nothing of a set that was begun is applied.
    pub(crate) fn rest(&self) {
        self.turn.0.store(WAITS, Ordering::SeqCst);
    }

    /// Answers the caller.
    pub(crate) fn answer(self, outcome: Result<Rows, StoreError>) {
        // A caller who gave up left no one to tell.
        let _ = self.answer.send(outcome);
    }
}

impl Pending {
    /// Waits for what became of the set, but not for a database that is away.
    pub(crate) async fn outcome<F: Future<Output = bool>>(
        self,
        is_away: impl Fn() -> F,
    ) -> Result<Rows, StoreError> {
        match unless_away(self.outcome, is_away).await {
            Ok(Ok(outcome)) => outcome,
            // Only the end of whoever applies sets drops one without an answer.
            Ok(Err(error)) => Err(StoreError::Unknown(error.into())),
            Err(away) if self.turn.claim(TAKEN_BACK) => Err(StoreError::Unavailable(away)),
            Err(away) => Err(StoreError::Unknown(away)),
        }
    }
}

/// Waits for something, but not for a database that is away.
pub(crate) async fn unless_away<T, F: Future<Output = bool>>(
    work: impl Future<Output = T>,
    is_away: impl Fn() -> F,
) -> Result<T, BoxedError> {
    let mut work = std::pin::pin!(work);
    loop {
        match timeout(PATIENCE, &mut work).await {
            Ok(done) => return Ok(done),
            Err(_) if !is_away().await => {}
            Err(_) => return Err("the database does not answer".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_before_it_was_begun_is_not_applied() {
        let (waiting, pending) = hand_over(Change::new());
        let given_up = pending.outcome(|| async { true }).await;
        assert!(matches!(given_up, Err(StoreError::Unavailable(_))));
        assert!(!waiting.begin());
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_was_begun_nobody_can_tell() {
        let (waiting, pending) = hand_over(Change::new());
        assert!(waiting.begin() && waiting.begin());
        let given_up = pending.outcome(|| async { true }).await;
        assert!(matches!(given_up, Err(StoreError::Unknown(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_is_not_away() {
        let (waiting, pending) = hand_over(Change::new());
        let applying = async {
            tokio::time::sleep(PATIENCE * 4).await;
            assert!(waiting.begin());
            waiting.answer(Ok(Vec::new()));
        };
        let (outcome, ()) = tokio::join!(pending.outcome(|| async { false }), applying);
        assert!(outcome.is_ok());
    }
}
