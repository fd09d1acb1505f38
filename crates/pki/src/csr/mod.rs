//! Certificate signing requests (PKCS #10, RFC 2986): read from strangers, and made on request.
//!
//! A [`Csr`] exists only for a request whose key may be certified and which is signed by that key, checked
//! over the octets as they came. Of what it asks for only host names are taken; the rest of its subject is
//! shown to people, and anything else is listed as ignored. Nothing is copied into certificates, and the
//! challenge password is not even read.

mod generate;
mod text;

use crate::certificate::{Signed, read_extensions};
use crate::encoding::{Malformed, Reader, tag};
use crate::oid;
use crate::pem::{self, PemError};
use crate::public_keys::{KeyError, KeyKind, PublicKey, scheme_name, sha256, verify};

pub use generate::{CsrSubject, GenerateCsrError, GeneratedCsr, generate_csr};

/// The longest text taken, in octets: room for some hundred names.
pub const TEXT_LIMIT: usize = 64 * 1024;

/// The most names taken from one request.
const NAME_LIMIT: usize = 1000;

/// A request that may be certified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Csr {
    /// The request, octet by octet as it came.
    pub der: Vec<u8>,
    /// `CN` of its subject. Of repeated attributes the first counts.
    pub common_name: Option<String>,
    /// `O`.
    pub organization: Option<String>,
    /// `OU`.
    pub organization_unit: Option<String>,
    /// `L`.
    pub city: Option<String>,
    /// `ST`.
    pub state: Option<String>,
    /// `C`.
    pub country: Option<String>,
    /// `emailAddress`.
    pub email: Option<String>,
    /// The host names among its subject alternative names, as written there.
    pub dns_names: Vec<String>,
    /// The family of its key, which passed every rule on keys.
    pub key_kind: KeyKind,
    /// The size of its key in bits.
    pub key_bits: usize,
    /// Its key, encoded canonically.
    pub spki_der: Vec<u8>,
    /// SHA-256 of `spki_der`.
    pub spki_sha256: [u8; 32],
    /// The usual name of its signature algorithm, for example `SHA256withRSA`.
    pub signature_algorithm: &'static str,
    /// What it asks for in vain, each in a few words.
    pub ignored: Vec<String>,
}

/// Why a request is refused, in words for the one who sent it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CsrError {
    /// Longer than [`TEXT_LIMIT`].
    #[error("the CSR is longer than {TEXT_LIMIT} bytes")]
    TooLong,
    /// Nothing but white space.
    #[error("the CSR is empty")]
    Empty,
    /// The armour or the base64 is wrong.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not the structure of RFC 2986.
    #[error("the CSR is malformed")]
    Malformed,
    /// Octets after the end of the structure.
    #[error("there are more bytes after the end of the CSR")]
    Trailing,
    /// A version other than 0.
    #[error("the CSR has an unknown version")]
    Version,
    /// More subject alternative names than are taken.
    #[error("the CSR has more than {NAME_LIMIT} names")]
    TooManyNames,
    /// The key cannot be certified.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signature uses an algorithm that is not taken.
    #[error("the CSR is signed with {0}; SHA-256, SHA-384 or SHA-512 is needed")]
    SignatureAlgorithm(&'static str),
    /// The signature is not by the key inside.
    #[error("the CSR is not signed by its own key")]
    Signature,
}

impl From<Malformed> for CsrError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Csr {
    /// Reads a request as PEM (lax) or bare base64 and applies every rule. Never panics.
    pub fn parse(text: &str) -> Result<Self, CsrError> {
        if text.len() > TEXT_LIMIT {
            return Err(CsrError::TooLong);
        }
        if text.trim().is_empty() {
            return Err(CsrError::Empty);
        }
        let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
        Self::from_der(pem::decode(text, &labels)?)
    }

    /// Reads a request as DER and applies every rule. Never panics.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CsrError> {
        let mut whole = Reader::new(&der);
        whole.expect(tag::SEQUENCE)?;
        whole.end().map_err(|_| CsrError::Trailing)?;
        let signed = Signed::parse(&der)?;

