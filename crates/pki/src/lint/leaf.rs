//! The rules of server certificates (BR 7.1.2.7), as a private CA keeps them.

use chancery_domain::names::DomainName;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::{COMMON_NAME, ORGANIZATIONAL_UNIT_NAME};
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME,
    ID_PE_AUTHORITY_INFO_ACCESS,
};
use jiff::{SignedDuration, Timestamp};
use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::x509::AttributeTypeAndValue;

use super::{
    Finding, Findings, age, check_authority_key_id, check_ca_issuers_url, check_crl_url,
    check_envelope, check_form, check_lifetime, check_name, check_policies, identifier, parse,
    serial, timestamp,
};
use crate::certificate::Issuer;
use crate::identities::Identity;
use crate::names::NameError;
use crate::profiles::{Leaf, LeafProfile};

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
    /// What the subject has to say beside a common name.
    pub subject: SubjectRule<'a>,
    /// The time of signing; `None` leaves out the rule on back-dating.
    pub now: Option<Timestamp>,
}

/// What the subject has to say beside a common name that is one of the names.
#[derive(Clone, Copy, Debug)]
pub enum SubjectRule<'a> {
    /// Nothing: only the names were verified (BR 7.1.2.7.2).
    NamesOnly,
    /// Exactly this organization (BR 7.1.2.7.4; EVG 7.1.4.2).
    Organization(&'a Identity),
    /// Nothing, or all that belongs to an organization: it was held against one of the others when it went on
    /// record.
    OnRecord,
}

/// How far the first second of validity may lie from the signing (BR 7.1.2.7).
const BACK_DATING: i64 = 48 * 3600;

/// Extensions a leaf has to carry, each exactly once.
const REQUIRED: [(ObjectIdentifier, &str); 7] = [
    (
        ID_CE_AUTHORITY_KEY_IDENTIFIER,
        "the authority key identifier is missing",
    ),
    (
        ID_PE_AUTHORITY_INFO_ACCESS,
        "the authority information access is missing",
    ),
    (
        ID_CE_CRL_DISTRIBUTION_POINTS,
        "the CRL distribution point is missing",
    ),
    (ID_CE_EXT_KEY_USAGE, "the extended key usage is missing"),
    (
        ID_CE_SUBJECT_ALT_NAME,
        "the subject alternative name is missing",
    ),
    (ID_CE_KEY_USAGE, "the key usage is missing"),
    (ID_CE_BASIC_CONSTRAINTS, "the basic constraints are missing"),
];

/// Judges a to-be-signed server certificate. No findings: it may be signed.
pub fn lint_leaf(tbs: &[u8], rules: &LeafRules<'_>) -> Vec<Finding> {
    let Some(certificate) = parse(tbs) else {
        return Findings::one("RFC 5280 4.1", "the certificate does not parse");
    };
    let mut findings = Findings::default();
    check_envelope(
        &mut findings,
        &certificate,
        &rules.issuer.name_der,
        rules.issuer.algorithm,
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
        findings.require(
            age(now, certificate.validity.not_after) <= 0,
            "RFC 5280 4.1.2.5",
            "the validity is over before the signing",
        );
    }
    let mut names = Vec::new();
    let subject = check_name(&mut findings, &certificate.subject);
    let stated = stated(&subject);
    let identity = Identity::read(&stated);
    for extension in certificate.extensions() {
        check_extension(&mut findings, rules, &certificate, extension, &mut names);
    }
    for (id, message) in REQUIRED {
        let is_there = certificate
            .extensions()
            .iter()
            .any(|ext| identifier(&ext.oid) == Some(id));
        findings.require(is_there, "BR 7.1.2.7.6", message);
    }
    check_common_name(&mut findings, &subject, &names);
    check_identity(&mut findings, &identity, &names, rules.subject);
    let identity = identity.ok().flatten();
    let built = build_anew(&certificate, &names, identity.as_ref(), rules);
    check_form(&mut findings, tbs, built);
    findings.0
}

/// The attributes of a subject beside the common name. One that is no text appears as an empty one, which none
/// of ours is.
fn stated<'a>(subject: &[&'a AttributeTypeAndValue<'a>]) -> Vec<(ObjectIdentifier, &'a str)> {
    // An identifier that the builders do not know passes for one that is refused.
    let kind = |attribute: &AttributeTypeAndValue<'_>| {
        identifier(attribute.attr_type()).unwrap_or(ORGANIZATIONAL_UNIT_NAME)
    };
    subject
        .iter()
        .map(|attribute| {
            let text = str::from_utf8(attribute.attr_value().data).unwrap_or_default();
            (kind(attribute), text)
        })
        .filter(|(kind, _)| *kind != COMMON_NAME)
        .collect()
}

