//! The master key: given by the operator, or, in OTE mode, made at first start.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chancery_pki::sealing::MasterKey;

use crate::config::{Config, is_shown};
use crate::wiring::StartError;

/// The key that seals secrets in the database. One that nobody can have drawn at random is refused.
pub(crate) fn master_key(config: &Config) -> Result<MasterKey, StartError> {
    let key = any_master_key(config)?;
    refuse_weak(&key, "the master key")?;
    Ok(key)
}

/// The key in a file, if it is a good one.
pub(crate) fn master_key_of(file: &Path) -> Result<MasterKey, StartError> {
    let text =
        fs::read_to_string(file).map_err(|error| StartError::File(file.to_owned(), error))?;
    refuse_loose_mode(file)?;
    let name = file.display().to_string();
    let key = parse(&text, &name)?;
    refuse_weak(&key, &name)?;
    Ok(key)
}

fn refuse_weak(key: &MasterKey, what: &str) -> Result<(), StartError> {
    match key.weakness() {
        Some(weakness) => Err(StartError::Setting(format!(
            "{what} was not drawn at random: {weakness}. Draw one with: openssl rand -hex 32; where a database \
             is sealed under it already: chancery key rotate"
        ))),
        None => Ok(()),
    }
}

/// The key that seals secrets in the database, be it as it may.
pub(crate) fn any_master_key(config: &Config) -> Result<MasterKey, StartError> {
    if let Some(text) = &config.master_key {
        return parse(&text.0, "master_key");
    }
    let in_data = config.data.join("master.key");
    let file = config.master_key_file.clone().unwrap_or(in_data);
    match fs::read_to_string(&file) {
        Ok(text) => {
            refuse_loose_mode(&file)?;
            parse(&text, &file.display().to_string())
        }
        Err(error) if error.kind() == ErrorKind::NotFound && config.is_ote() => make(&file),
        Err(error) => Err(StartError::File(file, error)),
    }
}

/// The same, if there is one; in OTE mode, too, none is made.
pub fn master_key_if_there(config: &Config) -> Result<Option<MasterKey>, StartError> {
    let in_data = config.data.join("master.key");
    let file = config.master_key_file.as_ref().unwrap_or(&in_data);
    match config.master_key.is_some() || file.exists() {
        true => master_key(config).map(Some),
        false => Ok(None),
    }
}

fn parse(text: &str, from: &str) -> Result<MasterKey, StartError> {
    MasterKey::from_text(text)
        .map_err(|_| StartError::Setting(format!("{from} does not hold 32 bytes as hex or Base64")))
}

fn make(file: &Path) -> Result<MasterKey, StartError> {
    let key = MasterKey::generate()
        .map_err(|error| StartError::Setting(format!("no master key can be made: {error}")))?;
    write_secret(file, &format!("{}\n", key.to_text().as_str()))?;
    Ok(key)
}

/// Writes a file that only its owner can read. After a crash it holds all of the text, or what it held before.
pub(crate) fn write_secret(file: &Path, text: &str) -> Result<(), StartError> {
    let failed = |error| StartError::File(file.to_owned(), error);
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let unfinished = PathBuf::from(name);
    // One that a crash left behind may have come by any mode.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut opened = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(failed)?;
    opened
        .write_all(text.as_bytes())
        .and_then(|()| opened.sync_all())
        .and_then(|()| fs::rename(&unfinished, file))
        .and_then(|()| sync_folder(file))
        .map_err(failed)
}

/// Has the disk keep the names in the folder of a file.
fn sync_folder(file: &Path) -> std::io::Result<()> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn refuse_loose_mode(file: &Path) -> Result<(), StartError> {
    if is_shown(file).map_err(|error| StartError::File(file.to_owned(), error))? {
        let name = file.display();
        let text = format!("{name} can be read by others: chmod 600 {name}");
        return Err(StartError::Setting(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_replaces_another_whole_and_stays_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let unfinished = folder.path().join("key.new");
        fs::write(&unfinished, "what a crash left, longer than what comes").unwrap();
        for text in ["first", "second"] {
            write_secret(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            refuse_loose_mode(&file).unwrap();
        }
        assert!(!unfinished.exists());
    }
}
