//! Contacts.

use chancery_domain::contact_types::{ContactType, LATER_GROUPS};
use chancery_domain::eligibility::Criterion;
use serde_json::{Value as Json, json};

use super::Kind::{Boolean, Integer, Integers, OneOf, SomeOf, Text, Within};
use super::{
    Operation, Parameter, boolean, integer, map_of, optional, postal_code, required, text, texts,
};
use crate::agreements::DOTCA_VERSION;
use crate::contact_searches::{PAGE, STATES};

const TAG: &str = "LogicBoxes: contacts";

const CONTACT: Parameter = required("contact-id", Integer, "The contact.");
const CUSTOMER: Parameter = required(
    "customer-id",
    Integer,
    "The customer; a reseller is one, too, by its own number.",
);
const NAME: Parameter = required("name", Text, "The person's name.");
const COMPANY: Parameter = required(
    "company",
    Text,
    "The company; `N/A` or the like for a person without one.",
);
const COMPANY_BY_TYPE: Parameter = optional(
    "company",
    Text,
    "The company; `N/A` or the like for a person without one. Required, but for `EsContact`, where a person may leave it out.",
)
.by_type();
const COMPANY_BY_CONTACT: Parameter = COMPANY_BY_TYPE.by_contact();
const EMAIL: Parameter = required("email", Text, "The e-mail address.");
const ADDRESS_1: Parameter = required("address-line-1", Text, "First line of the address.");
const ADDRESS_2: Parameter = optional("address-line-2", Text, "Second line of the address.");
const ADDRESS_3: Parameter = optional("address-line-3", Text, "Third line of the address.");
const CITY: Parameter = required("city", Text, "The city.");
const STATE: Parameter = optional(
    "state",
    Text,
    "State or province; for `EsContact` required, one of a list.",
);
const COUNTRY: Parameter = required(
    "country",
    Text,
    "The country, ISO 3166-1 alpha-2 in capitals.",
);
const ZIP: Parameter = postal_code(
    "The postal code, as the country has them, with or without the country's letters in front; may be left out in IE.",
);
const PHONE_CODE: Parameter = required("phone-cc", Text, "Calling code of the telephone, digits.");
const PHONE: Parameter = required("phone", Text, "The telephone, digits.");
const FAX_CODE: Parameter = optional("fax-cc", Text, "Calling code of the fax, digits.");
const FAX: Parameter = optional("fax", Text, "The fax, digits.");
const TYPE: Parameter = required("type", OneOf(types), "The contact type.");
const ATTRIBUTE_NAME: Parameter = optional(
    "attr-name1",
    Text,
    "The name of an attribute; more with other numbers.",
);
const ATTRIBUTE_VALUE: Parameter = optional("attr-value1", Text, "Its value.");

/// The types that a contact can be made with.
fn types() -> Vec<&'static str> {
    ContactType::all().map(ContactType::as_str).collect()
}

/// The types that a contact can have.
fn types_of_all() -> Vec<&'static str> {
    let sponsor = ContactType::SPONSOR.as_str();
    types().into_iter().chain([sponsor]).collect()
}

fn states() -> Vec<&'static str> {
    STATES.to_vec()
}

pub(crate) const ADD: Operation = Operation::new(
    TAG,
    "logicboxesContactsAdd",
    "Add a contact",
    "Answers the number of the new contact. All that is wrong is told at once.",
    integer,
    || json!(10_003),
)
.takes(&[
    NAME,
    COMPANY_BY_TYPE,
    EMAIL,
    ADDRESS_1,
    ADDRESS_2,
    ADDRESS_3,
    CITY,
    STATE,
    COUNTRY,
    ZIP,
    PHONE_CODE,
    PHONE,
    FAX_CODE,
    FAX,
    CUSTOMER,
    TYPE,
    ATTRIBUTE_NAME,
    ATTRIBUTE_VALUE,
]);

/// What is wrong with a contact today.
fn validity() -> Json {
    json!({
        "type": "object",
        "properties": {
            "valid": { "enum": ["true", "false"] },
            "invalidData": { "type": "array", "items": text() },
        },
        "required": ["valid", "invalidData"],
    })
}

fn with(mut schema: Json, properties: &[(&str, Json)]) -> Json {
    for (name, property) in properties {
        schema["properties"][*name] = property.clone();
    }
    schema
}

fn array_of(items: &Json) -> Json {
    json!({ "type": "array", "items": items })
}

fn told() -> Json {
    let always = [
        "contactid",
        "entityid",
        "customerid",
        "type",
        "name",
        "emailaddr",
        "telnocc",
        "telno",
        "address1",
        "city",
        "country",
        "zip",
        "currentstatus",
        "contactstatus",
        "parentkey",
        "entitytypeid",
        "eaqid",
        "actioncompleted",
        "description",
        "classkey",
        "classname",
        "jumpConditions",
        "contacttype",
        "whoisValidity",
    ];
    let mut sometimes = vec![
        "company", "state", "address2", "address3", "faxnocc", "faxno",
    ];
    for attribute in ContactType::all().flat_map(ContactType::attributes) {
        let new = attribute.shown_as.filter(|name| !sometimes.contains(name));
        sometimes.extend(new);
    }
    let others = [
        ("jumpConditions", array_of(&text())),
        ("contacttype", array_of(&text())),
        ("whoisValidity", validity()),
    ];
    with(texts(&always, &sometimes), &others)
}

