//! Shortages of our own: told to the operator, each at most once a minute, and to nobody else.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a cause that was told is not told again.
const QUIET: Duration = Duration::from_secs(60);

/// How many causes are remembered; beyond that the oldest are forgotten, and told once more.
const REMEMBERED: usize = 256;

/// Which causes were told lately.
#[derive(Debug, Default)]
pub(crate) struct Shortages(Mutex<HashMap<String, Instant>>);

impl Shortages {
    /// Whether a cause is to be told now. Whoever asks is taken to tell it.
    pub(crate) fn is_news(&self, cause: &str) -> bool {
        self.is_news_at(cause, Instant::now())
    }

    fn is_news_at(&self, cause: &str, now: Instant) -> bool {
        let mut told = self.0.lock();
        if told
            .get(cause)
            .is_some_and(|at| now.duration_since(*at) < QUIET)
        {
            return false;
        }
        if told.len() >= REMEMBERED {
            told.retain(|_, at| now.duration_since(*at) < QUIET);
        }
        if told.len() >= REMEMBERED {
            told.clear();
        }
        told.insert(cause.to_owned(), now);
        true
    }
}

/// Whether an error of the system is a lack of ours: descriptors, memory, ports, or a way to the network.
pub(crate) fn is_ours(error: &io::Error) -> bool {
    const EMFILE_ENFILE_ENOMEM_ENOBUFS: [i32; 4] = [24, 23, 12, 105];
    let by_number = error
        .raw_os_error()
        .is_some_and(|number| EMFILE_ENFILE_ENOMEM_ENOBUFS.contains(&number));
    by_number
        || matches!(
            error.kind(),
            io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::AddrInUse
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::OutOfMemory
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_a_minute() {
        let shortages = Shortages::default();
        let now = Instant::now();
        assert!(shortages.is_news_at("no descriptors", now));
        assert!(!shortages.is_news_at("no descriptors", now));
        assert!(shortages.is_news_at("no route", now));
        assert!(shortages.is_news_at("no descriptors", now + QUIET));
        for n in 0..3 * REMEMBERED {
            assert!(shortages.is_news(&n.to_string()));
        }
        assert!(shortages.0.lock().len() <= REMEMBERED);
    }

    #[test]
    fn lacks_of_ours_are_told_from_what_the_world_does() {
        for number in [24, 23, 101, 99] {
            assert!(is_ours(&io::Error::from_raw_os_error(number)), "{number}");
        }
        for number in [111, 110, 104, 113] {
            assert!(!is_ours(&io::Error::from_raw_os_error(number)), "{number}");
        }
    }
}
