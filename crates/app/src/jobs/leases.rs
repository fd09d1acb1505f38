//! What this process works on, and the heartbeat that keeps it ours.
//!
//! A lease is short, so that what a dead process held is taken over soon, and is renewed for as long as the work is
//! really under way: each run holds a [`Held`], and what nobody holds any more is not renewed. A process that could
//! not renew claims nothing more until it can, or it would take its own work for somebody else's.
//!
//! Leases are told by the clock of the platform. In a test environment it is moved by days; then leases are renewed
//! before anybody claims ([`Leases::steady`]).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::{JobId, Lease};
use parking_lot::Mutex;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, watch};
use tokio::time::MissedTickBehavior;

use crate::App;

/// How long a claimed job is nobody else's without a heartbeat. Clocks of servers on one database may differ by less.
pub const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// No lease that is renewed ends later than that by the clock of another server.
pub(crate) const LONGEST_LEASE: SignedDuration = SignedDuration::from_secs(2 * 20);

/// How often leases are renewed.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Without a renewal for so long, nothing is claimed.
const RENEWED_WITHIN: Duration = Duration::from_secs(12);

/// The jobs this process works on.
pub(super) struct Leases {
    /// Tells this process from every other one, and from its own past.
    holder: i64,
    held: Mutex<HashSet<(JobId, i64)>>,
    renewed: Mutex<Instant>,
    steady: RwLock<()>,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            holder: random_number(),
            held: Mutex::default(),
            renewed: Mutex::new(Instant::now()),
            steady: RwLock::new(()),
        }
    }
}

impl Leases {
    /// A lease from now on.
    pub(super) fn lease(&self, now: Timestamp) -> Lease {
        Lease {
            holder: self.holder,
            until: now + LEASE,
        }
    }

    /// Whether leases are being renewed, so that more may be claimed.
    pub(super) fn are_renewed(&self) -> bool {
        self.held.lock().is_empty() || self.renewed.lock().elapsed() < RENEWED_WITHIN
    }

    /// Keeps the clock from being moved.
    pub(super) async fn steady(&self) -> RwLockReadGuard<'_, ()> {
        self.steady.read().await
    }

    fn jobs(&self) -> Vec<JobId> {
        self.held.lock().iter().map(|(id, _)| *id).collect()
    }
}

/// A run of a job that is under way; its lease is renewed while this lives.
pub(super) struct Held {
    app: App,
    run: (JobId, i64),
}

impl Held {
    pub(super) fn new(app: &App, id: JobId, attempt: i64) -> Self {
        let run = (id, attempt);
        let mut held = app.0.worker.leases.held.lock();
        if held.is_empty() {
            // Nothing was to be renewed so far.
            *app.0.worker.leases.renewed.lock() = Instant::now();
        }
        held.insert(run);
        drop(held);
        let app = app.clone();
        Self { app, run }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.app.0.worker.leases.held.lock().remove(&self.run);
    }
}

impl App {
    /// Renews leases until told to stop.
    pub(super) async fn keep_leases(self, mut stop: watch::Receiver<bool>) {
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Told before this began again, perhaps.
        while !*stop.borrow() {
            tokio::select! {
                _ = beat.tick() => self.renew_leases().await,
                told = stop.changed() => if told.is_err() {
                    return;
                },
            }
        }
    }

    async fn renew_leases(&self) {
        let leases = &self.0.worker.leases;
        let jobs = leases.jobs();
        if jobs.is_empty() {
            return;
        }
        let lease = leases.lease(self.clock.now());
        match self.store.renew_leases(lease, jobs.into_iter()).await {
            Ok(()) => *leases.renewed.lock() = Instant::now(),
            Err(error) if self.0.worker.seldom("renewing") => {
                tracing::error!(%error, "renewing the leases of jobs failed");
            }
            Err(_) => {}
        }
    }

    /// Gives back what this process will not end any more, so that another need not wait for the end of its lease.
    pub(super) async fn release_held(&self) {
        let (holder, now) = (self.0.worker.leases.holder, self.clock.now());
        let released = self.store.release_leases(holder, now, LEASE);
        if let Err(error) = released.await {
            tracing::warn!(%error, "jobs that were cut off wait for the end of their leases");
        }
    }

    /// Keeps everybody from claiming until the clock is moved and [`App::hold_on`] was called.
    pub(crate) async fn stop_claiming(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.worker.leases.steady.write().await
    }

    /// Keeps what is under way ours though the clock was moved.
    pub(crate) async fn hold_on(&self) {
        self.renew_leases().await;
    }
}

fn random_number() -> i64 {
    let mut bytes = [0_u8; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system gives random bytes");
    i64::from_le_bytes(bytes) & i64::MAX
}
