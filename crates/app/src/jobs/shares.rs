//! Slots that owners share, and the order in which owners are served.
//!
//! Nobody has more slots than are free: one who asks for thousands of checks gets half of the slots, two get a third
//! each, and whoever comes next finds room. Owners are served in rounds, each a few jobs at a time.

use std::collections::{HashMap, VecDeque};

use chancery_store::Turn;

/// How many owners one claim may serve: each is a statement.
const TURNS_AT_ONCE: usize = 64;

/// Slots, and who has how many of them.
#[derive(Debug)]
pub(super) struct Shares {
    limit: usize,
    taken: usize,
    of: HashMap<i64, usize>,
}

impl Shares {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: 0,
            of: HashMap::new(),
        }
    }

    /// How many nobody has.
    pub(super) fn free(&self) -> usize {
        self.limit.saturating_sub(self.taken)
    }

    /// How many more an owner may take: as long as it has fewer than are free.
    pub(super) fn allowance(&self, owner: i64) -> usize {
        let own = self.of.get(&owner).copied().unwrap_or(0);
        self.free().saturating_sub(own).div_ceil(2)
    }

    pub(super) fn take(&mut self, owner: i64) {
        self.taken += 1;
        *self.of.entry(owner).or_default() += 1;
    }

    pub(super) fn give_back(&mut self, owner: i64) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(own) = self.of.get_mut(&owner) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.of.remove(&owner);
            }
        }
    }
}

/// The owners who wait for their turn in this round.
#[derive(Debug)]
pub(super) struct Round {
    waiting: VecDeque<i64>,
    /// Who had the last turn: the next round goes on with the owners after.
    pub(super) last: i64,
}

impl Round {
    /// Below every owner.
    pub(super) const START: i64 = -1;

    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            last: Self::START,
        }
    }

    /// Whether everybody had their turn.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Begins a round of these owners.
    pub(super) fn begin(&mut self, owners: Vec<i64>) {
        self.waiting = owners.into();
    }

    /// The next turns, as far as there are slots. Who has its share is passed over.
    pub(super) fn turns(&mut self, shares: &Shares) -> Vec<Turn> {
        let mut free = shares.free();
        let each = (free / self.waiting.len().max(1)).max(1);
        let mut turns = Vec::new();
        while free > 0 && turns.len() < TURNS_AT_ONCE {
            let Some(owner) = self.waiting.pop_front() else {
                break;
            };
            self.last = owner;
            let count = shares.allowance(owner).min(each).min(free);
            if count > 0 {
                free -= count;
                let limit = i64::try_from(count).unwrap_or(i64::MAX);
                turns.push(Turn { owner, limit });
            }
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flood(shares: &mut Shares, owner: i64) -> usize {
        let mut count = 0;
        while shares.allowance(owner) > 0 {
            shares.take(owner);
            count += 1;
        }
        count
    }

    #[test]
    fn who_asks_for_everything_leaves_half() {
        let mut shares = Shares::new(256);
        assert_eq!(shares.allowance(1), 128);
        assert_eq!(flood(&mut shares, 1), 128);
        assert_eq!(flood(&mut shares, 2), 64);
        assert_eq!(shares.free(), 64);
        // As checks end, the first gets none anew before the others have as many.
        for _ in 0..20 {
            shares.give_back(1);
        }
        assert_eq!(shares.allowance(1), 0);
        assert!(shares.allowance(2) > 0 && shares.allowance(3) > 0);
    }

    #[test]
    fn one_slot_goes_from_hand_to_hand() {
        let mut shares = Shares::new(1);
        shares.take(1);
        assert_eq!((shares.allowance(1), shares.allowance(2)), (0, 0));
        shares.give_back(1);
        assert_eq!(shares.allowance(2), 1);
    }

    #[test]
    fn everybody_has_a_turn_before_anybody_has_the_next() {
        let shares = Shares::new(4);
        let mut round = Round::new();
        round.begin((1..=6).collect());
        let first: Vec<i64> = round.turns(&shares).iter().map(|turn| turn.owner).collect();
        assert_eq!((first, round.last), (vec![1, 2, 3, 4], 4));
        let rest: Vec<i64> = round.turns(&shares).iter().map(|turn| turn.owner).collect();
        assert_eq!((rest, round.last), (vec![5, 6], 6));
        assert!(round.is_over());
        round.begin(vec![7]);
        let alone = round.turns(&shares);
        assert_eq!(alone, [Turn { owner: 7, limit: 2 }]);
    }

    proptest! {
        /// Whoever comes and goes: never are more slots taken than there are, all of them come back, and who has
        /// nothing may take what is free.
        #[test]
        fn slots_are_never_overdrawn(
            limit in 1..40_usize,
            moves in prop::collection::vec((0..6_i64, any::<bool>()), 0..200),
        ) {
            let mut shares = Shares::new(limit);
            let mut held: Vec<i64> = vec![];
            for (owner, takes) in moves {
                if takes && shares.allowance(owner) > 0 {
                    shares.take(owner);
                    held.push(owner);
                } else if let Some(at) = held.iter().position(|holder| *holder == owner) {
                    shares.give_back(held.remove(at));
                }
                prop_assert_eq!(shares.free(), limit - held.len());
                prop_assert_eq!(shares.allowance(99) > 0, shares.free() > 0);
            }
        }

        /// A claim asks for no more than is free, and for each owner once.
        #[test]
        fn turns_fit_the_slots(
            limit in 1..300_usize,
            owners in prop::collection::btree_set(0..500_i64, 0..200),
            flooding in prop::collection::vec(0..500_i64, 0..3),
        ) {
            let mut shares = Shares::new(limit);
            for owner in flooding {
                flood(&mut shares, owner);
            }
            let mut round = Round::new();
            round.begin(owners.into_iter().collect());
            let turns = round.turns(&shares);
            let asked: i64 = turns.iter().map(|turn| turn.limit).sum();
            prop_assert!(asked <= i64::try_from(shares.free()).unwrap());
            prop_assert!(turns.windows(2).all(|pair| pair[0].owner < pair[1].owner));
        }
    }
}
