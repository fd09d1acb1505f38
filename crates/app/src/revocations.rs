//! Revoking certificates, at whoever's wish: one change set for each, with its line of history, its notice and the
//! revocation list that follows.
//!
//! Revoking moves no money and asks nothing of the order: a certificate in force can be revoked whatever the state of
//! order, term or payment. Asking again is answered as done. Where the key is compromised it is blocked first, so that
//! whatever comes after, a crash among it, nothing good is issued with it any more; then all certificates with it
//! are revoked ([`crate::blocked_keys`]).

use chancery_domain::Timestamp;
use chancery_domain::certificates::{
    Certificate, CertificateId, CertificateLine, CertificateState, CertificateSummary, serial_hex,
};
use chancery_domain::events::{Event, EventKind};
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::issuances::{IssuanceState, Purpose};
use chancery_domain::notices::{News, Notice, NoticeId};
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::Reseller;
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_store::certificates::CertificateFilter;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, JobId, Sequence, Store, StoreError};

use crate::cancellations::stop_run;
use crate::jobs::{CONFLICT_TRIES, NOBODYS, Task, refresh_crl_soon, tend_key};
use crate::orders::put_order;
use crate::{App, AppError, Clock, Refusal};

/// How many other certificates with a compromised key an answer lists.
const LISTED: i64 = 100;

/// A revocation as a dialect understood it: form is checked, content is not.
#[derive(Clone, Debug, Default)]
pub struct RevocationRequest {
    /// Why.
    pub reason: Option<RevocationReason>,
    /// Which certificate of the order: the content octets of its serial's DER. All that are in force, where none is given.
    pub serial: Option<Vec<u8>>,
    /// What the dialect found wrong already; reported together with what is found here.
    pub errors: Vec<FieldError>,
}

/// What was revoked at a reseller's wish.
#[derive(Clone, Debug)]
pub struct RevocationReport {
    /// The order.
    pub order: OrderId,
    /// Its certificates that are revoked now, the oldest first.
    pub certificates: Vec<CertificateLine>,
    /// Whether the key is blocked.
    pub is_key_blocked: bool,
    /// The reseller's other certificates with a blocked key, a hundred at most: they are being revoked.
    pub same_key: Vec<CertificateLine>,
}

/// What became of one certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is revoked, by this call.
    Revoked(CertificateLine),
    /// It was revoked before.
    RevokedBefore(CertificateLine),
    /// It has ended: nobody relies on it any more.
    Ended(CertificateLine),
}

impl Outcome {
    /// The certificate.
    pub fn certificate(&self) -> &CertificateLine {
        match self {
            Self::Revoked(line) | Self::RevokedBefore(line) | Self::Ended(line) => line,
        }
    }
}

/// Who revokes what for which reason; the same for use cases, jobs and operators.
pub(crate) struct Revoker<'a> {
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a Clock,
    pub(crate) by: Requester,
    pub(crate) reason: RevocationReason,
    /// When it was asked for.
    pub(crate) asked_at: Timestamp,
    /// When it was done, where that was before: by a server whose database was restored since.
    pub(crate) dated: Option<Timestamp>,
}

