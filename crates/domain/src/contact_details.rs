//! Contact details: who a person is and how to reach them, and the rules they keep.
//!
//! Text is kept as it was sent, in raw Unicode; escaping is a matter of output. What is required, how long
//! it may be and how it is written differs by what the details are for: [`ContactRules`] says so, as data.
//! Every fault is reported at once.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::contact_rules::{
    CompanyRules, ContactRules, CountryRules, NameRules, PartRules, StateRules, TelephoneRules,
    TextRules, ZipRules,
};
use crate::contacts::{ContactField, is_email};
use crate::countries::{is_country, is_country_code};
use crate::fields::{Field, FieldError, Problem};
use crate::postal_codes::{is_often_absent, is_postal_code};
use crate::states::state_of;
use crate::telephones::Telephone;

/// How a person is called.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PersonName {
    /// Given and family name, told apart.
    Parts {
        /// Given name.
        first_name: String,
        /// Family name.
        last_name: String,
    },
    /// The name as one text.
    Whole {
        /// The name.
        name: String,
    },
}

impl PersonName {
    /// The name as one text.
    pub fn full(&self) -> Cow<'_, str> {
        match self {
            Self::Parts {
                first_name,
                last_name,
            } => Cow::Owned(format!("{first_name} {last_name}")),
            Self::Whole { name } => Cow::Borrowed(name),
        }
    }

    /// The given name: where nobody told it apart, all words but the last.
    pub fn first(&self) -> &str {
        match self {
            Self::Parts { first_name, .. } => first_name,
            Self::Whole { name } => name.rsplit_once(' ').map_or("", |(first, _)| first.trim()),
        }
    }

    /// The family name: where nobody told it apart, the last word.
    pub fn last(&self) -> &str {
        match self {
            Self::Parts { last_name, .. } => last_name,
            Self::Whole { name } => name.rsplit_once(' ').map_or(name, |(_, last)| last),
        }
    }
}

/// Contact details as they came in, nothing checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of ContactField")]
pub struct RawContactDetails {
    pub company: Option<String>,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub address1: Option<String>,
    pub address2: Option<String>,
    pub address3: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub country: Option<String>,
    pub zip: Option<String>,
    pub phone_code: Option<String>,
    pub phone: Option<String>,
    pub fax_code: Option<String>,
    pub fax: Option<String>,
    pub email: Option<String>,
    pub job_title: Option<String>,
}

/// Contact details that passed [`ContactDetails::check`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of ContactField")]
pub struct ContactDetails {
    /// Empty where none was given.
    pub company: String,
    #[serde(flatten)]
    pub name: PersonName,
    pub address1: String,
    pub address2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address3: Option<String>,
    pub city: String,
    /// Empty where none was given.
    pub state: String,
    /// As sent, upper or lower case.
    pub country: String,
    pub zip: String,
    pub phone: Telephone,
    pub fax: Option<Telephone>,
    pub email: String,
    pub job_title: Option<String>,
}

impl ContactDetails {
    /// Checks every part and reports all that is wrong at once; `field` names the parts.
    pub fn check(
        rules: &ContactRules,
        field: impl Fn(ContactField) -> Field,
        raw: RawContactDetails,
    ) -> Result<Self, Vec<FieldError>> {
        let mut check = Check {
            name: field,
            errors: Vec::new(),
        };
        let company = check.company(rules.company, raw.company);
        let name = match rules.name {
            NameRules::Parts(max) => {
                let part = TextRules::up_to(max);
                PersonName::Parts {
                    first_name: check.required(ContactField::FirstName, raw.first_name, part),
                    last_name: check.required(ContactField::LastName, raw.last_name, part),
                }
            }
            NameRules::Whole(text) => PersonName::Whole {
                name: check.required(ContactField::Name, raw.name, text),
            },
        };
        let line = TextRules::up_to(rules.address);
        let address1 = check.required(ContactField::Address1, raw.address1, line);
        let address2 = check.optional(ContactField::Address2, raw.address2, line);
        let address3 = check.optional(ContactField::Address3, raw.address3, line);
        let city = TextRules::up_to(rules.city);
        let city = check.required(ContactField::City, raw.city, city);
        let state = check.state(rules.state, raw.state);
        let country = check.country(rules.country, raw.country);
        let zip = check.zip(rules.zip, &country, raw.zip);
        let phone = check.phone(rules.telephone, raw.phone_code, raw.phone);
        let fax = check.fax(rules.telephone, raw.fax_code, raw.fax);
        let email = check.required(ContactField::Email, raw.email, TextRules::up_to(254));
        if !is_email(&email) {
            check.fault_once(ContactField::Email, Problem::Format);
        }
        let job_title = TextRules::up_to(128);
        let job_title = check.optional(ContactField::JobTitle, raw.job_title, job_title);
        match phone {
            Some(phone) if check.errors.is_empty() => Ok(Self {
                company,
                name,
                address1,
                address2,
                address3,
                city,
                state,
                country,
                zip,
                phone,
                fax,
                email,
                job_title,
            }),
            _ => Err(check.errors),
        }
    }

