//! How many files and sockets this process may have open at once.
//!
//! Systems give a process few by default and let it ask for more: 1024 and a million are common on Linux. A server that
//! runs out of them can neither accept nor look at anything.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::places::RESERVE;

/// What is open besides connections of clients and jobs: the log, the database's files or connections, listeners.
const OTHERS: usize = 128;

/// How many a job has open at once: addresses of a name server and of a host are tried side by side.
const OF_A_JOB: usize = 4;

/// Raises the limit as far as it may be raised, and warns where it does not do for what the settings allow.
pub(crate) fn raise_limit(config: &Config) {
    let limit = raised();
    if let Some(warning) = limit.and_then(|limit| warning(config, limit)) {
        tracing::warn!("{warning}");
    }
}

/// The limit after raising; `None` for no limit.
fn raised() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: before.maximum,
        maximum: before.maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => before.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            before.current
        }
    }
}

/// What does not fit into a limit, in a sentence.
fn warning(config: &Config, limit: u64) -> Option<String> {
    let connections = config.limits.connections.saturating_add(RESERVE);
    // Messages and checks of slow servers come on top, half as many again of each.
    let (jobs, looks) = (config.limits.jobs, config.limits.looks);
    let at_once = jobs.saturating_add(looks).saturating_mul(3) / 2;
    let jobs = at_once.saturating_mul(OF_A_JOB);
    let needed = connections.saturating_add(jobs).saturating_add(OTHERS);
    (needed as u64 > limit).then(|| {
        format!(
            "this process may have {limit} files open at once, and limits.connections = {}, limits.jobs = {} and \
             limits.looks = {looks} may take {needed}: raise the hard limit (LimitNOFILE of systemd, ulimit -Hn), or \
             lower the settings",
            config.limits.connections, config.limits.jobs
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_do_not_fit_are_said() {
        let config = Config::default();
        let said = warning(&config, 1024).unwrap();
        assert!(said.contains("limits.connections = 4096"), "{said}");
        assert_eq!(warning(&config, 1_048_576), None);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raised();
        let now = getrlimit(Resource::Nofile);
        assert_eq!((now.current, now.maximum), (limit, limit));
    }
}
