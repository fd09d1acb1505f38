//! Public keys: which ones a certificate may carry, and what they verify.
//!
//! A [`PublicKey`] exists only for a key that passed the rules of BR 6.1.5, 6.1.6 and 6.1.1.3, and holds
//! its `SubjectPublicKeyInfo` written anew in the bytes BR 7.1.3.1 fixes, never the bytes that came in.
//! Lists of known-compromised keys are not here: those are data, and the store's to ask.

mod weak_rsa;

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_DSA, ID_EC_PUBLIC_KEY,
    ID_RSASSA_PSS, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1,
    SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::{ID_ED_448, ID_ED_25519};
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::structures::{Malformed, RsaPublicKey};

/// The families of key a certificate may carry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyKind {
    /// RSA (`rsaEncryption`).
    Rsa,
    /// A point on NIST P-256.
    P256,
    /// A point on NIST P-384.
    P384,
}

/// A public key that a certificate may carry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    /// Its family.
    pub kind: KeyKind,
    /// Its size: of the modulus, or of the curve.
    pub bits: usize,
    /// Its `SubjectPublicKeyInfo`.
    pub spki_der: Vec<u8>,
}

/// Why a certificate may not carry a key, in words for the one who made it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// The structure is broken.
    #[error("the public key is malformed")]
    Malformed,
    /// A kind of key that is not issued for.
    #[error("the key is of the kind {0}; RSA, or ECDSA on P-256 or P-384, is needed")]
    Algorithm(&'static str),
    /// A curve that is not issued for.
    #[error("the key is on the curve {0}; P-256 or P-384 is needed")]
    Curve(&'static str),
    /// The point is compressed.
    #[error("the key is a compressed point; the uncompressed form is needed")]
    CompressedPoint,
    /// The point is at infinity or not on its curve.
    #[error("the key is not a point on its curve")]
    NotOnCurve,
    /// The modulus is too short.
    #[error("the key is RSA with {bits} bits; at least 2048 are needed")]
    TooShort {
        /// Its size.
        bits: usize,
    },
    /// The modulus is too long.
    #[error("the key is RSA with {bits} bits; at most 4096 are allowed")]
    TooLong {
        /// Its size.
        bits: usize,
    },
    /// The size of the modulus is not whole octets.
    #[error("the key is RSA with {bits} bits; the size has to be a multiple of 8")]
    OddSize {
        /// Its size.
        bits: usize,
    },
    /// The public exponent is even, too small or too large.
    #[error("the RSA exponent has to be odd, at least 65537 and below 2^33")]
    Exponent,
    /// The modulus has a small divisor.
    #[error("the RSA modulus is divisible by {0}")]
    SmallFactor(u64),
    /// The modulus is a power of one number.
    #[error("the RSA modulus is a power of a single number")]
    PrimePower,
    /// The two primes are so close that the modulus is quickly factored.
    #[error("the primes of the RSA key are too close together")]
    ClosePrimes,
    /// The key has the fingerprint of CVE-2017-15361.
    #[error("the RSA key was made by a faulty library (ROCA, CVE-2017-15361)")]
    Roca,
}

impl From<der::Error> for KeyError {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo` and applies every rule on keys.
    pub fn parse(spki: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki)?;
        let algorithm = spki.algorithm;
        let key = spki
            .subject_public_key
            .as_bytes()
            .ok_or(KeyError::Malformed)?;
        match algorithm.oid {
            RSA_ENCRYPTION => Self::rsa(key),
            ID_EC_PUBLIC_KEY => {
                let curve = algorithm
                    .parameters_oid()
                    .map_err(|_| KeyError::Malformed)?;
                match curve {
                    SECP_256_R_1 => Self::point(KeyKind::P256, key),
                    SECP_384_R_1 => Self::point(KeyKind::P384, key),
                    SECP_521_R_1 => Err(KeyError::Curve("P-521")),
                    _ => Err(KeyError::Curve("of another name")),
                }
            }
            ID_ED_25519 => Err(KeyError::Algorithm("Ed25519")),
            ID_ED_448 => Err(KeyError::Algorithm("Ed448")),
            ID_RSASSA_PSS => Err(KeyError::Algorithm("RSASSA-PSS")),
            ID_DSA => Err(KeyError::Algorithm("DSA")),
            _ => Err(KeyError::Algorithm("of another name")),
        }
    }

    fn rsa(key: &[u8]) -> Result<Self, KeyError> {
        let key = RsaPublicKey::from_der(key)?;
        let (modulus, exponent) = (key.modulus.as_bytes(), key.exponent.as_bytes());

        let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
        match bits {
            ..2048 => return Err(KeyError::TooShort { bits }),
            4097.. => return Err(KeyError::TooLong { bits }),
            _ if !bits.is_multiple_of(8) => return Err(KeyError::OddSize { bits }),
            _ => {}
        }
        // BR 6.1.6 would allow up to 2^256; no tool makes such keys, and the verifier stops at 33 bits.
        let number = exponent
            .iter()
            .take(8)
            .fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
        if exponent.len() > 5 || !(65537..1 << 33).contains(&number) || number % 2 == 0 {
            return Err(KeyError::Exponent);
        }
        weak_rsa::check(modulus)?;

        let spki_der = write_spki(RSA_ENCRYPTION, AnyRef::NULL, &key.to_der()?)?;
        Ok(Self {
            kind: KeyKind::Rsa,
            bits,
            spki_der,
        })
    }

    fn point(kind: KeyKind, point: &[u8]) -> Result<Self, KeyError> {
        let (bits, octets, curve, verifier) = match kind {
            KeyKind::P384 => (384, 97, SECP_384_R_1, &signature::ECDSA_P384_SHA384_ASN1),
            KeyKind::P256 | KeyKind::Rsa => {
                (256, 65, SECP_256_R_1, &signature::ECDSA_P256_SHA256_ASN1)
            }
        };
        match point.first() {
            Some(4) if point.len() == octets => {}
            Some(2 | 3) => return Err(KeyError::CompressedPoint),
            _ => return Err(KeyError::NotOnCurve),
        }
        UnparsedPublicKey::new(verifier, point)
            .parse()
            .map_err(|_| KeyError::NotOnCurve)?;
        let spki_der = write_spki(ID_EC_PUBLIC_KEY, (&curve).into(), point)?;
        Ok(Self {
            kind,
            bits,
            spki_der,
        })
    }
}

/// Writes a `SubjectPublicKeyInfo`: with these parameters the octets are those BR 7.1.3.1 fixes.
fn write_spki(
    kind: ObjectIdentifier,
    parameters: AnyRef<'_>,
    key: &[u8],
) -> Result<Vec<u8>, der::Error> {
    let spki = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef {
            oid: kind,
            parameters: Some(parameters),
        },
        subject_public_key: BitStringRef::from_bytes(key)?,
    };
    spki.to_der()
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            KeyKind::Rsa => write!(f, "RSA {}", self.bits),
            KeyKind::P256 | KeyKind::P384 => write!(f, "ECDSA P-{}", self.bits),
        }
    }
}

/// The signature does not belong to the message and the key, or is of a kind not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// Verifies a signature by the key in `spki`, under the algorithm with the given identifier.
pub fn verify(
    spki: &[u8],
    scheme: ObjectIdentifier,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let parameters = SubjectPublicKeyInfoRef::from_der(spki)
        .map_err(|_| BadSignature)?
        .algorithm
        .parameters;
    let curve_is_p384 = parameters == Some(AnyRef::from(&SECP_384_R_1));
    let algorithm: &'static dyn VerificationAlgorithm = match (scheme, curve_is_p384) {
        (SHA_256_WITH_RSA_ENCRYPTION, _) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (SHA_384_WITH_RSA_ENCRYPTION, _) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (SHA_512_WITH_RSA_ENCRYPTION, _) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (ECDSA_WITH_SHA_256, false) => &signature::ECDSA_P256_SHA256_ASN1,
        (ECDSA_WITH_SHA_384, false) => &signature::ECDSA_P256_SHA384_ASN1,
        (ECDSA_WITH_SHA_512, false) => &signature::ECDSA_P256_SHA512_ASN1,
        (ECDSA_WITH_SHA_256, true) => &signature::ECDSA_P384_SHA256_ASN1,
        (ECDSA_WITH_SHA_384, true) => &signature::ECDSA_P384_SHA384_ASN1,
        (ECDSA_WITH_SHA_512, true) => &signature::ECDSA_P384_SHA512_ASN1,
        _ => return Err(BadSignature),
    };
    UnparsedPublicKey::new(algorithm, spki)
        .verify(message, signature)
        .map_err(|_| BadSignature)
}

/// Verifies SHA-1 with RSA, PKCS #1 v1.5: good for the proof that somebody has a key, and for nothing else.
pub(crate) fn verify_legacy_rsa(
    spki: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let algorithm = &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
    UnparsedPublicKey::new(algorithm, spki)
        .verify(message, signature)
        .map_err(|_| BadSignature)
}

/// The usual name of a signature algorithm taken by [`verify`], as OpenSSL and Java write it.
pub fn scheme_name(scheme: ObjectIdentifier) -> Option<&'static str> {
    Some(match scheme {
        SHA_256_WITH_RSA_ENCRYPTION => "SHA256withRSA",
        SHA_384_WITH_RSA_ENCRYPTION => "SHA384withRSA",
        SHA_512_WITH_RSA_ENCRYPTION => "SHA512withRSA",
        ECDSA_WITH_SHA_256 => "ecdsa-with-SHA256",
        ECDSA_WITH_SHA_384 => "ecdsa-with-SHA384",
        ECDSA_WITH_SHA_512 => "ecdsa-with-SHA512",
        _ => return None,
    })
}

/// SHA-256 of a text of octets.
pub fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, octets).as_ref());
    hash
}

/// The key identifier of a `SubjectPublicKeyInfo`: the first 160 bits of the SHA-256 of its key
/// (RFC 7093 §2, method 1).
pub fn key_id(spki: &[u8]) -> Result<[u8; 20], Malformed> {
    let spki = SubjectPublicKeyInfoRef::from_der(spki)?;
    let key = spki.subject_public_key.as_bytes().ok_or(Malformed)?;
    let mut id = [0; 20];
    id.copy_from_slice(&sha256(key)[..20]);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use der::asn1::UintRef;
    use num_bigint::BigUint;

    use super::*;
    use crate::keys::{KeyAlgorithm, SigningKey};

    fn rsa_key(modulus: &BigUint, exponent: &[u8]) -> Vec<u8> {
        let modulus = modulus.to_bytes_be();
        let key = RsaPublicKey {
            modulus: UintRef::new(&modulus).unwrap(),
            exponent: UintRef::new(exponent).unwrap(),
        };
        key.to_der().unwrap()
    }

    fn rsa_spki(modulus: &BigUint, exponent: &[u8]) -> Vec<u8> {
        write_spki(RSA_ENCRYPTION, AnyRef::NULL, &rsa_key(modulus, exponent)).unwrap()
    }

    /// The modulus of a good key.
    fn modulus() -> BigUint {
        let key = SigningKey::generate(KeyAlgorithm::Rsa2048).unwrap();
        let spki = key.spki_der();
        BigUint::from_bytes_be(&spki[spki.len() - 5 - 256..spki.len() - 5])
    }

    #[test]
    fn sizes_and_exponents_are_bounded() {
        let good = modulus();
        assert!(PublicKey::parse(&rsa_spki(&good, &[1, 0, 1])).is_ok());
        let refused = |modulus: &BigUint, exponent: &[u8]| {
            PublicKey::parse(&rsa_spki(modulus, exponent)).unwrap_err()
        };
        for exponent in [
            &[1][..],
            &[3],
            &[1, 0, 0],
            &[1, 0, 2],
            &[2, 0, 0, 0, 1],
            &[1; 32],
        ] {
            assert_eq!(refused(&good, exponent), KeyError::Exponent, "{exponent:?}");
        }
        let e = &[1, 0, 1];
        assert_eq!(
            refused(&(&good >> 1024_u32), e),
            KeyError::TooShort { bits: 1024 }
        );
        assert_eq!(
            refused(&(&good << 1_u32 | BigUint::from(1_u8)), e),
            KeyError::OddSize { bits: 2049 }
        );
        assert_eq!(
            refused(&(&good << 4096_u32), e),
            KeyError::TooLong { bits: 6144 }
        );
        assert_eq!(
            refused(&(&good >> 1024_u32), e).to_string(),
            "the key is RSA with 1024 bits; at least 2048 are needed"
        );
    }

    #[test]
    fn points_have_to_be_on_an_allowed_curve() {
        let key = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let mut spki = key.spki_der().to_vec();
        assert_eq!(PublicKey::parse(&spki).unwrap().spki_der, spki);
        let last = spki.len() - 1;
        spki[last] ^= 1;
        assert_eq!(PublicKey::parse(&spki), Err(KeyError::NotOnCurve));

        let with = |curve: ObjectIdentifier, point: &[u8]| {
            PublicKey::parse(&write_spki(ID_EC_PUBLIC_KEY, (&curve).into(), point).unwrap())
        };
        assert_eq!(with(SECP_521_R_1, &[4; 133]), Err(KeyError::Curve("P-521")));
        assert_eq!(with(SECP_256_R_1, &[2; 33]), Err(KeyError::CompressedPoint));
        assert_eq!(with(SECP_256_R_1, &[0]), Err(KeyError::NotOnCurve));
    }

    #[test]
    fn the_algorithm_is_written_in_the_octets_of_the_requirements() {
        for (algorithm, octets) in [
            (
                KeyAlgorithm::Rsa2048,
                &b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"[..],
            ),
            (
                KeyAlgorithm::P256,
                b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
            ),
            (
                KeyAlgorithm::P384,
                b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
            ),
        ] {
            let key = SigningKey::generate(algorithm).unwrap();
            let header = if algorithm == KeyAlgorithm::Rsa2048 { 4 } else { 2 };
            let written = &key.spki_der()[header..];
            assert!(written.starts_with(octets), "{algorithm}");
        }
    }

    #[test]
    fn other_kinds_of_key_are_named() {
        let ed25519 =
            b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert_eq!(
            PublicKey::parse(ed25519),
            Err(KeyError::Algorithm("Ed25519"))
        );
    }

    #[test]
    fn an_encoding_that_differs_is_written_anew() {
        // Without the NULL parameters that BR 7.1.3.1 wants.
        let modulus = modulus();
        let key = rsa_key(&modulus, &[1, 0, 1]);
        let spki = SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef {
                oid: RSA_ENCRYPTION,
                parameters: None,
            },
            subject_public_key: BitStringRef::from_bytes(&key).unwrap(),
        };
        let spki = spki.to_der().unwrap();
        assert_eq!(
            PublicKey::parse(&spki).unwrap().spki_der,
            rsa_spki(&modulus, &[1, 0, 1])
        );
    }
}
