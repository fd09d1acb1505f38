//! After a backup was restored: the server refuses, `restore-check` says what is missing and puts back what is known,
//! and no number is handed out twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chancery_testkit::{Engine, openssl, python};
use serde_json::Value;

use crate::programs::{Installation, Running, on_both_engines};

on_both_engines!(
    a_restored_backup_is_not_served_until_it_was_checked,
    a_backup_on_a_fresh_folder_skips_far_ahead,
    damage_is_found,
);

impl Installation {
    /// Copies the database, with the server running or stopped.
    fn back_up(&self) -> PathBuf {
        let copy = self.folder.path().join("copy");
        match &self.database.url {
            None => {
                let script = "import sqlite3, sys\n\
                    source = sqlite3.connect(sys.argv[1])\n\
                    source.backup(sqlite3.connect(sys.argv[2]))";
                let file = self.data().join("chancery.db");
                python(script, &[file, copy.clone()]).unwrap();
            }
            Some(url) => run(Command::new("pg_dump")
                .args(["--clean", "--if-exists", "--file"])
                .arg(&copy)
                .arg(url)),
        }
        copy
    }

    /// Puts a copy in the place of the database.
    fn restore(&self, copy: &Path) {
        match &self.database.url {
            None => {
                let file = self.data().join("chancery.db");
                for ending in ["-wal", "-shm"] {
                    let _ = fs::remove_file(format!("{}{ending}", file.display()));
                }
                fs::copy(copy, file).unwrap();
            }
            Some(url) => run(Command::new("psql")
                .args(["--quiet", "--set", "ON_ERROR_STOP=1", "--file"])
                .arg(copy)
                .arg(url)),
        }
    }

    /// Makes sure that the server does not start, and gives what it complains of.
    async fn refused(&self) -> String {
        let mut running = self.spawn();
        assert_eq!(running.wait().await, Some(1));
        self.log_text()
    }
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status();
    let status = status
        .expect("PostgreSQL's client is not installed (on Debian: apt-get install postgresql)");
    assert!(status.success(), "{command:?}");
}

/// The list of the issuing CA once so many are on it: its number and its text.
async fn list_with(server: &Running, entries: usize) -> (u64, String) {
    loop {
        let list = server.http().get("/pki/issuing.crl").await;
        if list.status != 200 {
            continue;
        }
        let said = openssl(&["crl", "-inform", "DER", "-noout", "-text"], &list.body).unwrap();
        if said.matches("Serial Number:").count() == entries {
            let number = said.split("X509v3 CRL Number:").nth(1).unwrap();
            let number = number.split_whitespace().next().unwrap().parse().unwrap();
            return (number, said);
        }
    }
}

