//! The trail of who signed in, and who was turned away and why.
//!
//! Whoever can reach the listener adds to it, so it is bounded by construction: what is alike within a period is
//! one line with a count, names are shortened, and [`Trail`] takes so many different lines of refusals a minute
//! and no more; what is beyond is counted under a name of nobody's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::resellers::ResellerId;
use crate::texts::is_misleading;

/// How an attempt to get in ended.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AccessOutcome {
    /// A secret was right: a token was given, or a call that brought its credential was let in.
    SignedIn,
    /// Nobody has that user name.
    UnknownUsername,
    /// The secret was wrong.
    WrongSecret,
    /// There were too many wrong secrets before.
    Held,
    /// The credential was revoked.
    Revoked,
    /// The token is not one of ours.
    BadToken,
    /// The credential may not be used from there.
    AddressNotAllowed,
    /// The credential may not be used for that.
    OutOfScope,
    /// The reseller is suspended.
    Suspended,
}

impl AccessOutcome {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SignedIn,
        Self::UnknownUsername,
        Self::WrongSecret,
        Self::Held,
        Self::Revoked,
        Self::BadToken,
        Self::AddressNotAllowed,
        Self::OutOfScope,
        Self::Suspended,
    ];

    /// The word under which the outcome is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::UnknownUsername => "unknown_username",
            Self::WrongSecret => "wrong_secret",
            Self::Held => "held",
            Self::Revoked => "revoked",
            Self::BadToken => "bad_token",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::OutOfScope => "out_of_scope",
            Self::Suspended => "suspended",
        }
    }

    /// Reads [`AccessOutcome::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }

    /// What is alike within so many seconds is one line.
    fn period_seconds(self) -> i64 {
        match self {
            // Who is let in is known, so there are few of them; but they come all day.
            Self::SignedIn => 3_600,
            _ => 60,
        }
    }
}

/// What makes two attempts alike.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AccessKey {
    /// When the hour, or for refusals the minute, began.
    pub period: Timestamp,
    /// How they ended.
    pub outcome: AccessOutcome,
    /// The user name that was given, as far as it can be shown; nothing where there was none.
    pub username: String,
    /// From where; a network of 64 bits has one line: whoever has an IPv6 address has at least all of it.
    pub address: String,
}

/// A line of the trail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessLine {
    /// What its attempts have in common.
    pub key: AccessKey,
    /// Whose credential it was, where that is known.
    pub reseller: Option<ResellerId>,
    /// How many attempts.
    pub times: i64,
    /// When the last of them was.
    pub last_at: Timestamp,
}

/// Stands for the names and addresses of a minute beyond those that are told one by one.
pub const OTHERS: &str = "(others)";

/// How many different lines of refusals a minute are told one by one.
pub const LINES_A_MINUTE: usize = 100;

/// How many of them from one address.
pub const LINES_AN_ADDRESS: usize = 10;

/// How many characters of a user name are kept.
const NAME_MAX: usize = 64;

/// What was seen and is not on record yet.
#[derive(Debug, Default)]
pub struct Trail {
    lines: HashMap<AccessKey, AccessLine>,
    /// How many lines of refusals each minute has, those on record already among them: all, and by address.
    minutes: BTreeMap<Timestamp, (usize, HashMap<String, usize>)>,
    /// The lines of the last hour.
    known: HashSet<AccessKey>,
}

impl Trail {
    /// Adds an attempt; says whether it is the first of its line, so that it is worth a line in a log.
    pub fn note(
        &mut self,
        outcome: AccessOutcome,
        username: &str,
        address: IpAddr,
        reseller: Option<ResellerId>,
        now: Timestamp,
    ) -> bool {
        let seconds = outcome.period_seconds();
        let begin = now.as_second().div_euclid(seconds) * seconds;
        let mut key = AccessKey {
            period: Timestamp::from_second(begin).unwrap_or(now),
            outcome,
            username: shown(username),
            address: network(address),
        };
        if outcome != AccessOutcome::SignedIn {
            self.bound(&mut key);
        }
        let is_new = self.known.insert(key.clone());
        let line = self.lines.entry(key.clone()).or_insert(AccessLine {
            key,
            reseller,
            times: 0,
            last_at: now,
        });
        line.times += 1;
        line.last_at = line.last_at.max(now);
        is_new
    }

    /// Makes a line that is one too many one of others.
    fn bound(&mut self, key: &mut AccessKey) {
        if self.known.contains(key) {
            return;
        }
        let (all, by_address) = self.minutes.entry(key.period).or_default();
        let of_address = by_address.get(&key.address).copied().unwrap_or(0);
        if *all >= LINES_A_MINUTE {
            key.username = OTHERS.to_owned();
            key.address = OTHERS.to_owned();
        } else if of_address >= LINES_AN_ADDRESS {
            key.username = OTHERS.to_owned();
            // Such a line is one more, once for each address.
            if !self.known.contains(key) {
                *all += 1;
            }
        } else {
            *all += 1;
            *by_address.entry(key.address.clone()).or_default() += 1;
        }
    }

