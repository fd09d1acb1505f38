//! What came in as a dependency, held against `deny.toml`. Known vulnerabilities are not looked up here: that
//! needs the network, and `cargo deny check advisories` does it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;

use chancery_testkit::repository_root;
use toml::Value;

/// A crate that is built into what we ship or build with.
struct Dependency {
    name: String,
    version: String,
    licence: String,
    is_ours: bool,
    is_from_registry: bool,
}

/// The tree, read once.
static DEPENDENCIES: LazyLock<Vec<Dependency>> = LazyLock::new(dependencies);

/// The tree as cargo resolves it, features and platform considered.
fn dependencies() -> Vec<Dependency> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args([
            "--target",
            "x86_64-unknown-linux-gnu",
            "--no-dedupe",
            "--format",
            "{p}|{l}",
        ])
        .current_dir(repository_root())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut found = BTreeMap::new();
    for line in printed.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.split_once('|').unwrap();
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let origin = words
            .find(|word| *word != "(proc-macro)")
            .unwrap_or_default()
            .to_owned();
        found.insert(
            package.to_owned(),
            Dependency {
                name: name.to_owned(),
                version: version.to_owned(),
                licence: licence.to_owned(),
                is_ours: name.starts_with("chancery"),
                is_from_registry: origin.is_empty(),
            },
        );
    }
    assert!(found.len() > 100, "the tree was not read: {printed}");
    found.into_values().collect()
}

fn rules() -> Value {
    toml::from_str(&std::fs::read_to_string(repository_root().join("deny.toml")).unwrap()).unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

#[test]
fn every_licence_is_one_we_may_combine_with() {
    let rules = rules();
    let allowed = texts(&rules["licenses"]["allow"]);
    for crate_ in DEPENDENCIES.iter().filter(|found| !found.is_ours) {
        assert!(
            is_allowed(&crate_.licence, &allowed),
            "{} {} is under '{}', which deny.toml does not allow",
            crate_.name,
            crate_.version,
            crate_.licence
        );
    }
}

#[test]
fn nothing_banned_came_in() {
    let rules = rules();
    for ban in rules["bans"]["deny"].as_array().unwrap() {
        let (name, reason) = (
            ban["crate"].as_str().unwrap(),
            ban["reason"].as_str().unwrap(),
        );
        assert!(
            DEPENDENCIES.iter().all(|crate_| crate_.name != name),
            "{name} came in, but {reason}"
        );
    }
}

#[test]
fn everything_is_ours_or_from_the_registry() {
    for crate_ in DEPENDENCIES.iter() {
        assert!(
            crate_.is_ours || crate_.is_from_registry,
            "{} comes from elsewhere",
            crate_.name
        );
    }
}

/// Whether an SPDX expression can be satisfied with allowed licences; `/` is the old way to write `OR`.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let fits = any_of(&mut words, allowed);
    assert!(words.peek().is_none(), "'{expression}' is not understood");
    fits
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut fits = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        fits |= all_of(words, allowed);
    }
    fits
}

fn all_of(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut fits = one_of(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        fits &= one_of(words, allowed);
    }
    fits
}

fn one_of(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let word = words.next().unwrap_or_default();
    if word == "(" {
        let fits = any_of(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return fits;
    }
    match words.next_if_eq(&"WITH") {
        None => allowed.contains(&word),
        Some(_) => {
            allowed.contains(&&format!("{word} WITH {}", words.next().unwrap_or_default())[..])
        }
    }
}

#[test]
fn expressions_are_read_as_spdx_has_them() {
    let is = |text| is_allowed(text, &["MIT", "Apache-2.0 WITH LLVM-exception", "ISC"]);
    assert!(
        is("MIT") && is("GPL-3.0 OR MIT") && is("MIT/GPL-2.0") && is("(GPL-2.0 OR MIT) AND ISC")
    );
    assert!(is("Apache-2.0 WITH LLVM-exception") && is("GPL-2.0 OR MIT AND ISC"));
    assert!(
        !is("GPL-3.0")
            && !is("MIT AND GPL-3.0")
            && !is("Apache-2.0")
            && !is("GPL-2.0 AND ISC OR GPL-3.0")
    );
}
