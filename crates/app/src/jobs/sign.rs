//! Signing: first on record, then signed, then stored.
//!
//! [`App::begin_signing`] mints the serial, builds and lints the bytes to be signed, and adds them to the
//! change set that moves the issuance. Only when that is on disk are these bytes signed, off the async
//! runtime, many at a time. A signature that could not be stored is thrown away and never shown; the next
//! run signs the very same bytes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chancery_domain::certificates::{Certificate, CertificateId, CertificateState};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, IssuanceState, Purpose};
use chancery_domain::orders::{Failure, NameCounts};
use chancery_domain::products::name_fault;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_issuers::{EmbeddedCa, IssueError, LeafRequest};
use chancery_pki::identities::Identity;
use chancery_store::orders::OrderFile;
use chancery_store::record::{RecordError, SignedLine};
use chancery_store::{Change, ClaimedJob, JobId};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Task;
use super::failures::panicked;
use super::leases::Held;
use super::worker::Busy;
use crate::blocked_keys::KEY_BLOCKED;
use crate::companions::came_along;
use crate::holds::{HOLD_LOOK, TOLERANCE};
use crate::identities::Naming;
use crate::orders::{put_order, restage};
use crate::plans::KEY_NOT_REUSED;
use crate::{App, AppError};

/// How many certificates may wait for the signers in memory; more wait in the database.
const QUEUE_LENGTH: usize = 1024;

/// How many are signed in one go.
const BATCH: usize = 32;

/// A reservation older than this is given up: a certificate must begin within 48 hours of its signing
/// (BR 7.1.2.7).
const RESERVATION_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// An issuance on its way to the signers; its certificate is in a change set.
pub(crate) struct Signing {
    app: App,
    file: OrderFile,
    certificate: Certificate,
    job: ClaimedJob,
    /// A place in the memory queue; without one, the job waits in the database.
    permit: Option<mpsc::OwnedPermit<Signing>>,
    /// Keeps the job ours while it waits there.
    held: Option<Held>,
    /// Keeps the queue from looking idle while this waits.
    busy: Option<Busy>,
}

impl Signing {
    /// To be called when the change set is on disk.
    pub(crate) fn hand_over(mut self) {
        match self.permit.take() {
            Some(permit) => {
                self.busy = Some(Busy::new(&self.app));
                permit.send(self);
            }
            None => self.app.wake_worker(),
        }
    }
}

/// How a run whose names are proved goes on.
pub(crate) enum Proceeding {
    /// Its certificate is in the change set, to be signed.
    Signs(Box<Signing>),
    /// It came to nothing.
    Ended,
    /// Its organization is still to be vetted; nothing was changed.
    Waits(Box<OrderFile>),
}

/// Why a certificate was not put on record.
pub(crate) enum ReserveError {
    /// The issuer's rules forbid it; trying again is useless.
    Refused(String),
    /// Its key is never certified again.
    KeyBlocked,
    /// Something else failed.
    App(AppError),
}

impl From<IssueError> for ReserveError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Refused(_) => Self::Refused(error.to_string()),
            other => Self::App(AppError::internal(other)),
        }
    }
}

impl From<AppError> for ReserveError {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

/// How an issuance gets into the database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Put {
    /// It is new.
    Insert,
    /// It is there, at its version.
    Save,
}

pub(crate) struct SignerQueue {
    sender: mpsc::Sender<Signing>,
    receiver: Mutex<Option<mpsc::Receiver<Signing>>>,
}

impl SignerQueue {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }
}

