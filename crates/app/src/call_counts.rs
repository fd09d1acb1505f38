//! How often credentials and resellers call, held against their limits.
//!
//! A call is let through, or not, by what this process knows: no call waits for the database. What was let
//! through is settled with the shared sums every few seconds, sooner where much is fresh. Only where more than a
//! hundredth of a limit is fresh does a call wait for a settlement; so processes together exceed a limit by no
//! more than that for each (`chancery_domain::rates`), and a process that is killed forgets no more. No call waits
//! long: while the database takes no writes, each process goes by its own count.
//!
//! Bursts are each process's own.

use std::collections::HashMap;
use std::time::Duration;

use chancery_domain::Timestamp;
use chancery_domain::rates::{Hold, Period, RateLimits, Span, Tally};
use chancery_domain::resellers::ResellerId;
use chancery_store::call_counts::CallCount;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::{App, AppError, TooMany};

/// How long calls may be fresh.
const SETTLE_EVERY: Duration = Duration::from_secs(5);

/// How long a settlement that failed is not tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long a call waits for a settlement.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often one may call. By default as often as one likes.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallLimits {
    /// Each credential.
    pub credential: RateLimits,
    /// Each reseller, all of its credentials together.
    pub reseller: RateLimits,
    /// Wrong secrets for one username from one address; 0 is no limit.
    pub failed_sign_ins_per_minute: u32,
}

pub(crate) struct CallCounts {
    limits: RwLock<CallLimits>,
    tallies: Mutex<Tallies>,
    much_is_fresh: Notify,
    /// Said after each settlement: whether it was one.
    settled: watch::Sender<bool>,
}

#[derive(Default)]
struct Tallies {
    credentials: HashMap<String, Tally>,
    resellers: HashMap<ResellerId, Tally>,
}

/// What a call does while too much is fresh.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Patience {
    /// It waits for a settlement.
    Wait,
    /// It goes through: there is none to be had.
    GoOn,
}

const CREDENTIAL: &str = "credential:";
const RESELLER: &str = "reseller:";

impl CallCounts {
    pub(crate) fn new(limits: CallLimits) -> Self {
        Self {
            limits: RwLock::new(limits),
            tallies: Mutex::default(),
            much_is_fresh: Notify::new(),
            settled: watch::Sender::new(true),
        }
    }

    fn limits(&self) -> CallLimits {
        *self.limits.read()
    }

    fn exist(&self) -> bool {
        let limits = self.limits();
        limits.credential.exist() || limits.reseller.exist()
    }

    fn are_settled(&self) -> bool {
        let limits = self.limits();
        limits.credential.are_counted() || limits.reseller.are_counted()
    }

    /// Counts a call, or tells what holds it.
    fn count(
        &self,
        username: &str,
        reseller: ResellerId,
        now: Timestamp,
        patience: Patience,
    ) -> Result<(), Hold> {
        let limits = self.limits();
        let mut tallies = self.tallies.lock();
        let Tallies {
            credentials,
            resellers,
        } = &mut *tallies;
        if !credentials.contains_key(username) {
            credentials.insert(username.to_owned(), Tally::new(now));
        }
        let by_credential = credentials.get_mut(username);
        let by_reseller = resellers.entry(reseller);
        let mut both = [
            (
                by_credential.expect("it was inserted where it was not there"),
                &limits.credential,
            ),
            (
                by_reseller.or_insert_with(|| Tally::new(now)),
                &limits.reseller,
            ),
        ];
        for (tally, limits) in &mut both {
            match tally.hold(limits, now) {
                Some(Hold::Settle) if patience == Patience::GoOn => {}
                Some(hold) => return Err(hold),
                None => {}
            }
        }
        let mut is_much = false;
        for (tally, limits) in both {
            is_much |= tally.count(limits, now);
        }
        if is_much {
            self.much_is_fresh.notify_one();
        }
        Ok(())
    }

    /// Waits for a settlement. Where there is none to be had, calls go on, and later ones do not wait for it.
    async fn wait_for_settlement(&self) -> Patience {
        let mut settled = self.settled.subscribe();
        if !*settled.borrow_and_update() {
            return Patience::GoOn;
        }
        self.much_is_fresh.notify_one();
        if timeout(PATIENCE, settled.changed()).await.is_err() {
            self.settled.send_replace(false);
        }
        match *settled.borrow() {
            true => Patience::Wait,
            false => Patience::GoOn,
        }
    }

