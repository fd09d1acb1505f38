//! The record beside the database: each replica has one of its own, and none of them is taken for a restore.

use std::path::Path;

use chancery_app::Hold;
use chancery_domain::SignedDuration;
use chancery_server::config::Config;
use chancery_server::{Server, operations_after_restore};
use chancery_testkit::{Engine, TestServer, on_both_engines, openssl, run};

on_both_engines!(
    nothing_is_signed_or_placed_from_a_database_that_went_back_under_the_server,
    numbers_given_out_before_are_not_given_out_again_under_a_running_server,
    a_restore_shows_by_its_certificates_after_the_clock_was_ahead_into_another_month,
);

/// The list of the issuing CA, as text.
async fn list(server: &TestServer) -> String {
    let reply = server.http().get("/pki/issuing.crl").await;
    let said = openssl(&["crl", "-inform", "DER", "-noout", "-text"], &reply.body);
    said.unwrap().to_lowercase()
}

/// Makes sure that a start is refused, puts back what is known, and starts.
async fn put_back(server: &mut TestServer) {
    server.stop().await;
    put_back_by(&server.config).await;
    server.restart().await;
}

/// The same by the record of one replica, without the start.
async fn put_back_by(config: &Config) {
    assert_refused(config).await;
    let operations = operations_after_restore(config).await.unwrap();
    let records = config.record_folder();
    let report = operations.restore_report(&records, None).await.unwrap();
    assert!(report.is_needed());
    operations.put_back(&records, &report, "ann").await.unwrap();
}

async fn assert_refused(config: &Config) {
    let refused = Server::start(config.clone()).await.err();
    let refused = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("chancery restore-check"), "{refused}");
}

/// The settings of another replica, with a data folder of its own.
fn replica(server: &TestServer, folder: &Path) -> Config {
    Config {
        data: folder.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        master_key_file: Some(server.config.data.join("master.key")),
        public_url: Some(format!("http://{}", server.http().address())),
        ..server.config.clone()
    }
}

async fn nothing_is_signed_or_placed_from_a_database_that_went_back_under_the_server(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let revoked = panel.issue("ssl123", &["revoked.test"]).await;
    let other = panel.issue("ssl123", &["other.test"]).await;
    let serial = panel.verify(&revoked, &["revoked.test"]).await.serial();
    let serial = serial.to_lowercase();
    server.app().run_due_jobs().await.unwrap();
    server.world().advance(60).await;
    panel.cancel(&revoked).await.data();
    server.app().run_due_jobs().await.unwrap();
    let before = list(server).await;
    assert!(before.contains(&serial), "{before}");
    server.world().advance(60).await;
    let order = panel.order("ssl123", "dns", &["new.test"]).await;

    // What a standby has that lags behind: neither the revocation nor the list.
    server
        .execute(
            "update certificates set state = 'issued', revoked_at = null, revocation_reason = null,
                revocation_asked_at = null, revocation_due_at = null, revoked_by = null",
        )
        .await;
    server
        .execute(
            "delete from crls where issuer not like '%-root' and number =
                (select max(number) from crls where issuer not like '%-root')",
        )
        .await;
    let _ = panel.cancel(&other).await;
    server.app().run_due_jobs().await.unwrap();
    while server.app().signing_hold() != Some(Hold::DatabaseBehind) {
        server.app().beat_pulse().await.unwrap();
    }
    assert_eq!(list(server).await, before);
    while server.http().get("/health/ready").await.status != 503 {}
    let health = server.http().get("/health").await;
    assert!(
        health.text().contains("chancery restore-check"),
        "{}",
        health.text()
    );
    assert_eq!(server.http().get("/health/live").await.status, 200);
    assert_eq!(panel.place_under_key("new", &order).await.status, 503);
    let told = server.logs.take_errors();
    assert!(
        told.iter().any(|line| line.contains("went back")),
        "{told:?}"
    );

    put_back(server).await;
    server.app().run_due_jobs().await.unwrap();
    let after = list(server).await;
    assert!(after.contains(&serial), "{after}");
    server.panel().await.issue("ssl123", &["new.test"]).await;
}

