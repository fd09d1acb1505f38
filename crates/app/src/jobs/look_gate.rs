//! Who may ask the world now: a gate that every check of one name passes.
//!
//! An order has many names, a domain many hosts. So checks under way are counted by whose they are and by whom they
//! ask: nobody has more of them than are free, and no domain is asked by more than a few at a time. Who has to wait
//! waits in line with the checks of the same reseller, and the lines take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chancery_domain::names::DomainName;
use chancery_domain::resellers::ResellerId;
use chancery_store::Queue;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::shares::Shares;

/// How many checks may ask one registered domain at once, whoever had them made.
const OF_ONE_DOMAIN: usize = 8;

/// The gates of both queues of checks: who asks slow servers takes no place of who does not.
pub(crate) struct LookGates {
    prompt: LookGate,
    slow: LookGate,
}

impl LookGates {
    /// Gates for so many checks at once, and half as many at slow servers.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            prompt: LookGate::new(limit),
            slow: LookGate::new(limit.div_ceil(2)),
        }
    }

    /// The gate of the checks that wait in this queue.
    pub(super) fn of(&self, queue: Queue) -> &LookGate {
        match queue {
            Queue::SlowLooks => &self.slow,
            Queue::Work | Queue::Mail | Queue::Looks => &self.prompt,
        }
    }
}

/// Lets checks in.
#[derive(Clone)]
pub(super) struct LookGate(Arc<Mutex<State>>);

struct State {
    shares: Shares,
    /// How many checks ask each domain.
    asking: HashMap<DomainName, usize>,
    /// Those who wait, reseller by reseller; the first is served next. No line is empty.
    lines: VecDeque<(ResellerId, VecDeque<Waiter>)>,
}

struct Waiter {
    domain: DomainName,
    enter: oneshot::Sender<Pass>,
}

/// The right to make one check, until it is dropped.
pub(super) struct Pass {
    gate: LookGate,
    reseller: ResellerId,
    domain: DomainName,
}

impl LookGate {
    /// A gate for so many checks at once.
    fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            shares: Shares::new(limit),
            asking: HashMap::new(),
            lines: VecDeque::new(),
        })))
    }

    /// Waits until a check of this name may be made.
    pub(super) async fn enter(&self, reseller: ResellerId, name: &DomainName) -> Pass {
        let domain = name.base_domain().unwrap_or_else(|| name.clone());
        let (enter, entered) = oneshot::channel();
        {
            let mut state = self.0.lock();
            let waiter = Waiter { domain, enter };
            let line = state.lines.iter_mut().find(|(whose, _)| *whose == reseller);
            match line {
                Some((_, line)) => line.push_back(waiter),
                None => state.lines.push_back((reseller, [waiter].into())),
            }
        }
        self.let_in();
        entered
            .await
            .expect("who waits is let in by whoever leaves")
    }

    /// Lets in whoever may enter.
    fn let_in(&self) {
        loop {
            // Who goes away in this moment gives the pass back, which takes the lock.
            let gone: Vec<Pass> = self.admit().into_iter().filter_map(send).collect();
            if gone.is_empty() {
                return;
            }
        }
    }

    fn admit(&self) -> Vec<(oneshot::Sender<Pass>, Pass)> {
        let mut state = self.0.lock();
        let mut admitted = Vec::new();
        let mut passed_over = 0;
        while passed_over < state.lines.len() {
            let Some((reseller, mut line)) = state.lines.pop_front() else {
                break;
            };
            match state.next_of(reseller, &mut line) {
                Some(Waiter { domain, enter }) => {
                    passed_over = 0;
                    state.shares.take(reseller.0);
                    *state.asking.entry(domain.clone()).or_default() += 1;
                    let gate = self.clone();
                    let pass = Pass {
                        gate,
                        reseller,
                        domain,
                    };
                    admitted.push((enter, pass));
                }
                // A line that has become empty is gone, and so not passed over.
                None => passed_over += usize::from(!line.is_empty()),
            }
            if !line.is_empty() {
                state.lines.push_back((reseller, line));
            }
        }
        admitted
    }
}

