//! The linter every to-be-signed structure passes before it is signed (BR 4.3.1.2).
//!
//! It shares no code with the builders beyond the numbers of object identifiers: it reads with another
//! parser, and compares with what the *rules* say. It fails closed: what does not parse, what is not known
//! and what is missing is a finding, and one finding is enough not to sign. Rules are named by the section
//! that sets them.

mod authority;
mod crl;
mod leaf;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, X509Name, X509Version};

use crate::certificate::{CertificateInfo, Issuer};
use crate::encoding::{Reader, tag};
use crate::oid;

pub use authority::{AuthorityRules, lint_authority};
pub use crl::{CrlRules, CrlScope, lint_crl};
pub use leaf::{LeafRules, lint_leaf};

/// One breach of one rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The document and section that sets the rule, for example `RFC 5280 4.1.2.2`.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.rule)
    }
}

/// Collects findings.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn require(&mut self, holds: bool, rule: &'static str, message: &str) {
        if !holds {
            self.0.push(Finding {
                rule,
                message: message.to_owned(),
            });
        }
    }

    fn one(rule: &'static str, message: &str) -> Vec<Finding> {
        vec![Finding {
            rule,
            message: message.to_owned(),
        }]
    }
}

/// Parses a TBSCertificate of which nothing is left over.
fn parse(tbs: &[u8]) -> Option<TbsCertificate<'_>> {
    match TbsCertificate::from_der(tbs) {
        Ok(([], certificate)) => Some(certificate),
        _ => None,
    }
}

/// The checks that leaves and CA certificates share: everything about the envelope.
fn check_envelope(
    findings: &mut Findings,
    tbs: &[u8],
    certificate: &TbsCertificate<'_>,
    issuer_name: &[u8],
    signature_algorithm: &[u8],
) {
    findings.require(is_canonical(tbs), "X.690 10-11", "the encoding is not DER");
    findings.require(
        CertificateInfo::parse_tbs(tbs).is_ok(),
        "RFC 5280 4.1",
        "a field is not of the type it has to be",
    );
    findings.require(
        certificate.version == X509Version::V3,
        "RFC 5280 4.1.2.1",
        "the version is not 3",
    );
    let serial = certificate.raw_serial();
    findings.require(
        (8..=20).contains(&serial.len()) && serial.first().is_some_and(|first| *first < 0x80),
        "RFC 5280 4.1.2.2",
        "the serial number is not positive with 8 to 20 octets",
    );
    findings.require(
        inner_signature_algorithm(tbs) == Some(signature_algorithm),
        "BR 7.1.3.2",
        "the signature algorithm is not the one of the issuer's key",
    );
    findings.require(
        certificate.issuer.as_raw() == issuer_name,
        "BR 7.1.4.1",
        "the issuer is not the issuing CA's subject, octet by octet",
    );
    for time in [
        certificate.validity.not_before,
        certificate.validity.not_after,
    ] {
        check_time_form(findings, time);
    }
    findings.require(
        certificate.issuer_uid.is_none() && certificate.subject_uid.is_none(),
        "BR 7.1.2.7",
        "there is a unique identifier",
    );
    let mut seen: Vec<&[u8]> = Vec::with_capacity(10);
    for extension in certificate.extensions() {
        let id = extension.oid.as_bytes();
        findings.require(
            !seen.contains(&id),
            "RFC 5280 4.2",
            "an extension is there twice",
        );
        seen.push(id);
        findings.require(
            is_canonical(extension.value),
            "X.690 10-11",
            "an extension's value is not DER",
        );
    }
    check_key(findings, certificate.subject_pki.raw);
}

fn check_time_form(findings: &mut Findings, time: ASN1Time) {
    findings.require(
        time.is_utctime() == (time.to_datetime().year() < 2050),
        "RFC 5280 4.1.2.5",
        "a time has the wrong form for its year",
    );
}

/// The `signature` field, octet by octet.
fn inner_signature_algorithm(tbs: &[u8]) -> Option<&[u8]> {
    let mut fields = Reader::new(tbs).enter(tag::SEQUENCE).ok()?;
    if fields.peek()? == tag::constructed(0) {
        fields.next_value().ok()?;
    }
    fields.expect(tag::INTEGER).ok()?;
    Some(fields.expect(tag::SEQUENCE).ok()?.whole)
}

