//! PKCS #12: a certificate, its chain and its key in one file under a password (RFC 7292, RFC 9879).
//!
//! Certificates and key are encrypted, each under a key of its own, and the whole is under a MAC. The MAC is
//! the classic one with HMAC: the one of RFC 9879 is not read by what is in use. As all of it hangs on one
//! password, the MAC costs as many iterations as the keys do.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_256, Algorithm as Cipher, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{Algorithm as Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc2985::{PKCS_9_AT_FRIENDLY_NAME, PKCS_9_AT_LOCAL_KEY_ID};
use const_oid::db::rfc5911::{ID_AES_256_CBC, ID_PBKDF_2};
use const_oid::db::rfc5912::{ID_SHA_1, ID_SHA_256};
use const_oid::db::rfc6268::{ID_DATA, ID_ENCRYPTED_DATA, ID_HMAC_WITH_SHA_256};
use const_oid::db::rfc7292::PBE_WITH_SHA_AND_3_KEY_TRIPLE_DES_CBC;
use der::Tag;
use zeroize::Zeroizing;

use super::asn1::{
    NULL, algorithm, context, context_primitive, integer, octets, oid, sequence, set, tagged,
};
use super::{Identity, PackError, Password, random};
use crate::public_keys::key_id;
use crate::structures::Malformed;

const ID_PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PKCS8_SHROUDED_KEY_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");

/// Iterations where the reader is of our time.
const ITERATIONS: u32 = 100_000;

/// Iterations where it is not; what OpenSSL and Windows wrote then.
const LEGACY_ITERATIONS: u32 = 2048;

/// By which algorithms a file is encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256; MAC with SHA-256.
    Modern,
    /// pbeWithSHAAnd3-KeyTripleDES-CBC; MAC with SHA-1.
    Legacy,
}

/// Writes a `PFX`.
pub fn write(
    identity: &Identity<'_>,
    password: &Password,
    encoding: Encoding,
) -> Result<Vec<u8>, PackError> {
    let attributes = attributes(identity)?;
    let mut bags = Vec::new();
    for (at, der) in identity.chain.presented().enumerate() {
        let of_leaf: &[u8] = if at == 0 { &attributes } else { &[] };
        bags.extend(certificate_bag(der, of_leaf)?);
    }
    let certificates = encrypt(&sequence(&[&bags])?, password, encoding)?;
    let key = encrypt(identity.key.pkcs8(), password, encoding)?;
    let key_bag = bag(PKCS8_SHROUDED_KEY_BAG, &key.as_private_key()?, &attributes)?;

    let safes = sequence(&[
        &content_info(ID_ENCRYPTED_DATA, &certificates.as_data()?)?,
        &content_info(ID_DATA, &octets(&sequence(&[&key_bag])?)?)?,
    ])?;
    let mac = mac_data(&safes, password, encoding)?;
    let content = content_info(ID_DATA, &octets(&safes)?)?;
    Ok(sequence(&[&integer(3)?, &content, &mac])?)
}

fn content_info(kind: ObjectIdentifier, content: &[u8]) -> Result<Vec<u8>, Malformed> {
    sequence(&[&oid(kind)?, &context(0, &[content])?])
}

/// What ties key and certificate together, and what people see.
fn attributes(identity: &Identity<'_>) -> Result<Vec<u8>, Malformed> {
    let name: Vec<u8> = identity
        .name
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let friendly_name = tagged(Tag::BmpString, &[&name])?;
    let local_key_id = octets(&key_id(identity.key.spki_der())?)?;
    set(&[
        &sequence(&[&oid(PKCS_9_AT_FRIENDLY_NAME)?, &set(&[&friendly_name])?])?,
        &sequence(&[&oid(PKCS_9_AT_LOCAL_KEY_ID)?, &set(&[&local_key_id])?])?,
    ])
}

fn bag(kind: ObjectIdentifier, value: &[u8], attributes: &[u8]) -> Result<Vec<u8>, Malformed> {
    sequence(&[&oid(kind)?, &context(0, &[value])?, attributes])
}

