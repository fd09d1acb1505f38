//! The record beside the database: each replica has one of its own, and none of them is taken for a restore.

use chancery_server::Server;
use chancery_server::config::Config;
use chancery_testkit::{Engine, TestServer, run};

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
