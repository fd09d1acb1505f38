//! Samples of each type (`samples.toml`), and each of them broken in every way its row allows.

mod samples;

use std::collections::{BTreeMap, BTreeSet};

use samples::{field, samples};

use super::*;
use crate::contact_rules::{NameRules, TelephoneRules};
use crate::contacts::Contact;
use crate::eligibility::Criterion;

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
        of("CaContact", "an organization").with("company", ""),
        of("EsContact", "a company").with("company", ""),
        of("EsContact", "a person").telling("es_form_juridica", "524"),
    ] {
        assert_eq!(fields(&broken.check().unwrap_err()), company);
    }
    for right in [
        of("EsContact", "a person").with("company", "N/A"),
        of("CaContact", "an organization").with("company", "N/A"),
        of("CaContact", "an organization").with("company", "Example Ltd"),
        of("CaContact", "a person").telling("CPR", "TRS"),
    ] {
        assert!(right.check().is_ok());
    }
}

#[test]
fn a_province_is_kept_as_the_registry_writes_it() {
    let sample = samples()
        .into_iter()
        .find(|sample| sample.kind == "EsContact");
    let (details, _) = sample.unwrap().with("state", "LA CORUÑA").check().unwrap();
    assert_eq!(details.state, "Coruña, A");
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
fn groups_are_told_later_one_by_one() {
    for group in LATER_GROUPS {
        let mut of_types = ContactType::all().flat_map(ContactType::attributes);
        assert!(
            of_types.any(|attribute| attribute.group == group),
            "{group}"
        );
    }
    let texts = |pairs: &[(&str, &str)]| -> Attributes {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(text).collect()
    };
    let before = texts(&[("purpose", "P1"), ("category", "C11")]);
    let later = texts(&[("purpose", "P2"), ("profession", "Notary"), ("x", "y")]);
    let check = |groups: &[&str], later: &Attributes| {
        ContactType::GENERAL.check_later(groups, "US", &before, later)
    };
    let changed = texts(&[("purpose", "P2"), ("category", "C11")]);
    assert_eq!(check(&["domus", "dotca"], &later), Ok(changed));
    let added = texts(&[
        ("purpose", "P1"),
        ("category", "C11"),
        ("profession", "Notary"),
    ]);
    assert_eq!(check(&["dotpro"], &later), Ok(added));
    assert_eq!(check(&[], &later), Ok(before.clone()));
    let wrong = check(&["domus"], &texts(&[("purpose", "P9")])).unwrap_err();
    assert_eq!(wrong[0].field, Field::Attribute("purpose"));
    assert_eq!(wrong.len(), 1);
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

#[test]
fn a_country_in_small_letters_is_the_same() {
    for sample in samples() {
        let mut contact = sample.contact();
        let meets = |contact: &Contact| {
            let met = Criterion::all().filter(|criterion| criterion.holds(contact));
            met.map(Criterion::as_str).collect::<Vec<_>>()
        };
        let before = meets(&contact);
        contact.details.country.make_ascii_lowercase();
        assert_eq!(meets(&contact), before, "{} {}", sample.kind, sample.what);
    }
}
