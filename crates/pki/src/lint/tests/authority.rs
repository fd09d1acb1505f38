use const_oid::db::rfc4519::{COUNTRY_NAME, ORGANIZATION_NAME};
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_KEY_IDENTIFIER, ID_PE_AUTHORITY_INFO_ACCESS,
};

use super::*;
use crate::profiles::build_issuing_tbs;

fn subject_changes() -> Vec<(&'static str, Change)> {
    type Parts = Vec<(ObjectIdentifier, Tag, &'static str)>;
    let utf8 = Tag::Utf8String;
    let country = (COUNTRY_NAME, Tag::PrintableString, "CH");
    let organization = (ORGANIZATION_NAME, utf8, "Example");
    let common_name = (COMMON_NAME, utf8, "Example Root");
    let subject = |rule, parts: Parts| (rule, change(move |t| t.set_subject(&parts)));
    vec![
        subject("BR 7.1.2.10.2", vec![country, common_name]),
        subject("BR 7.1.2.10.2", vec![organization, country, common_name]),
        subject("BR 7.1.2.10.2", vec![]),
        subject(
            "X.690 10-11",
            vec![
                country,
                organization,
                (COMMON_NAME, Tag::PrintableString, "Example Root"),
            ],
        ),
        subject(
            "BR 7.1.4.1",
            vec![country, organization, common_name, common_name],
        ),
        subject(
            "BR 7.1.4.2",
            vec![(COUNTRY_NAME, utf8, "CH"), organization, common_name],
        ),
        subject(
            "BR 7.1.4.2",
            vec![
                (COUNTRY_NAME, Tag::PrintableString, "ch"),
                organization,
                common_name,
            ],
        ),
        subject(
            "BR 7.1.4.2",
            vec![
                country,
                (ORGANIZATION_NAME, Tag::TeletexString, "Example"),
                common_name,
            ],
        ),
    ]
}

fn shared_changes() -> Vec<(&'static str, Change)> {
    let mut changes = envelope_changes();
    changes.extend(subject_changes());
    for id in [
        ID_CE_BASIC_CONSTRAINTS,
        ID_CE_KEY_USAGE,
        ID_CE_SUBJECT_KEY_IDENTIFIER,
    ] {
        changes.push(("BR 7.1.2.1.2, 7.1.2.6.1", change(move |t| t.remove(id))));
    }
    for id in [ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME] {
        changes.push((
            "BR 7.1.2.1.2, 7.1.2.6.1",
            change(move |t| t.add(id, b"\x30\x00".to_vec())),
        ));
    }
    changes.extend([
        (
            "BR 7.1.2.10.7",
            change(|t| t.set(ID_CE_KEY_USAGE, b"\x03\x02\x07\x80".to_vec())),
        ),
        ("BR 7.1.2.10.7", change(|t| t.flip(ID_CE_KEY_USAGE))),
        (
            "RFC 5280 4.2.1.2",
            change(|t| t.set(ID_CE_SUBJECT_KEY_IDENTIFIER, b"\x04\x02\x01\x02".to_vec())),
        ),
        (
            "RFC 5280 4.2.1.2",
            change(|t| t.flip(ID_CE_SUBJECT_KEY_IDENTIFIER)),
        ),
        (
            "BR 7.1.2.1.1",
            change(|t| t.set_validity(now() + SECOND, now() + DAY * 1000)),
        ),
        (
            "BR 7.1.2.1.1",
            change(|t| t.set_validity(now() - DAY - SECOND, now() + DAY * 1000)),
        ),
    ]);
    changes
}

#[test]
fn each_rule_for_roots_is_checked() {
    let key = SigningKey::generate(KeyAlgorithm::P384).unwrap();
    let rules = AuthorityRules::Root {
        algorithm: KeyAlgorithm::P384,
        now: now(),
    };
    let mut changes = shared_changes();
    let days = |days: i32, seconds: i32| {
        change(move |t| t.set_validity(now(), now() + DAY * days + SECOND * seconds))
    };
    changes.extend([
        ("BR 7.1.4.1", change(|t| t.fields[ISSUER] = sequence(&[]))),
        ("BR 7.1.2.1.1", days(2922, -2)),
        ("BR 7.1.2.1.1", days(9132, 0)),
        (
            "BR 7.1.2.1.4",
            change(|t| {
                t.set(
                    ID_CE_BASIC_CONSTRAINTS,
                    b"\x30\x06\x01\x01\xff\x02\x01\x00".to_vec(),
                );
            }),
        ),
        ("BR 7.1.2.1.4", change(|t| t.flip(ID_CE_BASIC_CONSTRAINTS))),
        (
            "BR 7.1.2.1.2, 7.1.2.6.1",
            change(|t| t.add(ID_CE_EXT_KEY_USAGE, b"\x30\x00".to_vec())),
        ),
    ]);
    assert_each_is_found(&a_root(&key), |tbs| lint_authority(tbs, &rules), changes);
}

#[test]
fn each_rule_for_issuing_cas_is_checked() {
    let (root, _) = an_issuer(KeyAlgorithm::P256);
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let authority = Authority {
        serial: mint_serial().unwrap(),
        name_der: &a_name(),
        spki_der: key.spki_der(),
        not_before: now(),
        not_after: now() + DAY * 1095 - SECOND,
    };
    let good = build_issuing_tbs(&authority, &root, CRL_URL, CA_URL).unwrap();
    let rules = AuthorityRules::Issuing {
        root: &root,
        crl_url: CRL_URL,
        ca_issuers_url: CA_URL,
        now: now(),
    };
    let mut changes = shared_changes();
    for id in [
        ID_CE_AUTHORITY_KEY_IDENTIFIER,
        ID_CE_EXT_KEY_USAGE,
        ID_CE_CERTIFICATE_POLICIES,
        ID_CE_CRL_DISTRIBUTION_POINTS,
        ID_PE_AUTHORITY_INFO_ACCESS,
    ] {
        changes.push(("BR 7.1.2.1.2, 7.1.2.6.1", change(move |t| t.remove(id))));
    }
    changes.extend([
        ("BR 7.1.4.1", change(|t| t.fields[ISSUER] = sequence(&[]))),
        (
            "BR 6.3.2",
            change(|t| t.set_validity(now(), now() + DAY * 1096)),
        ),
        (
            "BR 7.1.2.11.1",
            change(|t| t.flip(ID_CE_AUTHORITY_KEY_IDENTIFIER)),
        ),
        (
            "BR 7.1.2.11.2",
            change(|t| t.flip(ID_CE_CRL_DISTRIBUTION_POINTS)),
        ),
        (
            "BR 7.1.2.7.7",
            change(|t| t.flip(ID_PE_AUTHORITY_INFO_ACCESS)),
        ),
        ("BR 7.1.2.10.6", change(|t| t.flip(ID_CE_EXT_KEY_USAGE))),
        ("BR 7.1.6.1", change(|t| t.flip(ID_CE_CERTIFICATE_POLICIES))),
        (
            "BR 7.1.6.1",
            change(|t| {
                t.set(
                    ID_CE_CERTIFICATE_POLICIES,
                    b"\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01".to_vec(),
                );
            }),
        ),
        (
            "BR 7.1.2.10.4",
            change(|t| t.set(ID_CE_BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\xff".to_vec())),
        ),
    ]);
    assert_each_is_found(&good, |tbs| lint_authority(tbs, &rules), changes);

    let brief = Issuer {
        not_after: now() + DAY * 1000,
        ..root.clone()
    };
    let rules = AuthorityRules::Issuing {
        root: &brief,
        crl_url: CRL_URL,
        ca_issuers_url: CA_URL,
        now: now(),
    };
    assert_eq!(lint_authority(&good, &rules)[0].rule, "RFC 5280 6.1.3");
}
