//! Certificates in every form servers take, opened by programs that know nothing of ours.

use std::path::{Path, PathBuf};

use chancery_testkit::{
    Key, Panel, Reply, TestServer, csr_with_key, keytool, on_both_engines, openssl, pem_blocks,
    python,
};
use serde_json::json;

on_both_engines!(
    pem_der_and_pkcs7,
    pkcs12_opens_in_openssl_and_java,
    java_key_stores_open_in_java,
    archives_for_each_server,
    files_are_named_and_typed,
    what_is_wrong_with_a_key_is_told,
    only_what_is_issued_and_ones_own_is_delivered,
    forms_keep_their_limits,
    many_key_stores_at_once,
);

const PASSWORD: &str = "correct horse battery staple";

/// A certificate that was issued, and the key it was asked for with.
struct Issued {
    panel: Panel,
    id: String,
    key: String,
}

impl Issued {
    async fn on(server: &TestServer, names: &[&str], kind: Key) -> Self {
        let panel = server.panel().await;
        let made = csr_with_key(&names[..1], kind);
        let product = match names[0].starts_with("*.") {
            true => "dv-wildcard",
            false => "dv-single",
        };
        let id = panel.issue_for(product, names, &made.csr_pem).await;
        let key = made.private_key_pem.expose().to_owned();
        Self { panel, id, key }
    }

    /// Downloads what needs no key into a file.
    async fn file(&self, folder: &Path, format: &str) -> String {
        saved(folder, &self.panel.download(&self.id, format, None).await)
    }

    /// Downloads what needs one into a file.
    async fn file_with_key(&self, folder: &Path, format: &str, legacy: bool) -> String {
        saved(folder, &self.with_key(format, &self.key, legacy).await)
    }

    async fn with_key(&self, format: &str, key: &str, legacy: bool) -> Reply {
        let mut parts = vec![
            ("bundle", &b"true"[..]),
            ("pfxPassword", PASSWORD.as_bytes()),
            ("privateKey", key.as_bytes()),
        ];
        if legacy {
            parts.push(("legacy", b"true"));
        }
        self.panel.download_with(&self.id, format, &parts).await
    }

    fn public_key(&self) -> String {
        openssl(&["pkey", "-pubout"], self.key.as_bytes()).unwrap()
    }
}

/// Writes a download into a file of its own name and gives its path.
fn saved(folder: &Path, reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let (_, name) = reply
        .header("content-disposition")
        .split_once("filename=\"")
        .unwrap();
    let file: PathBuf = folder.join(name.trim_end_matches('"'));
    std::fs::write(&file, &reply.body).unwrap();
    file.display().to_string()
}

async fn pem_der_and_pkcs7(server: &mut TestServer) {
    let issued = Issued::on(server, &["shop.test"], Key::P256).await;
    let folder = tempfile::tempdir().unwrap();
    let all = issued
        .panel
        .download(&issued.id, "pem_all", None)
        .await
        .text();
    let [leaf, issuing, root] = pem_blocks(&all)[..] else {
        panic!("{all}")
    };
    for (format, bundle, expected) in [
        ("PEM", Some(false), leaf.to_owned()),
        ("PEM", Some(true), [leaf, issuing].concat()),
        ("default_pem", None, leaf.to_owned()),
        ("Pem_NoIntermediate", Some(true), leaf.to_owned()),
        ("pem_noroot", None, [leaf, issuing].concat()),
        ("PEM_CHAIN", None, issuing.to_owned()),
    ] {
        let reply = issued.panel.download(&issued.id, format, bundle).await;
        assert_eq!(reply.text(), expected, "{format}");
    }
    for (format, suffix) in [("DER", ".der"), ("crt", ".crt"), ("CER", ".cer")] {
        let file = issued.file(folder.path(), format).await;
        assert!(file.ends_with(suffix), "{file}");
        let pem = openssl(&["x509", "-inform", "DER", "-in", &file], b"").unwrap();
        assert_eq!(pem, leaf, "{format}");
    }
    for (format, form) in [("P7B", "PEM"), ("pkcs7", "PEM"), ("P7C", "DER")] {
        let file = issued.file(folder.path(), format).await;
        let arguments = ["pkcs7", "-print_certs", "-inform", form, "-in", &file];
        let shown = openssl(&arguments, b"").unwrap();
        for block in [leaf, issuing] {
            assert!(shown.contains(block.trim_end()), "{format}: {shown}");
        }
        assert!(!shown.contains(root.trim_end()), "the root stays out");
        let shown = keytool(&["-printcert", "-file", &file]).unwrap();
        assert_eq!(shown.matches("Owner:").count(), 2, "{shown}");
    }
}

