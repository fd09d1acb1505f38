//! A second opinion on everything the embedded CA signs: the `openssl` command line.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::path::Path;
use std::process::Command;

use chancery_domain::names::DomainName;
use chancery_domain::validity::ValidityRules;
use chancery_issuers::{CaSettings, CaUrls, EmbeddedCa, LeafRequest, Reservation, Revoked};
use chancery_pki::certificate::to_pem;
use chancery_pki::identities::{BusinessCategory, Identity, Place, Registration};
use chancery_pki::keys::{KeyAlgorithm, SigningKey};
use chancery_pki::pem;
use chancery_pki::sealing::MasterKey;
use jiff::{SignedDuration, Timestamp};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-22T09:30:15.25Z".parse().unwrap()
}

fn urls() -> CaUrls {
    CaUrls {
        root_crl: "http://pki.example/root.crl".into(),
        root_certificate: "http://pki.example/root.cer".into(),
        issuing_crl: "http://pki.example/issuing.crl".into(),
        issuing_certificate: "http://pki.example/issuing.cer".into(),
    }
}

fn a_ca(algorithm: KeyAlgorithm) -> EmbeddedCa {
    let settings = CaSettings {
        key_algorithm: algorithm,
        ..CaSettings::new("Example Hosting", "CH")
    };
    let master = MasterKey::generate().unwrap();
    let record = EmbeddedCa::create(&settings, &urls(), &master, now()).unwrap();
    EmbeddedCa::open(&record, &urls(), &master).unwrap()
}

fn reserve(ca: &EmbeddedCa, names: &[&str], key: &SigningKey) -> Reservation {
    reserve_for(ca, names, None, key)
}

fn reserve_for(
    ca: &EmbeddedCa,
    names: &[&str],
    identity: Option<&Identity>,
    key: &SigningKey,
) -> Reservation {
    let names: Vec<_> = names
        .iter()
        .map(|name| DomainName::parse(name).unwrap())
        .collect();
    let request = LeafRequest {
        names: &names,
        identity,
        spki_der: key.spki_der(),
        validity: ValidityRules::default().leaf_validity(now(), now() + DAY * 365),
        cap_days: 200,
    };
    ca.reserve(&request, now()).unwrap()
}

fn openssl(folder: &Path, arguments: &str) -> (bool, String) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("these tests need the openssl command");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn verify(folder: &Path, name: &str) -> (bool, String) {
    let at = now().as_second();
    openssl(
        folder,
        &format!(
            "verify -x509_strict -purpose sslserver -verify_hostname {name} -attime {at} \
             -crl_check_all -CAfile root.pem -untrusted issuing.pem -CRLfile crls.pem leaf.pem"
        ),
    )
}

#[test]
fn openssl_accepts_the_chain_and_both_lists() {
    for algorithm in [
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
        KeyAlgorithm::Rsa2048,
    ] {
        let ca = a_ca(algorithm);
        let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let reservation = reserve(&ca, &["shop.example", "*.shop.example"], &key);
        let leaf = ca.sign(&reservation.tbs).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let lists = |revoked: &[Revoked]| {
            let root = ca.root_crl(1, now(), now() + DAY * 300, &[]).unwrap();
            let issuing = ca.issuing_crl(7, now(), now() + DAY * 4, revoked).unwrap();
            pem::encode("X509 CRL", &root) + &pem::encode("X509 CRL", &issuing)
        };
        write("root.pem", &ca.root_pem());
        write("issuing.pem", &ca.chain_pem());
        write("leaf.pem", &to_pem(&leaf));
        write("crls.pem", &lists(&[]));

        for name in ["shop.example", "www.shop.example"] {
            let (verified, said) = verify(folder.path(), name);
            assert!(verified, "{algorithm}: {said}");
        }
        assert!(!verify(folder.path(), "workshop.example").0);

        let revoked = Revoked {
            serial: reservation.serial,
            at: now(),
            reason: Some(1),
        };
        let other = Revoked {
            serial: vec![0x91; 16],
            at: now(),
            reason: Some(0),
        };
        write("crls.pem", &lists(&[other, revoked]));
        let (verified, said) = verify(folder.path(), "shop.example");
        assert!(
            !verified && said.contains("certificate revoked"),
            "{algorithm}: {said}"
        );
    }
}

