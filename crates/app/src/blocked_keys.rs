//! Keys that are never certified again, since they were told to be compromised (BR 6.1.1.3, 4.9.1.1).
//!
//! To block a key is one change set with the job that revokes every certificate with it, whoever's it is; before that is
//! answered, it is in the record beside the database, too. From then on
//! the key is refused wherever it comes from: CSRs, orders, reissues, renewals, replacements, and at last where a signed
//! certificate is stored, in the very statement that does it. On PostgreSQL that statement may run beside the one that
//! blocks, and see nothing of it; so the job looks once more when every such statement has ended.

use chancery_domain::certificates::CertificateLine;
use chancery_domain::fields::{Field, FieldError};
use chancery_domain::revocations::{BlockedKey, BlockedKeyId, Requester, RevocationReason};
use chancery_domain::{SignedDuration, Timestamp};
use chancery_pki::csr::Csr;
use chancery_pki::public_keys::sha256;
use chancery_store::{Change, ClaimedJob, JobId, Sequence, Store};

use crate::jobs::{NOBODYS, Task, hex};
use crate::revocations::Revoker;
use crate::{App, AppError, Clock};

/// What is told of a CSR, or of a run, with a blocked key.
pub(crate) const KEY_BLOCKED: &str =
    "its key is blocked, since it was reported as compromised; make a new key";

/// How many certificates are revoked in one step of the job.
const STEP: i64 = 50;

/// How many steps a run of the job takes, within a fraction of its lease.
const STEPS: usize = 20;

/// When the job looks again after everything with the key is revoked: no commit takes as long as the last.
const LOOKS_AGAIN: [SignedDuration; 2] = [
    SignedDuration::from_secs(20),
    SignedDuration::from_secs(600),
];

/// Blocks keys; the same for use cases and operators.
pub(crate) struct Keys<'a> {
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a Clock,
}

impl Keys<'_> {
    /// Blocks a key, by SHA-256 of its `SubjectPublicKeyInfo`, and has its certificates revoked. Gives the block and
    /// whether it is new.
    pub(crate) async fn block(
        &self,
        spki_sha256: &[u8],
        by: &Requester,
        note: Option<String>,
        now: Timestamp,
    ) -> Result<(BlockedKey, bool), AppError> {
        if let Some(held) = self.store.blocked_key(spki_sha256).await? {
            // Who asked before may have been cut off here.
            self.store
                .record_blocked(std::slice::from_ref(&held))
                .await?;
            return Ok((held, false));
        }
        let key = BlockedKey {
            id: BlockedKeyId(self.store.next_id(Sequence::Row).await?),
            spki_sha256: spki_sha256.try_into().map_err(AppError::internal)?,
            by: by.clone(),
            note,
            at: now,
        };
        let mut change = Change::new();
        change.block_key(&key);
        let id = JobId(self.store.next_id(Sequence::Row).await?);
        change.enqueue(
            Task::RevokeKey(key.id).as_new_job(id, NOBODYS, now, None),
            now,
        );
        self.store.commit(change).await?;
        let held = self.store.blocked_key(spki_sha256).await?;
        let held = held.ok_or(AppError::Busy)?;
        self.store
            .record_blocked(std::slice::from_ref(&held))
            .await?;
        let is_new = held.id == key.id;
        if is_new {
            tracing::warn!(spki_sha256 = hex(spki_sha256), by = %key.by, "a key is blocked");
        }
        Ok((held, is_new))
    }

    /// Revokes certificates with a blocked key, so many at most. Gives how many that were, and whether there may be more.
    pub(crate) async fn revoke_some(
        &self,
        key: &BlockedKey,
        steps: usize,
    ) -> Result<(usize, bool), AppError> {
        let revoker = Revoker {
            store: self.store,
            clock: self.clock,
            by: consequence_of(&key.by),
            reason: RevocationReason::KeyCompromise,
            asked_at: key.at,
            dated: None,
        };
        let (mut count, mut failed) = (0, None);
        for _ in 0..steps {
            let found = self.in_force(&key.spki_sha256).await?;
            for line in &found {
                // One that cannot be revoked now must not keep the others in force.
                match revoker.revoke(line.id).await {
                    Ok(_) => count += 1,
                    Err(error) => failed = Some(error),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if found.is_empty() {
                count += revoker.revoke_lost_of_key(key.spki_sha256).await?;
                return Ok((count, false));
            }
        }
        Ok((count, true))
    }

    async fn in_force(&self, spki_sha256: &[u8]) -> Result<Vec<CertificateLine>, AppError> {
        let now = self.clock.now();
        let found = self
            .store
            .certificates_in_force_of_key(spki_sha256, None, now, STEP);
        Ok(found.await?)
    }
}

/// At whose wish certificates of others are revoked: an operator's own, else the platform's.
fn consequence_of(by: &Requester) -> Requester {
    match by {
        Requester::Operator(name) => Requester::Operator(name.clone()),
        Requester::Reseller | Requester::KeyHolder | Requester::Platform => Requester::Platform,
    }
}

impl App {
    pub(crate) fn keys(&self) -> Keys<'_> {
        Keys {
            store: &self.store,
            clock: &self.clock,
        }
    }

    /// What is wrong with the key of a CSR that is well formed.
    pub(crate) async fn key_fault(&self, csr: &Csr) -> Result<Option<FieldError>, AppError> {
        let blocked = self.store.blocked_key(&csr.spki_sha256).await?;
        Ok(blocked.map(|_| FieldError::invalid(Field::Csr, KEY_BLOCKED)))
    }

    /// Whether the key with this `SubjectPublicKeyInfo` is blocked.
    pub(crate) async fn is_key_blocked(&self, spki: &[u8]) -> Result<bool, AppError> {
        Ok(self.store.blocked_key(&sha256(spki)).await?.is_some())
    }

    /// Revokes what there is with a blocked key, in steps, until nothing is left and nothing can be on its way.
    pub(crate) async fn revoke_key(
        &self,
        job: &ClaimedJob,
        id: BlockedKeyId,
    ) -> Result<(), AppError> {
        let mut change = Change::new();
        let Some(key) = self.store.blocked_key_by_id(id).await? else {
            // Another call has blocked the same key at once, and its job sees to it.
            change.finish_job(job.id, job.attempt);
            self.store.commit(change).await?;
            return Ok(());
        };
        let (_, is_more) = self.keys().revoke_some(&key, STEPS).await?;
        let now = self.clock.now();
        let looks = LOOKS_AGAIN.into_iter().map(|after| key.at + after);
        match looks.into_iter().find(|at| now < *at) {
            _ if is_more => change.postpone_job(job.id, job.attempt, now),
            Some(at) => change.postpone_job(job.id, job.attempt, at),
            None => change.finish_job(job.id, job.attempt),
        }
        self.store.commit(change).await?;
        self.wake_worker();
        Ok(())
    }
}
