//! The ASN.1 structures of X.509 and PKCS #10 that are read or written here, over the `der` crate.
//!
//! Extension values, names and lists are types of `x509-cert`. What is here are the envelopes around
//! them: they borrow, so that names, keys and what is signed pass through octet by octet, and a signature
//! is never checked over octets that were written anew.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use der::{DateTime, Decode, Encode, Length, Reader, Sequence, Tag, TagNumber, Writer};
use jiff::Timestamp;
use x509_cert::Version;
use x509_cert::time::{Time, Validity};

/// Octets that are not the DER expected there, or content that has no DER.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("malformed DER")]
pub struct Malformed;

impl From<der::Error> for Malformed {
    fn from(_: der::Error) -> Self {
        Self
    }
}

/// A SEQUENCE as the octets it consists of; what is inside is not looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RawSequence<'a>(&'a [u8]);

impl<'a> RawSequence<'a> {
    /// Identifier, length and content.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Decode<'a> for RawSequence<'a> {
    type Error = der::Error;

    fn decode<R: Reader<'a>>(reader: &mut R) -> der::Result<Self> {
        Tag::peek(reader)?.assert_eq(Tag::Sequence)?;
        reader.tlv_bytes().map(Self)
    }
}

impl Encode for RawSequence<'_> {
    fn encoded_len(&self) -> der::Result<Length> {
        self.0.len().try_into()
    }

    fn encode(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0)
    }
}

/// A certificate, a list or a request: something signed, and its signature.
#[derive(Clone, Copy, Sequence)]
pub(crate) struct SignedStructure<'a> {
    pub tbs: RawSequence<'a>,
    pub signature_algorithm: RawSequence<'a>,
    pub signature: BitStringRef<'a>,
}

/// `TBSCertificate` (RFC 5280 §4.1).
#[derive(Sequence)]
pub(crate) struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", default = "Default::default")]
    pub version: Version,
    pub serial: UintRef<'a>,
    pub signature_algorithm: RawSequence<'a>,
    pub issuer: RawSequence<'a>,
    pub validity: Validity,
    pub subject: RawSequence<'a>,
    pub spki: RawSequence<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    pub subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub extensions: Option<Vec<Extension<'a>>>,
}

/// `Extension` (RFC 5280 §4.1).
#[derive(Clone, Copy, Sequence)]
pub(crate) struct Extension<'a> {
    pub id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub critical: bool,
    pub value: &'a OctetStringRef,
}

impl<'a> From<&'a x509_cert::ext::Extension> for Extension<'a> {
    fn from(extension: &'a x509_cert::ext::Extension) -> Self {
        Self {
            id: extension.extn_id,
            critical: extension.critical,
            value: (&extension.extn_value).into(),
        }
    }
}

/// `CertificationRequestInfo` (RFC 2986 §4.1) as strangers write it: the attributes may be missing, and
/// their SET is read like a SEQUENCE because few tools order it as DER wants.
#[derive(Sequence)]
pub(crate) struct RequestInfo<'a> {
    pub version: UintRef<'a>,
    pub subject: RawSequence<'a>,
    pub spki: RawSequence<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub attributes: Option<Vec<RequestAttribute<'a>>>,
}

/// An attribute of a request. Its values, a SET, are not looked into.
#[derive(Clone, Copy, Sequence)]
pub(crate) struct RequestAttribute<'a> {
    pub id: ObjectIdentifier,
    pub values: AnyRef<'a>,
}

/// `RSAPublicKey` (RFC 8017 §A.1.1).
#[derive(Clone, Copy, Sequence)]
pub(crate) struct RsaPublicKey<'a> {
    pub modulus: UintRef<'a>,
    pub exponent: UintRef<'a>,
}

/// The tag of a host name among GeneralNames.
pub(crate) const DNS_NAME: Tag = Tag::ContextSpecific {
    constructed: false,
    number: TagNumber(2),
};

/// A time, to the second: UTCTime through 2049, GeneralizedTime after (RFC 5280 §4.1.2.5).
pub(crate) fn write_time(at: Timestamp) -> Result<Time, Malformed> {
    let seconds = u64::try_from(at.as_second()).map_err(|_| Malformed)?;
    Ok(DateTime::from_unix_duration(Duration::from_secs(seconds))?.into())
}

/// Reads a time of either form; there is none before 1970.
pub(crate) fn read_time(time: Time) -> Result<Timestamp, Malformed> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| Malformed)?;
    Timestamp::from_second(seconds).map_err(|_| Malformed)
}

/// Octets under a tag, whatever they are: what tests make broken structures of.
#[cfg(test)]
pub(crate) fn tlv(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    AnyRef::new(tag, &content).unwrap().to_der().unwrap()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_change_their_type_in_2050() {
        let der = |text: &str| write_time(text.parse().unwrap()).unwrap().to_der().unwrap();
        assert_eq!(der("2026-11-22T08:09:10.9Z"), b"\x17\x0d261122080910Z");
        assert_eq!(der("2049-12-31T23:59:59Z"), b"\x17\x0d491231235959Z");
        assert_eq!(der("2050-01-01T00:00:00Z"), b"\x18\x0f20500101000000Z");
        assert_eq!(
            write_time("1969-12-31T23:59:59Z".parse().unwrap()),
            Err(Malformed)
        );
    }

    #[test]
    fn crooked_times_are_refused() {
        for (tag, text) in [
            (Tag::UtcTime, "261122080910"),
            (Tag::UtcTime, "2611220809Z"),
            (Tag::UtcTime, "261322080910Z"),
            (Tag::UtcTime, "261122080960Z"),
            (Tag::GeneralizedTime, "261122080910Z"),
            (Tag::GeneralizedTime, "20261122080910.5Z"),
            (Tag::UtcTime, "26112208091Z"),
        ] {
            assert!(
                Time::from_der(&tlv(tag, &[text.as_bytes()])).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_sequence_keeps_its_octets_and_has_to_be_der() {
        let inner = b"\x30\x03\x02\x01\x07";
        assert_eq!(RawSequence::from_der(inner).unwrap().as_bytes(), inner);
        for der in [
            &b"\x31\x03\x02\x01\x07"[..],
            b"\x30\x81\x03\x02\x01\x07",
            b"\x30\x80\x02\x01\x07\x00\x00",
            b"\x30\x04\x02\x01\x07",
            b"\x30\x02\x02\x01\x07",
            b"",
        ] {
            assert!(RawSequence::from_der(der).is_err(), "{der:?}");
        }
    }

    proptest! {
        #[test]
        fn times_read_back(seconds in 0_i64..9_000_000_000) {
            let at = Timestamp::from_second(seconds).unwrap();
            let der = write_time(at).unwrap().to_der().unwrap();
            prop_assert_eq!(read_time(Time::from_der(&der).unwrap()), Ok(at));
        }

        #[test]
        fn reading_never_panics(der in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = SignedStructure::from_der(&der);
            let _ = TbsCertificate::from_der(&der);
            let _ = RequestInfo::from_der(&der);
            let _ = RsaPublicKey::from_der(&der);
        }
    }
}
