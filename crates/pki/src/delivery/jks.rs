//! Java's own key store, format 2: what `keytool` wrote before it took to PKCS #12.
//!
//! The format is documented by its code alone. The key is enciphered with a stream of SHA-1 over password and
//! salt, so that a weak password falls quickly; it is for software that takes nothing else.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::asn1::{NULL, algorithm, octets, sequence};
use super::{Identity, PackError, Password, random};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const PRIVATE_KEY_ENTRY: u32 = 1;
const CERTIFICATE_TYPE: &str = "X.509";
const WHITENER: &[u8] = b"Mighty Aphrodite";
const KEY_PROTECTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");
const HASH_LENGTH: usize = 20;

/// Writes a store with one entry, under one password for store and key.
pub fn write(
    identity: &Identity<'_>,
    password: &Password,
    now: Timestamp,
) -> Result<Vec<u8>, PackError> {
    let password = password.utf16();
    let mut store = Vec::new();
    for word in [MAGIC, VERSION, 1, PRIVATE_KEY_ENTRY] {
        store.extend(word.to_be_bytes());
    }
    // Java looks aliases up in lower case.
    push_text(&mut store, &identity.name.to_lowercase())?;
    store.extend(now.as_millisecond().to_be_bytes());
    push_sized(&mut store, &protected(identity.key.pkcs8(), &password)?)?;
    let count = identity.chain.presented().count();
    store.extend(length(count)?.to_be_bytes());
    for der in identity.chain.presented() {
        push_text(&mut store, CERTIFICATE_TYPE)?;
        push_sized(&mut store, der)?;
    }
    let digest = sha1(&[&password, WHITENER, &store]);
    store.extend(digest);
    Ok(store)
}

/// `EncryptedPrivateKeyInfo` by Java's key protector: salt, key under the stream, hash of password and key.
fn protected(key: &[u8], password: &[u8]) -> Result<Vec<u8>, PackError> {
    let salt = random::<HASH_LENGTH>()?;
    let mut text = Zeroizing::new(Vec::with_capacity(key.len() + 2 * HASH_LENGTH));
    text.extend_from_slice(&salt);
    text.extend_from_slice(key);
    let mut stream = Zeroizing::new(salt);
    for part in text[HASH_LENGTH..].chunks_mut(HASH_LENGTH) {
        *stream = sha1(&[password, &stream[..]]);
        for (octet, mask) in part.iter_mut().zip(stream.iter()) {
            *octet ^= mask;
        }
    }
    text.extend_from_slice(&sha1(&[password, key]));
    Ok(sequence(&[
        &algorithm(KEY_PROTECTOR, NULL)?,
        &octets(&text)?,
    ])?)
}

fn sha1(parts: &[&[u8]]) -> [u8; HASH_LENGTH] {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; HASH_LENGTH];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Text as `DataOutput.writeUTF` has it; names are ASCII, for which that is UTF-8.
fn push_text(store: &mut Vec<u8>, text: &str) -> Result<(), PackError> {
    let length = u16::try_from(text.len()).map_err(|_| PackError::Malformed)?;
    store.extend(length.to_be_bytes());
    store.extend(text.as_bytes());
    Ok(())
}

fn push_sized(store: &mut Vec<u8>, octets: &[u8]) -> Result<(), PackError> {
    store.extend(length(octets.len())?.to_be_bytes());
    store.extend(octets);
    Ok(())
}

fn length(count: usize) -> Result<u32, PackError> {
    u32::try_from(count).map_err(|_| PackError::Malformed)
}