    /// The details as they might have come in, for another check.
    pub fn to_raw(&self) -> RawContactDetails {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        RawContactDetails {
            company: some(&self.company),
            name: some(&self.name.full()),
            first_name: some(self.name.first()),
            last_name: some(self.name.last()),
            address1: some(&self.address1),
            address2: self.address2.clone(),
            address3: self.address3.clone(),
            city: some(&self.city),
            state: some(&self.state),
            country: some(&self.country),
            zip: some(&self.zip),
            phone_code: some(self.phone.code()),
            phone: some(self.phone.number()),
            fax_code: self.fax.as_ref().map(|fax| fax.code().to_owned()),
            fax: self.fax.as_ref().map(|fax| fax.number().to_owned()),
            email: some(&self.email),
            job_title: self.job_title.clone(),
        }
    }

    /// The names of the parts that are other than in other details.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("name", self.name.full() != other.name.full()),
            ("company", self.company != other.company),
            ("email", self.email != other.email),
            ("address", {
                let lines = |of: &Self| {
                    (
                        of.address1.clone(),
                        of.address2.clone(),
                        of.address3.clone(),
                    )
                };
                lines(self) != lines(other)
            }),
            ("city", self.city != other.city),
            ("state", self.state != other.state),
            ("country", self.country != other.country),
            ("postal code", self.zip != other.zip),
            ("telephone", self.phone != other.phone),
            ("fax", self.fax != other.fax),
            ("job title", self.job_title != other.job_title),
        ];
        let changed = parts.into_iter().filter(|(_, is_other)| *is_other);
        changed.map(|(part, _)| part).collect()
    }
}

struct Check<F> {
    name: F,
    errors: Vec<FieldError>,
}

impl<F: Fn(ContactField) -> Field> Check<F> {
    fn fault(&mut self, field: ContactField, problem: Problem) {
        let field = (self.name)(field);
        self.errors.push(FieldError { field, problem });
    }

    fn required(&mut self, field: ContactField, value: Option<String>, rules: TextRules) -> String {
        match self.optional(field, value, rules) {
            Some(text) => text,
            None => {
                self.fault(field, Problem::Missing);
                String::new()
            }
        }
    }

    fn optional(
        &mut self,
        field: ContactField,
        value: Option<String>,
        rules: TextRules,
    ) -> Option<String> {
        let text = present(value)?;
        if let Some(problem) = rules.problem(&text) {
            self.fault(field, problem);
        }
        Some(text)
    }

    /// Adds a fault, unless the field has one already.
    fn fault_once(&mut self, field: ContactField, problem: Problem) {
        let named = (self.name)(field);
        if self.errors.iter().all(|fault| fault.field != named) {
            self.fault(field, problem);
        }
    }

    fn company(&mut self, rules: CompanyRules, value: Option<String>) -> String {
        const COMPANY: ContactField = ContactField::Company;
        match present(value) {
            Some(text) if rules.fillers.contains(&text.as_str()) => text,
            None if !rules.required => String::new(),
            value => self.required(COMPANY, value, rules.text),
        }
    }

    fn state(&mut self, rules: StateRules, value: Option<String>) -> String {
        const STATE: ContactField = ContactField::State;
        match rules {
            StateRules::Required(max) => self.required(STATE, value, TextRules::up_to(max)),
            StateRules::Optional(max) => {
                let text = self.optional(STATE, value, TextRules::up_to(max));
                text.unwrap_or_default()
            }
            StateRules::OneOf(states) => {
                let text = self.required(STATE, value, TextRules::up_to(usize::MAX));
                match state_of(states, &text) {
                    Some(name) => name.to_owned(),
                    None if text.is_empty() => text,
                    None => {
                        let names: Vec<&str> = states.iter().map(|state| state.name).collect();
                        self.fault(STATE, Problem::one_of(&names));
                        text
                    }
                }
            }
        }
    }

    fn country(&mut self, rules: CountryRules, value: Option<String>) -> String {
        const COUNTRY: ContactField = ContactField::Country;
        let text = self.required(COUNTRY, value, TextRules::up_to(2));
        let problem = match rules {
            CountryRules::AnyCase if is_country(&text) => return text,
            CountryRules::Capitals if is_country_code(&text) => return text,
            CountryRules::OneOf(countries) if countries.contains(&text.as_str()) => return text,
            CountryRules::OneOf(countries) if is_country_code(&text) => Problem::one_of(countries),
            CountryRules::AnyCase | CountryRules::Capitals | CountryRules::OneOf(_) => {
                Problem::Format
            }
        };
        self.fault_once(COUNTRY, problem);
        text
    }

