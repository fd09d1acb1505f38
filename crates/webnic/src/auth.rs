//! Who is asking: a bearer token becomes a reseller, if the route may be used with it from there.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chancery_app::{Admitted, AppError};
use chancery_domain::resellers::Reseller;

use crate::errors::{Family, Obstacle, WebnicError};
use crate::routes::Wire;

/// The reseller whose token came with the request, and is good for the route.
pub(crate) struct Caller(pub(crate) Reseller);

impl FromRequestParts<Wire> for Caller {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let admitted = admit(parts, wire).await;
        let reseller = admitted.map(|Admitted { reseller, .. }| Self(reseller));
        reseller.map_err(|error| refused(parts, error))
    }
}

/// The same where it depends on the request what the credential must be good for.
pub(crate) struct ScopedCaller(pub(crate) Admitted);

impl FromRequestParts<Wire> for ScopedCaller {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let admitted = admit(parts, wire).await;
        admitted.map(Self).map_err(|error| refused(parts, error))
    }
}

async fn admit(parts: &Parts, wire: &Wire) -> Result<Admitted, AppError> {
    let token = bearer(&parts.headers).ok_or(AppError::Unauthenticated)?;
    let Address(address) = Address::of(parts)?;
    let who = wire.app().authenticate(token, address).await?;
    let (needs, suspended) = (wire.needs(), wire.suspended());
    wire.app().admit(who, address, needs, suspended).await
}

/// Where the client is.
pub(crate) struct Address(pub(crate) IpAddr);

impl Address {
    fn of(parts: &Parts) -> Result<Self, AppError> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = connected.map(|ConnectInfo(client)| Self(client.ip()));
        address.ok_or_else(|| {
            AppError::internal(std::io::Error::other(
                "the listener did not say where the request came from",
            ))
        })
    }
}

impl FromRequestParts<Wire> for Address {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, _: &Wire) -> Result<Self, WebnicError> {
        Self::of(parts).map_err(|error| refused(parts, error))
    }
}

fn refused(parts: &Parts, error: AppError) -> WebnicError {
    WebnicError::new(Family::of(parts.uri.path()), Obstacle::App(error))
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_counts() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc.def"), Some("abc.def".to_owned()));
        assert_eq!(read("bearer  abc"), Some("abc".to_owned()));
        assert_eq!(read("Bearer "), None);
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read("abc"), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
