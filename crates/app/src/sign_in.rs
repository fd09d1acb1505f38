//! Signing in: a credential for a token, a token for a reseller.
//!
//! Tokens are JWTs of 60 minutes (RFC 7519, HS256) under a key of their own, sealed in the database, so that
//! every replica knows those of the others. Several may be live at once. Revoking a credential ends its tokens at
//! once, since each use looks the credential up.
//!
//! Knowing who calls is not letting them in: [`App::admit`] does that, for every dialect alike.

use std::collections::HashMap;
use std::net::IpAddr;

use aws_lc_rs::{constant_time, digest};
use chancery_domain::access::Scope;
use chancery_domain::access_trail::AccessOutcome;
use chancery_domain::rates::{Bucket, Pace};
use chancery_domain::resellers::{Credential, CredentialKind, Reseller};
use chancery_domain::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::call_counts::CallLimits;
use crate::{App, AppError, TokenKey, TooMany};

/// The life of a token, in seconds.
pub const TOKEN_SECONDS: i64 = 3_600;

/// The kind of credential that is traded for tokens.
const TOKENS_ARE_FOR: CredentialKind = CredentialKind::Webnic;

/// A token, to be sent with every request.
#[derive(Clone)]
pub struct Token {
    /// The JWT. A secret.
    pub text: String,
    /// Its life from now, in seconds.
    pub expires_in: i64,
}

/// A credential that proved itself. [`App::admit`] says whether it may do what it came for.
pub struct SignedIn {
    credential: Credential,
    reseller: Reseller,
}

/// Who was let in.
pub struct Admitted {
    /// On whose account.
    pub reseller: Reseller,
    /// What for: at least what was needed.
    pub scope: Scope,
}

/// What a call may do on the account of a reseller that the operator has suspended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suspended {
    /// Nothing.
    Refuse,
    /// What it is for: revoking a certificate, which no unpaid invoice is a reason to leave in force.
    Admit,
}

pub(crate) struct TokenKeys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The username of the credential.
    sub: String,
    iat: i64,
    exp: i64,
    jti: String,
}

impl TokenKeys {
    pub(crate) fn new(TokenKey(secret): &TokenKey) -> Self {
        // The library would read the system's clock; we compare with ours.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        }
    }
}

