//! The master key: given by the operator, or, in OTE mode, made at first start.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chancery_pki::sealing::MasterKey;

use crate::config::Config;
use crate::wiring::StartError;

/// The key that seals secrets in the database.
pub fn master_key(config: &Config) -> Result<MasterKey, StartError> {
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

fn parse(text: &str, from: &str) -> Result<MasterKey, StartError> {
    MasterKey::from_text(text.trim())
        .map_err(|_| StartError::Setting(format!("{from} does not hold 32 bytes as hex or Base64")))
}

fn make(file: &Path) -> Result<MasterKey, StartError> {
    let key = MasterKey::generate()
        .map_err(|error| StartError::Setting(format!("no master key can be made: {error}")))?;
    write_secret(file, &format!("{}\n", key.to_text().as_str()))?;
    Ok(key)
}

/// Writes a new file that only its owner can read.
pub(crate) fn write_secret(file: &Path, text: &str) -> Result<(), StartError> {
    let failed = |error| StartError::File(file.to_owned(), error);
    let mut options = OpenOptions::new();
    let mut opened = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(failed)?;
    opened
        .write_all(text.as_bytes())
        .and_then(|()| opened.sync_all())
        .map_err(failed)
}

fn refuse_loose_mode(file: &PathBuf) -> Result<(), StartError> {
    let failed = |error| StartError::File(file.clone(), error);
    let mode = fs::metadata(file).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let name = file.display();
        let text = format!("{name} can be read by others: chmod 600 {name}");
        return Err(StartError::Setting(text));
    }
    Ok(())
}
