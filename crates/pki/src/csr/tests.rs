use chancery_domain::names::DomainName;
use const_oid::db::rfc2985::PKCS_9_AT_CHALLENGE_PASSWORD;
use const_oid::db::rfc4519::{COMMON_NAME, SERIAL_NUMBER};
use const_oid::db::rfc5280::ID_CE_BASIC_CONSTRAINTS;
use der::{Encode, TagNumber};
use proptest::prelude::*;

use super::*;
use crate::certificate::assemble;
use crate::keys::{KeyAlgorithm, SigningKey};
use crate::public_keys::KeyKind;
use crate::structures::tlv;

const fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: TagNumber(number),
    }
}

fn subject() -> CsrSubject {
    let name = |text| DomainName::parse(text).unwrap();
    CsrSubject {
        common_name: name("shop.example"),
        organization: Some("Zürich Bikes".into()),
        organization_unit: Some("IT".into()),
        city: Some("Zürich".into()),
        state: Some("ZH".into()),
        country: Some("CH".into()),
        email: Some("it@shop.example".into()),
        names: vec![
            name("www.shop.example"),
            name("shop.example"),
            name("*.shop.example"),
        ],
    }
}

/// A request with a subject and attributes as they are, signed as it stands.
fn signed(key: &SigningKey, subject: &[&[u8]], attributes: &[&[u8]]) -> Vec<u8> {
    signed_as(key, 0, subject, attributes)
}

fn signed_as(key: &SigningKey, version: u8, subject: &[&[u8]], attributes: &[&[u8]]) -> Vec<u8> {
    let info = [
        &version.to_der().unwrap(),
        &tlv(Tag::Sequence, subject),
        key.spki_der(),
        &tlv(context(0, true), attributes),
    ];
    sign(key, &tlv(Tag::Sequence, &info))
}

fn sign(key: &SigningKey, info: &[u8]) -> Vec<u8> {
    let algorithm = key.algorithm().signature_algorithm_der();
    assemble(info, algorithm, &key.sign(info).unwrap()).unwrap()
}

fn rdn(kind: ObjectIdentifier, string: Tag, text: &str) -> Vec<u8> {
    let kind = kind.to_der().unwrap();
    let part = tlv(Tag::Sequence, &[&kind, &tlv(string, &[text.as_bytes()])]);
    tlv(Tag::Set, &[&part])
}

fn extension(id: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    let value = tlv(Tag::OctetString, &[value]);
    tlv(Tag::Sequence, &[&id.to_der().unwrap(), &value])
}

fn extension_request(kind: ObjectIdentifier, extensions: &[&[u8]]) -> Vec<u8> {
    let values = tlv(Tag::Set, &[&tlv(Tag::Sequence, extensions)]);
    tlv(Tag::Sequence, &[&kind.to_der().unwrap(), &values])
}

fn alternative_names(names: &[(u32, &[u8])]) -> Vec<u8> {
    let names: Vec<_> = names
        .iter()
        .map(|(number, name)| tlv(context(*number, false), &[name]))
        .collect();
    extension(
        ID_CE_SUBJECT_ALT_NAME,
        &tlv(Tag::Sequence, &[&names.concat()]),
    )
}

#[test]
fn a_generated_request_reads_back() {
    for (algorithm, kind, signature) in [
        (KeyAlgorithm::P256, KeyKind::P256, "ecdsa-with-SHA256"),
        (KeyAlgorithm::P384, KeyKind::P384, "ecdsa-with-SHA384"),
        (KeyAlgorithm::Rsa2048, KeyKind::Rsa, "SHA256withRSA"),
    ] {
        let made = generate_csr(&subject(), algorithm).unwrap();
        let csr = Csr::parse(&made.csr_pem).unwrap();
        assert_eq!(csr.common_name.as_deref(), Some("shop.example"));
        assert_eq!(
            csr.dns_names,
            ["shop.example", "www.shop.example", "*.shop.example"]
        );
        assert_eq!(csr.organization.as_deref(), Some("Zürich Bikes"));
        assert_eq!(csr.city.as_deref(), Some("Zürich"));
        assert_eq!(csr.email.as_deref(), Some("it@shop.example"));
        assert_eq!((csr.key_kind, csr.signature_algorithm), (kind, signature));
        assert!(csr.ignored.is_empty());
        let key = pem::decode(made.private_key_pem.expose(), &["PRIVATE KEY"]).unwrap();
        assert_eq!(
            SigningKey::from_pkcs8(&key).unwrap().spki_der(),
            csr.spki_der
        );
        assert!(!format!("{made:?}").contains("PRIVATE KEY"));
    }
}

