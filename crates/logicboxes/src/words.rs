//! The dialect's words: our fields by its names, and what is wrong with them in its sentences.

use std::borrow::Cow;

use chancery_app::{Noun, Refusal, TooMany};
use chancery_domain::contacts::{ContactField, DefaultRole};
use chancery_domain::customers::CustomerField;
use chancery_domain::fields::{Field, Problem, SubjectPart};
use chancery_domain::rates::Excess;

/// A field, in the dialect's words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FieldWords {
    /// Its name in requests.
    pub(crate) parameter: &'static str,
    /// Its name in answers and in error maps: letters, digits and `_`.
    pub(crate) stored_as: Cow<'static, str>,
    /// Its name in sentences.
    pub(crate) label: &'static str,
}

const fn words(
    parameter: &'static str,
    stored_as: &'static str,
    label: &'static str,
) -> FieldWords {
    FieldWords {
        parameter,
        stored_as: Cow::Borrowed(stored_as),
        label,
    }
}

impl FieldWords {
    /// The words for a field. The one table of them; what no method here takes is told by plain names.
    pub(crate) fn of(field: Field) -> Self {
        match field {
            Field::Contact(_, part)
            | Field::OrganizationPart(part)
            | Field::CustomerDetails(part) => of_contact(part),
            Field::ContactType => words("type", "type", "Contact Type"),
            Field::Attribute(name) => of_attribute(name),
            Field::Customer => words("customer-id", "customerid", "Customer Id"),
            Field::DefaultContact(role) => of_default(role),
            Field::CustomerPart(part) => of_customer(part),
            Field::Username => words("username", "username", "Username"),
            Field::Password => words("passwd", "passwd", "Password"),
            Field::Order => words("order-id", "orderid", "Order Id"),
            Field::CommonName => words("domain-name", "domainname", "Domain Name"),
            Field::Product => words("plan-id", "planid", "Plan Id"),
            Field::Term => words("months", "months", "Months"),
            Field::Csr => words("csr", "csr", "CSR"),
            Field::Method => words(
                "verification-method",
                "verificationmethod",
                "Verification Method",
            ),
            Field::Approver => words(
                "verification-email",
                "verificationemail",
                "Verification Email",
            ),
            Field::Administrator => words(
                "admin-contact-id",
                "admincontactid",
                "Administrative Contact",
            ),
            Field::Technical => words("tech-contact-id", "techcontactid", "Technical Contact"),
            Field::Shipment => words(
                "shipment-contact-id",
                "shipmentcontactid",
                "Shipment Contact",
            ),
            Field::Person(_) => words("contact", "contact", "Contact"),
            Field::Organization | Field::OrganizationDetails => {
                words("organization", "organization", "Organization")
            }
            Field::Names => words("names", "names", "Names"),
            Field::KeySize => words("key-size", "keysize", "Key Size"),
            Field::Subject(part) => of_subject(part),
            Field::SpecialInstruction => words("instruction", "instruction", "Instruction"),
            Field::NameCount => words("names-count", "namescount", "Number of Names"),
            Field::WildcardCount => {
                words("wildcards-count", "wildcardscount", "Number of Wildcards")
            }
            Field::ValidationType => words("validation-type", "validationtype", "Validation Type"),
            Field::RepeatKey => words("repeat-key", "repeatkey", "Repeat Key"),
            Field::ReuseKey => words("reuse-key", "reusekey", "Reuse Key"),
            Field::UsePrevalidated => {
                words("use-prevalidated", "useprevalidated", "Use Prevalidated")
            }
            Field::Domain => words("domain", "domain", "Domain"),
            Field::WithChain => words("chain", "chain", "Chain"),
            Field::PrivateKey => words("private-key", "privatekey", "Private Key"),
            Field::StorePassword => words("store-password", "storepassword", "Store Password"),
            Field::Legacy => words("legacy", "legacy", "Legacy"),
            Field::RevocationReason => words("reason", "reason", "Reason"),
            Field::Serial => words("serial", "serial", "Serial"),
            Field::IncludeRevoked => words("include-revoked", "includerevoked", "Include Revoked"),
        }
    }
}

/// An attribute has one name everywhere, of which error maps take letters and digits only.
fn of_attribute(name: &'static str) -> FieldWords {
    let is_kept = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
    FieldWords {
        parameter: name,
        stored_as: name.chars().filter(is_kept).collect(),
        label: name,
    }
}

fn of_default(role: DefaultRole) -> FieldWords {
    match role {
        DefaultRole::Registrant => words("reg-contact-id", "registrant", "Registrant Contact"),
        DefaultRole::Administrator => words("admin-contact-id", "admin", "Admin Contact"),
        DefaultRole::Technical => words("tech-contact-id", "tech", "Tech Contact"),
        DefaultRole::Billing => words("billing-contact-id", "billing", "Billing Contact"),
    }
}

