//! Secrets at rest: one master key, under which everything else is sealed.
//!
//! The master key itself encrypts nothing: keys for sealing, and whatever [`MasterKey::derive`] is asked
//! for, are drawn from it by HKDF-SHA-256 under distinct contexts. Sealing is AES-256-GCM with a random
//! nonce; the context is bound as associated data, so a sealed secret opens only for the purpose and
//! owner it was sealed for. Where the master key is kept is the caller's business.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// First octet of everything sealed; the next format gets the next number.
const FORMAT: u8 = 1;

/// Why sealing or opening failed. Says nothing of the secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// Not 64 hexadecimal digits, nor base64 of 32 octets.
    #[error("the master key has to be 32 octets, as 64 hexadecimal digits or base64")]
    MasterKey,
    /// The operating system or the library failed.
    #[error("the cryptographic library failed")]
    Library,
    /// Not something sealed here.
    #[error("not a sealed secret, or of an unknown format")]
    Format,
    /// Another master key, another context, or altered octets.
    #[error("the sealed secret does not open: it was sealed under another key, or altered")]
    Refused,
}

/// How many different octets a key has at least. Of 32 random ones, fewer differ once in ten billion keys.
const DISTINCT_OCTETS: usize = 20;

/// How many different steps there are from octet to octet at least.
const DISTINCT_STEPS: usize = 12;

/// What shows that a key was not drawn at random.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Weakness {
    /// It is a pattern that is repeated.
    #[error("it repeats a pattern")]
    Repeats,
    /// Its octets follow each other by few steps, such as in counting.
    #[error("its bytes follow each other in a sequence")]
    Sequence,
    /// It is a text, such as a password, or digits.
    #[error("it is a text and no random bytes")]
    Text,
    /// It has few different octets.
    #[error("it has few different bytes")]
    FewOctets,
}

