use const_oid::db::rfc4519::{
    BUSINESS_CATEGORY, COUNTRY_NAME, GIVEN_NAME, LOCALITY_NAME, ORGANIZATION_NAME, SERIAL_NUMBER,
};
use const_oid::db::rfc5280::{
    ID_AD_OCSP, ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS,
    ID_CE_SUBJECT_ALT_NAME, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH,
    ID_PE_AUTHORITY_INFO_ACCESS,
};
use proptest::prelude::*;

use super::*;
use crate::identities::{BusinessCategory, JURISDICTION_COUNTRY, Place, Registration};

fn general_names(names: &[(u32, &[u8])]) -> Vec<u8> {
    let names: Vec<_> = names
        .iter()
        .map(|(number, name)| tlv(context(*number, false), &[name]))
        .collect();
    sequence(&[&names.concat()])
}

fn crl_points(urls: &[&str]) -> Vec<u8> {
    let urls: Vec<_> = urls
        .iter()
        .map(|url| tlv(context(6, false), &[url.as_bytes()]))
        .collect();
    let name = tlv(context(0, true), &[&urls.concat()]);
    sequence(&[&sequence(&[&tlv(context(0, true), &[&name])])])
}

fn access(parts: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
    let parts: Vec<_> = parts
        .iter()
        .map(|(method, url)| {
            let url = tlv(context(6, false), &[url.as_bytes()]);
            sequence(&[&oid(*method), &url])
        })
        .collect();
    sequence(&[&parts.concat()])
}

fn extension_changes() -> Vec<(&'static str, Change)> {
    const DOMAIN_VALIDATED: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.140.1.2.1");
    let mut changes = Vec::new();
    let required = [
        ID_CE_AUTHORITY_KEY_IDENTIFIER,
        ID_PE_AUTHORITY_INFO_ACCESS,
        ID_CE_CRL_DISTRIBUTION_POINTS,
        ID_CE_EXT_KEY_USAGE,
        ID_CE_SUBJECT_ALT_NAME,
        ID_CE_KEY_USAGE,
        ID_CE_BASIC_CONSTRAINTS,
    ];
    let rules = [
        "BR 7.1.2.11.1",
        "BR 7.1.2.7.7",
        "BR 7.1.2.11.2",
        "BR 7.1.2.7.10",
        "RFC 5280 4.2.1.6",
        "BR 7.1.2.7.11",
        "BR 7.1.2.7.8",
    ];
    for (id, rule) in required.into_iter().zip(rules) {
        changes.push(("BR 7.1.2.7.6", change(move |t| t.remove(id))));
        changes.push((rule, change(move |t| t.flip(id))));
    }
    for id in [
        ID_CE_NAME_CONSTRAINTS,
        ID_CE_SUBJECT_KEY_IDENTIFIER,
        ID_CE_CERTIFICATE_POLICIES,
        ID_KP_CLIENT_AUTH,
    ] {
        changes.push((
            "BR 7.1.2.11.5",
            change(move |t| t.add(id, b"\x30\x00".to_vec())),
        ));
    }
    let values = [
        (
            "BR 7.1.2.11.1",
            ID_CE_AUTHORITY_KEY_IDENTIFIER,
            general_names(&[(0, &[7; 20])]),
        ),
        (
            "BR 7.1.2.7.7",
            ID_PE_AUTHORITY_INFO_ACCESS,
            access(&[(ID_AD_OCSP, CA_URL)]),
        ),
        (
            "BR 7.1.2.7.7",
            ID_PE_AUTHORITY_INFO_ACCESS,
            access(&[(ID_AD_CA_ISSUERS, CRL_URL)]),
        ),
        (
            "BR 7.1.2.7.7",
            ID_PE_AUTHORITY_INFO_ACCESS,
            access(&[(ID_AD_CA_ISSUERS, CA_URL), (ID_AD_CA_ISSUERS, CA_URL)]),
        ),
        (
            "BR 7.1.2.11.2",
            ID_CE_CRL_DISTRIBUTION_POINTS,
            crl_points(&[CA_URL]),
        ),
        (
            "BR 7.1.2.11.2",
            ID_CE_CRL_DISTRIBUTION_POINTS,
            crl_points(&[CRL_URL, CRL_URL]),
        ),
        (
            "BR 7.1.2.11.2",
            ID_CE_CRL_DISTRIBUTION_POINTS,
            crl_points(&[]),
        ),
        (
            "BR 7.1.2.7.10",
            ID_CE_EXT_KEY_USAGE,
            sequence(&[&oid(ID_KP_SERVER_AUTH), &oid(ID_KP_CLIENT_AUTH)]),
        ),
        (
            "BR 7.1.2.7.11",
            ID_CE_KEY_USAGE,
            b"\x03\x02\x05\xa0".to_vec(),
        ),
        (
            "BR 7.1.2.7.11",
            ID_CE_KEY_USAGE,
            b"\x03\x02\x01\x06".to_vec(),
        ),
        (
            "BR 7.1.2.7.8",
            ID_CE_BASIC_CONSTRAINTS,
            b"\x30\x03\x01\x01\xff".to_vec(),
        ),
    ];
    for (rule, id, value) in values {
        changes.push((rule, change(move |t| t.set(id, value.clone()))));
    }
    let claimed = sequence(&[&sequence(&[&oid(DOMAIN_VALIDATED)])]);
    changes.push((
        "BR 7.1.6.1",
        change(move |t| t.add(ID_CE_CERTIFICATE_POLICIES, claimed.clone())),
    ));
    changes
}

