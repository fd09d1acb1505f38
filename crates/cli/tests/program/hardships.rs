//! A database that is away at the start, a disk that is full, settings that change: what the program makes of it.

use std::fs;
use std::path::Path;

use chancery_testkit::{Engine, Http, Signal, limit_files, run};
use serde_json::Value;

use crate::programs::{Installation, on_both_engines};

on_both_engines!(settings_are_read_again_and_broken_ones_change_nothing);

/// Waits until something can be read in the log so many times.
async fn logged(home: &Installation, text: &str, often: usize) {
    while times(home, text) < often {
        tokio::task::yield_now().await;
    }
}

fn times(home: &Installation, text: &str) -> usize {
    home.log_text().matches(text).count()
}

#[test]
fn a_start_waits_for_a_database_that_is_away_and_says_so_once() {
    run(async |_| {
        let home = Installation::new(Engine::Postgres).await;
        home.database.lock_out().await;
        let mut server = home.spawn();
        logged(&home, "waiting for it", 1).await;
        home.database.let_in().await;
        server.serving(&home).await;
        assert_eq!(times(&home, "waiting for it"), 1);
        assert_eq!(server.http().get("/health").await.status, 200);
        server.stop().await;

        home.database.lock_out().await;
        let mut server = home.spawn_with(&[("CHANCERY_DATABASE_WAIT_SECONDS", "0")]);
        assert_eq!(server.wait().await, Some(1));
        assert!(
            home.log_text().contains("the database is away"),
            "{}",
            home.log_text()
        );

        // Who is told to stop while it waits, stops.
        let mut server = home.spawn();
        logged(&home, "waiting for it", 2).await;
        server.terminate();
        assert_eq!(server.wait().await, Some(0));
        home.database.let_in().await;
        home.remove().await;
    });
}

/// Whether the server takes this machine for an operator's.
async fn is_operator(http: &Http) -> bool {
    let health: Value = http.get("/health").await.json();
    health["checks"].is_array()
}

async fn settings_are_read_again_and_broken_ones_change_nothing(engine: Engine) {
    let home = Installation::new(engine).await;
    let file = home.folder.path().join("chancery.toml");
    let catalogue = home.folder.path().join("catalogue.toml");
    let built_in = chancery_testkit::repository_root().join("crates/app/src/catalogue.toml");
    let sold = fs::read_to_string(built_in).unwrap();
    let write = |file: &Path, text: &str| fs::write(file, text).unwrap();
    write(&catalogue, &sold);
    let settings = |operators: &str, more: &str| {
        let catalogue = catalogue.display();
        format!("catalogue = \"{catalogue}\"\n{more}\n[health]\noperators = \"{operators}\"\n")
    };
    write(&file, &settings("192.0.2.1", ""));
    let server = home.serve_from(&file).await;
    let http = server.http();
    assert!(!is_operator(&http).await);
    let panel = server.panel(&home.data()).await;
    let listed = async || panel.http.get("/ssl/v2/products/list").await.text();
    assert!(listed().await.contains("ssl123"));

    write(&file, &settings("127.0.0.1", "log_format = \"json\""));
    write(&catalogue, &sold.replace("\"ssl123\"", "\"ssl124\""));
    server.signal(Signal::HUP);
    while !is_operator(&http).await {}
    let list = listed().await;
    assert!(
        list.contains("ssl124") && !list.contains("ssl123"),
        "{list}"
    );
    logged(&home, "some count from the next start", 1).await;
    assert!(
        home.log_text().contains("log_format"),
        "{}",
        home.log_text()
    );

    for (number, broken) in [
        "operators = ",
        &settings("not an address", ""),
        &settings("192.0.2.1", "trusted_proxies = \"0.0.0.0/0\""),
        &settings("192.0.2.1", "no_such_setting = 1"),
        &settings("192.0.2.1", "log = \"warn,chancery=loudly\""),
    ]
    .into_iter()
    .enumerate()
    {
        write(&file, broken);
        server.signal(Signal::HUP);
        logged(&home, "those of before still count", number + 1).await;
        assert!(is_operator(&http).await, "{broken}");
    }
    write(&catalogue, "[[products]]\nkey = 5");
    write(&file, &settings("192.0.2.1", ""));
    server.signal(Signal::HUP);
    logged(&home, "those of before still count", 6).await;
    assert!(is_operator(&http).await && listed().await.contains("ssl124"));
    server.stop().await;
    home.remove().await;
}

#[test]
fn a_full_disk_is_told_once_a_minute_and_overcome() {
    run(async |_| {
        let home = Installation::new(Engine::Sqlite).await;
        let file = home.folder.path().join("chancery.toml");
        fs::write(&file, "").unwrap();
        let server = home.serve_from(&file).await;
        let panel = server.panel(&home.data()).await;
        let order = panel.order("ssl123", "dns", &["shop.test"]).await;
        let log = fs::metadata(home.data().join("chancery.db-wal")).unwrap();
        limit_files(server.process(), Some(log.len()));

        let http = server.http();
        while http.get("/health").await.status == 200 {}
        for _ in 0..20 {
            let refused = panel.place_under_key("invoice-1", &order).await;
            assert_eq!(refused.status, 503, "{}", refused.text());
            assert_eq!(refused.header("retry-after"), "5");
            assert_eq!(http.get("/health/live").await.status, 200);
        }
        let errors = home.logged_errors();
        assert!((1..=12).contains(&errors.len()), "{errors:#?}");

        limit_files(server.process(), None);
        while http.get("/health").await.status != 200 {}
        panel.place_under_key("invoice-1", &order).await.data();
        panel.issue("ssl123", &["after.test"]).await;
        server.stop().await;
        home.remove().await;
    });
}

#[test]
fn an_operator_is_told_how_the_server_is() {
    run(async |_| {
        let home = Installation::new(Engine::Sqlite).await;
        let server = home.serve().await;
        let url = format!("http://{}", server.address);
        server.world().run_due_jobs().await;
        let told = crate::programs::program()
            .args(["health", "--url", &url])
            .output()
            .unwrap();
        let printed = String::from_utf8(told.stdout).unwrap();
        assert!(told.status.success(), "{printed}");
        for name in [
            "database",
            "worker",
            "jobs",
            "revocation lists",
            "signing",
            "mail",
            "resolvers",
        ] {
            let line = printed.lines().find(|line| line.starts_with(name));
            assert!(line.is_some_and(|line| line.contains(" ok")), "{printed}");
        }
        server.stop().await;
        let gone = crate::programs::program()
            .args(["health", "--url", &url])
            .output()
            .unwrap();
        assert!(!gone.status.success());
        home.remove().await;
    });
}
