//! The rules of the root and of the issuing CA (BR 7.1.2.1, 7.1.2.6 and 7.1.2.10).

use jiff::{SignedDuration, Timestamp};
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};

use super::{
    Finding, Findings, age, check_authority_key_id, check_ca_issuers_url, check_crl_url,
    check_envelope, check_lifetime, check_name, check_policies, parse, seconds_of_validity,
};
use crate::certificate::Issuer;
use crate::encoding::tag;
use crate::keys::KeyAlgorithm;
use crate::oid;
use crate::public_keys::key_id;

/// What a CA certificate is held against.
#[derive(Clone, Copy, Debug)]
pub enum AuthorityRules<'a> {
    /// A root, which signs itself.
    Root {
        /// The kind of its key.
        algorithm: KeyAlgorithm,
        /// The time of signing.
        now: Timestamp,
    },
    /// An issuing CA below a root.
    Issuing {
        /// The root that is to sign.
        root: &'a Issuer,
        /// Where the root's CRL is.
        crl_url: &'a str,
        /// Where the root's certificate is.
        ca_issuers_url: &'a str,
        /// The time of signing.
        now: Timestamp,
    },
}

const DAY: i64 = 86_400;

/// Three years with a leap day, as the Chrome Root Program recommends for issuing CAs.
const ISSUING_CAP: SignedDuration = SignedDuration::from_hours(1096 * 24);

const BASIC_CONSTRAINTS: &str = "the basic constraints are not those of this kind of CA, critical";

/// Judges a to-be-signed CA certificate. No findings: it may be signed.
pub fn lint_authority(tbs: &[u8], rules: &AuthorityRules<'_>) -> Vec<Finding> {
    let Some(certificate) = parse(tbs) else {
        return Findings::one("RFC 5280 4.1", "the certificate does not parse");
    };
    let mut findings = Findings::default();
    let (issuer_name, algorithm, now) = match rules {
        AuthorityRules::Root { algorithm, now } => (certificate.subject.as_raw(), *algorithm, *now),
        AuthorityRules::Issuing { root, now, .. } => {
            (root.name_der.as_slice(), root.algorithm, *now)
        }
    };
    let signature_algorithm = algorithm.signature_algorithm_der();
    check_envelope(
        &mut findings,
        tbs,
        &certificate,
        issuer_name,
        signature_algorithm,
    );
    findings.require(
        (0..=DAY).contains(&age(now, certificate.validity.not_before)),
        "BR 7.1.2.1.1",
        "the validity does not begin within the day before the signing",
    );
    match rules {
        AuthorityRules::Root { .. } => findings.require(
            (2922 * DAY..=9132 * DAY).contains(&seconds_of_validity(&certificate)),
            "BR 7.1.2.1.1",
            "the validity of the root is not 2922 to 9132 days",
        ),
        AuthorityRules::Issuing { root, .. } => {
            check_lifetime(&mut findings, &certificate, ISSUING_CAP, root);
        }
    }
    check_subject(&mut findings, &certificate);
    for extension in certificate.extensions() {
        check_extension(&mut findings, rules, &certificate, extension);
    }
    check_presence(&mut findings, rules, &certificate);
    findings.0
}

fn check_presence(
    findings: &mut Findings,
    rules: &AuthorityRules<'_>,
    certificate: &TbsCertificate<'_>,
) {
    let of_root: &[&[u8]] = &[oid::BASIC_CONSTRAINTS, oid::KEY_USAGE, oid::SUBJECT_KEY_ID];
    let of_issuing: &[&[u8]] = &[
        oid::BASIC_CONSTRAINTS,
        oid::KEY_USAGE,
        oid::SUBJECT_KEY_ID,
        oid::AUTHORITY_KEY_ID,
        oid::EXTENDED_KEY_USAGE,
        oid::CERTIFICATE_POLICIES,
        oid::CRL_DISTRIBUTION_POINTS,
        oid::AUTHORITY_INFO_ACCESS,
    ];
    let required = match rules {
        AuthorityRules::Root { .. } => of_root,
        AuthorityRules::Issuing { .. } => of_issuing,
    };
    for id in required {
        let is_there = certificate
            .extensions()
            .iter()
            .any(|ext| ext.oid.as_bytes() == *id);
        findings.require(
            is_there,
            "BR 7.1.2.1.2, 7.1.2.6.1",
            "a required extension is missing",
        );
    }
    for extension in certificate.extensions() {
        findings.require(
            required.contains(&extension.oid.as_bytes()),
            "BR 7.1.2.1.2, 7.1.2.6.1",
            &format!(
                "there is an extension that does not belong there: {}",
                extension.oid
            ),
        );
    }
}

