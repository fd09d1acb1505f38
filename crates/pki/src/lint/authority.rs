//! The rules of the root and of the issuing CA (BR 7.1.2.1, 7.1.2.6 and 7.1.2.10).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::{COMMON_NAME, COUNTRY_NAME, ORGANIZATION_NAME};
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE,
    ID_CE_SUBJECT_KEY_IDENTIFIER, ID_PE_AUTHORITY_INFO_ACCESS,
};
use jiff::{SignedDuration, Timestamp};
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};

use super::{
    Finding, Findings, age, check_authority_key_id, check_ca_issuers_url, check_crl_url,
    check_envelope, check_form, check_lifetime, check_name, check_policies, identifier, parse,
    seconds_of_validity, serial, timestamp,
};
use crate::certificate::Issuer;
use crate::keys::KeyAlgorithm;
use crate::names::write_name;
use crate::profiles::{Authority, build_issuing_tbs, build_root_tbs};
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
    check_envelope(&mut findings, &certificate, issuer_name, algorithm);
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
    check_form(&mut findings, tbs, build_anew(&certificate, rules));
    findings.0
}

/// What the profile makes of the subject, the key and the times that were read.
fn build_anew(certificate: &TbsCertificate<'_>, rules: &AuthorityRules<'_>) -> Option<Vec<u8>> {
    let parts = certificate.subject.iter_attributes().map(|attribute| {
        let text = str::from_utf8(attribute.attr_value().data).ok()?;
        Some((identifier(attribute.attr_type())?, text))
    });
    let parts = parts.collect::<Option<Vec<_>>>()?;
    let authority = Authority {
        serial: serial(certificate)?,
        name_der: &write_name(parts.into_iter()).ok()?,
        spki_der: certificate.subject_pki.raw,
        not_before: timestamp(certificate.validity.not_before)?,
        not_after: timestamp(certificate.validity.not_after)?,
    };
    match rules {
        AuthorityRules::Root { algorithm, .. } => build_root_tbs(&authority, *algorithm),
        AuthorityRules::Issuing {
            root,
            crl_url,
            ca_issuers_url,
            ..
        } => build_issuing_tbs(&authority, root, crl_url, ca_issuers_url),
    }
    .ok()
}

fn check_presence(
    findings: &mut Findings,
    rules: &AuthorityRules<'_>,
    certificate: &TbsCertificate<'_>,
) {
    let of_root: &[ObjectIdentifier] = &[
        ID_CE_BASIC_CONSTRAINTS,
        ID_CE_KEY_USAGE,
        ID_CE_SUBJECT_KEY_IDENTIFIER,
    ];
    let of_issuing: &[ObjectIdentifier] = &[
        ID_CE_BASIC_CONSTRAINTS,
        ID_CE_KEY_USAGE,
        ID_CE_SUBJECT_KEY_IDENTIFIER,
        ID_CE_AUTHORITY_KEY_IDENTIFIER,
        ID_CE_EXT_KEY_USAGE,
        ID_CE_CERTIFICATE_POLICIES,
        ID_CE_CRL_DISTRIBUTION_POINTS,
        ID_PE_AUTHORITY_INFO_ACCESS,
    ];
    let required = match rules {
        AuthorityRules::Root { .. } => of_root,
        AuthorityRules::Issuing { .. } => of_issuing,
    };
    for id in required {
        let is_there = certificate
            .extensions()
            .iter()
            .any(|ext| identifier(&ext.oid) == Some(*id));
        findings.require(
            is_there,
            "BR 7.1.2.1.2, 7.1.2.6.1",
            "a required extension is missing",
        );
    }
    for extension in certificate.extensions() {
        findings.require(
            identifier(&extension.oid).is_some_and(|id| required.contains(&id)),
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
    match (identifier(&extension.oid), rules) {
        (Some(ID_CE_BASIC_CONSTRAINTS), AuthorityRules::Root { .. }) => findings.require(
            extension.critical && extension.value == b"\x30\x03\x01\x01\xff",
            "BR 7.1.2.1.4",
            BASIC_CONSTRAINTS,
        ),
        (Some(ID_CE_BASIC_CONSTRAINTS), AuthorityRules::Issuing { .. }) => findings.require(
            extension.critical && extension.value == b"\x30\x06\x01\x01\xff\x02\x01\x00",
            "BR 7.1.2.10.4",
            BASIC_CONSTRAINTS,
        ),
        (Some(ID_CE_KEY_USAGE), _) => findings.require(
            extension.critical && extension.value == b"\x03\x02\x01\x06",
            "BR 7.1.2.10.7",
            "the key usage is not exactly keyCertSign and cRLSign, critical",
        ),
        (Some(ID_CE_SUBJECT_KEY_IDENTIFIER), _) => {
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
        (Some(ID_CE_CERTIFICATE_POLICIES), _) => check_policies(findings, extension),
        (Some(ID_CE_EXT_KEY_USAGE), _) => findings.require(
            !extension.critical
                && extension.value == b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
            "BR 7.1.2.10.6",
            "the extended key usage is not exactly serverAuth, not critical",
        ),
        (Some(ID_CE_AUTHORITY_KEY_IDENTIFIER), AuthorityRules::Issuing { root, .. }) => {
            check_authority_key_id(findings, extension, &root.key_id);
        }
        (Some(ID_CE_CRL_DISTRIBUTION_POINTS), AuthorityRules::Issuing { crl_url, .. }) => {
            check_crl_url(findings, extension, crl_url);
        }
        (Some(ID_PE_AUTHORITY_INFO_ACCESS), AuthorityRules::Issuing { ca_issuers_url, .. }) => {
            check_ca_issuers_url(findings, extension, ca_issuers_url);
        }
        // Whatever else there is, `check_presence` refuses.
        _ => {}
    }
}

/// Country, organization and common name, in this order and these string types (BR 7.1.2.10.2, 7.1.4.2).
fn check_subject(findings: &mut Findings, certificate: &TbsCertificate<'_>) {
    let attributes = check_name(findings, &certificate.subject);
    let kinds: Vec<_> = attributes
        .iter()
        .map(|attribute| identifier(attribute.attr_type()))
        .collect();
    findings.require(
        kinds == [COUNTRY_NAME, ORGANIZATION_NAME, COMMON_NAME].map(Some),
        "BR 7.1.2.10.2",
        "the subject is not country, organization and common name",
    );
    for (attribute, kind) in attributes.iter().zip(kinds) {
        let value = attribute.attr_value();
        let characters = str::from_utf8(value.data).map_or(0, |text| text.chars().count());
        let fits = match kind {
            Some(COUNTRY_NAME) => {
                value.tag() == Tag::PrintableString
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
