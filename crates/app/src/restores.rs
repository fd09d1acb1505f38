//! After a backup was restored: recognizing it, and putting back what the record beside the database knows.
//!
//! The record ([`chancery_store::record`]) is written after the database, or before something that the database holds
//! is used; so a database that lacks anything of it has gone back. What is put back: every sequence goes on beyond
//! what people have been given; certificates and revocations that are missing are recorded, so that lists go on naming
//! what was revoked and the rest can be revoked; revocation lists go on being numbered upwards. Orders and money come
//! back from nowhere: those are for the operator to settle.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateId;
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_issuers::issuer_id;
use chancery_pki::certificate::CertificateInfo;
use chancery_pki::crl::{Revoked, read_crl};
use chancery_store::authorities::{CrlRow, RevokedCaRow};
use chancery_store::record::{Record, Seen, SignedLine, blocking};
use chancery_store::restores::LostCertificate;
use chancery_store::{Change, Store, StoreError};

use crate::jobs::{hex, refresh_crl_soon};
use crate::{AppError, Operations};

/// How far sequences are moved on beyond what is known to be used: what chores on other machines have used may not
/// be in this record.
const KNOWN_GAP: i64 = 1_000;

/// The same where nothing is known.
const UNKNOWN_GAP: i64 = 100_000;

/// Rows nobody sees are many for each order.
const ROWS_A_NUMBER: i64 = 100;

/// *cessationOfOperation* (RFC 5280 §5.3.1).
const CESSATION: u8 = 5;

/// Changes in one change set.
const BATCH: usize = 200;

/// Since when a database keeps a record beside it.
const RECORDED: &str = "recorded_at";

/// What a data folder and a database say of each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// There is no CA yet, so nothing to compare by.
    New,
    /// The folder has no record of the database: it is from a release that kept none, or just made.
    Unrecorded {
        /// The installation: the first issuing CA's id.
        installation: String,
        /// Whether the database was served from another folder before, such as by another replica or on a machine
        /// that is gone.
        elsewhere: bool,
    },
    /// The database has all that the record knows.
    Whole(String),
    /// The database lacks what the record knows: it was restored from a backup.
    Behind {
        /// The installation.
        installation: String,
        /// How that shows, in sentences.
        signs: Vec<String>,
    },
}

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

/// What a restored database lacks, as far as the record knows.
#[derive(Clone, Debug, Default)]
pub struct RestoreReport {
    /// How it shows that the database was restored; empty where it does not.
    pub signs: Vec<String>,
    /// Whether there is a record at all.
    pub has_record: bool,
    /// The sequences, by name.
    pub numbers: BTreeMap<String, NumberReport>,
    /// Certificates in force that the database does not have, or not as signed.
    pub lost: Vec<LostCertificate>,
    /// Certificates that the database has in force and that were revoked.
    pub revoked: Vec<(CertificateId, Revoked)>,
    /// Issuing CAs that the database has in force and that were revoked.
    pub revoked_cas: Vec<RevokedCaRow>,
    /// Reservations whose bytes were signed already.
    pub signed_before: Vec<CertificateId>,
    /// Revocation lists that are newer than those in the database.
    lists: Vec<CrlRow>,
    pulse: i64,
}

impl RestoreReport {
    /// Whether anything is to be put back.
    pub fn is_needed(&self) -> bool {
        !self.signs.is_empty() || !self.has_record
    }
}

/// Holds a database against the record in a data folder. Only reads, but makes the folder of a record that exists.
pub async fn standing(store: &Store, data: &Path) -> Result<Standing, AppError> {
    let Some(authority) = store.authority().await? else {
        return Ok(Standing::New);
    };
    let installation = authority.issuer;
    if !Record::exists(data, &installation) {
        let elsewhere = store.meta(RECORDED).await?.is_some();
        return Ok(Standing::Unrecorded {
            installation,
            elsewhere,
        });
    }
    let record = open_record(data, &installation).await?;
    let signs = signs(store, &Arc::new(record)).await?;
    Ok(match signs.is_empty() {
        true => Standing::Whole(installation),
        false => Standing::Behind {
            installation,
            signs,
        },
    })
}

/// Has the record in a data folder kept from now on; makes it where there is none.
pub async fn keep_record(store: &Store, data: &Path, now: Timestamp) -> Result<(), AppError> {
    if store.record().is_some() {
        return Ok(());
    }
    let Some(authority) = store.authority().await? else {
        return Ok(());
    };
    let record = open_record(data, &authority.issuer).await?;
    store.attach_record(record).await?;
    if store.meta(RECORDED).await?.is_none() {
        let mut change = Change::new();
        change.set_meta(RECORDED, &now.to_string());
        store.commit(change).await?;
    }
    Ok(())
}

async fn open_record(data: &Path, installation: &str) -> Result<Record, StoreError> {
    let (data, installation) = (data.to_owned(), installation.to_owned());
    blocking(move || Record::open(&data, &installation)).await
}

