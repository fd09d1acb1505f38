//! Revoking what a reissue has taken the place of.

use chancery_domain::Timestamp;
use chancery_domain::certificates::{CertificateId, CertificateSummary};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, IssuanceState};
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_store::{Change, ClaimedJob};

use super::refresh_crl_soon;
use crate::holds::TOLERANCE;
use crate::{App, AppError};

impl App {
    /// Revokes every certificate of the order that was signed before the one this run came to.
    pub(super) async fn supersede(&self, job: &ClaimedJob, id: IssuanceId) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut change = Change::new();
        let issuance = self.store.issuance(id).await?;
        let reissued = issuance.and_then(|issuance| match issuance.state {
            IssuanceState::Issued { certificate } => Some((issuance.order, certificate)),
            _ => None,
        });
        if let Some((order, successor)) = reissued
            && let Some(file) = self.store.order_file(order).await?
        {
            let issued = self.store.issued_certificates(order).await?;
            if let Some(due) = self.superseding_due(&issued, successor, now) {
                change.postpone_job(job.id, job.attempt, due);
                self.store.commit(change).await?;
                return Ok(());
            }
            let current = file.certificate.as_ref().map(|current| current.id);
            let older = superseded(&issued, successor, current);
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
        change.finish_job(job.id, job.attempt);
        self.store.commit(change).await?;
        self.wake_worker();
        Ok(())
    }

    /// When it is to be done, where that is to come: a job may run too early after a clock was ahead. If it was that
    /// clock which dated the successor, nothing but the job's own time tells.
    fn superseding_due(
        &self,
        issued: &[CertificateSummary],
        successor: CertificateId,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let signed_at = issued.iter().find(|held| held.id == successor)?.signed_at;
        let due = signed_at + self.settings.supersede_delay;
        (signed_at <= now + TOLERANCE && now < due).then_some(due)
    }
}

/// What a certificate has taken the place of: all others, if the order has it still, or else those that are dated before
/// it; never what the order has now, which a clock that was ahead may make look older.
fn superseded(
    issued: &[CertificateSummary],
    successor: CertificateId,
    current: Option<CertificateId>,
) -> impl Iterator<Item = &CertificateSummary> {
    let is_current = current == Some(successor);
    let dated_before = issued
        .iter()
        .take_while(|held| held.id != successor)
        .count();
    let candidates = match is_current {
        true => issued,
        false => &issued[..dated_before],
    };
    let stays = move |id| id == successor || Some(id) == current;
    candidates.iter().filter(move |held| !stays(held.id))
}
