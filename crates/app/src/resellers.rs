//! Resellers, as operators see and change them.

use chancery_domain::money::Currency;
use chancery_domain::operators::{ActKind, OperatorAct};
use chancery_domain::reseller_settings::{ResellerChanges, differences};
use chancery_domain::resellers::{Reseller, ResellerId, ResellerSettings};
use chancery_store::{Change, JobId, Sequence, StoreError};

use crate::jobs::{NOBODYS, Task};
use crate::operators::{OperatorRefusal, no_reseller};
use crate::{AppError, Operations};

/// How many lines of history are shown at once.
const HISTORY: usize = 100;

/// How often a change is tried that another one came before.
const TRIES: usize = 5;

impl Operations {
    /// Adds a reseller with an empty balance.
    pub async fn add_reseller(&self, name: &str, currency: Currency) -> Result<Reseller, AppError> {
        let reseller = Reseller {
            id: ResellerId(self.store.next_id(Sequence::Reseller).await?),
            name: name.to_owned(),
            currency,
            created_at: self.clock.now(),
            settings: ResellerSettings::default(),
            version: 1,
        };
        let mut change = Change::new();
        change.insert_reseller(&reseller);
        let detail = format!("{name}, {}", currency.as_str());
        self.record_of(&mut change, ActKind::ResellerAdded, &reseller, Some(detail))
            .await?;
        self.store.commit(change).await?;
        Ok(reseller)
    }

    /// All resellers.
    pub async fn resellers(&self) -> Result<Vec<Reseller>, AppError> {
        Ok(self.store.resellers().await?)
    }

    /// A reseller.
    pub async fn reseller(&self, id: ResellerId) -> Result<Reseller, AppError> {
        let found = self.store.reseller(id).await?;
        found.ok_or_else(|| no_reseller(id))
    }

    /// What operators did to a reseller, the newest first, at most a hundred lines of it.
    pub async fn reseller_history(&self, id: ResellerId) -> Result<Vec<OperatorAct>, AppError> {
        Ok(self.store.operator_acts(Some(id), None, HISTORY).await?)
    }

    /// What operators did, to one reseller or to all, before a line of it; the newest first.
    pub async fn acts(
        &self,
        reseller: Option<ResellerId>,
        before: Option<i64>,
        most: u32,
    ) -> Result<Vec<OperatorAct>, AppError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(self.store.operator_acts(reseller, before, most).await?)
    }

    /// Changes a reseller's name or settings. Holds from its next request on.
    pub async fn set_reseller(
        &self,
        id: ResellerId,
        changes: &ResellerChanges,
    ) -> Result<Reseller, AppError> {
        for _ in 0..TRIES {
            let before = self.reseller(id).await?;
            let after = changes.apply(&before).map_err(OperatorRefusal::Setting)?;
            let different = differences(&before, &after);
            if different.is_empty() {
                return Ok(before);
            }
            let lines: Vec<String> = different.iter().map(ToString::to_string).collect();
            let detail = Some(lines.join("; "));
            let mut change = Change::new();
            if before.settings.reuse_keys != after.settings.reuse_keys {
                self.tend_orders_soon(&mut change, id).await?;
            }
            if let Some(saved) = self
                .save(change, after, ActKind::ResellerSet, detail)
                .await?
            {
                return Ok(saved);
            }
        }
        Err(AppError::Busy)
    }

    /// Has the orders tended that go by the reseller's setting of key reuse.
    async fn tend_orders_soon(&self, change: &mut Change, id: ResellerId) -> Result<(), AppError> {
        let (job, now) = (JobId(self.row().await?), self.clock.now());
        let (task, key) = (Task::TendOrders(id), format!("tend-orders-{id}"));
        change.enqueue_anew(task.as_new_job(job, NOBODYS, now, Some(&key)), now);
        Ok(())
    }

    /// Turns a reseller's programs away, those that are signed in at once. Its certificates stay, and what was
    /// ordered goes on.
    pub async fn suspend_reseller(
        &self,
        id: ResellerId,
        reason: &str,
    ) -> Result<Reseller, AppError> {
        self.switch_reseller(id, reason, true).await
    }

    /// Lets a suspended reseller's programs in again.
    pub async fn resume_reseller(
        &self,
        id: ResellerId,
        reason: &str,
    ) -> Result<Reseller, AppError> {
        self.switch_reseller(id, reason, false).await
    }

    async fn switch_reseller(
        &self,
        id: ResellerId,
        reason: &str,
        is_to_be_suspended: bool,
    ) -> Result<Reseller, AppError> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(OperatorRefusal::NoReason.into());
        }
        for _ in 0..TRIES {
            let mut reseller = self.reseller(id).await?;
            let kind = match (is_to_be_suspended, reseller.is_suspended()) {
                (true, true) => return Err(OperatorRefusal::SuspendedAlready.into()),
                (false, false) => return Err(OperatorRefusal::NotSuspended.into()),
                (true, false) => ActKind::ResellerSuspended,
                (false, true) => ActKind::ResellerResumed,
            };
            reseller.settings.suspended_at = is_to_be_suspended.then(|| self.clock.now());
            let (change, reason) = (Change::new(), Some(reason.to_owned()));
            if let Some(saved) = self.save(change, reseller, kind, reason).await? {
                return Ok(saved);
            }
        }
        Err(AppError::Busy)
    }

    /// Saves a reseller that changed, with a line of history; `None` if somebody was faster.
    async fn save(
        &self,
        mut change: Change,
        reseller: Reseller,
        kind: ActKind,
        detail: Option<String>,
    ) -> Result<Option<Reseller>, AppError> {
        change.set_reseller_settings(&reseller);
        self.record_of(&mut change, kind, &reseller, detail).await?;
        let version = reseller.version + 1;
        match self.store.commit(change).await {
            Ok(_) => Ok(Some(Reseller {
                version,
                ..reseller
            })),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    async fn record_of(
        &self,
        change: &mut Change,
        kind: ActKind,
        reseller: &Reseller,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        let subject = format!("reseller {}", reseller.id);
        self.record_act(change, kind, subject, Some(reseller.id), detail)
            .await
    }
}