/// The public key's encoding has to be one of those BR 7.1.3.1 fixes, of an allowed size.
fn check_key(findings: &mut Findings, spki: &[u8]) {
    let fields = Reader::new(spki)
        .enter(tag::SEQUENCE)
        .and_then(|mut fields| {
            let algorithm = fields.expect(tag::SEQUENCE)?.whole;
            let key = fields.bit_string()?;
            fields.end()?;
            Ok((algorithm, key))
        });
    const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    const P256: &[u8] =
        b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
    let fits = match fields {
        Ok((P256, key)) => key.len() == 65 && key[0] == 4,
        Ok((P384, key)) => key.len() == 97 && key[0] == 4,
        Ok((RSA, key)) => {
            let modulus = Reader::new(key)
                .enter(tag::SEQUENCE)
                .and_then(|mut key| key.unsigned());
            modulus.is_ok_and(|m| (256..=512).contains(&m.len()) && m[0] & 0x80 != 0)
        }
        _ => false,
    };
    findings.require(
        fits,
        "BR 6.1.5, 7.1.3.1",
        "the key is not of an allowed kind, size and form",
    );
}

/// Stands in a [`shape`] where a constructed value ends. No tag of ours is zero.
const END: u8 = 0;

/// The tags of one value in the order they are written. The parser is lax about classes and about what
/// nests in what; the exact shape is the remedy.
fn shape(der: &[u8]) -> Vec<u8> {
    let mut shape = Vec::with_capacity(24);
    let mut open = vec![Reader::new(der)];
    while let Some(reader) = open.last_mut() {
        match reader.next_value() {
            Ok(value) => {
                shape.push(value.tag);
                if value.tag & 0x20 != 0 {
                    open.push(Reader::new(value.content));
                }
            }
            Err(_) => {
                shape.push(END);
                open.pop();
            }
        }
    }
    shape
}

/// Whether a value is a SEQUENCE of nothing but parts of one of these shapes, which are equally long.
fn is_sequence_of(der: &[u8], parts: &[&[u8]]) -> bool {
    match shape(der).as_slice() {
        [tag::SEQUENCE, found @ .., END, END] => found
            .chunks(parts[0].len())
            .all(|part| parts.contains(&part)),
        _ => false,
    }
}

const KEY_ID_SHAPE: &[u8] = &[tag::SEQUENCE, tag::context(0), END, END];

/// One distribution point with a full name of one URI.
const CRL_POINT_SHAPE: &[u8] = &[
    tag::SEQUENCE,
    tag::SEQUENCE,
    tag::constructed(0),
    tag::constructed(0),
    tag::context(6),
    END,
    END,
    END,
    END,
    END,
];

/// One access description with a URI.
const ACCESS_SHAPE: &[u8] = &[
    tag::SEQUENCE,
    tag::SEQUENCE,
    tag::OID,
    tag::context(6),
    END,
    END,
    END,
];

/// Whether a text consists of minimal DER: definite minimal lengths, minimal integers, and no BOOLEAN but
/// TRUE, since every BOOLEAN in our structures defaults to FALSE and is then left out.
fn is_canonical(der: &[u8]) -> bool {
    let mut open = vec![Reader::new(der)];
    while let Some(mut reader) = open.pop() {
        while !reader.is_empty() {
            let Ok(value) = reader.next_value() else {
                return false;
            };
            let fits = match (value.tag, value.content) {
                (tag::BOOLEAN, content) => content == [0xff],
                (tag::INTEGER | tag::ENUMERATED, content) => {
                    !matches!(content, [] | [0, 0..0x80, ..] | [0xff, 0x80..=0xff, ..])
                }
                _ => true,
            };
            if !fits {
                return false;
            }
            if value.tag & 0x20 != 0 {
                open.push(Reader::new(value.content));
            }
        }
    }
    true
}

/// Checks one attribute per RDN, and each attribute once (BR 7.1.4.1), and returns the attributes.
fn check_name<'a>(
    findings: &mut Findings,
    name: &'a X509Name<'_>,
) -> Vec<&'a AttributeTypeAndValue<'a>> {
    let mut attributes: Vec<&AttributeTypeAndValue<'_>> = Vec::with_capacity(4);
    let part = |string: u8| [tag::SET, tag::SEQUENCE, tag::OID, string, END, END];
    findings.require(
        is_sequence_of(
            name.as_raw(),
            &[&part(tag::UTF8_STRING), &part(tag::PRINTABLE_STRING)],
        ),
        "BR 7.1.4.2",
        "the subject is not made of single UTF8Strings and PrintableStrings",
    );
    for rdn in name.iter_rdn() {
        findings.require(
            rdn.iter().count() == 1,
            "BR 7.1.4.1",
            "a relative distinguished name has not exactly one attribute",
        );
        for attribute in rdn.iter() {
            findings.require(
                !attributes
                    .iter()
                    .any(|known| known.attr_type() == attribute.attr_type()),
                "BR 7.1.4.1",
                "an attribute is there twice",
            );
            findings.require(
                attribute.attr_type().as_bytes() != oid::ORGANIZATION_UNIT,
                "BR 7.1.2.7.3, 7.1.2.10.2",
                "there is an organizational unit",
            );
            attributes.push(attribute);
        }
    }
    attributes
}