fn check_extension(
    findings: &mut Findings,
    rules: &AuthorityRules<'_>,
    certificate: &TbsCertificate<'_>,
    extension: &X509Extension<'_>,
) {
    match (extension.oid.as_bytes(), rules) {
        (oid::BASIC_CONSTRAINTS, AuthorityRules::Root { .. }) => findings.require(
            extension.critical && extension.value == b"\x30\x03\x01\x01\xff",
            "BR 7.1.2.1.4",
            BASIC_CONSTRAINTS,
        ),
        (oid::BASIC_CONSTRAINTS, AuthorityRules::Issuing { .. }) => findings.require(
            extension.critical && extension.value == b"\x30\x06\x01\x01\xff\x02\x01\x00",
            "BR 7.1.2.10.4",
            BASIC_CONSTRAINTS,
        ),
        (oid::KEY_USAGE, _) => findings.require(
            extension.critical && extension.value == b"\x03\x02\x01\x06",
            "BR 7.1.2.10.7",
            "the key usage is not exactly keyCertSign and cRLSign, critical",
        ),
        (oid::SUBJECT_KEY_ID, _) => {
            let own = key_id(certificate.subject_pki.raw).ok();
            let fits = match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => own.is_some_and(|own| id.0 == own),
                _ => false,
            };
            findings.require(
                fits && !extension.critical,
                "RFC 5280 4.2.1.2",
                "the subject key identifier is not the one of the key, not critical",
            );
        }
        (oid::CERTIFICATE_POLICIES, _) => check_policies(findings, extension),
        (oid::EXTENDED_KEY_USAGE, _) => findings.require(
            !extension.critical
                && extension.value == b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
            "BR 7.1.2.10.6",
            "the extended key usage is not exactly serverAuth, not critical",
        ),
        (oid::AUTHORITY_KEY_ID, AuthorityRules::Issuing { root, .. }) => {
            check_authority_key_id(findings, extension, &root.key_id);
        }
        (oid::CRL_DISTRIBUTION_POINTS, AuthorityRules::Issuing { crl_url, .. }) => {
            check_crl_url(findings, extension, crl_url);
        }
        (oid::AUTHORITY_INFO_ACCESS, AuthorityRules::Issuing { ca_issuers_url, .. }) => {
            check_ca_issuers_url(findings, extension, ca_issuers_url);
        }
        // Whatever else there is, `check_presence` refuses.
        _ => {}
    }
}

/// Country, organization and common name, in this order and these string types (BR 7.1.2.10.2, 7.1.4.2).
fn check_subject(findings: &mut Findings, certificate: &TbsCertificate<'_>) {
    let attributes = check_name(findings, &certificate.subject);
    let kinds: Vec<&[u8]> = attributes
        .iter()
        .map(|attribute| attribute.attr_type().as_bytes())
        .collect();
    findings.require(
        kinds == [oid::COUNTRY, oid::ORGANIZATION, oid::COMMON_NAME],
        "BR 7.1.2.10.2",
        "the subject is not country, organization and common name",
    );
    for (attribute, kind) in attributes.iter().zip(kinds) {
        let value = attribute.attr_value();
        let string_tag = u8::try_from(value.tag().0).unwrap_or_default();
        let characters = str::from_utf8(value.data).map_or(0, |text| text.chars().count());
        let fits = match kind {
            oid::COUNTRY => {
                string_tag == tag::PRINTABLE_STRING
                    && value.data.len() == 2
                    && value.data.iter().all(u8::is_ascii_uppercase)
            }
            _ => (1..=64).contains(&characters),
        };
        findings.require(
            fits,
            "BR 7.1.4.2",
            "an attribute of the subject has the wrong form",
        );
    }
}
