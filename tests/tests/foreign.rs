//! Second opinions on what we sign: pkilint's PKIX and Baseline Requirements profiles, and OpenSSL.

use std::fs;
use std::path::Path;

use chancery_domain::Timestamp;
use chancery_domain::names::DomainName;
use chancery_domain::validity::{ValidityRules, days};
use chancery_issuers::{CaSettings, CaUrls, EmbeddedCa, LeafRequest};
use chancery_pki::certificate::to_pem;
use chancery_pki::identities::{BusinessCategory, Identity, Place, Registration};
use chancery_pki::keys::{KeyAlgorithm, SigningKey};
use chancery_pki::sealing::MasterKey;
use chancery_testkit::{Downloaded, Engine, TestServer, openssl, pkilint, run};
use serde_json::json;

/// A server whose CA has keys of this kind. Databases do not come into it, so one engine does.
async fn with_keys(algorithm: &str, logs: chancery_testkit::Logs) -> TestServer {
    TestServer::start_with(Engine::Sqlite, logs, |config| {
        config.ca.key_algorithm = algorithm.to_owned();
    })
    .await
}

#[test]
fn linters_have_nothing_to_say_about_p256() {
    run(async |logs| lint_everything(with_keys("P-256", logs).await).await);
}

#[test]
fn linters_have_nothing_to_say_about_p384() {
    run(async |logs| lint_everything(with_keys("P-384", logs).await).await);
}

#[test]
fn linters_have_nothing_to_say_about_rsa() {
    run(async |logs| lint_everything(with_keys("RSA-2048", logs).await).await);
}

async fn lint_everything(server: TestServer) {
    let panel = server.panel().await;
    let id = panel
        .issue("ssl123", &["shop.example.com", "*.shop.example.com"])
        .await;
    let downloaded = panel
        .verify(&id, &["shop.example.com", "www.shop.example.com"])
        .await;
    lint_pkix(&downloaded);
    lint_baseline(&downloaded);
    server.finish().await;
}

fn lint_pkix(downloaded: &Downloaded) {
    let Downloaded {
        leaf,
        issuing,
        root,
        lists,
        ..
    } = downloaded;
    for certificate in [leaf, issuing, root] {
        says_nothing("lint_pkix_cert", &["lint", &text(certificate)]);
    }
    for (signer, signed) in [(issuing, leaf), (root, issuing)] {
        let arguments = ["lint", &text(signer), &text(signed)];
        says_nothing("lint_pkix_signer_signee_cert_chain", &arguments);
    }
    for list in lists {
        says_nothing(
            "lint_crl",
            &["lint", "-t", "CRL", "-p", "PKIX", &text(list)],
        );
    }
}

pub(crate) fn lint_baseline(downloaded: &Downloaded) {
    let leaf = text(&downloaded.leaf);
    let arguments = ["lint", "-t", "DV-FINAL-CERTIFICATE", "-s", "ERROR", &leaf];
    says_nothing("lint_cabf_serverauth_cert", &arguments);
}

#[test]
fn linters_have_nothing_to_say_about_organizations() {
    let seat = || Place {
        country: "DE".to_owned(),
        state: Some("Nordrhein-Westfalen".to_owned()),
        locality: Some("Köln".to_owned()),
    };
    let registration = Registration {
        category: BusinessCategory::PrivateOrganization,
        jurisdiction: seat(),
        number: "HRB 12345".to_owned(),
    };
    let name = "Bücher & Söhne GmbH";
    let validated = Identity::new(name, seat()).unwrap();
    let extended = Identity::extended(name, seat(), registration).unwrap();
    for (kind, identity) in [("OV", &validated), ("EV", &extended)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("leaf.pem");
        fs::write(&file, a_leaf_of(identity)).unwrap();
        says_nothing("lint_pkix_cert", &["lint", &text(&file)]);
        let profile = format!("{kind}-FINAL-CERTIFICATE");
        let arguments = ["lint", "-t", &profile, "-s", "ERROR", &text(&file)];
        says_nothing("lint_cabf_serverauth_cert", &arguments);
    }
}

