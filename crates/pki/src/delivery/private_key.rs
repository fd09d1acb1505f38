//! The subscriber's private key, sent along to be packed with its certificate.
//!
//! Read from what OpenSSL, Java and Windows write: PKCS #8, PKCS #1 or SEC 1, as PEM or DER, alone or beside
//! other blocks. It stays in memory that clears itself.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _,
};
use zeroize::Zeroizing;

use crate::pem;
use crate::public_keys::PublicKey;

/// The longest file that is read. The longest key takes a fifth of it; there may be certificates beside it.
const FILE_LIMIT: usize = 64 * 1024;

/// Why a file is not a private key, in words for the one who sent it. Says nothing of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Longer than any such file needs to be.
    #[error("the file with the key is longer than {FILE_LIMIT} bytes")]
    TooLong,
    /// Under a passphrase of its own.
    #[error("the key is encrypted; remove its passphrase before it is sent")]
    Encrypted,
    /// PEM, but no block of it is a private key.
    #[error("the file holds no private key")]
    OtherPem,
    /// Not a key, or not of a kind that certificates are issued for.
    #[error(
        "the file is not a private key that can be read: RSA, or ECDSA on P-256 or P-384, as PKCS#8, PKCS#1 or SEC1 is needed"
    )]
    Unreadable,
}

/// A subscriber's private key. Does not print; clears itself.
pub struct SubscriberKey {
    pkcs8: Zeroizing<Vec<u8>>,
    spki_der: Vec<u8>,
}

impl SubscriberKey {
    /// Reads a file with a key.
    pub fn parse(file: &[u8]) -> Result<Self, PrivateKeyError> {
        const SEQUENCE: u8 = 0x30;
        if file.len() > FILE_LIMIT {
            return Err(PrivateKeyError::TooLong);
        }
        if file.first() == Some(&SEQUENCE) {
            return Self::from_der(file);
        }
        let text = str::from_utf8(file).map_err(|_| PrivateKeyError::Unreadable)?;
        Self::from_der(&read_pem(text)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, PrivateKeyError> {
        let curves: [&'static EcdsaSigningAlgorithm; 2] = [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
        ];
        let ecdsa = |curve| EcdsaKeyPair::from_private_key_der(curve, der).ok();
        let read = match curves.into_iter().find_map(ecdsa) {
            Some(pair) => Self::of_ecdsa(&pair),
            None => RsaKeyPair::from_pkcs8(der)
                .or_else(|_| RsaKeyPair::from_der(der))
                .ok()
                .and_then(|pair| Self::of_rsa(&pair)),
        };
        read.ok_or(PrivateKeyError::Unreadable)
    }

    fn of_ecdsa(pair: &EcdsaKeyPair) -> Option<Self> {
        let pkcs8 = pair.to_pkcs8v1().ok()?;
        Self::new(pkcs8.as_ref(), &pair.public_key().as_der().ok()?)
    }

    fn of_rsa(pair: &RsaKeyPair) -> Option<Self> {
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).ok()?;
        Self::new(pkcs8.as_ref(), &pair.public_key().as_der().ok()?)
    }

    fn new(pkcs8: &[u8], spki: &PublicKeyX509Der<'_>) -> Option<Self> {
        Some(Self {
            spki_der: PublicKey::parse(spki.as_ref()).ok()?.spki_der,
            pkcs8: Zeroizing::new(pkcs8.to_vec()),
        })
    }

    /// The public half, canonical.
    pub(super) fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The key, PKCS #8, unencrypted.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl fmt::Debug for SubscriberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubscriberKey(..)")
    }
}

/// The first block that is a private key: files come with parameters before it, or certificates after it.
fn read_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    const LABELS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
    const BEGIN: &str = "-----BEGIN ";
    if !text.contains(BEGIN) {
        return decode(text, &LABELS);
    }
    for (start, _) in text.match_indices(BEGIN) {
        let block = &text[start..];
        let label = block[BEGIN.len()..].split("-----").next();
        match label {
            Some("ENCRYPTED PRIVATE KEY") => return Err(PrivateKeyError::Encrypted),
            Some(label) if LABELS.contains(&label) => {
                let end = format!("-----END {label}-----");
                let end = block
                    .find(&end)
                    .map(|at| at + end.len())
                    .ok_or(PrivateKeyError::Unreadable)?;
                // The header of PEM's own encryption (RFC 1421 §4.6.1.1).
                return match block[..end].contains("Proc-Type:") {
                    true => Err(PrivateKeyError::Encrypted),
                    false => decode(&block[..end], &LABELS),
                };
            }
            _ => {}
        }
    }
    Err(PrivateKeyError::OtherPem)
}

fn decode(text: &str, labels: &[&'static str]) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    pem::decode(text, labels)
        .map(Zeroizing::new)
        .map_err(|_| PrivateKeyError::Unreadable)
}