    fn zip(&mut self, rules: ZipRules, country: &str, value: Option<String>) -> String {
        let (ZipRules::Any(max) | ZipRules::Plain(max) | ZipRules::OfCountry(max)) = rules;
        let max = TextRules::up_to(max);
        let text = match rules {
            ZipRules::Plain(_) | ZipRules::OfCountry(_) if is_often_absent(country) => {
                let text = self.optional(ContactField::Zip, value, max);
                text.unwrap_or_default()
            }
            _ => self.required(ContactField::Zip, value, max),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " -./".contains(c);
        let is_right = match rules {
            ZipRules::Any(_) => true,
            ZipRules::Plain(_) => text.chars().all(is_plain),
            ZipRules::OfCountry(_) => is_postal_code(country, &text),
        };
        if !is_right {
            self.fault_once(ContactField::Zip, Problem::Format);
        }
        text
    }

    fn phone(
        &mut self,
        rules: TelephoneRules,
        code: Option<String>,
        number: Option<String>,
    ) -> Option<Telephone> {
        const FIELDS: [ContactField; 2] = [ContactField::PhoneCode, ContactField::Phone];
        let any = TextRules::up_to(usize::MAX);
        match rules {
            TelephoneRules::Whole(max) => {
                let text = self.required(ContactField::Phone, number, TextRules::up_to(max));
                self.whole(ContactField::Phone, &text)
            }
            TelephoneRules::Parts(rules) => {
                let code = self.required(ContactField::PhoneCode, code, any);
                let number = self.required(ContactField::Phone, number, any);
                self.parts(FIELDS, rules, &code, &number)
            }
        }
    }

    /// A fax without a number is none.
    fn fax(
        &mut self,
        rules: TelephoneRules,
        code: Option<String>,
        number: Option<String>,
    ) -> Option<Telephone> {
        const FIELDS: [ContactField; 2] = [ContactField::FaxCode, ContactField::Fax];
        let number = present(number)?;
        match rules {
            TelephoneRules::Whole(max) => {
                let max = TextRules::up_to(max);
                let text = self.optional(ContactField::Fax, Some(number), max)?;
                self.whole(ContactField::Fax, &text)
            }
            TelephoneRules::Parts(rules) => {
                let code = present(code).unwrap_or_default();
                self.parts(FIELDS, rules, &code, &number)
            }
        }
    }

    fn whole(&mut self, field: ContactField, text: &str) -> Option<Telephone> {
        let telephone: Option<Telephone> = text.parse().ok();
        let telephone = telephone.filter(|telephone| telephone.number().len() >= 4);
        if telephone.is_none() {
            self.fault_once(field, Problem::Format);
        }
        telephone
    }

    fn parts(
        &mut self,
        [of_code, of_number]: [ContactField; 2],
        rules: PartRules,
        code: &str,
        number: &str,
    ) -> Option<Telephone> {
        if !rules.has_code(code) {
            self.fault_once(of_code, Problem::Format);
        }
        if !rules.digits.has(number) {
            self.fault_once(of_number, Problem::Format);
        }
        format!("+{code}.{number}").parse().ok()
    }
}

pub(crate) fn present(value: Option<String>) -> Option<String> {
    let text = value?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contacts::Role;

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
            ..RawContactDetails::default()
        }
    }

    fn check(raw: RawContactDetails) -> Result<ContactDetails, Vec<FieldError>> {
        let field = |part| Field::Contact(Role::Technical, part);
        ContactDetails::check(&ContactRules::CERTIFICATE, field, raw)
    }

    #[test]
    fn documented_forms_are_accepted_and_kept_as_sent() {
        let details = check(raw()).unwrap();
        assert_eq!(details.country, "my");
        assert_eq!(details.phone.to_string(), "+6012.1234567890");
        assert_eq!(details.address2, None);
        assert_eq!(details.name.last(), "O'Neill");
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
        let errors = check(bad).unwrap_err();
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
    fn names_are_one_text_or_two() {
        let whole = |name: &str| PersonName::Whole {
            name: name.to_owned(),
        };
        let name = whole("Ana Maria Silva");
        assert_eq!((name.first(), name.last()), ("Ana Maria", "Silva"));
        assert_eq!((whole("Pele").first(), whole("Pele").last()), ("", "Pele"));
        let parts = PersonName::Parts {
            first_name: "Ana Maria".to_owned(),
            last_name: "da Silva".to_owned(),
        };
        assert_eq!(parts.full(), "Ana Maria da Silva");
    }

    #[test]
    fn details_are_kept_under_the_names_they_always_had() {
        let details = check(raw()).unwrap();
        let kept = serde_json::to_value(&details).unwrap();
        assert_eq!(kept["first_name"], "Åsa");
        assert_eq!(kept["phone"], "+6012.1234567890");
        assert_eq!(
            serde_json::from_value::<ContactDetails>(kept).unwrap(),
            details
        );
    }
}