impl App {
    /// Trades a credential for a token, from wherever. Where the credential is not allowed, the call does not
    /// count as one of its own, but is paced like wrong secrets: who stole a credential cannot use up what
    /// its owner may. A suspended reseller gets one, too: it may revoke its certificates.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<Token, AppError> {
        let SignedIn {
            credential,
            reseller,
        } = self
            .prove(TOKENS_ARE_FOR, username, password, address)
            .await?;
        if credential.access.is_open_to(address) {
            self.count_call(&credential.username, reseller.id).await?;
        } else {
            let now = self.clock.now();
            self.0.failed_sign_ins.count(username, address, now);
        }
        let whose = Some(reseller.id);
        self.note_access(AccessOutcome::SignedIn, username, address, whose);
        let now = self.clock.now().as_second();
        let claims = Claims {
            sub: credential.username,
            iat: now,
            exp: now + TOKEN_SECONDS,
            jti: crate::challenges::random_hex::<16>(),
        };
        // Tokens of the contract begin with `alg`; a `typ` would be put before it.
        let header = Header {
            typ: None,
            ..Header::new(Algorithm::HS256)
        };
        let text = jsonwebtoken::encode(&header, &claims, &self.0.tokens.encoding)
            .map_err(AppError::internal)?;
        Ok(Token {
            text,
            expires_in: TOKEN_SECONDS,
        })
    }

    /// Tells whose credential of a kind this is. One of another kind is as good as none.
    pub async fn prove(
        &self,
        kind: CredentialKind,
        username: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<SignedIn, AppError> {
        let now = self.clock.now();
        let failures = &self.0.failed_sign_ins;
        if let Some(until) = failures.held_until(username, address, now) {
            self.note_access(AccessOutcome::Held, username, address, None);
            return Err(AppError::too_many(TooMany::FailedSignIns, now, until));
        }
        let found = self.store.credential(username).await?;
        let (outcome, reseller, error) = match found.filter(|(held, _)| held.kind == kind) {
            Some((held, reseller)) if held.revoked_at.is_some() => {
                let whose = Some(reseller.id);
                (AccessOutcome::Revoked, whose, AppError::UnknownUsername)
            }
            Some((credential, reseller)) if is_secret(password, &credential.secret_hash) => {
                return Ok(SignedIn {
                    credential,
                    reseller,
                });
            }
            Some((_, reseller)) => {
                let whose = Some(reseller.id);
                (AccessOutcome::WrongSecret, whose, AppError::WrongPassword)
            }
            None => {
                let outcome = AccessOutcome::UnknownUsername;
                (outcome, None, AppError::UnknownUsername)
            }
        };
        self.note_access(outcome, username, address, reseller);
        failures.count(username, address, now);
        Err(error)
    }

    /// Tells whose token this is.
    pub async fn authenticate(&self, token: &str, address: IpAddr) -> Result<SignedIn, AppError> {
        let keys = &self.0.tokens;
        let read = jsonwebtoken::decode::<Claims>(token, &keys.decoding, &keys.validation);
        let Ok(jsonwebtoken::TokenData { claims, .. }) = read else {
            self.note_access(AccessOutcome::BadToken, "", address, None);
            return Err(AppError::Unauthenticated);
        };
        // One that has ended is what every client brings once an hour.
        if self.clock.now().as_second() >= claims.exp {
            return Err(AppError::Unauthenticated);
        }
        match self.store.credential(&claims.sub).await? {
            Some((credential, reseller))
                if credential.kind == TOKENS_ARE_FOR && credential.revoked_at.is_none() =>
            {
                Ok(SignedIn {
                    credential,
                    reseller,
                })
            }
            found => {
                let reseller = found.map(|(_, reseller)| reseller.id);
                self.note_access(AccessOutcome::Revoked, &claims.sub, address, reseller);
                Err(AppError::Unauthenticated)
            }
        }
    }

    /// Lets a credential in, from an address, for something that needs a scope, and counts the call. Calls from
    /// elsewhere do not count: who stole a credential cannot use up what its owner may.
    pub async fn admit(
        &self,
        who: SignedIn,
        address: IpAddr,
        needed: Scope,
        suspended: Suspended,
    ) -> Result<Admitted, AppError> {
        let SignedIn {
            credential:
                Credential {
                    username,
                    access,
                    kind,
                    ..
                },
            reseller,
        } = who;
        let whose = Some(reseller.id);
        if suspended == Suspended::Refuse && reseller.is_suspended() {
            self.note_access(AccessOutcome::Suspended, &username, address, whose);
            return Err(AppError::Suspended);
        }
        if !access.is_open_to(address) {
            let address = address.to_canonical();
            self.note_access(AccessOutcome::AddressNotAllowed, &username, address, whose);
            return Err(AppError::AddressNotAllowed(address));
        }
        self.count_call(&username, reseller.id).await?;
        let scope = access.scope;
        if !scope.includes(needed) {
            self.note_access(AccessOutcome::OutOfScope, &username, address, whose);
            let held = scope;
            return Err(AppError::OutOfScope { held, needed });
        }
        self.note_use(&username, address);
        // Who is let in by a token has signed in before.
        if kind != TOKENS_ARE_FOR {
            self.note_access(AccessOutcome::SignedIn, &username, address, whose);
        }
        Ok(Admitted { reseller, scope })
    }
}

/// Wrong secrets of late, and right ones from where they are not allowed, by username and address, so that nobody can go on guessing.
///
/// By both: who shares an address with someone who guesses, as behind a proxy, is not held with them, and
/// nobody can hold a username from elsewhere.
pub(crate) struct FailedSignIns {
    pace: RwLock<Pace>,
    buckets: Mutex<HashMap<[u8; 32], Bucket>>,
}

/// How many usernames and addresses are remembered at once.
const MOST_FAILURES: usize = 10_000;