fn lines(home: &Installation, chore: &[&str]) -> Vec<Value> {
    let outcome = home.chore(chore);
    assert!(outcome.succeeded, "{outcome:?}");
    let lines = outcome.printed.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn a_restored_backup_is_not_served_until_it_was_checked(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    panel.issue("ssl123", &["before.test"]).await;
    let copy = home.back_up();
    let mut given = Vec::new();
    for name in ["one.test", "two.test"] {
        given.push(panel.issue("ssl123", &[name]).await);
    }
    panel.cancel(&given[1]).await.data();
    let (last_number, _) = list_with(&server, 1).await;
    // Nothing is missing as long as nothing was restored.
    let outcome = home.chore(&["restore-check"]);
    assert!(
        outcome.succeeded && outcome.printed.contains("nothing to do"),
        "{outcome:?}"
    );
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);

    home.restore(&copy);
    let said = home.refused().await;
    assert!(
        said.contains("chancery restore-check") && said.contains("restored from a backup"),
        "{said}"
    );
    let outcome = home.chore(&["reseller", "list"]);
    assert!(
        !outcome.succeeded && outcome.complained.contains("chancery restore-check"),
        "{outcome:?}"
    );
    let outcome = home.chore(&["restore-check"]);
    assert!(outcome.succeeded, "{outcome:?}");
    for expected in [
        "Nothing was changed",
        "one.test",
        &given[0],
        "two.test",
        &given[1],
        "revoked",
    ] {
        assert!(
            outcome.printed.contains(expected),
            "{expected}: {}",
            outcome.printed
        );
    }
    home.refused().await;
    let outcome = home.chore(&["restore-check", "--yes", "--operator", "ann"]);
    assert!(outcome.succeeded, "{outcome:?}");

    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let number = |id: &String| id.parse::<i64>().unwrap();
    let new = panel.issue("ssl123", &["new.test"]).await;
    assert!(
        given.iter().all(|old| number(old) < number(&new)),
        "{given:?}, {new}"
    );
    // What was revoked stays so, and what is lost can be revoked.
    let lost = lines(&home, &["lost-certificate", "list", "--json"]);
    assert_eq!(lost.len(), 2, "{lost:?}");
    let of = |id: &str| {
        lost.iter()
            .find(|lost| lost["orderId"].as_i64() == id.parse().ok())
            .unwrap()
    };
    assert_eq!(of(&given[0])["names"], serde_json::json!(["one.test"]));
    assert!(of(&given[0])["revokedAt"].is_null() && of(&given[1])["revokedAt"].is_string());
    let serial = of(&given[0])["serial"].as_str().unwrap();
    let (renewed, said) = list_with(&server, 1).await;
    assert!(
        renewed >= last_number && !said.to_lowercase().contains(serial),
        "{said}"
    );
    let revoke = [
        "lost-certificate",
        "revoke",
        "--serial",
        serial,
        "--reason",
        "4",
        "--operator",
        "ann",
    ];
    let outcome = home.chore(&revoke);
    assert!(outcome.succeeded, "{outcome:?}");
    server.world().advance(30).await;
    let (renewed, said) = list_with(&server, 2).await;
    assert!(
        renewed > last_number && said.to_lowercase().contains(serial),
        "{said}"
    );
    server.stop().await;
    // From here on it is a database like any other.
    home.serve().await.stop().await;
    let outcome = home.chore(&["restore-check"]);
    assert!(outcome.printed.contains("nothing to do"), "{outcome:?}");
    home.remove().await;
}

async fn a_backup_on_a_fresh_folder_skips_far_ahead(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let old = panel.issue("ssl123", &["before.test"]).await;
    server.stop().await;
    fs::remove_dir_all(home.data().join("record")).unwrap();
    if engine == Engine::Sqlite {
        let said = home.refused().await;
        assert!(
            said.contains("chancery restore-check") && said.contains("no record"),
            "{said}"
        );
    }
    let outcome = home.chore(&["restore-check", "--skip", "5000"]);
    assert!(
        outcome.succeeded && outcome.printed.contains("nobody can"),
        "{outcome:?}"
    );
    let outcome = home.chore(&["restore-check", "--yes", "--operator", "ann"]);
    assert!(outcome.succeeded, "{outcome:?}");
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let new = panel.issue("ssl123", &["new.test"]).await;
    let gap = new.parse::<i64>().unwrap() - old.parse::<i64>().unwrap();
    assert!(gap >= 100_000, "{old}, {new}");
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn damage_is_found(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    panel.issue("ssl123", &["shop.test"]).await;
    server.stop().await;
    let outcome = home.chore(&["database", "check"]);
    assert!(
        outcome.succeeded && outcome.printed.contains("no damage"),
        "{outcome:?}"
    );
    let script =
        "update certificates set spki_sha256 = tbs; update resellers set balance = balance + 1;";
    match &home.database.url {
        None => {
            let python_script = "import sqlite3, sys\n\
                database = sqlite3.connect(sys.argv[1])\n\
                database.executescript(open(sys.argv[2]).read())";
            let file = home.folder.path().join("script");
            fs::write(&file, script).unwrap();
            python(python_script, &[home.data().join("chancery.db"), file]).unwrap();
        }
        Some(url) => run(Command::new("psql")
            .args(["--quiet", "--command", script])
            .arg(url)),
    }
    let other = "8f1c3a5e7b9d02461e3f5a7c9b8d60724f6e8a0c2b4d9f1357e1a3c5b7d98026";
    fs::write(home.data().join("master.key"), other).unwrap();
    let outcome = home.chore(&["database", "check"]);
    assert!(!outcome.succeeded);
    for expected in [
        "its key is not that of its bytes",
        "its entries say",
        "the master key does not open the root's key",
    ] {
        assert!(
            outcome.complained.contains(expected),
            "{expected}: {outcome:?}"
        );
    }
    home.remove().await;
}