fn name_changes() -> Vec<(&'static str, Change)> {
    let mut changes = Vec::new();
    let dns = 2;
    for names in [
        general_names(&[]),
        general_names(&[(dns, b"shop.example"), (7, &[192, 0, 2, 1])]),
        general_names(&[(dns, b"shop.example"), (1, b"a@shop.example")]),
        general_names(&[(dns, b"shop.example"), (dns, b"Shop.example")]),
        general_names(&[(dns, b"shop.example"), (dns, b"a_b.example")]),
        general_names(&[(dns, b"shop.example"), (dns, b"shop.example.")]),
        general_names(&[(dns, b"shop.example"), (dns, b"w*.shop.example")]),
        general_names(&[(dns, b"shop.example"), (dns, b"192.0.2.1")]),
        general_names(&[(dns, b"shop.example"), (dns, b"localhost")]),
        general_names(&[
            (dns, b"shop.example"),
            (dns, "b\u{fc}cher.example".as_bytes()),
        ]),
        general_names(&[(dns, b"shop.example"), (dns, b"\xff.example")]),
        b"\x04\x00".to_vec(),
    ] {
        changes.push((
            "BR 7.1.2.7.12",
            change(move |t| t.set(ID_CE_SUBJECT_ALT_NAME, names.clone())),
        ));
    }
    type Parts = Vec<(ObjectIdentifier, Tag, &'static str)>;
    let subject = |rule, parts: Parts| (rule, change(move |t| t.set_subject(&parts)));
    let utf8 = Tag::Utf8String;
    changes.extend([
        subject("BR 7.1.4.3", vec![(COMMON_NAME, utf8, "other.example")]),
        subject("BR 7.1.4.3", vec![(COMMON_NAME, utf8, "Shop.example")]),
        subject(
            "BR 7.1.4.2",
            vec![(COMMON_NAME, Tag::TeletexString, "shop.example")],
        ),
        subject("BR 7.1.4.2", vec![(COMMON_NAME, utf8, "")]),
        subject(
            "BR 7.1.4.1",
            vec![
                (COMMON_NAME, utf8, "shop.example"),
                (COMMON_NAME, utf8, "shop.example"),
            ],
        ),
        subject(
            "BR 7.1.2.7.2",
            vec![
                (ORGANIZATION_NAME, utf8, "Shop"),
                (COMMON_NAME, utf8, "shop.example"),
            ],
        ),
        subject("RFC 5280 4.2.1.6", vec![]),
    ]);
    changes
}

#[test]
fn each_rule_for_leaves_is_checked() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    let good = a_leaf(&issuer, &["shop.example", "*.shop.example"]);
    let validity = |from: Timestamp, to: Timestamp| change(move |t| t.set_validity(from, to));
    let mut changes = envelope_changes();
    changes.extend(extension_changes());
    changes.extend(name_changes());
    changes.extend([
        ("BR 7.1.4.1", change(|t| t.fields[ISSUER] = sequence(&[]))),
        // 200 days to the second are one second too many, since both ends count.
        ("BR 6.3.2", validity(now(), now() + DAY * 200)),
        ("BR 6.3.2", validity(now() + SECOND, now())),
        (
            "RFC 5280 4.1.2.5",
            validity(now() - SECOND * 9, now() - SECOND),
        ),
        (
            "BR 7.1.2.7",
            validity(now() - DAY * 2 - SECOND, now() + DAY),
        ),
        (
            "BR 7.1.2.7",
            validity(now() + DAY * 2 + SECOND, now() + DAY * 3),
        ),
    ]);
    assert_each_is_found(&good, |tbs| lint_leaf(tbs, &leaf_rules(&issuer)), changes);
}

