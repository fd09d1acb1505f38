//! The record beside the database: what must still be known after the database was restored from a backup.
//!
//! A backup knows nothing of what came after it: which numbers people were given, which certificates were signed,
//! which of them were revoked. Files in the data folder do, one folder for each installation, `record/ID`:
//!
//! - `signed-YYYY-MM.jsonl`: one line for each certificate, on disk before its signature is used. Files whose
//!   certificates have all expired are dropped.
//! - `numbers.jsonl`: up to where each sequence was reserved, on disk before a number of the block is used.
//! - `crls/ISSUER.crl`: the last revocation list of each issuer.
//! - `seen.json`: the last count of the database's pulse ([`Store::pulse`]) and its time.
//!
//! Files only grow, or are replaced whole; a line that a crash has torn is passed over. All of it may be read by
//! people, and holds no secrets. Calls block: the disk is waited for.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::errors::StoreError;
use crate::sequences::Sequence;
use crate::store::Store;

/// How much of the end of a journal is read for its last line.
const TAIL: u64 = 1 << 18;

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

/// The record of one installation in one data folder.
#[derive(Debug)]
pub struct Record {
    folder: PathBuf,
    journal: Mutex<Option<(String, File)>>,
    numbers: Mutex<(File, BTreeMap<String, i64>)>,
}

impl Record {
    /// Whether a data folder has a record of an installation.
    pub fn exists(data: &Path, installation: &str) -> bool {
        numbers_file(&folder(data, installation)).exists()
    }