impl Revoker<'_> {
    /// Revokes a certificate that was signed, unless it has ended. One that was revoked for another reason is marked
    /// as compromised, if that is what is told now (BR 7.2.2).
    pub(crate) async fn revoke(&self, id: CertificateId) -> Result<Outcome, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let now = self.clock.now();
            let found = self.store.certificate(id).await?;
            let mut certificate = found.ok_or_else(missing)?;
            let has_ended = certificate.validity.not_after < now;
            let change = match &certificate.state {
                CertificateState::Reserved | CertificateState::Abandoned => return Err(missing()),
                CertificateState::Revoked { revocation, .. } => {
                    let is_news = self.reason.blocks_key() && !revocation.reason.blocks_key();
                    if !is_news || has_ended {
                        return Ok(Outcome::RevokedBefore(line(&certificate)));
                    }
                    self.amendment(&certificate, now).await?
                }
                CertificateState::Issued { .. } if has_ended => {
                    return Ok(Outcome::Ended(line(&certificate)));
                }
                CertificateState::Issued { .. } => self.change(&certificate, now).await?,
            };
            let was_revoked = certificate.revocation().is_some();
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => continue,
                Err(other) => return Err(other.into()),
                Ok(_) => {}
            }
            self.apply(&mut certificate, now);
            let line = line(&certificate);
            let (order, reseller) = (line.order.0, line.reseller.0);
            let (serial, reason) = (serial_hex(&line.serial), self.reason.name());
            tracing::info!(order.id = order, reseller.id = reseller, serial, reason, by = %self.by, "revoked");
            return Ok(match was_revoked {
                true => Outcome::RevokedBefore(line),
                false => Outcome::Revoked(line),
            });
        }
        Err(AppError::Busy)
    }

    pub(crate) fn revocation(&self, now: Timestamp) -> Revocation {
        let at = self.dated.unwrap_or(now);
        Revocation::new(self.reason, self.by.clone(), self.asked_at, at)
    }

    /// The certificate as it is after the commit.
    fn apply(&self, certificate: &mut Certificate, now: Timestamp) {
        match &mut certificate.state {
            CertificateState::Reserved | CertificateState::Abandoned => {}
            CertificateState::Revoked { revocation, .. } => revocation.reason = self.reason,
            CertificateState::Issued { der, signed_at } => {
                certificate.state = CertificateState::Revoked {
                    der: std::mem::take(der),
                    signed_at: *signed_at,
                    revocation: self.revocation(now),
                };
            }
        }
    }

    async fn change(&self, certificate: &Certificate, now: Timestamp) -> Result<Change, AppError> {
        let mut change = Change::new();
        change.revoke_certificate(certificate.id, &self.revocation(now));
        let file = self.store.order_file(certificate.order).await?;
        let file = file.ok_or_else(|| AppError::Internal("an order is not there".into()))?;
        let mut run = file.order.issuance;
        if file.order.certificate == Some(certificate.id) {
            run = self.move_order(&mut change, file, now).await?;
        }
        let detail = format!(
            "certificate {}: {}, asked for by {} at {}, due by {}",
            serial_hex(&certificate.serial),
            self.reason,
            self.by,
            self.asked_at,
            self.revocation(now).due_at,
        );
        let event = Event {
            id: self.row_id().await?,
            order: certificate.order,
            issuance: Some(run),
            at: now,
            actor: self.by.actor(),
            kind: EventKind::CertificateRevoked,
            detail: Some(detail),
        };
        change.record_event(certificate.reseller, &event);
        self.tell(&mut change, certificate, now).await?;
        refresh_crl_soon(&mut change, now);
        Ok(change)
    }

    /// Moves the order whose certificate in force it is. A replacement that the platform has begun by itself is stopped:
    /// nobody has asked for another certificate.
    async fn move_order(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        now: Timestamp,
    ) -> Result<chancery_domain::issuances::IssuanceId, AppError> {
        let run = file.issuance.id;
        if file.issuance.purpose == Purpose::Replacement
            && file.issuance.state == IssuanceState::Validating
        {
            file.issuance = file.issuance.cancel(now)?;
            stop_run(change, &file.issuance, now);
        }
        let revoked = file.certificate.map(|held| CertificateSummary {
            revoked_at: Some(now),
            revocation_reason: Some(self.reason),
            ..held
        });
        file.order.modified_at = now;
        put_order(
            change,
            &mut file.order,
            &file.issuance,
            revoked.as_ref(),
            now,
        );
        let (task, key) = (Task::Tend(file.order.id), tend_key(file.order.id));
        let id = JobId(self.row_id().await?);
        change.enqueue_anew(task.as_new_job(id, NOBODYS, now, Some(&key)), now);
        Ok(run)
    }

    /// Has the people behind the order told.
    async fn tell(
        &self,
        change: &mut Change,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let notice = Notice {
            id: NoticeId(self.row_id().await?),
            order: certificate.order,
            certificate: Some(certificate.id),
            news: News::CertificateRevoked(certificate.id),
            created_at: now,
            sent_at: None,
        };
        App::put_notice(self.store, change, &notice, certificate.reseller).await
    }

    async fn amendment(
        &self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<Change, AppError> {
        let mut change = Change::new();
        change.amend_revocation(certificate.id);
        let detail = format!(
            "certificate {}: {}, told by {}",
            serial_hex(&certificate.serial),
            self.reason,
            self.by
        );
        let event = Event {
            id: self.row_id().await?,
            order: certificate.order,
            issuance: Some(certificate.issuance),
            at: now,
            actor: self.by.actor(),
            kind: EventKind::RevocationAmended,
            detail: Some(detail),
        };
        change.record_event(certificate.reseller, &event);
        refresh_crl_soon(&mut change, now);
        Ok(change)
    }

    async fn row_id(&self) -> Result<i64, AppError> {
        Ok(self.store.next_id(Sequence::Row).await?)
    }
}

