//! From an order to a certificate that OpenSSL verifies, by each way of showing control.

use chancery_domain::reseller_settings::ProofScope;
use chancery_testkit::{Panel, TestServer, on_both_engines};

use crate::proofs::share_proofs;
use serde_json::json;

on_both_engines!(
    by_dns_records,
    by_files,
    by_mail,
    a_wildcard,
    a_cname_product,
    many_names_and_proofs_that_are_reused,
    what_is_downloaded_is_what_was_asked_for,
);

async fn by_dns_records(server: &mut TestServer) {
    let panel = server.panel().await;
    let before = panel.cents().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    let asked = &placed.challenges()[0];
    assert_eq!(asked["host"], "_dnsauth.shop.test");
    assert_eq!(asked["recordType"], "TXT");
    assert_eq!(panel.statuses(&placed.id).await, both("PENDING", "INITIAL"));
    assert_eq!(panel.cents().await, before - 1000);

    panel.look(&placed.id).await;
    assert_eq!(
        panel.statuses(&placed.id).await,
        both("IN_PROCESS", "INITIAL")
    );

    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    let downloaded = panel.verify(&placed.id, &["shop.test"]).await;
    let text = downloaded.text();
    assert!(
        text.contains("Subject: CN = shop.test") || text.contains("Subject: CN=shop.test"),
        "{text}"
    );
    let info = panel.info(&placed.id).await;
    for key in ["dtsettle", "dtorderexpire", "dtcertexpire"] {
        assert!(info[key].is_string(), "{key}: {info:#}");
    }
    assert_eq!(
        panel.auth_info(&placed.id).await["commonName"]["status"],
        "VALIDATED"
    );
}

async fn by_files(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel
        .order("ssl123", "file", &["shop.test", "www.shop.test"])
        .await;
    let placed = panel.place(&order).await;
    let [first, second] = &placed.challenges()[..] else {
        panic!("{:#}", placed.data)
    };
    assert_eq!(first["path"], "/.well-known/pki-validation/");
    assert_eq!(first["fileName"], "fileauth.txt");

    // A file proves its own host and no other.
    panel.publish(&json!({ "commonName": first })).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    panel.publish(&json!({ "commonName": second })).await;
    panel.finish(&placed.id).await;
    panel
        .verify(&placed.id, &["shop.test", "www.shop.test"])
        .await;
}

async fn by_mail(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let mut order = panel.order("ssl123", "email", &["shop.test"]).await;
    order["approverEmail"] = json!(["webmaster@shop.test"]);
    let placed = panel.place(&order).await;
    assert_eq!(placed.challenges()[0]["value"], "webmaster@shop.test");
    world.run_due_jobs().await;
    let links = world.approval_links("webmaster@shop.test").await;
    assert_eq!((links.len(), world.mails().await.len()), (1, 1));
    let page = server.http().get(&links[0]).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("shop.test"), "{}", page.text());
    assert_eq!(server.http().send("POST", &links[0], "").await.status, 200);
    panel.finish(&placed.id).await;
    panel.verify(&placed.id, &["shop.test"]).await;
}

async fn a_wildcard(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel
        .issue("dv-wildcard", &["*.shop.test", "shop.test"])
        .await;
    panel
        .verify(&id, &["www.shop.test", "mail.shop.test", "shop.test"])
        .await;
}

async fn a_cname_product(server: &mut TestServer) {
    let panel = server.panel().await;
    let placed = panel
        .place(&panel.order("dv-cname", "dns", &["shop.test"]).await)
        .await;
    assert_eq!(placed.challenges()[0]["recordType"], "CNAME");
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    panel.verify(&placed.id, &["shop.test"]).await;
}

async fn many_names_and_proofs_that_are_reused(server: &mut TestServer) {
    let panel = server.panel().await;
    share_proofs(server, ProofScope::Reseller).await;
    let names = [
        "shop.test",
        "www.shop.test",
        "*.shop.test",
        "kiosk.example",
        "mail.kiosk.example",
    ];
    let id = panel.issue("ssl123", &names).await;
    let hosts = [
        "shop.test",
        "www.shop.test",
        "any.shop.test",
        "kiosk.example",
        "mail.kiosk.example",
    ];
    panel.verify(&id, &hosts).await;

    // Each domain is proved; the next order for it is proved as it is placed, and signed at once.
    let order = panel
        .order("ssl123", "dns", &["shop.test", "new.kiosk.example"])
        .await;
    let again = panel.place(&order).await;
    let statuses: Vec<_> = again
        .challenges()
        .iter()
        .map(|asked| asked["status"].clone())
        .collect();
    assert_eq!(statuses, ["VALIDATED", "VALIDATED"]);
    server.world().run_due_jobs().await;
    assert_eq!(panel.statuses(&again.id).await, both("COMPLETED", "ACTIVE"));
    panel
        .verify(&again.id, &["shop.test", "new.kiosk.example"])
        .await;

    // What one reseller proved is no other's.
    let other = server.another_panel("100.00").await;
    let theirs = other
        .place(&other.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    server.world().run_due_jobs().await;
    assert_eq!(other.statuses(&theirs.id).await.1, "INITIAL");
}

async fn what_is_downloaded_is_what_was_asked_for(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("dv-single", &["shop.test"]).await;
    let count = async |panel: &Panel, format: &str, bundle| {
        let reply = panel.download(&id, format, bundle).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        chancery_testkit::pem_blocks(&reply.text()).len()
    };
    assert_eq!(count(&panel, "PEM", Some(true)).await, 2);
    assert_eq!(count(&panel, "PEM", Some(false)).await, 1);
    assert_eq!(count(&panel, "pem", None).await, 1);
    assert_eq!(count(&panel, "pem_all", None).await, 3);

    let open = panel
        .place(&panel.order("dv-single", "dns", &["other.test"]).await)
        .await;
    let refusal = panel.download(&open.id, "PEM", Some(true)).await.refusal();
    refusal.is(400, "SSL2400", "The certificate is not issued yet.");
}

fn both(order: &str, certificate: &str) -> (String, String) {
    (order.to_owned(), certificate.to_owned())
}
