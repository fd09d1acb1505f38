//! After a backup was restored: what the record beside the database knows and the database lacks, as far as it can be
//! put back ([`crate::put_back`]). Orders and money come back from nowhere: those are for the operator to settle.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateId;
use chancery_domain::revocations::{Requester, RevocationReason};
use chancery_issuers::issuer_id;
use chancery_pki::certificate::CertificateInfo;
use chancery_pki::crl::{Revoked, read_crl};
use chancery_store::authorities::{CrlRow, RevokedCaRow};
use chancery_store::lost_certificates::{LostCertificate, LostFilter};
use chancery_store::record::{BlockedLine, KeptCa, Record, RecordError, SignedLine, blocking};

use crate::jobs::{hex, octets};
use crate::lost_certificates::told_by_list;
use crate::standings::{Known, open_record};
use crate::{AppError, Operations};

/// How far sequences are moved on beyond what is known to be used: what chores on other machines have used may not
/// be in this record, and a server holds a block of a thousand at most of each.
const KNOWN_GAP: i64 = 10_000;

/// The same where nothing is known.
const UNKNOWN_GAP: i64 = 100_000;

/// Rows nobody sees are many for each order.
const ROWS_A_NUMBER: i64 = 100;

/// *cessationOfOperation* (RFC 5280 §5.3.1).
const CESSATION: u8 = 5;

/// Where a sequence stands and goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NumberReport {
    /// The next number by the database.
    pub stored: i64,
    /// The next number by the record, if it knows.
    pub recorded: Option<i64>,
    /// Where it goes on.
    pub next: i64,
}

/// A key that was blocked, as the record or a revocation list tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LostBlock {
    /// SHA-256 of the key.
    pub spki_sha256: [u8; 32],
    /// Since when.
    pub at: Timestamp,
    /// At whose wish.
    pub by: Requester,
    /// What was said of it.
    pub note: Option<String>,
}

/// What a restored database lacks, as far as the record knows.
#[derive(Clone, Default)]
pub struct RestoreReport {
    /// How it shows that the database was restored; empty where it does not.
    pub signs: Vec<String>,
    /// Whether there is a record at all.
    pub has_record: bool,
    /// The sequences, by name.
    pub numbers: BTreeMap<String, NumberReport>,
    /// Certificates in force that the database does not have, or not as signed, or of which it knows less.
    pub lost: Vec<LostCertificate>,
    /// Certificates that the database has in force, or revoked for a lesser reason, and that were revoked.
    pub revoked: Vec<(CertificateId, Revoked)>,
    /// Keys that were blocked.
    pub blocked: Vec<LostBlock>,
    /// Issuing CAs that the database does not have.
    pub cas: Vec<KeptCa>,
    /// Issuing CAs that the database has in force, or does not have, and that were revoked.
    pub revoked_cas: Vec<RevokedCaRow>,
    /// Issuing CAs of which nothing is known but what they signed: their lists cannot be signed any more.
    pub unknown_cas: Vec<String>,
    /// Reservations whose bytes were signed already, with their serial numbers.
    pub signed_before: Vec<(CertificateId, Vec<u8>)>,
    /// Revocation lists that are newer than those in the database.
    pub(crate) lists: Vec<CrlRow>,
    pub(crate) pulse: i64,
}

impl RestoreReport {
    /// Whether anything is to be put back.
    pub fn is_needed(&self) -> bool {
        // What is just being signed is in the record before the database knows that it is signed.
        let is_under_way = |lost: &LostCertificate| {
            let mut signed = self.signed_before.iter();
            lost.revocation.is_none() && signed.any(|(_, serial)| *serial == lost.serial)
        };
        !self.signs.is_empty()
            || !self.has_record
            || !self.lost.iter().all(is_under_way)
            || !self.revoked.is_empty()
            || !self.blocked.is_empty()
            || !self.cas.is_empty()
            || !self.revoked_cas.is_empty()
    }
}

/// What the files of a record tell.
struct Told {
    known: Known,
    signed: Vec<SignedLine>,
    blocked: Vec<BlockedLine>,
    cas: Vec<KeptCa>,
    lists: Vec<(String, Vec<u8>)>,
    numbers: BTreeMap<String, i64>,
    pulse: i64,
}

