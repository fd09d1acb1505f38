//! Who is asking: a number and a key among the parameters become a reseller, if the method may be used with them
//! from there.

use std::net::IpAddr;

use chancery_app::{App, AppError};
use chancery_domain::access::Scope;
use chancery_domain::resellers::{CredentialKind, Reseller};

use crate::errors::Obstacle;
use crate::parameters::Parameters;

/// The public half of a credential.
pub(crate) const USER_ID: &str = "auth-userid";

/// The secret half.
pub(crate) const KEY: &str = "api-key";

/// The secret half, by its older name.
pub(crate) const PASSWORD: &str = "auth-password";

/// The reseller whose credential came with a call, if it is good for a scope.
pub(crate) async fn admit(
    app: &App,
    parameters: &Parameters,
    address: IpAddr,
    needs: Scope,
) -> Result<Reseller, Obstacle> {
    let username = parameters.required(USER_ID)?;
    let secret = match parameters.optional(KEY)? {
        Some(key) => key,
        None => parameters
            .optional(PASSWORD)?
            .ok_or(Obstacle::Missing(KEY))?,
    };
    let kind = CredentialKind::LogicBoxes;
    let who = app
        .prove(kind, username.trim(), secret.trim(), address)
        .await?;
    let admitted = app.admit(who, address, needs).await?;
    Ok(admitted.reseller)
}

/// What the listener did not say.
pub(crate) fn no_address() -> AppError {
    AppError::internal(std::io::Error::other(
        "the listener did not say where the request came from",
    ))
}
