//! What was wrong with which field of a request, in words every dialect can translate.

use crate::contacts::{ContactField, DefaultRole, Role};
use crate::customers::CustomerField;

/// A field of some request, by our name for it. Each dialect has one table to its own names.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Field {
    /// The product.
    Product,
    /// The years bought.
    Term,
    /// The certificate signing request.
    Csr,
    /// The further names, beside the common name.
    Names,
    /// The contact who administers the order.
    Administrator,
    /// The contact for technical matters.
    Technical,
    /// The contact for deliveries.
    Shipment,
    /// The vetted organization.
    Organization,
    /// How control of the names is to be shown.
    Method,
    /// An address that may approve.
    Approver,
    /// A name asked about or to be certified.
    CommonName,
    /// The kind and size of a key.
    KeySize,
    /// A part of the subject of a CSR to be made.
    Subject(SubjectPart),
    /// A part of a contact, in a role.
    Contact(Role, ContactField),
    /// Of what type a contact is.
    ContactType,
    /// What a contact's type wants to know, by the name the type gives it.
    Attribute(&'static str),
    /// Whose contact it is among the reseller's customers.
    Customer,
    /// A part of a customer's own details.
    CustomerDetails(ContactField),
    /// What is told of a customer beside its details.
    CustomerPart(CustomerField),
    /// A default contact of a customer's.
    DefaultContact(DefaultRole),
    /// An order.
    Order,
    /// The reseller's own note for the people behind the platform.
    SpecialInstruction,
    /// How many ordinary further names.
    NameCount,
    /// How many wildcard further names.
    WildcardCount,
    /// The public half of a credential.
    Username,
    /// The secret half of a credential.
    Password,
    /// A whole contact, in a role.
    Person(Role),
    /// All that is told of an organization.
    OrganizationDetails,
    /// A part of what is told of an organization.
    OrganizationPart(ContactField),
    /// Which kinds of validation are asked for.
    ValidationType,
    /// What makes a repeated request known as one.
    RepeatKey,
    /// Whether a key may be certified again.
    ReuseKey,
    /// Whether what was proved ahead of any order serves one.
    UsePrevalidated,
    /// A domain to be proved ahead of any order, or that proofs are of.
    Domain,
    /// Whether a certificate comes with its chain.
    WithChain,
    /// The subscriber's private key, to be packed with the certificate.
    PrivateKey,
    /// The password of a key store.
    StorePassword,
    /// Whether a key store is for software of an older day.
    Legacy,
    /// Why a certificate is to be revoked.
    RevocationReason,
    /// The serial number of a certificate.
    Serial,
    /// Whether a certificate is wanted although it is revoked.
    IncludeRevoked,
}

/// A part of a subject, beside its common name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SubjectPart {
    /// Legal name of the organization.
    Organization,
    /// Part of the organization.
    OrganizationUnit,
    /// City.
    City,
    /// State or province.
    State,
    /// Country, two letters.
    Country,
    /// E-mail address.
    Email,
}

/// What is wrong with a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Problem {
    /// It is required.
    Missing,
    /// It has the wrong JSON type; the text names the right one.
    Type(&'static str),
    /// It is not one of a list.
    NotOneOf(Vec<String>),
    /// It is too short or too long, in characters.
    Length {
        /// The least number of characters.
        min: usize,
        /// The greatest number of characters.
        max: usize,
    },
    /// It has fewer words than it must.
    Words(usize),
    /// It does not look as such a thing must.
    Format,
    /// It cannot be other than it is.
    Fixed,
    /// It names something that does not exist, or is another's; the text is the name given.
    Unknown(String),
    /// Anything else, as a sentence without a full stop.
    Invalid(String),
}

impl Problem {
    /// It is not one of these.
    pub fn one_of(words: &[&str]) -> Self {
        Self::NotOneOf(words.iter().map(ToString::to_string).collect())
    }
}

/// One thing wrong with one field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldError {
    /// Which field.
    pub field: Field,
    /// What is wrong with it.
    pub problem: Problem,
}

impl FieldError {
    /// The field is missing.
    pub fn missing(field: Field) -> Self {
        Self {
            field,
            problem: Problem::Missing,
        }
    }

    /// The field is wrong in the way the text says.
    pub fn invalid(field: Field, text: impl Into<String>) -> Self {
        Self {
            field,
            problem: Problem::Invalid(text.into()),
        }
    }
}
