//! Whether this process does its work, and what is wrong where it does not.
//!
//! Looking means a write to the disk, and whoever reaches the listener may ask: so many askers share one look, and
//! none waits long. What is outside is looked at seldom, and only for operators.

use std::time::Duration;

use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::JobCounts;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::holds::{Hold, TOLERANCE};
use crate::{App, AppError};

/// How long what was seen is told again.
const FRESH: Duration = Duration::from_secs(1);

/// The same of what is outside: relays and resolvers are not ours to be asked every second.
const FRESH_OUTSIDE: Duration = Duration::from_secs(30);

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A revocation list is signed every day; one that is older has missed its turn (BR 4.9.7 allows four days).
const LIST_AGE: SignedDuration = SignedDuration::from_hours(36);

/// What is said of what took longer.
const SILENT: &str = "no answer in time";

/// How long the first list of a new CA may take.
const FIRST_LIST: Duration = Duration::from_secs(60);

/// The name of the database among what is looked at.
const DATABASE: &str = "database";

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HealthCheck {
    /// What: `database`, `worker`, `jobs`, `revocation lists`, `signing`, `mail`, `resolvers`.
    pub name: &'static str,
    /// How it stands.
    pub state: HealthState,
    /// What is wrong and what to do, in a sentence for operators; empty where nothing is.
    pub detail: String,
}

/// How something stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum HealthState {
    /// As it should.
    Good,
    /// Requests are answered, but somebody has to see to it.
    Warning,
    /// This process cannot do its work.
    Failing,
}

impl HealthState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Failing => "failing",
        }
    }

    /// The worst among checks.
    pub fn of(checks: &[HealthCheck]) -> Self {
        let states = checks.iter().map(|check| check.state);
        states.max().unwrap_or(Self::Good)
    }
}

impl HealthCheck {
    fn of(name: &'static str, fault: Option<(HealthState, String)>) -> Self {
        let (state, detail) = fault.unwrap_or((HealthState::Good, String::new()));
        Self {
            name,
            state,
            detail,
        }
    }

    fn silent(name: &'static str) -> Self {
        Self::warning(name, Some(SILENT.to_owned()))
    }

    fn warning(name: &'static str, detail: Option<String>) -> Self {
        Self::of(name, detail.map(|detail| (HealthState::Warning, detail)))
    }
}

/// What was seen last, and when. Whoever comes while someone looks waits for what is seen.
#[derive(Default)]
pub(crate) struct LastLook(Mutex<Option<(Instant, Vec<HealthCheck>)>>);

impl LastLook {
    async fn look<F: Future<Output = Vec<HealthCheck>>>(
        &self,
        fresh: Duration,
        look: impl FnOnce() -> F,
    ) -> Vec<HealthCheck> {
        let mut last = self.0.lock().await;
        match &*last {
            Some((at, seen)) if at.elapsed() < fresh => seen.clone(),
            _ => {
                let seen = look().await;
                *last = Some((Instant::now(), seen.clone()));
                seen
            }
        }
    }
}

/// What was seen last of what is looked at.
pub(crate) struct LastLooks {
    started: Instant,
    ready: LastLook,
    inside: LastLook,
    outside: LastLook,
}

impl Default for LastLooks {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            ready: LastLook::default(),
            inside: LastLook::default(),
            outside: LastLook::default(),
        }
    }
}

impl App {
    /// Whether requests can be answered and jobs run: the database takes a new row and has not gone back, and the worker
    /// lives. Answers within five seconds.
    pub async fn readiness(&self) -> Vec<HealthCheck> {
        let looks = &self.0.health;
        looks
            .ready
            .look(FRESH, || async {
                vec![self.check_database().await, self.check_worker()]
            })
            .await
    }

    /// All that an operator wants to know. Names what is inside; not for strangers. What only the database could tell is
    /// left out where that is away.
    pub async fn health(&self) -> Vec<HealthCheck> {
        let looks = &self.0.health;
        let mut checks = self.readiness().await;
        let is_away =
            |check: &HealthCheck| check.name == DATABASE && check.state == HealthState::Failing;
        if !checks.iter().any(is_away) {
            let inside = looks.inside.look(FRESH, || async {
                let (jobs, lists) = tokio::join!(
                    timeout(PATIENCE, self.check_jobs()),
                    timeout(PATIENCE, self.check_lists())
                );
                vec![
                    jobs.unwrap_or_else(|_| HealthCheck::silent("jobs")),
                    lists.unwrap_or_else(|_| HealthCheck::silent("revocation lists")),
                ]
            });
            checks.extend(inside.await);
        }
        checks.push(self.check_signing());
        let outside = looks.outside.look(FRESH_OUTSIDE, || async {
            let (mail, resolvers) = tokio::join!(
                timeout(PATIENCE, self.mailer.check()),
                timeout(
                    PATIENCE,
                    self.dcv.check_resolvers(&self.settings.challenge_domain)
                ),
            );
            let mail = match mail {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(describe(&error)),
                Err(_) => Some(SILENT.to_owned()),
            };
            let resolvers = resolvers.unwrap_or_else(|_| Err(SILENT.to_owned()));
            vec![
                HealthCheck::warning("mail", mail.map(|why| format!("the relay: {why}"))),
                HealthCheck::warning("resolvers", resolvers.err()),
            ]
        });
        checks.extend(outside.await);
        checks
    }

