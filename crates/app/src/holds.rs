//! What keeps the platform from signing until an operator has looked at it: a clock that went back, and a database
//! that went back while it was served.
//!
//! A certificate or a revocation list that is dated before others of its issuer cannot be taken back. So each process
//! remembers the latest time it has seen, and once a minute, with a beat of the database's pulse, the latest that any
//! process has. A clock that is behind it by more than a few minutes ([`TOLERANCE`]) signs nothing: neither
//! certificates nor lists, and no issuing CA is made. Orders wait meanwhile and nothing fails. It ends when the clock
//! has caught up, or when an operator has accepted the time ([`Operations::accept_clock`]).
//!
//! The pulse also counts: a count that did not rise says that the database was set back under the running process. So
//! does anything else that it lacks ([`crate::standings`]). Then no number is given out any more, no job begun, and
//! nothing signed, until the server was stopped and what is known put back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::Change;
use chancery_store::record::{Seen, blocking};
use parking_lot::Mutex;

use crate::jobs::{LONGEST_LEASE, end_rests};
use crate::{App, AppError, Operations};

/// By how much a clock may be behind: servers of one database differ, and time services correct by small steps.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How often the latest time is kept.
const BEAT_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked at while nothing is signed, and whether the database has all that this process has done.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When what waits for the hold to end is looked at again.
pub(crate) const HOLD_LOOK: SignedDuration = SignedDuration::from_secs(30);

/// Why nothing is signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Hold {
    /// The clock went back.
    ClockBehind {
        /// What it shows.
        now: Timestamp,
        /// What it, or that of another server, had shown.
        latest: Timestamp,
    },
    /// The database went back.
    DatabaseBehind,
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClockBehind { now, latest } => write!(
                f,
                "the clock shows {now}, but it was {latest} before: nothing is signed until it is set right, or \
                 `chancery clock accept` says that it is"
            ),
            Self::DatabaseBehind => f.write_str(
                "the database lacks what it had: nothing is signed or placed; stop all servers and run `chancery restore-check`",
            ),
        }
    }
}

/// What this process has seen.
pub(crate) struct Watch {
    latest_micros: AtomicI64,
    pulse: Mutex<Option<i64>>,
    was_held: std::sync::atomic::AtomicBool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            latest_micros: AtomicI64::new(i64::MIN),
            pulse: Mutex::default(),
            was_held: false.into(),
        }
    }
}

impl App {
    /// Why nothing is signed at the moment, if so.
    pub fn signing_hold(&self) -> Option<Hold> {
        if self.store.is_behind() {
            return Some(Hold::DatabaseBehind);
        }
        let now = self.clock.now();
        let micros = now.as_microsecond();
        let latest = self.watch.latest_micros.fetch_max(micros, Ordering::SeqCst);
        let latest = Timestamp::from_microsecond(latest).unwrap_or(Timestamp::MIN);
        (now < latest && latest.duration_since(now) > TOLERANCE)
            .then_some(Hold::ClockBehind { now, latest })
    }

    /// Counts a beat of the pulse, keeps and learns the latest time, and says so where nothing is signed.
    pub async fn beat_pulse(&self) -> Result<(), AppError> {
        self.look_for_losses().await?;
        if self.store.is_behind() {
            // A beat would hide from others that the pulse went back.
            self.tell_hold();
            return Ok(());
        }
        let now = self.clock.now();
        let pulse = self.store.pulse(now).await?;
        let micros = pulse.latest.as_microsecond();
        // Also where it is earlier than what was seen here: an operator has accepted it.
        self.watch.latest_micros.store(micros, Ordering::SeqCst);
        let last = self.watch.pulse.lock().replace(pulse.count);
        if let Some(last) = last.filter(|last| pulse.count <= *last) {
            let count = pulse.count;
            let why = format!("the database's pulse had come to {last}, it is at {count}");
            self.store.declare_behind(&why).await;
        }
        self.tell_hold();
        if let Some(record) = self.store.record()
            && !self.store.is_behind()
        {
            let pulse = pulse.count;
            blocking(move || record.keep_seen(Seen { pulse })).await?;
        }
        Ok(())
    }

    fn tell_hold(&self) {
        let hold = self.signing_hold();
        let was_held = self.watch.was_held.swap(hold.is_some(), Ordering::SeqCst);
        match hold {
            Some(hold) if !was_held => tracing::error!("{hold}"),
            None if was_held => {
                tracing::warn!("certificates and revocation lists are signed again");
                self.wake_worker();
            }
            _ => {}
        }
    }

    /// Keeps the pulse, for as long as it is polled.
    pub(crate) async fn keep_pulse(self) {
        let mut failed = false;
        let mut beaten_at = Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let is_due = beaten_at.elapsed() >= BEAT_EVERY || self.signing_hold().is_some();
            let beaten = if is_due {
                beaten_at = Instant::now();
                self.beat_pulse().await
            } else {
                self.look_for_losses().await
            };
            match &beaten {
                Err(error) if !failed => {
                    tracing::warn!(%error, "the latest time could not be kept");
                }
                _ => {}
            }
            failed = beaten.is_err();
        }
    }
}

impl Operations {
    /// The time, and the latest that a server has seen.
    pub async fn clock_standing(&self) -> Result<(Timestamp, Option<Timestamp>), AppError> {
        Ok((self.clock.now(), self.store.latest_time().await?))
    }

    /// Takes the time for right, whatever was seen before. Servers go by it within seconds.
    ///
    /// What the clock had put off while it was ahead comes earlier by as much, before anything is signed again. All of
    /// it may be done twice: whoever is interrupted does it again.
    pub async fn accept_clock(&self, operator: &str) -> Result<(), AppError> {
        let now = self.clock.now();
        let before = self.store.latest_time().await?;
        let mut change = Change::new();
        if let Some(latest) = before.filter(|latest| *latest > now) {
            let ahead = latest.duration_since(now);
            self.store.pull_jobs_back(now, ahead, LONGEST_LEASE).await?;
            change.pull_approvals_back(now, ahead);
        }
        end_rests(&mut change, now);
        change.set_latest_time(now);
        let before = before.map(|at| at.to_string()).unwrap_or_default();
        let note = serde_json::json!({ "operator": operator, "latest": before });
        change.set_meta(&format!("clock_accepted_at {now}"), &note.to_string());
        self.store.commit(change).await?;
        Ok(())
    }
}
