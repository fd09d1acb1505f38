//! Who is asking: a bearer token becomes a reseller.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use chancery_app::AppError;
use chancery_domain::resellers::Reseller;

use crate::errors::{Family, Obstacle, WebnicError};
use crate::routes::Wire;

/// The reseller whose token came with the request.
pub(crate) struct Caller(pub(crate) Reseller);

impl FromRequestParts<Wire> for Caller {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let known = match bearer(&parts.headers) {
            Some(token) => wire.app().authenticate(token).await,
            None => Err(AppError::Unauthenticated),
        };
        let family = || Family::of(parts.uri.path());
        known
            .map(Self)
            .map_err(|error| WebnicError::new(family(), Obstacle::App(error)))
    }
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
