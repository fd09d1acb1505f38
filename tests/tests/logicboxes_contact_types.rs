//! Contacts of every type over the LogicBoxes dialect, made up from the samples of the types: what is right is kept as
//! it was sent, and of what is wrong every field is told, and no other.

use std::collections::{BTreeMap, BTreeSet};

use chancery_testkit::{LogicBoxes, TestServer, itself, on_both_engines, repository_root};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;

on_both_engines!(
    whatever_is_right_is_kept,
    whatever_is_wrong_is_told_by_its_name
);

type Texts = BTreeMap<String, String>;

/// The parameters of a valid contact of each sample.
fn samples(customer: &str) -> Vec<Texts> {
    let file = repository_root().join("crates/domain/src/contact_types/tests/samples.toml");
    let file: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let texts = |table: Option<&toml::Value>| -> Texts {
        let pairs = table.and_then(toml::Value::as_table).into_iter().flatten();
        pairs
            .map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()))
            .collect()
    };
    let general = texts(file.get("general"));
    let samples = file["sample"].as_array().unwrap().iter();
    samples
        .map(|sample| {
            let details = general
                .clone()
                .into_iter()
                .chain(texts(sample.get("details")));
            let mut parameters: Texts = details
                .filter(|(_, text)| !text.is_empty())
                .map(|(name, text)| (parameter(&name).to_owned(), text))
                .collect();
            for (at, (name, value)) in texts(sample.get("attributes")).into_iter().enumerate() {
                parameters.insert(format!("attr-name{}", at + 1), name);
                parameters.insert(format!("attr-value{}", at + 1), value);
            }
            let kind = sample["type"].as_str().unwrap().to_owned();
            parameters.insert("type".to_owned(), kind);
            parameters.insert("customer-id".to_owned(), customer.to_owned());
            parameters
        })
        .collect()
}

/// What a part of details is called in requests.
fn parameter(part: &str) -> &str {
    match part {
        "address1" => "address-line-1",
        "address2" => "address-line-2",
        "address3" => "address-line-3",
        "zip" => "zipcode",
        "phone_code" => "phone-cc",
        "fax_code" => "fax-cc",
        other => other,
    }
}

/// What a parameter is called in answers, and a value of it that no type takes.
const STORED: [(&str, &str, &str); 14] = [
    ("name", "name", "{long}"),
    ("company", "company", "{long}"),
    ("email", "emailaddr", "nobody"),
    ("address-line-1", "address1", "{long}"),
    ("address-line-2", "address2", "{long}"),
    ("address-line-3", "address3", "{long}"),
    ("city", "city", "{long}"),
    ("state", "state", "{long}"),
    ("country", "country", "nn"),
    ("zipcode", "zip", "12345678901234567"),
    ("phone-cc", "telnocc", "0"),
    ("phone", "telno", "1"),
    ("customer-id", "customerid", "1"),
    ("fax", "faxno", "1"),
];

async fn call(client: &LogicBoxes, method: &str, parameters: &Texts) -> chancery_testkit::Reply {
    let parameters: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, text)| (&name[..], &text[..]))
        .collect();
    client.call(method, &parameters).await
}

/// Whether details tell what was sent.
fn is_kept(told: &Value, sent: &Texts) {
    for (name, stored, _) in STORED {
        let sent = sent.get(name).map(|text| text.trim());
        assert_eq!(told[stored].as_str(), sent, "{name}");
    }
    assert_eq!(told["type"].as_str(), sent.get("type").map(String::as_str));
    assert_eq!(told["whoisValidity"]["valid"], "true", "{told}");
}

async fn whatever_is_right_is_kept(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let words = || "[A-Za-zÀ-žЀ-я一-九&=+%{},<>'\"\\\\]{1,9} [A-Za-zÀ-žЀ-я一-九 ]{0,30}[a-z]";
    let strategy = (words(), words(), "[1-9][0-9]{3,11}");
    let mut runner = TestRunner::deterministic();
    let samples = samples(&customer);
    let kinds: BTreeSet<&String> = samples.iter().map(|sample| &sample["type"]).collect();
    assert_eq!(kinds.len(), 19, "there is a sample of each type");
    for mut sent in samples {
        let (name, line, phone) = strategy.new_tree(&mut runner).unwrap().current();
        sent.insert("name".to_owned(), name);
        sent.insert("address-line-2".to_owned(), line);
        sent.insert("phone".to_owned(), phone);
        let reply = call(&client, "contacts/add", &sent).await;
        assert_eq!(reply.status, 200, "{sent:?}: {}", reply.text());
        let id = reply.text();
        let details = async || {
            client
                .done("contacts/details", &[("contact-id", &id)])
                .await
        };
        let told = details().await;
        is_kept(&told, &sent);

        let (_, line, phone) = strategy.new_tree(&mut runner).unwrap().current();
        sent.insert("address-line-3".to_owned(), line);
        sent.insert("phone".to_owned(), phone);
        sent.insert("contact-id".to_owned(), id.clone());
        // Of attributes nothing is told again, so that all of them stay.
        let changed: Texts = sent
            .clone()
            .into_iter()
            .filter(|(name, _)| !name.starts_with("attr-"))
            .collect();
        let reply = call(&client, "contacts/modify", &changed).await;
        assert_eq!(reply.status, 200, "{changed:?}: {}", reply.text());
        let after = details().await;
        is_kept(&after, &changed);
        let others = |told: &Value| {
            let mut told = told.as_object().unwrap().clone();
            told.retain(|key, _| key != "address3" && key != "telno");
            told
        };
        assert_eq!(others(&after), others(&told));
    }
}

async fn whatever_is_wrong_is_told_by_its_name(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let long = "long ".repeat(60);
    let samples = samples(&customer);
    let strategy = (
        0..samples.len(),
        prop::collection::btree_set(0..STORED.len(), 1..7),
    );
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        let (sample, broken) = strategy.new_tree(&mut runner).unwrap().current();
        let mut sent = samples[sample].clone();
        let mut expected = BTreeSet::new();
        for at in broken {
            let (name, stored, wrong) = STORED[at];
            if name == "fax" {
                sent.insert("fax-cc".to_owned(), "1".to_owned());
            }
            sent.insert(name.to_owned(), wrong.replace("{long}", &long));
            expected.insert(stored);
        }
        let message = call(&client, "contacts/add", &sent)
            .await
            .logicboxes_error();
        if expected.iter().eq(["customerid"].iter()) {
            assert_eq!(message, "Invalid customer-id");
            continue;
        }
        let map = message
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let map = map.unwrap_or_else(|| panic!("{message}"));
        let pairs = map.split(", ").map(|pair| pair.split_once('=').unwrap());
        let mut told = BTreeSet::new();
        for (key, text) in pairs {
            assert!(
                key.bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
            );
            assert!(
                !text.is_empty() && !text.contains(['{', '}', '=']),
                "{text}"
            );
            assert!(told.insert(key), "{message}");
        }
        assert_eq!(told, expected, "{} {message}", sent["type"]);
    }
    let page = [
        ("customer-id", &customer[..]),
        ("no-of-records", "10"),
        ("page-no", "1"),
    ];
    assert_eq!(client.done("contacts/search", &page).await["recsindb"], "0");
}