fn told_example() -> Json {
    json!({
        "contactid": "10003", "entityid": "10003", "customerid": "10000001", "type": "Contact",
        "name": "Ann Example", "company": "Shop Ltd", "emailaddr": "ann@shop.example", "telnocc": "44",
        "telno": "2079460000", "address1": "1 Market Street", "city": "London", "country": "GB",
        "zip": "SW1A 1AA", "currentstatus": "Active", "contactstatus": "Active",
        "parentkey": "999999999_999999998_2001", "entitytypeid": "66", "eaqid": "0", "actioncompleted": "0",
        "description": "DomainContact", "classkey": "domcontact",
        "classname": "com.logicboxes.foundation.sfnb.order.domcontact.DomContact", "jumpConditions": [],
        "contacttype": [], "whoisValidity": { "valid": "true", "invalidData": [] },
    })
}

pub(crate) const DETAILS: Operation = Operation::new(
    TAG,
    "logicboxesContactsDetails",
    "A contact's details",
    "A deleted contact is told still, with `currentstatus` `Deleted`.",
    told,
    told_example,
)
.takes(&[CONTACT]);

fn row() -> Json {
    let always = [
        "contact.contactid",
        "entity.entityid",
        "entity.customerid",
        "entity.currentstatus",
        "entity.description",
        "contact.type",
        "contact.name",
        "contact.emailaddr",
        "contact.telnocc",
        "contact.telno",
        "contact.address1",
        "contact.city",
        "contact.country",
        "contact.zip",
        "contact.creationdt",
        "contact.timestamp",
        "designated-agent",
        "whoisValidity",
    ];
    let sometimes = [
        "contact.company",
        "contact.state",
        "contact.address2",
        "contact.address3",
        "contact.faxnocc",
        "contact.faxno",
    ];
    with(texts(&always, &sometimes), &[("whoisValidity", validity())])
}

fn row_example() -> Json {
    json!({
        "contact.contactid": "10003", "entity.entityid": "10003", "entity.customerid": "10000001",
        "entity.currentstatus": "Active", "entity.description": "DomainContact", "contact.type": "Contact",
        "contact.name": "Ann Example", "contact.company": "Shop Ltd",
        "contact.emailaddr": "ann@shop.example", "contact.telnocc": "44", "contact.telno": "2079460000",
        "contact.address1": "1 Market Street", "contact.city": "London", "contact.country": "GB",
        "contact.zip": "SW1A 1AA", "contact.creationdt": "1809336600",
        "contact.timestamp": "2027-05-03 09:30:00.000000+00", "designated-agent": "true",
        "whoisValidity": { "valid": "true", "invalidData": [] },
    })
}

const RECORDS: Parameter = required(
    "no-of-records",
    Within(*PAGE.start(), Some(*PAGE.end())),
    "Records on a page.",
);

pub(crate) const SEARCH: Operation = Operation::new(
    TAG,
    "logicboxesContactsSearch",
    "Search a customer's contacts",
    "`name`, `company` and `email` find what any word begins with. Without `status`, deleted contacts are left out.",
    || {
        let found = texts(&["recsonpage", "recsindb", "result"], &[]);
        with(found, &[("result", array_of(&row()))])
    },
    || json!({ "recsonpage": "1", "recsindb": "1", "result": [row_example()] }),
)
.takes(&[
    CUSTOMER,
    RECORDS,
    required("page-no", Within(0, None), "The page, from 1; 0 is the first page, too."),
    optional("contact-id", Integers, "Any of these contacts."),
    optional("status", SomeOf(states), "Any of these."),
    optional("name", Text, "Of this name."),
    optional("company", Text, "Of this company."),
    optional("email", Text, "With this e-mail address."),
    optional("type", OneOf(types_of_all), "Of this type."),
    optional("include-invalid", Boolean, "Makes no difference: contacts are never hidden as invalid."),
]);

const TYPES: Parameter = required("type", SomeOf(types), "Contact types.");

fn defaults() -> Json {
    let keys = ["registrant", "admin", "tech", "billing"];
    let rows = keys.map(|key| format!("{key}ContactDetails"));
    let mut schema = texts(&["type"], &keys);
    for key in rows {
        schema["properties"][key] = row();
    }
    map_of(&schema)
}

fn defaults_example() -> Json {
    json!({ "Contact": {
        "type": "Contact", "registrant": "10003", "admin": "10003",
        "registrantContactDetails": row_example(), "adminContactDetails": row_example(),
    } })
}

