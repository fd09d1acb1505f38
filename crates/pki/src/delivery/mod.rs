//! Certificates in the forms that servers take: PEM, DER, PKCS #7, PKCS #12, Java's key store, ZIP archives.
//!
//! A [`Chain`] is what is delivered; a [`SubscriberKey`] joins it where a form holds the private key as well.
//! Keys and passwords are in memory that clears itself, do not print, and leave encrypted only. Roots stay
//! out of what a server sends: who trusts one has it. Nothing here knows who may have what.

mod asn1;
mod jks;
mod password;
mod pkcs12;
mod pkcs7;
mod private_key;
mod servers;
mod zip;

use aws_lc_rs::rand;
use jiff::Timestamp;

use crate::certificate::{CertificateInfo, to_pem};
use crate::pem;
use crate::public_keys::PublicKey;
use crate::structures::Malformed;

pub use password::{Password, PasswordError};
pub use private_key::{PrivateKeyError, SubscriberKey};
pub use servers::Server;

/// A certificate and those above it, each DER.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    /// The subscriber's certificate.
    pub leaf: Vec<u8>,
    /// The CAs between it and the root, the issuing one first.
    pub intermediates: Vec<Vec<u8>>,
    /// The root.
    pub root: Vec<u8>,
}

/// Which certificates of a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// The subscriber's alone.
    Leaf,
    /// Those between it and the root.
    Intermediates,
    /// What a server sends: its own and the intermediates.
    WithIntermediates,
    /// All, root included.
    Whole,
    /// The root alone.
    Root,
}

/// A form to deliver a chain in, without a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// One PEM block after the other (RFC 7468), from the leaf upwards.
    Pem(Extent),
    /// The leaf as DER.
    Der,
    /// A certs-only PKCS #7 (RFC 5652) of leaf and intermediates, as PEM.
    Pkcs7Pem,
    /// The same as DER.
    Pkcs7Der,
    /// A ZIP archive with what a server's software wants, and a note on how to install it.
    Archive(Server),
}

/// A form that holds the private key too, under a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyStore {
    /// PKCS #12 (RFC 7292, RFC 9879): AES-256 under keys from PBKDF2 with HMAC-SHA-256.
    Pkcs12,
    /// PKCS #12 as software before 2018 reads it: triple DES and SHA-1. Weak.
    Pkcs12Legacy,
    /// Java's own format. Weak: its cipher is a stream of SHA-1.
    Jks,
}

/// Why something was not packed; a failure of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PackError {
    /// A certificate is not one, or too large to be packed.
    #[error("a certificate cannot be packed")]
    Malformed,
    /// The operating system or the library failed.
    #[error("the cryptographic library failed")]
    Library,
}

impl From<Malformed> for PackError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Chain {
    /// Writes the chain in a form. `name` is its common name; archives bear the time `now`.
    pub fn pack(&self, form: Form, name: &str, now: Timestamp) -> Result<Vec<u8>, PackError> {
        Ok(match form {
            Form::Pem(extent) => self.pem(extent).into_bytes(),
            Form::Der => self.leaf.clone(),
            Form::Pkcs7Pem => self.pkcs7_pem()?.into_bytes(),
            Form::Pkcs7Der => pkcs7::certs_only(self.presented())?,
            Form::Archive(server) => zip::archive(&server.files(self, name)?, now)?,
        })
    }

    /// Writes the chain with its key. Deriving the keys takes a core for a tenth of a second: keep it off the
    /// async runtime.
    ///
    /// The key has to be that of the certificate: see [`Chain::is_for`].
    pub fn pack_with_key(
        &self,
        store: KeyStore,
        key: &SubscriberKey,
        password: &Password,
        name: &str,
        now: Timestamp,
    ) -> Result<Vec<u8>, PackError> {
        let identity = Identity {
            chain: self,
            key,
            name,
        };
        match store {
            KeyStore::Pkcs12 => pkcs12::write(&identity, password, pkcs12::Encoding::Modern),
            KeyStore::Pkcs12Legacy => pkcs12::write(&identity, password, pkcs12::Encoding::Legacy),
            KeyStore::Jks => jks::write(&identity, password, now),
        }
    }

    /// Whether the certificate was issued for this key.
    pub fn is_for(&self, key: &SubscriberKey) -> bool {
        let of_leaf = CertificateInfo::parse(&self.leaf)
            .ok()
            .and_then(|leaf| PublicKey::parse(&leaf.spki_der).ok());
        of_leaf.is_some_and(|held| held.spki_der == key.spki_der())
    }

    fn pem(&self, extent: Extent) -> String {
        let leaf = std::slice::from_ref(&self.leaf);
        let root = std::slice::from_ref(&self.root);
        let intermediates = &self.intermediates[..];
        let parts: &[&[Vec<u8>]] = match extent {
            Extent::Leaf => &[leaf],
            Extent::Intermediates => &[intermediates],
            Extent::WithIntermediates => &[leaf, intermediates],
            Extent::Whole => &[leaf, intermediates, root],
            Extent::Root => &[root],
        };
        parts
            .iter()
            .copied()
            .flatten()
            .map(|der| to_pem(der))
            .collect()
    }

    fn pkcs7_pem(&self) -> Result<String, PackError> {
        let der = pkcs7::certs_only(self.presented())?;
        Ok(pem::encode("PKCS7", &der))
    }

    /// What a server sends, leaf first.
    fn presented(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.leaf)
            .chain(&self.intermediates)
            .map(|der| &der[..])
    }
}

/// What a key store holds.
struct Identity<'a> {
    chain: &'a Chain,
    key: &'a SubscriberKey,
    /// What the entry is called.
    name: &'a str,
}

/// A name for files that every system takes: `*` becomes `wildcard`.
pub fn file_stem(name: &str) -> String {
    name.replace('*', "wildcard")
}

fn random<const N: usize>() -> Result<[u8; N], PackError> {
    let mut octets = [0; N];
    rand::fill(&mut octets).map_err(|_| PackError::Library)?;
    Ok(octets)
}

#[cfg(test)]
mod tests;
