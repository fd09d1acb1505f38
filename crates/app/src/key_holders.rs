//! Revocation by whoever holds a certificate's private key, without an account: a message signed with the key, or a CSR
//! made for the purpose.
//!
//! An ordinary CSR proves nothing: others have seen it, the reseller and whoever passed it on among them. What is sent here
//! may be sent again by anyone who sees it, and then changes nothing.

use std::net::IpAddr;

use chancery_domain::Timestamp;
use chancery_domain::certificates::{CertificateId, CertificateLine, parse_serial, serial_hex};
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_pki::certificate::{CertificateInfo, Signed};
use chancery_pki::csr::{Csr, CsrError};
use chancery_pki::jws::{Jws, JwsError};
use chancery_pki::public_keys::sha256;
use chancery_store::certificates::CertificateFilter;
use chancery_store::lost_certificates::{LostCertificate, LostFilter};
use serde_json::{Map, Value};

use crate::revocations::{Revoker, reason_names};
use crate::{App, AppError};

/// What the common name of a CSR made for the purpose begins with.
const PURPOSE: &str = "revoke";

/// How many calls an address may make in a minute.
pub(crate) const CALLS_PER_MINUTE: u32 = 30;

/// Certificates with one serial: one for each issuing CA at the most.
const ISSUERS_MAX: i64 = 1000;

/// What is sent as a proof, as it came.
#[derive(Clone, Debug)]
pub enum KeyProof {
    /// A JWS in the flattened JSON form.
    Jws(Map<String, Value>),
    /// A CSR, PEM.
    Csr(String),
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct KeyHolderReport {
    /// The certificate's serial number.
    pub serial: Vec<u8>,
    /// Its last second.
    pub not_after: Timestamp,
    /// That it is revoked, by this call or before; one that has ended is not revoked any more.
    pub revocation: Option<Revocation>,
    /// Whether its key is blocked.
    pub is_key_blocked: bool,
}

/// A certificate that a proof is for.
enum Proved {
    /// One that the database has.
    Held(Box<CertificateLine>),
    /// One that a restored backup did not have.
    Lost(Box<LostCertificate>),
}

/// Why nothing is revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyHolderError {
    /// Not a proof that can be read.
    #[error("{0}")]
    Malformed(String),
    /// The certificate is none of ours.
    #[error("there is no such certificate here")]
    UnknownCertificate,
    /// Not signed by the certificate's key.
    #[error("{0}")]
    NotProved(String),
    /// Signed by an algorithm that is not taken.
    #[error("{0}")]
    Algorithm(String),
    /// No reason that may be given.
    #[error("the reason has to be one of {}", .0.join(", "))]
    Reason(Vec<String>),
    /// Too many calls from the address.
    #[error("too many requests; again in {0} seconds")]
    TooMany(u64),
    /// Something else.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<chancery_store::StoreError> for KeyHolderError {
    fn from(error: chancery_store::StoreError) -> Self {
        Self::App(error.into())
    }
}

impl From<JwsError> for KeyHolderError {
    fn from(error: JwsError) -> Self {
        let text = error.to_string();
        match error {
            JwsError::Malformed(_) => Self::Malformed(text),
            JwsError::Algorithm | JwsError::OtherKind(..) => Self::Algorithm(text),
            JwsError::OtherKey | JwsError::Signature => Self::NotProved(text),
        }
    }
}