fn missing() -> AppError {
    AppError::Internal("a certificate to be revoked is not there".into())
}

/// What lists say of a certificate that was signed.
pub(crate) fn line(certificate: &Certificate) -> CertificateLine {
    let signed_at = match certificate.state {
        CertificateState::Issued { signed_at, .. }
        | CertificateState::Revoked { signed_at, .. } => signed_at,
        CertificateState::Reserved | CertificateState::Abandoned => certificate.reserved_at,
    };
    CertificateLine {
        id: certificate.id,
        order: certificate.order,
        reseller: certificate.reseller,
        serial: certificate.serial.clone(),
        names: certificate.names.clone(),
        spki_sha256: certificate.spki_sha256.clone(),
        validity: certificate.validity,
        signed_at,
        revocation: certificate.revocation().cloned(),
    }
}

impl App {
    /// Revokes certificates of an order at the reseller's wish: the one with a serial, or all that are in force. What is
    /// revoked already is answered as done.
    ///
    /// A replacement that is being signed meanwhile is not waited for: either its certificate is stored first, and is
    /// revoked with the others, or it is given up, since what it was to replace is revoked. A reissue brings the order
    /// back; nothing is replaced by itself.
    pub async fn revoke_order(
        &self,
        reseller: &Reseller,
        id: OrderId,
        asked: RevocationRequest,
    ) -> Result<RevocationReport, AppError> {
        let by = Requester::Reseller;
        let reason = check_reason(&by, &asked)?;
        let asked_at = self.clock.now();
        self.order(reseller, Some(id), None).await?;
        let revoker = Revoker {
            store: &self.store,
            clock: &self.clock,
            by,
            reason,
            asked_at,
            dated: None,
        };
        let mut targets = self.targets(id, asked.serial.as_deref()).await?;
        let mut certificates: Vec<CertificateLine> = Vec::new();
        while !targets.is_empty() {
            if reason.blocks_key() {
                for target in &targets {
                    let key = &target.spki_sha256;
                    self.keys().block(key, &revoker.by, None, asked_at).await?;
                }
            }
            for target in &targets {
                certificates.push(revoker.revoke(target.id).await?.certificate().clone());
            }
            targets = match asked.serial {
                Some(_) => Vec::new(),
                None => self.replaced_meanwhile(id).await?,
            };
        }
        self.wake_worker();
        let (is_key_blocked, same_key) = self.same_key(reseller, &certificates).await?;
        Ok(RevocationReport {
            order: id,
            certificates,
            is_key_blocked,
            same_key,
        })
    }

    /// What is in force of an order whose certificates were just revoked: what the platform has put in their place by
    /// itself meanwhile. Whoever asked for another certificate keeps it.
    async fn replaced_meanwhile(&self, id: OrderId) -> Result<Vec<CertificateLine>, AppError> {
        let now = self.clock.now();
        let mut lines = self.lines_of(id).await?;
        lines.retain(|line| line.is_in_force(now));
        let mut replaced = Vec::new();
        for line in lines {
            let certificate = self.store.certificate(line.id).await?.ok_or_else(missing)?;
            let run = self.store.issuance(certificate.issuance).await?;
            if run.is_some_and(|run| run.purpose == Purpose::Replacement) {
                replaced.push(line);
            }
        }
        Ok(replaced)
    }