#[test]
fn other_armour_and_no_armour_are_taken() {
    let pem = generate_csr(&subject(), KeyAlgorithm::P256)
        .unwrap()
        .csr_pem;
    let csr = Csr::parse(&pem).unwrap();
    let new = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    let bare: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for text in [
        pem.replace('\n', "\r\n"),
        format!("Certificate Request:\n  Data: x\n{new}\n\n"),
        pem.replace('\n', " "),
        bare,
    ] {
        assert_eq!(Csr::parse(&text).as_ref(), Ok(&csr), "{text}");
    }
    assert_eq!(
        Csr::parse(&format!("{pem}more")),
        Err(CsrError::Pem(PemError::Trailing))
    );
    assert_eq!(Csr::parse(" \n"), Err(CsrError::Empty));
    assert_eq!(
        Csr::parse(&"A".repeat(TEXT_LIMIT + 1)),
        Err(CsrError::TooLong)
    );
    let mut longer = csr.der.clone();
    longer.push(0);
    assert_eq!(Csr::from_der(longer), Err(CsrError::Trailing));
    let certificate = pem.replace("CERTIFICATE REQUEST", "CERTIFICATE");
    assert_eq!(
        Csr::parse(&certificate).unwrap_err().to_string(),
        "this is a CERTIFICATE, not a CERTIFICATE REQUEST"
    );
}

#[test]
fn only_host_names_are_taken_and_the_rest_is_named() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let subject = [
        rdn(COMMON_NAME, Tag::TeletexString, "a.example"),
        rdn(COMMON_NAME, Tag::Utf8String, "b.example"),
        rdn(SERIAL_NUMBER, Tag::PrintableString, "123"),
    ];
    // The order of openssl's `req` with a challenge password is not that of a DER SET.
    let password = tlv(Tag::Set, &[&tlv(Tag::Ia5String, &[b"not read"])]);
    let kind = PKCS_9_AT_CHALLENGE_PASSWORD.to_der().unwrap();
    let password = tlv(Tag::Sequence, &[&kind, &password]);
    let names = alternative_names(&[
        (2, b"Shop.example"),
        (7, &[192, 0, 2, 1]),
        (1, b"a@b.example"),
        (2, b"Shop.example"),
    ]);
    let constraints = extension(ID_CE_BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\xff");
    let request = extension_request(ID_EXTENSION_REQ, &[&names, &constraints]);
    let der = signed(
        &key,
        &subject.each_ref().map(Vec::as_slice),
        &[&password, &request],
    );
    let csr = Csr::from_der(der).unwrap();
    assert_eq!(csr.common_name.as_deref(), Some("a.example"));
    assert_eq!(csr.dns_names, ["Shop.example"]);
    assert_eq!(
        csr.ignored,
        [
            "second subject attribute 2.5.4.3",
            "subject attribute 2.5.4.5",
            "attribute 1.2.840.113549.1.9.7",
            "alternative name of the kind IP address",
            "alternative name of the kind mail address",
            "extension 2.5.29.19",
        ]
    );
    let further = ["b.example", "192.0.2.1", "a@b.example"];
    assert_eq!(csr.further_names, further);
}

