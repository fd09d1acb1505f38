//! The rules of revocation lists (RFC 5280 §5; BR 7.2).

use std::collections::HashSet;

use const_oid::db::rfc5280::{ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER};
use der::Decode;
use x509_cert::certificate::Rfc5280;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::{RevokedCertificate, TbsCertList};
use x509_parser::x509::X509Version;

use super::{
    Finding, Findings, check_authority_key_id, check_form, check_signature_algorithm,
    check_time_form, identifier, timestamp,
};
use crate::certificate::Issuer;
use crate::crl::{CrlHead, Revoked, build_crl_tbs};

/// Whose certificates a list revokes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CrlScope {
    /// Server certificates: the next list within ten days.
    Leaves,
    /// CA certificates: the next list within twelve months, and every entry with a reason.
    Authorities,
}

/// What a list is held against.
#[derive(Clone, Copy, Debug)]
pub struct CrlRules<'a> {
    /// The CA that is to sign.
    pub issuer: &'a Issuer,
    /// Whose certificates it revokes.
    pub scope: CrlScope,
    /// The number of the CA's last list, if there was one.
    pub last_number: Option<u64>,
}

const DAY: i64 = 86_400;

/// Judges a to-be-signed revocation list. No findings: it may be signed.
pub fn lint_crl(tbs: &[u8], rules: &CrlRules<'_>) -> Vec<Finding> {
    let Ok(([], list)) = TbsCertList::from_der(tbs) else {
        return Findings::one("RFC 5280 5.1", "the list does not parse");
    };
    let mut findings = Findings::default();
    findings.require(
        list.version == Some(X509Version::V2),
        "RFC 5280 5.1.2.1",
        "the version is not 2",
    );
    check_signature_algorithm(&mut findings, &list.signature, rules.issuer.algorithm);
    findings.require(
        list.issuer.as_raw() == rules.issuer.name_der,
        "RFC 5280 5.1.2.3",
        "the issuer is not the CA's subject, octet by octet",
    );
    check_times(&mut findings, &list, rules);
    check_extensions(&mut findings, &list, rules);
    findings.require(
        !list.revoked_certificates.is_empty() || has_no_entry_list(tbs),
        "RFC 5280 5.1.2.6",
        "the list of revoked certificates is there but empty",
    );
    let mut seen = HashSet::new();
    for entry in &list.revoked_certificates {
        let is_new = seen.insert(entry.raw_serial());
        findings.require(is_new, "RFC 5280 5.1.2.6", "a serial number is there twice");
        check_entry(&mut findings, entry, rules.scope);
        findings.require(
            entry.revocation_date <= list.this_update,
            "RFC 5280 5.1.2.4",
            "a revocation lies after the list was made",
        );
    }
    check_form(&mut findings, tbs, build_anew(&list, rules.issuer));
    findings.0
}

/// What is built of the entries, the number and the times that were read.
fn build_anew(list: &TbsCertList<'_>, issuer: &Issuer) -> Option<Vec<u8>> {
    let head = CrlHead {
        number: number(list)?,
        this_update: timestamp(list.this_update)?,
        next_update: timestamp(list.next_update?)?,
    };
    let revoked = list.revoked_certificates.iter().map(|entry| {
        Some(Revoked {
            serial: entry.raw_serial().to_vec(),
            at: timestamp(entry.revocation_date)?,
            reason: reason(entry),
        })
    });
    build_crl_tbs(issuer, &head, &revoked.collect::<Option<Vec<_>>>()?).ok()
}

fn number(list: &TbsCertList<'_>) -> Option<u64> {
    list.extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLNumber(number) => u64::try_from(number).ok(),
            _ => None,
        })
}

fn reason(entry: &RevokedCertificate<'_>) -> Option<u8> {
    entry
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::ReasonCode(reason) => Some(reason.0),
            _ => None,
        })
}

fn check_times(findings: &mut Findings, list: &TbsCertList<'_>, rules: &CrlRules<'_>) {
    check_time_form(findings, list.this_update);
    let limit = match rules.scope {
        CrlScope::Leaves => 10 * DAY,
        CrlScope::Authorities => 365 * DAY,
    };
    let Some(next_update) = list.next_update else {
        findings.require(
            false,
            "RFC 5280 5.1.2.5",
            "the time of the next list is missing",
        );
        return;
    };
    check_time_form(findings, next_update);
    let seconds = next_update.timestamp() - list.this_update.timestamp();
    findings.require(
        (1..=limit).contains(&seconds),
        "BR 7.2",
        "the next list is not due after this one and within its time",
    );
    findings.require(
        next_update.timestamp() <= rules.issuer.not_after.as_second(),
        "RFC 5280 6.3.3",
        "the list outlives its issuer",
    );
}

fn check_extensions(findings: &mut Findings, list: &TbsCertList<'_>, rules: &CrlRules<'_>) {
    let ids: Vec<_> = list
        .extensions()
        .iter()
        .map(|extension| identifier(&extension.oid))
        .collect();
    findings.require(
        ids == [ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER].map(Some),
        "BR 7.2.2",
        "the extensions are not exactly the authority key identifier and the number",
    );
    for extension in list.extensions() {
        match identifier(&extension.oid) {
            Some(ID_CE_AUTHORITY_KEY_IDENTIFIER) => {
                check_authority_key_id(findings, extension, &rules.issuer.key_id);
            }
            Some(ID_CE_CRL_NUMBER) => findings.require(
                number(list)
                    .is_some_and(|number| rules.last_number.is_none_or(|last| number > last))
                    && !extension.critical,
                "RFC 5280 5.2.3",
                "the number is not greater than the last one, not critical",
            ),
            _ => {}
        }
    }
}

fn check_entry(findings: &mut Findings, entry: &RevokedCertificate<'_>, scope: CrlScope) {
    let serial = entry.raw_serial();
    findings.require(
        (1..=20).contains(&serial.len()) && serial[0] < 0x80 && serial != [0],
        "RFC 5280 5.1.2.6",
        "a serial number is not positive with at most 20 octets",
    );
    check_time_form(findings, entry.revocation_date);
    let reasons: &[u8] = match scope {
        CrlScope::Leaves => &[1, 3, 4, 5, 9],
        CrlScope::Authorities => &[1, 2, 3, 4, 5, 9],
    };
    match entry.extensions() {
        [] => findings.require(
            scope == CrlScope::Leaves,
            "BR 7.2.2",
            "a revoked CA certificate has no reason",
        ),
        [extension] => findings.require(
            reason(entry).is_some_and(|reason| reasons.contains(&reason)) && !extension.critical,
            "BR 7.2.2",
            "the reason of an entry is not one that may be given, not critical",
        ),
        _ => findings.require(false, "BR 7.2.2", "an entry has more than a reason"),
    }
}

/// Whether the optional `revokedCertificates` is left out; the parser above does not tell.
fn has_no_entry_list(tbs: &[u8]) -> bool {
    x509_cert::crl::TbsCertList::<Rfc5280>::from_der(tbs)
        .is_ok_and(|list| list.revoked_certificates.is_none())
}
