//! Revocation lists under load and in outages: few are signed for many revocations, few are kept, and the current one
//! is served whatever becomes of the database.

use chancery_domain::certificates::{Certificate, CertificateId, CertificateState};
use chancery_domain::issuances::IssuanceId;
use chancery_domain::names::DomainName;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_domain::validity::Validity;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_server::open_store;
use chancery_store::authorities::CrlRow;
use chancery_store::{Change, Store};
use chancery_testkit::{Reply, TestServer, on_both_engines, openssl};

use crate::outages::Outage;

on_both_engines!(
    thousands_of_revocations_share_a_few_lists,
    lists_of_before_are_dropped,
    the_current_list_is_served_while_the_database_is_away,
    who_has_the_current_list_is_told_so,
);

const REVOKED: i64 = 2_000;

/// The serials on a list, in hexadecimal digits, and its number.
pub(crate) fn read(list: &[u8]) -> (usize, u64) {
    let said = openssl(&["crl", "-inform", "DER", "-noout", "-text"], list).unwrap();
    let number = said.split("X509v3 CRL Number:").nth(1).unwrap();
    let number = number.split_whitespace().next().unwrap().parse().unwrap();
    (said.matches("Serial Number:").count(), number)
}

async fn fetch(server: &TestServer) -> Vec<u8> {
    let reply = server.http().get("/pki/issuing.crl").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.body.to_vec()
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).unwrap().to_str().unwrap()
}

async fn number(store: &Store, sql: &'static str) -> i64 {
    let rows = store.query(sql, Vec::new()).await.unwrap();
    rows[0].int(0).unwrap()
}

/// A certificate in force beside that of an order, with nothing behind it.
fn a_certificate(id: i64, like: &[i64; 3], issuer: &str, now: Timestamp) -> Certificate {
    let year = SignedDuration::from_hours(24 * 365);
    Certificate {
        id: CertificateId(id),
        issuance: IssuanceId(like[0]),
        order: OrderId(like[1]),
        reseller: ResellerId(like[2]),
        issuer: issuer.to_owned(),
        serial: [&[1; 8][..], &id.to_be_bytes()].concat(),
        names: vec![DomainName::parse("many.test").unwrap()],
        spki_sha256: vec![7; 32],
        validity: Validity {
            not_before: now,
            not_after: now + year,
        },
        tbs: vec![0x30, 0],
        reserved_at: now,
        state: CertificateState::Reserved,
    }
}

async fn thousands_of_revocations_share_a_few_lists(server: &mut TestServer) {
    const ATTEMPTS: &str = "select attempt from jobs where kind = 'refresh_crl'";
    server.panel().await.issue("ssl123", &["shop.test"]).await;
    server.app().run_due_jobs().await.unwrap();
    let (listed, before) = read(&fetch(server).await);
    assert_eq!(listed, 0);
    let store = open_store(&server.config).await.unwrap();
    let row = store.query(
        "select issuance_id, order_id, reseller_id, issuer from certificates",
        Vec::new(),
    );
    let row = row.await.unwrap().remove(0);
    let like = [0, 1, 2].map(|column| row.int(column).unwrap());
    let issuer = row.string(3).unwrap();
    let runs = number(&store, ATTEMPTS).await;
    let now = server.app().now();
    let revoke = async |id| {
        let certificate = a_certificate(id, &like, &issuer, now);
        let mut change = Change::new();
        change.insert_certificate(&certificate);
        change.store_signed(certificate.id, vec![0x30, 0], now);
        let reason = RevocationReason::Superseded;
        let revocation = Revocation::new(reason, Requester::Platform, now, now);
        change.revoke_certificate(certificate.id, &revocation);
        let rest = SignedDuration::from_secs(20);
        change.ask_for_run("refresh_crl", 0, server.app().now(), rest, rest);
        store.commit(change).await.unwrap();
    };
    let ids: Vec<i64> = (1 << 40..(1 << 40) + REVOKED).collect();
    for some in ids.chunks(100) {
        futures_util::future::join_all(some.iter().map(|id| revoke(*id))).await;
    }
    // Each list asked for begins a rest of twenty seconds.
    let seconds = server.app().now().duration_since(now).as_secs();
    let runs = number(&store, ATTEMPTS).await - runs;
    assert!(runs <= 2 + seconds / 20, "{runs} runs in {seconds} seconds");
    // Within a minute, all of them are on a list.
    server.world().advance(40).await;
    server.app().run_due_jobs().await.unwrap();
    let (listed, after) = read(&fetch(server).await);
    assert_eq!(listed, usize::try_from(REVOKED).unwrap());
    assert!(after > before, "{before}, {after}");
    // Nothing is kept that is not needed.
    let kept = number(&store, "select count(*) from crls").await;
    assert!(kept <= 2 * 3, "{kept} lists");
    store.close().await;
}

async fn lists_of_before_are_dropped(server: &mut TestServer) {
    server.app().run_due_jobs().await.unwrap();
    let store = open_store(&server.config).await.unwrap();
    let row = store.query(
        "select issuer from crls where issuer not like '%-root'",
        Vec::new(),
    );
    let issuer = row.await.unwrap()[0].string(0).unwrap();
    let now = server.app().now();
    let mut change = Change::new();
    for number in 1..=500 {
        change.insert_crl(&CrlRow {
            issuer: issuer.clone(),
            number,
            this_update: now,
            next_update: now,
            der: vec![7; 10_000],
        });
    }
    store.commit(change).await.unwrap();
    let (_, current) = read(&fetch(server).await);
    server.world().advance(25 * 3_600).await;
    server.app().run_due_jobs().await.unwrap();
    let kept = number(&store, "select count(*) from crls where number <= 500").await;
    let all = number(&store, "select count(*) from crls").await;
    assert!(kept <= 1 && all <= 6, "{kept} of {all}");
    assert!(read(&fetch(server).await).1 > current);
    store.close().await;
}

async fn the_current_list_is_served_while_the_database_is_away(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel.issue("ssl123", &["shop.test"]).await;
    panel.cancel(&order).await.data();
    server.app().run_due_jobs().await.unwrap();
    let root = server.http().get("/pki/root.crl").await;
    let list = fetch(server).await;
    assert_eq!(read(&list).0, 1);

    let outage = Outage::begin(server).await;
    assert_eq!(fetch(server).await, list);
    for (path, body) in [
        ("/pki/root.crl", Some(&root.body)),
        ("/pki/root.crt", None),
        ("/pki/issuing.crt", None),
    ] {
        let reply = server.http().get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(body.is_none_or(|body| *body == reply.body), "{path}");
    }
    outage.end(server).await;
    while server.http().get("/health").await.status != 200 {}
    server.logs.take_errors();
}

async fn who_has_the_current_list_is_told_so(server: &mut TestServer) {
    server.app().run_due_jobs().await.unwrap();
    let first = server.http().get("/pki/issuing.crl").await;
    let tag = header(&first, "etag").to_owned();
    assert!(header(&first, "last-modified").ends_with(" GMT"));
    let knowing = server.http().with_header("if-none-match", &tag);
    let again = knowing.get("/pki/issuing.crl").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    server.world().advance(25 * 3_600).await;
    server.app().run_due_jobs().await.unwrap();
    let renewed = knowing.get("/pki/issuing.crl").await;
    assert_eq!(renewed.status, 200);
    assert_ne!(header(&renewed, "etag"), tag);
}
