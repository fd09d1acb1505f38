//! What may go wrong at any rate, and is told once a minute with the number of times.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long a cause that was told is not told again.
const QUIET: Duration = Duration::from_secs(60);

/// When each cause was told last, and how often it has come since. There are few causes.
pub(crate) struct Complaints<C>(HashMap<C, (Instant, u64)>);

impl<C: Eq + Hash> Complaints<C> {
    /// None so far.
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Counts a cause that came now. Tells, once in a while, how often it has come since it was told last.
    pub(crate) fn count(&mut self, cause: C, now: Instant) -> Option<u64> {
        let Some((told_at, count)) = self.0.get_mut(&cause) else {
            self.0.insert(cause, (now, 0));
            return Some(1);
        };
        *count += 1;
        if now.duration_since(*told_at) < QUIET {
            return None;
        }
        *told_at = now;
        Some(std::mem::take(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_a_minute_with_the_times_since() {
        let mut complaints = Complaints::new();
        let start = Instant::now();
        let mut told = Vec::new();
        for second in 0..=120 {
            let now = start + Duration::from_secs(second);
            for _ in 0..1_000 {
                told.extend(complaints.count("too many", now));
            }
        }
        assert_eq!(told, [1, 60_000, 60_000]);
        assert_eq!(complaints.count("no descriptors", start), Some(1));
        assert_eq!(complaints.count("no descriptors", start), None);
    }
}