    /// The certificates of an order that were signed, the oldest first. An order has a few a year.
    async fn lines_of(&self, order: OrderId) -> Result<Vec<CertificateLine>, AppError> {
        let filter = CertificateFilter::Order(order);
        let lines = self
            .store
            .certificate_lines(&filter, CertificateId(0), i64::from(u16::MAX));
        Ok(lines.await?)
    }

    /// The certificates of an order that are meant: by serial, or those in force, or, where there are none, its last
    /// one, which is revoked. Earlier ones, which a reissue has superseded, may have other keys, that nobody has
    /// called compromised: they are meant where they are named.
    async fn targets(
        &self,
        order: OrderId,
        serial: Option<&[u8]>,
    ) -> Result<Vec<CertificateLine>, AppError> {
        let now = self.clock.now();
        let all = self.lines_of(order).await?;
        if all.is_empty() {
            return Err(Refusal::NotIssued.into());
        }
        let lasting = |line: &&CertificateLine| now <= line.validity.not_after;
        if let Some(serial) = serial {
            let named = all.iter().find(|line| line.serial == serial);
            let named = named.ok_or_else(|| {
                AppError::field(FieldError {
                    field: Field::Serial,
                    problem: Problem::Unknown(serial_hex(serial)),
                })
            })?;
            let named = Some(named).filter(lasting);
            return Ok(vec![named.ok_or(Refusal::CertificateEnded)?.clone()]);
        }
        let in_force: Vec<CertificateLine> = (all.iter())
            .filter(|line| line.is_in_force(now))
            .cloned()
            .collect();
        if !in_force.is_empty() {
            return Ok(in_force);
        }
        let last = all.iter().max_by_key(|line| line.signed_at).filter(lasting);
        Ok(vec![last.ok_or(Refusal::CertificateEnded)?.clone()])
    }

    /// Whether a key of these certificates is blocked, and the reseller's other certificates with it.
    async fn same_key(
        &self,
        reseller: &Reseller,
        revoked: &[CertificateLine],
    ) -> Result<(bool, Vec<CertificateLine>), AppError> {
        let mut keys: Vec<&[u8]> = revoked.iter().map(|line| &line.spki_sha256[..]).collect();
        keys.sort_unstable();
        keys.dedup();
        let (mut is_blocked, mut same_key) = (false, Vec::new());
        for key in keys {
            if self.store.blocked_key(key).await?.is_none() {
                continue;
            }
            is_blocked = true;
            let now = self.clock.now();
            let more = self
                .store
                .certificates_in_force_of_key(key, Some(reseller.id), now, LISTED)
                .await?;
            same_key.extend(more);
        }
        Ok((is_blocked, same_key))
    }
}

/// The reason, if whoever asks may give it.
fn check_reason(by: &Requester, asked: &RevocationRequest) -> Result<RevocationReason, AppError> {
    let mut errors = asked.errors.clone();
    let field = Field::RevocationReason;
    match asked.reason {
        None if errors.iter().all(|error| error.field != field) => {
            errors.push(FieldError::missing(field));
        }
        Some(reason) if !by.reasons().contains(&reason) => errors.push(FieldError {
            field,
            problem: Problem::NotOneOf(reason_names(by)),
        }),
        Some(_) | None => {}
    }
    match asked.reason.filter(|_| errors.is_empty()) {
        Some(reason) => Ok(reason),
        None => Err(AppError::Invalid(errors)),
    }
}

/// The names of the reasons that somebody may give.
pub(crate) fn reason_names(by: &Requester) -> Vec<String> {
    let names = by.reasons().iter().map(|reason| reason.name().to_owned());
    names.collect()
}
