//! The cipher suites of yesterday's web servers, for redirects only: ECDHE with AES-CBC (RFC 4492, RFC 5289).
//!
//! IIS 8.5 and older offer these beside suites that nothing modern speaks, and no AES-GCM with ECDHE and an RSA
//! certificate, so without them a redirect to https ends at every such server. AES-CBC, the MAC and the key schedule are
//! those of aws-lc-rs; here is only the form of a record (RFC 5246 §6.2.3.2). What is known against the form, telling
//! the padding by the time its check takes, needs a secret that is sent again and again and a peer one trusts. A look
//! sends no secret, trusts nobody over TLS, and makes one request to a connection; nothing else may use these suites.
//!
//! rustls hands a suite its key block in the order of AEAD suites: keys, then fixed IVs. A CBC suite has MAC keys, then
//! encryption keys in the very same order, and its IVs are in the records.

use std::sync::LazyLock;

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls12AeadAlgorithm, UnsupportedOperationError, make_tls12_aad,
};
use rustls::{
    CipherSuite, CipherSuiteCommon, ConnectionTrafficSecrets, Error, SupportedCipherSuite,
    Tls12CipherSuite,
};

/// The length of a block of AES, and of an IV.
const BLOCK: usize = 16;

/// The longest content of a record (RFC 5246 §6.2.1).
const RECORD_LIMIT: usize = 16 * 1024;

/// The suites, best first.
pub(crate) static SUITES: LazyLock<Vec<SupportedCipherSuite>> = LazyLock::new(|| {
    [
        (
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
            &AES_128_SHA256,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
            &AES_128_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
            &AES_256_SHA1,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
            &AES_256_SHA1,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
            &AES_128_SHA1,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
            &AES_128_SHA1,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ),
    ]
    .into_iter()
    .filter_map(|(suite, cipher, like)| suite_like(suite, cipher, like))
    .collect()
});

/// A suite with the key exchange, the certificates and the key schedule (SHA-256) of another.
fn suite_like(
    suite: CipherSuite,
    cipher: &'static CbcCipher,
    like: SupportedCipherSuite,
) -> Option<SupportedCipherSuite> {
    let SupportedCipherSuite::Tls12(like) = like else {
        return None;
    };
    let made = Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite,
            hash_provider: like.common.hash_provider,
            confidentiality_limit: 1 << 20,
        },
        prf_provider: like.prf_provider,
        kx: like.kx,
        sign: like.sign,
        aead_alg: cipher,
    };
    Some(SupportedCipherSuite::Tls12(Box::leak(Box::new(made))))
}

struct CbcCipher {
    cipher: &'static Algorithm,
    key_length: usize,
    mac: hmac::Algorithm,
    mac_length: usize,
}

static AES_128_SHA256: CbcCipher = CbcCipher {
    cipher: &AES_128,
    key_length: 16,
    mac: hmac::HMAC_SHA256,
    mac_length: 32,
};

static AES_128_SHA1: CbcCipher = CbcCipher {
    cipher: &AES_128,
    key_length: 16,
    mac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    mac_length: 20,
};

static AES_256_SHA1: CbcCipher = CbcCipher {
    cipher: &AES_256,
    key_length: 32,
    mac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    mac_length: 20,
};

impl Tls12AeadAlgorithm for CbcCipher {
    fn encrypter(&self, mac_key: AeadKey, key: &[u8], _extra: &[u8]) -> Box<dyn MessageEncrypter> {
        let key = UnboundCipherKey::new(self.cipher, key).and_then(EncryptingKey::cbc);
        Box::new(Encrypter {
            key: key.expect("invariant: the key block has the shape that was asked for"),
            mac: hmac::Key::new(self.mac, mac_key.as_ref()),
            mac_length: self.mac_length,
        })
    }

    fn decrypter(&self, mac_key: AeadKey, key: &[u8]) -> Box<dyn MessageDecrypter> {
        let key = UnboundCipherKey::new(self.cipher, key).and_then(DecryptingKey::cbc);
        Box::new(Decrypter {
            key: key.expect("invariant: the key block has the shape that was asked for"),
            mac: hmac::Key::new(self.mac, mac_key.as_ref()),
            mac_length: self.mac_length,
        })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.mac_length,
            fixed_iv_len: self.key_length,
            explicit_nonce_len: 0,
        }
    }

    fn extract_keys(
        &self,
        _key: AeadKey,
        _iv: &[u8],
        _explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

struct Encrypter {
    key: EncryptingKey,
    mac: hmac::Key,
    mac_length: usize,
}

impl Encrypter {
    /// How much padding brings content and MAC to whole blocks; 1 to 16, its length octet included.
    fn padding(&self, length: usize) -> usize {
        BLOCK - (length + self.mac_length) % BLOCK
    }
}

impl MessageEncrypter for Encrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let OutboundPlainMessage {
            typ,
            version,
            payload: content,
        } = message;
        let length = content.len();
        let mut record = content.to_vec();
        let header = make_tls12_aad(sequence, typ, version, length);
        record.extend_from_slice(tag(&self.mac, &header, &record).as_ref());
        let padding = self.padding(length);
        let filler = u8::try_from(padding - 1).map_err(|_| Error::EncryptError)?;
        record.resize(record.len() + padding, filler);
        let context = self
            .key
            .encrypt(&mut record)
            .map_err(|_| Error::EncryptError)?;
        let iv: &[u8] = (&context).try_into().map_err(|_| Error::EncryptError)?;
        let mut payload = PrefixedPayload::with_capacity(iv.len() + record.len());
        payload.extend_from_slice(iv);
        payload.extend_from_slice(&record);
        Ok(OutboundOpaqueMessage::new(typ, version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        BLOCK + length + self.mac_length + self.padding(length)
    }
}

struct Decrypter {
    key: DecryptingKey,
    mac: hmac::Key,
    mac_length: usize,
}

impl MessageDecrypter for Decrypter {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let (typ, version) = (message.typ, message.version);
        let payload = &mut message.payload;
        let (iv, record) = payload
            .split_at_mut_checked(BLOCK)
            .ok_or(Error::DecryptError)?;
        let iv = FixedLength::<BLOCK>::try_from(&*iv).map_err(|_| Error::DecryptError)?;
        let record = (self.key)
            .decrypt(record, DecryptionContext::Iv128(iv))
            .map_err(|_| Error::DecryptError)?;
        // One error for whatever is wrong, padding or MAC.
        let padding = usize::from(*record.last().ok_or(Error::DecryptError)?) + 1;
        let length = record.len().checked_sub(padding + self.mac_length);
        let length = length.ok_or(Error::DecryptError)?;
        let (content, rest) = record.split_at(length);
        let (told, filler) = rest.split_at(self.mac_length);
        let is_padded = filler
            .iter()
            .all(|octet| usize::from(*octet) + 1 == padding);
        let header = make_tls12_aad(sequence, typ, version, length);
        let is_right =
            verify_slices_are_equal(tag(&self.mac, &header, content).as_ref(), told).is_ok();
        if !(is_padded && is_right) {
            return Err(Error::DecryptError);
        }
        if length > RECORD_LIMIT {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok(message.into_plain_message_range(BLOCK..BLOCK + length))
    }
}

fn tag(key: &hmac::Key, header: &[u8], content: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(header);
    context.update(content);
    context.sign()
}
