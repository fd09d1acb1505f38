//! Certificates as wholes: put together, taken apart, numbered.

use aws_lc_rs::rand;
use const_oid::db::rfc5280::{ID_CE_SUBJECT_ALT_NAME, ID_CE_SUBJECT_KEY_IDENTIFIER};
use der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use der::{Decode, Encode, Tagged};
use jiff::Timestamp;
use spki::AlgorithmIdentifierRef;

use crate::keys::KeyAlgorithm;
use crate::pem;
use crate::public_keys::{self, BadSignature, PublicKey};
use crate::structures::{
    DNS_NAME, Malformed, RawSequence, SignedStructure, TbsCertificate, read_time,
};

/// The operating system gave no random octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no random octets for a serial number")]
pub struct NoRandom;

/// Draws a serial number: 16 random octets, positive, the first not zero, so that its DER always has the
/// same length (BR 7.1.2.7; RFC 5280 §4.1.2.2).
pub fn mint_serial() -> Result<[u8; 16], NoRandom> {
    let mut serial = [0; 16];
    while serial[0] == 0 {
        rand::fill(&mut serial).map_err(|_| NoRandom)?;
        serial[0] &= 0x7f;
    }
    Ok(serial)
}

/// Puts a signature under what was signed: a certificate, or a CRL, or a request.
pub fn assemble(
    tbs: &[u8],
    signature_algorithm: &[u8],
    signature: &[u8],
) -> Result<Vec<u8>, Malformed> {
    let signed = SignedStructure {
        tbs: RawSequence::from_der(tbs)?,
        signature_algorithm: RawSequence::from_der(signature_algorithm)?,
        signature: BitStringRef::from_bytes(signature)?,
    };
    Ok(signed.to_der()?)
}

/// A certificate as PEM.
pub fn to_pem(der: &[u8]) -> String {
    pem::encode("CERTIFICATE", der)
}

/// The three parts of a signed structure.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// What was signed.
    pub tbs: &'a [u8],
    /// The `AlgorithmIdentifier` outside of it.
    pub signature_algorithm: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a signed structure apart.
    pub fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let signed = SignedStructure::from_der(der)?;
        Ok(Self {
            tbs: signed.tbs.as_bytes(),
            signature_algorithm: signed.signature_algorithm.as_bytes(),
            signature: signed.signature.as_bytes().ok_or(Malformed)?,
        })
    }

    /// Verifies the signature by a public key.
    pub fn verify(&self, spki: &[u8]) -> Result<(), BadSignature> {
        let scheme =
            AlgorithmIdentifierRef::from_der(self.signature_algorithm).map_err(|_| BadSignature)?;
        public_keys::verify(spki, scheme.oid, self.tbs, self.signature)
    }
}

/// The fields of a certificate that the platform works with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateInfo {
    /// The serial number, without leading zeros.
    pub serial: Vec<u8>,
    /// The issuer's name, as DER.
    pub issuer_der: Vec<u8>,
    /// The subject's name, as DER.
    pub subject_der: Vec<u8>,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// The `SubjectPublicKeyInfo`.
    pub spki_der: Vec<u8>,
    /// The subject alternative names that are host names, in order.
    pub dns_names: Vec<String>,
    /// The subject key identifier, where there is one.
    pub subject_key_id: Option<Vec<u8>>,
}

impl CertificateInfo {
    /// Reads a certificate of ours, or of another CA. Judges nothing.
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        Self::parse_tbs(Signed::parse(der)?.tbs)
    }

    /// Reads what is or will be signed.
    pub fn parse_tbs(tbs: &[u8]) -> Result<Self, Malformed> {
        let fields = TbsCertificate::from_der(tbs)?;
        let mut info = Self {
            serial: fields.serial.as_bytes().to_vec(),
            issuer_der: fields.issuer.as_bytes().to_vec(),
            subject_der: fields.subject.as_bytes().to_vec(),
            not_before: read_time(fields.validity.not_before)?,
            not_after: read_time(fields.validity.not_after)?,
            spki_der: fields.spki.as_bytes().to_vec(),
            dns_names: Vec::new(),
            subject_key_id: None,
        };
        for extension in fields.extensions.iter().flatten() {
            let value = extension.value.as_bytes();
            match extension.id {
                ID_CE_SUBJECT_ALT_NAME => {
                    for name in Vec::<AnyRef<'_>>::from_der(value)? {
                        if name.tag() == DNS_NAME {
                            let name = str::from_utf8(name.value()).map_err(|_| Malformed)?;
                            info.dns_names.push(name.to_owned());
                        }
                    }
                }
                ID_CE_SUBJECT_KEY_IDENTIFIER => {
                    let id = <&OctetStringRef>::from_der(value)?;
                    info.subject_key_id = Some(id.as_bytes().to_vec());
                }
                _ => {}
            }
        }
        Ok(info)
    }
}

/// What has to be known of a CA to build and judge what it signs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// Its name, to be copied octet by octet (BR 7.1.4.1).
    pub name_der: Vec<u8>,
    /// Its subject key identifier.
    pub key_id: Vec<u8>,
    /// Its public key.
    pub spki_der: Vec<u8>,
    /// The kind of its key, which decides on signatures.
    pub algorithm: KeyAlgorithm,
    /// The first second it may sign for.
    pub not_before: Timestamp,
    /// The last second it may sign for.
    pub not_after: Timestamp,
}

impl Issuer {
    /// Reads the certificate of a CA of ours.
    pub fn from_certificate(der: &[u8]) -> Result<Self, Malformed> {
        let info = CertificateInfo::parse(der)?;
        let key = PublicKey::parse(&info.spki_der).map_err(|_| Malformed)?;
        Ok(Self {
            name_der: info.subject_der,
            key_id: info.subject_key_id.ok_or(Malformed)?,
            algorithm: KeyAlgorithm::of(&key).ok_or(Malformed)?,
            spki_der: info.spki_der,
            not_before: info.not_before,
            not_after: info.not_after,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn serials_are_positive_and_of_one_length() {
        let serials: Vec<_> = (0..200).map(|_| mint_serial().unwrap()).collect();
        assert!(serials.iter().all(|serial| (1..0x80).contains(&serial[0])));
        assert!((1..200).all(|n| serials[n] != serials[n - 1]));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(der in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = CertificateInfo::parse(&der);
        }
    }
}
