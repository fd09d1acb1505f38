//! `contacts/sponsors` and `contacts/coop/add-sponsor`.

use chancery_domain::customers::CustomerId;

use crate::details;
use crate::hashtable::Hashtable;
use crate::routes::{Answer, Call};

/// `contacts/sponsors`
pub(crate) async fn sponsors(call: Call) -> Answer {
    let customer = CustomerId(call.parameters.required_integer("customer-id")?);
    let mut answer = Hashtable::new();
    for sponsor in call.app.sponsors(&call.reseller, customer).await? {
        let details = &sponsor.details;
        let mut told = Hashtable::new();
        told.put("company", &details.company);
        told.put("name", details.name.full());
        told.put("emailaddr", &details.email);
        told.put("country", &details.country);
        answer.put_value(sponsor.id.to_string(), told);
    }
    Ok(answer.into())
}

/// `contacts/coop/add-sponsor`
pub(crate) async fn add(call: Call) -> Answer {
    let parameters = &call.parameters;
    let customer = parameters.optional("customer-id")?;
    let details = details::read(parameters)?;
    let id = call
        .app
        .add_sponsor(&call.reseller, customer, details)
        .await?;
    Ok(id.0.into())
}
