//! How often one may call.
//!
//! A [`Tally`] counts the calls of one subject in one process: those of this day and this month, in UTC, and how
//! close together they come. Several processes count the same subject, each for itself, and settle now and then
//! with the sum they share: what a process has let through since is *fresh*. It may let through only so many
//! fresh calls before it settles, so all of them together exceed a limit by at most that number for each process.
//!
//! Nothing here looks at a clock. One that goes backwards leaves the counts as they are and opens the burst.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// How often something may be done; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RateLimits {
    /// In a day.
    pub per_day: u32,
    /// In a month.
    pub per_month: u32,
    /// In a second, in the long run.
    pub per_second: u32,
    /// At once, after a pause; at least one.
    pub burst: u32,
}

impl RateLimits {
    fn of(&self, span: Span) -> u32 {
        match span {
            Span::Day => self.per_day,
            Span::Month => self.per_month,
        }
    }

    /// Whether calls have to be counted over longer times.
    pub fn are_counted(&self) -> bool {
        self.per_day > 0 || self.per_month > 0
    }

    /// Whether there is any limit.
    pub fn exist(&self) -> bool {
        self.are_counted() || self.per_second > 0
    }

    /// How many fresh calls a process may let through: a hundredth of the smaller limit, at least one.
    pub fn most_fresh(&self) -> u64 {
        let limits = [self.per_day, self.per_month];
        let smallest = limits.into_iter().filter(|limit| *limit > 0).min();
        smallest.map_or(u64::MAX, |limit| u64::from(limit / 100).clamp(1, 1000))
    }

    fn pace(&self) -> Pace {
        Pace::new(SignedDuration::from_secs(1), self.per_second, self.burst)
    }
}

/// A stretch of time in which calls are counted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Span {
    /// A day.
    Day,
    /// A month.
    Month,
}

/// A day or a month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Period {
    span: Span,
    first: Date,
}

impl Period {
    /// The one that a moment lies in.
    pub fn at(span: Span, moment: Timestamp) -> Self {
        let date = moment.to_zoned(TimeZone::UTC).date();
        let first = match span {
            Span::Day => date,
            Span::Month => date.first_of_month(),
        };
        Self { span, first }
    }

    /// Its name: `2026-11-22`, `2026-11`.
    pub fn name(&self) -> String {
        let first = self.first;
        match self.span {
            Span::Day => first.to_string(),
            Span::Month => format!("{:04}-{:02}", first.year(), first.month()),
        }
    }

    /// The first moment after it.
    pub fn ends_at(&self) -> Timestamp {
        let next = match self.span {
            Span::Day => self.first.checked_add(1.day()),
            Span::Month => self.first.checked_add(1.month()),
        };
        let midnight = next.and_then(|next| next.to_zoned(TimeZone::UTC));
        midnight.map_or(Timestamp::MAX, |midnight| midnight.timestamp())
    }
}

/// Why a call is one too many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Excess {
    /// So many there may be in a second.
    Second(u32),
    /// So many there may be in a day.
    Day(u32),
    /// So many there may be in a month.
    Month(u32),
}

/// Why a call is not let through now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hold {
    /// It is one too many until then.
    Until(Timestamp, Excess),
    /// Too many calls are fresh: settle first, then ask again.
    Settle,
}

/// How often something may be done in the long run, and how often at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    interval_micros: i64,
    burst: i64,
}

impl Pace {
    /// So many times in a while, and up to `burst` times at once. No times at all is no limit.
    pub fn new(while_: SignedDuration, times: u32, burst: u32) -> Self {
        let micros = i64::try_from(while_.as_micros()).unwrap_or(i64::MAX);
        let interval_micros = micros.checked_div(i64::from(times)).unwrap_or(0);
        let burst = i64::from(burst.max(1));
        Self {
            interval_micros,
            burst,
        }
    }

    /// Whether there is no limit.
    pub fn is_unlimited(&self) -> bool {
        self.interval_micros == 0
    }

    fn depth_micros(&self) -> i64 {
        self.interval_micros.saturating_mul(self.burst)
    }
}

/// What is left of a burst: a token bucket, kept as the moment at which it will be full again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bucket {
    full_at_micros: i64,
}

impl Bucket {
    /// When there is room for one more, if not now.
    pub fn room_at(&self, pace: &Pace, now: Timestamp) -> Option<Timestamp> {
        let now = now.as_microsecond();
        let after = self.missing_since(pace, now) + pace.interval_micros;
        let wait = after - now - pace.depth_micros();
        (wait > 0).then(|| Timestamp::from_microsecond(now + wait).unwrap_or(Timestamp::MAX))
    }

