//! Every rule is broken once: a good template is changed in one place, and the rule has to be named.

mod authority;
mod crl;
mod leaf;

use chancery_domain::names::DomainName;
use const_oid::db::rfc4519::{COMMON_NAME, ST};
use const_oid::db::rfc5280::ID_CE_BASIC_CONSTRAINTS;
use const_oid::db::rfc5912::SHA_1_WITH_RSA_ENCRYPTION;
use der::asn1::{BitStringRef, UintRef};
use der::{Encode, TagNumber, Tagged};
use x509_cert::time::{Time, Validity};

use super::*;
use crate::certificate::{assemble, mint_serial};
use crate::identities::Identity;
use crate::keys::SigningKey;
use crate::names::{Attributes, encode_name};
use crate::profiles::{Authority, Leaf, LeafProfile, build_root_tbs};
use crate::structures::{Extension, tlv, write_time};

/// `der`'s tags; the name alone is the other parser's.
type Tag = der::Tag;

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
    extensions: Vec<(ObjectIdentifier, bool, Vec<u8>)>,
    /// The tag around the extensions.
    tag: Tag,
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
        let mut fields = Vec::<AnyRef<'_>>::from_der(tbs).unwrap();
        let wrapped = fields.pop().unwrap();
        let extensions = Vec::<Extension<'_>>::from_der(wrapped.value()).unwrap();
        Self {
            fields: fields.iter().map(|field| field.to_der().unwrap()).collect(),
            extensions: extensions
                .iter()
                .map(|ext| (ext.id, ext.critical, ext.value.as_bytes().to_vec()))
                .collect(),
            tag: wrapped.tag(),
        }
    }

    fn build(&self) -> Vec<u8> {
        let extensions: Vec<_> = self
            .extensions
            .iter()
            .map(|(id, critical, value)| extension(*id, *critical, value))
            .collect();
        let extensions = tlv(self.tag, &[&sequence(&[&extensions.concat()])]);
        sequence(&[&self.fields.concat(), &extensions])
    }

    fn extension(&mut self, id: ObjectIdentifier) -> &mut (ObjectIdentifier, bool, Vec<u8>) {
        self.extensions
            .iter_mut()
            .find(|(found, ..)| *found == id)
            .unwrap()
    }

    fn set(&mut self, id: ObjectIdentifier, value: Vec<u8>) {
        self.extension(id).2 = value;
    }

    fn flip(&mut self, id: ObjectIdentifier) {
        let critical = &mut self.extension(id).1;
        *critical = !*critical;
    }

    fn remove(&mut self, id: ObjectIdentifier) {
        self.extensions.retain(|(found, ..)| *found != id);
    }

    fn add(&mut self, id: ObjectIdentifier, value: Vec<u8>) {
        self.extensions.push((id, false, value));
    }

    fn set_validity(&mut self, not_before: Timestamp, not_after: Timestamp) {
        let validity: Validity = Validity::new(time(not_before), time(not_after));
        self.fields[VALIDITY] = validity.to_der().unwrap();
    }

    fn set_subject(&mut self, parts: &[(ObjectIdentifier, Tag, &str)]) {
        let parts: Vec<_> = parts
            .iter()
            .map(|(kind, string, text)| tlv(Tag::Set, &[&attribute(*kind, *string, text)]))
            .collect();
        self.fields[SUBJECT] = sequence(&[&parts.concat()]);
    }
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(Tag::Sequence, parts)
}

fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: TagNumber(number),
    }
}

fn oid(id: ObjectIdentifier) -> Vec<u8> {
    id.to_der().unwrap()
}

fn time(at: Timestamp) -> Time {
    write_time(at).unwrap()
}

fn attribute(kind: ObjectIdentifier, string: Tag, text: &str) -> Vec<u8> {
    sequence(&[&oid(kind), &tlv(string, &[text.as_bytes()])])
}

