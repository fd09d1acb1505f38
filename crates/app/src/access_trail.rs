//! Who signed in, and who was turned away: noted in memory, told in the log, and put on record every few seconds.
//!
//! No call waits for it. A process that is killed forgets a few seconds of the record, and nothing of the log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use chancery_domain::Timestamp;
use chancery_domain::access_trail::{AccessLine, AccessOutcome, Trail};
use chancery_domain::customers::CustomerId;
use chancery_domain::resellers::ResellerId;
use chancery_store::Change;
use chancery_store::access_trail::{AccessFilter, CredentialUse};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{App, AppError, Operations};

/// How long what was noted may be fresh.
const SETTLE_EVERY: Duration = Duration::from_secs(5);

/// How many statements one change set has.
const AT_ONCE: usize = 200;

/// How many lines are kept while the database takes none; more are not counted.
const LINES_KEPT: usize = 20_000;

#[derive(Default)]
pub(crate) struct AccessTrail {
    trail: Mutex<Trail>,
    uses: Mutex<HashMap<String, (Timestamp, IpAddr)>>,
}

impl AccessTrail {
    fn take(&self, now: Timestamp) -> (Vec<AccessLine>, Vec<CredentialUse>) {
        let lines = self.trail.lock().take(now);
        let uses = std::mem::take(&mut *self.uses.lock());
        let mut uses: Vec<CredentialUse> = uses
            .into_iter()
            .map(|(username, (used_at, address))| CredentialUse {
                username,
                used_at,
                address: address.to_canonical().to_string(),
            })
            .collect();
        // All processes lock the rows in one order.
        uses.sort_by(|one, other| one.username.cmp(&other.username));
        (lines, uses)
    }
}

impl App {
    /// Notes how an attempt to get in ended.
    pub(crate) fn note_access(
        &self,
        outcome: AccessOutcome,
        username: &str,
        address: IpAddr,
        reseller: Option<ResellerId>,
    ) {
        if !self.is_first(outcome, username, address, reseller) {
            return;
        }
        let (address, reseller) = (address.to_canonical(), reseller.map(|reseller| reseller.0));
        let username: String = username.chars().take(64).collect();
        if outcome == AccessOutcome::SignedIn {
            tracing::info!(username, %address, reseller.id = reseller, "signed in");
        } else {
            let reason = outcome.as_str();
            tracing::warn!(username, %address, reseller.id = reseller, reason, "turned away");
        }
    }

    /// The same of a reseller's customer. The log has its number, if there is one: user names are persons' addresses,
    /// and logs outlive them.
    pub(crate) fn note_customer_access(
        &self,
        outcome: AccessOutcome,
        username: &str,
        address: IpAddr,
        reseller: ResellerId,
        customer: Option<CustomerId>,
    ) {
        if !self.is_first(outcome, username, address, Some(reseller)) {
            return;
        }
        let (address, reseller) = (address.to_canonical(), reseller.0);
        let customer = customer.map(|customer| customer.0);
        if outcome == AccessOutcome::SignedIn {
            tracing::info!(%address, reseller.id = reseller, customer.id = customer, "customer signed in");
        } else {
            let reason = outcome.as_str();
            tracing::warn!(%address, reseller.id = reseller, customer.id = customer, reason, "customer turned away");
        }
    }

    /// Notes it, and tells whether it is to be logged: what is alike is told once a minute.
    fn is_first(
        &self,
        outcome: AccessOutcome,
        username: &str,
        address: IpAddr,
        reseller: Option<ResellerId>,
    ) -> bool {
        let now = self.clock.now();
        let mut trail = self.0.access_trail.trail.lock();
        trail.len() < LINES_KEPT && trail.note(outcome, username, address, reseller, now)
    }

    /// Notes that a credential was used.
    pub(crate) fn note_use(&self, username: &str, address: IpAddr) {
        let now = self.clock.now();
        let mut uses = self.0.access_trail.uses.lock();
        match uses.get_mut(username) {
            Some(held) => *held = (now, address),
            None => {
                uses.insert(username.to_owned(), (now, address));
            }
        }
    }

    /// Puts on record what was noted, every few seconds and once more when told to stop.
    pub async fn keep_access_trail(&self, mut stop: watch::Receiver<bool>) {
        let mut is_last = false;
        let mut is_failing = false;
        while !is_last {
            tokio::select! {
                () = tokio::time::sleep(SETTLE_EVERY) => {}
                _ = stop.wait_for(|is_told| *is_told) => is_last = true,
            }
            match self.settle_access_trail().await {
                Ok(()) => is_failing = false,
                Err(error) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(%error, "who signed in is not put on record for now");
                }
                Err(_) => {}
            }
        }
    }

    /// Puts on record what was noted so far.
    pub async fn settle_access_trail(&self) -> Result<(), AppError> {
        let trail = &self.0.access_trail;
        let (mut lines, uses) = trail.take(self.clock.now());
        for uses in uses.chunks(AT_ONCE) {
            let mut change = Change::new();
            uses.iter().for_each(|used| change.note_use(used));
            if let Err(error) = self.store.commit(change).await {
                // The next use is as good.
                trail.trail.lock().put_back(lines);
                return Err(error.into());
            }
        }
        while !lines.is_empty() {
            let rest = lines.split_off(lines.len().min(AT_ONCE));
            let mut change = Change::new();
            lines.iter().for_each(|line| change.add_access(line));
            if let Err(error) = self.store.commit(change).await {
                lines.extend(rest);
                trail.trail.lock().put_back(lines);
                return Err(error.into());
            }
            lines = rest;
        }
        Ok(())
    }
}

impl Operations {
    /// Lines of the trail of sign-ins and refusals, those of the last periods first.
    pub async fn access_trail(
        &self,
        filter: &AccessFilter,
        most: i64,
    ) -> Result<Vec<AccessLine>, AppError> {
        Ok(self.store.access_trail(filter, most).await?)
    }

    /// When a reseller's credentials were last used, of those that were.
    pub async fn credential_uses(
        &self,
        reseller: ResellerId,
    ) -> Result<Vec<CredentialUse>, AppError> {
        Ok(self.store.credential_uses(reseller).await?)
    }
}
