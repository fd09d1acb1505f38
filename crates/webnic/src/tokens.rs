//! Signing in.

use axum::extract::State;
use chancery_app::App;
use chancery_domain::fields::Field;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Address;
use crate::body::{Body, FromMembers, Members, text};
use crate::envelope::Envelope;
use crate::errors::WebnicError;

/// A credential, as it was sent. Does not print.
pub(crate) struct SignIn {
    username: String,
    password: String,
}

impl FromMembers for SignIn {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        let username = body.require(Field::Username, text);
        let password = body.require(Field::Password, text);
        match (username, password) {
            (Some(username), Some(password)) => Ok(Self { username, password }),
            _ => Err(body.into_faults().into()),
        }
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Token")]
pub(crate) struct TokenView<'a> {
    /// For `Authorization: Bearer …`.
    access_token: &'a str,
    /// In seconds.
    expires_in: i64,
}

/// `POST /reseller/v2/api-user/token`
pub(crate) async fn create(
    State(app): State<App>,
    Address(address): Address,
    Body(asked): Body<SignIn>,
) -> Result<Envelope, WebnicError> {
    let signed_in = app.sign_in(&asked.username, &asked.password, address).await;
    let token = signed_in.map_err(WebnicError::of_reseller_api)?;
    Ok(Envelope::of(&TokenView {
        access_token: &token.text,
        expires_in: token.expires_in,
    }))
}
