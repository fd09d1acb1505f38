//! Certificate signing requests (PKCS #10, RFC 2986): read from strangers, and made on request.
//!
//! A [`Csr`] exists only for a request whose key may be certified and which is signed by that key, checked
//! over the octets as they came. Of what it asks for only host names are taken; the rest of its subject is
//! shown to people, and anything else is listed as ignored. Nothing is copied into certificates, and the
//! challenge password is not even read.
//!
//! The hash under a request's signature is the requester's own and ends with the proof that the key is theirs,
//! so SHA-1 with RSA is taken, as old IIS makes it; what we sign has a hash of our choice.

mod generate;
mod text;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use const_oid::db::rfc5912::{
    ID_EXTENSION_REQ, ID_RSASSA_PSS, MD_5_WITH_RSA_ENCRYPTION, SHA_1_WITH_RSA_ENCRYPTION,
};
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use spki::AlgorithmIdentifierRef;

use crate::certificate::Signed;
use crate::pem::{self, PemError};
use crate::public_keys::{
    KeyError, KeyKind, PublicKey, scheme_name, sha256, verify, verify_legacy_rsa,
};
use crate::structures::{
    DNS_NAME, Extension, Malformed, RawSequence, RequestAttribute, RequestInfo,
};

pub use generate::{CsrSubject, GenerateCsrError, GeneratedCsr, generate_csr};

/// The longest text taken, in octets: room for some hundred names.
pub const TEXT_LIMIT: usize = 64 * 1024;

/// The most names taken from one request.
const NAME_LIMIT: usize = 1000;

/// Microsoft's own number for `extensionRequest`, sent by old IIS.
const MICROSOFT_EXTENSION_REQUEST: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");

/// `ecdsa-with-SHA1` (RFC 5480 §A).
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

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
    /// Further names that it asks for in vain, as text: second common names, addresses, and what only the extension
    /// request of old Microsoft tools has.
    pub further_names: Vec<String>,
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
    #[error("the CSR is malformed: please make it again, for example with openssl req -new")]
    Malformed,
    /// Octets after the end of the structure.
    #[error("there are more bytes after the end of the CSR")]
    Trailing,
    /// A version that no tool writes: the one there is is 0 (RFC 2986 §4.1), and some count from 1 or think of
    /// certificates.
    #[error(
        "the CSR has an unknown version: please make it again, for example with openssl req -new"
    )]
    Version,
    /// A NUL inside a name, behind which software that stops there does not look.
    #[error("the CSR has a NUL character in {0}")]
    Nul(&'static str),
    /// A name in a form that is not read.
    #[error("the CSR has {0} that cannot be read")]
    Unreadable(&'static str),
    /// More subject alternative names than are taken.
    #[error("the CSR has more than {NAME_LIMIT} names")]
    TooManyNames,
    /// The key cannot be certified.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signature uses an algorithm that is not taken.
    #[error(
        "the CSR is signed with {0}; make it again with SHA-256 (openssl: -sha256, certreq: HashAlgorithm = \
         SHA256 and AlternateSignatureAlgorithm = FALSE)"
    )]
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

impl From<der::Error> for CsrError {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

/// What a request asks for in vain.
#[derive(Default)]
struct Ignored {
    /// Each in a few words.
    words: Vec<String>,
    /// The names among it.
    names: Vec<String>,
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
        let read = |text: &str| {
            let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
            match pem::decode(text, &labels)? {
                der if der.is_empty() => Err(CsrError::Empty),
                der => Self::from_der(der),
            }
        };
        // A form that was decoded twice has spaces where '+' was. A guess that is wrong is not signed.
        read(text).or_else(|error| read(&with_plus(text)).map_err(|_| error))
    }

    /// Reads a request as DER and applies every rule. Never panics.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CsrError> {
        let mut reader = SliceReader::new(&der)?;
        RawSequence::decode(&mut reader)?;
        reader.finish().map_err(|_| CsrError::Trailing)?;
        let signed = Signed::parse(&der)?;

        let info = RequestInfo::from_der(signed.tbs)?;
        if !matches!(info.version.as_bytes(), [0..=2]) {
            return Err(CsrError::Version);
        }
        let mut ignored = Ignored::default();
        let subject = text::read_subject(info.subject.as_bytes(), &mut ignored)?;
        let key = PublicKey::parse(info.spki.as_bytes())?;
        // RFC 2986 wants the attributes even when there are none; some clients leave them out.
        let attributes = info.attributes.unwrap_or_default();
        let mut dns_names = Vec::new();
        read_attributes(&attributes, &mut dns_names, &mut ignored)?;

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
            further_names: ignored.names,
            key_kind: key.kind,
            key_bits: key.bits,
            spki_sha256: sha256(&key.spki_der),
            spki_der: key.spki_der,
            signature_algorithm,
            ignored: ignored.words,
            der,
        })
    }
}