impl App {
    /// Goes on with an issuance whose names are all proved: to signing, or, where its organization was
    /// rejected or the issuer's rules refuse the certificate, to its end and the price back; a replacement whose key
    /// may no longer be used again is stopped. The caller commits, and hands over what is to be signed.
    pub(crate) async fn sign_or_end(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        now: Timestamp,
    ) -> Result<Proceeding, AppError> {
        if file.issuance.state == IssuanceState::Validating && !self.may_go_on(&file).await? {
            self.stop_replacement(change, &mut file, now).await?;
            self.tend_soon(change, file.order.id, now).await?;
            return Ok(Proceeding::Ended);
        }
        let identity = match self.identity_for(&file.order, &file.issuance, now).await? {
            Naming::Ready(identity) => identity,
            Naming::Waiting => return Ok(Proceeding::Waits(Box::new(file))),
            Naming::Rejected(reason) => {
                let failure = Failure::OrganizationRejected(reason);
                self.fail_issuance(change, file, failure, now).await?;
                return Ok(Proceeding::Ended);
            }
        };
        match self.reserve(&file, identity.as_ref(), now).await {
            Ok(certificate) => {
                let signing = self
                    .begin_signing(change, file, certificate, Put::Save)
                    .await?;
                Ok(Proceeding::Signs(Box::new(signing)))
            }
            Err(ReserveError::KeyBlocked) => {
                tracing::warn!(order.id = file.order.id.0, "{KEY_BLOCKED}");
                let failure = Failure::IssuerRefused(KEY_BLOCKED.to_owned());
                self.fail_issuance(change, file, failure, now).await?;
                Ok(Proceeding::Ended)
            }
            Err(ReserveError::Refused(reason)) => {
                tracing::error!(order.id = file.order.id.0, reason, "the issuer refused");
                let failure = Failure::IssuerRefused(reason);
                self.fail_issuance(change, file, failure, now).await?;
                Ok(Proceeding::Ended)
            }
            Err(ReserveError::App(error)) => Err(error),
        }
    }

    /// Moves a proved issuance to signing, puts its certificate on record and enqueues the work. The caller
    /// commits.
    pub(crate) async fn begin_signing(
        &self,
        change: &mut Change,
        mut file: OrderFile,
        certificate: Certificate,
        put: Put,
    ) -> Result<Signing, AppError> {
        let now = certificate.reserved_at;
        let mut issuance = file
            .issuance
            .begin_signing(certificate.id, &self.rules, now)?;
        match put {
            Put::Insert => change.insert_issuance(&issuance),
            Put::Save => {
                change.save_issuance(&issuance);
                issuance.version += 1;
            }
        }
        // Of what was dropped since it was read, nothing is begun.
        change.expect_undropped(issuance.reseller, issuance.id, &issuance.rests_on());
        restage(
            change,
            &mut file.order,
            &issuance,
            file.certificate.as_ref(),
            now,
        );
        file.issuance = issuance;
        change.insert_certificate(&certificate);
        let kind = EventKind::CertificateReserved;
        let detail = Some(hex(&certificate.serial));
        self.note(change, &file.order, Actor::Platform, kind, detail)
            .await?;
        if let Some((name, proof)) = self.companion(&file, now) {
            let kind = EventKind::CompanionAdded;
            let detail = format!("{name}, by {} at {}", proof.method.as_str(), proof.domain);
            self.note(change, &file.order, Actor::Platform, kind, Some(detail))
                .await?;
        }
        let task = Task::Sign(file.issuance.id);
        let job = ClaimedJob {
            id: JobId(self.row_id().await?),
            kind: task.kind().to_owned(),
            subject: task.subject(),
            attempt: 1,
            tries: 1,
            lost: 0,
            owner: file.order.reseller.0,
            queue: task.queue(),
        };
        let row = task.as_new_job(job.id, job.owner, now, None);
        let permit = self.0.signers.sender.clone().try_reserve_owned().ok();
        let held = permit
            .as_ref()
            .map(|_| Held::new(self, job.id, job.attempt));
        if held.is_some() {
            change.enqueue_claimed(row, self.0.worker.leases.lease(now));
        } else {
            change.enqueue(row, now);
        }
        Ok(Signing {
            app: self.clone(),
            file,
            certificate,
            job,
            permit,
            held,
            busy: None,
        })
    }

    /// Makes the certificate that goes on record: serial, dates and the bytes to be signed, linted.
    pub(crate) async fn reserve(
        &self,
        file: &OrderFile,
        identity: Option<&Identity>,
        now: Timestamp,
    ) -> Result<Certificate, ReserveError> {
        let OrderFile {
            order, issuance, ..
        } = file;
        if self.is_key_blocked(&issuance.spki).await? {
            return Err(ReserveError::KeyBlocked);
        }
        // Whatever way they came: a run may be older than what is reserved today.
        let mut controls = issuance.names.iter();
        if let Some(text) = controls.find_map(|held| name_fault(&held.name, self.settings.world)) {
            return Err(ReserveError::Refused(text));
        }
        let mut names = issuance.covered();
        names.extend(self.companion(file, now).map(|(name, _)| name));
        let rule = self.rules.at(now);
        let term_end = order.term_end(now);
        let validity = self.rules.leaf_validity(now, term_end);
        let request = LeafRequest {
            names: &names,
            identity,
            spki_der: &issuance.spki,
            validity,
            cap_days: rule.validity_days,
        };
        let issuer = self.issuing_ca(now).await?;
        let reserved = issuer.reserve(&request, now)?;
        Ok(Certificate {
            id: CertificateId(self.row_id().await?),
            issuance: issuance.id,
            order: order.id,
            reseller: order.reseller,
            issuer: issuer.issuer_id().to_owned(),
            serial: reserved.serial,
            names,
            spki_sha256: reserved.spki_sha256.to_vec(),
            validity,
            tbs: reserved.tbs,
            reserved_at: now,
            state: CertificateState::Reserved,
        })
    }

