//! Contact types: what a registry wants to know of the people behind its names.
//!
//! A type is a row of a table and nothing else: what its details must look like, which attributes it has
//! beside them, and what these say of the details. Attributes come in groups, each for the names of one
//! registry, since the general type serves many. What a type does not know is left out, for programs send
//! more than is asked. Whether somebody is eligible for a name is another matter: see
//! [`eligibility`](crate::eligibility).

mod table;
mod values;

use std::fmt;

use crate::contact_details::{ContactDetails, RawContactDetails};
use crate::contact_rules::{ContactRules, TextRules};
use crate::contacts::{Attributes, ContactField};
use crate::fields::{Field, FieldError, Problem};
use crate::telephones::Digits;

pub use values::EUROPEAN_UNION;

/// The groups of attributes that can be told later, apart from the details.
pub const LATER_GROUPS: [&str; 9] = [
    "dotasia", "dotca", "dotcoop", "dotes", "dotjobs", "dotnl", "dotpro", "dotru", "domus",
];

/// What a contact is for. Types are the same if their names are.
#[derive(Clone, Copy)]
pub struct ContactType(&'static Row);

struct Row {
    name: &'static str,
    rules: ContactRules,
    /// Whether the first line of the address must be a street's: a post office box is none.
    street: bool,
    attributes: &'static [Attribute],
    /// When a company must be told although the details may be without.
    company: &'static [Condition],
    fixed: &'static [Fixed],
}

/// What stays as it was when a contact is changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fixed {
    /// The name of the person.
    Name,
    /// An attribute, once it is told.
    Attribute(&'static str),
}

/// Something to be told of a contact beside its details.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name, as it is sent; case counts.
    pub name: &'static str,
    /// Its name where it is shown, if it is.
    pub shown_as: Option<&'static str>,
    /// The group it is in.
    pub group: &'static str,
    /// When it must be there.
    pub needed: Needed,
    /// What it looks like.
    pub form: Form,
}

/// When an attribute must be there.
#[derive(Clone, Copy, Debug)]
pub enum Needed {
    /// Always.
    Always,
    /// Where another of its group is.
    WithGroup,
    /// Where all of these hold.
    Where(&'static [Condition]),
    /// Never.
    Never,
}

/// What may hold of a contact.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// An attribute has one of these values.
    Is(&'static str, &'static [&'static str]),
    /// The country is this.
    Country(&'static str),
}

/// What an attribute looks like.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Any text.
    Text(TextRules),
    /// One of a list, as it is written there.
    OneOf(&'static [&'static str]),
    /// Decimal digits.
    Digits(Digits),
    /// What something holds of.
    Like(fn(&str) -> bool),
}

/// What conditions are about.
struct Told<'a> {
    country: &'a str,
    attributes: &'a Attributes,
}

impl<'a> Told<'a> {
    fn attribute(&self, name: &str) -> Option<&'a str> {
        let value = self.attributes.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    fn holds(&self, condition: Condition) -> bool {
        match condition {
            Condition::Is(name, values) => self
                .attribute(name)
                .is_some_and(|value| values.contains(&value)),
            Condition::Country(code) => self.country == code,
        }
    }
}

impl ContactType {
    /// The type for all names whose registry has none of its own.
    pub const GENERAL: Self = Self(&table::TYPES[0]);

    /// The type of those who vouch for registrants. It is in no list: they are added in a way of their own.
    pub const SPONSOR: Self = Self(&table::SPONSOR);

