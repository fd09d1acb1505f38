//! PKCS #7: certificates in a signed message that nobody signed (RFC 5652 §5, "certs-only").

use const_oid::db::rfc6268::{ID_DATA, ID_SIGNED_DATA};

use super::asn1::{context, integer, oid, sequence, set, sorted};
use crate::structures::Malformed;

/// Writes a `ContentInfo` with nothing but these certificates. They are a set: their order is that of DER.
pub fn certs_only<'a>(certificates: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, Malformed> {
    let certificates: Vec<&[u8]> = certificates.collect();
    let signed_data = sequence(&[
        &integer(1)?,
        &set(&[])?,
        &sequence(&[&oid(ID_DATA)?])?,
        &context(0, &sorted(&certificates))?,
        &set(&[])?,
    ])?;
    sequence(&[&oid(ID_SIGNED_DATA)?, &context(0, &[&signed_data])?])
}
