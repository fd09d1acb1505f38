//! Certificates as a stranger sees them: through OpenSSL, and through the URLs inside.

use std::fs;
use std::path::PathBuf;

use chancery_domain::Timestamp;
use tempfile::TempDir;

use crate::http::Http;
use crate::tools::openssl;

/// A downloaded certificate with its chain, and what its URLs lead to, as files.
pub struct Downloaded {
    /// The leaf, PEM.
    pub leaf: PathBuf,
    /// The issuing CA's certificate, PEM.
    pub issuing: PathBuf,
    /// The root, PEM.
    pub root: PathBuf,
    /// The revocation lists of root and issuing CA, DER.
    pub lists: [PathBuf; 2],
    crls: PathBuf,
    _folder: TempDir,
}

impl Downloaded {
    /// Takes a download of leaf and chain apart and fetches what its URLs name.
    pub async fn of(http: &Http, bundle: &str) -> Self {
        let blocks = pem_blocks(bundle);
        assert_eq!(
            blocks.len(),
            2,
            "leaf and issuing CA are expected: {bundle}"
        );
        let folder = TempDir::new().unwrap();
        let file = |name: &str, content: &[u8]| {
            let file = folder.path().join(name);
            fs::write(&file, content).unwrap();
            file
        };
        let leaf = file("leaf.pem", blocks[0].as_bytes());
        let issuing = file("issuing.pem", blocks[1].as_bytes());
        let of_leaf = Urls::of(http, blocks[0]);
        let of_issuing = Urls::of(http, blocks[1]);
        let served = fetched(http, &of_leaf.issuer, "application/pkix-cert").await;
        assert_eq!(
            to_pem("x509", &served),
            blocks[1],
            "the URL and the download agree"
        );
        let root = fetched(http, &of_issuing.issuer, "application/pkix-cert").await;
        let root = file("root.pem", to_pem("x509", &root).as_bytes());
        let root_list = fetched(http, &of_issuing.crl, "application/pkix-crl").await;
        let issuing_list = fetched(http, &of_leaf.crl, "application/pkix-crl").await;
        let crls = [&root_list, &issuing_list]
            .map(|der| to_pem("crl", der))
            .concat();
        Self {
            leaf,
            issuing,
            root,
            lists: [
                file("root.crl", &root_list),
                file("issuing.crl", &issuing_list),
            ],
            crls: file("crls.pem", crls.as_bytes()),
            _folder: folder,
        }
    }

    /// Has OpenSSL verify the chain, the lists and the host names, as of a time by the server's clock.
    pub fn verify(&self, now: &str, hosts: &[&str]) {
        let seconds = now.parse::<Timestamp>().unwrap().as_second().to_string();
        let path = |file: &PathBuf| file.display().to_string();
        for host in hosts {
            let arguments = [
                "verify".to_owned(),
                "-x509_strict".to_owned(),
                "-crl_check_all".to_owned(),
                "-CAfile".to_owned(),
                path(&self.root),
                "-untrusted".to_owned(),
                path(&self.issuing),
                "-CRLfile".to_owned(),
                path(&self.crls),
                "-attime".to_owned(),
                seconds.clone(),
                "-purpose".to_owned(),
                "sslserver".to_owned(),
                "-verify_hostname".to_owned(),
                (*host).to_owned(),
                path(&self.leaf),
            ];
            let said = openssl(&arguments, b"").unwrap_or_else(|said| panic!("{host}: {said}"));
            assert!(said.trim_end().ends_with(": OK"), "{said}");
        }
    }

    /// The leaf's serial, hexadecimal.
    pub fn serial(&self) -> String {
        let file = self.leaf.display().to_string();
        let said = openssl(&["x509", "-noout", "-serial", "-in", &file], b"").unwrap();
        said.trim().trim_start_matches("serial=").to_owned()
    }

    /// The first and the last second of the leaf.
    pub fn validity(&self) -> [Timestamp; 2] {
        let file = self.leaf.display().to_string();
        let dates = [
            "x509", "-noout", "-dates", "-dateopt", "iso_8601", "-in", &file,
        ];
        let said = openssl(&dates, b"").unwrap();
        let mut lines = said.lines().map(|line| {
            let (_, date) = line.split_once('=').unwrap();
            date.replace(' ', "T").parse().unwrap()
        });
        [(); 2].map(|()| lines.next().unwrap())
    }

    /// Why the leaf was revoked, in OpenSSL's words, by its CA's list as it was downloaded with it.
    pub fn revocation_reason(&self) -> Option<String> {
        self.reason_in(&fs::read(&self.lists[1]).unwrap())
    }

    /// Why the leaf is revoked by now.
    pub async fn revocation_reason_now(&self, http: &Http) -> Option<String> {
        let urls = Urls::of(http, &fs::read_to_string(&self.leaf).unwrap());
        self.reason_in(&fetched(http, &urls.crl, "application/pkix-crl").await)
    }

    fn reason_in(&self, list: &[u8]) -> Option<String> {
        let said = openssl(&["crl", "-inform", "DER", "-noout", "-text"], list).unwrap();
        let (_, entry) = said.split_once(&format!("Serial Number: {}", self.serial()))?;
        let entry = entry.split("Serial Number:").next().unwrap_or_default();
        let reason = entry.split("CRL Reason Code:").nth(1).unwrap_or_default();
        Some(reason.lines().nth(1).unwrap_or_default().trim().to_owned())
    }

    /// The leaf in OpenSSL's words.
    pub fn text(&self) -> String {
        text(&fs::read_to_string(&self.leaf).unwrap())
    }
}

/// A PEM certificate in OpenSSL's words.
fn text(pem: &str) -> String {
    openssl(&["x509", "-noout", "-text"], pem.as_bytes()).unwrap()
}

/// Splits PEM into its blocks.
pub fn pem_blocks(text: &str) -> Vec<&str> {
    const END: &str = "-----END CERTIFICATE-----\n";
    text.split_inclusive(END)
        .filter(|block| block.ends_with(END))
        .collect()
}

/// The paths at which a certificate says that its issuer and its list are found.
struct Urls {
    issuer: String,
    crl: String,
}

impl Urls {
    fn of(http: &Http, pem: &str) -> Self {
        let text = text(pem);
        let base = format!("http://{}", http.address());
        let after = |label: &str| {
            let (_, rest) = text
                .split_once(label)
                .unwrap_or_else(|| panic!("{label} {text}"));
            let (_, rest) = rest.split_once("URI:").unwrap();
            let url = rest.split_whitespace().next().unwrap();
            let path = url.strip_prefix(&base);
            path.unwrap_or_else(|| panic!("{url} is not below {base}"))
                .to_owned()
        };
        Self {
            issuer: after("CA Issuers"),
            crl: after("CRL Distribution Points"),
        }
    }
}

async fn fetched(http: &Http, path: &str, kind: &str) -> Vec<u8> {
    let reply = http.get(path).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, kind),
        "{path}"
    );
    reply.body.to_vec()
}

fn to_pem(kind: &str, der: &[u8]) -> String {
    openssl(&[kind, "-inform", "DER"], der).unwrap()
}
