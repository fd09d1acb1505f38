//! Signed messages in the flattened JSON form of JWS (RFC 7515 §7.2.2), as RFC 8555 §6.2 restricts it.
//!
//! A [`Jws`] is read before anything is believed: only [`Jws::verify`] says by whose key it is signed.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use der::Decode;
use serde_json::{Map, Value};
use spki::SubjectPublicKeyInfoRef;

use crate::public_keys::{KeyKind, PublicKey};
use crate::structures::RsaPublicKey;

/// The algorithms that a message may be signed with (RFC 7518 §3.1).
pub const ALGORITHMS: [&str; 4] = ["RS256", "ES256", "ES384", "ES512"];

/// A message, not believed yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Jws {
    /// What is signed.
    pub payload: Vec<u8>,
    algorithm: String,
    jwk: Option<Map<String, Value>>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// Why a message is not taken, in words for the one who sent it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JwsError {
    /// Not the structure.
    #[error("{0}")]
    Malformed(&'static str),
    /// An algorithm that is not taken.
    #[error("the algorithm has to be one of {}", ALGORITHMS.join(", "))]
    Algorithm,
    /// An algorithm that is taken, but not with this kind of key.
    #[error("the algorithm {0} does not fit the key, which is {1}")]
    OtherKind(String, String),
    /// A JWK that is not the key.
    #[error("the jwk in the protected header is another key")]
    OtherKey,
    /// Not signed by the key.
    #[error("the signature is not by the key")]
    Signature,
}

impl Jws {
    /// Reads a message. Never panics.
    pub fn parse(message: &Map<String, Value>) -> Result<Self, JwsError> {
        if message.contains_key("header") {
            return Err(JwsError::Malformed("an unprotected header is not taken"));
        }
        if message.contains_key("signatures") {
            return Err(JwsError::Malformed("there has to be one signature"));
        }
        let part = |name: &str, fault: &'static str| {
            let text = message.get(name).and_then(Value::as_str);
            let text = text.ok_or(JwsError::Malformed(fault))?;
            let octets = URL_SAFE_NO_PAD.decode(text);
            Ok((text, octets.map_err(|_| JwsError::Malformed(fault))?))
        };
        let (protected_text, protected) =
            part("protected", "'protected' has to be a header in base64url")?;
        let (payload_text, payload) = part("payload", "'payload' has to be base64url")?;
        let (_, signature) = part("signature", "'signature' has to be base64url")?;
        let header = serde_json::from_slice(&protected);
        let Ok(Value::Object(mut header)) = header else {
            return Err(JwsError::Malformed("'protected' has to be a JSON object"));
        };
        if header.contains_key("crit") {
            return Err(JwsError::Malformed(
                "no critical header parameter is understood",
            ));
        }
        if header.contains_key("kid") {
            return Err(JwsError::Malformed(
                "there are no accounts: send 'jwk', or neither",
            ));
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) if ALGORITHMS.contains(&&name[..]) => name.clone(),
            _ => return Err(JwsError::Algorithm),
        };
        let jwk = match header.remove("jwk") {
            None | Some(Value::Null) => None,
            Some(Value::Object(jwk)) if jwk.contains_key("d") => {
                return Err(JwsError::Malformed(
                    "the jwk holds a private key: send its public half only",
                ));
            }
            Some(Value::Object(jwk)) => Some(jwk),
            Some(_) => return Err(JwsError::Malformed("'jwk' has to be a JSON object")),
        };
        Ok(Self {
            payload,
            algorithm,
            jwk,
            signed: [protected_text.as_bytes(), b".", payload_text.as_bytes()].concat(),
            signature,
        })
    }

    /// Verifies that the message is signed by the key in `spki`.
    pub fn verify(&self, spki: &[u8]) -> Result<(), JwsError> {
        let key = PublicKey::parse(spki).map_err(|_| JwsError::OtherKey)?;
        if let Some(jwk) = &self.jwk
            && !is_key(jwk, &key)
        {
            return Err(JwsError::OtherKey);
        }
        let algorithm: &'static dyn VerificationAlgorithm = match (&self.algorithm[..], key.kind) {
            ("RS256", KeyKind::Rsa) => &signature::RSA_PKCS1_2048_8192_SHA256,
            ("ES256", KeyKind::P256) => &signature::ECDSA_P256_SHA256_FIXED,
            ("ES384", KeyKind::P384) => &signature::ECDSA_P384_SHA384_FIXED,
            (name, _) => return Err(JwsError::OtherKind(name.to_owned(), key.to_string())),
        };
        UnparsedPublicKey::new(algorithm, &key.spki_der)
            .verify(&self.signed, &self.signature)
            .map_err(|_| JwsError::Signature)
    }
}

