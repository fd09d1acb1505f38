//! When names are looked for: how often by themselves, how much less where servers are silent, and when again after a
//! shortage of our own.

use jiff::{SignedDuration, Timestamp};

/// The least time between two looks that were asked for, whoever asks.
const LOOK_INTERVAL: SignedDuration = SignedDuration::from_secs(5);

/// How long after a challenge was made the first look by itself comes: nobody has published its value sooner.
const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(5);

/// How often names are looked for by themselves: until challenges are so old, so often.
const PACES: [(SignedDuration, SignedDuration); 3] = [
    (SignedDuration::from_mins(15), SignedDuration::from_mins(1)),
    (SignedDuration::from_hours(1), SignedDuration::from_mins(5)),
    (
        SignedDuration::from_hours(24),
        SignedDuration::from_mins(15),
    ),
];

/// How often after that.
const LAST_PACE: SignedDuration = SignedDuration::from_hours(1);

/// How far silent servers, and shortages of our own, slow looks down that would be made more often.
const SILENCE_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// When a look is repeated first that could not be made for a reason of our own.
const AFTER_SHORTAGE: SignedDuration = SignedDuration::from_secs(30);

/// Whether a look was so long ago that another may be asked for. One of a clock that was ahead is over.
pub fn is_look_over(at: Timestamp, now: Timestamp) -> bool {
    let since = now.duration_since(at);
    since.is_negative() || since >= LOOK_INTERVAL
}

/// How far the looks of a run have come. A look at a run is a round: all its names, each once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// How many looks have been made since the challenges.
    pub looks: u32,
    /// When the last round ended.
    pub looked_at: Option<Timestamp>,
    /// When the challenges were made.
    pub challenged_at: Timestamp,
}

impl Pace {
    /// Whether someone who asks may have a look made now, rather than when it is due.
    pub fn may_look(self, now: Timestamp) -> bool {
        self.looked_at.is_none_or(|at| is_look_over(at, now))
    }

    /// From when on a look at a name belongs to the round that is under way.
    pub fn round_from(self) -> Timestamp {
        self.looked_at
            .map_or(self.challenged_at, |at| at.max(self.challenged_at))
    }