/// The key from which all others are drawn.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Draws a new one.
    pub fn generate() -> Result<Self, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut()).map_err(|_| SealError::Library)?;
        Ok(Self(key))
    }

    /// Takes 32 octets as they are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads 64 hexadecimal digits, or base64 (standard or for URLs), spaces around it allowed.
    pub fn from_text(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let octets = if text.len() == 64 {
            Zeroizing::new(decode_hex(text).ok_or(SealError::MasterKey)?)
        } else {
            let unpadded = text.trim_end_matches('=');
            let decoded = STANDARD
                .decode(text)
                .or_else(|_| URL_SAFE_NO_PAD.decode(unpadded));
            Zeroizing::new(decoded.map_err(|_| SealError::MasterKey)?)
        };
        let mut key = Zeroizing::new([0; 32]);
        if octets.len() != key.len() {
            return Err(SealError::MasterKey);
        }
        key.copy_from_slice(&octets);
        Ok(Self(key))
    }

    /// The key as 64 hexadecimal digits, for the file it is kept in.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        for octet in self.0.iter() {
            for digit in [octet >> 4, octet & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        text
    }

    /// A name for the key that tells it from others and says nothing of it: 16 hexadecimal digits.
    pub fn id(&self) -> String {
        let id = self.expand(&[b"chancery key id v1"]);
        id.iter()
            .take(8)
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }

    /// Why a key cannot have come from a random source; `None` for one that may have. Refuses no random key but
    /// one in billions.
    pub fn weakness(&self) -> Option<Weakness> {
        let key = &*self.0;
        let distinct =
            |octets: &mut dyn Iterator<Item = u8>| octets.collect::<BTreeSet<u8>>().len();
        let mut steps = key.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
        let repeats = |period: usize| key[period..].iter().eq(&key[..key.len() - period]);
        match () {
            () if (1..=key.len() / 2).any(repeats) => Some(Weakness::Repeats),
            () if distinct(&mut steps) < DISTINCT_STEPS => Some(Weakness::Sequence),
            () if key.iter().all(|octet| (b' '..=b'~').contains(octet)) => Some(Weakness::Text),
            () if distinct(&mut key.iter().copied()) < DISTINCT_OCTETS => Some(Weakness::FewOctets),
            () => None,
        }
    }

    /// A key for one purpose, always the same for the same context.
    pub fn derive(&self, context: &str) -> Zeroizing<[u8; 32]> {
        self.expand(&[b"chancery derived key v1", context.as_bytes()])
    }

    /// Encrypts a secret for one context, for example `ca/issuing`.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut secret = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
        secret.extend_from_slice(plain);
        let nonce = self
            .sealing_key()?
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut *secret)
            .map_err(|_| SealError::Library)?;
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&secret);
        Ok(sealed)
    }

    /// Decrypts what [`MasterKey::seal`] made for the same context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, secret) = match sealed.split_first() {
            Some((&FORMAT, rest)) if rest.len() > NONCE_LEN => rest.split_at(NONCE_LEN),
            _ => return Err(SealError::Format),
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Format)?;
        let mut secret = Zeroizing::new(secret.to_vec());
        let length = self
            .sealing_key()?
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut secret)
            .map_err(|_| SealError::Refused)?
            .len();
        secret.truncate(length);
        Ok(secret)
    }

    fn sealing_key(&self) -> Result<RandomizedNonceKey, SealError> {
        let key = self.expand(&[b"chancery sealing key v1"]);
        RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| SealError::Library)
    }

    fn expand(&self, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, &[])
            .extract(self.0.as_ref())
            .expand(info, HKDF_SHA256)
            .and_then(|expanded| expanded.fill(key.as_mut()))
            .expect("HKDF-SHA-256 yields 32 octets");
        key
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    Some(
        Zeroizing::new(digits?)
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_opens_only_for_its_key_and_context() {
        let key = MasterKey::generate().unwrap();
        let sealed = key.seal("ca/root", b"secret").unwrap();
        assert_eq!(*key.open("ca/root", &sealed).unwrap(), b"secret");
        assert_eq!(key.open("ca/issuing", &sealed), Err(SealError::Refused));
        let other = MasterKey::generate().unwrap();
        assert_eq!(other.open("ca/root", &sealed), Err(SealError::Refused));
        assert_ne!(key.seal("ca/root", b"secret").unwrap(), sealed);
    }

    #[test]
    fn the_text_form_reads_back() {
        let key = MasterKey::generate().unwrap();
        let text = key.to_text();
        assert_eq!(
            MasterKey::from_text(&format!(" {}\n", *text)).unwrap().0,
            key.0
        );
        for base64 in [STANDARD.encode(*key.0), URL_SAFE_NO_PAD.encode(*key.0)] {
            assert_eq!(MasterKey::from_text(&base64).unwrap().0, key.0);
        }
        for bad in ["", "abcd", &"zz".repeat(32), &"é".repeat(32)] {
            assert!(MasterKey::from_text(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{key:?}"), "MasterKey(..)");
    }

    #[test]
    fn keys_that_nobody_drew_at_random_are_told() {
        let weak = |bytes: [u8; 32]| MasterKey::from_bytes(bytes).weakness();
        let counted: [u8; 32] = std::array::from_fn(|at| at as u8);
        let by_threes: [u8; 32] = std::array::from_fn(|at| 250_u8.wrapping_sub(3 * at as u8));
        let pattern: [u8; 32] = std::array::from_fn(|at| 0x11 * (at % 16) as u8);
        let half: [u8; 32] = std::array::from_fn(|at| {
            if at < 16 {
                0
            } else {
                37_u8.wrapping_mul(at as u8)
            }
        });
        let nearly: [u8; 32] = std::array::from_fn(|at| if at == 17 { 9 } else { 90 });
        for (key, found) in [
            ([0; 32], Weakness::Repeats),
            ([0x5a; 32], Weakness::Repeats),
            (pattern, Weakness::Repeats),
            (counted, Weakness::Sequence),
            (by_threes, Weakness::Sequence),
            (nearly, Weakness::Sequence),
            (*b"correct horse battery staple 123", Weakness::Text),
            (*b"0f1e2d3c4b5a69788796a5b4c3d2e1f0", Weakness::Text),
        ] {
            assert_eq!(weak(key), Some(found), "{key:?}");
        }
        assert!(weak(half).is_some());
    }

    #[test]
    fn drawn_keys_are_taken_and_have_ids_of_their_own() {
        let keys: Vec<MasterKey> = (0..500).map(|_| MasterKey::generate().unwrap()).collect();
        assert!(keys.iter().all(|key| key.weakness().is_none()));
        let ids: BTreeSet<String> = keys.iter().map(MasterKey::id).collect();
        assert_eq!(ids.len(), keys.len());
        assert_eq!(keys[0].id().len(), 16);
        assert!(!keys[0].to_text().contains(&keys[0].id()));
    }

    #[test]
    fn derived_keys_differ_by_context_and_stay_the_same() {
        let key = MasterKey::from_bytes([7; 32]);
        assert_eq!(key.derive("tokens"), key.derive("tokens"));
        assert_ne!(key.derive("tokens"), key.derive("links"));
    }

    proptest! {
        #[test]
        fn altered_octets_never_open(at in 0_usize..64, flip in 1_u8..) {
            let key = MasterKey::from_bytes([1; 32]);
            let mut sealed = key.seal("x", &[0; 35]).unwrap();
            prop_assert_eq!(sealed.len(), 64);
            sealed[at] ^= flip;
            prop_assert!(key.open("x", &sealed).is_err());
            prop_assert!(key.open("x", &sealed[..at]).is_err());
        }
    }
}
