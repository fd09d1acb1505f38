//! What is delivered, opened by those who will: OpenSSL, Java's keytool, Python.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::path::Path;
use std::process::{Command, Output};

use chancery_pki::delivery::{
    Chain, Extent, Form, KeyStore, Password, PrivateKeyError, Server, SubscriberKey,
};
use jiff::Timestamp;
use tempfile::TempDir;

/// Runs a program in a folder; gives whether it succeeded and all it printed.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("these tests need {program}: {error}"));
    let text = [stdout, stderr].concat();
    (
        status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Runs a program that has to succeed.
fn must(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let (succeeded, said) = run(folder, program, arguments);
    assert!(succeeded, "{program} {arguments:?}: {said}");
    said
}

fn openssl(folder: &Path, arguments: &str) -> String {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    must(folder, "openssl", &arguments)
}

/// A folder with `root`, `issuing` and `leaf`, each with key and certificate; the leaf's key as asked for.
fn a_chain(key: &str) -> (TempDir, Chain) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("ca.cnf"), "basicConstraints=critical,CA:TRUE\n").unwrap();
    for (name, key, signer) in [
        ("root", "EC -pkeyopt ec_paramgen_curve:P-256", None),
        (
            "issuing",
            "EC -pkeyopt ec_paramgen_curve:P-256",
            Some("root"),
        ),
        ("leaf", key, Some("issuing")),
    ] {
        openssl(at, &format!("genpkey -algorithm {key} -out {name}.key"));
        openssl(
            at,
            &format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"),
        );
        let signed_by = match signer {
            Some(signer) => format!("-CA {signer}.crt -CAkey {signer}.key"),
            None => "-signkey root.key".to_owned(),
        };
        let extensions = if name == "leaf" {
            ""
        } else {
            " -extfile ca.cnf"
        };
        openssl(
            at,
            &format!("x509 -req -in {name}.csr -out {name}.crt {signed_by}{extensions}"),
        );
        openssl(
            at,
            &format!("x509 -in {name}.crt -outform DER -out {name}.der"),
        );
    }
    let der = |name: &str| std::fs::read(at.join(name)).unwrap();
    let chain = Chain {
        leaf: der("leaf.der"),
        intermediates: vec![der("issuing.der")],
        root: der("root.der"),
    };
    (folder, chain)
}

fn now() -> Timestamp {
    "2026-11-22T08:09:10Z".parse().unwrap()
}

fn key_in(folder: &Path, file: &str) -> Result<SubscriberKey, PrivateKeyError> {
    SubscriberKey::parse(&std::fs::read(folder.join(file)).unwrap())
}

/// Packs the leaf with its key into a file.
fn packed(folder: &Path, chain: &Chain, store: KeyStore, password: &str, file: &str) {
    let key = key_in(folder, "leaf.key").unwrap();
    assert!(chain.is_for(&key));
    let password = Password::parse(password.as_bytes()).unwrap();
    let packed = chain.pack_with_key(store, &key, &password, "*.shop.example", now());
    std::fs::write(folder.join(file), packed.unwrap()).unwrap();
}

const KINDS: [&str; 4] = [
    "EC -pkeyopt ec_paramgen_curve:P-256",
    "EC -pkeyopt ec_paramgen_curve:P-384",
    "RSA -pkeyopt rsa_keygen_bits:2048",
    "RSA -pkeyopt rsa_keygen_bits:2056",
];