async fn pkcs12_opens_in_openssl_and_java(server: &mut TestServer) {
    let folder = tempfile::tempdir().unwrap();
    for (names, kind) in [
        (&["shop.test"][..], Key::Rsa2048),
        (&["*.shop.test"], Key::P384),
    ] {
        let issued = Issued::on(server, names, kind).await;
        let password = format!("pass:{PASSWORD}");
        for (format, legacy, algorithm) in [
            (
                "PFX",
                false,
                "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256",
            ),
            (
                "p12",
                true,
                "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
            ),
        ] {
            let file = issued.file_with_key(folder.path(), format, legacy).await;
            let mut arguments = vec![
                "pkcs12", "-in", &file, "-noenc", "-info", "-passin", &password,
            ];
            arguments.extend(legacy.then_some("-legacy"));
            // What it says of the algorithms goes to the other stream.
            arguments.extend(["-out", "/dev/null"]);
            openssl(&arguments, b"").unwrap();
            let info = python(TO_ONE_STREAM, &[&["openssl"], &arguments[..]].concat()).unwrap();
            assert!(info.contains(algorithm), "{info}");

            let at = arguments.len() - 2;
            let opened = openssl(&arguments[..at], b"").unwrap();
            assert_eq!(pem_blocks(&opened).len(), 2, "{opened}");
            let of_store = openssl(&["pkey", "-pubout"], opened.as_bytes()).unwrap();
            assert_eq!(of_store, issued.public_key());
            lists_one_key(&file, names[0]);
        }
        issued
            .panel
            .verify(
                &issued.id,
                &["www.shop.test"][..usize::from(names.len() > 1)],
            )
            .await;
    }
}

/// Runs a program and prints what it says on either stream.
const TO_ONE_STREAM: &str = "import subprocess, sys\n\
    print(subprocess.run(sys.argv[1:], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True).stdout)";

