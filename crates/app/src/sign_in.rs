//! Signing in: a credential for a token, a token for a reseller.
//!
//! Tokens are JWTs of 60 minutes (RFC 7519, HS256) under a key derived from the master key, so that every
//! replica knows those of the others. Several may be live at once. Revoking a credential ends its tokens at
//! once, since each use looks the credential up.
//!
//! Knowing who calls is not letting them in: [`App::admit`] does that, for every dialect alike.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, digest};
use chancery_domain::access::Scope;
use chancery_domain::resellers::{Credential, Reseller};
use chancery_pki::sealing::MasterKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::{App, AppError};

/// The life of a token, in seconds.
pub const TOKEN_SECONDS: i64 = 3_600;

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
    pub(crate) fn new(master_key: &MasterKey) -> Self {
        let secret = master_key.derive("token");
        // The library would read the system's clock; we compare with ours.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            encoding: EncodingKey::from_secret(&secret[..]),
            decoding: DecodingKey::from_secret(&secret[..]),
            validation,
        }
    }
}

impl App {
    /// Trades a credential for a token.
    pub async fn sign_in(&self, username: &str, password: &str) -> Result<Token, AppError> {
        let found = self.store.credential(username).await?;
        let Some((credential, _)) = found.filter(|(held, _)| held.revoked_at.is_none()) else {
            return Err(AppError::UnknownUsername);
        };
        if !is_secret(password, &credential.secret_hash) {
            return Err(AppError::WrongPassword);
        }
        let now = self.clock.now().as_second();
        let claims = Claims {
            sub: credential.username,
            iat: now,
            exp: now + TOKEN_SECONDS,
            jti: crate::challenges::random_hex::<16>(),
        };
        let header = Header::new(Algorithm::HS256);
        let text = jsonwebtoken::encode(&header, &claims, &self.0.tokens.encoding)
            .map_err(AppError::internal)?;
        Ok(Token {
            text,
            expires_in: TOKEN_SECONDS,
        })
    }

    /// Tells whose token this is.
    pub async fn authenticate(&self, token: &str) -> Result<SignedIn, AppError> {
        let keys = &self.0.tokens;
        let claims = jsonwebtoken::decode::<Claims>(token, &keys.decoding, &keys.validation)
            .map_err(|_| AppError::Unauthenticated)?
            .claims;
        if self.clock.now().as_second() >= claims.exp {
            return Err(AppError::Unauthenticated);
        }
        match self.store.credential(&claims.sub).await? {
            Some((credential, reseller)) if credential.revoked_at.is_none() => Ok(SignedIn {
                credential,
                reseller,
            }),
            _ => Err(AppError::Unauthenticated),
        }
    }

    /// Lets a credential in, from an address, for something that needs a scope.
    pub fn admit(
        &self,
        who: SignedIn,
        address: IpAddr,
        needed: Scope,
    ) -> Result<Reseller, AppError> {
        let SignedIn {
            credential: Credential {
                username, access, ..
            },
            reseller,
        } = who;
        if !access.is_open_to(address) {
            let address = address.to_canonical();
            tracing::warn!(%address, username, "refused: the credential is not allowed there");
            return Err(AppError::AddressNotAllowed(address));
        }
        if !access.scope.includes(needed) {
            let held = access.scope;
            tracing::warn!(%held, %needed, username, "refused: the credential's scope is smaller");
            return Err(AppError::OutOfScope { held, needed });
        }
        Ok(reseller)
    }
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
