use proptest::prelude::*;

use super::*;
use crate::keys::{KeyAlgorithm, SigningKey};

fn a_key() -> String {
    let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    pem::encode("PRIVATE KEY", &key.to_pkcs8().unwrap())
}

fn a_chain() -> Chain {
    Chain {
        leaf: b"\x30\x01a".to_vec(),
        intermediates: vec![b"\x30\x01b".to_vec(), b"\x30\x01c".to_vec()],
        root: b"\x30\x01d".to_vec(),
    }
}

#[test]
fn each_extent_holds_what_it_promises() {
    let chain = a_chain();
    let of = |extent| {
        let text = chain.pem(extent);
        let blocks = text.split_inclusive("-----END CERTIFICATE-----\n");
        let letter = |block| pem::decode(block, &["CERTIFICATE"]).unwrap()[2] as char;
        blocks.map(letter).collect::<String>()
    };
    assert_eq!(of(Extent::Leaf), "a");
    assert_eq!(of(Extent::Intermediates), "bc");
    assert_eq!(of(Extent::WithIntermediates), "abc");
    assert_eq!(of(Extent::Whole), "abcd");
    assert_eq!(of(Extent::Root), "d");
}

#[test]
fn every_archive_has_leaf_chain_and_both_and_says_what_to_do() {
    let chain = a_chain();
    for server in [
        Server::Any,
        Server::Windows,
        Server::Apache,
        Server::Nginx,
        Server::Iis,
        Server::Tomcat,
        Server::Haproxy,
        Server::Mail,
    ] {
        let files = server.files(&chain, "*.shop.example").unwrap();
        let holds = |content: &[u8]| files.iter().any(|file| file.content == content);
        let leaf = chain.pem(Extent::Leaf);
        assert!(holds(leaf.as_bytes()) || holds(&chain.leaf), "{server:?}");
        let intermediates = chain.pem(Extent::Intermediates);
        let apart = chain.intermediates.iter().all(|der| holds(der));
        assert!(holds(intermediates.as_bytes()) || apart, "{server:?}");
        let both = chain.pem(Extent::WithIntermediates);
        let pkcs7 = chain.pkcs7_pem().unwrap();
        assert!(
            holds(both.as_bytes()) || holds(pkcs7.as_bytes()),
            "{server:?}"
        );

        let note = &files.last().unwrap();
        assert_eq!(note.name, "INSTALL.txt");
        let note = str::from_utf8(&note.content).unwrap();
        assert!(!note.contains("{name}"), "{note}");
        for file in &files {
            assert!(
                file.name.is_ascii() && !file.name.contains('*'),
                "{}",
                file.name
            );
            let is_told = file.name == "INSTALL.txt" || note.contains(&file.name);
            assert!(
                is_told || file.name.starts_with("intermediate2"),
                "{}",
                file.name
            );
        }
    }
}

#[test]
fn a_key_is_found_among_other_blocks() {
    let key = a_key();
    let alone = SubscriberKey::parse(key.as_bytes()).unwrap();
    let certificate = to_pem(b"\x30\x01a");
    let parameters = pem::encode("EC PARAMETERS", b"\x06\x01\x00");
    let crlf = key.replace('\n', "\r\n");
    for file in [
        format!("{certificate}{key}"),
        format!("{parameters}{key}{certificate}"),
        format!("\u{feff}Bag Attributes\n{crlf}"),
    ] {
        let found = SubscriberKey::parse(file.as_bytes()).unwrap();
        assert_eq!(found.pkcs8(), alone.pkcs8());
        assert_eq!(found.spki_der(), alone.spki_der());
    }
    let refused = |file: &str| SubscriberKey::parse(file.as_bytes()).unwrap_err();
    assert_eq!(refused(&certificate), PrivateKeyError::OtherPem);
    assert_eq!(refused(""), PrivateKeyError::Unreadable);
    assert_eq!(
        refused("-----BEGIN PRIVATE KEY-----"),
        PrivateKeyError::Unreadable
    );
    let encrypted = pem::encode("ENCRYPTED PRIVATE KEY", b"\x30\x01a");
    assert_eq!(refused(&encrypted), PrivateKeyError::Encrypted);
    let cut = &key[..key.len() / 2];
    assert_eq!(refused(cut), PrivateKeyError::Unreadable);
    let room = " ".repeat(64 * 1024 - key.len());
    assert!(SubscriberKey::parse(format!("{key}{room}").as_bytes()).is_ok());
    assert_eq!(refused(&format!("{key}{room} ")), PrivateKeyError::TooLong);
}

#[test]
fn secrets_do_not_print() {
    let key = SubscriberKey::parse(a_key().as_bytes()).unwrap();
    assert_eq!(format!("{key:?}"), "SubscriberKey(..)");
    let password = Password::parse(b"open sesame").unwrap();
    assert_eq!(format!("{password:?}"), "Password(..)");
}

#[test]
fn passwords_are_text_of_some_length() {
    let parse = |text: &[u8]| Password::parse(text).map(|password| password.length());
    assert_eq!(parse("пароль".as_bytes()), Ok(6));
    assert_eq!(parse(b" "), Ok(1));
    assert_eq!(parse(b""), Err(PasswordError::Length));
    assert_eq!(parse(&[b'x'; 128]), Ok(128));
    assert_eq!(parse(&[b'x'; 129]), Err(PasswordError::Length));
    assert_eq!(parse(b"a\0b"), Err(PasswordError::NotText));
    assert_eq!(parse(b"a\n"), Err(PasswordError::NotText));
    assert_eq!(parse(b"\xff"), Err(PasswordError::NotText));
}

proptest! {
    #[test]
    fn reading_keys_never_panics(file in prop::collection::vec(any::<u8>(), 0..200), at in 0..200_usize) {
        let _ = SubscriberKey::parse(&file);
        let mut key = a_key().into_bytes();
        let at = at.min(key.len() - 1);
        key[at] ^= 1;
        let _ = SubscriberKey::parse(&key);
        let mut der = b"\x30".to_vec();
        der.extend(file);
        let _ = SubscriberKey::parse(&der);
    }
}
