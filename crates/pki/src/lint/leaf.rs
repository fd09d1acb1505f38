//! The rules of server certificates (BR 7.1.2.7), as a private CA keeps them.

use chancery_domain::names::DomainName;
use jiff::{SignedDuration, Timestamp};
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};

use super::{
    Finding, Findings, age, check_authority_key_id, check_ca_issuers_url, check_crl_url,
    check_envelope, check_lifetime, check_name, check_policies, parse,
};
use crate::certificate::{CertificateInfo, Issuer};
use crate::oid;

/// What a leaf is held against.
#[derive(Clone, Copy, Debug)]
pub struct LeafRules<'a> {
    /// The CA that is to sign.
    pub issuer: &'a Issuer,
    /// Where its CRL is.
    pub crl_url: &'a str,
    /// Where its certificate is.
    pub ca_issuers_url: &'a str,
    /// The longest validity allowed on the day of issuance.
    pub validity_cap: SignedDuration,
    /// The time of signing; `None` leaves out the rule on back-dating.
    pub now: Option<Timestamp>,
}

/// How far the first second of validity may lie from the signing (BR 7.1.2.7).
const BACK_DATING: i64 = 48 * 3600;

/// Extensions a leaf has to carry, each exactly once.
const REQUIRED: [(&[u8], &str); 7] = [
    (
        oid::AUTHORITY_KEY_ID,
        "the authority key identifier is missing",
    ),
    (
        oid::AUTHORITY_INFO_ACCESS,
        "the authority information access is missing",
    ),
    (
        oid::CRL_DISTRIBUTION_POINTS,
        "the CRL distribution point is missing",
    ),
    (oid::EXTENDED_KEY_USAGE, "the extended key usage is missing"),
    (
        oid::SUBJECT_ALT_NAME,
        "the subject alternative name is missing",
    ),
    (oid::KEY_USAGE, "the key usage is missing"),
    (oid::BASIC_CONSTRAINTS, "the basic constraints are missing"),
];

/// Judges a to-be-signed server certificate. No findings: it may be signed.
pub fn lint_leaf(tbs: &[u8], rules: &LeafRules<'_>) -> Vec<Finding> {
    let Some(certificate) = parse(tbs) else {
        return Findings::one("RFC 5280 4.1", "the certificate does not parse");
    };
    let mut findings = Findings::default();
    check_envelope(
        &mut findings,
        tbs,
        &certificate,
        &rules.issuer.name_der,
        rules.issuer.algorithm.signature_algorithm_der(),
    );
    check_lifetime(
        &mut findings,
        &certificate,
        rules.validity_cap,
        rules.issuer,
    );
    if let Some(now) = rules.now {
        findings.require(
            age(now, certificate.validity.not_before).abs() <= BACK_DATING,
            "BR 7.1.2.7",
            "the validity does not begin within 48 hours of the signing",
        );
    }
    let mut names = Vec::new();
    for extension in certificate.extensions() {
        check_extension(&mut findings, rules, &certificate, extension, &mut names);
    }
    for (id, message) in REQUIRED {
        let is_there = certificate
            .extensions()
            .iter()
            .any(|ext| ext.oid.as_bytes() == id);
        findings.require(is_there, "BR 7.1.2.7.6", message);
    }
    let strictly = CertificateInfo::parse_tbs(tbs)
        .map(|info| info.dns_names)
        .unwrap_or_default();
    findings.require(
        strictly == names,
        "BR 7.1.2.7.12",
        "the alternative names are not all of the type they have to be",
    );
    check_subject(&mut findings, &certificate, &names);
    findings.0
}

fn check_extension<'a>(
    findings: &mut Findings,
    rules: &LeafRules<'_>,
    certificate: &TbsCertificate<'_>,
    extension: &'a X509Extension<'a>,
    names: &mut Vec<&'a str>,
) {
    match extension.oid.as_bytes() {
        oid::AUTHORITY_KEY_ID => {
            check_authority_key_id(findings, extension, &rules.issuer.key_id);
        }
        oid::AUTHORITY_INFO_ACCESS => {
            check_ca_issuers_url(findings, extension, rules.ca_issuers_url);
        }
        oid::CRL_DISTRIBUTION_POINTS => check_crl_url(findings, extension, rules.crl_url),
        oid::EXTENDED_KEY_USAGE => findings.require(
            !extension.critical
                && extension.value == b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
            "BR 7.1.2.7.10",
            "the extended key usage is not exactly serverAuth, not critical",
        ),
        oid::KEY_USAGE => findings.require(
            extension.critical && extension.value == b"\x03\x02\x07\x80",
            "BR 7.1.2.7.11",
            "the key usage is not exactly digitalSignature, critical",
        ),
        oid::BASIC_CONSTRAINTS => findings.require(
            extension.critical && extension.value == b"\x30\x00",
            "BR 7.1.2.7.8",
            "the basic constraints are not empty and critical",
        ),
        oid::SUBJECT_ALT_NAME => {
            let subject_is_empty = certificate.subject.iter_rdn().next().is_none();
            findings.require(
                extension.critical == subject_is_empty,
                "RFC 5280 4.2.1.6",
                "the subject alternative name is not critical exactly where the subject is empty",
            );
            check_alternative_names(findings, extension, names);
        }
        other => {
            if other == oid::CERTIFICATE_POLICIES {
                check_policies(findings, extension);
            }
            findings.require(
                false,
                "BR 7.1.2.11.5",
                &format!(
                    "there is an extension that does not belong there: {}",
                    extension.oid
                ),
            );
        }
    }
}

fn check_alternative_names<'a>(
    findings: &mut Findings,
    extension: &'a X509Extension<'a>,
    names: &mut Vec<&'a str>,
) {
    let ParsedExtension::SubjectAlternativeName(list) = extension.parsed_extension() else {
        findings.require(
            false,
            "BR 7.1.2.7.12",
            "the subject alternative name does not parse",
        );
        return;
    };
    findings.require(
        !list.general_names.is_empty(),
        "BR 7.1.2.7.12",
        "there is no subject alternative name",
    );
    for name in &list.general_names {
        let GeneralName::DNSName(name) = name else {
            findings.require(
                false,
                "BR 7.1.2.7.12",
                "an alternative name is not a host name",
            );
            continue;
        };
        findings.require(
            DomainName::parse(name).is_ok_and(|parsed| parsed.as_str() == *name),
            "BR 7.1.2.7.12",
            &format!(
                "'{}' is not a lower-case host name of A-labels",
                name.escape_default()
            ),
        );
        names.push(name);
    }
}

/// The subject of a domain-validated certificate is empty, or one common name that is one of the names.
fn check_subject(findings: &mut Findings, certificate: &TbsCertificate<'_>, names: &[&str]) {
    for attribute in check_name(findings, &certificate.subject) {
        let value = attribute.attr_value();
        if attribute.attr_type().as_bytes() != oid::COMMON_NAME {
            findings.require(
                false,
                "BR 7.1.2.7.2",
                "the subject says more than a common name, and nobody verified it",
            );
            continue;
        }
        let text = str::from_utf8(value.data).unwrap_or_default();
        findings.require(
            names.contains(&text),
            "BR 7.1.4.3",
            "the common name is not one of the alternative names",
        );
        findings.require(
            (1..=64).contains(&text.chars().count()),
            "BR 7.1.4.2",
            "the common name has not 1 to 64 characters",
        );
    }
}
