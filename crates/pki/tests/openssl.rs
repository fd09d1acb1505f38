//! Requests against the `openssl` command line: ours have to pass there, and its own here.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::path::Path;
use std::process::Command;

use chancery_domain::names::DomainName;
use chancery_pki::csr::{Csr, CsrError, CsrSubject, generate_csr};
use chancery_pki::keys::{KeyAlgorithm, SigningKey};
use chancery_pki::pem;
use chancery_pki::public_keys::{KeyError, KeyKind};

fn openssl(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("these tests need the openssl command");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// A request made by `openssl req` with a new key.
fn request(folder: &Path, arguments: &[&str]) -> Result<Csr, CsrError> {
    let fixed = [
        "req", "-new", "-nodes", "-keyout", "key.pem", "-out", "csr.pem",
    ];
    let (made, said) = openssl(folder, &[&fixed, arguments].concat());
    assert!(made, "{said}");
    Csr::parse(&std::fs::read_to_string(folder.join("csr.pem")).unwrap())
}

#[test]
fn openssl_verifies_what_we_generate() {
    let folder = tempfile::tempdir().unwrap();
    let name = |text: &str| DomainName::parse(text).unwrap();
    let subject = CsrSubject {
        common_name: name("shop.example"),
        organization: Some("Zürich Bikes".into()),
        organization_unit: None,
        city: Some("Zürich".into()),
        state: Some("ZH".into()),
        country: Some("CH".into()),
        email: Some("it@shop.example".into()),
        names: vec![name("*.shop.example")],
    };
    let kinds = [
        (KeyAlgorithm::P256, "(256 bit)"),
        (KeyAlgorithm::P384, "(384 bit)"),
        (KeyAlgorithm::Rsa2048, "(2048 bit)"),
        (KeyAlgorithm::Rsa3072, "(3072 bit)"),
    ];
    for (algorithm, bits) in kinds {
        let made = generate_csr(&subject, algorithm).unwrap();
        std::fs::write(folder.path().join("csr.pem"), &made.csr_pem).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.private_key_pem.expose()).unwrap();
        let arguments = [
            "req", "-in", "csr.pem", "-noout", "-verify", "-text", "-nameopt", "utf8",
        ];
        let (verified, said) = openssl(folder.path(), &arguments);
        assert!(verified && said.contains("verify OK"), "{said}");
        for part in [
            "C=CH, ST=ZH, L=Zürich, O=Zürich Bikes, CN=shop.example, emailAddress=it@shop.example",
            "DNS:shop.example, DNS:*.shop.example",
            bits,
        ] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        let (_, of_key) = openssl(folder.path(), &["pkey", "-in", "key.pem", "-pubout"]);
        let (_, of_csr) = openssl(
            folder.path(),
            &["req", "-in", "csr.pem", "-pubkey", "-noout"],
        );
        assert_eq!(of_key, of_csr);
    }
}

#[test]
fn requests_of_openssl_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let subject = "/C=CH/ST=ZH/L=Zurich/O=Bikes/OU=IT/CN=shop.example/emailAddress=it@shop.example";
    let names =
        "subjectAltName=DNS:shop.example,DNS:www.shop.example,IP:192.0.2.1,email:a@b.example";
    let arguments = [
        "-newkey",
        "rsa:2048",
        "-sha384",
        "-subj",
        subject,
        "-addext",
        names,
        "-addext",
        "basicConstraints=CA:TRUE",
    ];
    let csr = request(folder.path(), &arguments).unwrap();
    assert_eq!(csr.common_name.as_deref(), Some("shop.example"));
    assert_eq!(csr.dns_names, ["shop.example", "www.shop.example"]);
    assert_eq!(csr.organization_unit.as_deref(), Some("IT"));
    assert_eq!(csr.city.as_deref(), Some("Zurich"));
    assert_eq!(csr.email.as_deref(), Some("it@shop.example"));
    assert_eq!((csr.key_kind, csr.key_bits), (KeyKind::Rsa, 2048));
    assert_eq!(csr.signature_algorithm, "SHA384withRSA");
    assert_eq!(csr.ignored.len(), 3, "{:?}", csr.ignored);

    let (_, spki) = openssl(folder.path(), &["pkey", "-in", "key.pem", "-pubout"]);
    assert_eq!(pem::decode(&spki, &["PUBLIC KEY"]).unwrap(), csr.spki_der);

    let ec = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-subj",
        "/",
    ];
    let csr = request(folder.path(), &ec).unwrap();
    assert_eq!(
        (csr.key_kind, csr.common_name, csr.dns_names.len()),
        (KeyKind::P384, None, 0)
    );
}

