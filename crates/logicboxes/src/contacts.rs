//! `contacts/add` and `contacts/details`.

use chancery_app::ContactRequest;
use chancery_domain::contacts::{Contact, ContactId};
use chancery_domain::fields::FieldError;

use crate::details;
use crate::hashtable::Hashtable;
use crate::routes::{Answer, Call};
use crate::values::Value;
use crate::words::FieldWords;

/// The capacity of details' table: the service copies them from a map of 22 entries.
const DETAILS_CAPACITY: usize = 44;

/// Parts of answers that are the same of every contact.
pub(crate) const DESCRIPTION: &str = "DomainContact";
const ENTITY_TYPE: &str = "66";
const CLASS_NAME: &str = "com.logicboxes.foundation.sfnb.order.domcontact.DomContact";

/// `contacts/add`
pub(crate) async fn add(call: Call) -> Answer {
    let parameters = &call.parameters;
    let asked = ContactRequest {
        customer: parameters.optional("customer-id")?.map(str::to_owned),
        kind: parameters.optional("type")?.map(str::to_owned),
        details: details::read(parameters)?,
        attributes: parameters.map("attr")?,
    };
    let contact = call.app.add_contact(&call.reseller, asked).await?;
    Ok(contact.id.0.into())
}

/// `contacts/details`
pub(crate) async fn details(call: Call) -> Answer {
    let id = ContactId(call.parameters.required_integer("contact-id")?);
    let contact = call.app.contact_or_deleted(&call.reseller, id).await?;
    Ok(told(&contact).into())
}

/// What is told of a contact by `details`.
fn told(contact: &Contact) -> Hashtable {
    let mut table = Hashtable::with_capacity(DETAILS_CAPACITY);
    table.put("contactid", contact.id);
    table.put("entityid", contact.id);
    table.put("customerid", contact.customer);
    table.put("type", contact.kind.as_str());
    details::put(&mut table, "", &contact.details);
    table.put("currentstatus", status(contact));
    table.put("contactstatus", status(contact));
    let parents = format!("999999999_999999998_{}", contact.reseller);
    table.put("parentkey", parents);
    table.put("entitytypeid", ENTITY_TYPE);
    table.put("eaqid", 0);
    table.put("actioncompleted", 0);
    table.put("description", DESCRIPTION);
    table.put("classkey", "domcontact");
    table.put("classname", CLASS_NAME);
    table.put_value("jumpConditions", Vec::<Value>::new());
    table.put_value("contacttype", contact.kind.groups(&contact.attributes));
    table.put_value("whoisValidity", validity(&contact.faults()));
    for attribute in contact.kind.attributes() {
        let Some(key) = attribute.shown_as else {
            continue;
        };
        table.put_some(key, contact.attributes.get(attribute.name));
    }
    table
}

/// The word for whether a contact is there still.
pub(crate) fn status(contact: &Contact) -> &'static str {
    match contact.deleted_at {
        None => "Active",
        Some(_) => "Deleted",
    }
}

/// Which parts would not be taken today.
pub(crate) fn validity(faults: &[FieldError]) -> Hashtable {
    let mut invalid: Vec<String> = Vec::new();
    for fault in faults {
        let name = FieldWords::of(fault.field).stored_as.into_owned();
        if !invalid.contains(&name) {
            invalid.push(name);
        }
    }
    let mut table = Hashtable::new();
    table.put("valid", invalid.is_empty());
    table.put_value("invalidData", invalid);
    table
}
