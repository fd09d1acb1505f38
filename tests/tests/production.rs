//! Production mode: no test environment to be found, and a prober that goes nowhere it must not.
//!
//! The world outside is a DNS server and a mail relay of the test's own, spoken to as real ones are.

use std::net::SocketAddr;
use std::sync::Arc;

use chancery_domain::SignedDuration;
use chancery_ote::{Listening, OteWorld, RecordKind, dns_server, mail_server};
use chancery_server::config::{Config, Mode, OteConfig, Secret, TlsMode};
use chancery_testkit::{Database, Panel, TestServer, on_both_engines, repository_root};
use serde_json::{Value, json};

use crate::database::{execute, int};

on_both_engines!(
    addresses_inside_are_not_connected_to,
    by_dns_and_by_mail,
    resolvers_that_refuse_are_a_shortage_of_ours,
    names_for_tests_are_not_sold,
    a_name_that_is_reserved_is_not_certified_whatever_way_it_came,
    one_name_that_cannot_be_looked_for_holds_up_none_of_the_others,
    ranges_that_are_denied_are_not_connected_to,
    there_is_no_test_surface,
    keys_are_not_made_for_others,
);

/// What lies outside of a server in production.
pub struct Outside {
    world: OteWorld,
    dns: Listening,
    mail: Listening,
}

impl Outside {
    /// Starts it, and the server again in production mode.
    async fn around(server: &mut TestServer) -> Self {
        let outside = Self::start().await;
        let resolver = outside.resolver();
        outside.surround(server, resolver, |_| {}).await;
        outside
    }

    /// Starts it.
    pub async fn start() -> Self {
        let any_port: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let world = OteWorld::in_memory();
        for zone in ["com", "org"] {
            let zone = chancery_ote::OwnerName::parse(zone).unwrap();
            world.zones.add_zone(&zone).unwrap();
        }
        let dns = dns_server::start(any_port, Arc::clone(&world.zones))
            .await
            .unwrap();
        let mail = mail_server::start(any_port, Arc::clone(&world.mailbox))
            .await
            .unwrap();
        Self { world, dns, mail }
    }

    /// Its own resolver.
    pub fn resolver(&self) -> SocketAddr {
        self.dns.local_addr()
    }

    /// How many messages its relay has taken.
    pub fn mails(&self) -> usize {
        self.world.mailbox.messages().len()
    }

    /// Starts the server again in production mode, on a database that was never anything else, asking this resolver.
    pub async fn surround(
        &self,
        server: &mut TestServer,
        resolver: SocketAddr,
        change: impl FnOnce(&mut Config),
    ) {
        let relay = self.mail.local_addr();
        let database = Database::create(server.engine()).await;
        let data = server.folder().join("production");
        server
            .restart_with(|config| {
                config.mode = Mode::Production;
                config.data = data;
                config.database = database.url.clone();
                config.public_url = Some(format!("http://{}", config.listen));
                config.catalogue = Some(repository_root().join("crates/app/src/catalogue.toml"));
                let key = "7c1f0e93ab54d26088e7f4315b9ac2d071634f8e25bd0a9c86e3f71254dab90f";
                config.master_key = Some(Secret(key.to_owned()));
                config.dns.resolvers = Some(resolver.to_string());
                config.dns.attempts = 1;
                config.smtp.host = Some(relay.ip().to_string());
                config.smtp.port = relay.port();
                config.smtp.tls = TlsMode::None;
                config.smtp.from = Some("ssl@chancery.test".to_owned());
                config.ca.organization = Some("Chancery Tests".to_owned());
                config.ca.country = Some("MY".to_owned());
                config.ca.name = Some("Chancery Tests".to_owned());
                config.ote = OteConfig::default();
                change(config);
            })
            .await;
        std::mem::replace(&mut server.database, database)
            .remove()
            .await;
    }

    pub fn publish(&self, name: &str, kind: RecordKind, values: &[&str]) {
        let set = serde_json::from_value(json!({ "values": values })).unwrap();
        self.world
            .zones
            .put(&chancery_ote::OwnerName::parse(name).unwrap(), kind, set)
            .unwrap();
    }

    pub async fn end(self) {
        self.dns.stop().await;
        self.mail.stop().await;
    }
}