fn certificate_bag(der: &[u8], attributes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let value = sequence(&[&oid(X509_CERTIFICATE)?, &context(0, &[&octets(der)?])?])?;
    bag(CERT_BAG, &value, attributes)
}

/// Something encrypted, and how.
struct Encrypted {
    algorithm: Vec<u8>,
    octets: Vec<u8>,
}

impl Encrypted {
    /// `EncryptedData` (RFC 5652 §8)
    fn as_data(&self) -> Result<Vec<u8>, Malformed> {
        let content = context_primitive(0, &self.octets)?;
        let info = sequence(&[&oid(ID_DATA)?, &self.algorithm, &content])?;
        sequence(&[&integer(0)?, &info])
    }

    /// `EncryptedPrivateKeyInfo` (RFC 5958 §3)
    fn as_private_key(&self) -> Result<Vec<u8>, Malformed> {
        sequence(&[&self.algorithm, &octets(&self.octets)?])
    }
}

fn encrypt(plain: &[u8], password: &Password, encoding: Encoding) -> Result<Encrypted, PackError> {
    match encoding {
        Encoding::Modern => encrypt_pbes2(plain, password),
        Encoding::Legacy => encrypt_triple_des(plain, password),
    }
}

fn encrypt_pbes2(plain: &[u8], password: &Password) -> Result<Encrypted, PackError> {
    const COUNT: NonZeroU32 = NonZeroU32::new(ITERATIONS).expect("more than none");
    let (salt, iv) = (random::<16>()?, random::<16>()?);
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(
        PBKDF2_HMAC_SHA256,
        COUNT,
        &salt,
        password.utf8(),
        &mut key[..],
    );
    let derivation = sequence(&[
        &octets(&salt)?,
        &integer(ITERATIONS)?,
        &algorithm(ID_HMAC_WITH_SHA_256, NULL)?,
    ])?;
    let parameters = sequence(&[
        &algorithm(ID_PBKDF_2, &derivation)?,
        &algorithm(ID_AES_256_CBC, &octets(&iv)?)?,
    ])?;
    let context = EncryptionContext::Iv128(iv.into());
    Ok(Encrypted {
        algorithm: algorithm(ID_PBES2, &parameters)?,
        octets: encrypt_cbc(&AES_256, &key[..], context, plain)?,
    })
}

#[expect(
    deprecated,
    reason = "it is asked for by name, for readers that know nothing else"
)]
fn encrypt_triple_des(plain: &[u8], password: &Password) -> Result<Encrypted, PackError> {
    use aws_lc_rs::cipher::DES_EDE3_FOR_LEGACY_USE_ONLY;

    let salt = random::<8>()?;
    let mut key = Zeroizing::new([0; 24]);
    let mut iv = [0; 8];
    let hash = &SHA1_FOR_LEGACY_USE_ONLY;
    derive(
        hash,
        password,
        &salt,
        Purpose::Key,
        LEGACY_ITERATIONS,
        &mut key[..],
    );
    derive(
        hash,
        password,
        &salt,
        Purpose::Iv,
        LEGACY_ITERATIONS,
        &mut iv,
    );
    let parameters = sequence(&[&octets(&salt)?, &integer(LEGACY_ITERATIONS)?])?;
    let context = EncryptionContext::Iv64(iv.into());
    Ok(Encrypted {
        algorithm: algorithm(PBE_WITH_SHA_AND_3_KEY_TRIPLE_DES_CBC, &parameters)?,
        octets: encrypt_cbc(&DES_EDE3_FOR_LEGACY_USE_ONLY, &key[..], context, plain)?,
    })
}

/// Encrypts in a buffer that holds nothing plain afterwards, nor where it fails.
fn encrypt_cbc(
    cipher: &'static Cipher,
    key: &[u8],
    iv: EncryptionContext,
    plain: &[u8],
) -> Result<Vec<u8>, PackError> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(plain.len() + cipher.block_len()));
    buffer.extend_from_slice(plain);
    UnboundCipherKey::new(cipher, key)
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .and_then(|key| key.less_safe_encrypt(&mut *buffer, iv))
        .map_err(|_| PackError::Library)?;
    Ok(std::mem::take(&mut *buffer))
}

