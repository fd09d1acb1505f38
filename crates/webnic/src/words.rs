//! The dialect's words: our fields by its names, and what is wrong with them in its sentences.
//!
//! Clients look for words in these texts before they look at anything else, so sentences about business
//! stay clear of those that speak of signing in, of rights and of availability.

use std::borrow::Cow;

use chancery_app::{Noun, Refusal, TooMany};
use chancery_domain::Timestamp;
use chancery_domain::authorizations::Method;
use chancery_domain::contacts::{ContactField, Role};
use chancery_domain::customers::CustomerField;
use chancery_domain::fields::{Field, FieldError, Problem, SubjectPart};
use chancery_domain::rates::Excess;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::scalars::{ContactNumber, parse_digits};
use crate::status::of_stage;

/// Something wrong with a field, in the dialect's words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    /// The field, by its wire name.
    pub(crate) name: Cow<'static, str>,
    /// What is wrong with it.
    pub(crate) text: String,
    /// Where that is said.
    pub(crate) kind: FaultKind,
}

/// The three ways the dialect speaks of faults.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FaultKind {
    /// Missing, ill-typed or not understood: `validationErrors`.
    Form,
    /// The content of a contact: `fieldErrors`.
    Content,
    /// A business rule: a sentence of its own, where nothing else is wrong.
    Business,
}

impl From<FieldError> for Fault {
    fn from(FieldError { field, problem }: FieldError) -> Self {
        let name = wire_name(field);
        let text = sentence(field, &name, &problem);
        Self {
            text,
            kind: kind(field, &problem),
            name,
        }
    }
}

impl Fault {
    /// A query parameter that is not there.
    pub(crate) fn missing_parameter(name: Cow<'static, str>) -> Self {
        let text = format!(
            "Required request parameter '{name}' for method parameter type String is not present"
        );
        Self {
            name,
            text,
            kind: FaultKind::Form,
        }
    }
}

/// The name of a field on the wire. The one table of them.
pub(crate) fn wire_name(field: Field) -> Cow<'static, str> {
    Cow::Borrowed(match field {
        Field::Product => "productKey",
        Field::Term => "term",
        Field::Csr => "csr",
        Field::Names => "sanfield",
        Field::Administrator => "administratorContactId",
        Field::Technical => "technicalContactId",
        Field::Shipment => "shipmentContactId",
        Field::Organization => "organizationId",
        Field::Method => "authType",
        Field::Approver => "approverEmail",
        Field::CommonName => "commonName",
        Field::KeySize => "keySize",
        Field::Order => "orderId",
        Field::SpecialInstruction => "specialInstruction",
        Field::NameCount => "commonSAN",
        Field::WildcardCount => "wildcardSAN",
        Field::Username => "username",
        Field::Password => "password",
        Field::RepeatKey => "Idempotency-Key",
        Field::ReuseKey => "reuseKey",
        Field::UsePrevalidated => "usePrevalidated",
        Field::Domain => "domain",
        Field::WithChain => "bundle",
        Field::PrivateKey => "privateKey",
        Field::StorePassword => "pfxPassword",
        Field::Legacy => "legacy",
        Field::RevocationReason => "reason",
        Field::Serial => "serial",
        Field::IncludeRevoked => "includeRevoked",
        Field::Person(role) => role_name(role),
        Field::OrganizationDetails => "organization",
        Field::ValidationType => "type",
        Field::Subject(part) => match part {
            SubjectPart::Organization => "organization",
            SubjectPart::OrganizationUnit => "organizationUnit",
            SubjectPart::City => "city",
            SubjectPart::State => "state",
            SubjectPart::Country => "countryCode",
            SubjectPart::Email => "email",
        },
        Field::Contact(role, part) => {
            return Cow::Owned(format!("{}.{}", role_name(role), contact_member(part)));
        }
        Field::ContactType => "type",
        Field::Attribute(name) => name,
        Field::Customer => "customerId",
        Field::DefaultContact(_) => "defaultContactId",
        Field::CustomerDetails(part) => contact_member(part),
        Field::CustomerPart(part) => match part {
            CustomerField::Username => "username",
            CustomerField::Password => "password",
            CustomerField::OtherState => "otherState",
            CustomerField::OtherPhoneCode => "otherPhoneCode",
            CustomerField::OtherPhone => "otherPhoneNumber",
            CustomerField::MobileCode => "mobileCode",
            CustomerField::Mobile => "mobileNumber",
            CustomerField::Language => "language",
            CustomerField::VatId => "vatId",
            CustomerField::Address => "ip",
            CustomerField::Token => "token",
        },
        Field::OrganizationPart(part) => {
            return Cow::Owned(format!("organization.{}", contact_member(part)));
        }
    })
}

