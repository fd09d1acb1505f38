//! Contacts: the people behind orders.
//!
//! Whichever dialect made one, it is the same contact to all. It belongs to a customer of the reseller's and
//! is of a type, which says what its details must look like and what else is to be told of it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::contact_details::ContactDetails;
use crate::contact_types::{ContactType, Fixed};
use crate::customers::CustomerId;
use crate::events::Actor;
use crate::fields::{Field, FieldError, Problem};
use crate::resellers::ResellerId;

crate::id! {
    /// The id of a [`Contact`].
    ContactId
}

/// What a contact is asked about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// Administers the order.
    Administrator,
    /// Handles technical matters.
    Technical,
}

impl Role {
    /// The word under which the role is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Technical => "technical",
        }
    }

    /// Reads [`Role::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Administrator, Self::Technical]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// A part of a contact's details.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ContactField {
    /// Legal name of the company.
    Company,
    /// The name as one text.
    Name,
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// First line of the address.
    Address1,
    /// Second line of the address.
    Address2,
    /// Third line of the address.
    Address3,
    /// City.
    City,
    /// State or province.
    State,
    /// Country, two letters.
    Country,
    /// Postal code.
    Zip,
    /// Calling code of the telephone, where it is told apart.
    PhoneCode,
    /// Telephone.
    Phone,
    /// Calling code of the fax, where it is told apart.
    FaxCode,
    /// Fax.
    Fax,
    /// E-mail address.
    Email,
    /// Position in the company.
    JobTitle,
}

/// Whether a text is an address mail can be sent to: a plain local part at a host name.
pub fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    !local.is_empty()
        && local.len() <= 64
        && local.chars().all(is_local)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && crate::names::DomainName::parse(host).is_ok_and(|name| !name.is_wildcard())
}

/// What is told of a contact beside its details, as its type has it: by the names the type gives.
pub type Attributes = BTreeMap<String, String>;

/// A person, of a customer of a reseller's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// Whose contact.
    pub reseller: ResellerId,
    /// Whose among the reseller's customers.
    pub customer: CustomerId,
    /// In what role; one made without a role is an administrator.
    pub role: Role,
    /// Of what type.
    pub kind: ContactType,
    /// Who and where.
    pub details: ContactDetails,
    /// What its type wants to know beside.
    pub attributes: Attributes,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
    /// When it was deleted; it can be looked at still.
    pub deleted_at: Option<Timestamp>,
    /// How often it was saved.
    pub version: i64,
}

impl Contact {
    /// The name of a part of its details, in its role.
    pub fn field(&self, part: ContactField) -> Field {
        Field::Contact(self.role, part)
    }

    /// What its type would refuse of it today: it may have been made for something else.
    pub fn faults(&self) -> Vec<FieldError> {
        let field = |part| self.field(part);
        let checked = self
            .kind
            .check(field, self.details.to_raw(), &self.attributes);
        checked.err().unwrap_or_default()
    }

    /// Itself with other details and attributes; the position in the company stays, if it is not told. Faults
    /// where its type does not let a part change.
    pub fn changed(
        &self,
        details: ContactDetails,
        attributes: Attributes,
        now: Timestamp,
    ) -> Result<Self, Vec<FieldError>> {
        let changed = Self {
            details: ContactDetails {
                job_title: details.job_title.or_else(|| self.details.job_title.clone()),
                ..details
            },
            attributes,
            modified_at: now,
            version: self.version + 1,
            ..self.clone()
        };
        let is_other = |fixed: &&Fixed| match fixed {
            Fixed::Name => self.details.name.full() != changed.details.name.full(),
            Fixed::Attribute(name) => {
                let before = self.attributes.get(*name);
                before.is_some() && before != changed.attributes.get(*name)
            }
        };
        let faults = self.kind.fixed().iter().filter(is_other);
        let faults: Vec<FieldError> = faults
            .map(|fixed| FieldError {
                field: match fixed {
                    Fixed::Name => self.field(ContactField::Name),
                    Fixed::Attribute(name) => Field::Attribute(name),
                },
                problem: Problem::Fixed,
            })
            .collect();
        match faults.is_empty() {
            true => Ok(changed),
            false => Err(faults),
        }
    }

