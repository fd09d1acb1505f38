//! Private keys: made, kept as PKCS#8, and used to sign.
//!
//! Only the algorithms the profiles know are here; the hash follows the key (BR 7.1.3.2). A [`SigningKey`]
//! never prints and is never copied; its PKCS#8 form leaves only as a buffer that clears itself.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::public_keys::{KeyKind, PublicKey};

/// The kinds of key made here.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256, signing with SHA-256.
    #[default]
    P256,
    /// ECDSA on NIST P-384, signing with SHA-384.
    P384,
    /// RSA with 2048 bits, signing by PKCS #1 v1.5 with SHA-256.
    Rsa2048,
    /// RSA with 3072 bits, likewise.
    Rsa3072,
    /// RSA with 4096 bits, likewise.
    Rsa4096,
}

const SHA256_WITH_RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";
const ECDSA_WITH_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
const ECDSA_WITH_SHA384: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";

impl KeyAlgorithm {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 5] = [
        Self::P256,
        Self::P384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    /// The word used in settings, for example `RSA-2048`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
        }
    }

    /// Reads [`KeyAlgorithm::as_str`] back, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
    }

    /// The `AlgorithmIdentifier` of signatures by such a key, to the byte (BR 7.1.3.2).
    pub fn signature_algorithm_der(self) -> &'static [u8] {
        match self {
            Self::P256 => ECDSA_WITH_SHA256,
            Self::P384 => ECDSA_WITH_SHA384,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SHA256_WITH_RSA,
        }
    }

    /// The kind of a public key, where it is one made here.
    pub fn of(key: &PublicKey) -> Option<Self> {
        match (key.kind, key.bits) {
            (KeyKind::P256, _) => Some(Self::P256),
            (KeyKind::P384, _) => Some(Self::P384),
            (KeyKind::Rsa, 2048) => Some(Self::Rsa2048),
            (KeyKind::Rsa, 3072) => Some(Self::Rsa3072),
            (KeyKind::Rsa, 4096) => Some(Self::Rsa4096),
            (KeyKind::Rsa, _) => None,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a private key could not be made, read or used. Says nothing of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SigningKeyError {
    /// The cryptographic library made no key.
    #[error("the key could not be generated")]
    Generate,
    /// Not PKCS#8, or not a key of a known kind.
    #[error("not a usable PKCS#8 private key")]
    Decode,
    /// The key could not be written as PKCS#8.
    #[error("the key could not be encoded")]
    Encode,
    /// The cryptographic library did not sign.
    #[error("the signature could not be made")]
    Sign,
}

/// A private key that signs.
pub struct SigningKey {
    pair: Pair,
    algorithm: KeyAlgorithm,
    spki_der: Vec<u8>,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Makes a key. RSA takes from a tenth of a second to several: keep it off the async runtime.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, SigningKeyError> {
        let ecdsa = |curve| EcdsaKeyPair::generate(curve).map(Pair::Ecdsa);
        let rsa = |size| RsaKeyPair::generate(size).map(Pair::Rsa);
        let pair = match algorithm {
            KeyAlgorithm::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::P384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096),
        };
        Self::new(pair.map_err(|_| SigningKeyError::Generate)?).ok_or(SigningKeyError::Generate)
    }

    /// Reads a PKCS#8 document.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningKeyError> {
        let curves: [&'static EcdsaSigningAlgorithm; 2] = [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
        ];
        let pair = curves
            .into_iter()
            .find_map(|curve| EcdsaKeyPair::from_pkcs8(curve, der).ok().map(Pair::Ecdsa))
            .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Pair::Rsa));
        pair.and_then(Self::new).ok_or(SigningKeyError::Decode)
    }

    fn new(pair: Pair) -> Option<Self> {
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der().ok()?,
            Pair::Rsa(pair) => pair.public_key().as_der().ok()?,
        };
        let key = PublicKey::parse(spki.as_ref()).ok()?;
        Some(Self {
            algorithm: KeyAlgorithm::of(&key)?,
            spki_der: key.spki_der,
            pair,
        })
    }

    /// The key as PKCS#8, unencrypted.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
        let der = match &self.pair {
            Pair::Ecdsa(pair) => pair
                .to_pkcs8v1()
                .map(|der| Zeroizing::new(der.as_ref().to_vec())),
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)
                .map(|der| Zeroizing::new(der.as_ref().to_vec())),
        };
        der.map_err(|_| SigningKeyError::Encode)
    }

    /// What kind of key it is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public half, a `SubjectPublicKeyInfo` in the bytes BR 7.1.3.1 fixes.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// Signs a message; ECDSA signatures come as DER.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map(|()| signature)
            }
        }
        .map_err(|_| SigningKeyError::Sign)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use der::Decode;
    use spki::AlgorithmIdentifierRef;

    use super::*;
    use crate::public_keys::{scheme_name, verify};

    #[test]
    fn every_kind_of_key_survives_pkcs8_and_signs() {
        let kinds = [
            (KeyAlgorithm::P256, "ecdsa-with-SHA256"),
            (KeyAlgorithm::P384, "ecdsa-with-SHA384"),
            (KeyAlgorithm::Rsa2048, "SHA256withRSA"),
        ];
        for (algorithm, name) in kinds {
            let scheme = AlgorithmIdentifierRef::from_der(algorithm.signature_algorithm_der());
            let scheme = scheme.unwrap().oid;
            assert_eq!(scheme_name(scheme), Some(name));
            let made = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pkcs8(&made.to_pkcs8().unwrap()).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.spki_der(), made.spki_der());
            let signature = key.sign(b"message").unwrap();
            assert!(verify(key.spki_der(), scheme, b"message", &signature).is_ok());
            assert!(verify(key.spki_der(), scheme, b"massage", &signature).is_err());
        }
    }

    #[test]
    fn keys_do_not_print() {
        let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey { algorithm: P256, .. }");
    }

    #[test]
    fn words_read_back() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(
                KeyAlgorithm::parse(&algorithm.as_str().to_lowercase()),
                Some(algorithm)
            );
        }
        assert_eq!(KeyAlgorithm::parse("P-521"), None);
        assert!(SigningKey::from_pkcs8(b"nonsense").is_err());
    }
}