/// Reads base64url without padding (RFC 7515 §2); `None` for anything else.
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Whether a JWK (RFC 7518 §6) is this key.
fn is_key(jwk: &Map<String, Value>, key: &PublicKey) -> bool {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let number = |name: &str| {
        let octets = URL_SAFE_NO_PAD.decode(text(name)?).ok()?;
        let first = octets.iter().position(|octet| *octet != 0)?;
        Some(octets[first..].to_vec())
    };
    let Ok(spki) = SubjectPublicKeyInfoRef::from_der(&key.spki_der) else {
        return false;
    };
    let Some(octets) = spki.subject_public_key.as_bytes() else {
        return false;
    };
    let curve = match key.kind {
        KeyKind::Rsa => {
            let Ok(rsa) = RsaPublicKey::from_der(octets) else {
                return false;
            };
            return text("kty") == Some("RSA")
                && number("n").as_deref() == Some(rsa.modulus.as_bytes())
                && number("e").as_deref() == Some(rsa.exponent.as_bytes());
        }
        KeyKind::P256 => "P-256",
        KeyKind::P384 => "P-384",
    };
    // An uncompressed point: 4, x, y. Coordinates have the length of the field (RFC 7518 §6.2.1.2).
    let half = octets.len() / 2;
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    text("kty") == Some("EC")
        && text("crv") == Some(curve)
        && coordinate("x").as_deref() == octets.get(1..=half)
        && coordinate("y").as_deref() == octets.get(half + 1..)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        RSA_PKCS1_SHA256, RsaKeyPair,
    };
    use aws_lc_rs::{encoding::AsDer, encoding::PublicKeyX509Der, rsa::KeySize};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(header: &Value, payload: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>) -> Value {
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let signature = sign(format!("{protected}.{payload}").as_bytes());
        json!({
            "protected": protected,
            "payload": payload,
            "signature": URL_SAFE_NO_PAD.encode(signature),
        })
    }

    fn parse(message: &Value) -> Result<Jws, JwsError> {
        Jws::parse(message.as_object().unwrap())
    }

    fn p256() -> (EcdsaKeyPair, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let spki = spki.as_ref().to_vec();
        (pair, spki)
    }

    fn ecdsa(pair: &EcdsaKeyPair) -> impl Fn(&[u8]) -> Vec<u8> {
        |octets| {
            pair.sign(&SystemRandom::new(), octets)
                .unwrap()
                .as_ref()
                .to_vec()
        }
    }

    fn point_jwk(curve: &str, point: &[u8]) -> Value {
        let (x, y) = point[1..].split_at(point.len() / 2);
        let [x, y] = [x, y].map(|octets| URL_SAFE_NO_PAD.encode(octets));
        json!({ "kty": "EC", "crv": curve, "x": x, "y": y })
    }

    #[test]
    fn a_message_is_by_its_key_and_no_other() {
        let (pair, spki) = p256();
        let jwk = point_jwk("P-256", pair.public_key().as_ref());
        for header in [
            json!({ "alg": "ES256" }),
            json!({ "alg": "ES256", "jwk": jwk }),
        ] {
            let jws = parse(&message(&header, b"x", ecdsa(&pair))).unwrap();
            assert_eq!(jws.payload, b"x");
            assert_eq!(jws.verify(&spki), Ok(()));
            let (_, other) = p256();
            let refused = jws.verify(&other).unwrap_err();
            assert!(
                matches!(refused, JwsError::Signature | JwsError::OtherKey),
                "{refused}"
            );
        }
        let (stranger, _) = p256();
        let foreign =
            json!({ "alg": "ES256", "jwk": point_jwk("P-256", stranger.public_key().as_ref()) });
        let jws = parse(&message(&foreign, b"x", ecdsa(&pair))).unwrap();
        assert_eq!(jws.verify(&spki), Err(JwsError::OtherKey));
    }

    #[test]
    fn every_kind_of_key_signs_with_its_algorithm() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let header =
            json!({ "alg": "ES384", "jwk": point_jwk("P-384", pair.public_key().as_ref()) });
        let jws = parse(&message(&header, b"x", ecdsa(&pair))).unwrap();
        assert_eq!(jws.verify(spki.as_ref()), Ok(()));
        let other = parse(&message(&json!({ "alg": "ES256" }), b"x", ecdsa(&pair))).unwrap();
        assert!(matches!(
            other.verify(spki.as_ref()),
            Err(JwsError::OtherKind(..))
        ));

        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = SubjectPublicKeyInfoRef::from_der(spki.as_ref()).unwrap();
        let key = RsaPublicKey::from_der(key.subject_public_key.raw_bytes()).unwrap();
        let jwk = json!({
            "kty": "RSA",
            "n": URL_SAFE_NO_PAD.encode(key.modulus.as_bytes()),
            "e": URL_SAFE_NO_PAD.encode(key.exponent.as_bytes()),
        });
        let sign = |octets: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                octets,
                &mut signature,
            )
            .unwrap();
            signature
        };
        let jws = parse(&message(&json!({ "alg": "RS256", "jwk": jwk }), b"x", sign)).unwrap();
        assert_eq!(jws.verify(spki.as_ref()), Ok(()));
    }

    #[test]
    fn what_could_be_believed_wrongly_is_refused() {
        let (pair, _) = p256();
        let of = |header: Value| parse(&message(&header, b"x", ecdsa(&pair))).unwrap_err();
        for algorithm in ["none", "HS256", "es256", ""] {
            assert_eq!(of(json!({ "alg": algorithm })), JwsError::Algorithm);
        }
        assert_eq!(of(json!({})), JwsError::Algorithm);
        for header in [
            json!({ "alg": "ES256", "crit": ["b64"], "b64": false }),
            json!({ "alg": "ES256", "kid": "https://ca.example/acct/1" }),
            json!({ "alg": "ES256", "jwk": { "kty": "EC", "d": "AQ" } }),
            json!({ "alg": "ES256", "jwk": "x" }),
        ] {
            assert!(
                matches!(of(header.clone()), JwsError::Malformed(_)),
                "{header}"
            );
        }
        let good = message(&json!({ "alg": "ES256" }), b"x", ecdsa(&pair));
        for (name, value) in [
            ("header", json!({})),
            ("signatures", json!([])),
            ("payload", json!("a=")),
            ("payload", json!(5)),
            ("protected", json!("W10")),
            ("signature", Value::Null),
        ] {
            let mut broken = good.clone();
            broken[name] = value;
            assert!(
                matches!(parse(&broken), Err(JwsError::Malformed(_))),
                "{name}"
            );
        }
        let mut moved = good.clone();
        moved["payload"] = json!(URL_SAFE_NO_PAD.encode("y"));
        let (_, spki) = (0, pair.public_key().as_der().unwrap());
        let spki: PublicKeyX509Der<'_> = spki;
        assert_eq!(
            parse(&moved).unwrap().verify(spki.as_ref()),
            Err(JwsError::Signature)
        );
    }

    proptest! {
        #[test]
        fn reading_never_panics(
            protected in ".{0,40}", payload in "[A-Za-z0-9_-]{0,40}", signature in "[A-Za-z0-9_-]{0,90}",
        ) {
            let (_, spki) = p256();
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
            for protected in [protected, header] {
                let message = json!({ "protected": protected, "payload": payload, "signature": signature });
                if let Ok(jws) = parse(&message) {
                    prop_assert!(jws.verify(&spki).is_err());
                }
            }
        }
    }
}
