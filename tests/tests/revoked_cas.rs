//! An issuing CA that is revoked: the root's list names it, another one signs, and its certificates are replaced.

use chancery_app::IssuingCaReport;
use chancery_pki::certificate::CertificateInfo;
use chancery_testkit::{Panel, TestServer, csr, on_both_engines, openssl, pem_blocks};
use serde_json::json;

on_both_engines!(
    a_revoked_issuing_ca_is_followed_and_its_certificates_are_replaced,
    what_was_reserved_before_is_signed_by_the_successor,
    a_reissue_asked_for_again_after_its_ca_was_revoked_is_another_one,
);

async fn issuing_cas(server: &TestServer) -> Vec<IssuingCaReport> {
    server.operations().issuing_cas().await.unwrap()
}

async fn list(server: &TestServer, path: &str) -> String {
    let reply = server.http().get(path).await;
    assert_eq!(reply.status, 200, "{path}");
    openssl(&["crl", "-inform", "DER", "-noout", "-text"], &reply.body).unwrap()
}

async fn issued(panel: &Panel, name: &str, reuse_key: bool) -> String {
    let mut order = panel.order("ssl123", "dns", &[name]).await;
    order["reuseKey"] = json!(reuse_key);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    placed.id
}

/// The certificate of the issuing CA in what an order delivers.
async fn chain(panel: &Panel, order: &str) -> String {
    pem_blocks(&panel.certificate(order).await)[1].to_owned()
}

async fn a_revoked_issuing_ca_is_followed_and_its_certificates_are_replaced(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let by_itself = issued(&panel, "by-itself.test", true).await;
    let by_hand = issued(&panel, "by-hand.test", false).await;
    let old = chain(&panel, &by_itself).await;
    let first = issuing_cas(server).await.remove(0);
    let operations = server.operations();
    let held = operations
        .ca_certificates(&first.issuer, &[], 10)
        .await
        .unwrap();
    assert_eq!(held.len(), 2);
    assert!(
        !list(server, "/pki/root.crl")
            .await
            .contains("Serial Number:")
    );

    let revoked = operations.revoke_ca(&first, 1, "ann").await.unwrap();
    assert!(revoked.is_some());
    let again = operations.revoke_ca(&first, 1, "ann").await.unwrap();
    assert_eq!(again, None);
    // The server was not told: it notices.
    let new = issued(&panel, "new.test", true).await;
    server.world().advance(90).await;
    server.world().advance(90).await;
    let root = list(server, "/pki/root.crl").await.to_lowercase();
    let serial = CertificateInfo::parse(&first.certificate).unwrap().serial;
    let serial: String = serial.iter().map(|octet| format!("{octet:02x}")).collect();
    assert!(
        root.contains(&serial) && root.contains("key compromise"),
        "{root}"
    );
    let all = issuing_cas(server).await;
    assert_eq!(all.len(), 2);
    assert!(all[0].revoked.is_some() && all[1].revoked.is_none());
    for order in [&new, &by_itself] {
        assert_ne!(chain(&panel, order).await, old, "{order}");
    }
    panel.verify(&new, &["new.test"]).await;
    panel.verify(&by_itself, &["by-itself.test"]).await;
    // Who has to send a CSR is told so, and gets a certificate of the new one with it.
    let refusal = panel.download(&by_hand, "PEM", None).await.refusal();
    assert!(
        refusal.sub_code == "SSL2400"
            && refusal
                .message
                .starts_with("The CA that issued the certificate was revoked on 20")
            && refusal.message.contains("'includeRevoked'"),
        "{refusal:?}"
    );
    let asked: [(&str, &[u8]); 2] = [("bundle", b"true"), ("includeRevoked", b"true")];
    let reply = panel.download_with(&by_hand, "PEM", &asked).await;
    assert_eq!(pem_blocks(&reply.text())[1], old);
    let mails = panel.world.mails().await;
    for name in ["by-hand.test", "by-itself.test"] {
        let subject = format!("The certificate for {name} has to be replaced now");
        assert!(
            mails.iter().any(|mail| mail.to_string().contains(&subject)),
            "{name}: {mails:?}"
        );
    }
    // The list of the revoked one goes on.
    let before = list(server, "/pki/issuing.crl").await;
    server.world().advance(9 * 86_400).await;
    assert_ne!(list(server, "/pki/issuing.crl").await, before);
    server.restart().await;
    assert_eq!(issuing_cas(server).await.len(), 2);
}

async fn what_was_reserved_before_is_signed_by_the_successor(server: &mut TestServer) {
    let panel = server.panel().await;
    let old = issued(&panel, "old.test", true).await;
    let old = chain(&panel, &old).await;
    let orders = [
        panel.order("ssl123", "dns", &["one.test"]).await,
        panel.order("ssl123", "dns", &["two.test"]).await,
    ];
    let mut placed = Vec::new();
    for order in &orders {
        let order = panel.place(order).await;
        panel.publish(&order.data).await;
        placed.push(order.id);
    }
    let first = issuing_cas(server).await.remove(0);
    let operations = server.operations();
    let (revoked, _, _) = tokio::join!(
        operations.revoke_ca(&first, 4, "ann"),
        panel.look(&placed[0]),
        panel.look(&placed[1]),
    );
    let revoked = revoked.unwrap().unwrap();
    for id in &placed {
        panel.finish(id).await;
    }
    for _ in 0..2 {
        server.world().advance(90).await;
    }
    // Whatever the old one had signed until then was replaced by the new one.
    for id in &placed {
        assert_ne!(chain(&panel, id).await, old, "{id}, revoked {revoked}");
    }
}

async fn a_reissue_asked_for_again_after_its_ca_was_revoked_is_another_one(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let id = issued(&panel, "shop.test", false).await;
    let path = format!("/ssl/v2/orders/{id}/reissue");
    let asked = json!({ "csr": csr(&["shop.test"]) });
    panel.http.post(&path, &asked).await.data();
    panel.world.run_due_jobs().await;
    let old = chain(&panel, &id).await;
    let reissued = panel.certificate(&id).await;
    // A client that lost the answer gets it again.
    panel.http.post(&path, &asked).await.data();
    panel.world.run_due_jobs().await;
    assert_eq!(panel.certificate(&id).await, reissued);

    let first = issuing_cas(server).await.remove(0);
    let operations = server.operations();
    operations.revoke_ca(&first, 1, "ann").await.unwrap();
    server.world().advance(90).await;
    server.world().advance(90).await;
    panel.http.post(&path, &asked).await.data();
    panel.world.run_due_jobs().await;
    assert_ne!(chain(&panel, &id).await, old);
    panel.verify(&id, &["shop.test"]).await;
}