/// `MacData` over the safes (RFC 7292 §4).
fn mac_data(safes: &[u8], password: &Password, encoding: Encoding) -> Result<Vec<u8>, PackError> {
    let (hash, id, algorithm_of_mac, iterations) = match encoding {
        Encoding::Modern => (&SHA256, ID_SHA_256, HMAC_SHA256, ITERATIONS),
        Encoding::Legacy => (
            &SHA1_FOR_LEGACY_USE_ONLY,
            ID_SHA_1,
            HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            LEGACY_ITERATIONS,
        ),
    };
    let salt = random::<16>()?;
    let mut key = Zeroizing::new(vec![0; hash.output_len()]);
    derive(hash, password, &salt, Purpose::Mac, iterations, &mut key);
    let mac = hmac::sign(&hmac::Key::new(algorithm_of_mac, &key), safes);
    let digest_info = sequence(&[&algorithm(id, NULL)?, &octets(mac.as_ref())?])?;
    Ok(sequence(&[
        &digest_info,
        &octets(&salt)?,
        &integer(iterations)?,
    ])?)
}

/// What a derived key is for (RFC 7292 §B.3).
#[derive(Clone, Copy)]
enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// Derives octets from a password as PKCS #12 does it (RFC 7292 §B.2).
fn derive(
    hash: &'static Digest,
    password: &Password,
    salt: &[u8],
    purpose: Purpose,
    iterations: u32,
    out: &mut [u8],
) {
    let block = hash.block_len();
    let repeated = |text: &[u8]| -> Zeroizing<Vec<u8>> {
        let length = text.len().next_multiple_of(block);
        Zeroizing::new(text.iter().copied().cycle().take(length).collect())
    };
    let (salt, password) = (repeated(salt), repeated(&password.utf16_terminated()));
    let mut input = Zeroizing::new(Vec::with_capacity(block + salt.len() + password.len()));
    input.resize(block, purpose as u8);
    input.extend_from_slice(&salt);
    input.extend_from_slice(&password);

    for part in out.chunks_mut(hash.output_len()) {
        let mut hashed = digest(hash, &input);
        for _ in 1..iterations {
            hashed = digest(hash, hashed.as_ref());
        }
        part.copy_from_slice(&hashed.as_ref()[..part.len()]);
        for chunk in input[block..].chunks_mut(block) {
            add_one_and(chunk, hashed.as_ref());
        }
    }
}

/// Adds a repeated number and one to a number, both big-endian, and drops what carries over.
fn add_one_and(number: &mut [u8], addend: &[u8]) {
    let length = number.len();
    let mut carry = 1;
    for at in (0..length).rev() {
        let sum = u16::from(number[at]) + u16::from(addend[at % addend.len()]) + carry;
        number[at] = sum as u8;
        carry = sum >> 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors that circulate among implementations since the first of them.
    #[test]
    fn keys_are_derived_as_everywhere() {
        let derived = |password: &str, salt: &[u8], purpose, iterations, length| {
            let mut out = vec![0; length];
            let password = Password::parse(password.as_bytes()).unwrap();
            derive(
                &SHA1_FOR_LEGACY_USE_ONLY,
                &password,
                salt,
                purpose,
                iterations,
                &mut out,
            );
            out.iter()
                .map(|octet| format!("{octet:02x}"))
                .collect::<String>()
        };
        let salt = b"\x0a\x58\xcf\x64\x53\x0d\x82\x3f";
        assert_eq!(
            derived("smeg", salt, Purpose::Key, 1, 24),
            "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3"
        );
        assert_eq!(derived("smeg", salt, Purpose::Iv, 1, 8), "79993dfe048d3b76");
        let salt = b"\x05\xde\xc9\x59\xac\xff\x72\xf7";
        assert_eq!(
            derived("queeg", salt, Purpose::Key, 1000, 24),
            "ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4"
        );
        assert_eq!(
            derived("queeg", salt, Purpose::Iv, 1000, 8),
            "11dedad7758d4860"
        );
    }
}
