//! Every rule is broken once: a good template is changed in one place, and the rule has to be named.

mod authority;
mod crl;
mod leaf;

use chancery_domain::names::DomainName;

use super::*;
use crate::certificate::{assemble, mint_serial};
use crate::encoding::{Der, encode};
use crate::keys::{KeyAlgorithm, SigningKey};
use crate::names::{Attributes, encode_name, push_attribute};
use crate::profiles::{Authority, Leaf, LeafProfile, build_root_tbs};

const CRL_URL: &str = "http://pki.example/ca.crl";
const CA_URL: &str = "http://pki.example/ca.cer";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// A to-be-signed structure in parts, so that each can be changed alone.
#[derive(Clone)]
struct Template {
    /// The fields before the extensions, each as DER.
    fields: Vec<Vec<u8>>,
    extensions: Vec<(Vec<u8>, bool, Vec<u8>)>,
    /// The tag around the extensions.
    tag: u8,
}

// Places of the fields of a certificate.
const VERSION: usize = 0;
const SERIAL: usize = 1;
const ALGORITHM: usize = 2;
const ISSUER: usize = 3;
const VALIDITY: usize = 4;
const SUBJECT: usize = 5;
const KEY: usize = 6;

impl Template {
    fn parse(tbs: &[u8]) -> Self {
        let mut reader = Reader::new(tbs).enter(tag::SEQUENCE).unwrap();
        let mut fields = Vec::new();
        while !reader.is_empty() {
            fields.push(reader.next_value().unwrap());
        }
        let wrapped = fields.pop().unwrap();
        let mut list = Reader::new(wrapped.content).enter(tag::SEQUENCE).unwrap();
        let mut extensions = Vec::new();
        while !list.is_empty() {
            let mut extension = list.enter(tag::SEQUENCE).unwrap();
            let oid = extension.expect(tag::OID).unwrap().content.to_vec();
            let critical = extension.peek() == Some(tag::BOOLEAN);
            if critical {
                extension.next_value().unwrap();
            }
            let value = extension
                .expect(tag::OCTET_STRING)
                .unwrap()
                .content
                .to_vec();
            extensions.push((oid, critical, value));
        }
        let fields = fields.iter().map(|field| field.whole.to_vec()).collect();
        Self {
            fields,
            extensions,
            tag: wrapped.tag,
        }
    }

    fn build(&self) -> Vec<u8> {
        encode(|der| {
            der.sequence(|der| {
                for field in &self.fields {
                    der.raw(field);
                }
                der.nest(self.tag, |der| {
                    der.sequence(|der| {
                        for (oid, critical, value) in &self.extensions {
                            der.extension(oid, *critical, value);
                        }
                    });
                });
            });
        })
    }

    fn extension(&mut self, oid: &[u8]) -> &mut (Vec<u8>, bool, Vec<u8>) {
        self.extensions
            .iter_mut()
            .find(|(id, ..)| id == oid)
            .unwrap()
    }

    fn set(&mut self, oid: &[u8], value: Vec<u8>) {
        self.extension(oid).2 = value;
    }

    fn flip(&mut self, oid: &[u8]) {
        let critical = &mut self.extension(oid).1;
        *critical = !*critical;
    }

    fn remove(&mut self, oid: &[u8]) {
        self.extensions.retain(|(id, ..)| id != oid);
    }

    fn add(&mut self, oid: &[u8], value: Vec<u8>) {
        self.extensions.push((oid.to_vec(), false, value));
    }

    fn set_validity(&mut self, not_before: Timestamp, not_after: Timestamp) {
        self.fields[VALIDITY] = sequence(|der| {
            der.time(not_before).time(not_after);
        });
    }

    fn set_subject(&mut self, parts: &[(&[u8], u8, &str)]) {
        self.fields[SUBJECT] = sequence(|der| {
            for (oid, tag, text) in parts {
                push_attribute(der, oid, *tag, text);
            }
        });
    }
}

fn sequence(content: impl FnOnce(&mut Der)) -> Vec<u8> {
    encode(|der| {
        der.sequence(content);
    })
}

type Change = Box<dyn Fn(&mut Template)>;

fn change(change: impl Fn(&mut Template) + 'static) -> Change {
    Box::new(change)
}