/// A role, as the key of a contact to be created and as its `contactType`.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Administrator => "administrator",
        Role::Technical => "technical",
    }
}

/// A part of a contact, as a key of `details`.
pub(crate) fn contact_member(part: ContactField) -> &'static str {
    match part {
        ContactField::Company => "company",
        ContactField::Name => "name",
        ContactField::FirstName => "firstName",
        ContactField::LastName => "lastName",
        ContactField::Address1 => "address1",
        ContactField::Address2 => "address2",
        ContactField::Address3 => "address3",
        ContactField::City => "city",
        ContactField::State => "state",
        ContactField::Country => "countryCode",
        ContactField::Zip => "zip",
        ContactField::PhoneCode => "phoneCode",
        ContactField::Phone => "phoneNumber",
        ContactField::FaxCode => "faxCode",
        ContactField::Fax => "faxNumber",
        ContactField::Email => "email",
        ContactField::JobTitle => "jobTitle",
    }
}

/// A method, as the value of `authType`.
pub(crate) fn auth_type(method: Method) -> &'static str {
    match method {
        Method::Email => "email",
        Method::Dns => "dns",
        Method::File => "file",
    }
}

/// Any `authType`, as the document tells it.
pub(crate) fn auth_type_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": METHODS.map(auth_type) })
}

/// All methods, in the order they are listed to people.
pub(crate) const METHODS: [Method; 3] = [Method::Email, Method::Dns, Method::File];

/// What is said of a contact id that cannot be one.
pub(crate) const BAD_CONTACT_ID: &str = "Invalid contact id.";

fn kind(field: Field, problem: &Problem) -> FaultKind {
    match (field, problem) {
        (field, Problem::Missing | Problem::Type(_)) if is_detail(field) => FaultKind::Form,
        (field, _) if is_detail(field) => FaultKind::Content,
        (_, Problem::Unknown(_)) | (Field::Term, Problem::NotOneOf(_)) => FaultKind::Business,
        (field, Problem::Format) if names_contact(field) => FaultKind::Business,
        _ => FaultKind::Form,
    }
}

/// Whether a field is a part of the details of a contact or an organization.
fn is_detail(field: Field) -> bool {
    matches!(field, Field::Contact(..) | Field::OrganizationPart(_))
}

fn names_contact(field: Field) -> bool {
    matches!(
        field,
        Field::Administrator | Field::Technical | Field::Shipment
    )
}

fn sentence(field: Field, name: &str, problem: &Problem) -> String {
    let is_contact = is_detail(field);
    match problem {
        Problem::Missing => format!("'{name}' is required."),
        Problem::Type(wanted) => format!("'{name}' is invalid. Expected {wanted}."),
        Problem::NotOneOf(words) if field == Field::Term => {
            format!("Invalid terms. Supported terms are [{}]", words.join(", "))
        }
        Problem::NotOneOf(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            format!(
                "'{name}' is invalid. Acceptable values are {}.",
                words.join(", ")
            )
        }
        Problem::Length { min, max } if is_contact => {
            format!("invalid length - min: {min} | max: {max}")
        }
        Problem::Length { min, max } => {
            format!("'{name}' has an invalid length - min: {min} | max: {max}")
        }
        Problem::Words(1) => format!("'{name}' must have a word."),
        Problem::Words(words) => format!("'{name}' must have at least {words} words."),
        Problem::Format if is_contact => "invalid format".to_owned(),
        Problem::Format if names_contact(field) => BAD_CONTACT_ID.to_owned(),
        Problem::Format => format!("'{name}' has an invalid format."),
        Problem::Fixed => format!("'{name}' cannot be changed."),
        Problem::Unknown(_) if field == Field::Product => "Invalid product key.".to_owned(),
        Problem::Unknown(id) if field == Field::Organization => not_found(Noun::Organization, id),
        Problem::Unknown(id) if names_contact(field) => not_found(Noun::Contact, id),
        Problem::Unknown(id) => format!("'{name}' not found: {id}"),
        Problem::Invalid(text) if is_contact => text.clone(),
        Problem::Invalid(text) if field == Field::Csr => format!("Invalid CSR: {text}."),
        Problem::Invalid(text) => format!("'{name}' is invalid: {text}."),
    }
}