async fn numbers_given_out_before_are_not_given_out_again_under_a_running_server(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let first = panel.issue("ssl123", &["first.test"]).await;
    let order = panel.order("ssl123", "dns", &["second.test"]).await;
    server
        .execute("update sequences set next = 1 where name = 'order'")
        .await;
    server.app().beat_pulse().await.unwrap();
    assert_eq!(panel.place_under_key("second", &order).await.status, 503);
    assert!(!server.logs.take_errors().is_empty());
    put_back(server).await;
    let second = server.panel().await.issue("ssl123", &["third.test"]).await;
    let [first, second] = [first, second].map(|id| id.parse::<i64>().unwrap());
    assert!(first < second, "{first}, {second}");
}

async fn a_restore_shows_by_its_certificates_after_the_clock_was_ahead_into_another_month(
    server: &mut TestServer,
) {
    server
        .restart_with_clock(SignedDuration::from_hours(24 * 40))
        .await;
    server.panel().await.issue("ssl123", &["ahead.test"]).await;
    server.restart_with_clock(SignedDuration::ZERO).await;
    server.operations().accept_clock("ann").await.unwrap();
    server.app().beat_pulse().await.unwrap();
    server.panel().await.issue("ssl123", &["later.test"]).await;
    server.stop().await;
    // Nothing else is missing than the certificate that was signed last.
    server
        .execute(
            "update certificates set issuer = 'another' where id = (select max(id) from certificates)",
        )
        .await;
    put_back(server).await;
    server.logs.take_errors();
}

#[test]
fn a_database_that_went_back_under_one_replica_is_used_by_no_other() {
    run(async |logs| {
        let mut server = TestServer::start(Engine::Postgres, logs).await;
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [config, third] = [0, 1].map(|index| replica(&server, folders[index].path()));
        let panel = server.panel().await;
        let order = panel.order("ssl123", "dns", &["one.test"]).await;
        server
            .execute(
                "insert into meta (key, value)
                 select 'before', cast(next as text) from sequences where name = 'order'",
            )
            .await;
        let other = Server::start(config.clone()).await.unwrap();
        panel.place(&order).await;
        // The other one knows only what was before, so for it nothing is missing.
        server
            .execute(
                "update sequences set next = (select cast(value as bigint) from meta where key = 'before')
                 where name = 'order'",
            )
            .await;
        server.app().beat_pulse().await.unwrap();
        assert_eq!(server.app().signing_hold(), Some(Hold::DatabaseBehind));
        other.app.beat_pulse().await.unwrap();
        assert_eq!(other.app.signing_hold(), Some(Hold::DatabaseBehind));
        other.stop().await;
        // Nor by one that has no record yet.
        assert_refused(&third).await;

        put_back(&mut server).await;
        put_back_by(&config).await;
        for config in [config, third] {
            Server::start(config).await.unwrap().stop().await;
        }
        let panel = server.panel().await;
        panel.issue("ssl123", &["two.test"]).await;
        server.logs.take_errors();
        server.finish().await;
    });
}

#[test]
fn a_replica_that_was_off_for_long_is_served() {
    run(async |logs| {
        let server = TestServer::start(Engine::Postgres, logs).await;
        let folder = tempfile::tempdir().unwrap();
        let config = replica(&server, folder.path());
        // A new one, with an empty record, beside one that has been at work.
        server.panel().await.issue("ssl123", &["one.test"]).await;
        Server::start(config.clone()).await.unwrap().stop().await;
        // Much happens while it is off.
        for name in ["two.test", "three.test"] {
            server.panel().await.issue("ssl123", &[name]).await;
            server.app().beat_pulse().await.unwrap();
        }
        Server::start(config).await.unwrap().stop().await;
        server.finish().await;
    });
}

#[test]
fn what_is_signed_is_in_the_journal() {
    run(async |logs| {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let server = TestServer::start(engine, logs.clone()).await;
            let order = server.panel().await.issue("ssl123", &["one.test"]).await;
            let record = server.config.data.join("record");
            let folder = std::fs::read_dir(record)
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path();
            let files = std::fs::read_dir(folder)
                .unwrap()
                .map(|file| file.unwrap().path());
            let mut journals = files.filter(|file| file.to_string_lossy().contains("signed-"));
            let text = std::fs::read_to_string(journals.next().unwrap()).unwrap();
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(
                text.contains(&format!("\"order\":{order}")) && text.contains("one.test"),
                "{text}"
            );
            server.finish().await;
        }
    });
}
