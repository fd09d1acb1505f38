//! Contacts.

use chancery_domain::contacts::Role;
use chancery_domain::fields::Field;
use serde_json::{Value, json};

use super::{Described, Operation, Parameter, fields};
use crate::contacts::{ContactView, CreateContacts};
use crate::scalars::ContactNumber;

impl Described for CreateContacts {
    const NAME: &'static str = "CreateContacts";

    fn schema() -> Value {
        let people = [Role::Administrator, Role::Technical].map(Field::Person);
        let mut schema = fields::object(&[], &people);
        schema["anyOf"] = json!([{ "required": ["administrator"] }, { "required": ["technical"] }]);
        schema
    }
}

/// A person, as one is sent.
fn a_person() -> Value {
    json!({
        "company": "Nelson Corp",
        "firstName": "Nelson",
        "lastName": "SSL",
        "address1": "L4-E-2, HIVE 5, Mranti",
        "address2": null,
        "city": "Bukit Jalil",
        "state": "Selangor",
        "countryCode": "MY",
        "zip": "57100",
        "phoneNumber": "+6012.1234567890",
        "faxNumber": null,
        "email": "ssl-testing@webnic.cc",
        "jobTitle": null,
    })
}

fn a_contact() -> Value {
    json!({
        "contactId": "SSL10667T",
        "resid": 2740,
        "details": a_person(),
        "contactType": "administrator",
        "dtcreate": "2024-12-27T09:35:42.7352+08:00",
        "dtmodify": "2024-12-27T09:35:42.735204+08:00",
    })
}

const CONTACT: &[Parameter] = &[("contactId", true)];

pub(crate) const CREATE: Operation = Operation::new(
    "Contacts",
    "createContacts",
    "Create contact",
    "Creates an administrator, a technical contact, or both.",
)
.takes::<CreateContacts>(|| {
    let mut person = a_person();
    if let Some(members) = person.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    json!({ "administrator": person })
})
.answers::<Vec<ContactView<'static>>>(|| json!([a_contact()]));

pub(crate) const SHOW: Operation = Operation::new("Contacts", "getContact", "Get contact info", "")
    .query(CONTACT)
    .answers::<ContactView<'static>>(a_contact);

pub(crate) const DELETE: Operation = Operation::new(
    "Contacts",
    "deleteContact",
    "Delete contact",
    "One that an open or active order or an organization names stays. Answers with the id.",
)
.query(CONTACT)
.answers::<ContactNumber>(|| json!("SSL10667T"));