/// What is said of a thing that is not there, or is another's.
pub(crate) fn not_found(what: Noun, id: &str) -> String {
    match what {
        Noun::Order => "Order not found.".to_owned(),
        Noun::Product => "Invalid product key.".to_owned(),
        Noun::Organization => "Organization not found".to_owned(),
        Noun::VettingCase => "Validation not found.".to_owned(),
        Noun::Evidence => "Evidence not found.".to_owned(),
        Noun::Reseller => "Reseller not found.".to_owned(),
        Noun::Approval => "Approval not found.".to_owned(),
        Noun::Credential => "Credential not found.".to_owned(),
        Noun::Certificate => "Certificate not found.".to_owned(),
        Noun::ParkedJob | Noun::Job => "Job not found.".to_owned(),
        Noun::LedgerEntry => "Entry not found.".to_owned(),
        Noun::Domain => "Domain not found.".to_owned(),
        Noun::Proof => "Proof not found.".to_owned(),
        Noun::Customer | Noun::CustomerOfName => format!("Customer not found: {id}"),
        Noun::Token => "Token not found.".to_owned(),
        Noun::Contact => match parse_digits(id) {
            Some(number) => {
                format!(
                    "Contact not found: {}",
                    ContactNumber(chancery_domain::contacts::ContactId(number))
                )
            }
            None => format!("Contact not found: {id}"),
        },
    }
}

/// What is said to who comes too often.
pub(crate) fn too_many(what: TooMany, retry_seconds: u64) -> String {
    let what = match what {
        TooMany::Calls(Excess::Second(limit)) => {
            format!("Too many requests: there may be {limit} a second.")
        }
        TooMany::Calls(Excess::Day(limit)) => {
            format!("Too many requests: there may be {limit} a day.")
        }
        TooMany::Calls(Excess::Month(limit)) => {
            format!("Too many requests: there may be {limit} a month.")
        }
        TooMany::FailedSignIns => "Too many wrong passwords.".to_owned(),
    };
    let plural = if retry_seconds == 1 { "" } else { "s" };
    format!("{what} Try again in {retry_seconds} second{plural}.")
}