/// Has the platform look at once, as a status call does, and gives what it saw.
async fn observed(server: &TestServer, panel: &Panel, id: &str) -> Value {
    panel.dcv_status(id).await;
    server.app().run_due_jobs().await.unwrap();
    panel.auth_info(id).await["observations"][0].clone()
}

async fn addresses_inside_are_not_connected_to(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    let panel = server.another_panel("1000.00").await;
    for (number, (kind, address)) in [
        (RecordKind::A, "127.0.0.1"),
        (RecordKind::A, "10.1.2.3"),
        (RecordKind::A, "172.16.0.1"),
        (RecordKind::A, "192.168.1.1"),
        (RecordKind::A, "169.254.169.254"),
        (RecordKind::A, "100.64.0.1"),
        (RecordKind::A, "0.0.0.0"),
        (RecordKind::Aaaa, "::1"),
        (RecordKind::Aaaa, "fd00::1"),
        (RecordKind::Aaaa, "fe80::1"),
        (RecordKind::Aaaa, "::ffff:127.0.0.1"),
        (RecordKind::Aaaa, "64:ff9b::7f00:1"),
    ]
    .into_iter()
    .enumerate()
    {
        // One domain each: a reseller has one looked at early once in a while.
        let name = format!("shop{number}.com");
        outside.publish(&name, kind, &[address]);
        let placed = panel
            .place(&panel.order("ssl123", "file", &[&name]).await)
            .await;
        let seen = observed(server, &panel, &placed.id).await;
        assert_eq!(seen["outcome"], "forbidden", "{address} {seen:#}");
        assert!(
            !format!("{} {}", seen["found"], seen["advice"]).contains(address),
            "what a name resolves to inside is not told: {address} {seen:#}"
        );
        assert!(
            seen["advice"].as_str().unwrap().contains("public address"),
            "{seen:#}"
        );
        assert_eq!(panel.statuses(&placed.id).await.1, "INITIAL");
    }
    outside.end().await;
}

async fn by_dns_and_by_mail(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    let panel = server.another_panel("1000.00").await;
    let by_dns = panel
        .place(&panel.order("ssl123", "dns", &["shop.com"]).await)
        .await;
    let asked = &by_dns.challenges()[0];
    let text = |key: &str| asked[key].as_str().unwrap();
    outside.publish(text("host"), RecordKind::Txt, &[text("value")]);

    let seen = observed(server, &panel, &by_dns.id).await;
    assert_eq!(seen["outcome"], "proved", "{seen:#}");
    assert_eq!(panel.statuses(&by_dns.id).await.0, "COMPLETED");

    let by_mail = panel
        .place(&panel.order("ssl123", "email", &["kiosk.org"]).await)
        .await;
    server.app().run_due_jobs().await.unwrap();
    let mails = outside.world.mailbox.messages();
    assert_eq!(mails.len(), 1);
    let link = mails[0]
        .text
        .split_whitespace()
        .find(|word| word.contains("/approve/"))
        .unwrap();
    let base = format!("http://{}", server.http().address());
    let page = server
        .http()
        .send("POST", link.strip_prefix(&base).unwrap(), "")
        .await;
    assert_eq!(page.status, 200);
    server.app().run_due_jobs().await.unwrap();
    assert_eq!(panel.statuses(&by_mail.id).await.0, "COMPLETED");

    outside.end().await;
}

async fn resolvers_that_refuse_are_a_shortage_of_ours(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    let panel = server.another_panel("1000.00").await;
    // The resolver has no such zone, and refuses.
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.net"]).await)
        .await;
    let seen = observed(server, &panel, &placed.id).await;
    assert_eq!(seen["outcome"], "own_failure", "{seen:#}");
    for key in ["found", "advice"] {
        assert!(
            !seen[key].as_str().unwrap().contains("name server"),
            "{seen:#}"
        );
    }
    let logged = server.logs.take_errors();
    assert!(
        logged.iter().any(|line| line.contains("REFUSED")),
        "{logged:#?}"
    );
    assert_eq!(panel.statuses(&placed.id).await.1, "INITIAL");
    outside.end().await;
}

