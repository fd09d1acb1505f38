//! Samples of each type, and the ways to break them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::*;
use crate::contact_rules::{CountryRules, NameRules, PartRules, StateRules, TelephoneRules};
use crate::contacts::{Contact, ContactId, Role};
use crate::customers::CustomerId;
use crate::postal_codes;
use crate::resellers::ResellerId;

type Texts = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Samples {
    general: Texts,
    sample: Vec<Sample>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) what: String,
    #[serde(default)]
    pub(super) details: Texts,
    #[serde(default)]
    pub(super) attributes: Attributes,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    #[serde(default)]
    pub(super) meets: Vec<String>,
}

pub(super) fn samples() -> Vec<Sample> {
    let samples: Samples = toml::from_str(include_str!("samples.toml")).unwrap();
    let Samples { general, sample } = samples;
    let whole = |sample: Sample| Sample {
        details: general.clone().into_iter().chain(sample.details).collect(),
        ..sample
    };
    sample.into_iter().map(whole).collect()
}

pub(super) fn field(part: ContactField) -> Field {
    Field::Contact(Role::Administrator, part)
}

fn raw(details: &Texts) -> RawContactDetails {
    let text = |name: &str| details.get(name).cloned();
    RawContactDetails {
        company: text("company"),
        name: text("name"),
        address1: text("address1"),
        address2: text("address2"),
        address3: text("address3"),
        city: text("city"),
        state: text("state"),
        country: text("country"),
        zip: text("zip"),
        phone_code: text("phone_code"),
        phone: text("phone"),
        fax_code: text("fax_code"),
        fax: text("fax"),
        email: text("email"),
        ..RawContactDetails::default()
    }
}

impl Sample {
    pub(super) fn kind(&self) -> ContactType {
        ContactType::parse(&self.kind).unwrap()
    }

    pub(super) fn check(&self) -> Result<(ContactDetails, Attributes), Vec<FieldError>> {
        self.kind()
            .check(field, raw(&self.details), &self.attributes)
    }

    pub(super) fn detail(&self, name: &str) -> &str {
        self.details.get(name).map_or("", String::as_str)
    }

    pub(super) fn contact(&self) -> Contact {
        let (details, attributes) = self.check().unwrap();
        Contact {
            id: ContactId(1),
            reseller: ResellerId(1),
            customer: CustomerId(1),
            role: Role::Administrator,
            kind: self.kind(),
            details,
            attributes,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            modified_at: jiff::Timestamp::UNIX_EPOCH,
            deleted_at: None,
            version: 1,
        }
    }

    /// The same with another detail; an empty one is none.
    pub(super) fn with(&self, name: &str, text: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.details.insert(name.to_owned(), text.into());
        changed
    }

    /// The same with another attribute; an empty one is none.
    pub(super) fn telling(&self, name: &str, text: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.attributes.insert(name.to_owned(), text.into());
        changed
    }

    /// Every way to break one part, with the field that must be named.
    pub(super) fn broken(&self) -> Vec<(Self, Field)> {
        let mut found = self.broken_texts();
        found.extend(self.broken_places());
        found.extend(self.broken_telephones());
        for attribute in self.kind().attributes() {
            let wrong = self.wrong_values(attribute).into_iter();
            let of = Field::Attribute(attribute.name);
            found.extend(wrong.map(|value| (self.telling(attribute.name, value), of)));
        }
        found
    }

    /// Texts that are missing, too long, of too few words, or not printable.
    fn broken_texts(&self) -> Vec<(Self, Field)> {
        let rules = self.kind().rules();
        let NameRules::Whole(name) = rules.name else {
            panic!("names are told whole");
        };
        let (line, city) = (
            TextRules::up_to(rules.address),
            TextRules::up_to(rules.city),
        );
        let mail = TextRules::up_to(254);
        let mut found = Vec::new();
        for (key, part, rules, is_required) in [
            ("name", ContactField::Name, name, true),
            (
                "company",
                ContactField::Company,
                rules.company.text,
                rules.company.required,
            ),
            ("email", ContactField::Email, mail, true),
            ("address1", ContactField::Address1, line, true),
            ("address2", ContactField::Address2, line, false),
            ("address3", ContactField::Address3, line, false),
            ("city", ContactField::City, city, true),
        ] {
            let mut wrong = wrong_texts(rules);
            wrong.extend(is_required.then(String::new));
            let wrong = wrong.into_iter();
            found.extend(wrong.map(|text| (self.with(key, text), field(part))));
        }
        found.push((self.with("email", "nobody"), field(ContactField::Email)));
        found
    }

