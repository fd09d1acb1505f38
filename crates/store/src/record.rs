//! The record beside the database: what must still be known after the database was restored from a backup.
//!
//! A backup knows nothing of what came after it: which numbers people were given, which certificates were signed,
//! which of them were revoked, which keys blocked. Files in a folder apart do, one folder for each installation, `ID`:
//!
//! - `signed-YYYY-MM.jsonl`: one line for each certificate, on disk before its signature is used. Files whose
//!   certificates have all expired are dropped.
//! - `numbers.jsonl`: up to where each sequence was reserved, on disk before a number of the block is used.
//! - `blocked.jsonl`: one line for each blocked key, on disk before who blocked it is answered.
//! - `crls/ISSUER.crl`: the last revocation list of each issuer.
//! - `cas/ISSUER.json`: each issuing CA after the first, its key sealed under the master key; on disk before the CA is
//!   used.
//! - `seen.json`: the last count of the database's pulse ([`Store::pulse`]).
//! - `behind`: there as long as the database is known to lack what it had.
//!
//! Files only grow, or are replaced whole; a line that a crash has torn is passed over. Nothing in it is of use without
//! the master key. Calls block: the disk is waited for.

mod files;
mod keeping;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chancery_domain::revocations::BlockedKey;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use files::{Growing, append_to, at, each_line, files, last_line, read, remove, replace, to_line};
pub use keeping::blocking;

#[cfg(doc)]
use crate::store::Store;

/// A certificate that was signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedLine {
    /// When.
    pub at: Timestamp,
    /// The issuing CA's id.
    pub issuer: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// The order it was signed for.
    pub order: i64,
    /// Whose order that is.
    pub reseller: i64,
    /// What it covers.
    pub names: Vec<String>,
    /// SHA-256 of its key (SPKI), hexadecimal.
    pub spki_sha256: String,
    /// Its first second.
    pub not_before: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
}

/// A key that is never certified again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockedLine {
    /// Since when.
    pub at: Timestamp,
    /// SHA-256 of the key (SPKI), hexadecimal.
    pub spki_sha256: String,
    /// At whose wish.
    pub by: String,
    /// What was said of it.
    pub note: Option<String>,
}

impl BlockedLine {
    fn of(key: &BlockedKey) -> Self {
        Self {
            at: key.at,
            spki_sha256: hex(&key.spki_sha256),
            by: key.by.to_string(),
            note: key.note.clone(),
        }
    }
}

/// An issuing CA after the first.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptCa {
    /// Its place in the row.
    pub number: i64,
    /// Its id.
    pub issuer: String,
    /// Its certificate, DER in hexadecimal.
    pub certificate: String,
    /// Its key under the master key, hexadecimal.
    pub key: String,
    /// The id of that master key.
    pub master_key: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The last count of the database's pulse that was seen.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Seen {
    /// The count.
    pub pulse: i64,
}

/// A block of numbers was reserved.
#[derive(Deserialize, Serialize)]
struct NumberLine {
    sequence: String,
    next: i64,
}

/// A file of the record cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}", .path.display())]
pub struct RecordError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// The record of one installation.
#[derive(Debug)]
pub struct Record {
    folder: PathBuf,
    signed: Mutex<Signed>,
    numbers: Mutex<(Growing, BTreeMap<String, i64>)>,
    blocked: Mutex<Blocked>,
    /// The number of the last list of each issuer that was kept by this process. Held while one is written.
    lists: Mutex<HashMap<String, i64>>,
}

/// The journal of what is signed.
#[derive(Debug, Default)]
struct Signed {
    file: Growing,
    /// What this process has signed and nobody has looked for in the database since: issuer and serial number.
    recent: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Blocked {
    file: Growing,
    /// The keys that are on record.
    known: HashSet<String>,
    last: Option<String>,
}

impl Record {
    /// Whether a folder of records has one of an installation.
    pub fn exists(records: &Path, installation: &str) -> bool {
        numbers_file(&records.join(installation)).exists()
    }

