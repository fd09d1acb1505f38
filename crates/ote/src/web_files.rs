//! The files of the OTE web server.
//!
//! A file belongs to one host and one path, and is served as it was put. For rehearsing redirects and failures it
//! may carry another status and a Location.

use std::collections::BTreeMap;

use axum::body::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::errors::OteError;
use crate::folders::Folder;
use crate::owner_names::OwnerName;

/// What the web server answers for one host and path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebFile {
    /// Everything but the body.
    pub head: WebHead,
    /// The body, as it was put.
    pub body: Bytes,
}

/// Status and headers of a [`WebFile`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WebHead {
    /// The status code, from 200 to 599.
    pub status: u16,
    /// The Content-Type header.
    pub content_type: String,
    /// The Location header, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Default for WebHead {
    fn default() -> Self {
        Self {
            status: 200,
            content_type: "application/octet-stream".to_owned(),
            location: None,
        }
    }
}

/// A file with its place, for listings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlacedWebFile {
    /// The host that serves it.
    pub host: OwnerName,
    /// The path, from its first slash, percent-decoded.
    pub path: String,
    /// Status and headers.
    pub head: WebHead,
    /// The size of the body in bytes.
    pub length: usize,
}

/// Every file; shared between the web server and the control surface.
#[derive(Debug)]
pub struct WebFiles {
    folder: Folder,
    files: Mutex<BTreeMap<(OwnerName, String), WebFile>>,
}

impl WebFiles {
    /// No files, kept in memory only.
    pub fn in_memory() -> Self {
        Self {
            folder: Folder::in_memory(),
            files: Mutex::default(),
        }
    }

    /// The files left in `folder`.
    pub(crate) fn open(folder: Folder) -> Result<Self, OteError> {
        let mut files = BTreeMap::new();
        for entry in folder.read_all()? {
            let host = OwnerName::parse(&entry.group)?;
            let file = decode(entry.content).ok_or_else(|| {
                OteError::Refused(format!("the stored file {host}{} is damaged", entry.name))
            })?;
            files.insert((host, entry.name), file);
        }
        Ok(Self {
            folder,
            files: Mutex::new(files),
        })
    }

    /// Puts a file in the place of the one with the same host and path.
    pub fn put(&self, host: &OwnerName, path: &str, file: WebFile) -> Result<(), OteError> {
        if !(200..600).contains(&file.head.status) {
            return Err(OteError::Refused(format!(
                "{} is not a status that ends a request, from 200 to 599",
                file.head.status
            )));
        }
        let mut files = self.files.lock();
        self.folder
            .write(&host.to_string(), path, &encode(&file)?)?;
        files.insert((host.clone(), path.to_owned()), file);
        Ok(())
    }

    /// Removes a file.
    pub fn delete(&self, host: &OwnerName, path: &str) -> Result<(), OteError> {
        let key = (host.clone(), path.to_owned());
        let mut files = self.files.lock();
        if !files.contains_key(&key) {
            return Err(OteError::NotFound(format!("there is no file {host}{path}")));
        }
        self.folder.remove(&host.to_string(), path)?;
        files.remove(&key);
        Ok(())
    }

    /// The file for a host and a percent-decoded path.
    pub fn find(&self, host: &OwnerName, path: &str) -> Option<WebFile> {
        self.files
            .lock()
            .get(&(host.clone(), path.to_owned()))
            .cloned()
    }

    /// Every file that was put.
    pub fn files(&self) -> Vec<PlacedWebFile> {
        let files = self.files.lock();
        let placed = files.iter().map(|((host, path), file)| PlacedWebFile {
            host: host.clone(),
            path: path.clone(),
            head: file.head.clone(),
            length: file.body.len(),
        });
        placed.collect()
    }
}

/// On disk a file is its head as one line of JSON, then its body.
fn encode(file: &WebFile) -> Result<Vec<u8>, OteError> {
    let mut content = serde_json::to_vec(&file.head)
        .map_err(|error| OteError::Refused(format!("the file cannot be kept: {error}")))?;
    content.push(b'\n');
    content.extend_from_slice(&file.body);
    Ok(content)
}

fn decode(content: Vec<u8>) -> Option<WebFile> {
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let head = serde_json::from_slice(&content[..end]).ok()?;
    Some(WebFile {
        head,
        body: Bytes::from(content).slice(end + 1..),
    })
}