/// A moment for people, to the second.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is said when a rule of business forbids.
pub(crate) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::InsufficientBalance => {
            "Unable to place order due to insufficient balance".to_owned()
        }
        Refusal::NoPrice(currency) => format!("Order failed due to {currency} price not found"),
        Refusal::KeyReused => {
            "The Idempotency-Key was used for another request already.".to_owned()
        }
        Refusal::ContactHeld(id, _) | Refusal::ContactErased(id) | Refusal::ContactInUse(id) => {
            format!("Contact ID [{}] in use.", ContactNumber(*id))
        }
        Refusal::OrganizationExists(id) => {
            format!("Organization [{id}] has the same company and address.")
        }
        Refusal::Vetting(error) => format!("The validation cannot go on: {error}."),
        Refusal::NotIssued => "The certificate is not issued yet.".to_owned(),
        Refusal::CertificateRevoked { at, reason } => format!(
            "The certificate was revoked on {} ({reason}). Reissue the order for another one, or send \
             'includeRevoked' to download it all the same.",
            second(*at)
        ),
        Refusal::IssuingCaRevoked(at) => format!(
            "The CA that issued the certificate was revoked on {}, and clients no longer trust it. Reissue the order \
             for another one, or send 'includeRevoked' to download it all the same.",
            second(*at)
        ),
        Refusal::CertificateEnded => {
            "The certificate has ended: there is nothing to revoke.".to_owned()
        }
        Refusal::RefundWindowOver {
            order,
            stage,
            ended_at,
        } => format!(
            "Action prohibited for '{}' status. The refund window ended on {}. To end the certificate without \
             money back, revoke it: POST /ssl/v2/orders/{order}/revoke.",
            of_stage(*stage).order,
            second(*ended_at)
        ),
        Refusal::KeyGenerationOff => {
            "Key generation is switched off. Make the key and the CSR where the key is used."
                .to_owned()
        }
        Refusal::NotByEmail => "The order is not validated by email.".to_owned(),
        Refusal::TooManyMails => {
            "Too many approval mails were sent for this order. Try again later.".to_owned()
        }
        Refusal::TooManyDomains(most) => {
            format!("There are {most} domains already. Drop some first.")
        }
        Refusal::RenewedBefore(order) => format!("The order was renewed by order {order} already."),
        Refusal::RenewalNotOpen(from) => {
            let from = chancery_domain::Timestamp::from_second(from.as_second()).unwrap_or(*from);
            format!("The order can be renewed from {from} on.")
        }
        Refusal::ProductWithdrawn(key) => format!("The product '{key}' is not sold any more."),
        Refusal::CreditOfNothing => "A credit is more than zero.".to_owned(),
        Refusal::Operator(refusal) => format!("This is refused: {refusal}."),
        Refusal::OtherCurrency(currency) => format!("The balance is in {currency}."),
        Refusal::PriceTooLarge => "The price is too large.".to_owned(),
        Refusal::CustomerHeld(..) | Refusal::CustomerErased(_) => {
            "This customer cannot be erased.".to_owned()
        }
        Refusal::CustomerNotProved => "The username or the password is wrong.".to_owned(),
        Refusal::CustomerIsReseller => "This customer is the reseller itself.".to_owned(),
        Refusal::CustomerInUse(id) => format!("Contact ID [{}] in use.", ContactNumber(*id)),
        Refusal::TooManyContacts(most) => {
            format!("This customer has more than {most} contacts. Delete some first.")
        }
        Refusal::TooManyPasswords => {
            "Too many passwords were mailed to this customer. Try again later.".to_owned()
        }
        Refusal::SearchTooWide => {
            "The search finds too much to give all of it. Add a filter, or a longer value."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_domain::contacts::ContactId;
    use chancery_domain::money::Currency;
    use chancery_domain::orders::OrderId;
    use chancery_domain::organizations::OrganizationId;
    use chancery_domain::revocations::RevocationReason;
    use chancery_domain::stages::Stage;
    use chancery_domain::vetting::VettingError;

    use super::*;

    fn text(field: Field, problem: Problem) -> String {
        Fault::from(FieldError { field, problem }).text
    }

    #[test]
    fn the_captured_sentences_are_kept() {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        assert_eq!(text(Field::Csr, Problem::Missing), "'csr' is required.");
        assert_eq!(
            text(Field::Method, Problem::NotOneOf(words(&["email", "dns"]))),
            "'authType' is invalid. Acceptable values are 'email', 'dns'."
        );
        assert_eq!(
            text(Field::Term, Problem::NotOneOf(words(&["1", "2", "3"]))),
            "Invalid terms. Supported terms are [1, 2, 3]"
        );
        assert_eq!(
            text(Field::Technical, Problem::Unknown("10667".to_owned())),
            "Contact not found: SSL10667T"
        );
        let first_name = Field::Contact(Role::Administrator, ContactField::FirstName);
        assert_eq!(wire_name(first_name), "administrator.firstName");
        assert_eq!(
            text(first_name, Problem::Length { min: 1, max: 60 }),
            "invalid length - min: 1 | max: 60"
        );
        assert_eq!(text(first_name, Problem::Format), "invalid format");
        assert_eq!(
            text(first_name, Problem::Missing),
            "'administrator.firstName' is required."
        );
        assert_eq!(
            Fault::missing_parameter(wire_name(Field::Product)).text,
            "Required request parameter 'productKey' for method parameter type String is not present"
        );
        assert_eq!(
            refusal(&Refusal::ContactInUse(ContactId(7))),
            "Contact ID [SSL7T] in use."
        );
    }

    /// Words by which a client would take a business error for a failed sign-in or an outage.
    const WORDS_TO_AVOID: [&str; 9] = [
        "authentication",
        "unauthorized",
        "invalid token",
        "forbidden",
        "not allowed",
        "under current partner",
        "unavailable",
        "not available",
        "expired token",
    ];

    /// One of each kind.
    fn refusals() -> Vec<Refusal> {
        let usd = Currency::parse("USD").unwrap();
        vec![
            Refusal::InsufficientBalance,
            Refusal::NoPrice(usd),
            Refusal::KeyReused,
            Refusal::ContactInUse(ContactId(10_667)),
            Refusal::OrganizationExists(OrganizationId(8)),
            Refusal::Vetting(VettingError::Reason),
            Refusal::NotIssued,
            Refusal::CertificateRevoked {
                at: "2026-12-24T10:00:00Z".parse().unwrap(),
                reason: RevocationReason::KeyCompromise,
            },
            Refusal::IssuingCaRevoked("2026-12-24T10:00:00Z".parse().unwrap()),
            Refusal::CertificateEnded,
            Refusal::RefundWindowOver {
                order: OrderId(1_000_000_003),
                stage: Stage::Active,
                ended_at: "2026-12-24T10:00:00Z".parse().unwrap(),
            },
            Refusal::KeyGenerationOff,
            Refusal::NotByEmail,
            Refusal::TooManyMails,
            Refusal::TooManyDomains(1_000),
            Refusal::RenewedBefore(chancery_domain::orders::OrderId(1_000_000_003)),
            Refusal::RenewalNotOpen("2027-08-30T14:52:06Z".parse().unwrap()),
            Refusal::ProductWithdrawn("ssl123".to_owned()),
            Refusal::CreditOfNothing,
            Refusal::Operator(chancery_app::OperatorRefusal::NoReason),
            Refusal::OtherCurrency(usd),
            Refusal::PriceTooLarge,
            Refusal::CustomerNotProved,
            Refusal::CustomerIsReseller,
            Refusal::CustomerInUse(ContactId(10_667)),
            Refusal::TooManyContacts(2000),
            Refusal::TooManyPasswords,
            Refusal::SearchTooWide,
        ]
    }

    #[test]
    fn every_business_sentence_is_in_the_documentation() {
        let documentation = include_str!("../../../docs/api/webnic.md");
        // Operators and customers do not use this dialect.
        let is_for_others = |refusal: &Refusal| {
            matches!(
                refusal,
                Refusal::Vetting(_)
                    | Refusal::CreditOfNothing
                    | Refusal::Operator(_)
                    | Refusal::OtherCurrency(_)
                    | Refusal::CustomerNotProved
                    | Refusal::CustomerIsReseller
                    | Refusal::TooManyContacts(_)
                    | Refusal::TooManyPasswords
            )
        };
        for told in refusals() {
            let sentence = format!("`{}`", refusal(&told));
            let is_there = documentation.contains(&sentence);
            assert_eq!(is_there, !is_for_others(&told), "{sentence}");
        }
        for (what, id) in [
            (Noun::Order, "1"),
            (Noun::Contact, "10667"),
            (Noun::Product, "gold"),
            (Noun::Organization, "8"),
        ] {
            let sentence = not_found(what, id);
            assert!(
                documentation.contains(&format!("`{sentence}`")),
                "{sentence}"
            );
        }
    }

    #[test]
    fn business_sentences_avoid_the_words_that_mislead_clients() {
        let nouns = [
            Noun::Order,
            Noun::Contact,
            Noun::Product,
            Noun::Organization,
            Noun::VettingCase,
            Noun::Evidence,
            Noun::Reseller,
            Noun::Approval,
            Noun::Credential,
            Noun::Certificate,
            Noun::ParkedJob,
            Noun::Domain,
            Noun::Proof,
            Noun::Customer,
            Noun::CustomerOfName,
            Noun::Token,
        ];
        let mut texts: Vec<String> = refusals().iter().map(refusal).collect();
        texts.extend(nouns.iter().map(|noun| not_found(*noun, "1")));
        for problem in [
            Problem::Missing,
            Problem::Type("a string"),
            Problem::NotOneOf(vec![]),
            Problem::Length { min: 1, max: 2 },
            Problem::Format,
            Problem::Unknown("x".to_owned()),
            Problem::Invalid("x".to_owned()),
        ] {
            for field in [
                Field::Product,
                Field::Term,
                Field::Csr,
                Field::Shipment,
                Field::Order,
            ] {
                texts.push(text(field, problem.clone()));
            }
        }
        for sentence in texts {
            let lower = sentence.to_lowercase();
            assert!(
                WORDS_TO_AVOID.iter().all(|word| !lower.contains(word)),
                "{sentence}"
            );
        }
    }
}