        let mut info = Reader::new(signed.tbs).enter(tag::SEQUENCE)?;
        if info.unsigned()? != [0] {
            return Err(CsrError::Version);
        }
        let mut ignored = Vec::new();
        let subject = text::read_subject(info.expect(tag::SEQUENCE)?.content, &mut ignored)?;
        let key = PublicKey::parse(info.expect(tag::SEQUENCE)?.whole)?;
        // RFC 2986 wants the attributes even when there are none; some clients leave them out.
        let mut dns_names = Vec::new();
        if !info.is_empty() {
            let attributes = info.enter(tag::constructed(0))?;
            read_attributes(attributes, &mut dns_names, &mut ignored)?;
            info.end()?;
        }

        let signature_algorithm = verify_possession(&signed, &key)?;
        Ok(Self {
            common_name: subject.common_name,
            organization: subject.organization,
            organization_unit: subject.organization_unit,
            city: subject.city,
            state: subject.state,
            country: subject.country,
            email: subject.email,
            dns_names,
            key_kind: key.kind,
            key_bits: key.bits,
            spki_sha256: sha256(&key.spki_der),
            spki_der: key.spki_der,
            signature_algorithm,
            ignored,
            der,
        })
    }
}

/// Verifies that the request is signed by its own key (proof of possession).
fn verify_possession(signed: &Signed<'_>, key: &PublicKey) -> Result<&'static str, CsrError> {
    let mut algorithm = Reader::new(signed.signature_algorithm).enter(tag::SEQUENCE)?;
    let scheme = algorithm.expect(tag::OID)?;
    let name = match scheme.content {
        oid::MD5_WITH_RSA => Err(CsrError::SignatureAlgorithm("MD5")),
        oid::SHA1_WITH_RSA | oid::ECDSA_WITH_SHA1 => Err(CsrError::SignatureAlgorithm("SHA-1")),
        oid::RSA_PSS => Err(CsrError::SignatureAlgorithm(
            "RSASSA-PSS instead of PKCS #1 v1.5",
        )),
        other => scheme_name(other).ok_or(CsrError::SignatureAlgorithm("an unknown algorithm")),
    }?;
    if !algorithm.is_empty() && !algorithm.expect(tag::NULL)?.content.is_empty() {
        return Err(CsrError::Malformed);
    }
    algorithm.end()?;
    verify(&key.spki_der, scheme.content, signed.tbs, signed.signature)
        .map_err(|_| CsrError::Signature)?;
    Ok(name)
}

fn read_attributes(
    mut attributes: Reader<'_>,
    dns_names: &mut Vec<String>,
    ignored: &mut Vec<String>,
) -> Result<(), CsrError> {
    let mut has_requested = false;
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(tag::SEQUENCE)?;
        let kind = attribute.expect(tag::OID)?.content;
        if !matches!(
            kind,
            oid::EXTENSION_REQUEST | oid::MICROSOFT_EXTENSION_REQUEST
        ) {
            continue;
        }
        // Old IIS sends the request under both numbers; two lists that might differ are too many.
        if has_requested && kind == oid::EXTENSION_REQUEST {
            dns_names.clear();
        } else if has_requested {
            continue;
        }
        has_requested = true;
        let mut values = attribute.enter(tag::SET)?;
        let extensions = values.expect(tag::SEQUENCE)?.whole;
        values.end()?;
        for extension in read_extensions(extensions)? {
            if extension.oid == oid::SUBJECT_ALT_NAME {
                read_alternative_names(extension.value, dns_names, ignored)?;
            } else if !matches!(extension.oid, oid::KEY_USAGE | oid::EXTENDED_KEY_USAGE) {
                ignored.push(format!("extension {}", text::dotted(extension.oid)));
            }
        }
    }
    Ok(())
}

fn read_alternative_names(
    value: &[u8],
    dns_names: &mut Vec<String>,
    ignored: &mut Vec<String>,
) -> Result<(), CsrError> {
    let mut outer = Reader::new(value);
    let mut names = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    while !names.is_empty() {
        let name = names.next_value()?;
        if name.tag == tag::context(2) {
            let name = str::from_utf8(name.content).map_err(|_| CsrError::Malformed)?;
            if !dns_names.iter().any(|known| known == name) {
                dns_names.push(name.to_owned());
            }
            if dns_names.len() > NAME_LIMIT {
                return Err(CsrError::TooManyNames);
            }
        } else {
            ignored.push(format!(
                "alternative name of the kind {}",
                text::general_name(name.tag)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