    /// Opens the record of an installation, or begins one.
    pub fn open(records: &Path, installation: &str) -> Result<Self, RecordError> {
        let folder = records.join(installation);
        for inner in ["crls", "cas"] {
            let inner = folder.join(inner);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&inner)
                .map_err(at(&inner))?;
        }
        let path = numbers_file(&folder);
        append_to(&path)?;
        let mut known = BTreeMap::new();
        each_line(&path, |line: NumberLine| {
            let next = known.entry(line.sequence).or_insert(line.next);
            *next = line.next.max(*next);
        })?;
        let mut blocked = Blocked::default();
        each_line(&folder.join(BLOCKED), |line: BlockedLine| {
            blocked.last = Some(line.spki_sha256.clone());
            blocked.known.insert(line.spki_sha256);
        })?;
        Ok(Self {
            folder,
            signed: Mutex::default(),
            numbers: Mutex::new((Growing::default(), known)),
            blocked: Mutex::new(blocked),
            lists: Mutex::default(),
        })
    }

    /// Up to where each sequence was reserved: the next number that nobody has.
    pub fn numbers(&self) -> BTreeMap<String, i64> {
        self.numbers.lock().1.clone()
    }

    /// The same of one sequence; of one that is not on record, 0.
    pub fn number(&self, sequence: &str) -> i64 {
        let numbers = self.numbers.lock();
        numbers.1.get(sequence).copied().unwrap_or_default()
    }

    /// Keeps up to where a sequence is reserved.
    pub fn keep_number(&self, sequence: &str, next: i64) -> Result<(), RecordError> {
        let mut numbers = self.numbers.lock();
        let (file, known) = &mut *numbers;
        if known.get(sequence).is_some_and(|known| *known >= next) {
            return Ok(());
        }
        let line = NumberLine {
            sequence: sequence.to_owned(),
            next,
        };
        file.append(&numbers_file(&self.folder), &to_line(&line))?;
        known.insert(line.sequence, next);
        Ok(())
    }

    /// Keeps that certificates were signed, all in one write.
    pub fn keep_signed(&self, lines: &[SignedLine]) -> Result<(), RecordError> {
        let Some(first) = lines.first() else {
            return Ok(());
        };
        let path = self.folder.join(journal_name(first.at));
        let text: String = lines.iter().map(to_line).collect();
        let mut signed = self.signed.lock();
        signed.file.append(&path, &text)?;
        let recent = lines.iter();
        let recent = recent.map(|line| (line.issuer.clone(), line.serial.clone()));
        signed.recent.extend(recent);
        Ok(())
    }

    /// What this process has signed since it was last looked for in the database: issuer and serial number.
    pub fn recent(&self) -> Vec<(String, String)> {
        self.signed.lock().recent.clone()
    }

    /// The first so many of them were found in the database.
    pub fn forget_recent(&self, count: usize) {
        let mut signed = self.signed.lock();
        let count = count.min(signed.recent.len());
        signed.recent.drain(..count);
    }

    /// Reads all that is on record as signed, the oldest first.
    pub fn each_signed(&self, mut visit: impl FnMut(SignedLine)) -> Result<(), RecordError> {
        for path in self.journals()? {
            each_line(&path, &mut visit)?;
        }
        Ok(())
    }

    /// The last of each journal: where a clock was ahead, the journal with the latest name is not the one that was last
    /// written to.
    pub fn last_signed(&self) -> Result<Vec<SignedLine>, RecordError> {
        let mut found = Vec::new();
        for path in self.journals()? {
            found.extend(last_line(&path)?);
        }
        Ok(found)
    }