    /// How long ago the last round was, or, before the first, the challenges were made.
    pub fn since_last_look(self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.looked_at.unwrap_or(self.challenged_at))
    }

    /// How long to wait before the next look by itself: 5 seconds at first; then a minute until the challenges
    /// are a quarter of an hour old, five minutes for the rest of the hour, a quarter of an hour for the rest of the
    /// day, an hour from then on.
    pub fn delay(self, now: Timestamp) -> SignedDuration {
        let age = now.duration_since(self.challenged_at);
        // What the future is said to have asked for was asked for by a clock that was ahead: that may go on for long.
        let is_new = !age.is_negative() && age < FIRST_LOOK;
        if self.looks == 0 || is_new {
            return FIRST_LOOK;
        }
        let pace = PACES.iter().find(|(until, _)| age < *until);
        pace.map_or(LAST_PACE, |(_, pace)| *pace)
    }

    /// The same where all servers asked were silent or slow: twice as long as the time since the round before, unless
    /// that is more than a quarter of an hour.
    pub fn delay_after_silence(self, since: SignedDuration, now: Timestamp) -> SignedDuration {
        let doubled = since.saturating_mul(2).min(SILENCE_LIMIT);
        self.delay(now).max(doubled)
    }

    /// The same where no look could be made, for a reason of our own: half a minute at first, then as long as the look
    /// is late already, up to a quarter of an hour.
    pub fn delay_after_shortage(self, now: Timestamp) -> SignedDuration {
        let due = self.round_from() + self.delay(self.round_from());
        // A pause is up to a fifth longer than said.
        let tolerated = self.delay(self.round_from()) / 5;
        let late = now.duration_since(due) - tolerated;
        late.clamp(AFTER_SHORTAGE, SILENCE_LIMIT)
    }

    /// Until when a name is left out of looks at others of its run whose servers were silent at this moment: until its
    /// challenge is twice as old, unless that is more than a quarter of an hour.
    pub fn rests_until(self, silent_at: Timestamp) -> Timestamp {
        let age = silent_at.duration_since(self.challenged_at);
        silent_at + age.min(SILENCE_LIMIT)
    }

    /// Whether a look now comes before its time: someone has asked for it.
    pub fn is_early(self, now: Timestamp) -> bool {
        let round_from = self.round_from();
        now.duration_since(round_from) < self.delay(round_from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        start() + SignedDuration::from_secs(seconds)
    }

    fn a_pace() -> Pace {
        Pace {
            looks: 0,
            looked_at: None,
            challenged_at: start(),
        }
    }

    impl Pace {
        fn looked(self, now: Timestamp) -> Self {
            Self {
                looks: self.looks + 1,
                looked_at: Some(now),
                ..self
            }
        }
    }

    /// Looks by themselves, in seconds after the challenges were made.
    fn looks_within(seconds: i64) -> Vec<i64> {
        let mut pace = a_pace();
        let mut looks = vec![];
        let mut now = start();
        loop {
            now += pace.delay(now);
            let age = now.duration_since(start()).as_secs();
            if age > seconds {
                return looks;
            }
            pace = pace.looked(now);
            looks.push(age);
        }
    }

    #[test]
    fn looks_slow_down_with_the_age_of_the_challenges() {
        assert_eq!(looks_within(130), [5, 65, 125]);
        let day = looks_within(24 * 3_600);
        let between = |from, to| day.iter().filter(|age| (from..to).contains(*age)).count();
        assert_eq!(between(0, 900), 15);
        assert_eq!(between(900, 3_600), 9);
        assert_eq!(between(3_600, 24 * 3_600), 92);
        assert_eq!(looks_within(48 * 3_600).len(), day.len() + 24);
    }

    #[test]
    fn looks_that_are_asked_for_keep_their_distance() {
        let pace = a_pace().looked(start());
        assert!(!pace.may_look(at(4)));
        assert!(pace.may_look(at(5)));
    }

    #[test]
    fn silent_servers_are_asked_half_as_often_each_time() {
        let mut pace = a_pace();
        let mut now = start() + FIRST_LOOK;
        let mut delays = vec![];
        for _ in 0..7 {
            let since = pace.since_last_look(now);
            pace = pace.looked(now);
            let delay = pace.delay_after_silence(since, now);
            delays.push(delay.as_secs() / 60);
            now += delay;
        }
        assert_eq!(delays, [1, 2, 4, 8, 15, 15, 15]);
    }

    #[test]
    fn a_silent_name_rests_twice_as_long_each_time_while_others_are_looked_for() {
        let mut seconds = 60;
        let mut pauses = vec![];
        for _ in 0..6 {
            let until = a_pace().rests_until(at(seconds));
            let pause = until.duration_since(at(seconds)).as_secs();
            pauses.push(pause / 60);
            seconds += pause;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn shortages_of_our_own_are_backed_off_from() {
        for pace in [a_pace(), a_pace().looked(at(7_200))] {
            let mut now = pace.round_from() + pace.delay(pace.round_from());
            let mut delays = vec![];
            for _ in 0..20 {
                let delay = pace.delay_after_shortage(now);
                delays.push(delay.as_secs());
                now += delay;
            }
            assert_eq!(delays[0], 30);
            assert!(delays.is_sorted(), "{delays:?}");
            assert_eq!(delays[19], 900);
        }
    }

    proptest! {
        /// However old challenges are and whoever is silent, the next look comes, and slower with age.
        #[test]
        fn the_next_look_comes_within_bounds(
            age in 0..3_000_000_i64,
            older in 0..3_000_000_i64,
            since in 0..3_000_000_i64,
            looks in 1..2_000_u32,
        ) {
            let pace = Pace { looks, ..a_pace() };
            let delay = pace.delay(at(age));
            prop_assert!((FIRST_LOOK..=LAST_PACE).contains(&delay));
            prop_assert!(delay <= pace.delay(at(age + older)));
            let silent = pace.delay_after_silence(SignedDuration::from_secs(since), at(age));
            prop_assert!(delay <= silent && silent <= delay.max(SILENCE_LIMIT));
            let prevented = pace.delay_after_shortage(at(age));
            prop_assert!((AFTER_SHORTAGE..=SILENCE_LIMIT).contains(&prevented));
        }
    }
}
