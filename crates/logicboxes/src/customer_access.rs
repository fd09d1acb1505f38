//! Customers' passwords, and the tokens by which their users are known.

use std::net::IpAddr;

use chancery_domain::customers::CustomerField;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::passwords::Password;
use chancery_domain::resellers::Reseller;

use crate::customers::{id, told};
use crate::errors::Obstacle;
use crate::routes::{Answer, Call};

/// `customers/change-password`
pub(crate) async fn change_password(call: Call) -> Answer {
    let id = id(&call)?;
    let password = Password::new(call.parameters.required("new-passwd")?);
    call.app
        .change_password(&call.reseller, id, password)
        .await?;
    Ok(true.into())
}

/// `customers/forgot-password`
pub(crate) async fn forgot_password(call: Call) -> Answer {
    let username = call.parameters.required("username")?;
    call.app.mail_password(&call.reseller, username).await?;
    Ok(true.into())
}

/// `customers/temp-password`
pub(crate) async fn temporary_password(call: Call) -> Answer {
    let password = call.app.lend_password(&call.reseller, id(&call)?).await?;
    Ok(password.text().into())
}

/// `customers/generate-token`
pub(crate) async fn token(call: Call) -> Answer {
    let username = call.parameters.required("username")?;
    let password = Password::new(call.parameters.required("passwd")?);
    let address = address(&call)?;
    let token = call
        .app
        .token_for_password(&call.reseller, username, &password, address)
        .await?;
    Ok(token.into())
}

/// `customers/generate-login-token`
pub(crate) async fn login_token(call: Call) -> Answer {
    let id = id(&call)?;
    let address = address(&call)?;
    let token = call
        .app
        .token_for_customer(&call.reseller, id, address)
        .await?;
    Ok(token.into())
}

/// `customers/authenticate-token` and `customers/authenticate-token-without-history`: no history is kept of either.
pub(crate) async fn authenticate_token(call: Call) -> Answer {
    let token = call.parameters.required("token")?.trim();
    let customer = call.app.customer_of_token(&call.reseller, token).await?;
    let mut map = told(&customer, &call.reseller, call.app.now());
    for absent in ["address2", "address3"] {
        if map.get(absent).is_none() {
            map.put(absent, "");
        }
    }
    map.put("salesrepresentative", sales_representative(&call.reseller));
    Ok(map.into())
}

/// Name and address of whom a customer turns to: its reseller.
fn sales_representative(reseller: &Reseller) -> String {
    match &reseller.settings.notice_email {
        Some(email) => format!("{} ({email})", reseller.name),
        None => reseller.name.clone(),
    }
}

/// Where the customer's user is.
fn address(call: &Call) -> Result<IpAddr, Obstacle> {
    let text = call.parameters.required("ip")?;
    let fault = || FieldError {
        field: Field::CustomerPart(CustomerField::Address),
        problem: Problem::Format,
    };
    text.trim().parse().map_err(|_| vec![fault()].into())
}
