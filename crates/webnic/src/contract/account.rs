//! Signing in, and the balance.

use chancery_domain::fields::Field;
use serde_json::{Value, json};

use super::{Described, Operation, fields};
use crate::balance::BalanceView;
use crate::tokens::{SignIn, TokenView};

impl Described for SignIn {
    const NAME: &'static str = "SignIn";

    fn schema() -> Value {
        fields::object(&[Field::Username, Field::Password], &[])
    }
}

pub(crate) const SIGN_IN: Operation = Operation::new(
    "Account",
    "createToken",
    "Generate token",
    "Trades a user name and a password for a token, good for an hour. Several may be live at once.",
)
.takes::<SignIn>(|| json!({ "username": "api-0123456789a", "password": "a secret" }))
.answers::<TokenView<'static>>(
    || json!({ "access_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "expires_in": 3600 }),
);

pub(crate) const BALANCE: Operation = Operation::new(
    "Account",
    "getBalance",
    "Get account balance",
    "One entry: a reseller has one currency.",
)
.answers::<BalanceView<'static>>(|| json!({ "balance": [{ "amount": 791.1, "currency": "USD" }] }));