    /// What is fresh.
    fn fresh(&self) -> Vec<CallCount> {
        let limits = self.limits();
        let tallies = self.tallies.lock();
        let credentials = tallies
            .credentials
            .iter()
            .map(|(name, tally)| (format!("{CREDENTIAL}{name}"), tally, limits.credential));
        let resellers = tallies
            .resellers
            .iter()
            .map(|(id, tally)| (format!("{RESELLER}{id}"), tally, limits.reseller));
        credentials
            .chain(resellers)
            .filter(|(_, _, limits)| limits.are_counted())
            .flat_map(|(subject, tally, _)| {
                tally.fresh().map(move |(period, calls)| CallCount {
                    subject: subject.clone(),
                    period,
                    calls,
                })
            })
            .collect()
    }

    /// Learns a sum, so many of whose calls were fresh here.
    fn settle(&self, sum: &CallCount, calls: u64, now: Timestamp) {
        let mut tallies = self.tallies.lock();
        let tally = if let Some(name) = sum.subject.strip_prefix(CREDENTIAL) {
            let tallies = &mut tallies.credentials;
            tallies
                .entry(name.to_owned())
                .or_insert_with(|| Tally::new(now))
        } else if let Some(Ok(id)) = sum.subject.strip_prefix(RESELLER).map(str::parse) {
            let tallies = &mut tallies.resellers;
            tallies
                .entry(ResellerId(id))
                .or_insert_with(|| Tally::new(now))
        } else {
            return;
        };
        tally.settle(sum.period, calls, sum.calls);
    }
}

impl App {
    /// Holds calls and wrong secrets against other limits from now on. What was counted counts.
    pub fn replace_call_limits(&self, limits: CallLimits) {
        *self.0.call_counts.limits.write() = limits;
        self.0.failed_sign_ins.replace_limits(limits);
        self.0.failed_customers.replace_limits(limits);
        self.0.failed_anywhere.replace_limits_anywhere(limits);
    }

    /// Counts a call of a credential, or refuses it.
    pub(crate) async fn count_call(
        &self,
        username: &str,
        reseller: ResellerId,
    ) -> Result<(), AppError> {
        let counts = &self.0.call_counts;
        if !counts.exist() {
            return Ok(());
        }
        let mut patience = Patience::Wait;
        loop {
            let now = self.clock.now();
            match counts.count(username, reseller, now, patience) {
                Ok(()) => return Ok(()),
                Err(Hold::Until(until, excess)) => {
                    tracing::info!(username, reseller = reseller.0, "refused: too many calls");
                    return Err(AppError::too_many(TooMany::Calls(excess), now, until));
                }
                Err(Hold::Settle) => patience = counts.wait_for_settlement().await,
            }
        }
    }

    /// Learns what the database knows of today and this month.
    pub async fn restore_call_counts(&self) -> Result<(), AppError> {
        let counts = &self.0.call_counts;
        if !counts.are_settled() {
            return Ok(());
        }
        let now = self.clock.now();
        let periods = [Span::Day, Span::Month].map(|span| Period::at(span, now));
        for sum in self.store.calls_of_all(periods).await? {
            counts.settle(&sum, 0, now);
        }
        Ok(())
    }

    /// Settles every few seconds, and once more when told to stop. Only one may do so.
    pub async fn keep_settling_calls(&self, mut stop: watch::Receiver<bool>) {
        let counts = &self.0.call_counts;
        let mut is_last = false;
        while !is_last {
            tokio::select! {
                () = tokio::time::sleep(SETTLE_EVERY) => {}
                () = counts.much_is_fresh.notified() => {}
                _ = stop.wait_for(|is_told| *is_told) => is_last = true,
            }
            let settled = self.settle_calls().await;
            let is_settled = settled.is_ok();
            counts.settled.send_replace(is_settled);
            if let Err(error) = settled {
                tracing::warn!(%error, "calls are counted by this process alone");
            }
            if !is_settled && !is_last {
                let told = timeout(RETRY_AFTER, stop.wait_for(|is_told| *is_told));
                is_last = told.await.is_ok();
            }
        }
    }

    /// Adds what is fresh to the shared sums, and learns those.
    async fn settle_calls(&self) -> Result<(), AppError> {
        let counts = &self.0.call_counts;
        let mut fresh = counts.fresh();
        if fresh.is_empty() {
            return Ok(());
        }
        fresh.sort();
        let sums = self.store.add_calls(fresh.clone()).await?;
        let now = self.clock.now();
        for (sum, fresh) in sums.iter().zip(&fresh) {
            counts.settle(sum, fresh.calls, now);
        }
        Ok(())
    }
}