    async fn check_database(&self) -> HealthCheck {
        const UNWRITABLE: &str = "the database cannot be written";
        if self.store.is_behind() {
            let fault = (HealthState::Failing, Hold::DatabaseBehind.to_string());
            return HealthCheck::of(DATABASE, Some(fault));
        }
        let fault = match timeout(PATIENCE, self.store.check_writable()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(describe(&error)),
            Err(_) => Some(SILENT.to_owned()),
        };
        let fault = fault.map(|why| {
            tracing::error!(error = why, "{UNWRITABLE}");
            (HealthState::Failing, format!("{UNWRITABLE}: {why}"))
        });
        HealthCheck::of(DATABASE, fault)
    }

    fn check_worker(&self) -> HealthCheck {
        let fault = (!self.is_worker_alive()).then(|| {
            let text = "the worker has not been heard of for a while: restart the server";
            (HealthState::Failing, text.to_owned())
        });
        HealthCheck::of("worker", fault)
    }

    async fn check_jobs(&self) -> HealthCheck {
        let fault = match self.job_counts().await {
            Err(error) => Some(describe(&error)),
            Ok(counts) => jobs_fault(&counts),
        };
        HealthCheck::warning("jobs", fault)
    }

    async fn check_lists(&self) -> HealthCheck {
        let fault = match self.late_lists(self.clock.now()).await {
            Err(error) => Some(describe(&error)),
            Ok(late) if late.is_empty() => None,
            Ok(late) => Some(format!(
                "not signed when they were due: {}; the log of the job refresh_crl says why",
                late.join(", ")
            )),
        };
        HealthCheck::warning("revocation lists", fault)
    }

    /// Whether certificates and lists are signed at all.
    fn check_signing(&self) -> HealthCheck {
        HealthCheck::warning("signing", self.signing_hold().map(|hold| hold.to_string()))
    }

    /// The revocation lists that have missed their turn, with their ages.
    async fn late_lists(&self, now: Timestamp) -> Result<Vec<String>, AppError> {
        let mut late = Vec::new();
        for ca in self.authorities.all() {
            if ca.not_after() <= now {
                continue;
            }
            let issuer = ca.issuer_id();
            match self.store.crl_head(issuer).await? {
                // The first one is signed within moments of the first start.
                None if self.0.health.started.elapsed() < FIRST_LIST => {}
                None => late.push(format!("{issuer}: none")),
                Some(list) => {
                    let age = now.duration_since(list.this_update);
                    if age > LIST_AGE {
                        late.push(format!("{issuer}: {} hours old", age.as_hours()));
                    } else if age < -TOLERANCE {
                        late.push(format!(
                            "{issuer}: dated {}, which is to come",
                            list.this_update
                        ));
                    }
                }
            }
        }
        Ok(late)
    }
}

/// What is said of jobs that gave up or wait for too long. Checks of domain control wait for others of their reseller.
fn jobs_fault(counts: &JobCounts) -> Option<String> {
    let JobCounts { parked, late, .. } = counts;
    let parked =
        (*parked > 0).then(|| format!("{parked} gave up and are parked: see chancery job list"));
    let late = (*late > 0).then(|| format!("{late} should have been begun a minute ago"));
    let faults: Vec<String> = parked.into_iter().chain(late).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// An error with its sources, in one line. Sources speak of storage or network, never of secrets.
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_askers_share_one_look() {
        let last = LastLook::default();
        let looks = Cell::new(0);
        let ask = || {
            last.look(FRESH, || async {
                looks.set(looks.get() + 1);
                tokio::time::sleep(FRESH * 2).await;
                vec![HealthCheck::warning(
                    "all",
                    Some("nothing works".to_owned()),
                )]
            })
        };
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!((&one, looks.get()), (&other, 1));
        assert_eq!(HealthState::of(&one), HealthState::Warning);
        tokio::time::advance(FRESH).await;
        ask().await;
        assert_eq!(looks.get(), 2);
    }
}