    /// Takes one out.
    pub fn take(&mut self, pace: &Pace, now: Timestamp) {
        self.full_at_micros = self.missing_since(pace, now.as_microsecond()) + pace.interval_micros;
    }

    /// When it is full again, if nothing more is taken.
    pub fn full_at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.full_at_micros).unwrap_or(Timestamp::MAX)
    }

    /// Whether nothing was taken lately.
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.full_at_micros <= now.as_microsecond()
    }

    fn missing_since(&self, pace: &Pace, now: i64) -> i64 {
        // Further ahead than an empty bucket can be: the clock went back.
        match self.full_at_micros > now.saturating_add(pace.depth_micros()) {
            true => now,
            false => self.full_at_micros.max(now),
        }
    }
}

/// The calls of a period.
#[derive(Clone, Copy, Debug)]
struct Count {
    period: Period,
    ends_at: Timestamp,
    /// Calls that all processes know of.
    settled: u64,
    /// Calls of this process since.
    fresh: u64,
}

impl Count {
    fn new(span: Span, now: Timestamp) -> Self {
        let period = Period::at(span, now);
        Self {
            period,
            ends_at: period.ends_at(),
            settled: 0,
            fresh: 0,
        }
    }

    /// Goes on to the period of this moment. What was still fresh of the one before does not matter any more.
    fn move_on(&mut self, now: Timestamp) {
        if now >= self.ends_at {
            *self = Self::new(self.period.span, now);
        }
    }

    fn excess(&self, limits: &RateLimits) -> Option<Hold> {
        let limit = limits.of(self.period.span);
        let is_over = limit > 0 && self.settled + self.fresh >= u64::from(limit);
        let excess = match self.period.span {
            Span::Day => Excess::Day(limit),
            Span::Month => Excess::Month(limit),
        };
        is_over.then_some(Hold::Until(self.ends_at, excess))
    }
}

/// The calls of one subject, as one process counts them.
#[derive(Clone, Debug)]
pub struct Tally {
    counts: [Count; 2],
    bucket: Bucket,
}