impl App {
    /// Revokes the certificate that a proof names, if its key made the proof. With *keyCompromise* the key is blocked, and
    /// all certificates with it are revoked. One that is revoked already is answered as done.
    pub async fn revoke_by_key(
        &self,
        proof: KeyProof,
        address: IpAddr,
    ) -> Result<KeyHolderReport, KeyHolderError> {
        let now = self.clock.now();
        let calls = &self.0.key_holders;
        if let Some(until) = calls.held_until("", address, now) {
            let seconds = until.duration_since(now).as_secs().unsigned_abs();
            return Err(KeyHolderError::TooMany(seconds.max(1)));
        }
        calls.count("", address, now);
        let (proved, spki_sha256, reason) = match proof {
            KeyProof::Jws(message) => self.proved_by_jws(&message).await?,
            KeyProof::Csr(text) => self.proved_by_csr(text).await?,
        };
        let by = Requester::KeyHolder;
        if reason.blocks_key() {
            let serial = match &proved {
                Proved::Held(line) => &line.serial,
                Proved::Lost(lost) => &lost.serial,
            };
            let note = format!("shown with certificate {}", serial_hex(serial));
            self.keys()
                .block(&spki_sha256, &by, Some(note), now)
                .await?;
        }
        let revoker = Revoker {
            store: &self.store,
            clock: &self.clock,
            by,
            reason,
            asked_at: now,
            dated: None,
        };
        let (serial, not_after, revocation) = match proved {
            Proved::Held(line) => {
                let outcome = revoker.revoke(line.id).await?;
                let line = outcome.certificate().clone();
                (line.serial, line.validity.not_after, line.revocation)
            }
            Proved::Lost(lost) if lost.not_after < now => (lost.serial, lost.not_after, None),
            Proved::Lost(lost) => {
                let (lost, _) = revoker.revoke_lost(&lost).await?;
                (lost.serial, lost.not_after, lost.revocation)
            }
        };
        self.wake_worker();
        let blocked = self.store.blocked_key(&spki_sha256).await?;
        Ok(KeyHolderReport {
            serial,
            not_after,
            revocation,
            is_key_blocked: blocked.is_some(),
        })
    }

    /// The payload is the certificate and the reason, as of RFC 8555 §7.6.
    async fn proved_by_jws(
        &self,
        message: &Map<String, Value>,
    ) -> Result<(Proved, Vec<u8>, RevocationReason), KeyHolderError> {
        let jws = Jws::parse(message)?;
        let malformed = |text: &str| KeyHolderError::Malformed(text.to_owned());
        let payload: Value = serde_json::from_slice(&jws.payload)
            .map_err(|_| malformed("the payload has to be a JSON object"))?;
        let der = payload["certificate"]
            .as_str()
            .and_then(chancery_pki::jws::base64url);
        let der = der
            .ok_or_else(|| malformed("'certificate' has to be a certificate, DER in base64url"))?;
        let info = CertificateInfo::parse(&der);
        let info = info.map_err(|_| malformed("'certificate' is not a certificate"))?;
        let reason = match &payload["reason"] {
            Value::Null => Some(RevocationReason::Unspecified),
            Value::String(text) => RevocationReason::parse(text),
            other => RevocationReason::parse(&other.to_string()),
        };
        let serial = parse_serial(&serial_hex(&info.serial));
        let serial = serial.ok_or(KeyHolderError::UnknownCertificate)?;
        let key = sha256(&info.spki_der).to_vec();
        for line in self.of_serial(serial.clone()).await? {
            let held = self.store.certificate(line.id).await?;
            if held.is_some_and(|held| held.der() == Some(&der[..])) {
                jws.verify(&info.spki_der)?;
                return Ok((Proved::Held(Box::new(line)), key, checked(reason)?));
            }
        }
        for lost in self.lost_of_serial(serial).await? {
            // Its bytes are not on record; that they are its own shows by the signature of its issuer.
            if self.is_signed_by(&der, &lost.issuer).await? {
                jws.verify(&info.spki_der)?;
                return Ok((Proved::Lost(Box::new(lost)), key, checked(reason)?));
            }
        }
        Err(KeyHolderError::UnknownCertificate)
    }

    async fn is_signed_by(&self, der: &[u8], issuer: &str) -> Result<bool, KeyHolderError> {
        let Some(ca) = self.issuing_ca_of(issuer).await? else {
            return Ok(false);
        };
        let info = CertificateInfo::parse(ca.issuing_certificate_der());
        let info = info.map_err(AppError::internal)?;
        let signed = Signed::parse(der).ok();
        Ok(signed.is_some_and(|signed| signed.verify(&info.spki_der).is_ok()))
    }