    /// Takes what is to be put on record, and forgets the bounds of minutes that are over.
    pub fn take(&mut self, now: Timestamp) -> Vec<AccessLine> {
        let hour_ago = now - SignedDuration::from_hours(1);
        self.known.retain(|key| key.period > hour_ago);
        self.minutes.retain(|minute, _| *minute > hour_ago);
        let mut lines: Vec<AccessLine> = self.lines.drain().map(|(_, line)| line).collect();
        // All processes write in one order.
        lines.sort_by(|one, other| one.key.cmp(&other.key));
        lines
    }

    /// Puts back what could not be put on record.
    pub fn put_back(&mut self, lines: Vec<AccessLine>) {
        for line in lines {
            match self.lines.get_mut(&line.key) {
                Some(held) => {
                    held.times += line.times;
                    held.last_at = held.last_at.max(line.last_at);
                }
                None => {
                    self.lines.insert(line.key.clone(), line);
                }
            }
        }
    }

    /// How many lines wait to be put on record.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// A user name as it can be shown to people, and no more of it than is needed to know it by.
fn shown(username: &str) -> String {
    let clean = |character| match is_misleading(character) {
        true => char::REPLACEMENT_CHARACTER,
        false => character,
    };
    username.chars().take(NAME_MAX).map(clean).collect()
}

/// How the trail tells an address.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            let network = std::net::Ipv6Addr::from_bits(six.to_bits() >> 64 << 64);
            format!("{network}/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 / 3_600 * 3_600 + seconds).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_alike_is_one_line_with_a_count() {
        let mut trail = Trail::default();
        let mut wrong = |name: &str, from: &str, seconds| {
            let outcome = AccessOutcome::WrongSecret;
            trail.note(
                outcome,
                name,
                address(from),
                Some(ResellerId(7)),
                at(seconds),
            )
        };
        assert!(wrong("ann", "203.0.113.7", 1));
        assert!(!wrong("ann", "203.0.113.7", 59));
        assert!(wrong("ann", "203.0.113.7", 60));
        assert!(wrong("ann", "2001:db8::1", 61));
        assert!(!wrong("ann", "2001:db8::2", 62));
        assert!(wrong("bob", "203.0.113.7", 62));
        let lines = trail.take(at(63));
        let mut told: Vec<_> = lines
            .iter()
            .map(|line| {
                let key = &line.key;
                (
                    key.period,
                    key.username.as_str(),
                    key.address.as_str(),
                    line.times,
                )
            })
            .collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                (at(0), "ann", "203.0.113.7", 2),
                (at(60), "ann", "2001:db8::/64", 2),
                (at(60), "ann", "203.0.113.7", 1),
                (at(60), "bob", "203.0.113.7", 1),
            ]
        );
        assert!(trail.is_empty());
        assert!(
            AccessOutcome::ALL
                .into_iter()
                .all(|outcome| AccessOutcome::parse(outcome.as_str()) == Some(outcome))
        );
    }

    #[test]
    fn what_failed_to_be_written_is_counted_on() {
        let mut trail = Trail::default();
        let note = |trail: &mut Trail, seconds| {
            trail.note(
                AccessOutcome::SignedIn,
                "ann",
                address("::1"),
                None,
                at(seconds),
            );
        };
        note(&mut trail, 1);
        let lines = trail.take(at(2));
        note(&mut trail, 3);
        trail.put_back(lines);
        let lines = trail.take(at(4));
        assert_eq!(
            (lines.len(), lines[0].times, lines[0].last_at),
            (1, 2, at(3))
        );
    }

    #[test]
    fn names_are_shown_safely() {
        assert_eq!(shown("a\u{1b}[31m\u{202e}b"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(shown(&"x".repeat(5_000)).len(), NAME_MAX);
    }

    proptest! {
        /// However many guess from however many places, a minute has a bounded number of lines, and every attempt
        /// is counted.
        #[test]
        fn nobody_fills_the_trail(
            attempts in prop::collection::vec((0_u32..400, 0_u32..300), 1..1_500),
            takes in prop::collection::vec(any::<bool>(), 1_500),
        ) {
            let mut trail = Trail::default();
            let mut keys = std::collections::HashSet::new();
            let mut times = 0;
            let mut count = |lines: Vec<AccessLine>| {
                for line in lines {
                    times += line.times;
                    keys.insert(line.key);
                }
            };
            for ((name, place), is_taken) in attempts.iter().zip(takes) {
                let place = IpAddr::from(std::net::Ipv4Addr::from(*place));
                trail.note(AccessOutcome::UnknownUsername, &name.to_string(), place, None, at(1));
                if is_taken {
                    count(trail.take(at(2)));
                }
            }
            count(trail.take(at(3)));
            prop_assert_eq!(times, i64::try_from(attempts.len()).unwrap());
            // One more for the others of all places.
            prop_assert!(keys.len() <= LINES_A_MINUTE + 1, "{}", keys.len());
        }
    }
}