impl Told {
    /// Reads them. Waits for the disk.
    fn read(record: &Record, now: Timestamp) -> Result<Self, RecordError> {
        let mut signed = Vec::new();
        record.each_signed(|line| {
            if line.not_after >= now {
                signed.push(line);
            }
        })?;
        // A database that lacks one of these shows by it that it was restored.
        let last = record.last_signed()?.into_iter();
        signed.extend(last.filter(|line| line.not_after < now));
        let mut blocked = Vec::new();
        record.each_blocked(|line| blocked.push(line))?;
        Ok(Self {
            known: Known::of_files(record)?,
            signed,
            blocked,
            cas: record.kept_cas()?,
            lists: record.kept_crls()?,
            numbers: record.numbers(),
            pulse: record.seen()?.pulse,
        })
    }
}

impl Operations {
    /// What the database lacks that the record in a folder knows, and where its numbers are to go on: `skip` beyond
    /// what is known, or as far as seems safe.
    pub async fn restore_report(
        &self,
        records: &Path,
        skip: Option<i64>,
    ) -> Result<RestoreReport, AppError> {
        let none =
            || AppError::Internal("there is no CA in this database: it was never served".into());
        let authority = self.store.authority().await?.ok_or_else(none)?;
        let mut report = RestoreReport {
            has_record: Record::exists(records, &authority.issuer),
            ..RestoreReport::default()
        };
        let mut recorded = BTreeMap::new();
        if report.has_record {
            let record = open_record(records, &authority.issuer).await?;
            let now = self.clock.now();
            let told = blocking(move || Told::read(&record, now)).await?;
            report.signs = told.known.signs(&self.store).await?;
            report.pulse = told.pulse;
            recorded.clone_from(&told.numbers);
            Finding::new(self, &mut report, now).find(told).await?;
        } else {
            report.signs = Known::default().signs(&self.store).await?;
        }
        let is_needed = report.is_needed() || skip.is_some();
        for (name, stored) in self.store.sequence_numbers().await? {
            let known = recorded.get(&name).copied();
            let gap = skip.unwrap_or(match known {
                Some(_) => KNOWN_GAP,
                None => UNKNOWN_GAP,
            });
            let gap = match name.as_str() {
                "row" => gap * ROWS_A_NUMBER,
                _ => gap,
            };
            let next = stored.max(known.unwrap_or(stored)) + gap;
            let report_of = NumberReport {
                stored,
                recorded: known,
                next: if is_needed { next } else { stored },
            };
            report.numbers.insert(name, report_of);
        }
        Ok(report)
    }
}

/// An issuing CA: its last second and its serial number.
type IssuingCa = (Timestamp, Vec<u8>);

/// Finds what the record knows and the database does not.
struct Finding<'a> {
    operations: &'a Operations,
    report: &'a mut RestoreReport,
    now: Timestamp,
    /// The issuing CAs, those of the record among them, by their ids.
    issuers: HashMap<String, IssuingCa>,
    lost: HashMap<(String, Vec<u8>), LostCertificate>,
    /// The keys of certificates in the record, by issuer and serial number.
    keys: HashMap<(String, Vec<u8>), Vec<u8>>,
    blocked: BTreeMap<[u8; 32], LostBlock>,
}

impl<'a> Finding<'a> {
    fn new(operations: &'a Operations, report: &'a mut RestoreReport, now: Timestamp) -> Self {
        Self {
            operations,
            report,
            now,
            issuers: HashMap::new(),
            lost: HashMap::new(),
            keys: HashMap::new(),
            blocked: BTreeMap::new(),
        }
    }

    async fn find(mut self, told: Told) -> Result<(), AppError> {
        self.find_cas(told.cas).await?;
        for line in told.signed {
            self.find_certificate(line).await?;
        }
        for line in told.blocked {
            self.find_block(line).await?;
        }
        for (issuer, der) in told.lists {
            self.find_list(issuer, der).await?;
        }
        self.forget_known().await?;
        self.report.lost = self.lost.into_values().collect();
        self.report.lost.sort_by(|one, other| {
            let key = |lost: &LostCertificate| (lost.signed_at, lost.serial.clone());
            key(one).cmp(&key(other))
        });
        self.report.blocked = self.blocked.into_values().collect();
        self.report.unknown_cas.sort();
        self.report.unknown_cas.dedup();
        Ok(())
    }