/// Has keytool open a store and find the key with its chain under the name.
fn lists_one_key(file: &str, name: &str) {
    let shown = keytool(&["-list", "-v", "-keystore", file, "-storepass", PASSWORD]).unwrap();
    for part in [
        "Your keystore contains 1 entry",
        &format!("Alias name: {name}"),
        "Entry type: PrivateKeyEntry",
        "Certificate chain length: 2",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let wrong = ["-list", "-keystore", file, "-storepass", "correct horse"];
    assert!(keytool(&wrong).is_err());
}

async fn java_key_stores_open_in_java(server: &mut TestServer) {
    let issued = Issued::on(server, &["shop.test"], Key::Rsa2048).await;
    let folder = tempfile::tempdir().unwrap();
    let file = issued.file_with_key(folder.path(), "JKS", false).await;
    lists_one_key(&file, "shop.test");
    let copy = folder.path().join("copy.p12").display().to_string();
    let arguments = [
        ["-importkeystore", "-noprompt"],
        ["-srckeystore", &file],
        ["-srcstoretype", "JKS"],
        ["-srcstorepass", PASSWORD],
        ["-destkeystore", &copy],
        ["-deststoretype", "PKCS12"],
        ["-deststorepass", PASSWORD],
    ];
    keytool(&arguments.concat()).unwrap();
    let password = format!("pass:{PASSWORD}");
    let arguments = ["pkcs12", "-in", &copy, "-noenc", "-passin", &password];
    let opened = openssl(&arguments, b"").unwrap();
    let of_store = openssl(&["pkey", "-pubout"], opened.as_bytes()).unwrap();
    assert_eq!(of_store, issued.public_key());
}

async fn archives_for_each_server(server: &mut TestServer) {
    let issued = Issued::on(server, &["*.shop.test"], Key::P256).await;
    let all = issued
        .panel
        .download(&issued.id, "pem_all", None)
        .await
        .text();
    let blocks = pem_blocks(&all);
    let (leaf, issuing, both) = (blocks[0], blocks[1], blocks[..2].concat());
    let name = |suffix: &str| format!("wildcard.shop.test{suffix}");
    let pem = |files: &[(&str, &str)]| -> Vec<(String, String)> {
        let file = |(suffix, text): &(&str, &str)| (name(suffix), (*text).to_owned());
        files.iter().map(file).collect()
    };
    let usual = pem(&[
        (".crt", leaf),
        (".chain.crt", issuing),
        (".fullchain.pem", &both),
    ]);
    for (format, in_pem, others) in [
        (
            "ZIP",
            [&usual[..], &pem(&[(".root.crt", blocks[2])])].concat(),
            vec![name(".p7b")],
        ),
        (
            "default",
            usual.clone(),
            vec![name(".p7b"), name(".root.crt")],
        ),
        ("apache", usual.clone(), vec![]),
        ("NGINX", usual.clone(), vec![]),
        ("mail", usual.clone(), vec![]),
        (
            "HAProxy",
            pem(&[(".pem", &both), (".crt", leaf), (".chain.crt", issuing)]),
            vec![],
        ),
        (
            "TOMCAT",
            pem(&[(".crt", leaf), (".chain.crt", issuing)]),
            vec![name(".p7b")],
        ),
        (
            "IIS",
            vec![],
            vec![name(".p7b"), name(".cer"), "intermediate1.cer".to_owned()],
        ),
        (
            "default_cer",
            vec![],
            vec![
                name(".p7b"),
                name(".cer"),
                "intermediate1.cer".to_owned(),
                "root.cer".to_owned(),
            ],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = issued.file(folder.path(), format).await;
        let into = folder.path().join("unpacked");
        let script = "import sys, zipfile\n\
            archive = zipfile.ZipFile(sys.argv[1])\n\
            assert archive.testzip() is None\n\
            archive.extractall(sys.argv[2])";
        python(script, &[&file, &into.display().to_string()]).unwrap();
        let read = |name: &str| std::fs::read_to_string(into.join(name)).unwrap();
        for (name, text) in &in_pem {
            assert_eq!(read(name), *text, "{format} {name}");
        }
        let mut expected: Vec<&str> = in_pem.iter().map(|(name, _)| &name[..]).collect();
        expected.extend(others.iter().map(String::as_str));
        expected.push("INSTALL.txt");
        expected.sort_unstable();
        let files = std::fs::read_dir(&into).unwrap();
        let mut files: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort_unstable();
        assert_eq!(files, expected, "{format}");
        assert!(
            read("INSTALL.txt").contains("wildcard.shop.test"),
            "{format}"
        );
        for file in files {
            let path = into.join(&file).display().to_string();
            if file.ends_with(".cer") {
                openssl(&["x509", "-inform", "DER", "-noout", "-in", &path], b"").unwrap();
            } else if file.ends_with(".p7b") {
                openssl(&["pkcs7", "-noout", "-in", &path], b"").unwrap();
            }
        }
    }
}

async fn files_are_named_and_typed(server: &mut TestServer) {
    let issued = Issued::on(server, &["*.shop.test"], Key::P256).await;
    for (format, name, kind) in [
        ("PEM", "pem", "application/x-pem-file"),
        ("pem_chain", "chain.pem", "application/x-pem-file"),
        ("der", "der", "application/pkix-cert"),
        ("p7b", "p7b", "application/x-pkcs7-certificates"),
        ("pfx", "pfx", "application/x-pkcs12"),
        ("pkcs12", "p12", "application/x-pkcs12"),
        ("jks", "jks", "application/x-java-keystore"),
        ("zip", "zip", "application/zip"),
        ("nginx", "nginx.zip", "application/zip"),
    ] {
        let reply = issued.with_key(format, &issued.key, false).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let expected = format!("attachment; filename=\"wildcard.shop.test.{name}\"");
        assert_eq!(reply.header("content-disposition"), expected);
        assert_eq!(reply.header("content-type"), kind);
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(reply.header("cache-control").contains("no-store"));
    }
}

async fn what_is_wrong_with_a_key_is_told(server: &mut TestServer) {
    let issued = Issued::on(server, &["shop.test"], Key::P256).await;
    let other = csr_with_key(&["shop.test"], Key::P256);
    let other = other.private_key_pem.expose();
    let encrypted = ["pkcs8", "-topk8", "-passout", "pass:x"];
    let encrypted = openssl(&encrypted, issued.key.as_bytes()).unwrap();
    let certificate = issued.panel.certificate(&issued.id).await;
    let told = async |format: &str, key: &str| {
        let refusal = issued.with_key(format, key, false).await.refusal();
        refusal.is(400, "SSL4000", "Field validation error.");
        refusal.about("privateKey").concat()
    };
    for format in ["PFX", "JKS"] {
        for (key, text) in [
            (other, "the key does not belong to the certificate."),
            (
                &encrypted[..],
                "the key is encrypted; remove its passphrase before it is sent.",
            ),
            (&certificate[..], "the file holds no private key."),
            (
                "gibberish",
                "the file is not a private key that can be read: RSA, or ECDSA on P-256 or P-384, \
                 as PKCS#8, PKCS#1 or SEC1 is needed.",
            ),
        ] {
            assert_eq!(
                told(format, key).await,
                format!("'privateKey' is invalid: {text}")
            );
        }
        let nothing = issued
            .panel
            .download(&issued.id, format, Some(true))
            .await
            .refusal();
        nothing.is(400, "SSL4000", "Field validation error.");
        assert_eq!(nothing.about("privateKey"), ["'privateKey' is required."]);
        assert_eq!(nothing.about("pfxPassword"), ["'pfxPassword' is required."]);

        let long = "x".repeat(129);
        for (password, text) in [
            ("", "'pfxPassword' is required."),
            (
                &long[..],
                "'pfxPassword' has an invalid length - min: 1 | max: 128",
            ),
            (
                "a\tb",
                "'pfxPassword' is invalid: a password is text without control characters.",
            ),
        ] {
            let parts = [
                ("privateKey", other.as_bytes()),
                ("pfxPassword", password.as_bytes()),
            ];
            let refusal = issued
                .panel
                .download_with(&issued.id, format, &parts)
                .await
                .refusal();
            assert_eq!(refusal.about("pfxPassword"), [text]);
            assert_eq!(
                refusal.about("privateKey").len(),
                1,
                "both are told at once"
            );
        }
    }
    let parts = [("legacy", &b"perhaps"[..])];
    let refusal = issued
        .panel
        .download_with(&issued.id, "PFX", &parts)
        .await
        .refusal();
    assert_eq!(
        refusal.about("legacy"),
        ["'legacy' is invalid. Acceptable values are 'true', 'false'."]
    );
}

async fn only_what_is_issued_and_ones_own_is_delivered(server: &mut TestServer) {
    let issued = Issued::on(server, &["shop.test"], Key::P256).await;
    let refusal = issued
        .panel
        .download(&issued.id, "doc", None)
        .await
        .refusal();
    let (status, sub_code) = (refusal.status, &refusal.sub_code[..]);
    assert_eq!((status, sub_code), (400, "SSL2400"));
    let start = "Invalid format. Acceptable values are: [PEM, DEFAULT_PEM, ";
    assert!(refusal.message.starts_with(start), "{}", refusal.message);

    let order = issued
        .panel
        .order("dv-single", "dns", &["other.test"])
        .await;
    let open = issued.panel.place(&order).await;
    let stranger = server.another_panel("0.00").await;
    for format in ["PEM", "P7B", "PFX", "JKS", "ZIP"] {
        let parts = [
            ("privateKey", issued.key.as_bytes()),
            ("pfxPassword", PASSWORD.as_bytes()),
        ];
        let refusal = issued
            .panel
            .download_with(&open.id, format, &parts)
            .await
            .refusal();
        refusal.is(400, "SSL2400", "The certificate is not issued yet.");
        let refusal = stranger
            .download_with(&issued.id, format, &parts)
            .await
            .refusal();
        refusal.is(400, "SSL2400", "Order not found.");
    }
}

async fn forms_keep_their_limits(server: &mut TestServer) {
    let issued = Issued::on(server, &["shop.test"], Key::P256).await;
    let padding = vec![b'x'; 1024 * 1024];
    let parts = [
        ("privateKey", issued.key.as_bytes()),
        ("more", &padding[..]),
    ];
    let refusal = issued
        .panel
        .download_with(&issued.id, "PFX", &parts)
        .await
        .refusal();
    refusal.is(413, "SSL4130", "Request body is too large.");

    let http = &issued.panel.http;
    let path = format!("/ssl/v2/orders/{}/download/format/PFX", issued.id);
    for (kind, body) in [
        ("multipart/form-data", "--x--"),
        ("multipart/form-data; boundary=x", "--x\r\nbroken"),
        ("multipart/form-data; boundary=x", "--y--\r\n"),
        ("multipart/form-data; boundary=x", "no form at all"),
    ] {
        let http = http.with_header("content-type", kind);
        let refusal = http.send("POST", &path, body).await.refusal();
        refusal.is(400, "SSL4002", "Unparseable multipart input");
    }
    // Secrets come in forms only; words may come otherwise.
    let body = json!({ "bundle": true, "privateKey": issued.key, "pfxPassword": PASSWORD });
    let refusal = http.post(&path, &body).await.refusal();
    assert_eq!(refusal.about("privateKey"), ["'privateKey' is required."]);
    let path = path.replace("PFX", "PEM");
    let reply = http.post(&path, &json!({ "bundle": "true" })).await;
    assert_eq!(pem_blocks(&reply.text()).len(), 2);
    let form = http.with_header("content-type", "application/x-www-form-urlencoded");
    let reply = form.send("POST", &path, "bundle=true").await;
    assert_eq!(pem_blocks(&reply.text()).len(), 2);
}

async fn many_key_stores_at_once(server: &mut TestServer) {
    let issued = Issued::on(server, &["shop.test"], Key::P256).await;
    let requests = (0..12).map(|_| issued.with_key("PFX", &issued.key, false));
    for reply in futures_util::future::join_all(requests).await {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}
