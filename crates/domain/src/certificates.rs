//! Certificates: what was, or is about to be, signed.
//!
//! A certificate is on record before it exists: its serial and the exact bytes to be signed are stored
//! first, so that nothing is ever signed that could not be revoked.

use jiff::Timestamp;

use crate::issuances::IssuanceId;
use crate::names::DomainName;
use crate::orders::OrderId;
use crate::resellers::ResellerId;
use crate::revocations::{Revocation, RevocationReason};
use crate::validity::Validity;

crate::id! {
    /// The id of a [`Certificate`].
    CertificateId
}

/// A certificate on record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// Its id.
    pub id: CertificateId,
    /// The run of an order it came out of.
    pub issuance: IssuanceId,
    /// The order.
    pub order: OrderId,
    /// Whose order.
    pub reseller: ResellerId,
    /// The issuing CA, by its id.
    pub issuer: String,
    /// The serial, as content octets of the DER integer.
    pub serial: Vec<u8>,
    /// What it covers, common name first.
    pub names: Vec<DomainName>,
    /// SHA-256 of the subject's public key info.
    pub spki_sha256: Vec<u8>,
    /// Its first and last second.
    pub validity: Validity,
    /// The exact bytes to be signed (RFC 5280 §4.1, TBSCertificate).
    pub tbs: Vec<u8>,
    /// When these were stored.
    pub reserved_at: Timestamp,
    /// How far it has come.
    pub state: CertificateState,
}

/// What an order's description says of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertificateSummary {
    /// Its id.
    pub id: CertificateId,
    /// Its first and last second.
    pub validity: Validity,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked, if it was.
    pub revocation_reason: Option<RevocationReason>,
}

impl CertificateSummary {
    /// Whether it is relied on at a moment.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now <= self.validity.not_after
    }
}

/// What lists say of a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateLine {
    /// Its id.
    pub id: CertificateId,
    /// The order.
    pub order: OrderId,
    /// Whose order.
    pub reseller: ResellerId,
    /// The serial, as content octets of the DER integer.
    pub serial: Vec<u8>,
    /// What it covers, common name first.
    pub names: Vec<DomainName>,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub spki_sha256: Vec<u8>,
    /// Its first and last second.
    pub validity: Validity,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// That it is revoked, if it is.
    pub revocation: Option<Revocation>,
}

impl CertificateLine {
    /// Whether it is relied on at a moment.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.revocation.is_none() && now <= self.validity.not_after
    }
}

/// How far a certificate has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CertificateState {
    /// On record, not signed.
    Reserved,
    /// Given up before it was signed; its serial is never used again.
    Abandoned,
    /// Signed and stored.
    Issued {
        /// The certificate (RFC 5280 §4.1), DER.
        der: Vec<u8>,
        /// When.
        signed_at: Timestamp,
    },
    /// Signed, stored, and revoked since.
    Revoked {
        /// The certificate, DER.
        der: Vec<u8>,
        /// When it was signed.
        signed_at: Timestamp,
        /// When, why, and at whose wish it was revoked.
        revocation: Revocation,
    },
}

impl Certificate {
    /// What an order's description says of it, once it is signed.
    pub fn summary(&self) -> Option<CertificateSummary> {
        let (signed_at, revocation) = match &self.state {
            CertificateState::Reserved | CertificateState::Abandoned => return None,
            CertificateState::Issued { signed_at, .. } => (*signed_at, None),
            CertificateState::Revoked {
                signed_at,
                revocation,
                ..
            } => (*signed_at, Some(revocation)),
        };
        Some(CertificateSummary {
            id: self.id,
            validity: self.validity,
            signed_at,
            revoked_at: revocation.map(|revocation| revocation.at),
            revocation_reason: revocation.map(|revocation| revocation.reason),
        })
    }

    /// That it is revoked, if it is.
    pub fn revocation(&self) -> Option<&Revocation> {
        match &self.state {
            CertificateState::Reserved
            | CertificateState::Abandoned
            | CertificateState::Issued { .. } => None,
            CertificateState::Revoked { revocation, .. } => Some(revocation),
        }
    }

    /// The signed bytes, once there are some.
    pub fn der(&self) -> Option<&[u8]> {
        match &self.state {
            CertificateState::Reserved | CertificateState::Abandoned => None,
            CertificateState::Issued { der, .. } | CertificateState::Revoked { der, .. } => {
                Some(der)
            }
        }
    }
}

/// The longest serial, in octets (RFC 5280 §4.1.2.2).
const SERIAL_MAX: usize = 20;

/// Reads a serial number as people write it: hexadecimal, in any case, with or without `0x`, colons or spaces. Gives the
/// content octets of its DER integer; `None` for what is no positive number of at most 20 octets.
pub fn parse_serial(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let digits = digits.unwrap_or(text).bytes();
    let digits = digits.filter(|octet| !matches!(octet, b':' | b' '));
    let mut octets = Vec::new();
    let mut number = Vec::new();
    for digit in digits {
        number.push(u8::try_from(char::from(digit).to_digit(16)?).ok()?);
        if number.len() > 4 * SERIAL_MAX {
            return None;
        }
    }
    let first = number.iter().position(|digit| *digit != 0)?;
    let mut number = number.split_off(first);
    if number.len() % 2 == 1 {
        number.insert(0, 0);
    }
    if number[0] >= 8 {
        octets.push(0);
    }
    octets.extend(number.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    (octets.len() <= SERIAL_MAX).then_some(octets)
}

/// A serial number as people read it: hexadecimal in lower case, without the zero octet of its DER.
pub fn serial_hex(serial: &[u8]) -> String {
    let number = serial.strip_prefix(&[0]).unwrap_or(serial);
    number.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_serial_is_read_however_tools_write_it() {
        let serial = Some(vec![0x0a, 0xbc, 0xde]);
        for text in [
            "0ABCDE",
            "abcde",
            "0a:bc:de",
            " 0x0ABCDE ",
            "0A BC DE",
            "00000abcde",
        ] {
            assert_eq!(parse_serial(text), serial, "{text}");
        }
        assert_eq!(parse_serial("ff"), Some(vec![0, 0xff]));
        for text in ["", "0", "0x", "xyz", "-1", "1.5", &"f".repeat(41)] {
            assert_eq!(parse_serial(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_serial_comes_back(octets in prop::collection::vec(any::<u8>(), 1..19)) {
            prop_assume!(octets.iter().any(|octet| *octet != 0));
            let text: String = octets.iter().map(|octet| format!("{octet:02X}")).collect();
            let serial = parse_serial(&text).unwrap();
            prop_assert!(serial[0] < 0x80);
            prop_assert_eq!(parse_serial(&serial_hex(&serial)), Some(serial));
        }

        #[test]
        fn any_text_is_a_serial_or_none(text in ".{0,60}") {
            if let Some(serial) = parse_serial(&text) {
                prop_assert!((1..=20).contains(&serial.len()));
            }
        }
    }
}
