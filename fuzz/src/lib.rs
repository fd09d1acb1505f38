//! One function for each parser that a stranger can reach: it takes any bytes and panics where a promise breaks.
//!
//! The fuzzers in `fuzz_targets/` call these; so does every run of the tests, with the seeds in `seeds/` and
//! some mutations of them.

use chancery_domain::approvers::approver_addresses;
use chancery_domain::authorizations::{Method, authorization_domains};
use chancery_domain::names::DomainName;
use chancery_outside::answers::BODY_LIMIT;
use chancery_outside::codings::{Decoded, decode};
use chancery_pki::csr::Csr;
use chancery_pki::delivery::SubscriberKey;

/// What takes any bytes.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also that of its folder of seeds.
pub const TARGETS: [(&str, Target); 8] = [
    ("answers", answers),
    ("attributes", attributes),
    ("csr", csr),
    ("forms", forms),
    ("json_bodies", json_bodies),
    ("names", names),
    ("parameters", parameters),
    ("private_keys", private_keys),
];

/// Answers of web servers that are looked at: whatever comes is read within bounds, and decoded within them.
pub fn answers(data: &[u8]) {
    let Ok(answer) = chancery_outside::answers::read_whole(data) else {
        return;
    };
    assert!((100..=999).contains(&answer.status), "a status is a status");
    assert!(answer.body.len() <= BODY_LIMIT, "a body has bounds");
    let kept = answer.locations.iter().map(String::len).sum::<usize>();
    // An octet that is no text becomes three.
    assert!(kept <= 4 * 3 * 40 * 1024, "headers have bounds");
    if let Decoded::Plain(content) = decode(&answer.codings, &answer.body) {
        assert!(
            content.len() <= BODY_LIMIT,
            "no content grows beyond the bounds"
        );
    }
}

/// Forms with maps, as the LogicBoxes dialect writes them: what is read is read the same wherever it stands.
pub fn attributes(data: &[u8]) {
    let (map, refusal) = chancery_logicboxes::read_attributes(data);
    if refusal.is_some() {
        assert!(map.is_empty(), "what is refused is not read");
        return;
    }
    assert!(map.len() <= 500, "a map has bounds");
    for (name, value) in &map {
        assert!(
            !name.trim().is_empty() && !value.trim().is_empty(),
            "what is empty is absent"
        );
    }
    let mut pairs: Vec<&[u8]> = data.split(|octet| *octet == b'&').collect();
    pairs.reverse();
    assert_eq!(
        chancery_logicboxes::read_attributes(&pairs.join(&b'&')).0,
        map
    );
}

/// CSRs, as text and as DER. What was read once is read again the same from its own DER.
pub fn csr(data: &[u8]) {
    let _ = Csr::from_der(data.to_vec());
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(csr) = Csr::parse(text) {
        let again = Csr::from_der(csr.der.clone()).expect("what was read can be read again");
        assert_eq!(again.common_name, csr.common_name);
        assert_eq!(again.dns_names, csr.dns_names);
        assert_eq!(again.spki_der, csr.spki_der);
    }
}

/// Forms of a download: a line with the content type, then the body.
pub fn forms(data: &[u8]) {
    let end = data.iter().position(|octet| *octet == b'\n');
    let (kind, body) = data.split_at(end.unwrap_or(0));
    let kind = String::from_utf8_lossy(kind);
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    if let Some(refusal) = chancery_webnic::read_form(&kind, body) {
        assert_eq!(refusal, 400, "a form can only be wrong");
    }
}

/// JSON bodies of the WebNIC dialect: whatever they say, they are taken or refused as the client's fault.
pub fn json_bodies(data: &[u8]) {
    for refusal in chancery_webnic::read_bodies(data).into_iter().flatten() {
        assert_eq!(refusal, 400, "a body can only be wrong");
    }
}

/// Host names. What was read once is a fixed point, and the rules about it hold.
pub fn names(data: &[u8]) {
    let Ok(name) = std::str::from_utf8(data)
        .map_err(drop)
        .and_then(|text| DomainName::parse(text).map_err(drop))
    else {
        return;
    };
    assert_eq!(
        DomainName::parse(name.as_str()).as_ref(),
        Ok(&name),
        "a fixed point"
    );
    if let Some(base) = name.base_domain() {
        assert!(
            name.host().is_at_or_below(&base),
            "{name} lies below {base}"
        );
        assert!(!base.is_public_suffix(), "{base} is nobody's");
    }
    for method in [Method::Dns, Method::File, Method::Email] {
        for domain in authorization_domains(&name, method, &[]) {
            assert!(
                name.host().is_at_or_below(&domain),
                "{domain} vouches for {name}"
            );
            assert!(!domain.is_public_suffix(), "{domain} is nobody's");
        }
    }
    for address in approver_addresses(&name) {
        let (_, domain) = address.split_once('@').expect("an address has a domain");
        assert!(
            name.host_str().ends_with(domain),
            "{address} speaks for {name}"
        );
    }
}

/// Parameters of the LogicBoxes dialect: a line with the query string, a line with the content type, then the body,
/// which takes nothing away from the query string, whatever it holds.
pub fn parameters(data: &[u8]) {
    let mut lines = data.splitn(3, |octet| *octet == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (query, kind) = (text(), text());
    let body = lines.next().unwrap_or_default();
    let (names, refusal) = chancery_logicboxes::read_parameters(&query, &kind, body);
    assert!(names <= 1000, "there are bounds");
    let (alone, _) = chancery_logicboxes::read_parameters(&query, "", b"");
    let are_too_many = refusal
        .as_ref()
        .is_some_and(|text| text.contains("at most"));
    assert!(names >= alone || are_too_many, "a body hides nothing");
    if let Some(message) = refusal {
        assert!(
            !message.contains(['{', '}', '\n']) && message.len() < 200,
            "{message}"
        );
    }
}

/// Private keys that are sent along to be packed. They are read or refused; nothing of them is told.
pub fn private_keys(data: &[u8]) {
    match SubscriberKey::parse(data) {
        Ok(key) => assert_eq!(format!("{key:?}"), "SubscriberKey(..)"),
        Err(error) => drop(error.to_string()),
    }
}
