//! `/pki/revoke`: whoever holds a certificate's key has it revoked, without an account; with OpenSSL and curl's own
//! requests, and as programs for revocation do it.

use chancery_pki::csr::GeneratedCsr;
use chancery_pki::pem;
use chancery_testkit::{
    Downloaded, Key, Panel, Reply, TestServer, csr_with_key, on_both_engines, openssl,
};
use serde_json::{Value, json};
use tempfile::TempDir;

on_both_engines!(
    whoever_holds_the_key_revokes_by_a_csr_made_for_it,
    whoever_holds_the_key_revokes_by_a_signed_message,
    whoever_holds_the_key_revokes_what_a_restored_backup_did_not_have,
    nothing_else_proves_the_key,
    a_proof_that_is_sent_again_changes_nothing,
    an_address_may_ask_so_often,
);

/// An order with its certificate, and the key as a file.
struct Held {
    id: String,
    made: GeneratedCsr,
    certificate: Downloaded,
    serial: String,
    folder: TempDir,
}

impl Held {
    async fn new(panel: &Panel, name: &str, kind: Key) -> Self {
        let made = csr_with_key(&[name], kind);
        let id = panel.issue_for("ssl123", &[name], &made.csr_pem).await;
        let certificate = Downloaded::of(&panel.http, &panel.certificate(&id).await).await;
        let serial = certificate.serial();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("key.pem"), made.private_key_pem.expose()).unwrap();
        Self {
            id,
            made,
            certificate,
            serial,
            folder,
        }
    }

    fn key(&self) -> String {
        self.folder.path().join("key.pem").display().to_string()
    }

    /// A CSR with this common name, by the certificate's key and real OpenSSL.
    fn csr(&self, common_name: &str) -> String {
        let (key, subject) = (self.key(), format!("/CN={common_name}"));
        let arguments = ["req", "-new", "-sha256", "-key", &key, "-subj", &subject];
        openssl(&arguments, b"").unwrap()
    }

    fn der(&self) -> Vec<u8> {
        let text = std::fs::read_to_string(&self.certificate.leaf).unwrap();
        pem::decode(&text, &["CERTIFICATE"]).unwrap()
    }

    /// A JWS over this payload, signed by real OpenSSL with this algorithm's name in its header.
    fn jws(&self, header: &Value, payload: &Value) -> Value {
        let (header, payload) = (
            base64url(header.to_string().as_bytes()),
            base64url(payload.to_string().as_bytes()),
        );
        let file = self.folder.path().join("signature");
        let (key, out) = (self.key(), file.display().to_string());
        let input = format!("{header}.{payload}");
        let arguments = ["dgst", "-sha256", "-sign", &key, "-out", &out];
        openssl(&arguments, input.as_bytes()).unwrap();
        let mut signature = std::fs::read(&file).unwrap();
        if signature.len() < 100 {
            signature = fixed(&signature);
        }
        json!({ "protected": header, "payload": payload, "signature": base64url(&signature) })
    }
}

/// Base64 for URLs (RFC 4648 §5), without padding.
fn base64url(octets: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let letter = bits >> (18 - 6 * place) & 63;
            text.push(char::from(LETTERS[letter as usize]));
        }
    }
    text
}

/// A P-256 signature as two numbers of 32 octets (RFC 7518 §3.4), of the DER that OpenSSL writes.
fn fixed(der: &[u8]) -> Vec<u8> {
    let length = usize::from(der[3]);
    let (r, s) = (&der[4..4 + length], &der[6 + length..]);
    let padded = |number: &[u8]| {
        let number: Vec<u8> = number
            .iter()
            .copied()
            .skip_while(|octet| *octet == 0)
            .collect();
        [vec![0; 32 - number.len()], number].concat()
    };
    [padded(r), padded(s)].concat()
}

async fn send(server: &TestServer, body: impl Into<String>) -> Reply {
    let http = server
        .http()
        .with_header("content-type", "application/octet-stream");
    http.send("POST", "/pki/revoke", body.into()).await
}

fn is_problem(reply: &Reply, status: u16, kind: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.json();
    assert_eq!(problem["status"], json!(status));
    assert_eq!(
        problem["type"],
        json!(format!("urn:ietf:params:acme:error:{kind}")),
        "{problem}"
    );
    assert!(!problem["detail"].as_str().unwrap().is_empty());
}

