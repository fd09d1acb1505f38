//! Contact types: what a registry wants to know of the people behind its names.
//!
//! A type is a row of the table below and nothing else: what its details must look like, and which attributes
//! it has beside them. Attributes come in groups, each for the names of one registry, since the general type
//! serves many. What a type does not know is left out, for programs send more than is asked.

use std::fmt;

use crate::contact_details::{
    ContactRules, CountryRules, NameRules, PartRules, StateRules, TelephoneRules, TextRules,
    ZipRules,
};
use crate::contacts::Attributes;
use crate::fields::{Field, FieldError, Problem};
use crate::telephones::Digits;

/// What a contact is for. Types are the same if their names are.
#[derive(Clone, Copy)]
pub struct ContactType(&'static Row);

struct Row {
    name: &'static str,
    rules: ContactRules,
    attributes: &'static [Attribute],
}

/// Something to be told of a contact beside its details.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name, as it is sent; case counts.
    pub name: &'static str,
    /// Its name where it is shown.
    pub shown_as: &'static str,
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
    /// An attribute has a value.
    Is(&'static str, &'static str),
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
}

/// The rules of contacts of no particular registry.
const GENERAL_RULES: ContactRules = ContactRules {
    name: NameRules::Whole(TextRules::up_to(255)),
    company: TextRules::up_to(255),
    address: 64,
    city: 64,
    state: StateRules::Optional(64),
    country: CountryRules::Capitals,
    zip: ZipRules::OfCountry(10),
    telephone: TelephoneRules::Parts(PartRules {
        digits: Digits(4, 12),
        zero: false,
    }),
};

/// The table of types.
static TYPES: [Row; 1] = [Row {
    name: "Contact",
    rules: GENERAL_RULES,
    attributes: &[
        Attribute {
            name: "purpose",
            shown_as: "ApplicationPurpose",
            group: "domus",
            needed: Needed::WithGroup,
            form: Form::OneOf(&["P1", "P2", "P3", "P4", "P5"]),
        },
        Attribute {
            name: "category",
            shown_as: "NexusCategory",
            group: "domus",
            needed: Needed::WithGroup,
            form: Form::OneOf(&["C11", "C12", "C21", "C31", "C32"]),
        },
    ],
}];

impl ContactType {
    /// The type for all names whose registry has none of its own.
    pub const GENERAL: Self = Self(&TYPES[0]);

    /// All types, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().map(Self)
    }

    /// The type of this name; case counts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.0.name == name)
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

    /// Checks what was told beside the details of a contact in a country, and reports all that is wrong at once.
    /// What the type does not know is left out.
    pub fn check_attributes(
        self,
        country: &str,
        raw: &Attributes,
    ) -> Result<Attributes, Vec<FieldError>> {
        let mut kept = Attributes::new();
        let mut faults = Vec::new();
        let told = |name: &str| {
            let value = raw.get(name).map(|value| value.trim());
            value.filter(|value| !value.is_empty())
        };
        for attribute in self.attributes() {
            let field = Field::Attribute(attribute.name);
            let problem = match told(attribute.name) {
                Some(value) => {
                    kept.insert(attribute.name.to_owned(), value.to_owned());
                    attribute.form.problem(value)
                }
                None if self.needs(attribute, country, &told) => Some(Problem::Missing),
                None => None,
            };
            faults.extend(problem.map(|problem| FieldError { field, problem }));
        }
        match faults.is_empty() {
            true => Ok(kept),
            false => Err(faults),
        }
    }

    fn needs<'a>(
        self,
        attribute: &Attribute,
        country: &str,
        told: &impl Fn(&str) -> Option<&'a str>,
    ) -> bool {
        match attribute.needed {
            Needed::Always => true,
            Needed::Never => false,
            Needed::WithGroup => self
                .attributes()
                .iter()
                .any(|other| other.group == attribute.group && told(other.name).is_some()),
            Needed::Where(conditions) => conditions.iter().all(|condition| match condition {
                Condition::Is(name, value) => told(name) == Some(value),
                Condition::Country(code) => country == *code,
            }),
        }
    }
}

impl Form {
    fn problem(self, value: &str) -> Option<Problem> {
        match self {
            Self::Text(rules) => rules.problem(value),
            Self::OneOf(values) if values.contains(&value) => None,
            Self::OneOf(values) => Some(Problem::one_of(values)),
            Self::Digits(digits) => (!digits.has(value)).then_some(Problem::Format),
        }
    }
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