fn assert_each_is_found(
    good: &[u8],
    lint: impl Fn(&[u8]) -> Vec<Finding>,
    changes: Vec<(&'static str, Change)>,
) {
    assert_eq!(lint(good), []);
    assert_eq!(Template::parse(good).build(), good);
    for (number, (rule, change)) in changes.into_iter().enumerate() {
        let mut template = Template::parse(good);
        change(&mut template);
        let findings = lint(&template.build());
        assert!(
            findings.iter().any(|finding| finding.rule == rule),
            "change {number} did not break {rule} but {findings:?}"
        );
    }
}

/// A CA as an issuer, with the key that it has.
fn an_issuer(algorithm: KeyAlgorithm) -> (Issuer, SigningKey) {
    let key = SigningKey::generate(algorithm).unwrap();
    let tbs = a_root(&key);
    let signature = key.sign(&tbs).unwrap();
    let der = assemble(&tbs, algorithm.signature_algorithm_der(), &signature);
    (Issuer::from_certificate(&der).unwrap(), key)
}

fn a_name() -> Vec<u8> {
    encode_name(&Attributes {
        country: Some("CH"),
        organization: Some("Example"),
        common_name: Some("Example Root"),
        ..Attributes::default()
    })
    .unwrap()
}

fn a_root(key: &SigningKey) -> Vec<u8> {
    let root = Authority {
        serial: mint_serial().unwrap(),
        name_der: &a_name(),
        spki_der: key.spki_der(),
        not_before: now(),
        not_after: now() + DAY * 7305 - SECOND,
    };
    build_root_tbs(&root, key.algorithm()).unwrap()
}

fn a_leaf(issuer: &Issuer, names: &[&str]) -> Vec<u8> {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|name| DomainName::parse(name).unwrap())
        .collect();
    LeafProfile::new(issuer, CRL_URL, CA_URL).build_tbs(&Leaf {
        serial: mint_serial().unwrap(),
        names: &names,
        spki_der: key.spki_der(),
        not_before: now(),
        not_after: now() + DAY * 199 - SECOND,
    })
}

fn leaf_rules(issuer: &Issuer) -> LeafRules<'_> {
    LeafRules {
        issuer,
        crl_url: CRL_URL,
        ca_issuers_url: CA_URL,
        validity_cap: DAY * 200,
        now: Some(now()),
    }
}

/// What any certificate can get wrong.
fn envelope_changes() -> Vec<(&'static str, Change)> {
    let integer = |octets: &[u8]| {
        encode(|der| {
            der.value(tag::INTEGER, octets);
        })
    };
    let (short, long, zeros) = (
        integer(&[1; 7]),
        integer(&[1; 21]),
        integer(&[0, 1, 1, 1, 1, 1, 1, 1]),
    );
    let compressed = sequence(|der| {
        der.sequence(|der| {
            der.oid(oid::EC_PUBLIC_KEY).oid(oid::P256);
        })
        .bit_string(&[2; 33]);
    });
    let rsa = |bits: usize, parameters: &'static [u8]| {
        sequence(|der| {
            der.sequence(|der| {
                der.oid(oid::RSA_ENCRYPTION).raw(parameters);
            })
            .nest(tag::BIT_STRING, |der| {
                der.raw(&[0]).sequence(|der| {
                    der.unsigned(&vec![0xff; bits / 8]).unsigned(&[1, 0, 1]);
                });
            });
        })
    };
    let (small, bare) = (rsa(1024, &[tag::NULL, 0]), rsa(2048, &[]));
    vec![
        (
            "RFC 5280 4.1.2.1",
            change(|t| t.fields[VERSION] = b"\xa0\x03\x02\x01\x00".to_vec()),
        ),
        (
            "RFC 5280 4.1.2.2",
            change(move |t| t.fields[SERIAL] = short.clone()),
        ),
        (
            "RFC 5280 4.1.2.2",
            change(move |t| t.fields[SERIAL] = long.clone()),
        ),
        (
            "X.690 10-11",
            change(move |t| t.fields[SERIAL] = zeros.clone()),
        ),
        (
            "BR 7.1.3.2",
            change(|t| {
                t.fields[ALGORITHM] = sequence(|der| {
                    der.oid(oid::SHA1_WITH_RSA).value(tag::NULL, &[]);
                });
            }),
        ),
        (
            "RFC 5280 4.1.2.5",
            change(|t| {
                t.fields[VALIDITY] = sequence(|der| {
                    der.value(tag::GENERALIZED_TIME, b"20261122100000Z")
                        .time(now() + DAY);
                });
            }),
        ),
        (
            "BR 7.1.2.7",
            change(|t| t.fields.push(vec![tag::context(1), 2, 0, 1])),
        ),
        (
            "RFC 5280 4.2",
            change(|t| t.extensions.push(t.extensions[0].clone())),
        ),
        (
            "X.690 10-11",
            change(|t| t.set(oid::BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\x00".to_vec())),
        ),
        (
            "BR 6.1.5, 7.1.3.1",
            change(move |t| t.fields[KEY] = compressed.clone()),
        ),
        (
            "BR 6.1.5, 7.1.3.1",
            change(move |t| t.fields[KEY] = small.clone()),
        ),
        (
            "BR 6.1.5, 7.1.3.1",
            change(move |t| t.fields[KEY] = bare.clone()),
        ),
        (
            "BR 7.1.4.1",
            change(|t| {
                t.fields[SUBJECT] = sequence(|der| {
                    der.nest(tag::SET, |der| {
                        for (oid, text) in [
                            (oid::COMMON_NAME, b"shop.example"),
                            (oid::STATE, b"abcdefghijkl"),
                        ] {
                            der.sequence(|der| {
                                der.oid(oid).value(tag::UTF8_STRING, text);
                            });
                        }
                    });
                });
            }),
        ),
        (
            "BR 7.1.2.7.3, 7.1.2.10.2",
            change(|t| t.set_subject(&[(oid::ORGANIZATION_UNIT, tag::UTF8_STRING, "IT")])),
        ),
    ]
}
