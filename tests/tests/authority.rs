//! Issuing CAs that follow each other: in time, after a jump of the clock, in several processes, and where the
//! root is too short.

use chancery_domain::Timestamp;
use chancery_server::Server;
use chancery_server::config::Config;
use chancery_testkit::{
    Downloaded, Engine, Http, Panel, TestServer, on_both_engines, openssl, pem_blocks, run,
};

on_both_engines!(
    an_issuing_ca_is_followed_while_it_still_lasts,
    a_clock_moved_by_years_gets_a_certificate_through,
    nothing_is_issued_that_the_root_would_not_outlive,
);

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

async fn issuing_cas(server: &TestServer) -> Vec<Vec<u8>> {
    let found = server.operations().authority_certificates().await;
    found.unwrap().unwrap().issuing
}

/// The last second of a certificate, DER.
fn end_of(der: &[u8]) -> Timestamp {
    let printed = openssl(
        &[
            "x509", "-inform", "DER", "-noout", "-enddate", "-dateopt", "iso_8601",
        ],
        der,
    );
    let printed = printed.unwrap();
    let end = printed.trim().strip_prefix("notAfter=").unwrap();
    end.parse().unwrap()
}

async fn an_issuing_ca_is_followed_while_it_still_lasts(server: &mut TestServer) {
    let first = issuing_cas(server).await.remove(0);
    let end = end_of(&first);
    server.world().advance(650 * DAY).await;
    let mut old = String::new();
    while issuing_cas(server).await.len() == 1 {
        old = server.panel().await.issue("ssl123", &["old.test"]).await;
        server.world().advance(20 * DAY).await;
    }
    let now: Timestamp = server.world().now().await.parse().unwrap();
    let days_left = end.duration_since(now).as_hours() / 24;
    assert!((220..400).contains(&days_left), "{days_left} days are left");

    let new = server.panel().await.issue("ssl123", &["new.test"]).await;
    for _ in 0..2 {
        let panel = server.panel().await;
        let of_old = panel.verify(&old, &["old.test"]).await;
        let of_new = panel.verify(&new, &["new.test"]).await;
        assert!(of_old.text().contains("/pki/issuing.crl\n"));
        assert!(!of_new.text().contains("/pki/issuing."));
        // Lists of both are renewed, and a restart changes nothing.
        server.world().advance(9 * DAY).await;
        server.restart().await;
    }
    assert_eq!(issuing_cas(server).await.len(), 2);
}

async fn a_clock_moved_by_years_gets_a_certificate_through(server: &mut TestServer) {
    let panel = server.panel().await;
    let old = panel.issue("ssl123", &["shop.test"]).await;
    let then = server.world().now().await;
    let of_old = panel.verify(&old, &["shop.test"]).await;
    server.world().advance_clock(4 * YEAR).await;

    let panel = server.panel().await;
    let new = panel.issue("ssl123", &["shop.test"]).await;
    panel.verify(&new, &["shop.test"]).await;
    let issuing = issuing_cas(server).await;
    assert_eq!(issuing.len(), 2);
    // The old one is still to be had, with what its URLs name.
    let again = Downloaded::of(&panel.http, &panel.certificate(&old).await).await;
    for downloaded in [&of_old, &again] {
        assert!(downloaded.text().contains("/pki/issuing.crt\n"));
    }
    of_old.verify(&then, &["shop.test"]);

    // And so on, whatever the clock skips.
    for (number, years) in [(3, 3), (4, 9)] {
        server.world().advance_clock(years * YEAR).await;
        let panel = server.panel().await;
        let id = panel.issue("ssl123", &["shop.test"]).await;
        panel.verify(&id, &["shop.test"]).await;
        assert_eq!(issuing_cas(server).await.len(), number);
    }
    for (path, status) in [
        ("/pki/0123456789abcdef.crt", 404),
        ("/pki/0123456789abcdef.crl", 404),
        ("/pki/issuing.pem", 404),
        ("/pki/issuing", 404),
        ("/pki/issuing.crl", 200),
    ] {
        assert_eq!(server.http().get(path).await.status, status, "{path}");
    }
}

async fn nothing_is_issued_that_the_root_would_not_outlive(server: &mut TestServer) {
    server.world().advance(24 * YEAR).await;
    let panel = server.panel().await;
    let cents = panel.cents().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    for _ in 0..10 {
        server.world().advance(600).await;
    }
    // It waits for the operator and is not given up.
    let panel = server.panel().await;
    assert_eq!(panel.statuses(&placed.id).await.0, "PENDING");
    assert_eq!(panel.cents().await, cents - 1000);
    let logged = server.logs.take_errors();
    let is_told = |line: &String| line.contains("too soon for another issuing CA");
    assert!(logged.iter().any(is_told), "{logged:#?}");
}

#[test]
fn several_processes_make_one_successor() {
    run(async |logs| {
        let server = TestServer::start(Engine::Postgres, logs).await;
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data: folder.path().to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            master_key_file: Some(server.config.data.join("master.key")),
            public_url: Some(format!("http://{}", server.http().address())),
            ..server.config.clone()
        };
        let other = Server::start(config).await.unwrap();
        let (here, there) = (server.http(), Http::new(other.address));
        let credential = other.account.clone().unwrap().webnic;
        let sign_in = async |http: Http| {
            Panel::sign_in(http, &credential.username, &credential.password).await
        };
        let years = serde_json::json!({ "advance_seconds": 4 * YEAR });
        tokio::join!(
            here.post("/ote/clock", &years),
            there.post("/ote/clock", &years)
        );
        let panels = [sign_in(here).await, sign_in(there).await];
        let orders = [
            panels[0].order("ssl123", "dns", &["one.test"]).await,
            panels[1].order("ssl123", "dns", &["other.test"]).await,
        ];
        let (one, two) = tokio::join!(panels[0].place(&orders[0]), panels[1].place(&orders[1]));
        // Either process may look, each at a world of its own.
        for panel in &panels {
            panel.publish(&one.data).await;
            panel.publish(&two.data).await;
        }
        while panels[0].statuses(&one.id).await.1 != "ACTIVE"
            || panels[0].statuses(&two.id).await.1 != "ACTIVE"
        {
            tokio::join!(panels[0].look(&one.id), panels[1].look(&two.id));
        }
        assert_eq!(issuing_cas(&server).await.len(), 2);
        let mut chains = Vec::new();
        for (panel, order) in [(&panels[0], &two), (&panels[1], &one)] {
            let bundle = panel.certificate(&order.id).await;
            chains.push(pem_blocks(&bundle)[1].to_owned());
        }
        assert_eq!(chains[0], chains[1]);
        panels[0].verify(&two.id, &["other.test"]).await;
        panels[0].verify(&one.id, &["one.test"]).await;
        other.stop().await;
        server.finish().await;
    });
}
