//! Samples of each type (`samples.toml`), and each of them broken in every way its row allows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::*;
use crate::contact_details::{CountryRules, NameRules, PartRules, StateRules, TelephoneRules};
use crate::contacts::{Contact, ContactId, Role};
use crate::customers::CustomerId;
use crate::eligibility::Criterion;
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
struct Sample {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    details: Texts,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    meets: Vec<String>,
}

fn samples() -> Vec<Sample> {
    let samples: Samples = toml::from_str(include_str!("samples.toml")).unwrap();
    let Samples { general, sample } = samples;
    let whole = |sample: Sample| Sample {
        details: general.clone().into_iter().chain(sample.details).collect(),
        ..sample
    };
    sample.into_iter().map(whole).collect()
}

fn field(part: ContactField) -> Field {
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
    fn kind(&self) -> ContactType {
        ContactType::parse(&self.kind).unwrap()
    }

    fn check(&self) -> Result<(ContactDetails, Attributes), Vec<FieldError>> {
        self.kind()
            .check(field, raw(&self.details), &self.attributes)
    }

    fn detail(&self, name: &str) -> &str {
        self.details.get(name).map_or("", String::as_str)
    }

    fn contact(&self) -> Contact {
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
    fn with(&self, name: &str, text: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.details.insert(name.to_owned(), text.into());
        changed
    }

    /// The same with another attribute; an empty one is none.
    fn telling(&self, name: &str, text: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.attributes.insert(name.to_owned(), text.into());
        changed
    }

    /// Every way to break one part, with the field that must be named.
    fn broken(&self) -> Vec<(Self, Field)> {
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
            StateRules::OneOf(states) => {
                let other = [
                    String::new(),
                    states[0].to_uppercase(),
                    "Catalunya".to_owned(),
                ];
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
    ];
    if rules.words > 1 {
        wrong.push("one ".repeat(rules.words - 1));
    }
    wrong
}

fn fields(faults: &[FieldError]) -> BTreeSet<String> {
    let name = |fault: &FieldError| format!("{:?}", fault.field);
    faults.iter().map(name).collect()
}

#[test]
fn there_are_nineteen_types() {
    let names: BTreeSet<_> = ContactType::all().map(ContactType::as_str).collect();
    assert_eq!(names.len(), 19);
    assert_eq!(ContactType::all().count(), 19);
    for name in names {
        assert_eq!(ContactType::parse(name).unwrap().as_str(), name);
        assert_eq!(ContactType::parse(&name.to_lowercase()), None);
    }
    assert_eq!(ContactType::GENERAL.as_str(), "Contact");
    assert_eq!(ContactType::parse("Sponsor"), None);
}

#[test]
fn every_type_has_a_sample_it_accepts() {
    let samples = samples();
    for kind in ContactType::all() {
        assert!(
            samples.iter().any(|sample| sample.kind() == kind),
            "{kind:?}"
        );
    }
    for sample in samples {
        let (details, attributes) = sample
            .check()
            .unwrap_or_else(|faults| panic!("{} {}: {faults:?}", sample.kind, sample.what));
        assert_eq!(details.name.full(), sample.detail("name"));
        assert_eq!(details.company, sample.detail("company"));
        assert_eq!(attributes, sample.attributes);
    }
}

#[test]
fn every_attribute_is_in_a_sample() {
    let samples = samples();
    for kind in ContactType::all() {
        for attribute in kind.attributes() {
            let mut of_kind = samples.iter().filter(|sample| sample.kind() == kind);
            assert!(
                of_kind.any(|sample| sample.attributes.contains_key(attribute.name)),
                "{kind:?} {}",
                attribute.name
            );
        }
    }
}

#[test]
fn what_is_broken_is_named_and_nothing_else() {
    let mut by_type = BTreeMap::<_, usize>::new();
    for sample in samples() {
        for (broken, field) in sample.broken() {
            let said = format!(
                "{} {}: {field:?} of {:?} {:?}",
                sample.kind, sample.what, broken.details, broken.attributes
            );
            let faults = broken.check().expect_err(&said);
            assert_eq!(
                fields(&faults),
                BTreeSet::from([format!("{field:?}")]),
                "{said}"
            );
            *by_type.entry(sample.kind.clone()).or_default() += 1;
        }
    }
    assert!(
        by_type.values().all(|count| *count > 50),
        "too few ways to break them: {by_type:?}"
    );
}

#[test]
fn limits_themselves_are_kept() {
    for sample in samples() {
        let rules = sample.kind().rules();
        let (NameRules::Whole(name), TelephoneRules::Parts(phone)) = (rules.name, rules.telephone)
        else {
            panic!("names are told whole, telephones in parts");
        };
        let text = |max: usize| format!("x {}", "ö".repeat(max - 2));
        let Digits(least, most) = phone.digits;
        let longest = sample
            .with("name", text(name.max))
            .with("address1", text(rules.address))
            .with("address3", text(rules.address))
            .with("city", text(rules.city))
            .with("phone", "1".repeat(least))
            .with("fax", "1".repeat(most))
            .with("fax_code", "996");
        assert!(longest.check().is_ok(), "{} {}", sample.kind, sample.what);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let sample = samples()
        .into_iter()
        .find(|sample| sample.kind == "RuContact");
    let faults = sample
        .unwrap()
        .with("company", "One")
        .with("zip", "0")
        .with("phone_code", "0")
        .telling("birth-date", "31.02.1988")
        .telling("passport", "")
        .check()
        .unwrap_err();
    let attribute = |name| Field::Attribute(name);
    let expected = [
        field(ContactField::Company),
        field(ContactField::Zip),
        field(ContactField::PhoneCode),
        attribute("birth-date"),
        attribute("passport"),
    ];
    let expected: BTreeSet<_> = expected.iter().map(|field| format!("{field:?}")).collect();
    assert_eq!(fields(&faults), expected);
}

#[test]
fn what_attributes_say_of_the_company_holds() {
    let of = |kind: &str, what: &str| {
        let mut samples = samples().into_iter();
        samples
            .find(|sample| sample.kind == kind && sample.what == what)
            .unwrap()
    };
    let company = BTreeSet::from([format!("{:?}", field(ContactField::Company))]);
    for broken in [
        of("CaContact", "an organization").with("company", "Example Ltd"),
        of("CaContact", "a person").telling("CPR", "TRS"),
        of("EsContact", "a company").with("company", ""),
        of("EsContact", "a person").telling("es_form_juridica", "524"),
    ] {
        assert_eq!(fields(&broken.check().unwrap_err()), company);
    }
    assert!(
        of("EsContact", "a person")
            .with("company", "N/A")
            .check()
            .is_ok()
    );
}

#[test]
fn a_street_is_no_post_office_box() {
    let sample = samples()
        .into_iter()
        .find(|sample| sample.kind == "NycContact");
    let sample = sample.unwrap();
    for line in [
        "PO Box 7",
        "P.O. Box 7",
        "p o box 7",
        "Post Office Box 7",
        "P. O. Box #7",
    ] {
        let faults = sample.with("address1", line).check().unwrap_err();
        let address = format!("{:?}", field(ContactField::Address1));
        assert_eq!(fields(&faults), BTreeSet::from([address]), "{line}");
    }
    for line in ["7 Poboxer Street", "1 Post Street"] {
        assert!(sample.with("address1", line).check().is_ok(), "{line}");
    }
}

#[test]
fn what_a_type_does_not_know_is_left_out() {
    for sample in samples() {
        let more = sample
            .telling("idnLanguageCode", "fr")
            .telling("Purpose", "P1")
            .telling("", "x");
        let (_, kept) = more.check().unwrap();
        assert_eq!(kept, sample.attributes, "{} {}", sample.kind, sample.what);
    }
}

#[test]
fn groups_and_criteria_are_those_of_what_is_told() {
    for sample in samples() {
        let contact = sample.contact();
        let said = format!("{} {}", sample.kind, sample.what);
        assert_eq!(
            contact.kind.groups(&contact.attributes),
            sample.groups,
            "{said}"
        );
        let met = Criterion::all().filter(|criterion| criterion.holds(&contact));
        let met: BTreeSet<_> = met.map(Criterion::as_str).collect();
        let expected: BTreeSet<_> = sample.meets.iter().map(String::as_str).collect();
        assert_eq!(met, expected, "{said}");
    }
    let met: BTreeSet<_> = samples()
        .iter()
        .flat_map(|sample| sample.meets.clone())
        .collect();
    assert_eq!(met.len(), Criterion::all().count());
}

#[test]
fn half_a_group_meets_no_criterion() {
    let sample = samples()
        .into_iter()
        .find(|sample| sample.what == "for .us")
        .unwrap();
    let mut contact = sample.contact();
    contact.attributes.remove("category");
    assert!(!Criterion::parse("APP_PREF_NEXUS").unwrap().holds(&contact));
    assert!(Criterion::parse("app_pref_nexus").is_none());
}
