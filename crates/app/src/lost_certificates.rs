//! Certificates that a restored backup did not have: listed, and revoked like others.

use chancery_domain::Timestamp;
use chancery_domain::operators::OperatorName;
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_store::lost_certificates::{LostCertificate, LostFilter};
use chancery_store::{Change, StoreError};

use crate::blocked_keys::Keys;
use crate::jobs::{CONFLICT_TRIES, hex, refresh_crl_soon};
use crate::revocations::Revoker;
use crate::{AppError, Operations};

/// What came of revoking a lost certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LostRevoked {
    /// The certificate as it is now.
    pub lost: LostCertificate,
    /// Whether it was revoked by this call.
    pub is_new: bool,
    /// Whether its issuing CA is in the database, so that its revocation list is signed.
    pub is_listed: bool,
}

impl Operations {
    /// The lost certificates that have not expired.
    pub async fn lost_certificates(
        &self,
        filter: &LostFilter,
    ) -> Result<Vec<LostCertificate>, AppError> {
        let now = self.clock.now();
        Ok(self.store.lost_certificates(filter, now).await?)
    }

    /// Revokes a lost certificate. With *keyCompromise* its key is blocked first, and a server's job sees to all
    /// certificates with it.
    pub async fn revoke_lost(
        &self,
        lost: &LostCertificate,
        reason: RevocationReason,
        by: &OperatorName,
    ) -> Result<LostRevoked, AppError> {
        let asked_at = self.clock.now();
        let by = Requester::Operator(by.clone());
        if let Some(key) = lost.spki_sha256.as_ref().filter(|_| reason.blocks_key()) {
            let keys = Keys {
                store: &self.store,
                clock: &self.clock,
            };
            keys.block(key, &by, None, asked_at).await?;
        }
        let revoker = Revoker {
            store: &self.store,
            clock: &self.clock,
            by,
            reason,
            asked_at,
            dated: None,
        };
        let (lost, is_new) = revoker.revoke_lost(lost).await?;
        let mut known = self.issuing_cas().await?.into_iter();
        let is_listed = known.any(|ca| ca.issuer == lost.issuer);
        Ok(LostRevoked {
            lost,
            is_new,
            is_listed,
        })
    }
}

impl Revoker<'_> {
    /// Revokes a lost certificate; one that was revoked for another reason is marked as compromised, if that is what
    /// is told now. Gives it as it is then, and whether it was revoked by this call.
    pub(crate) async fn revoke_lost(
        &self,
        lost: &LostCertificate,
    ) -> Result<(LostCertificate, bool), AppError> {
        for _ in 0..CONFLICT_TRIES {
            let now = self.clock.now();
            let mut found = self.found(lost).await?;
            let mut change = Change::new();
            let is_new = found.revocation.is_none();
            match &mut found.revocation {
                Some(told) if told.reason.blocks_key() || !self.reason.blocks_key() => {
                    return Ok((found, false));
                }
                Some(told) => {
                    told.reason = self.reason;
                    change.amend_lost_revocation(lost);
                }
                none => {
                    let told = none.insert(self.revocation(now));
                    change.revoke_lost_certificate(lost, told);
                }
            }
            refresh_crl_soon(&mut change, now);
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => continue,
                Err(other) => return Err(other.into()),
                Ok(_) => {}
            }
            let (serial, reason) = (hex(&found.serial), self.reason.name());
            tracing::info!(serial, reason, by = %self.by, "a lost certificate was revoked");
            return Ok((found, is_new));
        }
        Err(AppError::Busy)
    }

    async fn found(&self, lost: &LostCertificate) -> Result<LostCertificate, AppError> {
        let found = self.store.lost_certificate(&lost.issuer, &lost.serial);
        found.await?.ok_or_else(|| {
            AppError::Internal("a lost certificate to be revoked is not there".into())
        })
    }

    /// Revokes the lost certificates in force with a key; gives how many that were.
    pub(crate) async fn revoke_lost_of_key(
        &self,
        spki_sha256: [u8; 32],
    ) -> Result<usize, AppError> {
        let (filter, now) = (LostFilter::Key(spki_sha256), self.clock.now());
        let mut found = self.store.lost_certificates(&filter, now).await?;
        found.retain(|lost| lost.revocation.is_none());
        for lost in &found {
            self.revoke_lost(lost).await?;
        }
        Ok(found.len())
    }
}

/// A revocation as a list told it.
pub(crate) fn told_by_list(reason: Option<u8>, at: Timestamp) -> Revocation {
    let reason = reason.and_then(RevocationReason::from_code);
    let reason = reason.unwrap_or(RevocationReason::Unspecified);
    Revocation::new(reason, Requester::Platform, at, at)
}