#[test]
fn openssl_reads_what_the_profile_says() {
    let ca = a_ca(KeyAlgorithm::P256);
    let key = SigningKey::generate(KeyAlgorithm::Rsa2048).unwrap();
    let long = format!("{}.{}.example", "a".repeat(40), "b".repeat(40));
    let folder = tempfile::tempdir().unwrap();
    for (name, subject, san) in [
        (
            "shop.example",
            "subject=CN = shop.example",
            "X509v3 Subject Alternative Name: \n",
        ),
        (
            long.as_str(),
            "subject=",
            "X509v3 Subject Alternative Name: critical\n",
        ),
    ] {
        let leaf = ca.sign(&reserve(&ca, &[name], &key).tbs).unwrap();
        std::fs::write(folder.path().join("leaf.pem"), to_pem(&leaf)).unwrap();
        let (_, said) = openssl(folder.path(), "x509 -in leaf.pem -noout -subject -dates");
        assert!(said.lines().any(|line| line == subject), "{said}");
        assert!(
            said.contains("notBefore=Nov 22 08:30:15 2026 GMT"),
            "{said}"
        );
        assert!(said.contains("notAfter=Jun  9 08:30:14 2027 GMT"), "{said}");
        let (_, said) = openssl(folder.path(), "x509 -in leaf.pem -noout -text");
        for part in [
            san,
            &format!("DNS:{name}\n"),
            "X509v3 Key Usage: critical\n                Digital Signature\n",
            "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
            "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
            "CA Issuers - URI:http://pki.example/issuing.cer\n",
            "URI:http://pki.example/issuing.crl\n",
        ] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
    }
}

#[test]
fn openssl_reads_the_organizations_of_leaves() {
    let ca = a_ca(KeyAlgorithm::P256);
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let place = |state: Option<&str>, locality: Option<&str>| Place {
        country: "DE".to_owned(),
        state: state.map(str::to_owned),
        locality: locality.map(str::to_owned),
    };
    let name = "Bücher & Söhne GmbH";
    let seat = || place(Some("Nordrhein-Westfalen"), Some("Köln"));
    let registration = Registration {
        category: BusinessCategory::PrivateOrganization,
        jurisdiction: place(Some("Nordrhein-Westfalen"), Some("Köln")),
        number: "HRB 12345".to_owned(),
    };
    let long = format!("{}.{}.example", "a".repeat(40), "b".repeat(40));
    let organization = "C=DE, ST=Nordrhein-Westfalen, L=Köln, O=Bücher & Söhne GmbH";
    let registered = "businessCategory=Private Organization, jurisdictionC=DE, \
        jurisdictionST=Nordrhein-Westfalen, jurisdictionL=Köln, serialNumber=HRB 12345, ";
    let validated = Identity::new(name, seat()).unwrap();
    let extended = Identity::extended(name, seat(), registration).unwrap();
    for (identity, host, subject) in [
        (
            &validated,
            "shop.example",
            format!("{organization}, CN=shop.example"),
        ),
        (&validated, &long, organization.to_owned()),
        (
            &extended,
            "shop.example",
            format!("{registered}{organization}, CN=shop.example"),
        ),
    ] {
        let leaf = reserve_for(&ca, &[host], Some(identity), &key);
        let leaf = ca.sign(&leaf.tbs).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("leaf.pem"), to_pem(&leaf)).unwrap();
        let read = "x509 -in leaf.pem -noout -subject -nameopt oneline,-esc_msb,utf8,-space_eq";
        let (_, said) = openssl(folder.path(), read);
        assert_eq!(said.trim(), format!("subject={subject}"));
        let (_, said) = openssl(folder.path(), "x509 -in leaf.pem -noout -text");
        assert!(
            said.contains("X509v3 Subject Alternative Name: \n"),
            "{said}"
        );
        assert!(!said.contains("Policies"), "{said}");
    }
}
