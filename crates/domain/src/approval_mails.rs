//! When an approver may be written to: the reader is to be spared, and no reseller is to stop another.
//!
//! Each reseller has a number of messages a day for an address that go out at once; after these it is slowed. All
//! resellers together have a number, too; once that is reached, those who have written little still write at once.

use jiff::{SignedDuration, Timestamp};

/// For how long messages count.
pub const COUNTED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How many messages of one reseller to one address go out at once.
const OWN: usize = 20;

/// How many messages to one address go out at once, whoever ordered.
const ALL: usize = 60;

/// How many messages of one reseller go out at once whatever the others do.
const ALWAYS: usize = 3;

/// How far apart the messages of a reseller are that is slowed.
const APART: SignedDuration = SignedDuration::from_hours(1);

/// How far ahead messages may wait for their turn.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// When the next message of a reseller to an address may be sent; `None` where too many wait already.
///
/// `own` are the times of the reseller's messages to the address, sent or to be sent, in any order; `all` counts
/// those of everybody. Both are of the last day and of what is to come.
pub fn next_mail(own: &[Timestamp], all: usize, now: Timestamp) -> Option<Timestamp> {
    let last = own.iter().max().copied();
    let waits = last.is_some_and(|last| last > now);
    let is_spared = own.len() < OWN && (all < ALL || own.len() < ALWAYS);
    match last {
        Some(last) if waits || !is_spared => {
            let turn = (last + APART).max(now);
            (turn <= now + AHEAD).then_some(turn)
        }
        Some(_) | None => Some(now),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    /// What is sent when this many are asked for, one a minute, while others have sent so many.
    fn sent(count: i64, others: usize) -> Vec<Option<Timestamp>> {
        let mut own = Vec::new();
        (0..count)
            .map(|minute| {
                let next = next_mail(&own, own.len() + others, at(minute));
                own.extend(next);
                next
            })
            .collect()
    }

    #[test]
    fn a_reseller_that_writes_much_is_slowed_then_refused() {
        let times = sent(60, 0);
        assert!((0..20).all(|n| times[n] == Some(at(n as i64))));
        assert_eq!(times[20], Some(at(19 + 60)));
        assert_eq!(times[21], Some(at(19 + 120)));
        let refused = times.iter().filter(|time| time.is_none()).count();
        assert!((15..20).contains(&refused), "{refused}");
    }

    #[test]
    fn what_others_wrote_stops_nobody() {
        let times = sent(5, 500);
        assert_eq!(times[..3], [Some(at(0)), Some(at(1)), Some(at(2))]);
        assert_eq!(times[3..], [Some(at(62)), Some(at(122))]);
    }

    proptest! {
        /// However often is asked: in no day does a reseller send an address more than its number and the hours
        /// of a day.
        #[test]
        fn nobody_is_flooded(gaps in prop::collection::vec(0..90_i64, 1..200)) {
            let (mut own, mut minute) = (Vec::<Timestamp>::new(), 0);
            for gap in gaps {
                minute += gap;
                let now = at(minute);
                let counted: Vec<_> = own.iter().copied().filter(|at| *at > now - COUNTED_FOR).collect();
                own.extend(next_mail(&counted, counted.len(), now));
            }
            for from in &own {
                let day = own.iter().filter(|at| **at >= *from && **at < *from + COUNTED_FOR).count();
                prop_assert!(day <= OWN + 25, "{}", day);
            }
        }
    }
}
