//! Certificate revocation lists: full ones, one per CA (RFC 5280 §5; BR 7.2).
//!
//! The authority key identifier is the *issuing CA's own* key identifier; without that a verifier does not
//! find the list. There is no issuing distribution point, because a list covers everything its CA signed.

use jiff::Timestamp;

use crate::certificate::Issuer;
use crate::encoding::{Der, encode, tag};
use crate::oid;
use crate::profiles::authority_key_id;

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
#[derive(Clone, Copy, Debug)]
pub struct CrlHead {
    /// Greater with every list of the CA.
    pub number: u64,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next one is there at the latest.
    pub next_update: Timestamp,
}

/// Builds what is to be signed by the issuer. Lint before signing.
pub fn build_crl_tbs(issuer: &Issuer, head: &CrlHead, revoked: &[Revoked]) -> Vec<u8> {
    let mut der = Der::with_capacity(512 + 64 * revoked.len());
    der.sequence(|der| {
        der.unsigned(&[1])
            .raw(issuer.algorithm.signature_algorithm_der())
            .raw(&issuer.name_der)
            .time(head.this_update)
            .time(head.next_update);
        if !revoked.is_empty() {
            der.sequence(|der| {
                for entry in revoked {
                    push_entry(der, entry);
                }
            });
        }
        let number = encode(|der| {
            der.unsigned(&head.number.to_be_bytes());
        });
        der.nest(tag::constructed(0), |der| {
            der.sequence(|der| {
                der.extension(oid::AUTHORITY_KEY_ID, false, &authority_key_id(issuer))
                    .extension(oid::CRL_NUMBER, false, &number);
            });
        });
    });
    der.finish()
}

fn push_entry(der: &mut Der, entry: &Revoked) {
    der.sequence(|der| {
        der.unsigned(&entry.serial).time(entry.at);
        if let Some(reason @ 1..) = entry.reason {
            der.sequence(|der| {
                der.extension(oid::REASON_CODE, false, &[tag::ENUMERATED, 1, reason]);
            });
        }
    });
}