/// A leaf of a new CA, PEM.
fn a_leaf_of(identity: &Identity) -> String {
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let url = |file: &str| format!("http://pki.example.com/{file}");
    let urls = CaUrls {
        root_crl: url("root.crl"),
        root_certificate: url("root.crt"),
        issuing_crl: url("issuing.crl"),
        issuing_certificate: url("issuing.crt"),
    };
    let (settings, master) = (
        CaSettings::new("Example", "CH"),
        MasterKey::generate().unwrap(),
    );
    let made = EmbeddedCa::create(&settings, &urls, &master, now).unwrap();
    let ca = EmbeddedCa::open(&made, &urls, &master).unwrap();
    let name = DomainName::parse("shop.example.com").unwrap();
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let request = LeafRequest {
        names: &[name],
        identity: Some(identity),
        spki_der: key.spki_der(),
        validity: ValidityRules::default().leaf_validity(now, now + days(365)),
        cap_days: 200,
    };
    let reserved = ca.reserve(&request, now).unwrap();
    to_pem(&ca.sign(&reserved.tbs).unwrap())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Findings that we live with.
const WAIVED: [&str; 4] = [
    // BR 7.1.2.7.6 advises against the key identifier that RFC 5280 §4.2.1.2 asks of leaves.
    "pkix.certificate_skid_end_entity_missing (WARNING)",
    // RFC 5280 leaves wildcards to others (§4.2.1.6); this profile knows of none, RFC 9525 §6.3 does.
    "pkix.invalid_domain_name_syntax (ERROR): Invalid domain name syntax: \"*.shop.example.com\"",
    // To assert a policy of the CA/Browser Forum would claim an audit (BR 7.1.6.1).
    "cabf.serverauth.subscriber.certificate_policies_extension_absent (ERROR)",
    // The repository of a test is on loopback.
    "cabf.internal_domain_name (ERROR): Internal domain name: \"127.0.0.1\"",
];

fn says_nothing(program: &str, arguments: &[&str]) {
    let mut findings = pkilint(program, arguments);
    findings.retain(|finding| WAIVED.iter().all(|waived| !finding.starts_with(waived)));
    assert!(
        findings.is_empty(),
        "{program} {arguments:?}: {findings:#?}"
    );
}

#[test]
fn openssl_reads_the_csrs_we_make() {
    run(async |logs| {
        let server = TestServer::start(Engine::Sqlite, logs).await;
        let panel = server.panel().await;
        for (size, bits) in [(json!(2048), "2048 bit"), (json!("4096"), "4096 bit")] {
            let asked = json!({
                "commonName": "shop.example", "organization": "Bücher & Söhne", "city": "Köln",
                "state": "NRW", "countryCode": "de", "keySize": size, "sanfield": ["www.shop.example"],
            });
            let made = panel.http.post("/ssl/v2/generate-csr", &asked).await.data();
            let [csr, key] =
                ["csr", "privateKey"].map(|part| made[part].as_str().unwrap().to_owned());
            let read = openssl(
                &["req", "-verify", "-noout", "-text", "-nameopt", "utf8"],
                csr.as_bytes(),
            )
            .unwrap();
            for part in [
                bits,
                "Bücher & Söhne",
                "C=DE",
                "DNS:shop.example",
                "DNS:www.shop.example",
            ] {
                let read = read.replace(" = ", "=");
                assert!(read.contains(part), "{part}: {read}");
            }
            let of_csr = openssl(&["req", "-pubkey", "-noout"], csr.as_bytes()).unwrap();
            let of_key = openssl(&["pkey", "-pubout"], key.as_bytes()).unwrap();
            assert_eq!(of_csr, of_key, "key and CSR belong together");
            openssl(&["pkey", "-check", "-noout"], key.as_bytes()).unwrap();
        }
        server.finish().await;
    });
}

#[test]
fn we_read_the_csrs_openssl_makes() {
    run(async |logs| {
        let server = TestServer::start(Engine::Sqlite, logs).await;
        let panel = server.panel().await;
        for (kind, size) in [("rsa:2048", 2048), ("rsa:3072", 3072), ("ec", 256)] {
            let folder = tempfile::tempdir().unwrap();
            let key = folder.path().join("key.pem");
            let key = key.to_str().unwrap();
            let mut arguments = vec!["req", "-new", "-newkey", kind, "-nodes", "-keyout", key];
            if kind == "ec" {
                arguments.extend(["-pkeyopt", "ec_paramgen_curve:P-256"]);
            }
            arguments.extend(["-subj", "/C=MY/ST=Selangor/L=Kuala Lumpur/O=Shop Ltd/OU=IT/CN=shop.example/emailAddress=ann@shop.example"]);
            arguments.extend([
                "-addext",
                "subjectAltName=DNS:shop.example,DNS:www.shop.example",
            ]);
            let csr = openssl(&arguments, b"").unwrap();
            assert!(fs::metadata(key).unwrap().len() > 0);
            let read = panel
                .http
                .post("/ssl/v2/decode-csr", &json!({ "csr": csr }))
                .await
                .data();
            assert_eq!(read["commonName"], "shop.example");
            assert_eq!(read["organization"], "Shop Ltd");
            assert_eq!(read["countryCode"], "MY");
            assert_eq!(read["email"], "ann@shop.example");
            assert_eq!(read["keySize"], size);
            assert_eq!(
                read["sanfield"],
                json!(["shop.example", "www.shop.example"])
            );
        }
        server.finish().await;
    });
}
