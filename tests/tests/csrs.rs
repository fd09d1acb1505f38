//! CSRs as tools and people send them.

use std::fs;
use std::path::Path;

use chancery_testkit::{TestServer, on_both_engines};
use serde_json::json;

on_both_engines!(
    csrs_are_read_as_they_come,
    a_csr_of_old_iis_is_certified_with_sha_256,
    csrs_that_cannot_be_read_say_what_to_do,
);

/// A file as a form sends it: in UTF-8, or else with each octet as a character.
fn sent(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/csrs");
    String::from_utf8(fs::read(folder.join(file)).unwrap())
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

async fn csrs_are_read_as_they_come(server: &mut TestServer) {
    let panel = server.panel().await;
    for (file, name) in [
        ("four-dashes.txt", "text.example"),
        ("byte-order-mark.txt", "text.example"),
        ("zero-width-space.txt", "text.example"),
        ("utf-16.bin", "text.example"),
        ("version-2.txt", "v2.example"),
        ("empty-extension-request.txt", "pbx.example"),
        ("iis-sha-1.txt", "iis.example"),
    ] {
        let body = json!({ "csr": sent(file) });
        let read = panel.http.post("/ssl/v2/decode-csr", &body).await.data();
        assert_eq!(read["commonName"], name, "{file}: {read}");
        if file.starts_with("empty") {
            assert_eq!(read["sanfield"], json!([]), "{read}");
        }
    }
    let body = json!({ "csr": sent("iis-sha-1.txt") });
    let read = panel.http.post("/ssl/v2/decode-csr", &body).await.data();
    assert_eq!(read["signatureAlgorithm"], "SHA1withRSA");
    let ignored = read["ignored"].as_array().unwrap();
    assert!(
        ignored.contains(&json!("extension 1.2.840.113549.1.9.15")),
        "{read}"
    );
}

async fn a_csr_of_old_iis_is_certified_with_sha_256(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel
        .issue_for("dv-single", &["iis.example"], &sent("iis-sha-1.txt"))
        .await;
    let issued = panel.verify(&id, &["iis.example"]).await.text();
    assert!(
        issued.contains("Signature Algorithm: ecdsa-with-SHA256"),
        "{issued}"
    );
}

async fn csrs_that_cannot_be_read_say_what_to_do(server: &mut TestServer) {
    let panel = server.panel().await;
    let good = sent("four-dashes.txt").replace("----BEGIN", "-----BEGIN");
    let body: String = good.lines().filter(|line| !line.contains("--")).collect();
    for (csr, sentence) in [
        (
            format!("{body}\n-----END CERTIFICATE REQUEST-----"),
            "'-----BEGIN …-----' is missing",
        ),
        (
            format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}"),
            "'-----END …-----' is missing",
        ),
        (format!("{good}\n{good}"), "more text after the END line"),
        (
            good.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
            "this is a CERTIFICATE",
        ),
        (
            good.replace("MIHS", "M!HS"),
            "not valid base64, since it has '!' in it: please copy the whole file again",
        ),
    ] {
        let body = json!({ "csr": csr });
        let refused = panel.http.post("/ssl/v2/decode-csr", &body).await.refusal();
        refused.is(400, "SSL4000", "Field validation error.");
        let told = refused.about("csr").join(" ");
        assert!(told.contains(sentence), "{told}");
    }
}
