//! What is sent, member by member and parameter by parameter, as the document tells it.
//!
//! A field is the same thing in every request that takes it, so it stands here once. Tolerances are not
//! spelled out in the schemas, but for those that clients rely on: numbers in strings, and the forms of
//! approvers.

use chancery_domain::contacts::ContactField;
use chancery_domain::fields::{Field, SubjectPart};
use chancery_domain::revocations::RevocationReason;
use serde_json::{Map, Value, json};

use crate::csrs::KEY_SIZES;
use crate::words::{METHODS, auth_type, wire_name};

/// A JSON object of these members.
pub(super) fn object(required: &[Field], optional: &[Field]) -> Value {
    let members = required.iter().chain(optional);
    let properties: Map<String, Value> = members
        .map(|field| (member(*field), schema(*field)))
        .collect();
    let mut object = json!({ "type": "object" });
    if !required.is_empty() {
        let required = required.iter().map(|field| member(*field));
        object["required"] = required.collect();
    }
    object["properties"] = properties.into();
    object
}

/// The last part of a field's name: parts of a person are named with whose they are.
fn member(field: Field) -> String {
    let name = wire_name(field);
    name.rsplit('.').next().unwrap_or_default().to_owned()
}

/// A parameter of a path or a query, with an example of it in `example`.
pub(super) fn parameter(name: &str) -> Option<Value> {
    let (schema, example) = match name {
        "orderId" => (schema(Field::Order), json!("757512302")),
        "contactId" => (contact("The contact."), json!("SSL10667T")),
        "organizationId" => (schema(Field::Organization), json!(8)),
        "domain" => (schema(Field::Domain), json!("shop.example")),
        "domainId" => (integer("The number of a domain."), json!("4711")),
        "proofId" => (integer("The number of a proof."), json!("4712")),
        "before" => (
            integer("Where to go on: those before the one of this number."),
            json!("4711"),
        ),
        "productKey" => (schema(Field::Product), json!("ssl123")),
        "term" => (schema(Field::Term), json!(1)),
        "commonSAN" => (schema(Field::NameCount), json!(2)),
        "wildcardSAN" => (schema(Field::WildcardCount), json!(0)),
        "commonName" => (schema(Field::CommonName), json!("shop.example")),
        "format" => (format(), json!("PEM")),
        "type" => (statistic(), json!("totalActive")),
        "year" => (year(), json!(2026)),
        "from" => (
            month("The first month; eleven before the last unless given."),
            json!("2026-01"),
        ),
        "to" => (
            month("The last month; this one unless given."),
            json!("2026-11"),
        ),
        _ => return None,
    };
    let mut schema = schema;
    let description = schema.as_object_mut()?.remove("description")?;
    Some(json!({
        "name": name,
        "description": description,
        "schema": schema,
        "example": example,
    }))
}

/// Why something may be revoked by a reseller: by name or by number (RFC 5280 §5.3.1).
fn reason() -> Value {
    let reasons = RevocationReason::OF_SUBSCRIBERS;
    let names = reasons.iter().map(|reason| json!(reason.name()));
    let codes = reasons.iter().map(|reason| json!(reason.code()));
    json!({
        "enum": names.chain(codes).collect::<Vec<_>>(),
        "description": "Why it is revoked, by name or by number.",
    })
}

fn format() -> Value {
    json!({
        "type": "string",
        "enum": crate::downloads::format_names(),
        "description": "What the file is to be, in any case of letters.",
    })
}

fn statistic() -> Value {
    json!({
        "type": "string",
        "enum": crate::order_statistics::names(),
        "description": "Which number is wanted, in any case of letters; `active` stands for `totalActive`.",
    })
}

fn year() -> Value {
    json!({
        "type": "integer",
        "minimum": 1,
        "maximum": 9999,
        "description": "All months of a year; not together with `from` and `to`.",
    })
}