    async fn find_cas(&mut self, kept: Vec<KeptCa>) -> Result<(), AppError> {
        let held = self.operations.authority_certificates().await?;
        for der in held.map(|held| held.issuing).unwrap_or_default() {
            self.add_issuer(&der)?;
        }
        for ca in kept {
            if !self.issuers.contains_key(&ca.issuer) {
                self.add_issuer(&octets(&ca.certificate))?;
                self.report.cas.push(ca);
            }
        }
        Ok(())
    }

    fn add_issuer(&mut self, der: &[u8]) -> Result<(), AppError> {
        let id = issuer_id(der).map_err(AppError::internal)?;
        let info = CertificateInfo::parse(der).map_err(AppError::internal)?;
        self.issuers.insert(id, (info.not_after, info.serial));
        Ok(())
    }

    async fn find_certificate(&mut self, line: SignedLine) -> Result<(), AppError> {
        let serial = octets(&line.serial);
        let store = &self.operations.store;
        let found = store.certificate_by_serial(&line.issuer, &serial).await?;
        let key = (line.issuer.clone(), serial.clone());
        self.keys.insert(key.clone(), octets(&line.spki_sha256));
        match found {
            None => {}
            Some(found) if found.state == "reserved" => {
                self.report.signed_before.push((found.id, serial.clone()));
            }
            Some(_) => return Ok(()),
        }
        if !self.issuers.contains_key(&line.issuer) {
            self.report.unknown_cas.push(line.issuer.clone());
        }
        self.lost.insert(key, of_line(line, serial, self.now));
        Ok(())
    }

    async fn find_block(&mut self, line: BlockedLine) -> Result<(), AppError> {
        let key = octets(&line.spki_sha256);
        let by = Requester::parse(&line.by).unwrap_or(Requester::Platform);
        self.add_block(&key, line.at, by, line.note).await
    }

    async fn add_block(
        &mut self,
        key: &[u8],
        at: Timestamp,
        by: Requester,
        note: Option<String>,
    ) -> Result<(), AppError> {
        let Ok(spki_sha256) = <[u8; 32]>::try_from(key) else {
            return Ok(());
        };
        let store = &self.operations.store;
        if self.blocked.contains_key(&spki_sha256) || store.blocked_key(key).await?.is_some() {
            return Ok(());
        }
        let block = LostBlock {
            spki_sha256,
            at,
            by,
            note,
        };
        self.blocked.insert(spki_sha256, block);
        Ok(())
    }

    /// What the last list of an issuer names, and the list itself, where it is newer.
    async fn find_list(&mut self, issuer: String, der: Vec<u8>) -> Result<(), AppError> {
        let Ok(list) = read_crl(&der) else {
            tracing::warn!(issuer, "a revocation list of the record cannot be read");
            return Ok(());
        };
        match issuer.strip_suffix("-root") {
            Some(_) => self.find_revoked_cas(&list.revoked).await?,
            None => {
                for entry in list.revoked {
                    self.find_entry(&issuer, entry).await?;
                }
            }
        }
        let stored = self.operations.store.crl_head(&issuer).await?;
        let number = i64::try_from(list.head.number).unwrap_or(i64::MAX);
        if stored.is_none_or(|stored| stored.number < number) {
            self.report.lists.push(CrlRow {
                issuer,
                number,
                this_update: list.head.this_update,
                next_update: list.head.next_update,
                der,
            });
        }
        Ok(())
    }