#[test]
fn the_standard_request_wins_over_microsofts() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let standard = alternative_names(&[(2, b"new.example")]);
    let standard = extension_request(ID_EXTENSION_REQ, &[&standard]);
    let microsoft = alternative_names(&[(2, b"old.example")]);
    let microsoft = extension_request(MICROSOFT_EXTENSION_REQUEST, &[&microsoft]);
    let empty = extension_request(ID_EXTENSION_REQ, &[]);
    for (attributes, name, is_told_of_both) in [
        (&[&microsoft[..]][..], "old.example", false),
        (&[&empty, &microsoft], "old.example", false),
        (&[&standard, &microsoft], "new.example", true),
        (&[&microsoft, &standard], "new.example", true),
    ] {
        let csr = Csr::from_der(signed(&key, &[], attributes)).unwrap();
        assert_eq!(csr.dns_names, [name]);
        let is_told = csr
            .ignored
            .iter()
            .any(|text| text.starts_with("old.example"));
        assert_eq!(is_told, is_told_of_both);
        let is_named = csr.further_names == ["old.example"];
        assert_eq!(is_named, is_told_of_both);
    }
}

#[test]
fn broken_requests_are_refused() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let wrong_version = signed_as(&key, 3, &[], &[]);
    assert_eq!(Csr::from_der(wrong_version), Err(CsrError::Version));

    let other = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let good = signed(&key, &[], &[]);
    let parts = Signed::parse(&good).unwrap();
    let forged = other.sign(parts.tbs).unwrap();
    let forged = assemble(parts.tbs, parts.signature_algorithm, &forged).unwrap();
    assert_eq!(Csr::from_der(forged), Err(CsrError::Signature));

    let sha1 = tlv(Tag::Sequence, &[&ECDSA_WITH_SHA_1.to_der().unwrap()]);
    let weak = assemble(parts.tbs, &sha1, parts.signature).unwrap();
    assert_eq!(
        Csr::from_der(weak),
        Err(CsrError::SignatureAlgorithm("SHA-1"))
    );

    let without_attributes = [
        &0_u8.to_der().unwrap()[..],
        &tlv(Tag::Sequence, &[]),
        key.spki_der(),
    ];
    let without_attributes = tlv(Tag::Sequence, &without_attributes);
    assert!(Csr::from_der(sign(&key, &without_attributes)).is_ok());
}

#[test]
fn versions_that_tools_write_are_taken() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    for version in 0..=2 {
        assert!(Csr::from_der(signed_as(&key, version, &[], &[])).is_ok());
    }
}

#[test]
fn a_request_signed_with_rsa_over_sha_1_is_taken() {
    let text = include_str!("../../../../tests/data/csrs/iis-sha-1.txt");
    let csr = Csr::parse(text).unwrap();
    assert_eq!(csr.common_name.as_deref(), Some("iis.example"));
    assert_eq!(csr.signature_algorithm, "SHA1withRSA");
    let mut forged = csr.der.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(Csr::from_der(forged), Err(CsrError::Signature));
}

#[test]
fn extension_requests_may_be_empty_doubled_or_have_several_values() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let kind = ID_EXTENSION_REQ.to_der().unwrap();
    let list = |name: &[u8]| tlv(Tag::Sequence, &[&alternative_names(&[(2, name)])]);
    let (one, two) = (list(b"a.example"), list(b"b.example"));
    let request = |lists: &[&[u8]]| tlv(Tag::Sequence, &[&kind, &tlv(Tag::Set, lists)]);
    let nothing = tlv(Tag::Sequence, &[]);
    let both = ["a.example", "b.example"];
    for (attributes, names) in [
        (vec![request(&[])], &both[..0]),
        (vec![request(&[&nothing])], &both[..0]),
        (vec![request(&[&one]), request(&[])], &both[..1]),
        (vec![request(&[&one]), request(&[&one])], &both[..1]),
        (vec![request(&[&one, &two])], &both),
        (vec![request(&[&one]), request(&[&two])], &both),
    ] {
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        let csr = Csr::from_der(signed(&key, &[], &attributes)).unwrap();
        assert_eq!(csr.dns_names, names);
    }
    let misplaced = tlv(Tag::Sequence, &[&kind, &nothing]);
    assert_eq!(
        Csr::from_der(signed(&key, &[], &[&misplaced])),
        Err(CsrError::Malformed)
    );
}