/// How many times as often one may be wrong from many addresses as from one.
const TIMES_ANYWHERE: u32 = 10;

impl FailedSignIns {
    pub(crate) fn new(limits: CallLimits) -> Self {
        Self::per_minute(limits.failed_sign_ins_per_minute)
    }

    /// For all addresses together: more than one who mistypes needs, and than makes guessing worthwhile.
    pub(crate) fn anywhere(limits: CallLimits) -> Self {
        let times = limits.failed_sign_ins_per_minute;
        Self::per_minute(times.saturating_mul(TIMES_ANYWHERE))
    }

    pub(crate) fn per_minute(times: u32) -> Self {
        Self {
            pace: RwLock::new(pace(times)),
            buckets: Mutex::default(),
        }
    }

    pub(crate) fn replace_limits(&self, limits: CallLimits) {
        *self.pace.write() = pace(limits.failed_sign_ins_per_minute);
    }

    pub(crate) fn replace_limits_anywhere(&self, limits: CallLimits) {
        let times = limits.failed_sign_ins_per_minute;
        *self.pace.write() = pace(times.saturating_mul(TIMES_ANYWHERE));
    }

    pub(crate) fn held_until(
        &self,
        username: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let buckets = self.buckets.lock();
        if buckets.is_empty() {
            return None;
        }
        let bucket = buckets.get(&failure_key(username, address))?;
        bucket.room_at(&self.pace.read(), now)
    }

    pub(crate) fn count(&self, username: &str, address: IpAddr, now: Timestamp) {
        let pace = self.pace.read();
        if pace.is_unlimited() {
            return;
        }
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MOST_FAILURES {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        if buckets.len() >= MOST_FAILURES {
            forget_some(&mut buckets);
        }
        let key = failure_key(username, address);
        buckets.entry(key).or_default().take(&pace, now);
    }
}

fn pace(times_a_minute: u32) -> Pace {
    Pace::new(SignedDuration::from_mins(1), times_a_minute, times_a_minute)
}

/// Forgets a tenth of the failures: those that would be forgotten first. Who is held goes on being held.
fn forget_some(buckets: &mut HashMap<[u8; 32], Bucket>) {
    let mut ends: Vec<Timestamp> = buckets.values().map(Bucket::full_at).collect();
    let mut some = ends.len() / 10;
    if some == 0 {
        return;
    }
    let (_, last, _) = ends.select_nth_unstable(some - 1);
    let last = *last;
    buckets.retain(|_, bucket| {
        let goes = some > 0 && bucket.full_at() <= last;
        some -= usize::from(goes);
        !goes
    });
}

/// A username at an address. Whoever has an IPv6 address has at least its network of 64 bits.
fn failure_key(username: &str, address: IpAddr) -> [u8; 32] {
    let network = match address.to_canonical() {
        IpAddr::V4(four) => u64::from(u32::from(four)),
        IpAddr::V6(six) => six.to_bits().checked_shr(64).map_or(0, |bits| bits as u64),
    };
    secret_hash(&format!("{network:x} {username}"))
}

/// Whether this is the secret kept under a hash.
pub(crate) fn is_secret(secret: &str, hash: &[u8; 32]) -> bool {
    constant_time::verify_slices_are_equal(&secret_hash(secret), hash).is_ok()
}

/// The hash under which a secret is kept. Secrets are 256 random bits, so no slow hash is needed.
pub(crate) fn secret_hash(secret: &str) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, secret.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn who_is_held_stays_so_however_many_guess() {
        let failures = FailedSignIns::per_minute(10);
        let now = Timestamp::UNIX_EPOCH;
        let at = |number: u32| IpAddr::V4(Ipv4Addr::from(number));
        for _ in 0..10 {
            failures.count("ann", at(0), now);
        }
        assert!(failures.held_until("ann", at(0), now).is_some());
        for number in 1..=2 * MOST_FAILURES as u32 {
            failures.count("bob", at(number), now);
        }
        assert!(failures.buckets.lock().len() <= MOST_FAILURES);
        assert!(failures.held_until("ann", at(0), now).is_some());
    }
}
