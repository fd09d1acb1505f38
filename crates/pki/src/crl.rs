//! Certificate revocation lists: full ones, one per CA (RFC 5280 §5; BR 7.2).
//!
//! The authority key identifier is the *issuing CA's own* key identifier; without that a verifier does not
//! find the list. There is no issuing distribution point, because a list covers everything its CA signed.

use const_oid::AssociatedOid;
use der::asn1::Uint;
use der::{Decode, Encode};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use x509_cert::Version;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::ext::pkix::{CrlNumber, CrlReason};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use crate::certificate::Issuer;
use crate::profiles::{authority_key_id, extension};
use crate::structures::{Malformed, read_time, write_time};

/// One revoked certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revoked {
    /// Its serial number, as big-endian octets.
    pub serial: Vec<u8>,
    /// Since when it is not to be trusted.
    pub at: Timestamp,
    /// The reason's number in RFC 5280 §5.3.1; zero and `None` are both written by leaving it out.
    pub reason: Option<u8>,
}

/// What a list says besides its entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CrlHead {
    /// Greater with every list of the CA.
    pub number: u64,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next one is there at the latest.
    pub next_update: Timestamp,
}

/// Builds what is to be signed by the issuer. Lint before signing.
pub fn build_crl_tbs(
    issuer: &Issuer,
    head: &CrlHead,
    revoked: &[Revoked],
) -> Result<Vec<u8>, Malformed> {
    let entries = revoked
        .iter()
        .map(write_entry)
        .collect::<Result<Vec<_>, _>>()?;
    let list: TbsCertList = TbsCertList {
        version: Version::V2,
        signature: AlgorithmIdentifierOwned::from_der(issuer.algorithm.signature_algorithm_der())?,
        issuer: Name::from_der(&issuer.name_der)?,
        this_update: write_time(head.this_update)?,
        next_update: Some(write_time(head.next_update)?),
        revoked_certificates: Some(entries).filter(|entries| !entries.is_empty()),
        crl_extensions: Some(vec![
            authority_key_id(issuer)?,
            extension(false, &CrlNumber(Uint::new(&head.number.to_be_bytes())?))?,
        ]),
    };
    Ok(list.to_der()?)
}

/// A list that was signed, as it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedCrl {
    /// Its number and times.
    pub head: CrlHead,
    /// Its entries.
    pub revoked: Vec<Revoked>,
}

/// Reads a signed list, DER. Judges nothing, the signature included.
pub fn read_crl(der: &[u8]) -> Result<SignedCrl, Malformed> {
    let list = CertificateList::<Rfc5280>::from_der(der)?.tbs_cert_list;
    let number = list.crl_extensions.iter().flatten();
    let mut number = number.filter(|extension| extension.extn_id == CrlNumber::OID);
    let number = CrlNumber::from_der(number.next().ok_or(Malformed)?.extn_value.as_bytes())?;
    let octets = number.0.as_bytes();
    if octets.len() > 8 {
        return Err(Malformed);
    }
    let number = octets
        .iter()
        .fold(0, |sum, octet| sum << 8 | u64::from(*octet));
    let entries = list.revoked_certificates.unwrap_or_default();
    let revoked = entries.iter().map(read_entry);
    Ok(SignedCrl {
        head: CrlHead {
            number,
            this_update: read_time(list.this_update)?,
            next_update: read_time(list.next_update.ok_or(Malformed)?)?,
        },
        revoked: revoked.collect::<Result<_, _>>()?,
    })
}

fn read_entry(entry: &RevokedCert<Rfc5280>) -> Result<Revoked, Malformed> {
    let extensions = entry.crl_entry_extensions.iter().flatten();
    let mut reasons = extensions.filter(|extension| extension.extn_id == CrlReason::OID);
    let reason = match reasons.next() {
        Some(extension) => Some(CrlReason::from_der(extension.extn_value.as_bytes())? as u8),
        None => None,
    };
    Ok(Revoked {
        serial: entry.serial_number.as_bytes().to_vec(),
        at: read_time(entry.revocation_date)?,
        reason,
    })
}

fn write_entry(entry: &Revoked) -> Result<RevokedCert, Malformed> {
    let crl_entry_extensions = match entry.reason {
        None | Some(0) => None,
        Some(reason) => {
            let reason = CrlReason::try_from(u32::from(reason))?;
            Some(vec![extension(false, &reason)?])
        }
    };
    Ok(RevokedCert {
        serial_number: SerialNumber::new(&entry.serial)?,
        revocation_date: write_time(entry.at)?,
        crl_entry_extensions,
    })
}