    /// States, countries and postal codes.
    fn broken_places(&self) -> Vec<(Self, Field)> {
        let rules = self.kind().rules();
        let mut wrong = vec![
            ("country", String::new()),
            ("country", "XK".to_owned()),
            ("country", "ZZ".to_owned()),
            ("country", "USA".to_owned()),
            ("country", self.detail("country").to_lowercase()),
            ("zip", String::new()),
            ("zip", "1234567890123456 7".to_owned()),
        ];
        if !postal_codes::examples(self.detail("country")).is_empty() {
            wrong.extend([("zip", "0".to_owned()), ("zip", "ABCDE".to_owned())]);
        }
        match rules.state {
            StateRules::Optional(max) => wrong.push(("state", "x".repeat(max + 1))),
            StateRules::OneOf(_) => {
                let other = [String::new(), "Catalunya".to_owned()];
                wrong.extend(other.map(|text| ("state", text)));
            }
            StateRules::Required(_) => panic!("no type requires any state"),
        }
        if let CountryRules::OneOf(_) = rules.country {
            wrong.push(("country", "FR".to_owned()));
        }
        let part = |key| match key {
            "country" => ContactField::Country,
            "zip" => ContactField::Zip,
            _ => ContactField::State,
        };
        // What lies elsewhere has another postal code there.
        let elsewhere = |key, text: String| match text.as_str() {
            "FR" => self.with(key, text).with("zip", "33380"),
            _ => self.with(key, text),
        };
        let wrong = wrong.into_iter();
        wrong
            .map(|(key, text)| (elsewhere(key, text), field(part(key))))
            .collect()
    }

    fn broken_telephones(&self) -> Vec<(Self, Field)> {
        let TelephoneRules::Parts(PartRules { digits, zero }) = self.kind().rules().telephone
        else {
            panic!("telephones are told in parts");
        };
        assert!(!zero, "contacts have calling codes in use");
        let Digits(least, most) = digits;
        let numbers = [
            "1".repeat(least - 1),
            "1".repeat(most + 1),
            "217 555".to_owned(),
            "0x1234".to_owned(),
        ];
        let codes = ["0", "01", "2", "210", "1234", "+1", "x"];
        let mut found = Vec::new();
        for (key, part) in [("phone", ContactField::Phone), ("fax", ContactField::Fax)] {
            let wrong = numbers.iter();
            found.extend(wrong.map(|text| (self.with(key, text), field(part))));
        }
        for (key, part) in [
            ("phone_code", ContactField::PhoneCode),
            ("fax_code", ContactField::FaxCode),
        ] {
            let wrong = codes.iter();
            found.extend(wrong.map(|text| (self.with(key, *text), field(part))));
        }
        found.push((self.with("phone", ""), field(ContactField::Phone)));
        found.push((self.with("phone_code", ""), field(ContactField::PhoneCode)));
        found.push((self.with("fax_code", ""), field(ContactField::FaxCode)));
        found
    }

    /// What an attribute must not be here.
    fn wrong_values(&self, attribute: &Attribute) -> Vec<String> {
        let is_told = |name: &str| self.attributes.contains_key(name);
        let kind = self.kind();
        let others =
            |other: &&Attribute| other.group == attribute.group && other.name != attribute.name;
        let others: Vec<_> = kind.attributes().iter().filter(others).collect();
        let is_group_told = others.iter().any(|other| is_told(other.name));
        let brings_others = others
            .iter()
            .any(|other| matches!(other.needed, Needed::WithGroup));
        if brings_others && !is_group_told {
            return Vec::new();
        }
        let mut wrong = match attribute.form {
            Form::Text(rules) => wrong_texts(rules),
            Form::OneOf(values) => vec!["?".to_owned(), format!("{}x", values[0])],
            Form::Digits(Digits(least, most)) => vec![
                "1".repeat(least - 1),
                "1".repeat(most + 1),
                "x".repeat(least),
            ],
            Form::Like(_) => vec!["?".to_owned(), "1".to_owned()],
        };
        let is_needed = match attribute.needed {
            Needed::Always => true,
            Needed::Where(_) => is_told(attribute.name),
            Needed::WithGroup => is_group_told,
            Needed::Never => false,
        };
        if is_needed {
            wrong.push(String::new());
        }
        wrong
    }
}

/// Texts that rules refuse, none of them empty.
fn wrong_texts(rules: TextRules) -> Vec<String> {
    let mut wrong = vec![
        "å ".repeat(rules.max.div_ceil(2) + 1).trim().to_owned(),
        "one two\u{7}".to_owned(),
        "one\ntwo".to_owned(),
        "one\u{202e} two".to_owned(),
        "one\u{2028}two".to_owned(),
        "one \u{10ffff}two".to_owned(),
        "\u{200b}\u{200d} \u{2060}".to_owned(),
    ];
    if rules.words > 1 {
        wrong.push("one ".repeat(rules.words - 1));
    }
    wrong
}