#[test]
fn names_with_a_nul_or_in_no_known_form_are_refused() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let nul = "shop.example\0.other.example";
    for subject in [
        &[rdn(COMMON_NAME, Tag::Utf8String, nul)][..],
        &[rdn(COMMON_NAME, Tag::TeletexString, nul)],
        &[
            rdn(COMMON_NAME, Tag::Utf8String, "a.example"),
            rdn(COMMON_NAME, Tag::Utf8String, nul),
        ],
        &[
            rdn(SERIAL_NUMBER, Tag::Utf8String, "x"),
            rdn(COMMON_NAME, Tag::Utf8String, nul),
        ],
    ] {
        let subject: Vec<&[u8]> = subject.iter().map(Vec::as_slice).collect();
        let refused = Csr::from_der(signed(&key, &subject, &[]));
        assert_eq!(refused, Err(CsrError::Nul("its subject")));
    }
    let request = extension_request(
        ID_EXTENSION_REQ,
        &[&alternative_names(&[(2, nul.as_bytes())])],
    );
    let refused = Csr::from_der(signed(&key, &[], &[&request]));
    assert_eq!(refused, Err(CsrError::Nul("a subject alternative name")));
    let request = extension_request(
        ID_EXTENSION_REQ,
        &[&alternative_names(&[(2, b"\xff.example")])],
    );
    assert!(matches!(
        Csr::from_der(signed(&key, &[], &[&request])),
        Err(CsrError::Unreadable(_))
    ));
    let unreadable = rdn(COMMON_NAME, Tag::BmpString, "odd");
    let refused = Csr::from_der(signed(&key, &[&unreadable], &[]));
    assert_eq!(refused, Err(CsrError::Unreadable("a common name")));
}

#[test]
fn texts_bent_on_the_way_are_read_where_their_signature_holds() {
    let made = generate_csr(&subject(), KeyAlgorithm::Rsa2048).unwrap();
    let csr = Csr::parse(&made.csr_pem).unwrap();
    assert!(made.csr_pem.contains('+'));
    assert_eq!(
        Csr::parse(&made.csr_pem.replace('+', " ")).as_ref(),
        Ok(&csr)
    );
    let utf_16 = made.csr_pem.encode_utf16().flat_map(u16::to_le_bytes);
    let utf_16: String = utf_16.map(char::from).collect();
    assert_eq!(Csr::parse(&utf_16).as_ref(), Ok(&csr));
    assert_eq!(Csr::parse("\u{feff} \u{200b}\n"), Err(CsrError::Empty));
}

#[test]
fn too_many_names_are_refused() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let names: Vec<String> = (0..=NAME_LIMIT).map(|n| format!("n{n}.example")).collect();
    let names: Vec<_> = names.iter().map(|name| (2, name.as_bytes())).collect();
    let request = extension_request(ID_EXTENSION_REQ, &[&alternative_names(&names)]);
    let der = signed(&key, &[], &[&request]);
    assert_eq!(Csr::from_der(der), Err(CsrError::TooManyNames));
}

proptest! {
    #[test]
    fn parsing_text_never_panics(text in ".{0,400}") {
        let _ = Csr::parse(&text);
    }

    #[test]
    fn parsing_octets_never_panics(der in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Csr::from_der(der);
    }

    /// A request that was altered anywhere is refused, and refused calmly.
    #[test]
    fn altered_requests_are_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        use std::sync::LazyLock;
        static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let made = generate_csr(&subject(), KeyAlgorithm::P256).unwrap();
            Csr::parse(&made.csr_pem).unwrap().der
        });
        let mut der = GOOD.clone();
        for (at, flip) in changes {
            let at = at.index(der.len());
            der[at] ^= flip;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        prop_assume!(der != *GOOD);
        prop_assert!(Csr::from_der(der).is_err());
    }
}