    /// Itself deleted.
    pub fn deleted(&self, now: Timestamp) -> Self {
        Self {
            modified_at: now,
            deleted_at: Some(now),
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// The names of the parts and attributes that are other than in what it was before.
    pub fn differences(&self, before: &Self) -> Vec<&'static str> {
        let mut changed = self.details.differences(&before.details);
        let attributes = self
            .kind
            .attributes()
            .iter()
            .map(|attribute| attribute.name);
        changed.extend(
            attributes.filter(|name| self.attributes.get(*name) != before.attributes.get(*name)),
        );
        changed
    }
}

/// Whom a customer's orders name where they name nobody. `None` where there is no such role.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DefaultContacts {
    /// In whose name things are registered.
    pub registrant: Option<ContactId>,
    /// Who administers them.
    pub administrator: Option<ContactId>,
    /// Who handles technical matters.
    pub technical: Option<ContactId>,
    /// Who pays.
    pub billing: Option<ContactId>,
}

/// What a default contact is named for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DefaultRole {
    /// In whose name things are registered.
    Registrant,
    /// Who administers them.
    Administrator,
    /// Who handles technical matters.
    Technical,
    /// Who pays.
    Billing,
}

impl DefaultContacts {
    /// Every role with its contact.
    pub fn roles(&self) -> [(DefaultRole, Option<ContactId>); 4] {
        [
            (DefaultRole::Registrant, self.registrant),
            (DefaultRole::Administrator, self.administrator),
            (DefaultRole::Technical, self.technical),
            (DefaultRole::Billing, self.billing),
        ]
    }

    /// The contacts in any role.
    pub fn contacts(&self) -> Vec<ContactId> {
        self.roles().into_iter().filter_map(|(_, id)| id).collect()
    }

    /// One contact in all roles.
    pub fn all(contact: ContactId) -> Self {
        let contact = Some(contact);
        Self {
            registrant: contact,
            administrator: contact,
            technical: contact,
            billing: contact,
        }
    }
}

/// What stands in the way of erasing a contact.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hold {
    /// An order that is open or in its term names it.
    Order,
    /// An organization names it.
    Organization,
    /// It is a default contact of its customer's.
    Default,
    /// A certificate rests on an order that named it, and records of how it was validated are to be kept until
    /// then: two years after the certificate's end (BR 5.5.2).
    Records(Timestamp),
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => f.write_str("an order that is open or in its term names it"),
            Self::Organization => f.write_str("an organization names it"),
            Self::Default => f.write_str(
                "it is a default contact of its customer's: name another one, or erase the customer",
            ),
            Self::Records(until) => {
                let day = until.strftime("%Y-%m-%d");
                write!(
                    f,
                    "records of a certificate it stands behind are kept until {day} (BR 5.5.2)"
                )
            }
        }
    }
}

/// What happened to a contact.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ContactEventKind {
    /// It was created.
    Created,
    /// Its details were changed.
    DetailsChanged,
    /// What its type wants to know was changed.
    AttributesChanged,
    /// It was deleted.
    Deleted,
    /// All that identifies a person was removed.
    Erased,
}

impl ContactEventKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Created,
        Self::DetailsChanged,
        Self::AttributesChanged,
        Self::Deleted,
        Self::Erased,
    ];

    /// The word under which the kind is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::DetailsChanged => "details_changed",
            Self::AttributesChanged => "attributes_changed",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }

    /// Reads [`ContactEventKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A line of a contact's history. Append-only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContactEvent {
    /// Its place in the history.
    pub id: i64,
    /// Of which contact.
    pub contact: ContactId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub kind: ContactEventKind,
    /// More, for people: which parts changed, why it was erased. Never what they were.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_could_split_a_header_are_refused() {
        for text in [
            "a@b",
            "a b@shop.example",
            "a@shop.example\r\nBcc: x@y.example",
            "@shop.example",
        ] {
            assert!(!is_email(text), "{text:?}");
        }
        assert!(is_email("first.last+tag@shop.example"));
    }
}
