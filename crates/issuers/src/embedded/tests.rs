use std::sync::LazyLock;

use chancery_domain::validity::ValidityRules;
use chancery_pki::certificate::CertificateInfo;
use chancery_pki::identities::Place;
use chancery_pki::keys::KeyAlgorithm;
use chancery_pki::names::NameError;
use chancery_pki::sealing::SealError;
use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    "2026-11-22T09:30:15.25Z".parse().unwrap()
}

fn urls() -> CaUrls {
    CaUrls {
        root_crl: "http://pki.example/root.crl".into(),
        root_certificate: "http://pki.example/root.crt".into(),
        issuing_crl: "http://pki.example/issuing.crl".into(),
        issuing_certificate: "http://pki.example/issuing.crt".into(),
    }
}

struct World {
    master: MasterKey,
    record: CaRecord,
    ca: EmbeddedCa,
    key: SigningKey,
}

fn a_world() -> World {
    let master = MasterKey::generate().unwrap();
    let settings = CaSettings::new("Example Hosting", "CH");
    let record = EmbeddedCa::create(&settings, &urls(), &master, now()).unwrap();
    let ca = EmbeddedCa::open(&record, &urls(), &master).unwrap();
    World {
        master,
        record,
        ca,
        key: SigningKey::generate(KeyAlgorithm::P256).unwrap(),
    }
}