#[test]
fn the_longest_validity_is_allowed_and_not_a_second_more() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    let mut template = Template::parse(&a_leaf(&issuer, &["shop.example"]));
    template.set_validity(now(), now() + DAY * 200 - SECOND);
    let tbs = template.build();
    assert_eq!(lint_leaf(&tbs, &leaf_rules(&issuer)), []);

    let brief = Issuer {
        not_after: now() + DAY * 200 - SECOND * 2,
        ..issuer.clone()
    };
    let findings = lint_leaf(&tbs, &leaf_rules(&brief));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].rule, "RFC 5280 6.1.3");

    let later = LeafRules {
        now: Some(now() + DAY * 3),
        ..leaf_rules(&issuer)
    };
    assert_eq!(lint_leaf(&tbs, &later)[0].rule, "BR 7.1.2.7");
    assert_eq!(lint_leaf(&tbs, &LeafRules { now: None, ..later }), []);
}

#[test]
fn urls_have_to_be_http() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    for url in [
        "https://pki.example/x",
        "ldap://pki.example/x",
        "http://",
        "http:///x",
        "http://a b",
    ] {
        let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let leaf = Leaf {
            serial: mint_serial().unwrap(),
            names: &[DomainName::parse("shop.example").unwrap()],
            identity: None,
            spki_der: key.spki_der(),
            not_before: now(),
            not_after: now() + DAY,
        };
        let profile = LeafProfile::new(&issuer, url, url).unwrap();
        let tbs = profile.build_tbs(&leaf).unwrap();
        let rules = LeafRules {
            crl_url: url,
            ca_issuers_url: url,
            ..leaf_rules(&issuer)
        };
        let rules: Vec<_> = lint_leaf(&tbs, &rules)
            .iter()
            .map(|finding| finding.rule)
            .collect();
        assert_eq!(rules, ["BR 7.1.2.11.2", "BR 7.1.2.7.7"], "{url}");
    }
}

#[test]
fn the_alternative_name_is_critical_exactly_without_a_subject() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P384);
    let long = format!("{}.{}.example", "a".repeat(40), "b".repeat(40));
    for (name, critical) in [("shop.example", false), (long.as_str(), true)] {
        let tbs = a_leaf(&issuer, &[name]);
        assert_eq!(lint_leaf(&tbs, &leaf_rules(&issuer)), []);
        let mut template = Template::parse(&tbs);
        assert_eq!(template.extension(ID_CE_SUBJECT_ALT_NAME).1, critical);
    }
}

fn a_place(locality: Option<&str>) -> Place {
    Place {
        country: "MY".to_owned(),
        state: None,
        locality: locality.map(str::to_owned),
    }
}

fn an_organization() -> Identity {
    Identity::new("Shop Ltd", a_place(Some("Kajang"))).unwrap()
}

fn a_registered_organization() -> Identity {
    let registration = Registration {
        category: BusinessCategory::PrivateOrganization,
        jurisdiction: a_place(None),
        number: "201901000005".to_owned(),
    };
    Identity::extended("Shop Ltd", a_place(Some("Kajang")), registration).unwrap()
}

