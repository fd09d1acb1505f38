//! The linter every to-be-signed structure passes before it is signed (BR 4.3.1.2).
//!
//! It reads with another library than the one the builders write with, and compares with what the *rules*
//! say. That parser is lax about classes and lengths; so at the end what was read is built anew, and only
//! octets that are exactly what the profile builds pass. The linter fails closed: what does not parse, what
//! is not known and what is missing is a finding, and one finding is enough not to sign. Rules are named by
//! the section that sets them.

mod authority;
mod crl;
mod leaf;

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::ORGANIZATIONAL_UNIT_NAME;
use const_oid::db::rfc5280::ID_AD_CA_ISSUERS;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1};
use der::Decode;
use der::asn1::AnyRef;
use jiff::{SignedDuration, Timestamp};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use x509_parser::asn1_rs::{Class, Oid, Tag};
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AlgorithmIdentifier, AttributeTypeAndValue, X509Name, X509Version};

use crate::certificate::Issuer;
use crate::keys::KeyAlgorithm;
use crate::structures::RsaPublicKey;

pub use authority::{AuthorityRules, lint_authority};
pub use crl::{CrlRules, CrlScope, lint_crl};
pub use leaf::{LeafRules, SubjectRule, lint_leaf};

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

/// The arc whose policies claim conformance to the CA/Browser Forum's requirements.
const CABF_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.140.1");

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
    certificate: &TbsCertificate<'_>,
    issuer_name: &[u8],
    algorithm: KeyAlgorithm,
) {
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
    check_signature_algorithm(findings, &certificate.signature, algorithm);
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

/// The `signature` field has to name the algorithm of the issuer's key.
fn check_signature_algorithm(
    findings: &mut Findings,
    found: &AlgorithmIdentifier<'_>,
    algorithm: KeyAlgorithm,
) {
    let expected = AlgorithmIdentifierRef::from_der(algorithm.signature_algorithm_der());
    findings.require(
        expected.is_ok_and(|expected| identifier(&found.algorithm) == Some(expected.oid)),
        "BR 7.1.3.2",
        "the signature algorithm is not the one of the issuer's key",
    );
}

/// The public key's encoding has to be one of those BR 7.1.3.1 fixes, of an allowed size.
fn check_key(findings: &mut Findings, spki: &[u8]) {
    let fits = SubjectPublicKeyInfoRef::from_der(spki).is_ok_and(|spki| {
        let key = spki.subject_public_key.as_bytes().unwrap_or_default();
        let is_point = |octets| key.len() == octets && key[0] == 4;
        match (spki.algorithm.oid, spki.algorithm.parameters) {
            (ID_EC_PUBLIC_KEY, Some(curve)) if curve == AnyRef::from(&SECP_256_R_1) => is_point(65),
            (ID_EC_PUBLIC_KEY, Some(curve)) if curve == AnyRef::from(&SECP_384_R_1) => is_point(97),
            (RSA_ENCRYPTION, Some(any)) if any.is_null() => {
                RsaPublicKey::from_der(key).is_ok_and(|key| {
                    let modulus = key.modulus.as_bytes();
                    (256..=512).contains(&modulus.len()) && modulus[0] & 0x80 != 0
                })
            }
            _ => false,
        }
    });
    findings.require(
        fits,
        "BR 6.1.5, 7.1.3.1",
        "the key is not of an allowed kind, size and form",
    );
}

/// The octets have to be those that building anew gives: what was read says all there is, in this order
/// and in DER.
fn check_form(findings: &mut Findings, tbs: &[u8], built_anew: Option<Vec<u8>>) {
    findings.require(
        built_anew.is_some_and(|built| built == tbs),
        "X.690 10-11",
        "the octets are not those that the profile builds of what they say",
    );
}

/// An object identifier as the builders have it; `None` where an arc exceeds 32 bits, as none of ours does.
fn identifier(oid: &Oid<'_>) -> Option<ObjectIdentifier> {
    ObjectIdentifier::from_bytes(oid.as_bytes()).ok()
}

/// The serial number, if it has the length of ours.
fn serial(certificate: &TbsCertificate<'_>) -> Option<[u8; 16]> {
    certificate.raw_serial().try_into().ok()
}

fn timestamp(time: ASN1Time) -> Option<Timestamp> {
    Timestamp::from_second(time.timestamp()).ok()
}

/// Checks one attribute per RDN, and each attribute once (BR 7.1.4.1), and returns the attributes.
fn check_name<'a>(
    findings: &mut Findings,
    name: &'a X509Name<'_>,
) -> Vec<&'a AttributeTypeAndValue<'a>> {
    let mut attributes: Vec<&AttributeTypeAndValue<'_>> = Vec::with_capacity(4);
    for rdn in name.iter_rdn() {
        findings.require(
            rdn.iter().count() == 1,
            "BR 7.1.4.1",
            "a relative distinguished name has not exactly one attribute",
        );
        for attribute in rdn.iter() {
            let value = attribute.attr_value();
            findings.require(
                value.class() == Class::Universal
                    && matches!(value.tag(), Tag::Utf8String | Tag::PrintableString),
                "BR 7.1.4.2",
                "an attribute of the subject is neither a UTF8String nor a PrintableString",
            );
            findings.require(
                !attributes
                    .iter()
                    .any(|known| known.attr_type() == attribute.attr_type()),
                "BR 7.1.4.1",
                "an attribute is there twice",
            );
            findings.require(
                identifier(attribute.attr_type()) != Some(ORGANIZATIONAL_UNIT_NAME),
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
                identifier(&description.access_method) == Some(ID_AD_CA_ISSUERS)
                    && matches!(description.access_location, GeneralName::URI(uri) if uri == url)
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
    let claims = match extension.parsed_extension() {
        ParsedExtension::CertificatePolicies(policies) => policies.iter().any(|policy| {
            let is_known = identifier(&policy.policy_id).is_some();
            let policy_id = policy.policy_id.as_bytes();
            !is_known || policy_id.starts_with(CABF_POLICIES.as_bytes())
        }),
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