fn extension(id: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { b"\x01\x01\xff" } else { b"" };
    sequence(&[&oid(id), critical, &tlv(Tag::OctetString, &[value])])
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
    let der = assemble(&tbs, algorithm.signature_algorithm_der(), &signature).unwrap();
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
    a_leaf_of(issuer, names, None)
}

fn a_leaf_of(issuer: &Issuer, names: &[&str], identity: Option<&Identity>) -> Vec<u8> {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|name| DomainName::parse(name).unwrap())
        .collect();
    let leaf = Leaf {
        serial: mint_serial().unwrap(),
        names: &names,
        identity,
        spki_der: key.spki_der(),
        not_before: now(),
        not_after: now() + DAY * 199 - SECOND,
    };
    let profile = LeafProfile::new(issuer, CRL_URL, CA_URL).unwrap();
    profile.build_tbs(&leaf).unwrap()
}

fn leaf_rules(issuer: &Issuer) -> LeafRules<'_> {
    LeafRules {
        issuer,
        crl_url: CRL_URL,
        ca_issuers_url: CA_URL,
        validity_cap: DAY * 200,
        subject: SubjectRule::NamesOnly,
        now: Some(now()),
    }
}

/// What any certificate can get wrong.
fn envelope_changes() -> Vec<(&'static str, Change)> {
    let integer = |octets: &[u8]| tlv(Tag::Integer, &[octets]);
    let (short, long, zeros) = (
        integer(&[1; 7]),
        integer(&[1; 21]),
        integer(&[0, 1, 1, 1, 1, 1, 1, 1]),
    );
    let key = |algorithm: &[&[u8]], key: &[u8]| {
        let key = BitStringRef::from_bytes(key).unwrap().to_der().unwrap();
        sequence(&[&sequence(algorithm), &key])
    };
    let compressed = key(&[&oid(ID_EC_PUBLIC_KEY), &oid(SECP_256_R_1)], &[2; 33]);
    let rsa = |bits: usize, parameters: &[u8]| {
        let rsa_key = RsaPublicKey {
            modulus: UintRef::new(&vec![0xff; bits / 8]).unwrap(),
            exponent: UintRef::new(&[1, 0, 1]).unwrap(),
        }
        .to_der();
        key(&[&oid(RSA_ENCRYPTION), parameters], &rsa_key.unwrap())
    };
    let (small, bare) = (rsa(1024, b"\x05\x00"), rsa(2048, &[]));
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
                t.fields[ALGORITHM] = sequence(&[&oid(SHA_1_WITH_RSA_ENCRYPTION), b"\x05\x00"]);
            }),
        ),
        (
            "RFC 5280 4.1.2.5",
            change(|t| {
                let not_before = tlv(Tag::GeneralizedTime, &[b"20261122100000Z"]);
                let not_after = time(now() + DAY).to_der().unwrap();
                t.fields[VALIDITY] = sequence(&[&not_before, &not_after]);
            }),
        ),
        (
            "BR 7.1.2.7",
            change(|t| t.fields.push(tlv(context(1, false), &[&[0, 1]]))),
        ),
        (
            "RFC 5280 4.2",
            change(|t| t.extensions.push(t.extensions[0].clone())),
        ),
        (
            "X.690 10-11",
            change(|t| t.set(ID_CE_BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\x00".to_vec())),
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
                let parts = [
                    attribute(COMMON_NAME, Tag::Utf8String, "shop.example"),
                    attribute(ST, Tag::Utf8String, "abcdefghijkl"),
                ];
                t.fields[SUBJECT] = sequence(&[&tlv(Tag::Set, &[&parts.concat()])]);
            }),
        ),
        (
            "BR 7.1.2.7.3, 7.1.2.10.2",
            change(|t| t.set_subject(&[(ORGANIZATIONAL_UNIT_NAME, Tag::Utf8String, "IT")])),
        ),
    ]
}