/// What the record knows and the database does not, in sentences.
async fn signs(store: &Store, record: &Arc<Record>) -> Result<Vec<String>, AppError> {
    let mut signs = Vec::new();
    let stored = store.sequence_numbers().await?;
    for (name, recorded) in record.numbers() {
        let stored = stored.get(&name).copied().unwrap_or_default();
        if stored < recorded {
            signs.push(format!(
                "numbers of the sequence {name} were given out up to {}, the database would go on at {stored}",
                recorded - 1
            ));
        }
    }
    let kept = Arc::clone(record);
    let (last, lists, seen) =
        blocking(move || Ok((kept.last_signed()?, kept.kept_crls()?, kept.seen()?))).await?;
    if let Some(last) = last {
        let serial = octets(&last.serial);
        let is_there = store
            .certificate_by_serial(&last.issuer, &serial)
            .await?
            .is_some()
            || store
                .lost_certificate(&last.issuer, &serial)
                .await?
                .is_some();
        if !is_there {
            let (serial, order, at) = (&last.serial, last.order, last.at);
            signs.push(format!(
                "certificate {serial} was signed for order {order} at {at}, the database does not have it"
            ));
        }
    }
    for (issuer, der) in lists {
        let Ok(list) = read_crl(&der) else { continue };
        let stored = store.crl_head(&issuer).await?.map_or(0, |head| head.number);
        if stored.unsigned_abs() < list.head.number {
            signs.push(format!(
                "the last revocation list of {issuer} had the number {}, the database knows {stored}",
                list.head.number
            ));
        }
    }
    let count = store.pulse_count().await?;
    if count < seen.pulse {
        signs.push(format!(
            "the database's pulse had come to {}, it is at {count}",
            seen.pulse
        ));
    }
    Ok(signs)
}