    /// Takes what is handed over, signs it in batches, and stores what was signed.
    pub(super) async fn run_signers(self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let Some(mut queue) = self.0.signers.receiver.lock().take() else {
            return;
        };
        let mut batch = Vec::with_capacity(BATCH);
        let mut storing = tokio::task::JoinSet::new();
        loop {
            let received = tokio::select! {
                count = queue.recv_many(&mut batch, BATCH) => count,
                _ = stop.changed(), if !queue.is_closed() => {
                    // What was handed over is signed still; the rest waits in the database.
                    queue.close();
                    continue;
                }
            };
            if received == 0 {
                break;
            }
            while storing.try_join_next().is_some() {}
            let tasks = std::mem::take(&mut batch);
            let app = self.clone();
            let signed = tokio::task::spawn_blocking(move || app.sign_all(tasks)).await;
            match signed {
                Ok(signed) => {
                    for (task, der) in signed {
                        storing.spawn(self.clone().store_signed(task, der));
                    }
                }
                Err(error) => tracing::error!(%error, "a signer stopped"),
            }
        }
        while storing.join_next().await.is_some() {}
    }

    fn sign_all(&self, tasks: Vec<Signing>) -> Vec<(Signing, Result<Vec<u8>, Unsigned>)> {
        let now = self.clock.now();
        let mut signed: Vec<_> = tasks
            .into_iter()
            .map(|task| {
                let signed = catch_unwind(AssertUnwindSafe(|| self.sign_one(&task.certificate)));
                let failed = |panic: Box<dyn Any + Send>| {
                    Err(Unsigned::Failed(panicked(&task.job, panic.as_ref())))
                };
                let der = signed.unwrap_or_else(failed);
                (task, der)
            })
            .collect();
        let done = signed.iter().filter(|(_, der)| der.is_ok());
        let lines = done.map(|(task, _)| journal_line(&task.certificate, now));
        if let Err(error) = self.journal(&lines.collect::<Vec<_>>()) {
            let error = Arc::new(error);
            for (_, der) in &mut signed {
                *der = Err(Unsigned::Failed(AppError::internal(Arc::clone(&error))));
            }
        }
        signed
    }

    fn sign_one(&self, certificate: &Certificate) -> Result<Vec<u8>, Unsigned> {
        if self.signing_hold().is_some() {
            return Err(Unsigned::Held);
        }
        if self.authorities.is_revoked(&certificate.issuer) {
            // Another run reserves it afresh.
            return Err(Unsigned::Failed(AppError::Busy));
        }
        let issuer = self.authorities.find(&certificate.issuer);
        let missing = || AppError::Internal("the issuing CA is not open".into());
        let signed = issuer.ok_or_else(missing).and_then(|issuer| {
            let signed = issuer.sign(&certificate.tbs);
            signed.map_err(AppError::internal)
        });
        signed.map_err(Unsigned::Failed)
    }

    /// Keeps in the record beside the database that certificates were signed, before the signatures are used.
    /// Waits for the disk.
    fn journal(&self, lines: &[SignedLine]) -> Result<(), RecordError> {
        match self.store.record() {
            Some(record) => record.keep_signed(lines),
            None => Ok(()),
        }
    }

    async fn store_signed(self, task: Signing, der: Result<Vec<u8>, Unsigned>) {
        let Signing {
            file,
            certificate,
            job,
            held,
            busy,
            ..
        } = task;
        let store = async {
            match der {
                Ok(der) => self.finish_signing(&job, file, certificate, der).await,
                Err(Unsigned::Held) => self.wait_for_hold(&job).await,
                Err(Unsigned::Failed(error)) => Err(error),
            }
        };
        self.contain(&job, store).await;
        drop((held, busy));
    }

