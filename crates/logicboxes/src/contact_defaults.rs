//! `contacts/default` and `contacts/modDefault`.

use chancery_app::DefaultsReport;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{ContactId, DefaultContacts, DefaultRole};
use chancery_domain::customers::CustomerId;

use crate::contact_searches::{kind, row};
use crate::errors::Obstacle;
use crate::hashtable::Hashtable;
use crate::parameters::Parameters;
use crate::routes::{Answer, Call};

/// What clients send for a role that names of a registry do not have.
const NOBODY: i64 = -1;

/// `contacts/default`
pub(crate) async fn default(call: Call) -> Answer {
    let customer = CustomerId(call.parameters.required_integer("customer-id")?);
    let kinds = kinds(&call.parameters)?;
    let found = call
        .app
        .default_contacts(&call.reseller, customer, &kinds)
        .await?;
    Ok(told(&found).into())
}

/// `contacts/modDefault`
pub(crate) async fn mod_default(call: Call) -> Answer {
    let parameters = &call.parameters;
    let customer = CustomerId(parameters.required_integer("customer-id")?);
    let kinds = kinds(parameters)?;
    let contact = |name| {
        let id = parameters.required_integer(name)?;
        Ok::<_, Obstacle>((id != NOBODY).then_some(ContactId(id)))
    };
    let defaults = DefaultContacts {
        registrant: contact("reg-contact-id")?,
        administrator: contact("admin-contact-id")?,
        technical: contact("tech-contact-id")?,
        billing: contact("billing-contact-id")?,
    };
    let set = call
        .app
        .set_default_contacts(&call.reseller, customer, &kinds, defaults)
        .await?;
    Ok(told(&set).into())
}

/// The types that are named, each once.
fn kinds(parameters: &Parameters) -> Result<Vec<ContactType>, Obstacle> {
    let mut kinds = Vec::new();
    for name in parameters.required_list("type")? {
        let kind = kind(name)?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn told(reports: &[DefaultsReport]) -> Hashtable {
    let mut table = Hashtable::new();
    for report in reports {
        table.put_value(report.kind.as_str(), told_of_type(report));
    }
    table
}

fn told_of_type(report: &DefaultsReport) -> Hashtable {
    let mut table = Hashtable::new();
    table.put("type", report.kind.as_str());
    for (role, id) in report.defaults.roles() {
        let (key, details) = keys(role);
        table.put_some(key, id);
        if let Some(contact) = id.and_then(|id| report.contacts.get(&id)) {
            table.put_value(details, row(contact));
        }
    }
    table
}

fn keys(role: DefaultRole) -> (&'static str, &'static str) {
    match role {
        DefaultRole::Registrant => ("registrant", "registrantContactDetails"),
        DefaultRole::Administrator => ("admin", "adminContactDetails"),
        DefaultRole::Technical => ("tech", "techContactDetails"),
        DefaultRole::Billing => ("billing", "billingContactDetails"),
    }
}
