use proptest::prelude::*;

use super::*;

fn general_names(names: &[(u8, &[u8])]) -> Vec<u8> {
    sequence(|der| {
        for (tag, name) in names {
            der.value(*tag, name);
        }
    })
}

fn crl_points(urls: &[&str]) -> Vec<u8> {
    sequence(|der| {
        der.sequence(|der| {
            der.nest(tag::constructed(0), |der| {
                der.nest(tag::constructed(0), |der| {
                    for url in urls {
                        der.value(tag::context(6), url.as_bytes());
                    }
                });
            });
        });
    })
}

fn access(parts: &[(&[u8], &str)]) -> Vec<u8> {
    sequence(|der| {
        for (method, url) in parts {
            der.sequence(|der| {
                der.oid(method).value(tag::context(6), url.as_bytes());
            });
        }
    })
}

fn policies(policies: &[&[u8]]) -> Vec<u8> {
    sequence(|der| {
        for policy in policies {
            der.sequence(|der| {
                der.oid(policy);
            });
        }
    })
}

fn extension_changes() -> Vec<(&'static str, Change)> {
    const OCSP: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];
    const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
    const DOMAIN_VALIDATED: &[u8] = &[0x67, 0x81, 0x0c, 0x01, 0x02, 0x01];
    let mut changes = Vec::new();
    let required = [
        oid::AUTHORITY_KEY_ID,
        oid::AUTHORITY_INFO_ACCESS,
        oid::CRL_DISTRIBUTION_POINTS,
        oid::EXTENDED_KEY_USAGE,
        oid::SUBJECT_ALT_NAME,
        oid::KEY_USAGE,
        oid::BASIC_CONSTRAINTS,
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
        oid::NAME_CONSTRAINTS,
        oid::SUBJECT_KEY_ID,
        oid::CERTIFICATE_POLICIES,
        CLIENT_AUTH,
    ] {
        changes.push((
            "BR 7.1.2.11.5",
            change(move |t| t.add(id, b"\x30\x00".to_vec())),
        ));
    }
    let values = [
        (
            "BR 7.1.2.11.1",
            oid::AUTHORITY_KEY_ID,
            general_names(&[(0x80, &[7; 20])]),
        ),
        (
            "BR 7.1.2.7.7",
            oid::AUTHORITY_INFO_ACCESS,
            access(&[(OCSP, CA_URL)]),
        ),
        (
            "BR 7.1.2.7.7",
            oid::AUTHORITY_INFO_ACCESS,
            access(&[(oid::CA_ISSUERS, CRL_URL)]),
        ),
        (
            "BR 7.1.2.7.7",
            oid::AUTHORITY_INFO_ACCESS,
            access(&[(oid::CA_ISSUERS, CA_URL), (oid::CA_ISSUERS, CA_URL)]),
        ),
        (
            "BR 7.1.2.11.2",
            oid::CRL_DISTRIBUTION_POINTS,
            crl_points(&[CA_URL]),
        ),
        (
            "BR 7.1.2.11.2",
            oid::CRL_DISTRIBUTION_POINTS,
            crl_points(&[CRL_URL, CRL_URL]),
        ),
        (
            "BR 7.1.2.11.2",
            oid::CRL_DISTRIBUTION_POINTS,
            crl_points(&[]),
        ),
        (
            "BR 7.1.2.7.10",
            oid::EXTENDED_KEY_USAGE,
            sequence(|der| {
                der.oid(oid::SERVER_AUTH).oid(CLIENT_AUTH);
            }),
        ),
        (
            "BR 7.1.2.7.11",
            oid::KEY_USAGE,
            b"\x03\x02\x05\xa0".to_vec(),
        ),
        (
            "BR 7.1.2.7.11",
            oid::KEY_USAGE,
            b"\x03\x02\x01\x06".to_vec(),
        ),
        (
            "BR 7.1.2.7.8",
            oid::BASIC_CONSTRAINTS,
            b"\x30\x03\x01\x01\xff".to_vec(),
        ),
    ];
    for (rule, id, value) in values {
        changes.push((rule, change(move |t| t.set(id, value.clone()))));
    }
    let claimed = policies(&[DOMAIN_VALIDATED]);
    changes.push((
        "BR 7.1.6.1",
        change(move |t| t.add(oid::CERTIFICATE_POLICIES, claimed.clone())),
    ));
    changes
}

fn name_changes() -> Vec<(&'static str, Change)> {
    let mut changes = Vec::new();
    let dns = tag::context(2);
    for names in [
        general_names(&[]),
        general_names(&[(dns, b"shop.example"), (tag::context(7), &[192, 0, 2, 1])]),
        general_names(&[(dns, b"shop.example"), (tag::context(1), b"a@shop.example")]),
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
            change(move |t| t.set(oid::SUBJECT_ALT_NAME, names.clone())),
        ));
    }
    type Parts = Vec<(&'static [u8], u8, &'static str)>;
    let subject = |rule, parts: Parts| (rule, change(move |t| t.set_subject(&parts)));
    let utf8 = tag::UTF8_STRING;
    changes.extend([
        subject(
            "BR 7.1.4.3",
            vec![(oid::COMMON_NAME, utf8, "other.example")],
        ),
        subject("BR 7.1.4.3", vec![(oid::COMMON_NAME, utf8, "Shop.example")]),
        subject(
            "BR 7.1.4.2",
            vec![(oid::COMMON_NAME, tag::TELETEX_STRING, "shop.example")],
        ),
        subject("BR 7.1.4.2", vec![(oid::COMMON_NAME, utf8, "")]),
        subject(
            "BR 7.1.4.1",
            vec![
                (oid::COMMON_NAME, utf8, "shop.example"),
                (oid::COMMON_NAME, utf8, "shop.example"),
            ],
        ),
        subject(
            "BR 7.1.2.7.2",
            vec![
                (oid::ORGANIZATION, utf8, "Shop"),
                (oid::COMMON_NAME, utf8, "shop.example"),
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
        (
            "BR 7.1.4.1",
            change(|t| t.fields[ISSUER] = sequence(|_| {})),
        ),
        // 200 days to the second are one second too many, since both ends count.
        ("BR 6.3.2", validity(now(), now() + DAY * 200)),
        ("BR 6.3.2", validity(now(), now() - SECOND)),
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
        let tbs = LeafProfile::new(&issuer, url, url).build_tbs(&Leaf {
            serial: mint_serial().unwrap(),
            names: &[DomainName::parse("shop.example").unwrap()],
            spki_der: key.spki_der(),
            not_before: now(),
            not_after: now() + DAY,
        });
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
        assert_eq!(template.extension(oid::SUBJECT_ALT_NAME).1, critical);
    }
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