async fn whoever_holds_the_key_revokes_by_a_csr_made_for_it(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    for (number, kind) in [Key::P256, Key::Rsa2048, Key::P384].into_iter().enumerate() {
        let held = Held::new(&panel, &format!("shop{number}.test"), kind).await;
        let csr = held.csr(&format!("revoke {}", held.serial));
        let body = match number {
            0 => csr,
            _ => json!({ "csr": csr }).to_string(),
        };
        let told = send(server, body).await;
        assert_eq!(told.status, 200, "{}", told.text());
        let told = told.json();
        assert_eq!(told["serial"], json!(held.serial.to_lowercase()));
        assert_eq!(
            (
                &told["status"],
                &told["reason"],
                &told["reasonCode"],
                &told["keyBlocked"]
            ),
            (
                &json!("revoked"),
                &json!("keyCompromise"),
                &json!(1),
                &json!(true)
            )
        );
        server.world().run_due_jobs().await;
        server.world().advance(50).await;
        let reason = held.certificate.revocation_reason_now(&server.http()).await;
        assert_eq!(reason.as_deref(), Some("Key Compromise"));
        assert_eq!(panel.statuses(&held.id).await.1, "REVOKED");
        let body = json!({ "csr": held.made.csr_pem });
        panel.http.post("/ssl/v2/decode-csr", &body).await.refusal();
    }
    assert_eq!(panel.cents().await, before - 3000);
    // Another reason may stand in the CSR, where it is signed.
    let held = Held::new(&panel, "quiet.test", Key::P256).await;
    let csr = held.csr(&format!("revoke {} cessationOfOperation", held.serial));
    let told = send(server, csr).await.json();
    assert_eq!(
        (&told["reasonCode"], &told["keyBlocked"]),
        (&json!(5), &json!(false))
    );
}

async fn whoever_holds_the_key_revokes_by_a_signed_message(server: &mut TestServer) {
    let panel = server.panel().await;
    for (number, (kind, algorithm, reason)) in [(Key::P256, "ES256", 1), (Key::Rsa2048, "RS256", 4)]
        .into_iter()
        .enumerate()
    {
        let held = Held::new(&panel, &format!("shop{number}.test"), kind).await;
        let header = json!({ "alg": algorithm, "nonce": "x", "url": "https://ca.example/revoke" });
        let payload = json!({ "certificate": base64url(&held.der()), "reason": reason });
        let message = held.jws(&header, &payload);
        let http = server
            .http()
            .with_header("content-type", "application/jose+json");
        let reply = http.send("POST", "/pki/revoke", message.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let told = reply.json();
        assert_eq!(told["reasonCode"], json!(reason));
        assert_eq!(told["keyBlocked"], json!(reason == 1));
        server.world().run_due_jobs().await;
        assert_eq!(panel.statuses(&held.id).await.1, "REVOKED");
    }
}

async fn whoever_holds_the_key_revokes_what_a_restored_backup_did_not_have(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let by_csr = Held::new(&panel, "one.test", Key::P256).await;
    let by_message = Held::new(&panel, "two.test", Key::P256).await;
    server
        .execute(
            "insert into lost_certificates (issuer, serial, order_id, reseller_id, names, spki_sha256, not_after,
                signed_at, found_at)
            select issuer, serial, order_id, reseller_id, names, spki_sha256, not_after, signed_at, signed_at
            from certificates",
        )
        .await;
    server
        .execute("update certificates set serial = tbs, spki_sha256 = tbs")
        .await;
    let csr = by_csr.csr(&format!("revoke {} cessationOfOperation", by_csr.serial));
    let payload = json!({ "certificate": base64url(&by_message.der()), "reason": 1 });
    let message = by_message.jws(&json!({ "alg": "ES256" }), &payload);
    let other = by_csr.jws(&json!({ "alg": "ES256" }), &payload);
    is_problem(&send(server, other.to_string()).await, 403, "unauthorized");
    for _ in 0..2 {
        let told = send(server, csr.clone()).await;
        assert_eq!(told.status, 200, "{}", told.text());
        let told = told.json();
        assert_eq!(
            (&told["status"], &told["reasonCode"], &told["keyBlocked"]),
            (&json!("revoked"), &json!(5), &json!(false))
        );
        let told = send(server, message.to_string()).await;
        assert_eq!(told.status, 200, "{}", told.text());
        let told = told.json();
        assert_eq!(told["serial"], json!(by_message.serial.to_lowercase()));
        assert_eq!(
            (&told["reasonCode"], &told["keyBlocked"]),
            (&json!(1), &json!(true))
        );
    }
    server.world().advance(60).await;
    for (held, expected) in [
        (&by_csr, "Cessation Of Operation"),
        (&by_message, "Key Compromise"),
    ] {
        let reason = held.certificate.revocation_reason_now(&server.http()).await;
        assert_eq!(reason.as_deref(), Some(expected));
    }
}

