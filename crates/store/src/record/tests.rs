//! What a crash, a full disk or a large file leaves of the record.

use std::fs::OpenOptions;
use std::io::Write as _;

use jiff::SignedDuration;

use super::*;

fn line(serial: &str, at: &str) -> SignedLine {
    let at: Timestamp = at.parse().unwrap();
    SignedLine {
        at,
        issuer: "one".to_owned(),
        serial: serial.to_owned(),
        order: 1,
        reseller: 2,
        names: vec!["shop.test".to_owned()],
        spki_sha256: "00".to_owned(),
        not_before: at,
        not_after: at + SignedDuration::from_hours(24 * 199),
    }
}

fn blocked(key: &str) -> BlockedLine {
    BlockedLine {
        at: "2026-11-28T10:00:00Z".parse().unwrap(),
        spki_sha256: key.to_owned(),
        by: "reseller".to_owned(),
        note: None,
    }
}

fn ca(number: i64) -> KeptCa {
    KeptCa {
        number,
        issuer: format!("ca-{number}"),
        certificate: "00".to_owned(),
        key: "01".to_owned(),
        master_key: "key".to_owned(),
        created_at: "2026-11-28T10:00:00Z".parse().unwrap(),
    }
}

/// The serial numbers of the last of each journal.
fn last(record: &Record) -> Vec<String> {
    let last = record.last_signed().unwrap().into_iter();
    last.map(|line| line.serial).collect()
}

fn serials(record: &Record) -> Vec<String> {
    let mut found = Vec::new();
    record.each_signed(|line| found.push(line.serial)).unwrap();
    found
}

#[test]
fn what_was_kept_is_there_after_a_crash_in_the_middle_of_a_line() {
    let data = tempfile::tempdir().unwrap();
    assert!(!Record::exists(data.path(), "one"));
    let record = Record::open(data.path(), "one").unwrap();
    assert_eq!(record.last_signed().unwrap(), []);
    for (name, next) in [("order", 10), ("order", 20), ("order", 15), ("row", 7)] {
        record.keep_number(name, next).unwrap();
    }
    let lines = [
        line("aa", "2026-11-28T10:00:00Z"),
        line("bb", "2026-11-28T10:00:00Z"),
    ];
    record.keep_signed(&lines).unwrap();
    record.keep_crl("one", 7, b"a list").unwrap();
    record.keep_crl("one", 6, b"an older list").unwrap();
    record
        .keep_blocked(&[blocked("aa"), blocked("bb")])
        .unwrap();
    record.keep_blocked(&[blocked("aa")]).unwrap();
    record.keep_ca(&ca(3)).unwrap();
    record.keep_ca(&ca(2)).unwrap();
    record.keep_behind("it showed").unwrap();
    record.keep_seen(Seen { pulse: 7 }).unwrap();
    drop(record);
    for file in ["numbers.jsonl", "signed-2026-11.jsonl", "blocked.jsonl"] {
        let path = data.path().join("one").join(file);
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"{\"sequence\":\"order\",\"ne").unwrap();
    }
    let record = Record::open(data.path(), "one").unwrap();
    assert!(Record::exists(data.path(), "one"));
    assert_eq!(last(&record), ["bb"]);
    record
        .keep_signed(&[line("cc", "2026-11-30T10:00:00Z")])
        .unwrap();
    record.keep_number("contact", 3).unwrap();
    record.keep_blocked(&[blocked("cc")]).unwrap();
    let record = Record::open(data.path(), "one").unwrap();
    assert_eq!(serials(&record), ["aa", "bb", "cc"]);
    let expected = [("contact", 3), ("order", 20), ("row", 7)];
    let expected = expected.map(|(name, next)| (name.to_owned(), next));
    assert_eq!(record.numbers(), BTreeMap::from(expected));
    assert_eq!(record.seen().unwrap().pulse, 7);
    let kept = record.kept_crls().unwrap();
    assert_eq!(kept, [("one".to_owned(), b"a list".to_vec())]);
    let mut keys = Vec::new();
    record
        .each_blocked(|line| keys.push(line.spki_sha256))
        .unwrap();
    assert_eq!(keys, ["aa", "bb", "cc"]);
    assert_eq!(record.last_blocked().as_deref(), Some("cc"));
    let numbers = record.kept_cas().unwrap();
    assert_eq!(
        numbers.iter().map(|ca| ca.number).collect::<Vec<_>>(),
        [2, 3]
    );
    assert_eq!(record.behind().unwrap().as_deref(), Some("it showed"));
    record.forget_behind().unwrap();
    record.forget_behind().unwrap();
    assert_eq!(record.behind().unwrap(), None);
}

