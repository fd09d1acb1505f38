use chancery_domain::names::DomainName;
use proptest::prelude::*;

use super::*;
use crate::certificate::assemble;
use crate::encoding::{Der, encode};
use crate::keys::{KeyAlgorithm, SigningKey};
use crate::names::push_attribute;
use crate::public_keys::KeyKind;

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

/// A request with a hand-written subject and attributes, signed as it stands.
fn signed(
    key: &SigningKey,
    subject: impl FnOnce(&mut Der),
    attributes: impl FnOnce(&mut Der),
) -> Vec<u8> {
    signed_as(key, &[0], subject, attributes)
}

fn signed_as(
    key: &SigningKey,
    version: &[u8],
    subject: impl FnOnce(&mut Der),
    attributes: impl FnOnce(&mut Der),
) -> Vec<u8> {
    let info = encode(|der| {
        der.sequence(|der| {
            der.unsigned(version).sequence(subject).raw(key.spki_der());
            der.nest(tag::constructed(0), attributes);
        });
    });
    assemble(
        &info,
        key.algorithm().signature_algorithm_der(),
        &key.sign(&info).unwrap(),
    )
}

fn push_extension_request(der: &mut Der, kind: &[u8], extensions: &[u8]) {
    der.sequence(|der| {
        der.oid(kind).nest(tag::SET, |der| {
            der.sequence(|der| {
                der.raw(extensions);
            });
        });
    });
}

fn alternative_names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let value = encode(|der| {
        der.sequence(|der| {
            for (tag, name) in names {
                der.value(*tag, name);
            }
        });
    });
    encode(|der| {
        der.extension(oid::SUBJECT_ALT_NAME, false, &value);
    })
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
    let der = signed(
        &key,
        |der| {
            push_attribute(der, oid::COMMON_NAME, tag::TELETEX_STRING, "a.example");
            push_attribute(der, oid::COMMON_NAME, tag::UTF8_STRING, "b.example");
            push_attribute(der, &[0x55, 4, 5], tag::PRINTABLE_STRING, "123");
        },
        |der| {
            // The order of openssl's `req` with a challenge password is not that of a DER SET.
            der.sequence(|der| {
                der.oid(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07")
                    .nest(tag::SET, |der| {
                        der.value(tag::IA5_STRING, b"not read");
                    });
            });
            let mut extensions = alternative_names(&[
                (tag::context(2), b"Shop.example"),
                (tag::context(7), &[192, 0, 2, 1]),
                (tag::context(1), b"a@b.example"),
                (tag::context(2), b"Shop.example"),
            ]);
            extensions.extend(encode(|der| {
                der.extension(oid::BASIC_CONSTRAINTS, true, b"\x30\x03\x01\x01\xff");
            }));
            push_extension_request(der, oid::EXTENSION_REQUEST, &extensions);
        },
    );
    let csr = Csr::from_der(der).unwrap();
    assert_eq!(csr.common_name.as_deref(), Some("a.example"));
    assert_eq!(csr.dns_names, ["Shop.example"]);
    assert_eq!(
        csr.ignored,
        [
            "second subject attribute 2.5.4.3",
            "subject attribute 2.5.4.5",
            "alternative name of the kind IP address",
            "alternative name of the kind mail address",
            "extension 2.5.29.19",
        ]
    );
}

#[test]
fn the_standard_request_wins_over_microsofts() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let standard = alternative_names(&[(tag::context(2), b"new.example")]);
    let microsoft = alternative_names(&[(tag::context(2), b"old.example")]);
    let only_microsoft = signed(
        &key,
        |_| {},
        |der| {
            push_extension_request(der, oid::MICROSOFT_EXTENSION_REQUEST, &microsoft);
        },
    );
    assert_eq!(
        Csr::from_der(only_microsoft).unwrap().dns_names,
        ["old.example"]
    );
    for flip in [false, true] {
        let both = signed(
            &key,
            |_| {},
            |der| {
                let mut requests = [
                    (oid::EXTENSION_REQUEST, &standard),
                    (oid::MICROSOFT_EXTENSION_REQUEST, &microsoft),
                ];
                if flip {
                    requests.reverse();
                }
                for (kind, extensions) in requests {
                    push_extension_request(der, kind, extensions);
                }
            },
        );
        assert_eq!(Csr::from_der(both).unwrap().dns_names, ["new.example"]);
    }
}

#[test]
fn broken_requests_are_refused() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let wrong_version = signed_as(&key, &[1], |_| {}, |_| {});
    assert_eq!(Csr::from_der(wrong_version), Err(CsrError::Version));

    let other = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let good = signed(&key, |_| {}, |_| {});
    let parts = Signed::parse(&good).unwrap();
    let forged = other.sign(parts.tbs).unwrap();
    let forged = assemble(parts.tbs, parts.signature_algorithm, &forged);
    assert_eq!(Csr::from_der(forged), Err(CsrError::Signature));

    let sha1 = encode(|der| {
        der.sequence(|der| {
            der.oid(oid::ECDSA_WITH_SHA1);
        });
    });
    let weak = assemble(parts.tbs, &sha1, parts.signature);
    assert_eq!(
        Csr::from_der(weak),
        Err(CsrError::SignatureAlgorithm("SHA-1"))
    );

    let without_attributes = encode(|der| {
        der.sequence(|der| {
            der.unsigned(&[0]).sequence(|_| {}).raw(key.spki_der());
        });
    });
    let signature = key.sign(&without_attributes).unwrap();
    let der = assemble(&without_attributes, parts.signature_algorithm, &signature);
    assert!(Csr::from_der(der).is_ok());
}

#[test]
fn too_many_names_are_refused() {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let names: Vec<String> = (0..=NAME_LIMIT).map(|n| format!("n{n}.example")).collect();
    let names: Vec<_> = names
        .iter()
        .map(|name| (tag::context(2), name.as_bytes()))
        .collect();
    let der = signed(
        &key,
        |_| {},
        |der| {
            push_extension_request(der, oid::EXTENSION_REQUEST, &alternative_names(&names));
        },
    );
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
