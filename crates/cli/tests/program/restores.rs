//! After a backup was restored: the server refuses, `restore-check` says what is missing and puts back what is known,
//! and no number is handed out twice.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chancery_testkit::{Engine, openssl, python};
use serde_json::Value;

use crate::programs::{Installation, Running, on_both_engines};

on_both_engines!(
    a_restored_backup_is_not_served_until_it_was_checked,
    what_was_decided_after_a_backup_is_decided_again,
    an_issuing_ca_under_a_later_master_key_comes_back_once_that_is_in_use,
    a_certificate_known_from_a_list_alone_stays_on_it,
    a_record_on_another_disk_outlives_the_data_folder,
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
    let people = panel.contacts().await;
    let organization = panel.organization("Late Ltd").await;
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
    let number = |id: &String| {
        let digits = id.chars().filter(char::is_ascii_digit);
        digits.collect::<String>().parse::<i64>().unwrap()
    };
    let new = panel.issue("ssl123", &["new.test"]).await;
    assert!(
        given.iter().all(|old| number(old) < number(&new)),
        "{given:?}, {new}"
    );
    for (old, new) in people.iter().zip(panel.contacts().await) {
        assert!(number(old) < number(&new), "contacts {old}, {new}");
    }
    let later = panel.organization("Later Ltd").await;
    assert!(
        organization < later,
        "organizations {organization}, {later}"
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
    assert!(
        outcome.succeeded && outcome.complained.contains("nothing was done"),
        "{outcome:?}"
    );
    let hint = ["certificate", "revoke", "--serial", serial, "--reason", "4"];
    let outcome = home.chore(&hint);
    assert!(
        outcome.complained.contains("lost-certificate"),
        "{outcome:?}"
    );
    let outcome = home.chore(&[&revoke[..], &["--yes"]].concat());
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

/// The root's list once so many issuing CAs are on it.
async fn root_list_with(server: &Running, entries: usize) {
    loop {
        let list = server.http().get("/pki/root.crl").await;
        let said = openssl(&["crl", "-inform", "DER", "-noout", "-text"], &list.body).unwrap();
        if said.matches("Serial Number:").count() == entries {
            return;
        }
        server.world().advance(30).await;
    }
}

/// The ids of the issuing CAs, and whether they were revoked.
fn issuing_cas(home: &Installation) -> Vec<(String, bool)> {
    let outcome = home.chore(&["ca", "show"]);
    assert!(outcome.succeeded, "{outcome:?}");
    let lines = outcome.printed.lines();
    let titles = lines.filter_map(|line| line.strip_prefix("Issuing CA "));
    let read = |title: &str| {
        let id = title.split([',', ' ']).nth(2).unwrap();
        (id.to_owned(), title.contains("revoked"))
    };
    titles.map(read).collect()
}

fn done(home: &Installation, chore: &[&str]) -> String {
    let outcome = home.chore(chore);
    assert!(outcome.succeeded, "{chore:?}: {outcome:?}");
    outcome.printed
}

/// Kills the chore that puts back while it is at work, then lets it go through.
async fn put_back_through_kills(home: &Installation) {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let chore = ["restore-check", "--yes", "--operator", "ann"];
    for moments in [0, 2, 4, 8, 16] {
        let mut command = home.tokio_command(&chore);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        // The last line before it begins.
        while let Some(line) = printed.next_line().await.unwrap() {
            if line.starts_with("Orders, payments") {
                break;
            }
        }
        for _ in 0..moments {
            run(&mut Command::new("true"));
        }
        child.kill().await.unwrap();
    }
    done(home, &chore);
    assert!(done(home, &["restore-check"]).contains("nothing to do"));
}

async fn what_was_decided_after_a_backup_is_decided_again(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    let before = panel.issue("ssl123", &["before.test"]).await;
    panel.issue("ssl123", &["kept.test"]).await;
    let copy = home.back_up();
    let compromise = ["--reason", "keyCompromise", "--operator", "ann", "--yes"];
    let revoke = ["certificate", "revoke", "--order", &before];
    done(&home, &[&revoke[..], &compromise].concat());
    // A second issuing CA follows, which is revoked in its turn.
    let mut issued = Vec::new();
    for (number, name) in [(1, "second.test"), (2, "third.test")] {
        let ca = number.to_string();
        let reason = ["--reason", "key-compromise", "--operator", "ann", "--yes"];
        let revoke = ["ca", "revoke", "--ca", &ca];
        done(&home, &[&revoke[..], &reason].concat());
        root_list_with(&server, number).await;
        issued.push(panel.issue("ssl123", &[name]).await);
    }
    let known = issuing_cas(&home);
    let shown = known.iter().map(|(_, is_revoked)| *is_revoked);
    assert_eq!(shown.collect::<Vec<_>>(), [true, true, false]);
    let keys = lines(&home, &["key", "list", "--json"]);
    let revoked = lines(
        &home,
        &["certificate", "list", "--order", &before, "--json"],
    );
    server.stop().await;

    home.restore(&copy);
    home.refused().await;
    let said = done(&home, &["restore-check"]);
    for expected in [
        "Keys that were blocked",
        "is not in the database, and is put there",
        "was revoked, and is again",
        "second.test",
        "third.test",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    put_back_through_kills(&home).await;

    assert_eq!(issuing_cas(&home), known);
    let blocked = lines(&home, &["key", "list", "--json"]);
    assert_eq!(blocked.len(), 1, "{blocked:?}");
    for member in ["key", "by", "blockedAt"] {
        assert_eq!(blocked[0][member], keys[0][member], "{member}");
    }
    let again = lines(
        &home,
        &["certificate", "list", "--order", &before, "--json"],
    );
    assert_eq!(again.len(), revoked.len());
    // As the list told it: by the second.
    let told = |lines: &[Value]| {
        let revocation = &lines[0]["revocation"];
        let at = revocation["at"].as_str().unwrap();
        let second = at.split(['.', 'Z']).next().unwrap().to_owned();
        (second, revocation["reason"].clone())
    };
    assert_eq!(told(&again), told(&revoked));
    let server = home.serve().await;
    root_list_with(&server, 2).await;
    // What the second one signed is revoked on its list, as anything else is.
    let name = ["lost-certificate", "revoke", "--name", "second.test"];
    done(&home, &[&name[..], &compromise].concat());
    let lost = lines(&home, &["lost-certificate", "list", "--json"]);
    let second = |lost: &&Value| {
        lost["names"] == serde_json::json!(["second.test"]) && lost["issuer"] == known[1].0
    };
    let second = lost.iter().find(second).unwrap();
    let serial = second["serial"].as_str().unwrap();
    let path = format!("/pki/{}.crl", known[1].0);
    loop {
        let list = server.http().get(&path).await;
        if list.status != 200 {
            continue;
        }
        let said = openssl(&["crl", "-inform", "DER", "-noout", "-text"], &list.body).unwrap();
        if said.to_lowercase().contains(serial) {
            break;
        }
        server.world().advance(30).await;
    }
    assert_eq!(lines(&home, &["key", "list", "--json"]).len(), 2);
    // What the first one signed is replaced.
    let kept = ["certificate", "list", "--name", "kept.test", "--json"];
    while lines(&home, &kept).len() < 2 {
        server.world().advance(30).await;
    }
    server.stop().await;
    home.remove().await;
}

async fn an_issuing_ca_under_a_later_master_key_comes_back_once_that_is_in_use(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    panel.issue("ssl123", &["before.test"]).await;
    let copy = home.back_up();
    let revoke = [
        "ca",
        "revoke",
        "--ca",
        "1",
        "--reason",
        "superseded",
        "--yes",
    ];
    done(&home, &revoke);
    root_list_with(&server, 1).await;
    panel.issue("ssl123", &["late.test"]).await;
    server.stop().await;
    let known = issuing_cas(&home);
    let key = home.folder.path().join("new.key");
    let digits = "8f1c3a5e7b9d02461e3f5a7c9b8d60724f6e8a0c2b4d9f1357e1a3c5b7d98026";
    fs::write(&key, digits).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let rotate = [
        "key",
        "rotate",
        "--new-master-key-file",
        key.to_str().unwrap(),
    ];
    done(&home, &rotate);

    home.restore(&copy);
    let yes = ["restore-check", "--yes", "--operator", "ann"];
    let outcome = home.chore(&yes);
    assert!(
        !outcome.succeeded && outcome.complained.contains("chancery key rotate"),
        "{outcome:?}"
    );
    done(&home, &rotate);
    fs::copy(&key, home.data().join("master.key")).unwrap();
    done(&home, &yes);
    assert_eq!(issuing_cas(&home), known);
    let server = home.serve().await;
    root_list_with(&server, 1).await;
    let list = format!("/pki/{}.crl", known[1].0);
    while server.http().get(&list).await.status != 200 {
        server.world().advance(30).await;
    }
    server.stop().await;
    home.remove().await;
}

async fn a_certificate_known_from_a_list_alone_stays_on_it(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    panel.issue("ssl123", &["before.test"]).await;
    let copy = home.back_up();
    let late = panel.issue("ssl123", &["late.test"]).await;
    panel.cancel(&late).await.data();
    let (number, _) = list_with(&server, 1).await;
    server.stop().await;
    home.restore(&copy);
    let installation = fs::read_dir(home.data().join("record")).unwrap().next();
    for file in fs::read_dir(installation.unwrap().unwrap().path()).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().contains("signed-") {
            fs::remove_file(path).unwrap();
        }
    }
    let said = done(&home, &["restore-check", "--yes", "--operator", "ann"]);
    assert!(said.contains("order unknown"), "{said}");
    let lost = lines(&home, &["lost-certificate", "list", "--json"]);
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0]["orderId"].is_null() && lost[0]["revokedAt"].is_string());
    let server = home.serve().await;
    server.world().advance(86_400 + 60).await;
    let (later, said) = list_with(&server, 1).await;
    let serial = lost[0]["serial"].as_str().unwrap();
    assert!(
        number < later && said.to_lowercase().contains(serial),
        "{said}"
    );
    server.stop().await;
    home.remove().await;
}

async fn a_record_on_another_disk_outlives_the_data_folder(engine: Engine) {
    let home = Installation::new(engine).await;
    let elsewhere = home.folder.path().join("elsewhere");
    let file = home.folder.path().join("chancery.toml");
    fs::write(&file, format!("record = {elsewhere:?}\n")).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let server = home.serve_from(&file).await;
    let panel = server.panel(&home.data()).await;
    let copy = home.back_up();
    let given = panel.issue("ssl123", &["late.test"]).await;
    server.stop().await;
    assert!(!home.data().join("record").exists());
    home.restore(&copy);
    let said = done(&home, &[&["restore-check"][..], &config].concat());
    assert!(
        said.contains("late.test") && said.contains(&given),
        "{said}"
    );
    // A record that was restored together with the database knows nothing, and says so.
    fs::remove_dir_all(&elsewhere).unwrap();
    let yes = ["restore-check", "--yes", "--operator", "ann"];
    done(&home, &[&yes[..], &config].concat());
    let said = done(&home, &[&["restore-check"][..], &config].concat());
    assert!(
        said.contains("nothing to do") && said.contains("--skip"),
        "{said}"
    );
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