#[test]
fn each_rule_for_organizations_is_checked() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    let organization = an_organization();
    let good = a_leaf_of(&issuer, &["shop.example"], Some(&organization));
    let rules = LeafRules {
        subject: SubjectRule::Organization(&organization),
        ..leaf_rules(&issuer)
    };
    let (utf8, printable) = (Tag::Utf8String, Tag::PrintableString);
    type Part = (ObjectIdentifier, Tag, &'static str);
    let whole: [Part; 4] = [
        (COUNTRY_NAME, printable, "MY"),
        (LOCALITY_NAME, utf8, "Kajang"),
        (ORGANIZATION_NAME, utf8, "Shop Ltd"),
        (COMMON_NAME, utf8, "shop.example"),
    ];
    let without = |left_out: usize| {
        let mut parts = whole.to_vec();
        parts.remove(left_out);
        change(move |t| t.set_subject(&parts))
    };
    let with = |part: Part| {
        let mut parts = whole.to_vec();
        parts.insert(0, part);
        change(move |t| t.set_subject(&parts))
    };
    let instead = |place: usize, part: Part| {
        let mut parts = whole.to_vec();
        parts[place] = part;
        change(move |t| t.set_subject(&parts))
    };
    let (of_identity, of_type) = ("BR 7.1.2.7.4", "BR 7.1.4.2");
    let changes = vec![
        (of_identity, without(0)),
        (of_identity, without(1)),
        (of_identity, without(2)),
        (of_identity, change(|t| t.set_subject(&[]))),
        (of_identity, instead(2, (ORGANIZATION_NAME, utf8, "Shop"))),
        (of_identity, instead(2, (ORGANIZATION_NAME, utf8, "-"))),
        (of_identity, instead(0, (COUNTRY_NAME, printable, "my"))),
        (of_identity, instead(0, (COUNTRY_NAME, printable, "SG"))),
        ("X.690 10-11", instead(0, (COUNTRY_NAME, utf8, "MY"))),
        (
            of_type,
            instead(2, (ORGANIZATION_NAME, Tag::BmpString, "\0S")),
        ),
        (of_identity, with((ST, utf8, "Selangor"))),
        (of_identity, with((GIVEN_NAME, utf8, "Ann"))),
        (of_identity, with((SERIAL_NUMBER, printable, "1"))),
        (
            "BR 7.1.2.7.3, 7.1.2.10.2",
            with((ORGANIZATIONAL_UNIT_NAME, utf8, "IT")),
        ),
        ("BR 7.1.4.1", with((ORGANIZATION_NAME, utf8, "Shop Ltd"))),
        (
            "X.690 10-11",
            change(move |t| {
                t.set_subject(&[whole[1], whole[0], whole[2], whole[3]]);
            }),
        ),
    ];
    assert_each_is_found(&good, |tbs| lint_leaf(tbs, &rules), changes);
    let rules_broken = |subject| {
        let rules = LeafRules { subject, ..rules };
        let findings = lint_leaf(&good, &rules);
        findings.iter().map(|f| f.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules_broken(SubjectRule::NamesOnly), ["BR 7.1.2.7.2"]);
    assert!(rules_broken(SubjectRule::OnRecord).is_empty());
    let other = a_registered_organization();
    assert_eq!(
        rules_broken(SubjectRule::Organization(&other)),
        ["BR 7.1.2.7.4"]
    );
}

#[test]
fn each_rule_for_registered_organizations_is_checked() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    let organization = a_registered_organization();
    let good = a_leaf_of(&issuer, &["shop.example"], Some(&organization));
    let rules = |subject| LeafRules {
        subject,
        ..leaf_rules(&issuer)
    };
    let verified = rules(SubjectRule::Organization(&organization));
    let (utf8, printable) = (Tag::Utf8String, Tag::PrintableString);
    let whole = [
        (BUSINESS_CATEGORY, utf8, "Private Organization"),
        (JURISDICTION_COUNTRY, printable, "MY"),
        (SERIAL_NUMBER, printable, "201901000005"),
        (COUNTRY_NAME, printable, "MY"),
        (LOCALITY_NAME, utf8, "Kajang"),
        (ORGANIZATION_NAME, utf8, "Shop Ltd"),
    ];
    let mut changes = Vec::new();
    for left_out in 0..whole.len() {
        let mut parts = whole.to_vec();
        parts.remove(left_out);
        changes.push(("BR 7.1.2.7.4", change(move |t| t.set_subject(&parts))));
    }
    let instead = |place: usize, text: &'static str| {
        let mut parts = whole.to_vec();
        parts[place].2 = text;
        ("BR 7.1.2.7.4", change(move |t| t.set_subject(&parts)))
    };
    changes.extend([
        instead(0, "private organization"),
        instead(1, "XX"),
        instead(2, "*"),
        instead(2, ""),
    ]);
    assert_each_is_found(&good, |tbs| lint_leaf(tbs, &verified), changes);
    let recorded = rules(SubjectRule::OnRecord);
    assert_eq!(lint_leaf(&good, &recorded), []);

    let names = ["shop.example", "*.shop.example"];
    let wildcard = a_leaf_of(&issuer, &names, Some(&organization));
    for rules in [verified, recorded] {
        assert_eq!(lint_leaf(&wildcard, &rules)[0].rule, "EVG 7.1.2.1");
    }
}

