//! Certificates as wholes: put together, taken apart, numbered.

use aws_lc_rs::rand;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::encoding::{Malformed, Reader, Value, encode, tag};
use crate::keys::KeyAlgorithm;
use crate::oid;
use crate::pem;
use crate::public_keys::{self, PublicKey};

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
pub fn assemble(tbs: &[u8], signature_algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    encode(|der| {
        der.sequence(|der| {
            der.raw(tbs).raw(signature_algorithm).bit_string(signature);
        });
    })
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
        let mut outer = Reader::new(der);
        let mut parts = outer.enter(tag::SEQUENCE)?;
        outer.end()?;
        let tbs = parts.expect(tag::SEQUENCE)?.whole;
        let signature_algorithm = parts.expect(tag::SEQUENCE)?.whole;
        let signature = parts.bit_string()?;
        parts.end()?;
        Ok(Self {
            tbs,
            signature_algorithm,
            signature,
        })
    }

    /// Verifies the signature by a public key.
    pub fn verify(&self, spki: &[u8]) -> Result<(), public_keys::BadSignature> {
        let scheme = Reader::new(self.signature_algorithm)
            .enter(tag::SEQUENCE)
            .and_then(|mut algorithm| algorithm.expect(tag::OID))
            .map_err(|_| public_keys::BadSignature)?;
        public_keys::verify(spki, scheme.content, self.tbs, self.signature)
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
        let mut outer = Reader::new(tbs);
        let mut fields = outer.enter(tag::SEQUENCE)?;
        outer.end()?;
        if fields.peek() == Some(tag::constructed(0)) {
            let mut version = fields.enter(tag::constructed(0))?;
            version.unsigned()?;
            version.end()?;
        }
        let serial = fields.unsigned()?.to_vec();
        fields.expect(tag::SEQUENCE)?;
        let issuer_der = fields.expect(tag::SEQUENCE)?.whole.to_vec();
        let mut validity = fields.enter(tag::SEQUENCE)?;
        let not_before = read_time(validity.next_value()?)?;
        let not_after = read_time(validity.next_value()?)?;
        validity.end()?;
        let subject_der = fields.expect(tag::SEQUENCE)?.whole.to_vec();
        let spki_der = fields.expect(tag::SEQUENCE)?.whole.to_vec();
        let mut info = Self {
            serial,
            issuer_der,
            subject_der,
            not_before,
            not_after,
            spki_der,
            dns_names: Vec::new(),
            subject_key_id: None,
        };
        while !fields.is_empty() {
            let field = fields.next_value()?;
            if field.tag == tag::constructed(3) {
                info.read_extensions(field.content)?;
            }
        }
        Ok(info)
    }

    fn read_extensions(&mut self, der: &[u8]) -> Result<(), Malformed> {
        for extension in read_extensions(der)? {
            match extension.oid {
                oid::SUBJECT_ALT_NAME => {
                    let mut names = Reader::new(extension.value).enter(tag::SEQUENCE)?;
                    while !names.is_empty() {
                        let name = names.next_value()?;
                        if name.tag == tag::context(2) {
                            let name = str::from_utf8(name.content).map_err(|_| Malformed)?;
                            self.dns_names.push(name.to_owned());
                        }
                    }
                }
                oid::SUBJECT_KEY_ID => {
                    let id = Reader::new(extension.value)
                        .expect(tag::OCTET_STRING)?
                        .content;
                    self.subject_key_id = Some(id.to_vec());
                }
                _ => {}
            }
        }
        Ok(())
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
            not_after: info.not_after,
        })
    }
}

/// One extension as read.
pub(crate) struct Extension<'a> {
    pub oid: &'a [u8],
    pub value: &'a [u8],
}

/// Reads `Extensions`.
pub(crate) fn read_extensions(der: &[u8]) -> Result<Vec<Extension<'_>>, Malformed> {
    let mut outer = Reader::new(der);
    let mut list = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    let mut extensions = Vec::new();
    while !list.is_empty() {
        let mut fields = list.enter(tag::SEQUENCE)?;
        let oid = fields.expect(tag::OID)?.content;
        if fields.peek() == Some(tag::BOOLEAN) {
            fields.next_value()?;
        }
        let value = fields.expect(tag::OCTET_STRING)?.content;
        fields.end()?;
        extensions.push(Extension { oid, value });
    }
    Ok(extensions)
}

/// Reads a time in one of the two forms RFC 5280 §4.1.2.5 allows.
pub fn read_time(value: Value<'_>) -> Result<Timestamp, Malformed> {
    let digits = value.content.strip_suffix(b"Z").ok_or(Malformed)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    let pairs: Vec<i16> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |n, d| n * 10 + i16::from(d - b'0')))
        .collect();
    let (year, rest) = match (value.tag, pairs.as_slice()) {
        (tag::UTC_TIME, [year, rest @ ..]) => (if *year < 50 { 2000 } else { 1900 } + year, rest),
        (tag::GENERALIZED_TIME, [century, year, rest @ ..]) => (century * 100 + year, rest),
        _ => return Err(Malformed),
    };
    let &[month, day, hour, minute, second] = rest else {
        return Err(Malformed);
    };
    if digits.len() % 2 != 0 {
        return Err(Malformed);
    }
    DateTime::new(
        year,
        month as i8,
        day as i8,
        hour as i8,
        minute as i8,
        second as i8,
        0,
    )
    .and_then(|time| Offset::UTC.to_timestamp(time))
    .map_err(|_| Malformed)
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

    #[test]
    fn crooked_times_are_refused() {
        for (tag, text) in [
            (tag::UTC_TIME, "261122080910"),
            (tag::UTC_TIME, "2611220809Z"),
            (tag::UTC_TIME, "261322080910Z"),
            (tag::UTC_TIME, "261122080960Z"),
            (tag::GENERALIZED_TIME, "261122080910Z"),
            (tag::GENERALIZED_TIME, "20261122080910.5Z"),
            (tag::UTC_TIME, "26112208091Z"),
        ] {
            let value = Value {
                tag,
                content: text.as_bytes(),
                whole: &[],
            };
            assert!(read_time(value).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_read_back(seconds in -600_000_000_i64..9_000_000_000) {
            let at = Timestamp::from_second(seconds).unwrap();
            let der = encode(|der| { der.time(at); });
            prop_assert_eq!(read_time(Reader::new(&der).next_value().unwrap()), Ok(at));
        }

        #[test]
        fn parsing_never_panics(der in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = CertificateInfo::parse(&der);
        }
    }
}