#[test]
fn attributes_in_any_order_keep_their_signature() {
    // A challenge password first and the extensions second is not the order of a DER SET.
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[req]\nprompt=no\ndistinguished_name=dn\nattributes=attributes\n\
        req_extensions=extensions\n[dn]\nCN=shop.example\n[attributes]\n\
        challengePassword=a secret\nunstructuredName=x\n[extensions]\nsubjectAltName=DNS:a.example\n";
    std::fs::write(folder.path().join("req.cnf"), configuration).unwrap();
    let csr = request(
        folder.path(),
        &["-newkey", "rsa:2048", "-config", "req.cnf"],
    )
    .unwrap();
    assert_eq!(csr.dns_names, ["a.example"]);
    assert!(!format!("{csr:?}").contains("a secret"));

    // The same two attributes swapped, and signed as they stand.
    let der = csr.der;
    let info = &der[4..];
    let find = |needle: &[u8]| {
        info.windows(needle.len())
            .position(|w| w == needle)
            .unwrap()
    };
    let extension_request = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
    let challenge_password = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07";
    let attribute = |kind: &[u8]| {
        let start = find(kind) - 2;
        (start, start + 2 + usize::from(info[start + 1]))
    };
    let mut pair = [attribute(extension_request), attribute(challenge_password)];
    pair.sort_unstable();
    let [(a, b), (c, d)] = pair;
    let length = 4 + (usize::from(info[2]) << 8 | usize::from(info[3]));
    let swapped = [
        &info[..a],
        &info[c..d],
        &info[b..c],
        &info[a..b],
        &info[d..length],
    ]
    .concat();
    let pem = std::fs::read_to_string(folder.path().join("key.pem")).unwrap();
    let key = SigningKey::from_pkcs8(&pem::decode(&pem, &["PRIVATE KEY"]).unwrap()).unwrap();
    let algorithm = key.algorithm().signature_algorithm_der();
    let signature = key.sign(&swapped).unwrap();
    let der = chancery_pki::certificate::assemble(&swapped, algorithm, &signature).unwrap();
    std::fs::write(
        folder.path().join("csr.pem"),
        pem::encode("CERTIFICATE REQUEST", &der),
    )
    .unwrap();
    let (verified, said) = openssl(
        folder.path(),
        &["req", "-in", "csr.pem", "-noout", "-verify"],
    );
    assert!(verified, "{said}");
    assert_eq!(Csr::from_der(der).unwrap().dns_names, ["a.example"]);
}

#[test]
fn keys_that_may_not_be_certified_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |arguments: &[&str]| match request(
        folder.path(),
        &[arguments, &["-subj", "/CN=shop.example"]].concat(),
    ) {
        Err(CsrError::Key(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refusal(&["-newkey", "rsa:1024"]),
        KeyError::TooShort { bits: 1024 }
    );
    assert_eq!(
        refusal(&["-newkey", "rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:3"]),
        KeyError::Exponent
    );
    assert_eq!(
        refusal(&["-newkey", "rsa:2052"]),
        KeyError::OddSize { bits: 2052 }
    );
    assert_eq!(
        refusal(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"]).to_string(),
        "the key is on the curve P-521; P-256 or P-384 is needed"
    );
    assert_eq!(
        refusal(&["-newkey", "ed25519"]),
        KeyError::Algorithm("Ed25519")
    );
    assert!(matches!(
        refusal(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
        KeyError::Curve(_)
    ));
    // The request's own hash is the requester's affair; over ECDSA nobody makes it.
    let signed = |arguments: &[&str]| {
        let arguments = [arguments, &["-sha1", "-subj", "/CN=a.example"]].concat();
        request(folder.path(), &arguments)
    };
    let rsa = signed(&["-newkey", "rsa:2048"]).unwrap();
    assert_eq!(rsa.signature_algorithm, "SHA1withRSA");
    let ecdsa = signed(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    assert_eq!(ecdsa.unwrap_err(), CsrError::SignatureAlgorithm("SHA-1"));
}