/// The parser is lax about most of this; building anew is what tells it from the good leaf.
#[test]
fn what_is_said_in_other_octets_is_refused() {
    let (issuer, _) = an_issuer(KeyAlgorithm::P256);
    let good = a_leaf(&issuer, &["shop.example"]);
    let same_but = |change: &dyn Fn(&mut Template)| {
        let mut template = Template::parse(&good);
        change(&mut template);
        template.build()
    };
    let padded_length = [&[0x30, 0x83, 0], &good[2..]].concat();
    for (number, tbs) in [
        padded_length,
        same_but(&|t| t.extensions.reverse()),
        same_but(&|t| t.set_subject(&[(COMMON_NAME, Tag::PrintableString, "shop.example")])),
        same_but(&|t| t.set_subject(&[])),
        same_but(&|t| {
            let url = tlv(context(6, false), &[CA_URL.as_bytes()]);
            // The class of the URI's tag is APPLICATION instead.
            let url = [&[0x46], &url[1..]].concat();
            let access = sequence(&[&sequence(&[&oid(ID_AD_CA_ISSUERS), &url])]);
            t.set(ID_PE_AUTHORITY_INFO_ACCESS, access);
        }),
    ]
    .into_iter()
    .enumerate()
    {
        let findings = lint_leaf(&tbs, &leaf_rules(&issuer));
        assert!(!findings.is_empty(), "{number}");
    }
    let reversed = lint_leaf(&same_but(&|t| t.extensions.reverse()), &leaf_rules(&issuer));
    assert_eq!(reversed.len(), 1);
    assert_eq!(reversed[0].rule, "X.690 10-11");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever names are proved, what the profile builds passes.
    #[test]
    fn what_the_profile_builds_passes(
        names in prop::collection::vec("(\\*\\.)?([a-z0-9]{1,20}\\.){1,5}example", 1..12),
        start in -47_i64..47,
    ) {
        let (issuer, _) = an_issuer(KeyAlgorithm::P256);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let tbs = a_leaf(&issuer, &names);
        let at = now() + SignedDuration::from_hours(start);
        let rules = LeafRules { now: Some(at), ..leaf_rules(&issuer) };
        prop_assert_eq!(lint_leaf(&tbs, &rules), []);
    }

    /// Damaged octets are found or harmless to parse; they never stop the linter.
    #[test]
    fn linting_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        use std::sync::LazyLock;
        static GOOD: LazyLock<(Issuer, Vec<u8>)> = LazyLock::new(|| {
            let (issuer, _) = an_issuer(KeyAlgorithm::P256);
            let leaf = a_leaf(&issuer, &["shop.example"]);
            (issuer, leaf)
        });
        let (issuer, mut tbs) = (GOOD.0.clone(), GOOD.1.clone());
        for (at, octet) in changes {
            let at = at.index(tbs.len());
            tbs[at] = octet;
        }
        let _ = lint_leaf(&tbs, &leaf_rules(&issuer));
        let root = AuthorityRules::Root { algorithm: KeyAlgorithm::P256, now: now() };
        let _ = lint_authority(&tbs, &root);
        let crl = CrlRules { issuer: &issuer, scope: CrlScope::Leaves, last_number: None };
        let _ = lint_crl(&tbs, &crl);
    }
}
