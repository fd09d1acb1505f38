//! The map holds: who may know whom, and that both databases climb the same migrations.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use chancery_testkit::repository_root;
use serde_json::Value;

/// Whom each crate may name, of ours. What a crate reaches through another it still may not name.
const ARROWS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("pki", &["domain"]),
    ("outside", &["domain"]),
    ("ote", &["domain"]),
    ("store", &["domain"]),
    ("issuers", &["domain", "pki"]),
    ("app", &["domain", "issuers", "outside", "pki", "store"]),
    ("bodies", &[]),
    ("webnic", &["app", "bodies", "domain"]),
    ("logicboxes", &["app", "bodies", "domain"]),
    ("console", &["app", "domain"]),
    (
        "server",
        &[
            "app",
            "bodies",
            "console",
            "domain",
            "issuers",
            "logicboxes",
            "ote",
            "outside",
            "pki",
            "store",
            "webnic",
        ],
    ),
    ("cli", &["app", "domain", "pki", "server"]),
];

/// Crates that serve the tests and the bench: the product may not know them.
const AROUND: [&str; 4] = ["testkit", "tests", "fuzz", "bench"];

/// The crates by folder, with those they name outside of tests.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(repository_root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let packages = metadata["packages"].as_array().unwrap();
    let folder = |manifest: &Value| {
        let manifest = manifest.as_str().unwrap().trim_end_matches("/Cargo.toml");
        manifest.rsplit('/').next().unwrap().to_owned()
    };
    let folders: BTreeMap<&str, String> = packages
        .iter()
        .map(|package| {
            (
                package["name"].as_str().unwrap(),
                folder(&package["manifest_path"]),
            )
        })
        .collect();
    let named = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let shipped = all.filter(|dependency| dependency["kind"] != "dev");
        shipped
            .filter_map(|dependency| folders.get(dependency["name"].as_str().unwrap()))
            .cloned()
            .collect()
    };
    packages
        .iter()
        .map(|package| (folder(&package["manifest_path"]), named(package)))
        .collect()
}

#[test]
fn crates_know_only_whom_they_may() {
    let mut crates = crates();
    for (name, allowed) in ARROWS {
        let named = crates
            .remove(name)
            .unwrap_or_else(|| panic!("there is no crate {name}"));
        for other in named {
            assert!(
                allowed.contains(&&other[..]),
                "{name} must not depend on {other}"
            );
        }
    }
    let rest: Vec<&str> = crates.keys().map(String::as_str).collect();
    for name in rest {
        assert!(
            AROUND.contains(&name),
            "ARROWS does not say whom {name} may know"
        );
    }
}

#[test]
fn only_the_store_speaks_to_databases() {
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "store") {
        let manifest = repository_root()
            .join("crates")
            .join(name)
            .join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let manifest: toml::Value = toml::from_str(&manifest).unwrap();
        for driver in [
            "rusqlite",
            "tokio-postgres",
            "deadpool-postgres",
            "refinery",
        ] {
            let named = manifest.get("dependencies").and_then(|all| all.get(driver));
            assert!(named.is_none(), "{name} must not depend on {driver}");
        }
    }
}

#[test]
fn migrations_are_paired_and_numbered() {
    let files = |engine: &str| -> Vec<String> {
        let folder = repository_root()
            .join("crates/store/migrations")
            .join(engine);
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let sqlite = files("sqlite");
    assert_eq!(sqlite, files("postgres"));
    for (at, name) in sqlite.iter().enumerate() {
        assert!(
            name.starts_with(&format!("{:04}_", at + 1)) && name.ends_with(".sql"),
            "{name}"
        );
    }
}

/// Rooms for everything soon hold everything.
#[test]
fn no_room_is_called_by_a_word_for_anything() {
    for name in crates().keys() {
        for word in ["core", "common", "utils", "helpers", "types", "models"] {
            assert_ne!(name, word);
        }
    }
}
