//! Domain control by DNS: what is proved, what is not, and what the applicant is told.

use chancery_domain::authorizations::{Challenge, RecordType};
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};

use crate::fixtures::{Outside, VALUE, dns_challenge, domain, look};

const TARGET: &str = "3F2A9C51.dcv.example";

fn proved_at(observation: &Observation) -> Option<&str> {
    observation.proved_domain.as_ref().map(DomainName::as_str)
}

#[tokio::test]
async fn the_right_value_proves_the_name() {
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.www.shop.test", "TXT", &["v=spf1 -all", VALUE]);
    let seen = outside.look_for_txt("www.shop.test").await;
    assert_eq!(seen.outcome, Outcome::Proved);
    assert_eq!(proved_at(&seen), Some("www.shop.test"));
    assert_eq!(seen.asked, "TXT _dnsauth.www.shop.test");
    assert_eq!(seen.of, outside.dns.local_addr().to_string());
    assert_eq!(seen.found, format!("_dnsauth.www.shop.test: \"{VALUE}\""));
    assert_eq!(seen.advice, "");
}

#[tokio::test]
async fn a_value_at_a_parent_proves_the_parent() {
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.shop.test", "TXT", &[VALUE]);
    for name in ["a.b.shop.test", "*.b.shop.test", "*.shop.test"] {
        let seen = outside.look_for_txt(name).await;
        assert_eq!(seen.outcome, Outcome::Proved, "{name}");
        assert_eq!(proved_at(&seen), Some("shop.test"), "{name}");
    }
}

#[tokio::test]
async fn a_value_at_a_public_suffix_proves_nothing() {
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.test", "TXT", &[VALUE]);
    assert_eq!(
        outside.look_for_txt("shop.test").await.outcome,
        Outcome::NoSuchName
    );
    let seen = outside.look_for_txt("*.co.uk").await;
    assert_eq!(seen.outcome, Outcome::Forbidden);
    assert_eq!(seen.asked, "", "nothing was asked");
}

#[tokio::test]
async fn a_wrong_value_is_shown_with_what_to_set() {
    let outside = Outside::start().await;
    for wrong in [
        "else",
        &VALUE.to_lowercase(),
        &format!(" {VALUE}"),
        &format!("{VALUE} "),
    ] {
        outside.put_values("_dnsauth.shop.test", "TXT", &[wrong]);
        let seen = outside.look_for_txt("shop.test").await;
        assert_eq!(seen.outcome, Outcome::WrongValue, "{wrong}");
        assert!(
            seen.found.contains(&format!("\"{wrong}\"")),
            "{}",
            seen.found
        );
        assert!(
            seen.advice.contains("_dnsauth.shop.test"),
            "{}",
            seen.advice
        );
        assert!(seen.advice.contains(VALUE), "{}", seen.advice);
        assert_eq!(proved_at(&seen), None);
    }
}

#[tokio::test]
async fn a_missing_record_and_a_missing_name_are_different_outcomes() {
    let outside = Outside::start().await;
    let seen = outside.look_for_txt("shop.test").await;
    assert_eq!(seen.outcome, Outcome::NoSuchName);
    assert_eq!(seen.found, "_dnsauth.shop.test: NXDOMAIN");
    assert_eq!(
        seen.advice,
        format!("Create a TXT record at _dnsauth.shop.test with the value {VALUE}.")
    );
    outside.put_values("_dnsauth.shop.test", "A", &["127.0.0.1"]);
    let seen = outside.look_for_txt("shop.test").await;
    assert_eq!(seen.outcome, Outcome::NotFound);
    assert_eq!(seen.found, "_dnsauth.shop.test: no TXT record");
}