/// Verifies that the request is signed by its own key (proof of possession).
fn verify_possession(signed: &Signed<'_>, key: &PublicKey) -> Result<&'static str, CsrError> {
    let algorithm = AlgorithmIdentifierRef::from_der(signed.signature_algorithm)?;
    let name = match algorithm.oid {
        MD_5_WITH_RSA_ENCRYPTION => Err(CsrError::SignatureAlgorithm("MD5")),
        SHA_1_WITH_RSA_ENCRYPTION => Ok("SHA1withRSA"),
        ECDSA_WITH_SHA_1 => Err(CsrError::SignatureAlgorithm("SHA-1")),
        ID_RSASSA_PSS => Err(CsrError::SignatureAlgorithm(
            "RSASSA-PSS instead of PKCS #1 v1.5",
        )),
        other => scheme_name(other).ok_or(CsrError::SignatureAlgorithm("an unknown algorithm")),
    }?;
    if algorithm.parameters.is_some_and(|any| !any.is_null()) {
        return Err(CsrError::Malformed);
    }
    let verified = match algorithm.oid {
        SHA_1_WITH_RSA_ENCRYPTION => verify_legacy_rsa(&key.spki_der, signed.tbs, signed.signature),
        other => verify(&key.spki_der, other, signed.tbs, signed.signature),
    };
    verified.map_err(|_| CsrError::Signature)?;
    Ok(name)
}

/// The same text with '+' for each space inside a line that is not armour.
fn with_plus(text: &str) -> String {
    let lines = text.lines().map(|line| match line.contains('-') {
        true => line.to_owned(),
        false => line.replace(' ', "+"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Reads what extensions are asked for: any number of lists, empty ones among them.
fn read_attributes(
    attributes: &[RequestAttribute<'_>],
    dns_names: &mut Vec<String>,
    ignored: &mut Ignored,
) -> Result<(), CsrError> {
    let mut microsofts = Vec::new();
    for attribute in attributes {
        let names = match attribute.id {
            ID_EXTENSION_REQ => &mut *dns_names,
            MICROSOFT_EXTENSION_REQUEST => &mut microsofts,
            other => {
                ignored.words.push(format!("attribute {other}"));
                continue;
            }
        };
        let values = attribute.values;
        values
            .tag()
            .assert_eq(Tag::Set)
            .map_err(|_| CsrError::Malformed)?;
        let mut reader = SliceReader::new(values.value())?;
        while !reader.is_finished() {
            for extension in Vec::<Extension<'_>>::decode(&mut reader)? {
                read_extension(&extension, names, ignored)?;
            }
        }
    }
    // Old IIS sends the request under both numbers; where both have names and differ, the standard one is meant.
    if dns_names.is_empty() {
        *dns_names = microsofts;
        return Ok(());
    }
    for name in microsofts.iter().filter(|name| !dns_names.contains(name)) {
        ignored.words.push(format!(
            "{name} in the extension request of old Microsoft tools"
        ));
        ignored.names.push(name.clone());
    }
    Ok(())
}

fn read_extension(
    extension: &Extension<'_>,
    names: &mut Vec<String>,
    ignored: &mut Ignored,
) -> Result<(), CsrError> {
    match extension.id {
        ID_CE_SUBJECT_ALT_NAME => {
            read_alternative_names(extension.value.as_bytes(), names, ignored)
        }
        other => {
            ignored.words.push(format!("extension {other}"));
            Ok(())
        }
    }
}

fn read_alternative_names(
    value: &[u8],
    dns_names: &mut Vec<String>,
    ignored: &mut Ignored,
) -> Result<(), CsrError> {
    const WHERE: &str = "a subject alternative name";
    for name in Vec::<AnyRef<'_>>::from_der(value)? {
        if name.tag() == DNS_NAME {
            let name = str::from_utf8(name.value()).map_err(|_| CsrError::Unreadable(WHERE))?;
            if name.contains('\0') {
                return Err(CsrError::Nul(WHERE));
            }
            if !dns_names.iter().any(|known| known == name) {
                dns_names.push(name.to_owned());
            }
            if dns_names.len() > NAME_LIMIT {
                return Err(CsrError::TooManyNames);
            }
        } else {
            let kind = text::general_name(name.tag());
            (ignored.words).push(format!("alternative name of the kind {kind}"));
            ignored.names.extend(text::address(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