    /// Drops the journals of which every certificate had expired at `not_after_from`, but never the one that is being
    /// written to, nor the last.
    pub fn drop_expired(&self, not_after_from: Timestamp) -> Result<(), RecordError> {
        let mut journals = self.journals()?;
        journals.pop();
        for path in journals {
            let mut last = Timestamp::MIN;
            each_line(&path, |line: SignedLine| last = last.max(line.not_after))?;
            // Nothing is added to it while it is removed.
            let signed = self.signed.lock();
            if last < not_after_from && !signed.file.has_open(&path) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Keeps that keys are blocked, all in one write.
    pub fn keep_blocked(&self, lines: &[BlockedLine]) -> Result<(), RecordError> {
        let mut blocked = self.blocked.lock();
        let is_new = |line: &&BlockedLine| !blocked.known.contains(&line.spki_sha256);
        let new: Vec<&BlockedLine> = lines.iter().filter(is_new).collect();
        let Some(last) = new.last() else {
            return Ok(());
        };
        let text: String = new.iter().map(to_line).collect();
        blocked.file.append(&self.folder.join(BLOCKED), &text)?;
        blocked.last = Some(last.spki_sha256.clone());
        let keys = new.iter().map(|line| line.spki_sha256.clone());
        blocked.known.extend(keys);
        Ok(())
    }

    /// Reads all keys that are on record as blocked, the oldest first.
    pub fn each_blocked(&self, visit: impl FnMut(BlockedLine)) -> Result<(), RecordError> {
        each_line(&self.folder.join(BLOCKED), visit)
    }

    /// The key that was blocked last, hexadecimal.
    pub fn last_blocked(&self) -> Option<String> {
        self.blocked.lock().last.clone()
    }

    /// Keeps a revocation list of an issuer, DER, unless a later one was kept before.
    pub fn keep_crl(&self, issuer: &str, number: i64, der: &[u8]) -> Result<(), RecordError> {
        let mut lists = self.lists.lock();
        if lists.get(issuer).is_some_and(|known| *known >= number) {
            return Ok(());
        }
        let path = self.folder.join("crls").join(format!("{issuer}.crl"));
        replace(&path, der)?;
        lists.insert(issuer.to_owned(), number);
        Ok(())
    }

    /// The numbers of the last lists that this process has kept, by their issuers.
    pub fn list_numbers(&self) -> Vec<(String, i64)> {
        let lists = self.lists.lock();
        lists.iter().map(|(of, last)| (of.clone(), *last)).collect()
    }

    /// The last revocation lists, DER, by their issuers.
    pub fn kept_crls(&self) -> Result<Vec<(String, Vec<u8>)>, RecordError> {
        let mut found = Vec::new();
        for path in files(&self.folder.join("crls"))? {
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(issuer) = name.and_then(|name| name.strip_suffix(".crl")) {
                found.push((issuer.to_owned(), fs::read(&path).map_err(at(&path))?));
            }
        }
        Ok(found)
    }

    /// Keeps an issuing CA, in the place of what was kept of it before.
    pub fn keep_ca(&self, ca: &KeptCa) -> Result<(), RecordError> {
        let path = self.folder.join("cas").join(format!("{}.json", ca.issuer));
        let text = to_line(ca);
        match read(&path)?.is_some_and(|kept| kept == text.as_bytes()) {
            true => Ok(()),
            false => replace(&path, text.as_bytes()),
        }
    }

    /// The issuing CAs after the first, in their order.
    pub fn kept_cas(&self) -> Result<Vec<KeptCa>, RecordError> {
        let mut found: Vec<KeptCa> = Vec::new();
        for path in files(&self.folder.join("cas"))? {
            if path.extension().is_some_and(|ending| ending == "json") {
                let text = fs::read(&path).map_err(at(&path))?;
                found.extend(serde_json::from_slice::<KeptCa>(&text));
            }
        }
        found.sort_by_key(|ca| ca.number);
        Ok(found)
    }

    /// The last count of the database's pulse that was seen.
    pub fn seen(&self) -> Result<Seen, RecordError> {
        let text = read(&self.seen_file())?.unwrap_or_default();
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// Keeps the count of the database's pulse.
    pub fn keep_seen(&self, seen: Seen) -> Result<(), RecordError> {
        replace(&self.seen_file(), to_line(&seen).as_bytes())
    }

    /// How it showed that the database went back while it was served, if it did and nothing was put back since.
    pub fn behind(&self) -> Result<Option<String>, RecordError> {
        let text = read(&self.behind_file())?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Keeps that the database went back, and how that showed.
    pub fn keep_behind(&self, why: &str) -> Result<(), RecordError> {
        replace(&self.behind_file(), why.as_bytes())
    }

    /// What is known was put back.
    pub fn forget_behind(&self) -> Result<(), RecordError> {
        remove(&self.behind_file())
    }

    fn seen_file(&self) -> PathBuf {
        self.folder.join("seen.json")
    }

    fn behind_file(&self) -> PathBuf {
        self.folder.join("behind")
    }

    fn journals(&self) -> Result<Vec<PathBuf>, RecordError> {
        let mut found = files(&self.folder)?;
        found.retain(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("signed-"))
        });
        Ok(found)
    }
}

const BLOCKED: &str = "blocked.jsonl";

fn numbers_file(folder: &Path) -> PathBuf {
    folder.join("numbers.jsonl")
}

fn journal_name(at: Timestamp) -> String {
    let day = at.to_zoned(TimeZone::UTC).date();
    format!("signed-{:04}-{:02}.jsonl", day.year(), day.month())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