#[test]
fn keys_are_read_in_every_form_they_come_in() {
    for kind in KINDS {
        let (folder, chain) = a_chain(kind);
        let at = folder.path();
        openssl(at, "pkey -in leaf.key -traditional -out traditional.pem");
        openssl(at, "pkey -in leaf.key -outform DER -out pkcs8.der");
        openssl(
            at,
            "pkey -in traditional.pem -traditional -outform DER -out traditional.der",
        );
        let text = openssl(at, "pkey -in leaf.key -text");
        std::fs::write(at.join("text.pem"), text).unwrap();
        for file in [
            "leaf.key",
            "traditional.pem",
            "pkcs8.der",
            "traditional.der",
            "text.pem",
        ] {
            let key = key_in(at, file).unwrap_or_else(|error| panic!("{kind} {file}: {error}"));
            assert!(chain.is_for(&key), "{kind} {file}");
        }
        openssl(
            at,
            "pkcs8 -topk8 -in leaf.key -passout pass:x -out encrypted.pem",
        );
        openssl(
            at,
            "pkey -in leaf.key -traditional -aes128 -passout pass:x -out old.pem",
        );
        for file in ["encrypted.pem", "old.pem"] {
            assert_eq!(key_in(at, file).unwrap_err(), PrivateKeyError::Encrypted);
        }
        assert_eq!(
            key_in(at, "leaf.crt").unwrap_err(),
            PrivateKeyError::OtherPem
        );
        assert!(!chain.is_for(&key_in(at, "root.key").unwrap()));
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    openssl(at, "genpkey -algorithm ED25519 -out ed25519.pem");
    openssl(at, "ecparam -name secp521r1 -genkey -out p521.pem");
    openssl(at, "genrsa -out short.pem 1024");
    for file in ["ed25519.pem", "p521.pem", "short.pem"] {
        assert_eq!(key_in(at, file).unwrap_err(), PrivateKeyError::Unreadable);
    }
    openssl(at, "ecparam -name prime256v1 -genkey -out parameters.pem");
    key_in(at, "parameters.pem").unwrap();
}

#[test]
fn openssl_and_keytool_open_pkcs12() {
    for kind in KINDS {
        let (folder, chain) = a_chain(kind);
        let at = folder.path();
        let of_key = openssl(at, "pkey -in leaf.key -pubout");
        for (store, legacy, algorithms) in [
            (
                KeyStore::Pkcs12,
                "",
                &[
                    "MAC: sha256, Iteration 100000",
                    "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256",
                ][..],
            ),
            (
                KeyStore::Pkcs12Legacy,
                " -legacy",
                &[
                    "MAC: sha1, Iteration 2048",
                    "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
                ],
            ),
        ] {
            packed(at, &chain, store, "opensesame", "leaf.p12");
            let shown = openssl(
                at,
                &format!("pkcs12 -in leaf.p12 -passin pass:opensesame -noenc -info{legacy}"),
            );
            for algorithm in algorithms {
                assert!(shown.contains(algorithm), "{algorithm}: {shown}");
            }
            assert_eq!(shown.matches("BEGIN CERTIFICATE").count(), 2, "{shown}");
            assert_eq!(
                shown.matches("friendlyName: *.shop.example").count(),
                2,
                "{shown}"
            );
            assert_eq!(shown.matches("localKeyID").count(), 2, "{shown}");
            std::fs::write(at.join("opened.pem"), &shown).unwrap();
            assert_eq!(openssl(at, "pkey -in opened.pem -pubout"), of_key);

            let wrong = [
                "pkcs12",
                "-in",
                "leaf.p12",
                "-passin",
                "pass:opensesamE",
                "-noout",
            ];
            assert!(!run(at, "openssl", &wrong).0);
            keytool_lists(at, "leaf.p12", "opensesame");
        }
    }
}

/// Has keytool list a store with one entry and its chain.
fn keytool_lists(folder: &Path, file: &str, password: &str) {
    let arguments = ["-list", "-v", "-keystore", file, "-storepass", password];
    let shown = must(folder, "keytool", &arguments);
    for part in [
        "Your keystore contains 1 entry",
        "Alias name: *.shop.example",
        "Entry type: PrivateKeyEntry",
        "Certificate chain length: 2",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn keytool_opens_java_key_stores() {
    for kind in KINDS {
        let (folder, chain) = a_chain(kind);
        let at = folder.path();
        packed(at, &chain, KeyStore::Jks, "opensesame", "leaf.jks");
        let shown = must(
            at,
            "keytool",
            &[
                "-list",
                "-v",
                "-keystore",
                "leaf.jks",
                "-storepass",
                "opensesame",
            ],
        );
        assert!(shown.contains("Keystore type: JKS"), "{shown}");
        assert!(shown.contains("Creation date: Nov 22, 2026"), "{shown}");
        keytool_lists(at, "leaf.jks", "opensesame");
        let wrong = ["-list", "-keystore", "leaf.jks", "-storepass", "opensesamE"];
        assert!(!run(at, "keytool", &wrong).0);

        // Java can decipher the key itself, and it is the right one.
        let arguments = "-importkeystore -srckeystore leaf.jks -srcstorepass opensesame \
                         -destkeystore java.p12 -deststoretype PKCS12 -deststorepass opensesame";
        must(
            at,
            "keytool",
            &arguments.split_whitespace().collect::<Vec<_>>(),
        );
        let shown = openssl(at, "pkcs12 -in java.p12 -passin pass:opensesame -noenc");
        std::fs::write(at.join("opened.pem"), &shown).unwrap();
        assert_eq!(
            openssl(at, "pkey -in opened.pem -pubout"),
            openssl(at, "pkey -in leaf.key -pubout")
        );
    }
}

#[test]
fn passwords_of_every_kind_open() {
    let (folder, chain) = a_chain(KINDS[0]);
    let at = folder.path();
    let long = "long ".repeat(25);
    for password in ["x", "пароль-Ünïcode", "🔑 emoji key", &long] {
        for (store, legacy) in [
            (KeyStore::Pkcs12, None),
            (KeyStore::Pkcs12Legacy, Some("-legacy")),
        ] {
            packed(at, &chain, store, password, "leaf.p12");
            let pass = format!("pass:{password}");
            let mut arguments = vec!["pkcs12", "-in", "leaf.p12", "-noout", "-passin", &pass];
            arguments.extend(legacy);
            must(at, "openssl", &arguments);
        }
        packed(at, &chain, KeyStore::Jks, password, "leaf.jks");
    }
}

#[test]
fn openssl_opens_pkcs7_and_der() {
    let (folder, chain) = a_chain(KINDS[0]);
    let at = folder.path();
    for (form, file, read) in [
        (
            Form::Pkcs7Pem,
            "leaf.p7b",
            "pkcs7 -print_certs -in leaf.p7b",
        ),
        (
            Form::Pkcs7Der,
            "leaf.p7c",
            "pkcs7 -print_certs -inform DER -in leaf.p7c",
        ),
    ] {
        let packed = chain.pack(form, "leaf", now()).unwrap();
        std::fs::write(at.join(file), packed).unwrap();
        let shown = openssl(at, read);
        let subjects: Vec<&str> = shown
            .lines()
            .filter_map(|line| line.strip_prefix("subject="))
            .collect();
        assert_eq!(subjects.len(), 2, "{shown}");
        assert!(subjects.iter().any(|subject| subject.contains("leaf")));
        assert!(subjects.iter().any(|subject| subject.contains("issuing")));
    }
    let shown = openssl(at, "cms -cmsout -print -inform DER -in leaf.p7c");
    for part in [
        "version: 1",
        "pkcs7-data (1.2.840.113549.1.7.1)",
        "eContent: <ABSENT>",
        "<EMPTY>",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = must(at, "keytool", &["-printcert", "-file", "leaf.p7b"]);
    assert!(
        shown.contains("CN=leaf") && shown.contains("CN=issuing"),
        "{shown}"
    );

    std::fs::write(
        at.join("leaf2.der"),
        chain.pack(Form::Der, "leaf", now()).unwrap(),
    )
    .unwrap();
    assert!(openssl(at, "x509 -inform DER -in leaf2.der -noout -subject").contains("leaf"));
    let bundle = chain
        .pack(Form::Pem(Extent::WithIntermediates), "leaf", now())
        .unwrap();
    assert_eq!(
        String::from_utf8(bundle).unwrap().matches("BEGIN").count(),
        2
    );
}

#[test]
fn archives_are_whole() {
    let (folder, chain) = a_chain(KINDS[0]);
    let at = folder.path();
    let script = "import sys, zipfile\n\
        archive = zipfile.ZipFile(sys.argv[1])\n\
        assert archive.testzip() is None\n\
        for info in archive.infolist():\n\
        \x20   print(info.filename, '%d-%d-%d %d:%d:%d' % info.date_time, oct(info.external_attr >> 16))\n";
    for server in [Server::Any, Server::Nginx, Server::Iis] {
        let packed = chain
            .pack(Form::Archive(server), "*.shop.example", now())
            .unwrap();
        std::fs::write(at.join("archive.zip"), packed).unwrap();
        let shown = must(at, "python3", &["-c", script, "archive.zip"]);
        assert!(
            shown.contains("INSTALL.txt 2026-11-22 8:9:10 0o100644"),
            "{shown}"
        );
        must(at, "python3", &["-m", "zipfile", "-e", "archive.zip", "."]);
    }
    assert!(
        openssl(
            at,
            "x509 -in wildcard.shop.example.fullchain.pem -noout -subject"
        )
        .contains("leaf")
    );
    assert!(
        openssl(at, "x509 -inform DER -in intermediate1.cer -noout -subject").contains("issuing")
    );
}