    /// All types, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        table::TYPES.iter().map(Self)
    }

    /// The type of this name; case counts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.0.name == name)
    }

    /// The same, sponsors among them.
    pub fn parse_any(name: &str) -> Option<Self> {
        Self::parse(name).or_else(|| (name == Self::SPONSOR.as_str()).then_some(Self::SPONSOR))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// What its contacts' details must look like.
    pub fn rules(self) -> &'static ContactRules {
        &self.0.rules
    }

    /// What is to be told of its contacts beside.
    pub fn attributes(self) -> &'static [Attribute] {
        self.0.attributes
    }

    /// What stays as it was when its contacts are changed.
    pub fn fixed(self) -> &'static [Fixed] {
        self.0.fixed
    }

    /// Checks all that was told of a contact and reports all that is wrong at once; `field` names the parts of
    /// the details. Attributes the type does not know are left out.
    pub fn check(
        self,
        field: impl Fn(ContactField) -> Field,
        raw: RawContactDetails,
        attributes: &Attributes,
    ) -> Result<(ContactDetails, Attributes), Vec<FieldError>> {
        let text = |text: &Option<String>| text.as_deref().unwrap_or("").trim().to_owned();
        let (company, country) = (text(&raw.company), text(&raw.country));
        let address = text(&raw.address1);
        let mut faults = Vec::new();
        let details = ContactDetails::check(&self.0.rules, &field, raw)
            .map_err(|found| faults = found)
            .ok();
        let told = Told {
            country: &country,
            attributes,
        };
        let mut fault = |part, problem: Problem| {
            let field = field(part);
            if faults.iter().all(|fault| fault.field != field) {
                faults.push(FieldError { field, problem });
            }
        };
        if self.0.street && is_post_office_box(&address) {
            fault(ContactField::Address1, Problem::Format);
        }
        let mut rules = self.0.company.iter();
        if company.is_empty() && rules.any(|condition| told.holds(*condition)) {
            fault(ContactField::Company, Problem::Missing);
        }
        match (details, self.check_told(&told)) {
            (Some(details), Ok(kept)) if faults.is_empty() => Ok((details, kept)),
            (_, kept) => {
                faults.extend(kept.err().unwrap_or_default());
                Err(faults)
            }
        }
    }

    /// Checks the attributes alone, of a contact in a country.
    pub fn check_attributes(
        self,
        country: &str,
        attributes: &Attributes,
    ) -> Result<Attributes, Vec<FieldError>> {
        self.check_told(&Told {
            country,
            attributes,
        })
    }

    /// Checks what is told later of some groups of attributes, over what was told before. The rest of it is left
    /// out.
    pub fn check_later(
        self,
        groups: &[&str],
        country: &str,
        before: &Attributes,
        later: &Attributes,
    ) -> Result<Attributes, Vec<FieldError>> {
        let mut told = before.clone();
        let of_groups = |attribute: &&Attribute| groups.contains(&attribute.group);
        for attribute in self.attributes().iter().filter(of_groups) {
            if let Some(value) = later.get(attribute.name) {
                told.insert(attribute.name.to_owned(), value.clone());
            }
        }
        self.check_attributes(country, &told)
    }

    fn check_told(self, told: &Told<'_>) -> Result<Attributes, Vec<FieldError>> {
        let mut kept = Attributes::new();
        let mut faults = Vec::new();
        for attribute in self.attributes() {
            let field = Field::Attribute(attribute.name);
            let problem = match told.attribute(attribute.name) {
                Some(value) => {
                    kept.insert(attribute.name.to_owned(), value.to_owned());
                    attribute.form.problem(value)
                }
                None if self.needs(attribute, told) => Some(Problem::Missing),
                None => None,
            };
            faults.extend(problem.map(|problem| FieldError { field, problem }));
        }
        match faults.is_empty() {
            true => Ok(kept),
            false => Err(faults),
        }
    }

    fn needs(self, attribute: &Attribute, told: &Told<'_>) -> bool {
        match attribute.needed {
            Needed::Always => true,
            Needed::Never => false,
            Needed::WithGroup => self.attributes().iter().any(|other| {
                other.group == attribute.group && told.attribute(other.name).is_some()
            }),
            Needed::Where(conditions) => conditions.iter().all(|condition| told.holds(*condition)),
        }
    }

    /// The groups of which anything is told, in the order of the table.
    pub fn groups(self, attributes: &Attributes) -> Vec<&'static str> {
        let mut found = Vec::new();
        for attribute in self.attributes() {
            if attributes.contains_key(attribute.name) && !found.contains(&attribute.group) {
                found.push(attribute.group);
            }
        }
        found
    }

    /// Whether something is told of a group, all that is needed, and nothing wrong.
    pub fn is_complete(self, group: &str, country: &str, attributes: &Attributes) -> bool {
        let told = Told {
            country,
            attributes,
        };
        self.groups(attributes).contains(&group)
            && self
                .attributes()
                .iter()
                .filter(|attribute| attribute.group == group)
                .all(|attribute| match told.attribute(attribute.name) {
                    Some(value) => attribute.form.problem(value).is_none(),
                    None => !self.needs(attribute, &told),
                })
    }
}

impl Form {
    fn problem(self, value: &str) -> Option<Problem> {
        match self {
            Self::Text(rules) => rules.problem(value),
            Self::OneOf(values) if values.contains(&value) => None,
            Self::OneOf(values) => Some(Problem::one_of(values)),
            Self::Digits(digits) => (!digits.has(value)).then_some(Problem::Format),
            Self::Like(holds) => (!holds(value)).then_some(Problem::Format),
        }
    }
}

/// Whether a line of an address is a post office box: `PO Box 7`, `P.O. box 7`, `Post Office Box 7`.
fn is_post_office_box(line: &str) -> bool {
    let letters = |c: &char| c.is_ascii_alphanumeric();
    let plain: String = line.chars().filter(letters).collect();
    let plain = plain.to_ascii_lowercase();
    ["pobox", "postofficebox", "postbox"]
        .iter()
        .any(|start| plain.starts_with(start))
}

impl PartialEq for ContactType {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ContactType {}

impl fmt::Debug for ContactType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

#[cfg(test)]
mod tests;