fn month(description: &str) -> Value {
    json!({
        "type": "string",
        "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$",
        "description": description,
    })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn short_text(description: &str, characters: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": characters, "description": description })
}

fn boolean(description: &str) -> Value {
    json!({ "type": "boolean", "default": false, "description": description })
}

fn integer(description: &str) -> Value {
    json!({
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": "^[0-9]+$",
        "description": description,
    })
}

fn contact(description: &str) -> Value {
    json!({
        "type": "string",
        "pattern": "^[Ss][Ss][Ll][0-9]+[Tt]$",
        "description": description,
    })
}

fn names(description: &str) -> Value {
    json!({
        "type": "array",
        "items": { "type": "string" },
        "maxItems": 1000,
        "description": description,
    })
}

fn method() -> Value {
    json!({
        "type": "string",
        "enum": METHODS.map(auth_type),
        "description": "How control of the names is to be shown.",
    })
}

/// The forms in which approvers come.
fn approvers() -> Value {
    let address = json!({ "type": "string", "examples": ["admin@shop.example"] });
    let named = json!({
        "type": "object",
        "required": ["email"],
        "properties": {
            "domain": { "type": "string", "description": "The name the address answers for." },
            "name": { "type": "string", "description": "The same, where there is no `domain`." },
            "email": address,
        },
    });
    json!({
        "description": "Who is to approve, of the approver list of each name: one address, addresses in the \
            order of the names, or addresses with their names.",
        "anyOf": [
            address,
            { "type": "array", "maxItems": 1000, "items": { "anyOf": [address, named] } },
        ],
    })
}

fn key_size() -> Value {
    let sizes = KEY_SIZES.map(|(bits, _)| bits);
    let as_text = sizes.map(|bits| bits.to_string());
    json!({
        "anyOf": [{ "enum": sizes }, { "enum": as_text }],
        "default": 2048,
        "description": "The size of the key in bits: RSA from 2048, elliptic curves below.",
    })
}

/// What a field is. The one table of them.
pub(super) fn schema(field: Field) -> Value {
    match field {
        Field::Product => text("The key of a product, as the list of products has it."),
        Field::Term => integer("The term, in years; the rules of a product tell which are sold."),
        Field::Csr => text("A certificate signing request, PEM."),
        Field::Names => names("Further names, beside the common name."),
        Field::Administrator => contact("The contact who administers the order."),
        Field::Technical => {
            contact("The contact for technical matters; the administrator unless given.")
        }
        Field::Shipment => {
            contact("A contact that has to exist and is not kept: delivery is by download.")
        }
        Field::Organization => integer("The organization, by its number."),
        Field::Method => method(),
        Field::Approver => approvers(),
        Field::CommonName => text("A host name, or a wildcard (`*.shop.example`)."),
        Field::KeySize => key_size(),
        Field::Order => integer("The number of an order."),
        Field::SpecialInstruction => short_text("A note for the people behind the platform.", 1000),
        Field::NameCount => integer("How many further names that are not wildcards."),
        Field::WildcardCount => integer("How many further wildcards."),
        Field::Username => text("The public half of the credential."),
        Field::Password => json!({
            "type": "string",
            "format": "password",
            "description": "Its secret half.",
        }),
        Field::RepeatKey => short_text(
            "Makes a repeated request known as one: the same key with the same body gives the first answer \
             again and charges nothing.",
            200,
        ),
        Field::UsePrevalidated => boolean(
            "Whether domains that the reseller has proved ahead of any order serve this one and what follows it.",
        ),
        Field::Domain => text("A domain; of a wildcard, its host."),
        Field::ReuseKey => boolean(
            "Whether the platform may certify the key again by itself when it replaces a certificate; as it is \
                 set for the reseller, where nothing is said.",
        ),
        Field::WithChain => boolean("Whether `PEM` comes with the intermediate."),
        Field::PrivateKey => json!({
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "For `PFX` and `JKS`: the file with the subscriber's key, PEM or DER, not encrypted. \
                It is used while the file is made and kept nowhere.",
        }),
        Field::StorePassword => json!({
            "type": "string",
            "format": "password",
            "minLength": 1,
            "maxLength": 128,
            "description": "For `PFX` and `JKS`: what they are protected with.",
        }),
        Field::Legacy => boolean("A `PFX` in the encoding of old software."),
        Field::IncludeRevoked => boolean("Whether to deliver a certificate that is revoked."),
        Field::RevocationReason => reason(),
        Field::Serial => json!({
            "type": "string",
            "pattern": "^[0-9A-Fa-f: ]+$",
            "description": "The serial number of a certificate, in hexadecimal.",
        }),
        Field::Person(_) => person(80, "A person."),
        Field::OrganizationDetails => person(
            64,
            "An organization, and a person there. The same company and address is the same organization.",
        ),
        Field::ValidationType => {
            json!({ "enum": ["OV", "EV"], "description": "The kind of validation." })
        }
        Field::Subject(part) => subject(part),
        Field::Contact(_, part) | Field::OrganizationPart(part) | Field::CustomerDetails(part) => {
            detail(part)
        }
        Field::ContactType => text("The type of a contact."),
        Field::Attribute(_) => text("What the type of a contact wants to know."),
        Field::Customer => integer("The customer a contact belongs to, by its number."),
        Field::DefaultContact(_) => integer("A default contact of a customer's, by its number."),
        Field::CustomerPart(_) => text("What is told of a customer."),
    }
}

fn subject(part: SubjectPart) -> Value {
    text(match part {
        SubjectPart::Organization => "Legal name of the organization.",
        SubjectPart::OrganizationUnit => "Part of the organization.",
        SubjectPart::City => "City.",
        SubjectPart::State => "State or province.",
        SubjectPart::Country => "Country, ISO 3166-1 in two letters.",
        SubjectPart::Email => "E-mail address.",
    })
}

/// A person, with a company of so many characters.
fn person(company: usize, description: &str) -> Value {
    use ContactField::{
        Address1, Address2, City, Company, Country, Email, Fax, FirstName, JobTitle, LastName,
        Phone, State, Zip,
    };
    let required = [
        Company, FirstName, LastName, Address1, City, State, Country, Zip, Phone, Email,
    ];
    let mut person = object(
        &required.map(Field::OrganizationPart),
        &[Address2, Fax, JobTitle].map(Field::OrganizationPart),
    );
    person["properties"]["company"]["maxLength"] = json!(company);
    person["description"] = json!(description);
    person
}

fn detail(part: ContactField) -> Value {
    match part {
        ContactField::Company => short_text("Name of the company.", 80),
        ContactField::Name => short_text("The name as one text.", 255),
        ContactField::FirstName => short_text("Given name.", 60),
        ContactField::LastName => short_text("Family name.", 60),
        ContactField::Address1 => short_text("Street and number.", 128),
        ContactField::Address2 => short_text("More of the address.", 128),
        ContactField::Address3 => short_text("Still more of the address.", 128),
        ContactField::City => short_text("City.", 128),
        ContactField::State => short_text("State or province.", 128),
        ContactField::Country => json!({
            "type": "string",
            "pattern": "^[A-Za-z]{2}$",
            "description": "Country, ISO 3166-1 in two letters.",
        }),
        ContactField::Zip => short_text("Postal code.", 16),
        ContactField::PhoneCode | ContactField::FaxCode => short_text("Calling code.", 3),
        ContactField::Phone => phone("Telephone."),
        ContactField::Fax => phone("Fax."),
        ContactField::Email => short_text("E-mail address.", 254),
        ContactField::JobTitle => short_text("What the person is there.", 128),
    }
}

fn phone(description: &str) -> Value {
    json!({
        "type": "string",
        "pattern": "^[+][0-9]{1,4}[.][0-9]{4,15}$",
        "description": format!("{description} `+<country code>.<number>`."),
    })
}
