//! Contacts: the people behind orders, in a role.
//!
//! Text is kept as it was sent, in raw Unicode; escaping is a matter of output. Phone numbers are checked
//! for their form only, `+<code>.<number>`: reseller systems send codes that no numbering plan knows, and
//! the contract accepts them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::countries::is_country;
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
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// First line of the address.
    Address1,
    /// Second line of the address.
    Address2,
    /// City.
    City,
    /// State or province.
    State,
    /// Country, two letters.
    Country,
    /// Postal code.
    Zip,
    /// Telephone.
    Phone,
    /// Fax.
    Fax,
    /// E-mail address.
    Email,
    /// Position in the company.
    JobTitle,
}

/// Contact details as they came in, nothing checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of ContactField")]
pub struct RawContactDetails {
    pub company: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub address1: Option<String>,
    pub address2: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub country: Option<String>,
    pub zip: Option<String>,
    pub phone: Option<String>,
    pub fax: Option<String>,
    pub email: Option<String>,
    pub job_title: Option<String>,
}

/// Contact details that passed [`ContactDetails::check`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of ContactField")]
pub struct ContactDetails {
    pub company: String,
    pub first_name: String,
    pub last_name: String,
    pub address1: String,
    pub address2: Option<String>,
    pub city: String,
    pub state: String,
    /// As sent, upper or lower case.
    pub country: String,
    pub zip: String,
    pub phone: String,
    pub fax: Option<String>,
    pub email: String,
    pub job_title: Option<String>,
}

impl ContactDetails {
    /// Checks every part and reports all that is wrong at once.
    pub fn check(role: Role, raw: RawContactDetails) -> Result<Self, Vec<FieldError>> {
        Self::check_as(|part| Field::Contact(role, part), 80, raw)
    }

    /// The same for the details of something else: `field` names its parts, and a company's name may have
    /// so many characters.
    pub(crate) fn check_as(
        field: impl Fn(ContactField) -> Field,
        company_max: usize,
        raw: RawContactDetails,
    ) -> Result<Self, Vec<FieldError>> {
        let mut check = Check {
            name: field,
            errors: Vec::new(),
        };
        let details = Self {
            company: check.required(ContactField::Company, raw.company, company_max),
            first_name: check.required(ContactField::FirstName, raw.first_name, 60),
            last_name: check.required(ContactField::LastName, raw.last_name, 60),
            address1: check.required(ContactField::Address1, raw.address1, 128),
            address2: check.optional(ContactField::Address2, raw.address2, 128),
            city: check.required(ContactField::City, raw.city, 128),
            state: check.required(ContactField::State, raw.state, 128),
            country: check.required(ContactField::Country, raw.country, 2),
            zip: check.required(ContactField::Zip, raw.zip, 16),
            phone: check.required(ContactField::Phone, raw.phone, 25),
            fax: check.optional(ContactField::Fax, raw.fax, 25),
            email: check.required(ContactField::Email, raw.email, 254),
            job_title: check.optional(ContactField::JobTitle, raw.job_title, 128),
        };
        check.form(ContactField::Country, &details.country, is_country);
        check.form(ContactField::Phone, &details.phone, is_phone);
        check.form(
            ContactField::Fax,
            details.fax.as_deref().unwrap_or(""),
            is_phone,
        );
        check.form(ContactField::Email, &details.email, is_email);
        if check.errors.is_empty() {
            Ok(details)
        } else {
            Err(check.errors)
        }
    }
}

struct Check<F> {
    name: F,
    errors: Vec<FieldError>,
}

impl<F: Fn(ContactField) -> Field> Check<F> {
    fn required(&mut self, field: ContactField, value: Option<String>, max: usize) -> String {
        match self.optional(field, value, max) {
            Some(text) => text,
            None => {
                self.errors.push(FieldError::missing((self.name)(field)));
                String::new()
            }
        }
    }

    fn optional(
        &mut self,
        field: ContactField,
        value: Option<String>,
        max: usize,
    ) -> Option<String> {
        let text = value
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())?;
        let field = (self.name)(field);
        if text.chars().count() > max {
            self.errors.push(FieldError {
                field,
                problem: Problem::Length { min: 1, max },
            });
        }
        if text.chars().any(char::is_control) {
            self.errors.push(FieldError {
                field,
                problem: Problem::Format,
            });
        }
        Some(text)
    }

    /// Adds a format error, unless the field is empty or already reported.
    fn form(&mut self, field: ContactField, text: &str, is_right: fn(&str) -> bool) {
        let field = (self.name)(field);
        if !text.is_empty() && !is_right(text) && self.errors.iter().all(|e| e.field != field) {
            self.errors.push(FieldError {
                field,
                problem: Problem::Format,
            });
        }
    }
}

/// Whether a text has the form `+<code>.<number>`, the code of 1 to 4 digits, the number of 4 to 15.
pub fn is_phone(text: &str) -> bool {
    let Some((code, number)) = text.strip_prefix('+').and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=4).contains(&code.len())
        && (4..=15).contains(&number.len())
        && digits(code)
        && digits(number)
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

/// A person, in a role, of a reseller's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// Whose contact.
    pub reseller: ResellerId,
    /// In what role.
    pub role: Role,
    /// Who and where.
    pub details: ContactDetails,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawContactDetails {
        let text = |text: &str| Some(text.to_owned());
        RawContactDetails {
            company: text("Example Ltd"),
            first_name: text("Åsa"),
            last_name: text("O'Neill"),
            address1: text("1 High Street"),
            address2: text(""),
            city: text("Kuala Lumpur"),
            state: text("Selangor"),
            country: text("my"),
            zip: text("57100"),
            phone: text("+6012.1234567890"),
            fax: None,
            email: text("hostmaster@shop.example"),
            job_title: None,
        }
    }

    #[test]
    fn documented_forms_are_accepted_and_kept_as_sent() {
        let details = ContactDetails::check(Role::Administrator, raw()).unwrap();
        assert_eq!(details.country, "my");
        assert_eq!(details.phone, "+6012.1234567890");
        assert_eq!(details.address2, None);
        assert_eq!(details.last_name, "O'Neill");
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let bad = RawContactDetails {
            company: None,
            first_name: Some("x".repeat(61)),
            country: Some("ZZ".to_owned()),
            phone: Some("012 345".to_owned()),
            email: Some("nobody".to_owned()),
            ..raw()
        };
        let errors = ContactDetails::check(Role::Technical, bad).unwrap_err();
        let of = |field| {
            let field = Field::Contact(Role::Technical, field);
            errors
                .iter()
                .find(|e| e.field == field)
                .map(|e| e.problem.clone())
        };
        assert_eq!(of(ContactField::Company), Some(Problem::Missing));
        assert_eq!(
            of(ContactField::FirstName),
            Some(Problem::Length { min: 1, max: 60 })
        );
        assert_eq!(of(ContactField::Country), Some(Problem::Format));
        assert_eq!(of(ContactField::Phone), Some(Problem::Format));
        assert_eq!(of(ContactField::Email), Some(Problem::Format));
        assert_eq!(errors.len(), 5);
    }

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