fn reserve(world: &World, names: &[DomainName], at: Timestamp) -> Result<Reservation, IssueError> {
    let validity = ValidityRules::default().leaf_validity(at, at + days(365));
    let spki_der = world.key.spki_der();
    world.ca.reserve(
        &LeafRequest {
            names,
            identity: None,
            spki_der,
            validity,
            cap_days: 200,
        },
        at,
    )
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn rules_broken<T: std::fmt::Debug>(result: Result<T, IssueError>) -> Vec<&'static str> {
    match result {
        Err(IssueError::Refused(findings)) => findings.iter().map(|f| f.rule).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_reserved_is_what_is_signed() {
    let world = a_world();
    let names = [name("shop.example"), name("*.shop.example")];
    let reservation = reserve(&world, &names, now()).unwrap();
    let der = world.ca.sign(&reservation.tbs).unwrap();
    let signed = Signed::parse(&der).unwrap();
    assert_eq!(signed.tbs, reservation.tbs);
    let issuing = CertificateInfo::parse(world.ca.issuing_certificate_der()).unwrap();
    assert!(signed.verify(&issuing.spki_der).is_ok());
    let info = CertificateInfo::parse(&der).unwrap();
    assert_eq!(info.serial, reservation.serial);
    assert_eq!(info.dns_names, ["shop.example", "*.shop.example"]);
    assert_eq!(info.issuer_der, issuing.subject_der);
    assert_eq!(info.not_before, "2026-11-22T08:30:15Z".parse().unwrap());
    assert_eq!(info.not_after, "2027-06-09T08:30:14Z".parse().unwrap());
    assert_eq!(reservation.spki_sha256, sha256(world.key.spki_der()));
    assert_ne!(
        reserve(&world, &names, now()).unwrap().serial,
        reservation.serial
    );
}

#[test]
fn what_breaks_a_rule_is_not_reserved() {
    let world = a_world();
    assert!(rules_broken(reserve(&world, &[], now())).contains(&"BR 7.1.2.7.12"));

    let names = [name("shop.example")];
    let from = |not_before: Timestamp, length: SignedDuration, cap_days| {
        let validity = Validity {
            not_before,
            not_after: not_before + length,
        };
        let spki_der = world.key.spki_der();
        world.ca.reserve(
            &LeafRequest {
                names: &names,
                identity: None,
                spki_der,
                validity,
                cap_days,
            },
            now(),
        )
    };
    assert_eq!(rules_broken(from(now(), days(200), 200)), ["BR 6.3.2"]);
    assert!(from(now(), days(200) - SignedDuration::from_secs(1), 200).is_ok());
    assert_eq!(rules_broken(from(now(), days(826), 10_000)), ["BR 6.3.2"]);
    assert_eq!(
        rules_broken(from(now() - days(3), days(10), 200)),
        ["BR 7.1.2.7"]
    );

    let late = world.ca.not_after() - days(10);
    assert_eq!(
        rules_broken(reserve(&world, &names, late)),
        ["RFC 5280 6.1.3"]
    );
}

#[test]
fn only_own_and_undamaged_octets_are_signed() {
    let (world, other) = (a_world(), a_world());
    let foreign = reserve(&other, &[name("shop.example")], now()).unwrap();
    assert!(rules_broken(world.ca.sign(&foreign.tbs)).contains(&"BR 7.1.4.1"));
    // Neither a CA certificate nor a revocation list gets the leaf's signature.
    let root = Signed::parse(world.ca.root_certificate_der()).unwrap().tbs;
    assert!(!rules_broken(world.ca.sign(root)).is_empty());
    let list = world
        .ca
        .issuing_crl(1, now(), now() + days(4), &[])
        .unwrap();
    assert!(!rules_broken(world.ca.sign(Signed::parse(&list).unwrap().tbs)).is_empty());
}

#[test]
fn octets_that_waited_name_whom_they_may_name_by_then() {
    let world = a_world();
    let verified = |name: &str| {
        let place = Place {
            country: "MY".to_owned(),
            state: None,
            locality: Some("Kajang".to_owned()),
        };
        Identity::new(name, place).unwrap()
    };
    let (before, after) = (verified("Before Ltd"), verified("After Ltd"));
    let request = LeafRequest {
        names: &[name("shop.example")],
        identity: Some(&before),
        spki_der: world.key.spki_der(),
        validity: ValidityRules::default().leaf_validity(now(), now() + days(365)),
        cap_days: 200,
    };
    let tbs = world.ca.reserve(&request, now()).unwrap().tbs;
    assert!(world.ca.sign_naming(&tbs, Some(&before)).is_ok());
    assert!(!rules_broken(world.ca.sign_naming(&tbs, Some(&after))).is_empty());
    assert!(!rules_broken(world.ca.sign_naming(&tbs, None)).is_empty());
    let nobody = reserve(&world, &[name("shop.example")], now()).unwrap().tbs;
    assert!(world.ca.sign_naming(&nobody, None).is_ok());
    assert!(!rules_broken(world.ca.sign_naming(&nobody, Some(&before))).is_empty());
}

#[test]
fn keys_and_certificates_have_to_belong_together() {
    let (world, other) = (a_world(), a_world());
    let open = |record: &CaRecord, master| EmbeddedCa::open(record, &urls(), master);
    let wrong_key = open(&world.record, &other.master);
    assert!(matches!(wrong_key, Err(CaError::Seal(SealError::Refused))));

    let swapped = CaRecord {
        root_key_sealed: world.record.issuing_key_sealed.clone(),
        ..world.record.clone()
    };
    assert!(matches!(
        open(&swapped, &world.master),
        Err(CaError::Seal(SealError::Refused))
    ));

    let mismatched = CaRecord {
        issuing_certificate_der: other.record.issuing_certificate_der.clone(),
        ..world.record.clone()
    };
    assert!(matches!(
        open(&mismatched, &world.master),
        Err(CaError::Mismatch("issuing CA"))
    ));

    let pkcs8 = other
        .master
        .open(ISSUING_CONTEXT, &other.record.issuing_key_sealed)
        .unwrap();
    let grafted = CaRecord {
        issuing_certificate_der: other.record.issuing_certificate_der.clone(),
        issuing_key_sealed: world.master.seal(ISSUING_CONTEXT, &pkcs8).unwrap(),
        ..world.record.clone()
    };
    assert!(matches!(open(&grafted, &world.master), Err(CaError::Chain)));

    let damaged = CaRecord {
        root_certificate_der: vec![0x30],
        ..world.record.clone()
    };
    assert!(matches!(
        open(&damaged, &world.master),
        Err(CaError::Damaged)
    ));
}

#[test]
fn settings_are_checked_before_anything_is_signed() {
    let master = MasterKey::generate().unwrap();
    let create = |change: fn(&mut CaSettings)| {
        let mut settings = CaSettings::new("Example Hosting", "CH");
        change(&mut settings);
        EmbeddedCa::create(&settings, &urls(), &master, now())
    };
    assert!(matches!(create(|s| s.root_years = 7), Err(CaError::Years)));
    assert!(matches!(
        create(|s| s.country = "ch".into()),
        Err(CaError::Name(NameError::Country))
    ));
    assert!(matches!(
        create(|s| s.organization = "-".into()),
        Err(CaError::Name(_))
    ));
    for root_years in [8, 25] {
        let settings = CaSettings {
            root_years,
            ..CaSettings::new("Example", "CH")
        };
        // A day with leap days near and far, and one that some years do not have.
        for day in [
            "2026-11-22T00:00:00Z",
            "2028-02-29T12:00:00Z",
            "2031-03-01T00:00:00Z",
        ] {
            EmbeddedCa::create(&settings, &urls(), &master, day.parse().unwrap()).unwrap();
        }
    }
    let https = CaUrls {
        root_crl: "https://pki.example/root.crl".into(),
        ..urls()
    };
    let settings = CaSettings::new("Example", "CH");
    let refused = EmbeddedCa::create(&settings, &https, &master, now());
    assert!(matches!(refused, Err(CaError::Refused(_))));
}

#[test]
fn the_first_leaf_does_not_begin_before_its_issuer() {
    let world = a_world();
    let issuing = CertificateInfo::parse(world.ca.issuing_certificate_der()).unwrap();
    let reservation = reserve(&world, &[name("shop.example")], now()).unwrap();
    let leaf = CertificateInfo::parse_tbs(&reservation.tbs).unwrap();
    assert!(leaf.not_before >= issuing.not_before);
}

#[test]
fn nothing_secret_prints() {
    let world = a_world();
    assert!(format!("{:?}", world.ca).contains("SigningKey { algorithm: P256, .. }"));
    assert_eq!(world.ca.issuer_id().len(), 16);
}

#[test]
fn urls_without_an_encoding_are_refused_before_anything_is_signed() {
    let world = a_world();
    let settings = CaSettings::new("Example Hosting", "CH");
    let crooked = CaUrls {
        root_crl: "http://pki.bücher.example/root.crl".into(),
        issuing_crl: "http://pki.bücher.example/issuing.crl".into(),
        ..urls()
    };
    let created = EmbeddedCa::create(&settings, &crooked, &world.master, now());
    assert!(matches!(created, Err(CaError::Refused(_))));
    let opened = EmbeddedCa::open(&world.record, &crooked, &world.master);
    assert!(matches!(opened, Err(CaError::Refused(_))));

    let revoked = [Revoked {
        serial: vec![1; 21],
        at: now(),
        reason: None,
    }];
    let list = world
        .ca
        .issuing_crl(1, now(), now() + days(4), &revoked)
        .map(drop);
    assert_eq!(rules_broken(list), ["X.690"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A store that hands back other octets than were put there gets them signed only where they are, to
    /// the octet, what the profile builds for some leaf.
    #[test]
    fn damaged_reservations_are_refused_or_still_leaves(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        static WORLD: LazyLock<(World, Vec<u8>)> = LazyLock::new(|| {
            let world = a_world();
            let tbs = reserve(&world, &[name("shop.example")], now()).unwrap().tbs;
            (world, tbs)
        });
        let (world, tbs) = &*WORLD;
        let mut tbs = tbs.clone();
        for (at, octet) in changes {
            let at = at.index(tbs.len());
            tbs[at] = octet;
        }
        if world.ca.sign(&tbs).is_ok() {
            let info = CertificateInfo::parse_tbs(&tbs).unwrap();
            let mut serial = [0; 16];
            serial[16 - info.serial.len()..].copy_from_slice(&info.serial);
            let rebuilt = world.ca.profile.build_tbs(&Leaf {
                serial,
                names: &[name(&info.dns_names[0])],
                identity: None,
                spki_der: &info.spki_der,
                not_before: info.not_before,
                not_after: info.not_after,
            });
            prop_assert_eq!(rebuilt, Ok(tbs));
        }
    }
}

#[test]
fn an_issuing_ca_is_followed_by_another_under_the_same_root() {
    let world = a_world();
    let settings = CaSettings {
        key_algorithm: KeyAlgorithm::P384,
        ..CaSettings::new("Renamed Hosting", "CH")
    };
    let later = world.ca.not_after() + days(1);
    let record = world
        .ca
        .create_successor(&settings, &world.master, later)
        .unwrap();
    let id = issuer_id(&record.certificate_der).unwrap();
    let own = CaUrls {
        issuing_crl: format!("http://pki.example/{id}.crl"),
        issuing_certificate: format!("http://pki.example/{id}.crt"),
        ..urls()
    };
    let next = world
        .ca
        .open_successor(&record, &own, &world.master)
        .unwrap();
    assert_eq!(next.issuer_id(), id);
    assert_ne!(next.issuer_id(), world.ca.issuer_id());
    assert_eq!(next.root_pem(), world.ca.root_pem());
    assert!(next.not_after() > later + days(1094));

    let next = World { ca: next, ..world };
    let leaf = reserve(&next, &[name("shop.example")], later).unwrap();
    let info = CertificateInfo::parse(&next.ca.sign(&leaf.tbs).unwrap()).unwrap();
    let issuing = CertificateInfo::parse(next.ca.issuing_certificate_der()).unwrap();
    assert_eq!(info.issuer_der, issuing.subject_der);
    assert_eq!(
        issuing.issuer_der,
        CertificateInfo::parse(next.ca.root_certificate_der())
            .unwrap()
            .subject_der
    );
}

#[test]
fn a_successor_of_another_root_is_not_opened() {
    let (world, other) = (a_world(), a_world());
    let settings = CaSettings::new("Example Hosting", "CH");
    let foreign = other
        .ca
        .create_successor(&settings, &world.master, now())
        .unwrap();
    let opened = world.ca.open_successor(&foreign, &urls(), &world.master);
    assert!(matches!(opened, Err(CaError::Chain)));
    let sealed_elsewhere = world.ca.open_successor(&foreign, &urls(), &other.master);
    assert!(matches!(
        sealed_elsewhere,
        Err(CaError::Seal(SealError::Refused))
    ));
}

#[test]
fn no_issuing_ca_outlives_its_root_or_is_cut_short_by_it() {
    let world = a_world();
    let settings = CaSettings::new("Example Hosting", "CH");
    let end = world.ca.root_not_after();
    let at = |time| {
        world
            .ca
            .create_successor(&settings, &world.master, time)
            .map(|made| CertificateInfo::parse(&made.certificate_der).unwrap())
    };
    assert!(at(end - days(1096)).unwrap().not_after <= end);
    for late in [end - days(1000), end - days(1), end + days(1)] {
        let error = at(late).unwrap_err();
        assert!(matches!(error, CaError::RootEnds(told) if told == end));
        assert!(error.to_string().starts_with("the root ends at 2051-11-"));
    }
}
