use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_INVALIDITY_DATE,
    ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use const_oid::db::rfc5912::ECDSA_WITH_SHA_224;

use super::*;
use crate::crl::{CrlHead, Revoked, build_crl_tbs};

// Places of the fields of a list; version and algorithm come first.
const LIST_ISSUER: usize = 2;
const THIS_UPDATE: usize = 3;
const NEXT_UPDATE: usize = 4;
const ENTRIES: usize = 5;

fn revoked(reason: Option<u8>) -> Revoked {
    Revoked {
        serial: mint_serial().unwrap().to_vec(),
        at: now() - DAY,
        reason,
    }
}

fn a_list(issuer: &Issuer, number: u64, revoked: &[Revoked]) -> Vec<u8> {
    let head = CrlHead {
        number,
        this_update: now(),
        next_update: now() + DAY * 7,
    };
    build_crl_tbs(issuer, &head, revoked).unwrap()
}

fn entry(serial: &[u8], at: Timestamp, extensions: &[(ObjectIdentifier, &[u8])]) -> Vec<u8> {
    let serial = tlv(Tag::Integer, &[serial]);
    let at = der_time(at);
    let extensions: Vec<_> = extensions
        .iter()
        .map(|(id, value)| extension(*id, false, value))
        .collect();
    let extensions = match extensions.as_slice() {
        [] => Vec::new(),
        some => sequence(&[&some.concat()]),
    };
    sequence(&[&sequence(&[&serial, &at, &extensions])])
}

fn der_time(at: Timestamp) -> Vec<u8> {
    time(at).to_der().unwrap()
}

#[test]
fn each_rule_for_lists_is_checked() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    let rules = CrlRules {
        issuer: &issuer,
        scope: CrlScope::Leaves,
        last_number: Some(8),
    };
    let good = a_list(
        &issuer,
        9,
        &[revoked(None), revoked(Some(1)), revoked(Some(0))],
    );
    let entries = |rule, list: Vec<u8>| (rule, change(move |t| t.fields[ENTRIES] = list.clone()));
    let reason = |reason: u8| {
        entry(
            &[1; 16],
            now(),
            &[(ID_CE_CRL_REASONS, &tlv(Tag::Enumerated, &[&[reason]]))],
        )
    };
    let twice = {
        let one = entry(&[1; 16], now(), &[]);
        sequence(&[&one[2..], &one[2..]])
    };
    let changes = vec![
        (
            "RFC 5280 5.1.2.1",
            change(|t| t.fields[0] = tlv(Tag::Integer, &[&[0]])),
        ),
        (
            "BR 7.1.3.2",
            change(|t| {
                t.fields[1] = sequence(&[&oid(ECDSA_WITH_SHA_224)]);
            }),
        ),
        (
            "RFC 5280 5.1.2.3",
            change(|t| t.fields[LIST_ISSUER] = sequence(&[])),
        ),
        (
            "RFC 5280 4.1.2.5",
            change(|t| {
                t.fields[THIS_UPDATE] = tlv(Tag::GeneralizedTime, &[b"20261122100000Z"]);
            }),
        ),
        (
            "RFC 5280 5.1.2.5",
            change(|t| drop(t.fields.remove(NEXT_UPDATE))),
        ),
        (
            "BR 7.2",
            change(|t| t.fields[NEXT_UPDATE] = der_time(now())),
        ),
        (
            "BR 7.2",
            change(|t| t.fields[NEXT_UPDATE] = der_time(now() + DAY * 10 + SECOND)),
        ),
        (
            "RFC 5280 6.3.3",
            change(|t| t.fields[NEXT_UPDATE] = der_time(now() + DAY * 7306)),
        ),
        (
            "BR 7.1.2.11.1",
            change(|t| t.flip(ID_CE_AUTHORITY_KEY_IDENTIFIER)),
        ),
        (
            // The authority key identifier of the issuer's own certificate, or of any other CA.
            "BR 7.1.2.11.1",
            change(|t| {
                t.set(
                    ID_CE_AUTHORITY_KEY_IDENTIFIER,
                    sequence(&[&tlv(context(0, false), &[&[7; 20]])]),
                );
            }),
        ),
        (
            "BR 7.2.2",
            change(|t| t.remove(ID_CE_AUTHORITY_KEY_IDENTIFIER)),
        ),
        (
            "BR 7.2.2",
            change(|t| t.add(ID_CE_ISSUING_DISTRIBUTION_POINT, b"\x30\x00".to_vec())),
        ),
        (
            "RFC 5280 5.2.3",
            change(|t| t.set(ID_CE_CRL_NUMBER, tlv(Tag::Integer, &[&[8]]))),
        ),
        ("RFC 5280 5.2.3", change(|t| t.flip(ID_CE_CRL_NUMBER))),
        entries("RFC 5280 5.1.2.6", sequence(&[])),
        entries("RFC 5280 5.1.2.6", twice),
        entries("RFC 5280 5.1.2.6", entry(&[1; 21], now(), &[])),
        entries("RFC 5280 5.1.2.6", entry(&[0], now(), &[])),
        entries("RFC 5280 5.1.2.4", entry(&[1; 16], now() + SECOND, &[])),
        entries("BR 7.2.2", reason(0)),
        entries("BR 7.2.2", reason(6)),
        entries("BR 7.2.2", reason(8)),
        entries(
            "BR 7.2.2",
            entry(
                &[1; 16],
                now(),
                &[(ID_CE_INVALIDITY_DATE, b"\x18\x0f20260101000000Z")],
            ),
        ),
    ];
    assert_each_is_found(&good, |tbs| lint_crl(tbs, &rules), changes);
    assert_eq!(lint_crl(b"\x30\x00", &rules)[0].rule, "RFC 5280 5.1");
}

#[test]
fn an_empty_list_has_no_entries_at_all() {
    let (issuer, _) = an_issuer(KeyAlgorithm::Rsa2048);
    let rules = CrlRules {
        issuer: &issuer,
        scope: CrlScope::Leaves,
        last_number: None,
    };
    assert_eq!(lint_crl(&a_list(&issuer, 0, &[]), &rules), []);
    assert_eq!(lint_crl(&a_list(&issuer, u64::MAX, &[]), &rules), []);
}

#[test]
fn a_revoked_ca_has_a_reason_and_its_list_lives_longer() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    let rules = CrlRules {
        issuer: &issuer,
        scope: CrlScope::Authorities,
        last_number: None,
    };
    let list = |days: i32, reason| {
        let head = CrlHead {
            number: 1,
            this_update: now(),
            next_update: now() + DAY * days,
        };
        build_crl_tbs(&issuer, &head, &[revoked(reason)]).unwrap()
    };
    assert_eq!(lint_crl(&list(365, Some(4)), &rules), []);
    assert_eq!(lint_crl(&list(365, None), &rules)[0].rule, "BR 7.2.2");
    assert_eq!(lint_crl(&list(366, Some(4)), &rules)[0].rule, "BR 7.2");
}