#[test]
fn journals_are_dropped_once_all_their_certificates_have_expired() {
    let data = tempfile::tempdir().unwrap();
    let record = Record::open(data.path(), "one").unwrap();
    for (serial, at) in [
        ("aa", "2025-12-31T23:59:59Z"),
        ("bb", "2026-01-01T00:00:00Z"),
        ("cc", "2026-08-01T00:00:00Z"),
    ] {
        record.keep_signed(&[line(serial, at)]).unwrap();
    }
    record
        .drop_expired("2026-07-19T00:00:00Z".parse().unwrap())
        .unwrap();
    assert_eq!(serials(&record), ["bb", "cc"]);
    // The last one is kept however old it is.
    record
        .drop_expired("2030-01-01T00:00:00Z".parse().unwrap())
        .unwrap();
    assert_eq!(serials(&record), ["cc"]);
}

#[test]
fn a_journal_named_by_a_clock_that_was_ahead_hides_no_other() {
    let data = tempfile::tempdir().unwrap();
    let record = Record::open(data.path(), "one").unwrap();
    for (serial, at) in [
        ("aa", "2027-02-01T10:00:00Z"),
        ("bb", "2026-11-28T10:00:00Z"),
        ("cc", "2026-11-28T11:00:00Z"),
    ] {
        record.keep_signed(&[line(serial, at)]).unwrap();
    }
    assert_eq!(last(&record), ["cc", "aa"]);
    // The one that is being written to stays, and what comes next is found in it.
    record
        .drop_expired("2030-01-01T00:00:00Z".parse().unwrap())
        .unwrap();
    record
        .keep_signed(&[line("dd", "2026-11-28T12:00:00Z")])
        .unwrap();
    let record = Record::open(data.path(), "one").unwrap();
    assert_eq!(last(&record), ["dd", "aa"]);
    assert_eq!(serials(&record), ["bb", "cc", "dd", "aa"]);
}

#[test]
fn the_last_certificate_is_found_however_many_names_it_has() {
    let data = tempfile::tempdir().unwrap();
    let record = Record::open(data.path(), "one").unwrap();
    let names = (0..2000).map(|number| format!("{number}.{}.test", "x".repeat(200)));
    let long = SignedLine {
        names: names.collect(),
        ..line("bb", "2026-11-28T10:00:00Z")
    };
    record
        .keep_signed(&[line("aa", "2026-11-28T10:00:00Z"), long])
        .unwrap();
    assert_eq!(last(&record), ["bb"]);
    assert_eq!(record.recent().len(), 2);
    record.forget_recent(1);
    assert_eq!(record.recent(), [("one".to_owned(), "bb".to_owned())]);
}

#[test]
fn what_could_not_be_written_is_written_the_next_time() {
    let data = tempfile::tempdir().unwrap();
    let record = Record::open(data.path(), "one").unwrap();
    record.keep_number("order", 10).unwrap();
    // Where the file was, there is a folder, and then nothing.
    let file = data.path().join("one/numbers.jsonl");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    record.numbers.lock().0 = Growing::default();
    record.keep_number("order", 20).unwrap_err();
    assert_eq!(record.number("order"), 10);
    std::fs::remove_dir(&file).unwrap();
    record.keep_number("order", 20).unwrap();
    let record = Record::open(data.path(), "one").unwrap();
    assert_eq!(record.number("order"), 20);
}
