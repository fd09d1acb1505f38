//! Files that only grow by whole lines, or are replaced whole.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RecordError;

/// How much of the end of a file is read first for its last line.
const TAIL: u64 = 1 << 16;

/// A file that lines are added to. After a write that failed it is opened anew, so that half a line ends there.
#[derive(Debug, Default)]
pub(super) struct Growing(Option<(PathBuf, File)>);

impl Growing {
    /// Whether lines were last added to this file, and the next may be.
    pub(super) fn has_open(&self, path: &Path) -> bool {
        self.0.as_ref().is_some_and(|(open, _)| open == path)
    }

    /// Adds lines, all in one write, and waits until they are on disk.
    pub(super) fn append(&mut self, path: &Path, text: &str) -> Result<(), RecordError> {
        let (open, mut file) = match self.0.take() {
            Some((open, file)) if open == path => (open, file),
            _ => (path.to_owned(), append_to(path)?),
        };
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(at(path))?;
        self.0 = Some((open, file));
        Ok(())
    }
}

/// The files of a folder, by name.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let listed = fs::read_dir(folder).map_err(at(folder))?;
    let mut found = Vec::new();
    for entry in listed {
        found.push(entry.map_err(at(folder))?.path());
    }
    found.sort();
    Ok(found)
}

/// Opens a file to append lines to it, after a line break.
pub(super) fn append_to(path: &Path) -> Result<File, RecordError> {
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

pub(super) fn to_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value);
    format!("{}\n", text.expect("texts and numbers have JSON"))
}

/// Reads the lines that can be read; none, where there is no file.
pub(super) fn each_line<T: DeserializeOwned>(
    path: &Path,
    mut visit: impl FnMut(T),
) -> Result<(), RecordError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(at(path))?,
    };
    let mut file = BufReader::new(file);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line).map_err(at(path))? > 0 {
        if let Ok(read) = serde_json::from_slice(&line) {
            visit(read);
        }
        line.clear();
    }
    Ok(())
}

/// The last line that can be read, however long it is.
pub(super) fn last_line<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    let mut file = File::open(path).map_err(at(path))?;
    let length = file.metadata().map_err(at(path))?.len();
    let mut tail = TAIL;
    loop {
        let from = length.saturating_sub(tail);
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(from))
            .and_then(|_| file.read_to_end(&mut text))
            .map_err(at(path))?;
        let mut lines = text.rsplit(|octet| *octet == b'\n');
        let found = lines.find_map(|line| serde_json::from_slice(line).ok());
        if found.is_some() || from == 0 {
            return Ok(found);
        }
        tail *= 8;
    }
}

/// What a file holds; nothing, where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, RecordError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(at(path)),
    }
}

/// Replaces a file whole, so that after a crash it holds what it held or what it was to hold.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), RecordError> {
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

/// Removes a file, if there is one.
pub(super) fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(()) => sync_folder(path).map_err(at(path)),
        failed => failed.map_err(at(path)),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

pub(super) fn at(path: &Path) -> impl Fn(std::io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError {
        path: path.clone(),
        source,
    }
}