impl Operations {
    /// What the database lacks that the record in a data folder knows, and where its numbers are to go on: `skip`
    /// beyond what is known, or as far as seems safe.
    pub async fn restore_report(
        &self,
        data: &Path,
        skip: Option<i64>,
    ) -> Result<RestoreReport, AppError> {
        let none =
            || AppError::Internal("there is no CA in this database: it was never served".into());
        let authority = self.store.authority().await?.ok_or_else(none)?;
        let has_record = Record::exists(data, &authority.issuer);
        let mut report = RestoreReport {
            has_record,
            ..RestoreReport::default()
        };
        let mut recorded = BTreeMap::new();
        if has_record {
            let record = Arc::new(open_record(data, &authority.issuer).await?);
            report.signs = signs(&self.store, &record).await?;
            recorded = record.numbers();
            self.find_lost(&record, &mut report).await?;
        }
        let is_needed = report.is_needed() || skip.is_some();
        for (name, stored) in self.store.sequence_numbers().await? {
            let known = recorded.get(&name).copied();
            let gap = skip.unwrap_or(if known.is_some() {
                KNOWN_GAP
            } else {
                UNKNOWN_GAP
            });
            let gap = if name == "row" {
                gap * ROWS_A_NUMBER
            } else {
                gap
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

    /// Finds certificates and revocations that the record knows and the database does not.
    async fn find_lost(
        &self,
        record: &Arc<Record>,
        report: &mut RestoreReport,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let kept = Arc::clone(record);
        let (signed, lists, seen) = blocking(move || {
            let mut signed = Vec::new();
            kept.each_signed(|line| {
                if line.not_after >= now {
                    signed.push(line);
                }
            })?;
            Ok((signed, kept.kept_crls()?, kept.seen()?))
        })
        .await?;
        report.pulse = seen.pulse;
        let mut lost: HashMap<(String, Vec<u8>), LostCertificate> = HashMap::new();
        for line in signed {
            let serial = octets(&line.serial);
            let found = self
                .store
                .certificate_by_serial(&line.issuer, &serial)
                .await?;
            match found {
                None => {}
                Some((id, state)) if state == "reserved" => report.signed_before.push(id),
                Some(_) => continue,
            }
            lost.insert(
                (line.issuer.clone(), serial.clone()),
                of_line(line, serial, now),
            );
        }
        let ends = self.ends_of_issuers().await?;
        let known_revoked = self.store.revoked_cas().await?;
        for (issuer, der) in lists {
            let Ok(list) = read_crl(&der) else {
                tracing::warn!(issuer, "a revocation list of the record cannot be read");
                continue;
            };
            let stored = self
                .store
                .crl_head(&issuer)
                .await?
                .map_or(0, |head| head.number);
            if stored.unsigned_abs() >= list.head.number {
                continue;
            }
            for entry in list.revoked {
                let found = self
                    .store
                    .certificate_by_serial(&issuer, &entry.serial)
                    .await?;
                match found {
                    Some((_, state)) if state == "revoked" => {}
                    Some((id, state)) if state == "issued" => report.revoked.push((id, entry)),
                    _ => {
                        let Some((end, _)) = ends.get(&issuer) else {
                            let of_root =
                                ends.iter().find(|(_, (_, serial))| *serial == entry.serial);
                            report.revoked_cas.extend(of_root.and_then(|(issuer, _)| {
                                let is_known =
                                    known_revoked.iter().any(|row| row.issuer == *issuer);
                                (!is_known).then(|| revoked_ca(issuer, &entry))
                            }));
                            continue;
                        };
                        let key = (issuer.clone(), entry.serial.clone());
                        let lost = lost.entry(key);
                        let lost =
                            lost.or_insert_with(|| unnamed(&issuer, &entry.serial, *end, now));
                        lost.revoked = Some((entry.at, entry.reason));
                    }
                }
            }
            report.lists.push(CrlRow {
                issuer,
                number: i64::try_from(list.head.number).unwrap_or(i64::MAX),
                this_update: list.head.this_update,
                next_update: list.head.next_update,
                der,
            });
        }
        report.lost = lost.into_values().collect();
        report.lost.sort_by(|one, other| {
            let key = |lost: &LostCertificate| (lost.signed_at, lost.serial.clone());
            key(one).cmp(&key(other))
        });
        Ok(())
    }

    /// The last second and the serial number of each issuing CA, by its id.
    async fn ends_of_issuers(&self) -> Result<HashMap<String, (Timestamp, Vec<u8>)>, AppError> {
        let mut ends = HashMap::new();
        let held = self.authority_certificates().await?;
        for der in held.map(|held| held.issuing).unwrap_or_default() {
            let id = issuer_id(&der).map_err(AppError::internal)?;
            let info = CertificateInfo::parse(&der).map_err(AppError::internal)?;
            ends.insert(id, (info.not_after, info.serial));
        }
        Ok(ends)
    }

    /// The lost certificates that have not expired.
    pub async fn lost_certificates(&self) -> Result<Vec<LostCertificate>, AppError> {
        Ok(self.store.lost_certificates(self.clock.now()).await?)
    }

    /// Revokes a lost certificate; answers whether it was not revoked before.
    pub async fn revoke_lost(
        &self,
        lost: &LostCertificate,
        reason: u8,
        operator: &str,
    ) -> Result<bool, AppError> {
        let now = self.clock.now();
        let mut change = Change::new();
        change.revoke_lost_certificate(lost, now, Some(reason));
        refresh_crl_soon(&mut change, now);
        match self.store.commit(change).await {
            Ok(_) => {
                let serial = hex(&lost.serial);
                tracing::info!(serial, reason, operator, "a lost certificate was revoked");
                Ok(true)
            }
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// Puts back what a report tells of and lets the server serve from then on. Cut off in the middle, it is done
    /// again from the beginning: the database counts as restored until the last step.
    pub async fn put_back(
        &self,
        data: &Path,
        report: &RestoreReport,
        operator: &str,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut change = Change::new();
        for (name, number) in &report.numbers {
            change.raise_sequence(name, number.next);
        }
        self.store.commit(change).await?;
        for lost in report.lost.chunks(BATCH) {
            let mut change = Change::new();
            for lost in lost {
                change.insert_lost_certificate(lost);
            }
            self.store.commit(change).await?;
        }
        for revoked in report.revoked.chunks(BATCH) {
            let mut change = Change::new();
            for (id, entry) in revoked {
                change.revoke_certificate(*id, &revocation(entry));
            }
            self.store.commit(change).await?;
        }
        let mut change = Change::new();
        for ca in &report.revoked_cas {
            change.insert_revoked_ca(ca);
        }
        for id in &report.signed_before {
            change.outdate_reservation(*id);
        }
        for list in &report.lists {
            change.insert_crl(list);
        }
        refresh_crl_soon(&mut change, now);
        self.store.commit(change).await?;
        let mut change = Change::new();
        change.raise_pulse(report.pulse + 1);
        let lost = report.lost.len();
        let note = serde_json::json!({ "operator": operator, "lost": lost, "signs": report.signs });
        change.set_meta(&format!("restored_at {now}"), &note.to_string());
        self.store.commit(change).await?;
        keep_record(&self.store, data, now).await?;
        let Some(record) = self.store.record() else {
            return Ok(());
        };
        let pulse = self.store.pulse_count().await?;
        Ok(blocking(move || record.keep_seen(Seen { pulse })).await?)
    }
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

/// A revocation as a list told it, done again.
fn revocation(entry: &Revoked) -> Revocation {
    let reason = entry.reason.and_then(RevocationReason::from_code);
    let reason = reason.unwrap_or(RevocationReason::Unspecified);
    Revocation::new(reason, Requester::Platform, entry.at, entry.at)
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
        revoked: None,
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
        revoked: None,
    }
}

/// The octets that hexadecimal digits stand for; of anything else, none.
fn octets(digits: &str) -> Vec<u8> {
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
