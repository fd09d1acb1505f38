//! Revoking what a reissue has taken the place of.

use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, IssuanceState};
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_store::{Change, ClaimedJob};

use super::refresh_crl_soon;
use crate::{App, AppError};

impl App {
    /// Revokes every certificate of the order that was signed before the one this run came to.
    pub(super) async fn supersede(&self, job: &ClaimedJob, id: IssuanceId) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        let issuance = self.store.issuance(id).await?;
        let reissued = issuance.and_then(|issuance| match issuance.state {
            IssuanceState::Issued { certificate } => Some((issuance.order, certificate)),
            _ => None,
        });
        if let Some((order, successor)) = reissued
            && let Some(file) = self.store.order_file(order).await?
        {
            let issued = self.store.issued_certificates(order).await?;
            let older = issued.iter().take_while(|older| older.id != successor);
            for old in older.filter(|old| old.is_in_force(now)) {
                let reason = RevocationReason::Superseded;
                let revocation = Revocation::new(reason, Requester::Platform, now, now);
                change.revoke_certificate(old.id, &revocation);
                let detail = Some(format!("certificate {}, superseded", old.id));
                let kind = EventKind::CertificateRevoked;
                self.note(&mut change, &file.order, Actor::Platform, kind, detail)
                    .await?;
                refresh_crl_soon(&mut change, now);
            }
        }
        self.store.commit(change).await?;
        self.wake_worker();
        Ok(())
    }
}
