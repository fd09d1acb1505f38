//! Settings: what is missing or contradicts itself is refused with a sentence that names it.

use std::fs;
use std::path::Path;
use std::process::Command;

use chancery_testkit::{Engine, repository_root, run};
use tempfile::TempDir;

use crate::programs::{Installation, on_both_engines, program};

/// A production configuration in which nothing is missing.
fn production(folder: &Path) -> String {
    let key = folder.join("master.key");
    fs::write(
        &key,
        "7c1f0e93ab54d26088e7f4315b9ac2d071634f8e25bd0a9c86e3f71254dab90f\n",
    )
    .unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let catalogue = repository_root().join("crates/app/src/catalogue.toml");
    format!(
        "public_url = \"https://ssl.example.com\"\n\
         catalogue = \"{}\"\n\
         master_key_file = \"{}\"\n\
         data = \"{}\"\n\
         [dns]\nresolvers = \"192.0.2.53:53\"\n\
         [smtp]\nhost = \"mail.example.com\"\nfrom = \"ssl@example.com\"\n\
         [ca]\norganization = \"Example Ltd\"\ncountry = \"MY\"\nname = \"Example\"\n",
        catalogue.display(),
        key.display(),
        folder.join("data").display(),
    )
}

fn check(folder: &Path, text: &str, change: impl FnOnce(&mut Command)) -> (bool, String) {
    let file = folder.join("chancery.toml");
    fs::write(&file, text).unwrap();
    let mut command = program();
    command.args(["check-config", "--config"]).arg(&file);
    change(&mut command);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn a_complete_configuration_is_right() {
    let folder = TempDir::new().unwrap();
    let (succeeded, said) = check(folder.path(), &production(folder.path()), |_| {});
    assert!(succeeded, "{said}");
}

#[test]
fn what_settings_mean_for_safety_is_said_with_a_level() {
    let folder = TempDir::new().unwrap();
    let complete = production(folder.path());
    let (succeeded, said) = check(folder.path(), &complete, |_| {});
    assert!(succeeded, "{said}");
    for line in [
        "warning  trusted_proxies: nobody is believed",
        "note     smtp.tls: mail is handed over by TLS",
        "note     master_key_file: it opens the CA's keys",
        "note     public_url: approval links are opened over TLS",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    // A relay on this machine needs no TLS.
    let text = complete.replace("mail.example.com", "127.0.0.1");
    let text = text.replace("[smtp]", "[smtp]\ntls = \"none\"");
    let (succeeded, said) = check(folder.path(), &text, |command| {
        command.arg("--json").env("CHANCERY_GENERATE_KEYS", "true");
    });
    assert!(succeeded, "{said}");
    let findings: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let level = |setting: &str| {
        let of = findings
            .iter()
            .find(|finding| finding["setting"] == setting);
        of.unwrap()["level"].as_str().unwrap().to_owned()
    };
    assert_eq!(level("generate_keys"), "warning");
    assert_eq!(level("smtp.tls"), "note");
    assert_eq!(findings[0]["level"], "warning", "warnings come first");
}

#[test]
fn keys_that_nobody_drew_at_random_are_refused() {
    let folder = TempDir::new().unwrap();
    let complete = production(folder.path());
    let key = folder.path().join("master.key");
    for (text, why) in [
        ("5a".repeat(32), "repeats a pattern"),
        ("0123456789abcdef".repeat(4), "repeats a pattern"),
        ((0..32).map(|at| format!("{at:02x}")).collect(), "sequence"),
        (
            "MGYxZTJkM2M0YjVhNjk3ODg3OTZhNWI0YzNkMmUxZjA=".to_owned(),
            "a text",
        ),
    ] {
        fs::write(&key, text).unwrap();
        let (succeeded, said) = check(folder.path(), &complete, |_| {});
        assert!(!succeeded && said.contains(why), "{why}: {said}");
        assert!(said.contains("openssl rand -hex 32"), "{said}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let folder = TempDir::new().unwrap();
    let complete = production(folder.path());
    for (line, name) in [
        ("public_url", "public_url"),
        ("catalogue", "catalogue"),
        ("master_key_file", "master_key_file"),
        ("resolvers", "dns.resolvers"),
        ("host", "smtp.host"),
        ("from", "smtp.from"),
        ("organization", "ca.organization"),
        ("country", "ca.country"),
        ("name", "ca.name"),
    ] {
        let text: Vec<&str> = complete
            .lines()
            .filter(|text| !text.starts_with(line))
            .collect();
        let (succeeded, said) = check(folder.path(), &text.join("\n"), |_| {});
        assert!(
            !succeeded && said.contains(&format!("{name} is not set")),
            "{name}: {said}"
        );
    }
}

#[test]
fn what_is_wrong_or_contradicts_is_named() {
    let folder = TempDir::new().unwrap();
    let complete = production(folder.path());
    let with = |before: &str, after: &str| {
        assert!(complete.contains(before), "{before}");
        complete.replace(before, after)
    };
    for (text, name) in [
        (with("https://ssl", "ftp://ssl"), "public_url"),
        (
            with("https://ssl", "http://ssl"),
            "public_url begins with http://",
        ),
        (
            with("[smtp]", "[smtp]\ntls = \"none\""),
            "smtp.tls is \"none\"",
        ),
        (
            with("[dns]", "[retention]\nrecords_days = 365\n[dns]"),
            "retention.records_days",
        ),
        (with("192.0.2.53:53", "dns.example.com"), "dns.resolvers"),
        (
            with("[dns]", "[dns]\ntimeout_seconds = 0"),
            "dns.timeout_seconds",
        ),
        (
            with("[dns]", "[validation]\ndays = 31\n[dns]"),
            "validation.days",
        ),
        (
            with("[ca]", "[ca]\nkey_algorithm = \"MD5\""),
            "ca.key_algorithm",
        ),
        (with("[smtp]", "[smtp]\nusername = \"x\""), "smtp.username"),
        (with("[smtp]", "[smtp]\nport = 99999"), "port"),
        (with("[dns]", "[dns]\nresolver = \"x\""), "resolver"),
        (
            with("public_url", "database = \"mysql://x\"\npublic_url"),
            "database",
        ),
        (with("public_url", "mode = \"ote\"\npublic_url"), "OTE mode"),
        (with("public_url", "mode = \"sandbox\"\npublic_url"), "mode"),
        (with("catalogue.toml", "nothing.toml"), "nothing.toml"),
        (with("master.key", "nothing.key"), "nothing.key"),
        ("public_url = ".to_owned(), "chancery.toml"),
    ] {
        let (succeeded, said) = check(folder.path(), &text, |_| {});
        assert!(!succeeded && said.contains(name), "{name}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    let loose = folder.path().join("master.key");
    fs::set_permissions(&loose, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (succeeded, said) = check(folder.path(), &complete, |_| {});
    assert!(
        !succeeded && said.contains("can be read by others"),
        "{said}"
    );
}

#[test]
fn variables_win_over_the_file_and_flags_over_both() {
    let folder = TempDir::new().unwrap();
    let complete = production(folder.path());
    let (succeeded, said) = check(folder.path(), &complete, |command| {
        command.env("CHANCERY_VALIDATION_DAYS", "99");
    });
    assert!(!succeeded && said.contains("validation.days"), "{said}");
    let (succeeded, said) = check(folder.path(), &complete, |command| {
        command
            .env("CHANCERY_DATABASE", "mysql://x")
            .args(["--database", "sqlite://x.db"]);
    });
    assert!(succeeded, "{said}");
    let (succeeded, said) = check(folder.path(), &complete, |command| {
        command.env("CHANCERY_DATABASE", "mysql://x");
    });
    assert!(!succeeded && said.contains("database"), "{said}");
    let (succeeded, said) = check(folder.path(), &complete, |command| {
        command.env("CHANCERY_SMTP_HOTS", "x");
    });
    assert!(!succeeded && said.to_lowercase().contains("hots"), "{said}");
}

#[test]
fn the_server_refuses_what_the_check_refuses() {
    let folder = TempDir::new().unwrap();
    let output = program()
        .args(["serve", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("is not set"),
        "{said}"
    );
}

#[test]
fn one_server_at_a_time_has_an_sqlite_file() {
    run(async |_| {
        let home = Installation::new(Engine::Sqlite).await;
        let server = home.serve().await;
        let second = home.chore(&["serve", "--ote", "--listen", "127.0.0.1:0"]);
        assert!(
            !second.succeeded && second.complained.contains("in use by another server"),
            "{second:?}"
        );
        server.stop().await;
        home.remove().await;
    });
}

on_both_engines!(
    migrating_is_done_once_and_harms_nothing,
    a_new_installation_keeps_to_itself
);

async fn migrating_is_done_once_and_harms_nothing(engine: Engine) {
    let home = Installation::new(engine).await;
    for _ in 0..2 {
        let migrated = home.chore(&["migrate"]);
        assert!(migrated.succeeded, "{migrated:?}");
    }
    let server = home.serve().await;
    let migrated = home.chore(&["migrate"]);
    assert!(migrated.succeeded, "{migrated:?}");
    server.stop().await;
    home.remove().await;
}

/// Nobody else on the machine may read what the server keeps.
async fn a_new_installation_keeps_to_itself(engine: Engine) {
    let home = Installation::new(engine).await;
    home.serve().await.stop().await;
    let mode = |path: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    };
    assert_eq!(mode(&home.data()), 0o700);
    for file in [
        "master.key",
        "ote-credential.json",
        "ote-logicboxes-credential.json",
    ] {
        assert_eq!(mode(&home.data().join(file)), 0o600, "{file}");
    }
    home.remove().await;
}