    /// Comes back for a signing that is held, at no cost.
    async fn wait_for_hold(&self, job: &ClaimedJob) -> Result<(), AppError> {
        let mut change = Change::new();
        change.postpone_job(job.id, job.attempt, self.clock.now() + HOLD_LOOK);
        self.store.commit(change).await?;
        Ok(())
    }

    /// A signing job that came by way of the database.
    pub(super) async fn sign_claimed(
        &self,
        job: &ClaimedJob,
        id: IssuanceId,
    ) -> Result<(), AppError> {
        let found = self
            .file_of(id)
            .await?
            .and_then(|file| match file.issuance.state {
                IssuanceState::Signing { certificate } => Some((file, certificate)),
                _ => None,
            });
        let Some((file, certificate_id)) = found else {
            let mut change = Change::new();
            change.finish_job(job.id, job.attempt);
            self.store.commit(change).await?;
            return Ok(());
        };
        if self.signing_hold().is_some() {
            return self.wait_for_hold(job).await;
        }
        let now = self.clock.now();
        self.load_authorities().await?;
        let certificate = self
            .store
            .certificate(certificate_id)
            .await?
            .ok_or_else(|| AppError::Internal("the reserved certificate is not there".into()))?;
        if let Some(reason) = self.unwanted(&file, &certificate).await? {
            return self
                .give_up_signing(job, file, certificate.id, reason)
                .await;
        }
        let has_lost_proofs = self.has_lost_proofs(&file.issuance, now).await?;
        let naming = self.identity_for(&file.order, &file.issuance, now).await?;
        let is_stale = now.duration_since(certificate.reserved_at) > RESERVATION_LIFE
            || certificate.reserved_at > now + TOLERANCE
            || self.rules.at(now) != self.rules.at(certificate.reserved_at)
            || has_lost_proofs
            || self.authorities.is_revoked(&certificate.issuer);
        let issuer = self.issuing_ca_of(&certificate.issuer).await?;
        let signed = match (issuer.filter(|_| !is_stale), naming) {
            (Some(issuer), Naming::Ready(identity)) => {
                self.sign_reserved(issuer, &certificate, identity).await?
            }
            _ => None,
        };
        match signed {
            Some(der) => self.finish_signing(job, file, certificate, der).await,
            None => self.reserve_afresh(job, file, certificate.id, now).await,
        }
    }