/// The authority key identifier has to be the issuer's key identifier and nothing else.
fn check_authority_key_id(findings: &mut Findings, extension: &X509Extension<'_>, key_id: &[u8]) {
    let fits = match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            id.key_identifier.as_ref().is_some_and(|id| id.0 == key_id)
                && id.authority_cert_issuer.is_none()
                && id.authority_cert_serial.is_none()
                && shape(extension.value) == KEY_ID_SHAPE
        }
        _ => false,
    };
    findings.require(
        fits && !extension.critical,
        "BR 7.1.2.11.1",
        "the authority key identifier is not just the issuer's key identifier, not critical",
    );
}

/// One distribution point with one `http` URL, namely this one.
fn check_crl_url(findings: &mut Findings, extension: &X509Extension<'_>, url: &str) {
    let fits = match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(list) => match list.points.as_slice() {
            [point] => {
                let names = match &point.distribution_point {
                    Some(DistributionPointName::FullName(names)) => names.as_slice(),
                    _ => &[],
                };
                matches!(names, [GeneralName::URI(uri)] if *uri == url)
                    && point.reasons.is_none()
                    && point.crl_issuer.is_none()
                    && shape(extension.value) == CRL_POINT_SHAPE
            }
            _ => false,
        },
        _ => false,
    };
    findings.require(
        fits && !extension.critical && is_http(url),
        "BR 7.1.2.11.2",
        "the CRL distribution points are not exactly the issuer's one http URL, not critical",
    );
}

/// One access description: where the issuer's certificate is.
fn check_ca_issuers_url(findings: &mut Findings, extension: &X509Extension<'_>, url: &str) {
    let fits = match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => match access.accessdescs.as_slice() {
            [description] => {
                description.access_method.as_bytes() == oid::CA_ISSUERS
                    && matches!(description.access_location, GeneralName::URI(uri) if uri == url)
                    && shape(extension.value) == ACCESS_SHAPE
            }
            _ => false,
        },
        _ => false,
    };
    findings.require(
        fits && !extension.critical && is_http(url),
        "BR 7.1.2.7.7",
        "the authority information access is not exactly the issuer's http URL, not critical",
    );
}

fn is_http(url: &str) -> bool {
    url.strip_prefix("http://")
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|octet| octet.is_ascii_graphic())
}

/// No certificate of a private CA may claim conformance to the Baseline Requirements.
fn check_policies(findings: &mut Findings, extension: &X509Extension<'_>) {
    let is_sound = is_sequence_of(extension.value, &[&[tag::SEQUENCE, tag::OID, END]]);
    let claims = match extension.parsed_extension() {
        ParsedExtension::CertificatePolicies(policies) => {
            let mut ids = policies.iter().map(|policy| policy.policy_id.as_bytes());
            !is_sound || ids.any(|id| id.starts_with(oid::CABF_POLICIES))
        }
        _ => true,
    };
    findings.require(
        !claims && !extension.critical,
        "BR 7.1.6.1",
        "a policy of the CA/Browser Forum is claimed, or the policies are unreadable or critical",
    );
}

/// Seconds of validity, both ends counted (BR 6.3.2).
fn seconds_of_validity(certificate: &TbsCertificate<'_>) -> i64 {
    let validity = &certificate.validity;
    validity.not_after.timestamp() - validity.not_before.timestamp() + 1
}

/// How long before `now` a time lies, in seconds; negative for the future.
fn age(now: Timestamp, time: ASN1Time) -> i64 {
    now.as_second() - time.timestamp()
}

fn check_lifetime(
    findings: &mut Findings,
    certificate: &TbsCertificate<'_>,
    cap: SignedDuration,
    issuer: &Issuer,
) {
    let seconds = seconds_of_validity(certificate);
    findings.require(
        seconds > 0 && seconds <= cap.as_secs(),
        "BR 6.3.2",
        "the validity, both ends counted, exceeds what is allowed",
    );
    findings.require(
        certificate.validity.not_after.timestamp() <= issuer.not_after.as_second(),
        "RFC 5280 6.1.3",
        "the certificate outlives its issuer",
    );
}

#[cfg(test)]
mod tests;
