//! A clock that went back: nothing is signed, nothing fails, and an operator ends it.

use chancery_domain::{SignedDuration, Timestamp};
use chancery_server::{Server, open_store};
use chancery_store::Change;
use chancery_testkit::{
    Downloaded, Engine, Panel, TestServer, csr, on_both_engines, openssl, pem_blocks, run,
};
use serde_json::json;

use crate::crls::read;

on_both_engines!(
    a_clock_that_goes_back_stops_signing_until_it_is_accepted,
    a_start_before_the_last_recorded_time_signs_nothing,
    small_steps_of_the_clock_are_nothing,
    what_was_put_off_while_the_clock_was_ahead_comes_once_it_is_accepted,
    a_step_back_within_what_is_allowed_holds_no_list_up,
    a_superseded_certificate_stays_as_long_as_promised_whoever_accepts_a_time,
    a_reissue_by_a_clock_that_was_ahead_revokes_no_later_certificate,
    an_issuing_ca_made_while_the_clock_was_ahead_is_followed_by_one_that_is_valid,
);

/// Lets the clock have been ahead by so much.
async fn was_ahead(server: &TestServer, by: SignedDuration) {
    let store = open_store(&server.config).await.unwrap();
    let mut change = Change::new();
    change.set_latest_time(server.app().now() + by);
    store.commit(change).await.unwrap();
    store.close().await;
}

fn told(server: &TestServer) -> bool {
    let logged = server.logs.take_errors();
    logged.iter().any(|line| line.contains("the clock shows"))
}

async fn list(server: &TestServer) -> Vec<u8> {
    server.http().get("/pki/issuing.crl").await.body.to_vec()
}

async fn a_clock_that_goes_back_stops_signing_until_it_is_accepted(server: &mut TestServer) {
    let panel = server.panel().await;
    let revoked = panel.issue("ssl123", &["revoked.test"]).await;
    server.app().run_due_jobs().await.unwrap();
    let before = list(server).await;
    was_ahead(server, SignedDuration::from_hours(1)).await;
    server.app().beat_pulse().await.unwrap();
    assert!(server.app().signing_hold().is_some());
    assert!(told(server));

    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    panel.cancel(&revoked).await.data();
    for _ in 0..3 {
        server.world().advance(60).await;
        server.app().run_due_jobs().await.unwrap();
    }
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    assert!(list(server).await == before, "a list was signed");

    server.operations().accept_clock("ann").await.unwrap();
    server.app().beat_pulse().await.unwrap();
    assert!(server.app().signing_hold().is_none());
    server.world().advance(60).await;
    panel.finish(&placed.id).await;
    assert!(list(server).await != before, "no list was signed");
}

async fn a_start_before_the_last_recorded_time_signs_nothing(server: &mut TestServer) {
    let panel = server.panel().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    was_ahead(server, SignedDuration::from_hours(24)).await;
    server.restart().await;
    assert!(server.app().signing_hold().is_some() && told(server));
    let panel = server.panel().await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "IN_PROCESS");
    // It ends by itself when the clock has caught up.
    server.world().advance(86_400).await;
    server.app().beat_pulse().await.unwrap();
    assert!(server.app().signing_hold().is_none());
    server.world().advance(60).await;
    server.panel().await.finish(&placed.id).await;
}

async fn small_steps_of_the_clock_are_nothing(server: &mut TestServer) {
    was_ahead(server, SignedDuration::from_mins(4)).await;
    server.app().beat_pulse().await.unwrap();
    assert_eq!(server.app().signing_hold(), None);
    server.panel().await.issue("ssl123", &["shop.test"]).await;
}

/// What health says of revocation lists.
async fn told_of_lists(server: &TestServer) -> String {
    let checks = server.app().health().await;
    let lists = checks
        .into_iter()
        .find(|check| check.name == "revocation lists");
    lists.unwrap().detail
}

async fn what_was_put_off_while_the_clock_was_ahead_comes_once_it_is_accepted(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let first = panel.issue("ssl123", &["first.test"]).await;
    let second = panel.issue("ssl123", &["second.test"]).await;
    let order = panel.order("ssl123", "email", &["mail.test"]).await;
    let mailed = panel.place(&order).await;
    server.world().run_due_jobs().await;

    // Two days ahead: lists and looks are put off, and a message is sent, by a time that is not yet.
    server
        .restart_with_clock(SignedDuration::from_hours(48))
        .await;
    let panel = server.panel().await;
    panel.cancel(&first).await.data();
    let looked_at = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.look(&looked_at.id).await;
    let send = format!("/ssl/v2/orders/{}/approver-email/send", mailed.id);
    assert_eq!(panel.http.send("POST", &send, "").await.status, 200);
    server.world().run_due_jobs().await;
    assert_eq!(server.world().approval_links("mail.test").await.len(), 2);
    assert_eq!(read(&list(server).await).0, 1);

    server.restart_with_clock(SignedDuration::ZERO).await;
    assert!(server.app().signing_hold().is_some() && told(server));
    let said = told_of_lists(server).await;
    assert!(said.contains("which is to come"), "{said}");
    server.operations().accept_clock("ann").await.unwrap();
    server.app().beat_pulse().await.unwrap();
    let panel = server.panel().await;
    panel.cancel(&second).await.data();
    panel.publish(&looked_at.data).await;
    server.world().advance(59).await;
    assert_eq!(read(&list(server).await).0, 2);
    panel.finish(&looked_at.id).await;
    server.world().advance(2).await;
    while !told_of_lists(server).await.is_empty() {}
    // Its approver may be written to again, too.
    assert_eq!(panel.http.send("POST", &send, "").await.status, 200);
    server.world().advance(3_600).await;
    assert_eq!(server.world().approval_links("mail.test").await.len(), 3);
}