async fn nothing_else_proves_the_key(server: &mut TestServer) {
    let panel = server.panel().await;
    let held = Held::new(&panel, "shop.test", Key::P256).await;
    let other = Held::new(&panel, "other.test", Key::P256).await;
    let payload = json!({ "certificate": base64url(&held.der()), "reason": 1 });
    let header = json!({ "alg": "ES256" });

    // The CSR of the order itself, which others have seen, and one like it.
    is_problem(
        &send(server, held.made.csr_pem.clone()).await,
        400,
        "malformed",
    );
    is_problem(&send(server, held.csr("shop.test")).await, 400, "malformed");
    // Another key; a serial that nobody has.
    let foreign = other.csr(&format!("revoke {}", held.serial));
    is_problem(&send(server, foreign).await, 403, "unauthorized");
    is_problem(
        &send(server, held.csr("revoke 0abc")).await,
        404,
        "malformed",
    );
    is_problem(
        &send(server, other.jws(&header, &payload).to_string()).await,
        403,
        "unauthorized",
    );
    // A certificate that is none of ours, and one that is nearly.
    let mut der = held.der();
    let last = der.len() - 1;
    der[last] ^= 1;
    let nearly = json!({ "certificate": base64url(&der), "reason": 1 });
    is_problem(
        &send(server, held.jws(&header, &nearly).to_string()).await,
        404,
        "malformed",
    );
    // Reasons that nobody may give here.
    for reason in [json!(6), json!(9), json!(2), json!("perhaps")] {
        let payload = json!({ "certificate": base64url(&held.der()), "reason": reason });
        let reply = send(server, held.jws(&header, &payload).to_string()).await;
        is_problem(&reply, 400, "badRevocationReason");
    }
    is_problem(
        &send(server, held.csr(&format!("revoke {} 9", held.serial))).await,
        400,
        "badRevocationReason",
    );
    // What was not signed at all.
    for (algorithm, kind) in [
        ("none", "badSignatureAlgorithm"),
        ("ES384", "badSignatureAlgorithm"),
    ] {
        let message = held.jws(&json!({ "alg": algorithm }), &payload);
        is_problem(&send(server, message.to_string()).await, 400, kind);
    }
    let mut moved = held.jws(&header, &payload);
    moved["payload"] = json!(base64url(
        json!({ "certificate": base64url(&held.der()) })
            .to_string()
            .as_bytes()
    ));
    is_problem(&send(server, moved.to_string()).await, 403, "unauthorized");
    for nonsense in ["", "{", "[]", "{}", "hello", "{\"csr\": 5}"] {
        is_problem(&send(server, nonsense).await, 400, "malformed");
    }
    let long = "x".repeat(70_000);
    is_problem(&send(server, long).await, 413, "malformed");
    assert_eq!(panel.statuses(&held.id).await.1, "ACTIVE");
    panel.verify(&held.id, &["shop.test"]).await;
    // People are told how it is done.
    let help = server.http().get("/pki/revoke").await;
    assert!(help.text().contains("openssl req -new"), "{}", help.text());
}

async fn a_proof_that_is_sent_again_changes_nothing(server: &mut TestServer) {
    let panel = server.panel().await;
    let held = Held::new(&panel, "shop.test", Key::P256).await;
    let payload = json!({ "certificate": base64url(&held.der()) });
    let message = held.jws(&json!({ "alg": "ES256" }), &payload).to_string();
    let first = send(server, message.clone()).await;
    assert_eq!(first.json()["reason"], "unspecified");
    server.world().advance(1_800).await;
    let second = send(server, message.clone()).await;
    assert_eq!((first.status, first.text()), (second.status, second.text()));
    // Nor to the certificate that has taken its place.
    let panel = panel.again().await;
    let path = format!("/ssl/v2/orders/{}/reissue", held.id);
    let asked = json!({ "csr": held.made.csr_pem, "reuseKey": true });
    panel.http.post(&path, &asked).await.data();
    server.world().run_due_jobs().await;
    send(server, message).await;
    server.world().run_due_jobs().await;
    assert_eq!(panel.statuses(&held.id).await.1, "ACTIVE");
    panel.verify(&held.id, &["shop.test"]).await;

    // Whoever has the key of a certificate that has ended blocks it still.
    server.world().advance(250 * 86_400).await;
    let csr = held.csr(&format!("revoke {}", held.serial));
    let told = send(server, csr).await.json();
    assert_eq!(told["keyBlocked"], json!(true), "{told}");
    server.world().run_due_jobs().await;
}

async fn an_address_may_ask_so_often(server: &mut TestServer) {
    let mut held_up = None;
    for number in 0..100 {
        let reply = send(server, "{}").await;
        if reply.status == 429 {
            held_up = Some((number, reply));
            break;
        }
        assert_eq!(reply.status, 400);
    }
    let (number, reply) = held_up.expect("nobody may ask for ever");
    assert!(number >= 10, "{number}");
    is_problem(&reply, 429, "rateLimited");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
    server.world().advance_clock(120).await;
    assert_eq!(send(server, "{}").await.status, 400);
}
