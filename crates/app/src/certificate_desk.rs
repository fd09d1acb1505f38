//! The operator's certificates and keys: listed, revoked, blocked; with the server running or stopped. Revocation lists
//! are signed by a server: at once where one runs, else when one starts.

use chancery_domain::Timestamp;
use chancery_domain::certificates::{Certificate, CertificateId, CertificateLine};
use chancery_domain::operators::OperatorName;
use chancery_domain::revocations::{BlockedKey, BlockedKeyId, Requester, RevocationReason};
use chancery_store::certificates::CertificateFilter;

use crate::blocked_keys::Keys;
use crate::revocations::{Outcome, Revoker};
use crate::{AppError, Noun, Operations};

/// How many lines are read at once.
const PAGE: i64 = 500;

/// What came of blocking a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyBlocked {
    /// The block.
    pub key: BlockedKey,
    /// Whether it is new.
    pub is_new: bool,
    /// How many certificates were revoked for it.
    pub revoked: usize,
}

impl Operations {
    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Certificates that were signed, beyond `after`, some hundred at most; the next page begins after the last.
    pub async fn certificates(
        &self,
        filter: &CertificateFilter,
        after: CertificateId,
    ) -> Result<Vec<CertificateLine>, AppError> {
        Ok(self.store.certificate_lines(filter, after, PAGE).await?)
    }

    /// A certificate.
    pub async fn certificate(&self, id: CertificateId) -> Result<Certificate, AppError> {
        let found = self.store.certificate(id).await?;
        found.ok_or_else(|| AppError::NotFound {
            what: Noun::Certificate,
            id: id.to_string(),
        })
    }

    /// Revokes a certificate. With *keyCompromise* its key is blocked first; [`Operations::revoke_key`] sees to the
    /// others at once, and a server's job to what is left.
    pub async fn revoke_certificate(
        &self,
        id: CertificateId,
        reason: RevocationReason,
        by: &OperatorName,
    ) -> Result<Outcome, AppError> {
        let asked_at = self.clock.now();
        let by = Requester::Operator(by.clone());
        if reason.blocks_key() {
            let key = self.certificate(id).await?.spki_sha256;
            self.keys().block(&key, &by, None, asked_at).await?;
        }
        let revoker = Revoker {
            store: &self.store,
            clock: &self.clock,
            by,
            reason,
            asked_at,
            dated: None,
        };
        revoker.revoke(id).await
    }

    /// Blocks a key, by SHA-256 of its `SubjectPublicKeyInfo`, and revokes all certificates with it.
    pub async fn block_key(
        &self,
        spki_sha256: [u8; 32],
        by: &OperatorName,
        note: Option<String>,
    ) -> Result<KeyBlocked, AppError> {
        let by = Requester::Operator(by.clone());
        let now = self.clock.now();
        let (key, is_new) = self.keys().block(&spki_sha256, &by, note, now).await?;
        let revoked = self.revoke_key(&key).await?;
        Ok(KeyBlocked {
            key,
            is_new,
            revoked,
        })
    }

    /// Revokes all certificates with a blocked key; tells how many that were.
    pub async fn revoke_key(&self, key: &BlockedKey) -> Result<usize, AppError> {
        let mut revoked = 0;
        loop {
            let (count, is_more) = self.keys().revoke_some(key, 1).await?;
            revoked += count;
            if !is_more {
                return Ok(revoked);
            }
        }
    }

    /// The block of a key, if there is one.
    pub async fn blocked_key(&self, spki_sha256: &[u8]) -> Result<Option<BlockedKey>, AppError> {
        Ok(self.store.blocked_key(spki_sha256).await?)
    }

    /// Blocked keys, beyond `after`, some hundred at most; the next page begins after the last.
    pub async fn blocked_keys(&self, after: BlockedKeyId) -> Result<Vec<BlockedKey>, AppError> {
        Ok(self.store.blocked_keys(after, PAGE).await?)
    }

    fn keys(&self) -> Keys<'_> {
        Keys {
            store: &self.store,
            clock: &self.clock,
        }
    }
}
