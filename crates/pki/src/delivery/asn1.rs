//! DER, written from the inside outwards: what containers are put together of.

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Encode, Tag, TagNumber};

use crate::structures::Malformed;

/// Octets under a tag.
pub fn tagged(tag: Tag, parts: &[&[u8]]) -> Result<Vec<u8>, Malformed> {
    let content = parts.concat();
    Ok(AnyRef::new(tag, &content)?.to_der()?)
}

/// `SEQUENCE`
pub fn sequence(parts: &[&[u8]]) -> Result<Vec<u8>, Malformed> {
    tagged(Tag::Sequence, parts)
}

/// `SET OF`, in the order of DER.
pub fn set(parts: &[&[u8]]) -> Result<Vec<u8>, Malformed> {
    tagged(Tag::Set, &sorted(parts))
}

/// The elements of a `SET OF` in the order of DER (X.690 §11.6).
pub fn sorted<'a>(parts: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    parts
}

/// `OCTET STRING`
pub fn octets(value: &[u8]) -> Result<Vec<u8>, Malformed> {
    tagged(Tag::OctetString, &[value])
}

/// `[number]` around something: an explicit tag, or the implicit one of a constructed type.
pub fn context(number: u16, parts: &[&[u8]]) -> Result<Vec<u8>, Malformed> {
    let tag = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number.into()),
    };
    tagged(tag, parts)
}

/// `[number]` in place of the tag of a primitive type.
pub fn context_primitive(number: u16, value: &[u8]) -> Result<Vec<u8>, Malformed> {
    let tag = Tag::ContextSpecific {
        constructed: false,
        number: TagNumber(number.into()),
    };
    tagged(tag, &[value])
}

/// `OBJECT IDENTIFIER`
pub fn oid(id: ObjectIdentifier) -> Result<Vec<u8>, Malformed> {
    Ok(id.to_der()?)
}

/// `INTEGER`
pub fn integer(number: u32) -> Result<Vec<u8>, Malformed> {
    Ok(number.to_der()?)
}

/// `AlgorithmIdentifier` with these parameters.
pub fn algorithm(id: ObjectIdentifier, parameters: &[u8]) -> Result<Vec<u8>, Malformed> {
    sequence(&[&oid(id)?, parameters])
}

/// `NULL`
pub const NULL: &[u8] = &[5, 0];