fn of_customer(part: CustomerField) -> FieldWords {
    match part {
        CustomerField::Username => words("username", "username", "Username"),
        CustomerField::Password => words("passwd", "passwd", "Password"),
        CustomerField::OtherState => words("other-state", "other_state", "Other State"),
        CustomerField::OtherPhoneCode => words(
            "alt-phone-cc",
            "alttelnocc",
            "Alternate TelephoneNo Country Code",
        ),
        CustomerField::OtherPhone => words("alt-phone", "alttelno", "Alternate TelephoneNo"),
        CustomerField::MobileCode => words("mobile-cc", "mobilenocc", "MobileNo Country Code"),
        CustomerField::Mobile => words("mobile", "mobileno", "MobileNo"),
        CustomerField::Language => words("lang-pref", "langpref", "Language Preference"),
        CustomerField::VatId => words("vat-id", "vatid", "VAT Id"),
        CustomerField::Address => words("ip", "ip", "IP Address"),
        CustomerField::Token => words("token", "token", "Token"),
    }
}

fn of_contact(part: ContactField) -> FieldWords {
    match part {
        ContactField::Name | ContactField::FirstName | ContactField::LastName => {
            words("name", "name", "Name")
        }
        ContactField::Company => words("company", "company", "Company Name"),
        ContactField::Email => words("email", "emailaddr", "Email Address"),
        ContactField::Address1 => words("address-line-1", "address1", "Address"),
        ContactField::Address2 => words("address-line-2", "address2", "Address Line 2"),
        ContactField::Address3 => words("address-line-3", "address3", "Address Line 3"),
        ContactField::City => words("city", "city", "City"),
        ContactField::State => words("state", "state", "State"),
        ContactField::Country => words("country", "country", "Country"),
        ContactField::Zip => words("zipcode", "zip", "Postal Code"),
        ContactField::PhoneCode => words("phone-cc", "telnocc", "TelephoneNo Country Code"),
        ContactField::Phone => words("phone", "telno", "TelephoneNo"),
        ContactField::FaxCode => words("fax-cc", "faxnocc", "FaxNo Country Code"),
        ContactField::Fax => words("fax", "faxno", "FaxNo"),
        ContactField::JobTitle => words("job-title", "jobtitle", "Job Title"),
    }
}

fn of_subject(part: SubjectPart) -> FieldWords {
    match part {
        SubjectPart::Organization => words("organization", "organization", "Organization"),
        SubjectPart::OrganizationUnit => {
            words("organization-unit", "organizationunit", "Organization Unit")
        }
        SubjectPart::City => words("city", "city", "City"),
        SubjectPart::State => words("state", "state", "State"),
        SubjectPart::Country => words("country", "country", "Country"),
        SubjectPart::Email => words("email", "emailaddr", "Email Address"),
    }
}

/// What is wrong with a field, without what would end the map it stands in.
pub(crate) fn fault(words: &FieldWords, problem: &Problem) -> String {
    let label = words.label;
    match problem {
        Problem::Missing => format!("{label} is required"),
        Problem::Type(_) | Problem::NotOneOf(_) | Problem::Format | Problem::Unknown(_) => {
            format!("{label} is invalid")
        }
        Problem::Fixed => format!("{label} cannot be changed"),
        Problem::Length { min: 0 | 1, max } => {
            format!("{label} cannot be more than {max} characters")
        }
        Problem::Length { min, max } => format!("{label} must have {min} to {max} characters"),
        Problem::Words(words) => {
            format!("{label} should contain at least {} words.", number(*words))
        }
        Problem::Invalid(text) => {
            let text = text.replace(',', ";").replace(['{', '}'], "");
            match text.trim() {
                "" => format!("{label} is invalid"),
                text => text.to_owned(),
            }
        }
    }
}

/// A small number as the captured sentences have it.
fn number(count: usize) -> String {
    match count {
        1 => "one".to_owned(),
        2 => "two".to_owned(),
        _ => count.to_string(),
    }
}

/// What is said of a thing that is not there, or is another's.
pub(crate) fn not_found(what: Noun, id: &str) -> String {
    match what {
        Noun::Contact => "Invalid contact-id".to_owned(),
        Noun::Customer => "Invalid customer-id".to_owned(),
        Noun::CustomerOfName => format!("Customer {id} not found"),
        Noun::Token => "Invalid token".to_owned(),
        Noun::Order => "Invalid order-id".to_owned(),
        Noun::Product => "Invalid plan-id".to_owned(),
        Noun::Organization
        | Noun::VettingCase
        | Noun::Evidence
        | Noun::Reseller
        | Noun::Approval
        | Noun::Credential
        | Noun::Certificate
        | Noun::Job
        | Noun::LedgerEntry
        | Noun::Domain
        | Noun::Proof
        | Noun::ParkedJob => format!("No Entity found: {what}"),
    }
}

