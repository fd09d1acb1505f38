//! Keeps the OTE world on disk, one small file per thing.
//!
//! A file is complete or absent (written aside, then renamed), so a killed server finds its world again. Nothing
//! is synchronized to the medium: these are rehearsals, not evidence. Writes are short and happen in place, so
//! that what a caller was told is what the next start reads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::errors::OteError;

/// What a file name may hold as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The longest file name most file systems take.
const NAME_LIMIT: usize = 255;

/// A folder of folders of files, or nothing at all where the world lives in memory only.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: Option<PathBuf>,
}

/// A file read back: the folder and the name it was written under, and its content.
pub(crate) struct Entry {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

impl Folder {
    pub(crate) fn in_memory() -> Self {
        Self { path: None }
    }

    pub(crate) fn open(path: &Path) -> Result<Self, OteError> {
        fs::create_dir_all(path).map_err(OteError::io(format!(
            "cannot make the folder {}",
            path.display()
        )))?;
        Ok(Self {
            path: Some(path.to_owned()),
        })
    }

    /// Writes the file `name` of `group`, replacing what was there.
    pub(crate) fn write(&self, group: &str, name: &str, content: &[u8]) -> Result<(), OteError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let name = encode(name)?;
        let folder = path.join(encode(group)?);
        let write = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            // A name that no encoded one can have: they hold no '+'.
            let aside = folder.join("+new");
            fs::write(&aside, content)?;
            fs::rename(&aside, folder.join(&name))
        };
        write().map_err(OteError::io(format!(
            "cannot write {}",
            folder.join(&name).display()
        )))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, group: &str, name: &str) -> Result<(), OteError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let file = path.join(encode(group)?).join(encode(name)?);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OteError::io(format!(
                "cannot remove {}",
                file.display()
            ))(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Every file, in no order.
    pub(crate) fn read_all(&self) -> Result<Vec<Entry>, OteError> {
        let Some(path) = &self.path else {
            return Ok(Vec::new());
        };
        let read = || -> io::Result<Vec<Entry>> {
            let mut entries = Vec::new();
            for group in fs::read_dir(path)? {
                let group = group?;
                if !group.file_type()?.is_dir() {
                    continue;
                }
                for file in fs::read_dir(group.path())? {
                    let file = file?;
                    let (Some(folder), Some(name)) =
                        (decode(&group.file_name()), decode(&file.file_name()))
                    else {
                        continue;
                    };
                    let content = fs::read(file.path())?;
                    entries.push(Entry {
                        group: folder,
                        name,
                        content,
                    });
                }
            }
            Ok(entries)
        };
        read().map_err(OteError::io(format!(
            "cannot read the folder {}",
            path.display()
        )))
    }
}

/// The file name for a key. A leading dot is encoded too, so that no key names a parent folder.
fn encode(key: &str) -> Result<String, OteError> {
    let mut name = utf8_percent_encode(key, ENCODED).to_string();
    if name.starts_with('.') {
        name.replace_range(..1, "%2E");
    }
    if name.is_empty() || name.len() > NAME_LIMIT {
        return Err(OteError::Refused(format!(
            "'{key}' has no place on disk: it takes 1 to {NAME_LIMIT} characters, percent-encoded"
        )));
    }
    Ok(name)
}

fn decode(name: &std::ffi::OsStr) -> Option<String> {
    let name = name.to_str().filter(|name| !name.contains('+'))?;
    percent_decode_str(name)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_until_it_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(home.path()).unwrap();
        folder.write("a.test", "TXT", b"old").unwrap();
        folder.write("a.test", "TXT", b"new").unwrap();
        folder.write("b.test", "/../x y", b"1").unwrap();
        let mut entries = Folder::open(home.path()).unwrap().read_all().unwrap();
        entries.sort_by(|a, b| a.group.cmp(&b.group));
        assert_eq!(entries.len(), 2);
        assert_eq!(
            (entries[0].name.as_str(), entries[0].content.as_slice()),
            ("TXT", &b"new"[..])
        );
        assert_eq!(entries[1].name, "/../x y");
        folder.remove("a.test", "TXT").unwrap();
        folder.remove("a.test", "TXT").unwrap();
        assert_eq!(folder.read_all().unwrap().len(), 1);
    }

    #[test]
    fn a_name_too_long_for_the_disk_is_refused() {
        assert!(matches!(
            encode(&"/".repeat(100)),
            Err(OteError::Refused(_))
        ));
        assert!(encode("").is_err());
    }

    proptest! {
        /// No key escapes its folder, and every key that has a file name comes back from it.
        #[test]
        fn file_names_are_safe_and_reversible(key in "\\PC{1,40}") {
            if let Ok(name) = encode(&key) {
                prop_assert!(!name.starts_with('.') && !name.contains(['/', '\\', '+', '\0']));
                prop_assert_eq!(decode(name.as_ref()), Some(key));
            }
        }
    }
}