    /// The common name is `revoke SERIAL`, and may go on with a reason. Who makes such a CSR holds the key and no
    /// account, and is taken at the worst: without a reason the key is compromised.
    async fn proved_by_csr(
        &self,
        text: String,
    ) -> Result<(Proved, Vec<u8>, RevocationReason), KeyHolderError> {
        let csr = self.compute(move || Csr::parse(&text)).await?;
        let csr = csr.map_err(|error| match error {
            CsrError::SignatureAlgorithm(_) => KeyHolderError::Algorithm(error.to_string()),
            CsrError::Signature => KeyHolderError::NotProved(error.to_string()),
            other => KeyHolderError::Malformed(other.to_string()),
        })?;
        let is_strong = ["SHA256", "SHA384", "SHA512"]
            .iter()
            .any(|hash| csr.signature_algorithm.contains(hash));
        if !is_strong {
            let text = "the CSR has to be signed with SHA-256, SHA-384 or SHA-512";
            return Err(KeyHolderError::Algorithm(text.to_owned()));
        }
        let common_name = csr.common_name.as_deref().unwrap_or_default();
        let Some((serial, reason)) = purpose(common_name) else {
            let text = "the CSR is not made for this: its common name has to be 'revoke SERIAL', with the serial number in \
                        hexadecimal, signed with the certificate's key";
            return Err(KeyHolderError::Malformed(text.to_owned()));
        };
        let found = self.of_serial(serial.clone()).await?;
        let mut lost = self.lost_of_serial(serial).await?;
        lost.retain(|lost| lost.spki_sha256.is_some());
        if found.is_empty() && lost.is_empty() {
            return Err(KeyHolderError::UnknownCertificate);
        }
        let key = &csr.spki_sha256;
        let mut found = found.into_iter();
        let line = found.find(|line| line.spki_sha256 == *key);
        let mut lost = lost.into_iter();
        let lost = lost.find(|lost| lost.spki_sha256.as_deref() == Some(&key[..]));
        let line = line.map(|line| Proved::Held(Box::new(line)));
        let Some(proved) = line.or(lost.map(|lost| Proved::Lost(Box::new(lost)))) else {
            let text = "the CSR is not signed with the key of that certificate";
            return Err(KeyHolderError::NotProved(text.to_owned()));
        };
        Ok((proved, key.to_vec(), checked(reason)?))
    }

    /// The lost certificates with a serial number, those that have ended among them.
    async fn lost_of_serial(
        &self,
        serial: Vec<u8>,
    ) -> Result<Vec<LostCertificate>, KeyHolderError> {
        let filter = LostFilter::Serial(serial);
        let found = self.store.lost_certificates(&filter, Timestamp::UNIX_EPOCH);
        Ok(found.await?)
    }

    async fn of_serial(&self, serial: Vec<u8>) -> Result<Vec<CertificateLine>, KeyHolderError> {
        let filter = CertificateFilter::Serial(serial);
        let found = self
            .store
            .certificate_lines(&filter, CertificateId(0), ISSUERS_MAX);
        Ok(found.await?)
    }
}

/// The reason, if somebody with the key may give it.
fn checked(reason: Option<RevocationReason>) -> Result<RevocationReason, KeyHolderError> {
    let by = Requester::KeyHolder;
    let reason = reason.filter(|reason| by.reasons().contains(reason));
    reason.ok_or_else(|| KeyHolderError::Reason(reason_names(&by)))
}

/// The serial in the common name of a CSR made for the purpose, and the reason; none, where it is no reason.
fn purpose(common_name: &str) -> Option<(Vec<u8>, Option<RevocationReason>)> {
    let mut words = common_name.split_whitespace();
    let verb = words.next()?;
    let serial = parse_serial(words.next()?)?;
    let reason = match words.next() {
        None => Some(RevocationReason::KeyCompromise),
        Some(word) => RevocationReason::parse(word),
    };
    let is_purpose = verb.eq_ignore_ascii_case(PURPOSE) && words.next().is_none();
    is_purpose.then_some((serial, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_csr_made_for_it_names_what_to_revoke() {
        let compromised = Some(RevocationReason::KeyCompromise);
        let of = |name: &str| purpose(name);
        assert_eq!(of("revoke 0A0B"), Some((vec![0x0a, 0x0b], compromised)));
        assert_eq!(of("Revoke 0a:0b"), Some((vec![0x0a, 0x0b], compromised)));
        assert_eq!(
            of("revoke 0a0b superseded"),
            Some((vec![0x0a, 0x0b], Some(RevocationReason::Superseded)))
        );
        assert_eq!(of("revoke 0a0b perhaps"), Some((vec![0x0a, 0x0b], None)));
        for name in [
            "",
            "shop.example",
            "revoke",
            "revoke shop.example",
            "0a0b",
            "revoke 0a 1 2",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