async fn names_for_tests_are_not_sold(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    let panel = server.another_panel("1000.00").await;
    for name in ["shop.test", "shop.example", "www.example.com", "shop.onion"] {
        let order = panel.order("ssl123", "dns", &[name]).await;
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert_eq!(refusal.status, 400, "{name} {refusal:?}");
        assert!(!refusal.fields.is_empty(), "{name} {refusal:?}");
    }
    for domain in [
        "shop.test",
        "www.example.com",
        "shop.onion",
        "printer.home.arpa",
        "1.2.3.e164.arpa",
    ] {
        let body = json!({ "domain": domain, "authType": "dns" });
        let path = "/ssl/v2/domains/validate";
        let refusal = panel.http.post(path, &body).await.refusal();
        assert_eq!(refusal.about("domain").len(), 1, "{domain} {refusal:?}");
    }
    outside.end().await;
}

async fn a_name_that_is_reserved_is_not_certified_whatever_way_it_came(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    let panel = server.another_panel("1000.00").await;
    let before = panel.cents().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.com"]).await)
        .await;
    // As a release has left it that knew nothing of such names.
    execute(
        server,
        "update issuances set controls = replace(controls, '\"name\":\"shop.com\"', '\"name\":\"www.example.com\"')",
    )
    .await;
    let asked = &placed.challenges()[0];
    let value = asked["value"].as_str().unwrap();
    outside.publish("_dnsauth.www.example.com", RecordKind::Txt, &[value]);
    panel.dcv_status(&placed.id).await;
    server.app().run_due_jobs().await.unwrap();
    let info = panel.info(&placed.id).await;
    assert!(
        info["remarks"].to_string().contains("www.example.com"),
        "{info:#}"
    );
    assert_eq!(panel.cents().await, before);
    server.logs.take_errors();
    outside.end().await;
}

async fn one_name_that_cannot_be_looked_for_holds_up_none_of_the_others(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    let panel = server.another_panel("1000.00").await;
    // The resolver has no such zone as `net`, and refuses.
    let names = ["shop.com", "shop.net"];
    panel
        .place(&panel.order("ssl123", "dns", &names).await)
        .await;
    let app = server.app();
    app.advance_clock(SignedDuration::from_secs(7))
        .await
        .unwrap();
    app.run_due_jobs().await.unwrap();
    let looked = "select case when looked_at is null then 0 else 1 end from issuances";
    assert_eq!(int(server, looked).await, 1);
    let pause = "select (run_at - (select looked_at from issuances)) / 1000000 from jobs where kind = 'poll_dcv'";
    let pause = int(server, pause).await;
    assert!((59..=75).contains(&pause), "{pause} s");
    server.logs.take_errors();
    outside.end().await;
}

async fn ranges_that_are_denied_are_not_connected_to(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    server
        .restart_with(|config| config.validation.deny = Some("93.184.215.0/24".to_owned()))
        .await;
    let panel = server.another_panel("1000.00").await;
    outside.publish("shop.com", RecordKind::A, &["93.184.215.14"]);
    let placed = panel
        .place(&panel.order("ssl123", "file", &["shop.com"]).await)
        .await;
    let seen = observed(server, &panel, &placed.id).await;
    assert_eq!(seen["outcome"], "forbidden", "{seen:#}");
    let advice = seen["advice"].as_str().unwrap();
    assert!(
        advice.contains("no check of this service connects to"),
        "{seen:#}"
    );
    assert!(!seen.to_string().contains("93.184"), "{seen:#}");
    outside.end().await;
}

async fn there_is_no_test_surface(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    for (method, path) in [
        ("GET", "/ote/clock"),
        ("POST", "/ote/clock"),
        ("PUT", "/ote/dns/shop.test/TXT"),
        ("GET", "/ote/mail"),
        ("POST", "/ote/jobs/run"),
    ] {
        let refusal = server.http().send(method, path, "{}").await.refusal();
        assert_eq!(refusal.status, 404, "{method} {path}");
    }
    assert_eq!(server.http().get("/health").await.status, 200);
    outside.end().await;
}

async fn keys_are_not_made_for_others(server: &mut TestServer) {
    let outside = Outside::around(server).await;
    let panel = server.another_panel("0.00").await;
    let asked = json!({ "commonName": "shop.com" });
    let refusal = panel
        .http
        .post("/ssl/v2/generate-csr", &asked)
        .await
        .refusal();
    assert_eq!(
        (refusal.status, &refusal.sub_code[..]),
        (400, "SSL2400"),
        "{refusal:?}"
    );
    outside.end().await;
}
