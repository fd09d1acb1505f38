//! Revoking an issuing CA: the root's list names it, a successor signs from then on, and the orders that have
//! certificates of it get others.
//!
//! Its key goes on signing its own revocation list to its end, since relying parties that do not look at the root's
//! list go by that one, and nothing else: every process looks at a reservation, at the signature, and in the change
//! set that stores a certificate whether the issuing CA is in force.

use chancery_domain::certificates::CertificateId;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_issuers::issuer_id;
use chancery_pki::certificate::CertificateInfo;
use chancery_store::authorities::{HeldCertificate, RevokedCaRow};
use chancery_store::{Change, ClaimedJob, StoreError};

use crate::{App, AppError, Operations};

/// Orders that are told in one change set.
const PAGE: i64 = 200;

/// How far apart the replacements of two orders begin.
const APART: SignedDuration = SignedDuration::from_millis(10);

/// When all are told again, those among them whose certificate was being stored as the CA was revoked.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The reasons for which a CA may be revoked, by the names of RFC 5280 §5.3.1 in the shell's spelling.
pub const CA_REVOCATION_REASONS: [(&str, u8); 6] = [
    ("key-compromise", 1),
    ("ca-compromise", 2),
    ("affiliation-changed", 3),
    ("superseded", 4),
    ("cessation-of-operation", 5),
    ("privilege-withdrawn", 9),
];

/// An issuing CA as operators see it.
#[derive(Clone, Debug)]
pub struct IssuingCaReport {
    /// Its place in the row, from 1.
    pub number: i64,
    /// Its id.
    pub issuer: String,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Since when it is revoked, and why, if it is.
    pub revoked: Option<RevokedCaRow>,
}

impl Operations {
    /// The issuing CAs, from the first on.
    pub async fn issuing_cas(&self) -> Result<Vec<IssuingCaReport>, AppError> {
        let held = self.authority_certificates().await?;
        let revoked = self.store.revoked_cas().await?;
        let report = |(number, certificate): (i64, Vec<u8>)| {
            let issuer = issuer_id(&certificate).map_err(AppError::internal)?;
            let revoked = revoked.iter().find(|row| row.issuer == issuer).cloned();
            Ok(IssuingCaReport {
                number,
                issuer,
                certificate,
                revoked,
            })
        };
        let issuing = held.map(|held| held.issuing).unwrap_or_default();
        (1..).zip(issuing).map(report).collect()
    }

    /// Certificates in force of an issuing CA, by serial number after `after`, `limit` at most.
    pub async fn ca_certificates(
        &self,
        issuer: &str,
        after: &[u8],
        limit: i64,
    ) -> Result<Vec<HeldCertificate>, AppError> {
        let now = self.clock.now();
        let found = self.store.certificates_in_force(issuer, now, after, limit);
        Ok(found.await?)
    }

    /// Revokes an issuing CA. Servers sign the root's list and make a successor within seconds, and have the orders
    /// that have certificates of it replace them. Answers since when it is revoked; `None` if it was before.
    pub async fn revoke_ca(
        &self,
        ca: &IssuingCaReport,
        reason: u8,
        operator: &str,
    ) -> Result<Option<Timestamp>, AppError> {
        let now = self.clock.now();
        let info = CertificateInfo::parse(&ca.certificate).map_err(AppError::internal)?;
        let mut change = Change::new();
        change.insert_revoked_ca(&RevokedCaRow {
            issuer: ca.issuer.clone(),
            serial: info.serial,
            revoked_at: now,
            reason,
            operator: operator.to_owned(),
            replaced_at: None,
        });
        self.replace_certificates_of(&mut change, ca.number, now)
            .await?;
        match self.store.commit(change).await {
            Ok(_) => Ok(Some(now)),
            Err(StoreError::Refused("revoked ca")) => {
                self.go_on_replacing(ca, now).await?;
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Begins again with what follows from a revocation, if it was not carried through.
    async fn go_on_replacing(&self, ca: &IssuingCaReport, now: Timestamp) -> Result<(), AppError> {
        let mut revoked = self.store.revoked_cas().await?.into_iter();
        let revoked = revoked.find(|row| row.issuer == ca.issuer);
        if revoked.is_some_and(|row| row.replaced_at.is_none()) {
            let mut change = Change::new();
            self.replace_certificates_of(&mut change, ca.number, now)
                .await?;
            self.store.commit(change).await?;
        }
        Ok(())
    }
}

impl App {
    /// Has every order tended whose certificate is of an issuing CA that was revoked. Twice: a process that did not
    /// know it yet the first time may have seen nothing to do, or stored one more.
    pub(crate) async fn replace_certificates(
        &self,
        job: &ClaimedJob,
        number: i64,
    ) -> Result<(), AppError> {
        self.load_authorities().await?;
        let now = self.clock.now();
        let place = usize::try_from(number - 1).map_err(AppError::internal)?;
        let ca = self.authorities.all().get(place).cloned();
        let revoked = self.store.revoked_cas().await?;
        let is_this =
            |row: &RevokedCaRow| ca.as_ref().is_some_and(|ca| ca.issuer_id() == row.issuer);
        let revoked = revoked.into_iter().find(is_this);
        let mut change = Change::new();
        if let Some(revoked) = revoked {
            self.tend_orders_of(&revoked.issuer, now).await?;
            change.mark_ca_replaced(&revoked.issuer, now);
            if revoked.replaced_at.is_none() {
                change.postpone_job(job.id, job.attempt, now + AGAIN_AFTER);
            } else {
                change.finish_job(job.id, job.attempt);
            }
        } else {
            change.finish_job(job.id, job.attempt);
        }
        self.store.commit(change).await?;
        Ok(())
    }

    async fn tend_orders_of(&self, issuer: &str, now: Timestamp) -> Result<(), AppError> {
        let mut after = Vec::new();
        let mut at = now;
        loop {
            let found = self.store.certificates_in_force(issuer, now, &after, PAGE);
            let found = found.await?;
            let mut change = Change::new();
            for held in found.iter().filter(|held| held.is_current) {
                at += APART;
                self.tend_soon(&mut change, held.order, at).await?;
            }
            self.store.commit(change).await?;
            match found.last() {
                Some(last) => after.clone_from(&last.serial),
                None => return Ok(()),
            }
        }
    }

    /// Since when an issuing CA is revoked, if it is.
    pub(crate) async fn ca_revoked_at(&self, issuer: &str) -> Result<Option<Timestamp>, AppError> {
        if !self.authorities.is_revoked(issuer) {
            return Ok(None);
        }
        let revoked = self.store.revoked_cas().await?;
        let this = revoked.into_iter().find(|row| row.issuer == issuer);
        Ok(this.map(|row| row.revoked_at))
    }

    /// Whether a certificate was signed by an issuing CA that was revoked since.
    pub(crate) async fn is_of_revoked_ca(&self, id: CertificateId) -> Result<bool, AppError> {
        if !self.authorities.is_any_revoked() {
            return Ok(false);
        }
        let issuer = self.store.issuer_of(id).await?;
        Ok(issuer.is_some_and(|issuer| self.authorities.is_revoked(&issuer)))
    }
}