    /// Opens the record of an installation, or begins one.
    pub fn open(data: &Path, installation: &str) -> Result<Self, RecordError> {
        let folder = folder(data, installation);
        let crls = folder.join("crls");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&crls)
            .map_err(at(&crls))?;
        let path = numbers_file(&folder);
        let mut known = BTreeMap::new();
        let file = append_to(&path)?;
        each_line(&path, |line: NumberLine| {
            let next = known.entry(line.sequence).or_insert(line.next);
            *next = line.next.max(*next);
        })?;
        Ok(Self {
            folder,
            journal: Mutex::new(None),
            numbers: Mutex::new((file, known)),
        })
    }

    /// Up to where each sequence was reserved: the next number that nobody has.
    pub fn numbers(&self) -> BTreeMap<String, i64> {
        self.numbers.lock().1.clone()
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
        write_line(file, &to_line(&line)).map_err(at(&numbers_file(&self.folder)))?;
        known.insert(line.sequence, next);
        Ok(())
    }

    /// Keeps that certificates were signed, all in one write.
    pub fn keep_signed(&self, lines: &[SignedLine]) -> Result<(), RecordError> {
        let Some(first) = lines.first() else {
            return Ok(());
        };
        let name = journal_name(first.at);
        let path = self.folder.join(&name);
        let mut journal = self.journal.lock();
        if journal.as_ref().is_none_or(|(open, _)| *open != name) {
            *journal = Some((name, append_to(&path)?));
        }
        let Some((_, file)) = journal.as_mut() else {
            return Ok(());
        };
        let text: String = lines.iter().map(to_line).collect();
        let written = write_line(file, &text).map_err(at(&path));
        if written.is_err() {
            // Opened anew, it is seen whether half a line is left.
            *journal = None;
        }
        written
    }

    /// Reads all that is on record as signed, the oldest first.
    pub fn each_signed(&self, mut visit: impl FnMut(SignedLine)) -> Result<(), RecordError> {
        for path in self.journals()? {
            each_line(&path, &mut visit)?;
        }
        Ok(())
    }

    /// The last that is on record as signed.
    pub fn last_signed(&self) -> Result<Option<SignedLine>, RecordError> {
        for path in self.journals()?.into_iter().rev() {
            let mut file = File::open(&path).map_err(at(&path))?;
            let length = file.metadata().map_err(at(&path))?.len();
            let mut text = Vec::new();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))
                .and_then(|_| file.read_to_end(&mut text))
                .map_err(at(&path))?;
            let mut lines = text.rsplit(|octet| *octet == b'\n');
            if let Some(line) = lines.find_map(|line| serde_json::from_slice(line).ok()) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Drops the journals of which every certificate had expired at `not_after_from`.
    pub fn drop_expired(&self, not_after_from: Timestamp) -> Result<(), RecordError> {
        let mut journals = self.journals()?;
        // The last one is being written.
        journals.pop();
        for path in journals {
            let mut last = Timestamp::MIN;
            each_line(&path, |line: SignedLine| last = last.max(line.not_after))?;
            if last < not_after_from {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok(())
    }

    /// Keeps the last revocation list of an issuer, DER.
    pub fn keep_crl(&self, issuer: &str, der: &[u8]) -> Result<(), RecordError> {
        replace(&self.crls().join(format!("{issuer}.crl")), der)
    }

    /// The last revocation lists, DER, by their issuers.
    pub fn kept_crls(&self) -> Result<Vec<(String, Vec<u8>)>, RecordError> {
        let mut found = Vec::new();
        for path in files(&self.crls())? {
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(issuer) = name.and_then(|name| name.strip_suffix(".crl")) {
                found.push((issuer.to_owned(), fs::read(&path).map_err(at(&path))?));
            }
        }
        Ok(found)
    }

    /// The last count of the database's pulse that was seen.
    pub fn seen(&self) -> Result<Seen, RecordError> {
        let path = self.seen_file();
        match fs::read(&path) {
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Seen::default()),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Keeps the count of the database's pulse.
    pub fn keep_seen(&self, seen: Seen) -> Result<(), RecordError> {
        replace(&self.seen_file(), to_line(&seen).as_bytes())
    }

    fn crls(&self) -> PathBuf {
        self.folder.join("crls")
    }

    fn seen_file(&self) -> PathBuf {
        self.folder.join("seen.json")
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

impl Store {
    /// Has a record kept from now on: the numbers reserved so far, and each block before it is used.
    pub async fn attach_record(&self, record: Record) -> Result<(), StoreError> {
        let record = Arc::new(record);
        self.attach(Arc::clone(&record));
        self.record_numbers().await
    }

    /// Keeps up to where the sequences are reserved by now, whoever did it.
    pub async fn record_numbers(&self) -> Result<(), StoreError> {
        const SQL: &str = "select name, next from sequences";
        let Some(record) = self.record() else {
            return Ok(());
        };
        let rows = self.query(SQL, Vec::new()).await?;
        let numbers = rows.iter().map(|row| Ok((row.string(0)?, row.int(1)?)));
        let numbers = numbers.collect::<Result<Vec<_>, StoreError>>()?;
        blocking(move || {
            let mut kept = numbers.iter();
            kept.try_for_each(|(name, next)| record.keep_number(name, *next))
        })
        .await
    }

    /// Keeps up to where one sequence is reserved, before its numbers are used.
    pub(crate) async fn record_reserved(
        &self,
        sequence: Sequence,
        next: i64,
    ) -> Result<(), StoreError> {
        match self.record() {
            Some(record) => blocking(move || record.keep_number(sequence.name(), next)).await,
            None => Ok(()),
        }
    }
}

/// Waits for the disk off the async runtime.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(StoreError::database)?
        .map_err(StoreError::database)
}

fn folder(data: &Path, installation: &str) -> PathBuf {
    data.join("record").join(installation)
}

fn numbers_file(folder: &Path) -> PathBuf {
    folder.join("numbers.jsonl")
}

fn journal_name(at: Timestamp) -> String {
    let day = at.to_zoned(TimeZone::UTC).date();
    format!("signed-{:04}-{:02}.jsonl", day.year(), day.month())
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let listed = fs::read_dir(folder).map_err(at(folder))?;
    let mut found = Vec::new();
    for entry in listed {
        found.push(entry.map_err(at(folder))?.path());
    }
    found.sort();
    Ok(found)
}

/// Opens a file to append lines to it, after a line break.
fn append_to(path: &Path) -> Result<File, RecordError> {
    let open = || {
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(path)?;
        if is_new {
            sync_folder(path)?;
        }
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(file)
    };
    open().map_err(at(path))
}

fn write_line(file: &mut File, text: &str) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

fn to_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value);
    format!("{}\n", text.expect("texts and numbers have JSON"))
}

/// Reads the lines that can be read.
fn each_line<T: DeserializeOwned>(
    path: &Path,
    mut visit: impl FnMut(T),
) -> Result<(), RecordError> {
    let mut file = BufReader::new(File::open(path).map_err(at(path))?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line).map_err(at(path))? > 0 {
        if let Ok(read) = serde_json::from_slice(&line) {
            visit(read);
        }
        line.clear();
    }
    Ok(())
}

/// Replaces a file whole, so that after a crash it holds what it held or what it was to hold.
fn replace(path: &Path, content: &[u8]) -> Result<(), RecordError> {
    let unfinished = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(content)?;
        file.sync_data()?;
        fs::rename(&unfinished, path)?;
        sync_folder(path)
    };
    write().map_err(at(path))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn line(serial: &str, at: &str) -> SignedLine {
        let at: Timestamp = at.parse().unwrap();
        SignedLine {
            at,
            issuer: "one".to_owned(),
            serial: serial.to_owned(),
            order: 1,
            reseller: 2,
            names: vec!["shop.test".to_owned()],
            spki_sha256: "00".to_owned(),
            not_before: at,
            not_after: at + SignedDuration::from_hours(24 * 199),
        }
    }

    fn serials(record: &Record) -> Vec<String> {
        let mut found = Vec::new();
        record.each_signed(|line| found.push(line.serial)).unwrap();
        found
    }

    #[test]
    fn what_was_kept_is_there_after_a_crash_in_the_middle_of_a_line() {
        let data = tempfile::tempdir().unwrap();
        assert!(!Record::exists(data.path(), "one"));
        let record = Record::open(data.path(), "one").unwrap();
        assert_eq!(record.last_signed().unwrap(), None);
        for (name, next) in [("order", 10), ("order", 20), ("order", 15), ("row", 7)] {
            record.keep_number(name, next).unwrap();
        }
        let lines = [
            line("aa", "2026-11-28T10:00:00Z"),
            line("bb", "2026-11-28T10:00:00Z"),
        ];
        record.keep_signed(&lines).unwrap();
        record.keep_crl("one", b"a list").unwrap();
        record.keep_seen(Seen { pulse: 7 }).unwrap();
        drop(record);
        for file in ["numbers.jsonl", "signed-2026-11.jsonl"] {
            let path = folder(data.path(), "one").join(file);
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(b"{\"sequence\":\"order\",\"ne").unwrap();
        }
        let record = Record::open(data.path(), "one").unwrap();
        assert!(Record::exists(data.path(), "one"));
        assert_eq!(record.last_signed().unwrap().unwrap().serial, "bb");
        record
            .keep_signed(&[line("cc", "2026-11-30T10:00:00Z")])
            .unwrap();
        record.keep_number("contact", 3).unwrap();
        let record = Record::open(data.path(), "one").unwrap();
        assert_eq!(serials(&record), ["aa", "bb", "cc"]);
        let expected = [("contact", 3), ("order", 20), ("row", 7)];
        let expected = expected.map(|(name, next)| (name.to_owned(), next));
        assert_eq!(record.numbers(), BTreeMap::from(expected));
        assert_eq!(record.seen().unwrap().pulse, 7);
        let kept = record.kept_crls().unwrap();
        assert_eq!(kept, [("one".to_owned(), b"a list".to_vec())]);
    }

    #[test]
    fn journals_are_dropped_once_all_their_certificates_have_expired() {
        let data = tempfile::tempdir().unwrap();
        let record = Record::open(data.path(), "one").unwrap();
        for (serial, at) in [
            ("aa", "2025-12-31T23:59:59Z"),
            ("bb", "2026-01-01T00:00:00Z"),
            ("cc", "2026-08-01T00:00:00Z"),
        ] {
            record.keep_signed(&[line(serial, at)]).unwrap();
        }
        record
            .drop_expired("2026-07-19T00:00:00Z".parse().unwrap())
            .unwrap();
        assert_eq!(serials(&record), ["bb", "cc"]);
        // The last one is kept however old it is.
        record
            .drop_expired("2030-01-01T00:00:00Z".parse().unwrap())
            .unwrap();
        assert_eq!(serials(&record), ["cc"]);
    }
}