pub(crate) const DEFAULT: Operation = Operation::new(
    TAG,
    "logicboxesContactsDefault",
    "Default contacts",
    "A customer's default contacts by type. A type that has none is not in the answer.",
    defaults,
    defaults_example,
)
.takes(&[CUSTOMER, TYPES]);

pub(crate) const MOD_DEFAULT: Operation = Operation::new(
    TAG,
    "logicboxesContactsModDefault",
    "Set default contacts",
    "Sets a customer's default contacts of these types. -1 is nobody.",
    defaults,
    defaults_example,
)
.takes(&[
    CUSTOMER,
    TYPES,
    required("reg-contact-id", Integer, "The registrant."),
    required("admin-contact-id", Integer, "The administrator."),
    required("tech-contact-id", Integer, "The technical contact."),
    required("billing-contact-id", Integer, "The billing contact."),
]);

fn action() -> Json {
    let keys = [
        "entityid",
        "eaqid",
        "actiontype",
        "actiontypedesc",
        "actionstatus",
        "actionstatusdesc",
        "status",
    ];
    texts(&keys, &[])
}

fn action_example(kind: &str, description: &str) -> Json {
    json!({
        "entityid": "10003", "eaqid": "4711", "actiontype": kind, "actiontypedesc": description,
        "actionstatus": "Success", "actionstatusdesc": format!("{description} completed successfully"),
        "status": "Success",
    })
}

pub(crate) const MODIFY: Operation = Operation::new(
    TAG,
    "logicboxesContactsModify",
    "Change a contact",
    "All details are to be told again; of attributes, those that change.",
    action,
    || action_example("Mod", "Modification of Contact Details"),
)
.takes(&[
    CONTACT,
    NAME,
    COMPANY_BY_CONTACT,
    EMAIL,
    ADDRESS_1,
    ADDRESS_2,
    ADDRESS_3,
    CITY,
    STATE,
    COUNTRY,
    ZIP,
    PHONE_CODE,
    PHONE,
    FAX_CODE,
    FAX,
    ATTRIBUTE_NAME,
    ATTRIBUTE_VALUE,
]);

pub(crate) const SET_DETAILS: Operation = Operation::new(
    TAG,
    "logicboxesContactsSetDetails",
    "Tell more of a contact",
    "Sets attributes of these groups. `false` if the contact's type does not have one of them; nothing is changed then.",
    boolean,
    || json!(true),
)
.takes(&[
    CONTACT,
    required("product-key", SomeOf(|| LATER_GROUPS.to_vec()), "Groups of attributes."),
    ATTRIBUTE_NAME,
    ATTRIBUTE_VALUE,
]);

pub(crate) const DELETE: Operation = Operation::new(
    TAG,
    "logicboxesContactsDelete",
    "Delete a contact",
    "Refused while an order or an organization names it, or it is a default contact of its customer's.",
    action,
    || action_example("Del", "Deletion of Contact"),
)
.takes(&[CONTACT]);

pub(crate) const VALIDATE: Operation = Operation::new(
    TAG,
    "logicboxesContactsValidateRegistrant",
    "Who is eligible",
    "Which criteria contacts meet, as far as they tell.",
    || map_of(&map_of(&json!({ "enum": ["true", "false"] }))),
    || json!({ "10003": { "CPR": "true", "APP_PREF_NEXUS": "false" } }),
)
.takes(&[
    required("contact-id", Integers, "The contacts."),
    required(
        "eligibility-criteria",
        SomeOf(|| Criterion::all().map(Criterion::as_str).collect()),
        "The criteria.",
    ),
]);

pub(crate) const SPONSORS: Operation = Operation::new(
    TAG,
    "logicboxesContactsSponsors",
    "Sponsors",
    "A customer's sponsors for .coop, by number.",
    || map_of(&texts(&["company", "name", "emailaddr", "country"], &[])),
    || {
        json!({ "10004": {
            "company": "Shop Ltd", "name": "Ann Example", "emailaddr": "ann@shop.example", "country": "GB",
        } })
    },
)
.takes(&[CUSTOMER]);

pub(crate) const ADD_SPONSOR: Operation = Operation::new(
    TAG,
    "logicboxesContactsAddSponsor",
    "Add a sponsor",
    "Answers the number of the sponsor: that of the customer's sponsor of this name and company, if there is one.",
    integer,
    || json!(10_004),
)
.takes(&[
    NAME, COMPANY, EMAIL, ADDRESS_1, ADDRESS_2, ADDRESS_3, CITY, STATE, COUNTRY, ZIP, PHONE_CODE, PHONE,
    FAX_CODE, FAX, CUSTOMER,
]);

pub(crate) const REGISTRANT_AGREEMENT: Operation = Operation::new(
    TAG,
    "logicboxesContactsRegistrantAgreement",
    "Registrant agreement of .ca",
    "What registrants of .ca agree to; `version` is for the attribute `AgreementVersion`.",
    || texts(&["version", "agreement"], &[]),
    || json!({ "version": DOTCA_VERSION, "agreement": "<h1>Registrant agreement</h1>" }),
);