/// What the profile makes of the names, the organization, the key and the times that were read.
fn build_anew(
    certificate: &TbsCertificate<'_>,
    names: &[DomainName],
    identity: Option<&Identity>,
    rules: &LeafRules<'_>,
) -> Option<Vec<u8>> {
    let leaf = Leaf {
        serial: serial(certificate)?,
        names,
        identity,
        spki_der: certificate.subject_pki.raw,
        not_before: timestamp(certificate.validity.not_before)?,
        not_after: timestamp(certificate.validity.not_after)?,
    };
    let profile = LeafProfile::new(rules.issuer, rules.crl_url, rules.ca_issuers_url);
    profile.ok()?.build_tbs(&leaf).ok()
}

fn check_extension(
    findings: &mut Findings,
    rules: &LeafRules<'_>,
    certificate: &TbsCertificate<'_>,
    extension: &X509Extension<'_>,
    names: &mut Vec<DomainName>,
) {
    match identifier(&extension.oid) {
        Some(ID_CE_AUTHORITY_KEY_IDENTIFIER) => {
            check_authority_key_id(findings, extension, &rules.issuer.key_id);
        }
        Some(ID_PE_AUTHORITY_INFO_ACCESS) => {
            check_ca_issuers_url(findings, extension, rules.ca_issuers_url);
        }
        Some(ID_CE_CRL_DISTRIBUTION_POINTS) => check_crl_url(findings, extension, rules.crl_url),
        Some(ID_CE_EXT_KEY_USAGE) => findings.require(
            !extension.critical
                && extension.value == b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
            "BR 7.1.2.7.10",
            "the extended key usage is not exactly serverAuth, not critical",
        ),
        Some(ID_CE_KEY_USAGE) => findings.require(
            extension.critical && extension.value == b"\x03\x02\x07\x80",
            "BR 7.1.2.7.11",
            "the key usage is not exactly digitalSignature, critical",
        ),
        Some(ID_CE_BASIC_CONSTRAINTS) => findings.require(
            extension.critical && extension.value == b"\x30\x00",
            "BR 7.1.2.7.8",
            "the basic constraints are not empty and critical",
        ),
        Some(ID_CE_SUBJECT_ALT_NAME) => {
            let subject_is_empty = certificate.subject.iter_rdn().next().is_none();
            findings.require(
                extension.critical == subject_is_empty,
                "RFC 5280 4.2.1.6",
                "the subject alternative name is not critical exactly where the subject is empty",
            );
            check_alternative_names(findings, extension, names);
        }
        other => {
            if other == Some(ID_CE_CERTIFICATE_POLICIES) {
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

fn check_alternative_names(
    findings: &mut Findings,
    extension: &X509Extension<'_>,
    names: &mut Vec<DomainName>,
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
        match DomainName::parse(name) {
            Ok(parsed) if parsed.as_str() == *name => names.push(parsed),
            _ => findings.require(
                false,
                "BR 7.1.2.7.12",
                &format!(
                    "'{}' is not a lower-case host name of A-labels",
                    name.escape_default()
                ),
            ),
        }
    }
}

/// A common name is one of the names.
fn check_common_name(
    findings: &mut Findings,
    subject: &[&AttributeTypeAndValue<'_>],
    names: &[DomainName],
) {
    for attribute in subject {
        if identifier(attribute.attr_type()) != Some(COMMON_NAME) {
            continue;
        }
        let text = str::from_utf8(attribute.attr_value().data).unwrap_or_default();
        findings.require(
            names.iter().any(|name| name.as_str() == text),
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

/// What the subject says beside the common name is nothing, or the organization that was verified.
fn check_identity(
    findings: &mut Findings,
    identity: &Result<Option<Identity>, NameError>,
    names: &[DomainName],
    rule: SubjectRule<'_>,
) {
    match rule {
        SubjectRule::NamesOnly => findings.require(
            matches!(identity, Ok(None)),
            "BR 7.1.2.7.2",
            "the subject says more than a common name, and nobody verified it",
        ),
        SubjectRule::Organization(verified) => findings.require(
            matches!(identity, Ok(Some(found)) if found == verified),
            "BR 7.1.2.7.4",
            "the subject is not the organization that was verified",
        ),
        SubjectRule::OnRecord => {}
    }
    if let Err(error) = identity {
        let message = format!("the subject is not a whole organization: {error}");
        findings.require(false, "BR 7.1.2.7.4", &message);
    }
    if let Ok(Some(found)) = identity {
        findings.require(
            !found.is_extended() || names.iter().all(|name| !name.is_wildcard()),
            "EVG 7.1.2.1",
            "an extended certificate has a wildcard among its names",
        );
    }
}
