//! `contacts/search`, and the row in which lists tell a contact.

use std::ops::RangeInclusive;

use chancery_app::ContactFilter;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, ContactId};
use chancery_domain::customers::CustomerId;
use chancery_domain::fields::{Field, FieldError, Problem};

use crate::contacts::{DESCRIPTION, status, validity};
use crate::details;
use crate::errors::Obstacle;
use crate::hashtable::Hashtable;
use crate::parameters::Parameters;
use crate::routes::{Answer, Call};
use crate::values::Value;

/// How many records a page may have.
pub(crate) const PAGE: RangeInclusive<i64> = 1..=500;

/// The states that the service knows; contacts here are active or deleted.
pub(crate) const STATES: [&str; 4] = ["InActive", "Active", "Suspended", "Deleted"];

/// `contacts/search`
pub(crate) async fn search(call: Call) -> Answer {
    let parameters = &call.parameters;
    let customer = CustomerId(parameters.required_integer("customer-id")?);
    let (size, page) = page(parameters)?;
    let filter = filter(parameters)?;
    // Contacts are never hidden as invalid, so that it makes no difference.
    parameters.boolean("include-invalid")?;
    let found = call
        .app
        .search_contacts(&call.reseller, customer, &filter, size, page)
        .await?;
    let mut answer = Hashtable::new();
    answer.put("recsonpage", found.contacts.len());
    answer.put("recsindb", found.total);
    let rows: Vec<Value> = found
        .contacts
        .iter()
        .map(|contact| row(contact).into())
        .collect();
    answer.put_value("result", rows);
    Ok(answer.into())
}

/// The size of a page and its number, from 0. There are clients that begin to count at 0 where 1 is meant.
fn page(parameters: &Parameters) -> Result<(u32, u64), Obstacle> {
    let size = parameters.required_integer("no-of-records")?;
    let size = PAGE.contains(&size).then_some(size);
    let size = size.and_then(|size| u32::try_from(size).ok());
    let page = parameters.required_integer("page-no")?;
    let page = u64::try_from(page).map_err(|_| Obstacle::Malformed("page-no"))?;
    Ok((
        size.ok_or(Obstacle::Malformed("no-of-records"))?,
        page.saturating_sub(1),
    ))
}

fn filter(parameters: &Parameters) -> Result<ContactFilter, Obstacle> {
    let text = |name: &str| {
        let text = parameters.optional(name)?;
        Ok::<_, Obstacle>(text.map(str::to_owned))
    };
    let ids = parameters.integers("contact-id")?;
    let states = parameters.list("status")?;
    if states.iter().any(|state| !STATES.contains(&state.as_str())) {
        return Err(Obstacle::Malformed("status"));
    }
    let is_wanted = |state: &str| states.iter().any(|wanted| wanted == state);
    let kind = match parameters.optional("type")? {
        Some(name) if name == ContactType::SPONSOR.as_str() => Some(ContactType::SPONSOR),
        name => name.map(kind).transpose()?,
    };
    Ok(ContactFilter {
        ids: (!ids.is_empty()).then(|| ids.into_iter().map(ContactId).collect()),
        with_living: states.is_empty() || is_wanted("Active"),
        with_deleted: is_wanted("Deleted"),
        name: text("name")?,
        company: text("company")?,
        email: text("email")?,
        kind,
    })
}

/// The type of a name.
pub(crate) fn kind(name: &str) -> Result<ContactType, Obstacle> {
    let unknown = || FieldError {
        field: Field::ContactType,
        problem: Problem::Unknown(name.to_owned()),
    };
    ContactType::parse(name).ok_or_else(|| vec![unknown()].into())
}

/// A contact as lists tell it.
pub(crate) fn row(contact: &Contact) -> Hashtable {
    let mut row = Hashtable::new();
    row.put("contact.contactid", contact.id);
    row.put("entity.entityid", contact.id);
    row.put("entity.customerid", contact.customer);
    row.put("entity.currentstatus", status(contact));
    row.put("entity.description", DESCRIPTION);
    row.put("contact.type", contact.kind.as_str());
    details::put(&mut row, "contact.", &contact.details);
    row.put("contact.creationdt", contact.created_at.as_second());
    row.put("contact.timestamp", timestamp(contact));
    row.put("designated-agent", true);
    row.put_value("whoisValidity", validity(&contact.faults()));
    row
}

/// When a contact last changed, as `2018-10-26 07:32:20.123456+00`.
fn timestamp(contact: &Contact) -> String {
    contact
        .modified_at
        .strftime("%Y-%m-%d %H:%M:%S%.6f+00")
        .to_string()
}