impl State {
    /// Takes the first out of a line who may enter. Who has gone away is forgotten.
    fn next_of(&self, reseller: ResellerId, line: &mut VecDeque<Waiter>) -> Option<Waiter> {
        if self.shares.allowance(reseller.0) == 0 {
            return None;
        }
        line.retain(|waiter| !waiter.enter.is_closed());
        let has_room = |waiter: &Waiter| {
            self.asking
                .get(&waiter.domain)
                .is_none_or(|asking| *asking < OF_ONE_DOMAIN)
        };
        let at = line.iter().position(has_room)?;
        line.remove(at)
    }
}

/// Hands a pass over; gives it back where nobody waits for it any more.
fn send((enter, pass): (oneshot::Sender<Pass>, Pass)) -> Option<Pass> {
    enter.send(pass).err()
}

impl Drop for Pass {
    fn drop(&mut self) {
        {
            let mut state = self.gate.0.lock();
            state.shares.give_back(self.reseller.0);
            if let Some(asking) = state.asking.get_mut(&self.domain) {
                *asking -= 1;
                if *asking == 0 {
                    state.asking.remove(&self.domain);
                }
            }
        }
        self.gate.let_in();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    /// Enters at once, or not at all.
    fn try_enter(gate: &LookGate, reseller: i64, host: &str) -> Option<Pass> {
        gate.enter(ResellerId(reseller), &name(host)).now_or_never()
    }

    #[test]
    fn one_reseller_leaves_room_for_the_next() {
        let gate = LookGate::new(20);
        let host = |at: usize| format!("shop{at}.example");
        let first: Vec<Pass> = (0..30)
            .filter_map(|at| try_enter(&gate, 1, &host(at)))
            .collect();
        assert_eq!(first.len(), 10);
        assert!(try_enter(&gate, 2, "other.example").is_some());
    }

    #[test]
    fn one_domain_is_asked_by_a_few_at_a_time() {
        let gate = LookGate::new(200);
        let host = |at: usize| format!("www{at}.shop.example");
        let asking: Vec<Pass> = (0..30)
            .filter_map(|at| try_enter(&gate, 1, &host(at)))
            .collect();
        assert_eq!(asking.len(), OF_ONE_DOMAIN);
        assert!(try_enter(&gate, 2, "shop.example").is_none());
        assert!(try_enter(&gate, 1, "other.example").is_some());
        drop(asking);
        assert!(try_enter(&gate, 2, "shop.example").is_some());
    }

    #[tokio::test]
    async fn those_who_wait_are_served_in_turn() {
        let gate = LookGate::new(1);
        let first = try_enter(&gate, 1, "a.example").unwrap();
        let order = Arc::new(Mutex::new(vec![]));
        let mut waiting = tokio::task::JoinSet::new();
        for (reseller, host) in [(1, "b.example"), (1, "c.example"), (2, "d.example")] {
            let (gate, order) = (gate.clone(), Arc::clone(&order));
            waiting.spawn(async move {
                let pass = gate.enter(ResellerId(reseller), &name(host)).await;
                order.lock().push(host);
                drop(pass);
            });
            tokio::task::yield_now().await;
        }
        drop(first);
        waiting.join_all().await;
        assert_eq!(*order.lock(), ["b.example", "d.example", "c.example"]);
        let state = gate.0.lock();
        assert!(state.lines.is_empty() && state.asking.is_empty());
        assert_eq!(state.shares.free(), 1);
    }

    #[test]
    fn who_gives_up_waiting_holds_nothing() {
        let gate = LookGate::new(1);
        let first = try_enter(&gate, 1, "a.example");
        for _ in 0..50 {
            assert!(try_enter(&gate, 2, "b.example").is_none());
        }
        drop(first);
        assert!(try_enter(&gate, 3, "c.example").is_some());
        assert_eq!(gate.0.lock().shares.free(), 1);
    }
}