impl Tally {
    /// Nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            counts: [Span::Month, Span::Day].map(|span| Count::new(span, now)),
            bucket: Bucket::default(),
        }
    }

    /// What keeps a call from being let through, if anything does: a limit first, a settlement last.
    pub fn hold(&mut self, limits: &RateLimits, now: Timestamp) -> Option<Hold> {
        for count in &mut self.counts {
            count.move_on(now);
        }
        let over = self.counts.iter().find_map(|count| count.excess(limits));
        let burst = || {
            let room_at = self.bucket.room_at(&limits.pace(), now)?;
            Some(Hold::Until(room_at, Excess::Second(limits.per_second)))
        };
        let settle = || {
            let mut counts = self.counts.iter();
            let is_due = counts.any(|count| count.fresh >= limits.most_fresh());
            is_due.then_some(Hold::Settle)
        };
        over.or_else(burst).or_else(settle)
    }

    /// Counts a call that is let through. Whether it is time to settle soon.
    pub fn count(&mut self, limits: &RateLimits, now: Timestamp) -> bool {
        for count in &mut self.counts {
            count.move_on(now);
            count.fresh += 1;
        }
        self.bucket.take(&limits.pace(), now);
        let enough = limits.most_fresh().div_ceil(2);
        self.counts.iter().any(|count| count.fresh == enough)
    }

    /// What is fresh, by period.
    pub fn fresh(&self) -> impl Iterator<Item = (Period, u64)> {
        let counts = self.counts.iter().filter(|count| count.fresh > 0);
        counts.map(|count| (count.period, count.fresh))
    }

    /// So many fresh calls of a period are settled, whose sum is this now. A period that is over is let be.
    pub fn settle(&mut self, period: Period, calls: u64, sum: u64) {
        let count = self.counts.iter_mut().find(|count| count.period == period);
        if let Some(count) = count {
            count.fresh = count.fresh.saturating_sub(calls);
            count.settled = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn seconds(from: Timestamp, seconds: i64) -> Timestamp {
        from + SignedDuration::from_secs(seconds)
    }

    const NOON: &str = "2026-11-22T12:00:00Z";

    #[test]
    fn days_and_months_are_those_of_utc() {
        let named = |span, text: &str| {
            let period = Period::at(span, at(text));
            (period.name(), period.ends_at().to_string())
        };
        let of = |name: &str, end: &str| (name.to_owned(), end.to_owned());
        assert_eq!(
            named(Span::Day, "2026-12-31T23:59:59.999999Z"),
            of("2026-12-31", "2027-01-01T00:00:00Z")
        );
        assert_eq!(
            named(Span::Month, "2028-02-29T00:00:00Z"),
            of("2028-02", "2028-03-01T00:00:00Z")
        );
        assert_eq!(
            named(Span::Month, "2026-12-31T23:59:59Z"),
            of("2026-12", "2027-01-01T00:00:00Z")
        );
    }

    /// Calls until held, settling with nobody else; the number let through and what held.
    fn call(tally: &mut Tally, limits: &RateLimits, now: Timestamp) -> (u32, Timestamp, Excess) {
        let mut calls = 0;
        loop {
            match tally.hold(limits, now) {
                None => {
                    tally.count(limits, now);
                    calls += 1;
                }
                Some(Hold::Settle) => settle_alone(tally),
                Some(Hold::Until(until, excess)) => return (calls, until, excess),
            }
        }
    }

    fn settle_alone(tally: &mut Tally) {
        let fresh: Vec<(Period, u64)> = tally.fresh().collect();
        for (period, calls) in fresh {
            let known = tally.counts.iter().find(|count| count.period == period);
            let sum = known.unwrap().settled + calls;
            tally.settle(period, calls, sum);
        }
    }

    #[test]
    fn a_day_ends_at_midnight_and_a_month_on_the_first() {
        let limits = RateLimits {
            per_day: 500,
            per_month: 700,
            ..RateLimits::default()
        };
        let mut tally = Tally::new(at(NOON));
        let (calls, until, excess) = call(&mut tally, &limits, at(NOON));
        assert_eq!((calls, excess), (500, Excess::Day(500)));
        assert_eq!(until, at("2026-11-23T00:00:00Z"));
        let before = call(&mut tally, &limits, at("2026-11-22T23:59:59.999999Z"));
        assert_eq!(before.0, 0);
        let (calls, until, excess) = call(&mut tally, &limits, until);
        assert_eq!((calls, excess), (200, Excess::Month(700)));
        assert_eq!(until, at("2026-12-01T00:00:00Z"));
        assert_eq!(call(&mut tally, &limits, until).0, 500);
        // A clock that goes back gives nothing away.
        assert_eq!(call(&mut tally, &limits, at(NOON)).0, 0);
    }

    #[test]
    fn a_burst_passes_and_then_the_pace_holds() {
        let limits = RateLimits {
            per_second: 50,
            burst: 100,
            ..RateLimits::default()
        };
        let now = at(NOON);
        let mut tally = Tally::new(now);
        let (calls, until, excess) = call(&mut tally, &limits, now);
        assert_eq!((calls, excess), (100, Excess::Second(50)));
        assert_eq!(until, now + SignedDuration::from_millis(20));
        assert_eq!(call(&mut tally, &limits, until).0, 1);
        assert_eq!(call(&mut tally, &limits, seconds(until, 1)).0, 50);
        assert_eq!(call(&mut tally, &limits, seconds(until, 3600)).0, 100);
        // A clock that goes back far opens the burst, and does not close it for as long.
        assert_eq!(call(&mut tally, &limits, now).0, 100);
    }

    #[test]
    fn what_is_over_a_limit_is_told_so_whatever_has_to_be_settled() {
        let limits = RateLimits {
            per_day: 2,
            per_month: 3,
            per_second: 1,
            burst: 1,
        };
        let now = at(NOON);
        let mut tally = Tally::new(now);
        assert!(tally.count(&limits, now), "one is much, of two");
        let second = Hold::Until(seconds(now, 1), Excess::Second(1));
        assert_eq!(tally.hold(&limits, now), Some(second));
        assert_eq!(tally.hold(&limits, seconds(now, 1)), Some(Hold::Settle));
        tally.count(&limits, seconds(now, 1));
        let day = Hold::Until(at("2026-11-23T00:00:00Z"), Excess::Day(2));
        assert_eq!(tally.hold(&limits, seconds(now, 1)), Some(day));
        tally.count(&limits, seconds(now, 2));
        let month = Hold::Until(at("2026-12-01T00:00:00Z"), Excess::Month(3));
        assert_eq!(tally.hold(&limits, seconds(now, 2)), Some(month));
    }

    #[test]
    fn what_has_no_limit_is_not_held() {
        let now = at(NOON);
        let mut tally = Tally::new(now);
        for _ in 0..10_000 {
            assert_eq!(tally.hold(&RateLimits::default(), now), None);
            tally.count(&RateLimits::default(), now);
        }
        assert!(!RateLimits::default().exist());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Call(usize),
        /// A settlement is sent, and meanwhile calls come in.
        Settle(usize, u8),
        /// A process is killed and comes back with what is settled.
        Kill(usize),
    }

    fn step(processes: usize) -> impl Strategy<Value = Step> {
        let process = 0..processes;
        prop_oneof![
            20 => process.clone().prop_map(Step::Call),
            2 => (process.clone(), 0_u8..8).prop_map(|(at, calls)| Step::Settle(at, calls)),
            1 => process.prop_map(Step::Kill),
        ]
    }

    /// Processes that count the same subject, and the sum they share.
    struct Cluster {
        limits: RateLimits,
        tallies: Vec<Tally>,
        shared: HashMap<Period, u64>,
        let_through: u64,
    }

    impl Cluster {
        fn call(&mut self, process: usize) {
            let now = at(NOON);
            loop {
                match self.tallies[process].hold(&self.limits, now) {
                    None => {
                        self.tallies[process].count(&self.limits, now);
                        self.let_through += 1;
                        return;
                    }
                    Some(Hold::Settle) => self.settle(process, 0),
                    Some(Hold::Until(..)) => return,
                }
            }
        }

        fn settle(&mut self, process: usize, meanwhile: u8) {
            let sent: Vec<(Period, u64)> = self.tallies[process].fresh().collect();
            for _ in 0..meanwhile {
                // Not one that would have to wait for this very settlement.
                if self.tallies[process].hold(&self.limits, at(NOON)).is_none() {
                    self.call(process);
                }
            }
            for (period, calls) in sent {
                let sum = self.shared.entry(period).or_default();
                *sum += calls;
                self.tallies[process].settle(period, calls, *sum);
            }
        }

        fn start(&self) -> Tally {
            let mut tally = Tally::new(at(NOON));
            for (period, sum) in &self.shared {
                tally.settle(*period, 0, *sum);
            }
            tally
        }
    }

    proptest! {
        #[test]
        fn processes_together_exceed_a_limit_by_no_more_than_they_may_have_fresh(
            per_day in 1_u32..600,
            steps in prop::collection::vec(step(3), 0..1500),
        ) {
            let limits = RateLimits { per_day, per_month: 1000, ..RateLimits::default() };
            let mut cluster = Cluster {
                limits,
                tallies: vec![Tally::new(at(NOON)); 3],
                shared: HashMap::new(),
                let_through: 0,
            };
            let mut kills = 0;
            for step in steps {
                match step {
                    Step::Call(process) => cluster.call(process),
                    Step::Settle(process, meanwhile) => cluster.settle(process, meanwhile),
                    Step::Kill(process) => {
                        kills += 1;
                        cluster.tallies[process] = cluster.start();
                    }
                }
                let most = u64::from(per_day) + (3 + kills) * limits.most_fresh();
                prop_assert!(cluster.let_through <= most, "{} of {most}", cluster.let_through);
            }
        }

        #[test]
        fn no_second_has_more_than_the_pace_and_a_burst(
            per_second in 1_u32..100, burst in 0_u32..50,
            gaps in prop::collection::vec(0_i64..200_000, 1..400),
        ) {
            let limits = RateLimits { per_second, burst, ..RateLimits::default() };
            let mut tally = Tally::new(at(NOON));
            let mut now = at(NOON);
            let mut passed: Vec<Timestamp> = Vec::new();
            for gap in gaps {
                now += SignedDuration::from_micros(gap);
                match tally.hold(&limits, now) {
                    None => {
                        tally.count(&limits, now);
                        passed.push(now);
                    }
                    Some(Hold::Until(until, _)) => {
                        prop_assert!(until > now && until <= seconds(now, 1));
                        prop_assert_eq!(tally.hold(&limits, until), None);
                    }
                    Some(Hold::Settle) => prop_assert!(false, "nothing is counted"),
                }
            }
            for (at, first) in passed.iter().enumerate() {
                let within = passed[at..].iter().take_while(|one| **one < seconds(*first, 1));
                // Up to a rounding of the interval to microseconds.
                let most = per_second + burst.max(1) + 1;
                prop_assert!(within.count() <= most as usize);
            }
        }
    }
}