async fn a_step_back_within_what_is_allowed_holds_no_list_up(server: &mut TestServer) {
    let panel = server.panel().await;
    let first = panel.issue("ssl123", &["first.test"]).await;
    let second = panel.issue("ssl123", &["second.test"]).await;
    server
        .restart_with_clock(SignedDuration::from_mins(4))
        .await;
    let panel = server.panel().await;
    panel.cancel(&first).await.data();
    server.world().run_due_jobs().await;
    assert_eq!(read(&list(server).await).0, 1);
    server.restart_with_clock(SignedDuration::ZERO).await;
    assert_eq!(server.app().signing_hold(), None);
    server.panel().await.cancel(&second).await.data();
    server.world().advance(59).await;
    assert_eq!(read(&list(server).await).0, 2);
}

/// Sets the clock right and says so.
async fn set_right(server: &mut TestServer) -> Panel {
    server.restart_with_clock(SignedDuration::ZERO).await;
    server.operations().accept_clock("ann").await.unwrap();
    server.app().beat_pulse().await.unwrap();
    assert_eq!(server.app().signing_hold(), None);
    server.logs.take_errors();
    server.panel().await
}

/// Has the certificate of shop.test made anew, and gives it.
async fn reissued(panel: &Panel, id: &str) -> Downloaded {
    let asked = json!({ "csr": csr(&["shop.test"]) });
    let path = format!("/ssl/v2/orders/{id}/reissue");
    panel.http.post(&path, &asked).await.data();
    panel.finish(id).await;
    Downloaded::of(&panel.http, &panel.certificate(id).await).await
}

async fn a_superseded_certificate_stays_as_long_as_promised_whoever_accepts_a_time(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let old = panel.verify(&id, &["shop.test"]).await;
    let new = reissued(&panel, &id).await;
    // Who was interrupted accepts the time again.
    for _ in 0..2 {
        was_ahead(server, SignedDuration::from_hours(48)).await;
        server.operations().accept_clock("ann").await.unwrap();
    }
    server.app().beat_pulse().await.unwrap();
    let http = server.http();
    server.world().run_due_jobs().await;
    server.world().advance(71 * 3_600).await;
    assert_eq!(old.revocation_reason_now(&http).await, None);
    server.world().advance(2 * 3_600).await;
    let reason = old.revocation_reason_now(&http).await;
    assert_eq!(reason.as_deref(), Some("Superseded"));
    assert_eq!(new.revocation_reason_now(&http).await, None);
    server.logs.take_errors();
}

async fn a_reissue_by_a_clock_that_was_ahead_revokes_no_later_certificate(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let first = Downloaded::of(&panel.http, &panel.certificate(&id).await).await;
    server
        .restart_with_clock(SignedDuration::from_hours(48))
        .await;
    let second = reissued(&server.panel().await, &id).await;
    let panel = set_right(server).await;
    let third = reissued(&panel, &id).await;
    assert_ne!(second.serial(), third.serial());
    server.world().advance(73 * 3_600).await;
    let http = server.http();
    assert_eq!(third.revocation_reason_now(&http).await, None);
    for earlier in [first, second] {
        let reason = earlier.revocation_reason_now(&http).await;
        assert_eq!(reason.as_deref(), Some("Superseded"));
    }
}

/// The first second of the issuing CA in what an order delivers.
async fn begin_of_issuer(panel: &Panel, id: &str) -> Timestamp {
    let delivered = panel.certificate(id).await;
    let issuing = pem_blocks(&delivered)[1];
    let arguments = ["x509", "-noout", "-startdate", "-dateopt", "iso_8601"];
    let printed = openssl(&arguments, issuing.as_bytes()).unwrap();
    let begin = printed.trim().strip_prefix("notBefore=").unwrap();
    begin.parse().unwrap()
}

async fn an_issuing_ca_made_while_the_clock_was_ahead_is_followed_by_one_that_is_valid(
    server: &mut TestServer,
) {
    server
        .restart_with_clock(SignedDuration::from_hours(48))
        .await;
    let first = server.operations().issuing_cas().await.unwrap().remove(0);
    let revoked = server.operations().revoke_ca(&first, 1, "ann").await;
    revoked.unwrap();
    let panel = server.panel().await;
    let ahead = panel.issue("ssl123", &["ahead.test"]).await;
    let begin_ahead = begin_of_issuer(&panel, &ahead).await;
    let panel = set_right(server).await;
    assert!(server.app().now() < begin_ahead);
    let id = panel.issue("ssl123", &["shop.test"]).await;
    assert!(begin_of_issuer(&panel, &id).await <= server.app().now());
    assert_eq!(server.operations().issuing_cas().await.unwrap().len(), 3);
}

#[test]
fn a_root_made_while_the_clock_was_ahead_is_refused_in_words() {
    const SET_RIGHT: &str = "update meta set value = '0' where key = 'clock_offset_micros'";
    run(async |logs| {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let begin = "2040-01-01T00:00:00Z".parse().unwrap();
            let mut server = TestServer::start_at(engine, logs.clone(), begin).await;
            server.stop().await;
            server.execute(SET_RIGHT).await;
            let refused = Server::start(server.config.clone()).await.err();
            let refused = refused.map(|error| format!("{error:?}"));
            let refused = refused.unwrap_or_default();
            assert!(
                refused.contains("the root CA is valid from 2039-12-31T22:00:00Z on"),
                "{refused}"
            );
            server.logs.take_errors();
            server.finish().await;
        }
    });
}
