//! Who is asking: a number and a key among the parameters become a reseller, if the method may be used with them
//! from there.

use std::net::IpAddr;

use chancery_app::{App, AppError, Suspended};
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
    let (username, secret) = credential(parameters)?;
    let who = app.prove(KIND, username, secret, address).await?;
    let admitted = app.admit(who, address, needs, Suspended::Refuse).await?;
    Ok(admitted.reseller)
}

/// Refuses whoever shows a wrong key in the query, so that nobody's body is read who is unknown. All else is told when
/// the body is there: it may hold what the query lacks, and something that contradicts it. A key by its older name is not
/// looked at here, since one by the newer name in the body counts instead.
pub(crate) async fn prove_ahead(
    app: &App,
    query: Option<&str>,
    address: IpAddr,
) -> Result<(), Obstacle> {
    let Ok(parameters) = Parameters::merge(query, None, b"") else {
        return Ok(());
    };
    if parameters.optional(KEY)?.is_some()
        && let Ok((username, secret)) = credential(&parameters)
    {
        app.prove(KIND, username, secret, address).await?;
    }
    Ok(())
}

/// The kind of credential that this dialect takes.
const KIND: CredentialKind = CredentialKind::LogicBoxes;

fn credential(parameters: &Parameters) -> Result<(&str, &str), Obstacle> {
    let username = parameters.required(USER_ID)?;
    let secret = match parameters.optional(KEY)? {
        Some(key) => key,
        None => parameters
            .optional(PASSWORD)?
            .ok_or(Obstacle::Missing(KEY))?,
    };
    Ok((username.trim(), secret.trim()))
}

/// What the listener did not say.
pub(crate) fn no_address() -> AppError {
    AppError::internal(std::io::Error::other(
        "the listener did not say where the request came from",
    ))
}
