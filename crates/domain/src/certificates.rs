//! Certificates: what was, or is about to be, signed.
//!
//! A certificate is on record before it exists: its serial and the exact bytes to be signed are stored
//! first, so that nothing is ever signed that could not be revoked.

use jiff::Timestamp;

use crate::issuances::IssuanceId;
use crate::names::DomainName;
use crate::orders::OrderId;
use crate::resellers::ResellerId;
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
        /// When it was revoked.
        revoked_at: Timestamp,
        /// The CRLReason; `None` is *unspecified* (RFC 5280 §5.3.1).
        reason: Option<u8>,
    },
}

impl Certificate {
    /// What an order's description says of it, once it is signed.
    pub fn summary(&self) -> Option<CertificateSummary> {
        let (signed_at, revoked_at) = match &self.state {
            CertificateState::Reserved | CertificateState::Abandoned => return None,
            CertificateState::Issued { signed_at, .. } => (*signed_at, None),
            CertificateState::Revoked {
                signed_at,
                revoked_at,
                ..
            } => (*signed_at, Some(*revoked_at)),
        };
        Some(CertificateSummary {
            id: self.id,
            validity: self.validity,
            signed_at,
            revoked_at,
        })
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
