//! Whether a database lacks what the record beside it knows: at each start, and every few seconds while it is served.
//!
//! The record ([`chancery_store::record`]) is written after the database, or before something that the database holds
//! is used; so a database that lacks anything of it has gone back: it was restored from a backup, or a standby without
//! the last commits has taken its place. For that to hold the record is read first, and the database after it.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_domain::Timestamp;
use chancery_pki::crl::read_crl;
use chancery_store::record::{Record, RecordError, blocking};
use chancery_store::{Change, Store, StoreError};

use crate::jobs::octets;
use crate::{App, AppError};

/// Since when a database keeps a record beside it.
const RECORDED: &str = "recorded_at";

/// What a folder of records and a database say of each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// There is no CA yet, so nothing to compare by.
    New,
    /// The folder has no record of the database: it is from a release that kept none, or just made.
    Unrecorded {
        /// The installation: the first issuing CA's id.
        installation: String,
        /// Whether the database was served beside another record before, such as by another replica or on a machine
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

/// Holds a database against the record in a folder. Only reads, but makes the folder of a record that exists.
pub async fn standing(store: &Store, records: &Path) -> Result<Standing, AppError> {
    let Some(authority) = store.authority().await? else {
        return Ok(Standing::New);
    };
    let installation = authority.issuer;
    if !Record::exists(records, &installation) {
        let signs = Known::default().signs(store).await?;
        if !signs.is_empty() {
            return Ok(Standing::Behind {
                installation,
                signs,
            });
        }
        let elsewhere = store.meta(RECORDED).await?.is_some();
        return Ok(Standing::Unrecorded {
            installation,
            elsewhere,
        });
    }
    let record = open_record(records, &installation).await?;
    let known = blocking(move || Known::of_files(&record)).await?;
    let signs = known.signs(store).await?;
    Ok(match signs.is_empty() {
        true => Standing::Whole(installation),
        false => Standing::Behind {
            installation,
            signs,
        },
    })
}

/// Has the record in a folder kept from now on; makes it where there is none.
pub async fn keep_record(store: &Store, records: &Path, now: Timestamp) -> Result<(), AppError> {
    if store.record().is_some() {
        return Ok(());
    }
    let Some(authority) = store.authority().await? else {
        return Ok(());
    };
    let record = open_record(records, &authority.issuer).await?;
    store.attach_record(record).await?;
    if store.meta(RECORDED).await?.is_none() {
        let mut change = Change::new();
        change.set_meta(RECORDED, &now.to_string());
        store.commit(change).await?;
    }
    Ok(())
}

pub(crate) async fn open_record(records: &Path, installation: &str) -> Result<Record, StoreError> {
    let (records, installation) = (records.to_owned(), installation.to_owned());
    blocking(move || Record::open(&records, &installation)).await
}

/// What a record knows that a database has to have.
#[derive(Debug, Default)]
pub(crate) struct Known {
    numbers: BTreeMap<String, i64>,
    /// Certificates: issuer and serial number, hexadecimal.
    signed: Vec<(String, String)>,
    /// The number of the last revocation list of each issuer.
    lists: Vec<(String, i64)>,
    pulse: i64,
    /// Issuing CAs after the first.
    cas: Vec<String>,
    /// The key that was blocked last, hexadecimal.
    blocked: Option<String>,
    /// How it showed before that the database has gone back.
    behind: Option<String>,
}

impl Known {
    /// What the files say. Waits for the disk.
    pub(crate) fn of_files(record: &Record) -> Result<Self, RecordError> {
        let mut lists = Vec::new();
        for (issuer, der) in record.kept_crls()? {
            let Ok(list) = read_crl(&der) else {
                tracing::warn!(issuer, "a revocation list of the record cannot be read");
                continue;
            };
            let number = i64::try_from(list.head.number).unwrap_or(i64::MAX);
            lists.push((issuer, number));
        }
        let last = record.last_signed()?.into_iter();
        Ok(Self {
            signed: last.map(|last| (last.issuer, last.serial)).collect(),
            lists,
            behind: record.behind()?,
            ..Self::of_any_time(record)?
        })
    }

    /// What the process that keeps it has seen. Waits for the disk.
    fn of_process(record: &Record) -> Result<Self, RecordError> {
        Ok(Self {
            signed: record.recent(),
            lists: record.list_numbers(),
            ..Self::of_any_time(record)?
        })
    }

    fn of_any_time(record: &Record) -> Result<Self, RecordError> {
        let cas = record.kept_cas()?.into_iter();
        Ok(Self {
            numbers: record.numbers(),
            pulse: record.seen()?.pulse,
            cas: cas.map(|ca| ca.issuer).collect(),
            blocked: record.last_blocked(),
            ..Self::default()
        })
    }

    /// What of it a database does not have, in sentences.
    pub(crate) async fn signs(&self, store: &Store) -> Result<Vec<String>, AppError> {
        let mut signs = Vec::new();
        if let Some(behind) = &self.behind {
            signs.push(format!("it showed while it was served: {behind}"));
        }
        let told = store.told_behind().await?;
        if let Some(told) = told.filter(|told| self.behind.as_ref() != Some(told)) {
            signs.push(format!("it showed to a server on it: {told}"));
        }
        let stored = store.sequence_numbers().await?;
        for (name, recorded) in &self.numbers {
            let stored = stored.get(name).copied().unwrap_or_default();
            if stored < *recorded {
                signs.push(format!(
                    "numbers of the sequence {name} were given out up to {}, the database would go on at {stored}",
                    recorded - 1
                ));
            }
        }
        self.signs_of_cas(store, &mut signs).await?;
        for (issuer, number) in &self.lists {
            let stored = store.crl_head(issuer).await?.map_or(0, |head| head.number);
            if stored < *number {
                signs.push(format!(
                    "the last revocation list of {issuer} had the number {number}, the database knows {stored}"
                ));
            }
        }
        let count = store.pulse_count().await?;
        if count < self.pulse {
            signs.push(format!(
                "the database's pulse had come to {}, it is at {count}",
                self.pulse
            ));
        }
        Ok(signs)
    }

    /// The same of issuing CAs, of what they signed, and of keys they must not certify.
    async fn signs_of_cas(&self, store: &Store, signs: &mut Vec<String>) -> Result<(), AppError> {
        let stored = store.issuing_cas_after(1).await?;
        for issuer in &self.cas {
            if stored.iter().all(|ca| ca.issuer != *issuer) {
                signs.push(format!(
                    "issuing CA {issuer} was made, the database does not have it"
                ));
            }
        }
        for (issuer, serial) in &self.signed {
            let octets = octets(serial);
            let is_there = store
                .certificate_by_serial(issuer, &octets)
                .await?
                .is_some()
                || store.lost_certificate(issuer, &octets).await?.is_some();
            if !is_there {
                signs.push(format!(
                    "certificate {serial} was signed, the database does not have it"
                ));
            }
        }
        if let Some(key) = &self.blocked
            && store.blocked_key(&octets(key)).await?.is_none()
        {
            signs.push(format!(
                "the key {key} was blocked, the database does not have it so"
            ));
        }
        Ok(())
    }
}

impl App {
    /// Looks whether the database has all that this process has done, and all that others have found it to have, and
    /// has nothing done any more where it lacks something.
    pub(crate) async fn look_for_losses(&self) -> Result<(), AppError> {
        let Some(record) = self.store.record() else {
            return Ok(());
        };
        if self.store.is_behind() {
            return Ok(self.store.tell_behind().await?);
        }
        let known = blocking(move || Known::of_process(&record)).await?;
        let signs = known.signs(&self.store).await?;
        if !signs.is_empty() {
            self.store.declare_behind(&signs.join("; ")).await;
        } else if let Some(record) = self.store.record() {
            record.forget_recent(known.signed.len());
            // So that numbers are missed here which others have given out.
            self.store.record_numbers().await?;
        }
        Ok(())
    }
}
