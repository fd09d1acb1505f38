//! Turns at what is scarce, dealt out fairly: whoever asks often waits behind their own requests, not before others'.
//!
//! Owners are served one after the other, and none has more than a share of the turns at once, so that the rest is free
//! for whoever comes next.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// How many requests of one owner may wait.
const MOST_WAITING: usize = 64;

/// Turns to be had.
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// How many one owner has at once.
    of_one: usize,
    running: HashMap<i64, usize>,
    /// Who waits, in the order in which they are served next.
    waiting: VecDeque<(i64, VecDeque<oneshot::Sender<Turn>>)>,
}

/// A turn, held while it lives.
pub(crate) struct Turn {
    state: Arc<Mutex<State>>,
    owner: i64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        state.free += 1;
        if let Some(running) = state.running.get_mut(&self.owner) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(&self.owner);
            }
        }
        drop(state);
        deal(&self.state);
    }
}

impl Turns {
    /// So many turns at once, and for one owner one less, so that one is left for others.
    pub(crate) fn new(turns: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: turns,
            of_one: turns.saturating_sub(1).max(1),
            running: HashMap::new(),
            waiting: VecDeque::new(),
        })))
    }

    /// Waits for a turn; `None` where too many of the owner's requests wait already.
    pub(crate) async fn take(&self, owner: i64) -> Option<Turn> {
        let (given, turn) = oneshot::channel();
        {
            let mut state = self.0.lock();
            match state.waiting.iter_mut().find(|(of, _)| *of == owner) {
                Some((_, own)) => {
                    own.retain(|waiting| !waiting.is_closed());
                    if own.len() >= MOST_WAITING {
                        return None;
                    }
                    own.push_back(given);
                }
                None => state.waiting.push_back((owner, VecDeque::from([given]))),
            }
        }
        deal(&self.0);
        turn.await.ok()
    }
}

/// Gives out what is free.
fn deal(shared: &Arc<Mutex<State>>) {
    loop {
        let mut state = shared.lock();
        let Some((owner, given)) = state.next() else {
            return;
        };
        state.free -= 1;
        *state.running.entry(owner).or_default() += 1;
        drop(state);
        let turn = Turn {
            state: Arc::clone(shared),
            owner,
        };
        // A turn that nobody takes any more goes back by being dropped, and is dealt again.
        let _ = given.send(turn);
    }
}

impl State {
    /// Who is served next; goes to the end of the row.
    fn next(&mut self) -> Option<(i64, oneshot::Sender<Turn>)> {
        while self.free > 0 {
            let (of_one, running) = (self.of_one, &self.running);
            let may = |owner: &i64| running.get(owner).copied().unwrap_or(0) < of_one;
            let at = self.waiting.iter().position(|(owner, _)| may(owner))?;
            let (owner, mut own) = self.waiting.remove(at)?;
            let mut next = std::iter::from_fn(|| own.pop_front());
            let given = next.find(|given| !given.is_closed());
            if !own.is_empty() {
                self.waiting.push_back((owner, own));
            }
            if let Some(given) = given {
                return Some((owner, given));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_owner_leaves_a_turn_for_others() {
        let turns = Turns::new(2);
        let first = turns.take(1).await.unwrap();
        let mut second = Box::pin(turns.take(1));
        assert!(second.as_mut().now_or_never().is_none());
        let other = turns.take(2).await.unwrap();
        drop(other);
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.await.is_some());
    }

    #[tokio::test]
    async fn owners_are_served_in_turn_however_much_one_asks_for() {
        let turns = Turns::new(1);
        let held = turns.take(1).await.unwrap();
        let mut greedy: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(turns.take(1))).collect();
        for waiting in &mut greedy {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        assert!(turns.take(1).await.is_none(), "so many wait already");
        let mut other = Box::pin(turns.take(2));
        assert!(other.as_mut().now_or_never().is_none());
        drop(held);
        let theirs = greedy.remove(0).await.unwrap();
        assert!(other.as_mut().now_or_never().is_none());
        drop(theirs);
        drop(other.await.unwrap());
        drop(greedy.remove(0).await.unwrap());
    }

    #[tokio::test]
    async fn a_turn_is_not_lost_with_who_gave_up() {
        let turns = Turns::new(1);
        let held = turns.take(1).await.unwrap();
        for owner in 0..3 {
            let mut waiting = Box::pin(turns.take(owner));
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(held);
        assert!(turns.take(9).now_or_never().flatten().is_some());
    }
}