    /// Why a certificate on record must not be signed any more, if anything has happened since: its key was blocked
    /// or may not be used again by itself, or the certificate that it is to replace was revoked.
    async fn unwanted(
        &self,
        file: &OrderFile,
        certificate: &Certificate,
    ) -> Result<Option<&'static str>, AppError> {
        if (self.store.blocked_key(&certificate.spki_sha256).await?).is_some() {
            return Ok(Some(KEY_BLOCKED));
        }
        if !self.may_go_on(file).await? {
            return Ok(Some(KEY_NOT_REUSED));
        }
        let predecessor = file.certificate.filter(|held| held.revoked_at.is_some());
        let is_unasked = file.issuance.purpose == Purpose::Replacement && predecessor.is_some();
        Ok(is_unasked.then_some("the certificate that was to be replaced is revoked"))
    }

    /// Ends a run whose certificate is on record and must not be signed.
    async fn give_up_signing(
        &self,
        job: &ClaimedJob,
        file: OrderFile,
        certificate: CertificateId,
        reason: &str,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        change.abandon_certificate(certificate);
        let failure = Failure::IssuerRefused(reason.to_owned());
        self.fail_issuance(&mut change, file, failure, now).await?;
        self.store.commit(change).await?;
        self.wake_worker();
        Ok(())
    }

    /// Signs what is on record; `None` where the rules refuse it today, such as after a change of the CA's
    /// URLs or of the organization's name.
    async fn sign_reserved(
        &self,
        issuer: Arc<EmbeddedCa>,
        certificate: &Certificate,
        identity: Option<Identity>,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let tbs = certificate.tbs.clone();
        let line = journal_line(certificate, self.clock.now());
        let app = self.clone();
        let sign = move || {
            let signed = issuer.sign_naming(&tbs, identity.as_ref());
            let kept = match &signed {
                Ok(_) => app.journal(&[line]),
                Err(_) => Ok(()),
            };
            kept.map(|()| signed)
        };
        let signed = tokio::task::spawn_blocking(sign)
            .await
            .map_err(AppError::internal)?
            .map_err(AppError::internal)?;
        match signed {
            Ok(der) => Ok(Some(der)),
            Err(IssueError::Refused(findings)) => {
                tracing::warn!(
                    certificate.id = certificate.id.0,
                    ?findings,
                    "reserving afresh"
                );
                Ok(None)
            }
            Err(other) => Err(AppError::internal(other)),
        }
    }

    async fn finish_signing(
        &self,
        job: &ClaimedJob,
        file: OrderFile,
        mut certificate: Certificate,
        der: Vec<u8>,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let issuance = file.issuance.issue(now)?;
        let paid = NameCounts::of(&issuance.covered(), self.free_name(&file.order).as_ref());
        let companion = came_along(&certificate, &issuance);
        let before = file.order.companion.clone();
        let lost = before.filter(|name| !certificate.names.contains(name));
        let mut order = (file.order).settle(&issuance, certificate.id, paid, companion, now)?;
        certificate.state = CertificateState::Issued {
            der: der.clone(),
            signed_at: now,
        };
        let mut change = Change::new();
        change.store_signed(certificate.id, der, now);
        change.save_issuance(&issuance);
        let summary = certificate.summary();
        put_order(&mut change, &mut order, &issuance, summary.as_ref(), now);
        change.note_further_names(&order);
        let detail = Some(hex(&certificate.serial));
        let kind = EventKind::CertificateIssued;
        self.note(&mut change, &order, Actor::Platform, kind, detail)
            .await?;
        if issuance.purpose == Purpose::Reissue {
            let task = Task::Supersede(issuance.id);
            let run_at = now + self.settings.supersede_delay;
            self.enqueue(&mut change, task, order.reseller, run_at)
                .await?;
        }
        let (purpose, validity) = (issuance.purpose, certificate.validity);
        self.tend_later(&mut change, job, &order, purpose, validity)
            .await?;
        if let Some(name) = lost {
            let file = OrderFile {
                order,
                issuance,
                certificate: summary,
            };
            self.tell_lost_companion(&mut change, &file, &name, certificate.id)
                .await?;
        }
        self.store.commit(change).await?;
        Ok(())
    }

    /// Gives a stale reservation up. Where the proofs have grown too old meanwhile, the issuance fails:
    /// this takes an outage of months.
    async fn reserve_afresh(
        &self,
        job: &ClaimedJob,
        file: OrderFile,
        stale: CertificateId,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        change.abandon_certificate(stale);
        let signing = if !self.has_lost_proofs(&file.issuance, now).await? {
            match self.sign_or_end(&mut change, file, now).await? {
                Proceeding::Signs(signing) => Some(signing),
                Proceeding::Ended => None,
                Proceeding::Waits(file) => return self.wait_to_reserve(job, &file, now).await,
            }
        } else {
            let reason =
                "the proofs grew too old, or were dropped, before the certificate was signed";
            let reason = reason.to_owned();
            let failure = Failure::IssuerRefused(reason);
            self.fail_issuance(&mut change, file, failure, now).await?;
            None
        };
        self.store.commit(change).await?;
        if let Some(signing) = signing {
            signing.hand_over();
        }
        Ok(())
    }
}

impl App {
    /// Leaves a stale reservation as it is until the organization is vetted again.
    async fn wait_to_reserve(
        &self,
        job: &ClaimedJob,
        file: &OrderFile,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.see_to_vetting(&file.order).await?;
        let mut change = Change::new();
        change.postpone_job(job.id, job.attempt, self.next_naming(now));
        self.store.commit(change).await?;
        Ok(())
    }
}

/// Why a certificate was not signed now.
enum Unsigned {
    /// Nothing is signed at the moment.
    Held,
    /// Something failed.
    Failed(AppError),
}

fn journal_line(certificate: &Certificate, at: Timestamp) -> SignedLine {
    SignedLine {
        at,
        issuer: certificate.issuer.clone(),
        serial: hex(&certificate.serial),
        order: certificate.order.0,
        reseller: certificate.reseller.0,
        names: certificate.names.iter().map(ToString::to_string).collect(),
        spki_sha256: hex(&certificate.spki_sha256),
        not_before: certificate.validity.not_before,
        not_after: certificate.validity.not_after,
    }
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits stand for; of anything else, none.
pub(crate) fn octets(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(octet).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_back() {
        assert_eq!(octets(&hex(&[0, 1, 0xab, 0xff])), [0, 1, 0xab, 0xff]);
        assert!(octets("xy").is_empty());
    }
}