    /// A certificate on the list of its issuing CA.
    async fn find_entry(&mut self, issuer: &str, entry: Revoked) -> Result<(), AppError> {
        let store = &self.operations.store;
        let found = store.certificate_by_serial(issuer, &entry.serial).await?;
        let key = (issuer.to_owned(), entry.serial.clone());
        let is_compromised = entry.reason == Some(RevocationReason::KeyCompromise.code());
        if is_compromised {
            let of_row = found.as_ref().map(|found| found.spki_sha256.clone());
            let known = match of_row.or_else(|| self.keys.get(&key).cloned()) {
                Some(known) => Some(known),
                None => store
                    .lost_certificate(issuer, &entry.serial)
                    .await?
                    .and_then(|lost| lost.spki_sha256),
            };
            if let Some(known) = known {
                let note = Some(format!("certificate {} was revoked", hex(&entry.serial)));
                self.add_block(&known, entry.at, Requester::Platform, note)
                    .await?;
            }
        }
        match found {
            Some(found) if found.state == "revoked" => {
                if is_compromised && found.reason != entry.reason {
                    self.report.revoked.push((found.id, entry));
                }
            }
            Some(found) if found.state == "issued" => self.report.revoked.push((found.id, entry)),
            _ => {
                let Some((end, _)) = self.issuers.get(issuer) else {
                    self.report.unknown_cas.push(issuer.to_owned());
                    return Ok(());
                };
                let lost = self.lost.entry(key);
                let lost = lost.or_insert_with(|| unnamed(issuer, &entry.serial, *end, self.now));
                lost.revocation = Some(told_by_list(entry.reason, entry.at));
            }
        }
        Ok(())
    }

    /// The issuing CAs on the root's list. One that nobody knows stays there, since the list itself is put back.
    async fn find_revoked_cas(&mut self, entries: &[Revoked]) -> Result<(), AppError> {
        let known = self.operations.store.revoked_cas().await?;
        for entry in entries {
            let mut issuers = self.issuers.iter();
            let Some((issuer, _)) = issuers.find(|(_, (_, serial))| *serial == entry.serial) else {
                continue;
            };
            if known.iter().all(|row| row.issuer != *issuer) {
                self.report.revoked_cas.push(revoked_ca(issuer, entry));
            }
        }
        Ok(())
    }

    /// Leaves out what was put on record before.
    async fn forget_known(&mut self) -> Result<(), AppError> {
        let store = &self.operations.store;
        let all = store.lost_certificates(&LostFilter::All, Timestamp::UNIX_EPOCH);
        for known in all.await? {
            let key = (known.issuer.clone(), known.serial.clone());
            if self
                .lost
                .get(&key)
                .is_some_and(|lost| says_all(&known, lost))
            {
                self.lost.remove(&key);
            }
        }
        Ok(())
    }
}

/// Whether what is on record tells all that was found.
fn says_all(known: &LostCertificate, found: &LostCertificate) -> bool {
    let is_revoked = match (&known.revocation, &found.revocation) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(known), Some(found)) => known.reason.blocks_key() || !found.reason.blocks_key(),
    };
    is_revoked && (known.signed_at.is_some() || found.signed_at.is_none())
}

fn revoked_ca(issuer: &str, entry: &Revoked) -> RevokedCaRow {
    RevokedCaRow {
        issuer: issuer.to_owned(),
        serial: entry.serial.clone(),
        revoked_at: entry.at,
        reason: entry.reason.unwrap_or(CESSATION),
        operator: "restore-check".to_owned(),
        replaced_at: None,
    }
}

fn of_line(line: SignedLine, serial: Vec<u8>, now: Timestamp) -> LostCertificate {
    LostCertificate {
        issuer: line.issuer,
        serial,
        order: Some(line.order),
        reseller: Some(line.reseller),
        names: line.names,
        spki_sha256: Some(octets(&line.spki_sha256)),
        not_after: line.not_after,
        signed_at: Some(line.at),
        found_at: now,
        revocation: None,
    }
}

/// A certificate known from a revocation list alone. It stays on lists to the end of its issuer.
fn unnamed(issuer: &str, serial: &[u8], end: Timestamp, now: Timestamp) -> LostCertificate {
    LostCertificate {
        issuer: issuer.to_owned(),
        serial: serial.to_vec(),
        order: None,
        reseller: None,
        names: Vec::new(),
        spki_sha256: None,
        not_after: end,
        signed_at: None,
        found_at: now,
        revocation: None,
    }
}
