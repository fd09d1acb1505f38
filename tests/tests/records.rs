//! The record beside the database: each replica has one of its own, and none of them is taken for a restore.

use chancery_app::Hold;
use chancery_server::config::Config;
use chancery_server::{Server, operations_after_restore};
use chancery_testkit::{Engine, TestServer, on_both_engines, openssl, run};

on_both_engines!(
    nothing_is_signed_or_placed_from_a_database_that_went_back_under_the_server,
    numbers_given_out_before_are_not_given_out_again_under_a_running_server,
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
    let refused = Server::start(server.config.clone()).await.err();
    let refused = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("chancery restore-check"), "{refused}");
    let operations = operations_after_restore(&server.config).await.unwrap();
    let records = server.config.record_folder();
    let report = operations.restore_report(&records, None).await.unwrap();
    assert!(report.is_needed());
    operations.put_back(&records, &report, "ann").await.unwrap();
    server.restart().await;
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

#[test]
fn a_replica_that_was_off_for_long_is_served() {
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
