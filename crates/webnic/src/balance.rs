//! The balance.

use axum::extract::State;
use chancery_app::App;
use chancery_domain::money::Money;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Caller;
use crate::envelope::Envelope;
use crate::errors::WebnicError;
use crate::scalars::Amount;

/// An array, as saved answers have it: one entry, since a reseller has one currency.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Balance")]
pub(crate) struct BalanceView<'a> {
    balance: [AmountView<'a>; 1],
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Amount")]
pub(crate) struct AmountView<'a> {
    amount: Amount,
    currency: &'a str,
}

impl<'a> BalanceView<'a> {
    fn of(balance: &'a Money) -> Self {
        let currency = balance.currency.as_str();
        Self {
            balance: [AmountView {
                amount: Amount(*balance),
                currency,
            }],
        }
    }
}

/// `GET /reseller/v2/balance`
pub(crate) async fn show(
    State(app): State<App>,
    Caller(reseller): Caller,
) -> Result<Envelope, WebnicError> {
    let balance = app
        .balance(&reseller)
        .await
        .map_err(WebnicError::of_reseller_api)?;
    Ok(Envelope::of(&BalanceView::of(&balance)))
}

#[cfg(test)]
mod tests {
    use chancery_domain::money::Currency;

    use super::*;

    #[test]
    fn a_balance_looks_as_documented() {
        let balance = Money::parse("791.10", Currency::parse("USD").unwrap()).unwrap();
        let json = serde_json::to_string(&BalanceView::of(&balance)).unwrap();
        assert_eq!(json, r#"{"balance":[{"amount":791.1,"currency":"USD"}]}"#);
    }
}