#[tokio::test]
async fn a_failing_and_a_silent_server_are_different_outcomes() {
    let outside = Outside::start().await;
    outside.put("_dnsauth.shop.test", "TXT", r#"{"rcode":"SERVFAIL"}"#);
    let seen = outside.look_for_txt("shop.test").await;
    assert_eq!(seen.outcome, Outcome::ServerFailure);
    assert!(seen.found.contains("SERVFAIL"), "{}", seen.found);
    outside.put("_dnsauth.shop.test", "TXT", r#"{"drop":true}"#);
    assert_eq!(
        outside.look_for_txt("shop.test").await.outcome,
        Outcome::Timeout
    );
}

#[tokio::test]
async fn a_failure_at_the_name_does_not_hide_the_proof_at_its_parent() {
    let outside = Outside::start().await;
    outside.put("_dnsauth.a.shop.test", "TXT", r#"{"drop":true}"#);
    outside.put_values("_dnsauth.shop.test", "TXT", &[VALUE]);
    let seen = outside.look_for_txt("a.shop.test").await;
    assert_eq!(proved_at(&seen), Some("shop.test"));
}

#[tokio::test]
async fn the_most_telling_answer_gives_the_outcome() {
    let outside = Outside::start().await;
    outside.put("_dnsauth.a.b.shop.test", "TXT", r#"{"rcode":"SERVFAIL"}"#);
    outside.put_values("_dnsauth.b.shop.test", "TXT", &["else"]);
    let seen = outside.look_for_txt("a.b.shop.test").await;
    assert_eq!(seen.outcome, Outcome::WrongValue);
    for part in ["\"else\"", "SERVFAIL", "NXDOMAIN"] {
        assert!(seen.found.contains(part), "{}", seen.found);
    }
    assert_eq!(
        seen.asked,
        "TXT _dnsauth.a.b.shop.test, _dnsauth.b.shop.test, _dnsauth.shop.test"
    );
}

#[tokio::test]
async fn an_alias_of_the_name_may_vouch_and_an_alias_of_its_parent_may_not() {
    let outside = Outside::start().await;
    outside.put_values("www.shop.test", "CNAME", &["edge.cdn.example"]);
    outside.put_values("_dnsauth.cdn.example", "TXT", &[VALUE]);
    let seen = outside.look_for_txt("www.shop.test").await;
    assert_eq!(proved_at(&seen), Some("cdn.example"));
    let seen = outside.look_for_txt("a.www.shop.test").await;
    assert_eq!(
        seen.outcome,
        Outcome::NoSuchName,
        "BR 3.2.2.4: no alias after pruning"
    );
    let seen = outside.look_for_txt("*.www.shop.test").await;
    assert_eq!(
        seen.outcome,
        Outcome::NoSuchName,
        "BR 3.2.2.4: no alias of a wildcard"
    );
}

#[tokio::test]
async fn a_cname_challenge_compares_names() {
    let outside = Outside::start().await;
    let challenge = dns_challenge("shop.test", RecordType::Cname, TARGET);
    let dcv = outside.dcv();
    assert_eq!(
        look(&dcv, "shop.test", &challenge).await.outcome,
        Outcome::NoSuchName
    );

    outside.put_values("_dnsauth.shop.test", "CNAME", &["other.dcv.example"]);
    let seen = look(&dcv, "shop.test", &challenge).await;
    assert_eq!(seen.outcome, Outcome::WrongValue);
    assert!(seen.found.contains("other.dcv.example"), "{}", seen.found);
    assert!(
        seen.advice.contains(&format!("points to {TARGET}")),
        "{}",
        seen.advice
    );

    outside.put_values("_dnsauth.shop.test", "CNAME", &["3f2a9c51.DCV.example."]);
    let seen = look(&dcv, "shop.test", &challenge).await;
    assert_eq!(seen.outcome, Outcome::Proved);
    assert_eq!(seen.asked, "CNAME _dnsauth.shop.test");
}

#[tokio::test]
async fn a_hostile_value_is_shortened_and_escaped() {
    let outside = Outside::start().await;
    let hostile = format!("\u{1b}[31m\n{}", "x".repeat(5000));
    outside.put_values("_dnsauth.shop.test", "TXT", &[&hostile]);
    let seen = outside.look_for_txt("shop.test").await;
    assert!(seen.found.chars().count() <= 301, "{}", seen.found.len());
    assert!(
        seen.found.chars().all(|character| !character.is_control()),
        "{}",
        seen.found
    );
}

#[tokio::test]
async fn an_empty_value_is_never_proved() {
    let outside = Outside::start().await;
    outside.put_values("_dnsauth.shop.test", "TXT", &["x"]);
    let challenge = dns_challenge("shop.test", RecordType::Txt, "");
    let seen = look(&outside.dcv(), "shop.test", &challenge).await;
    assert_eq!(seen.outcome, Outcome::WrongValue);
}

#[tokio::test]
async fn a_very_long_name_is_asked_at_eight_places_and_still_proved_at_its_base() {
    let outside = Outside::start().await;
    let name = format!("{}shop.test", "a.".repeat(40));
    let seen = outside.look_for_txt(&name).await;
    assert_eq!(seen.outcome, Outcome::NoSuchName);
    outside.put_values("_dnsauth.shop.test", "TXT", &[VALUE]);
    let seen = outside.look_for_txt(&name).await;
    assert_eq!(proved_at(&seen), Some("shop.test"));
    assert_eq!(seen.asked.matches("_dnsauth").count(), 8);
}

#[tokio::test]
async fn an_email_challenge_waits_without_a_look() {
    let outside = Outside::start().await;
    let approver = "admin@shop.test".to_owned();
    let seen = look(&outside.dcv(), "shop.test", &Challenge::Email { approver }).await;
    assert_eq!(seen.outcome, Outcome::Waiting);
    assert!(seen.advice.contains("admin@shop.test"), "{}", seen.advice);
    assert_eq!(seen.name, domain("shop.test"));
}