/// What is said to who comes too often.
pub(crate) fn too_many(what: TooMany, retry_seconds: u64) -> String {
    let what = match what {
        TooMany::Calls(Excess::Second(limit)) => {
            format!("Too many requests: there may be {limit} a second")
        }
        TooMany::Calls(Excess::Day(limit)) => {
            format!("Too many requests: there may be {limit} a day")
        }
        TooMany::Calls(Excess::Month(limit)) => {
            format!("Too many requests: there may be {limit} a month")
        }
        TooMany::FailedSignIns => "Too many wrong credentials".to_owned(),
    };
    let plural = if retry_seconds == 1 { "" } else { "s" };
    format!("{what}. Try again in {retry_seconds} second{plural}")
}

/// What is said when a rule of business forbids.
pub(crate) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::ContactHeld(id, _) | Refusal::ContactErased(id) | Refusal::ContactInUse(id) => {
            format!("Cannot Delete Contact: {id} is in use")
        }
        Refusal::CustomerInUse(contact) => {
            format!("Cannot Delete Customer: Contact {contact} is in use")
        }
        Refusal::TooManyContacts(most) => {
            format!("Cannot Delete Customer: more than {most} contacts are to be deleted first")
        }
        Refusal::CustomerNotProved => "Invalid username or password".to_owned(),
        Refusal::SearchTooWide => "The search finds too much to give all of it".to_owned(),
        Refusal::InsufficientBalance
        | Refusal::NoPrice(_)
        | Refusal::KeyReused
        | Refusal::OrganizationExists(_)
        | Refusal::Vetting(_)
        | Refusal::NotIssued
        | Refusal::CertificateRevoked { .. }
        | Refusal::IssuingCaRevoked(_)
        | Refusal::CertificateEnded
        | Refusal::RefundWindowOver { .. }
        | Refusal::KeyGenerationOff
        | Refusal::NotByEmail
        | Refusal::TooManyMails
        | Refusal::TooManyDomains(_)
        | Refusal::TooManyPasswords
        | Refusal::CustomerIsReseller
        | Refusal::CustomerHeld(..)
        | Refusal::CustomerErased(_)
        | Refusal::RenewedBefore(_)
        | Refusal::RenewalNotOpen(_)
        | Refusal::ProductWithdrawn(_)
        | Refusal::CreditOfNothing
        | Refusal::Operator(_)
        | Refusal::OtherCurrency(_)
        | Refusal::PriceTooLarge => sentence(&refusal.to_string()),
    }
}

/// Our own words for people, as a sentence begins.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use chancery_domain::contacts::Role;

    use super::*;

    const DOCUMENTATION: &str = include_str!("../../../docs/api/logicboxes.md");

    #[test]
    fn every_field_is_in_the_documentation() {
        use ContactField::{
            Address1, Address2, Address3, City, Company, Country, Email, Fax, FaxCode, Name, Phone,
            PhoneCode, State, Zip,
        };
        let parts = [
            Name, Company, Email, Address1, Address2, Address3, City, State, Country, Zip,
            PhoneCode, Phone, FaxCode, Fax,
        ];
        let roles = [
            DefaultRole::Registrant,
            DefaultRole::Administrator,
            DefaultRole::Technical,
            DefaultRole::Billing,
        ];
        let of_customers = [
            CustomerField::Username,
            CustomerField::Password,
            CustomerField::OtherState,
            CustomerField::OtherPhoneCode,
            CustomerField::OtherPhone,
            CustomerField::MobileCode,
            CustomerField::Mobile,
            CustomerField::Language,
            CustomerField::VatId,
            CustomerField::Address,
            CustomerField::Token,
        ];
        let parts = parts.map(|part| Field::Contact(Role::Administrator, part));
        let fields = parts.into_iter().chain(roles.map(Field::DefaultContact));
        let fields = fields.chain(of_customers.map(Field::CustomerPart));
        let fields: Vec<Field> = fields
            .chain([Field::ContactType, Field::Customer])
            .collect();
        for field in &fields {
            let FieldWords {
                parameter,
                stored_as,
                label,
            } = FieldWords::of(*field);
            let line = format!("| `{parameter}` | `{stored_as}` | {label} |\n");
            assert!(DOCUMENTATION.contains(&line), "{line}");
        }
        let table = DOCUMENTATION
            .split("| Parameter | Stored as | Label |")
            .nth(1);
        let rows = table
            .unwrap()
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        assert_eq!(rows.count(), fields.len());
    }

    #[test]
    fn every_text_is_in_the_documentation() {
        let name = words("name", "name", "Name");
        for problem in [
            Problem::Format,
            Problem::NotOneOf(Vec::new()),
            Problem::Unknown(String::new()),
            Problem::Length { min: 1, max: 64 },
            Problem::Length { min: 9, max: 16 },
            Problem::Words(2),
            Problem::Missing,
            Problem::Fixed,
        ] {
            let cell = format!("| `{}` |\n", fault(&name, &problem));
            assert!(DOCUMENTATION.contains(&cell), "{cell}");
        }
    }
}
