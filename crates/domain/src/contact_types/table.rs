//! The table of contact types. A new type is a new row.

use super::values::{
    CANADIAN, EUROPEAN_UNION, SPANISH_FORMS, SPANISH_ORGANIZATIONS, is_birth_date,
    is_brazilian_number,
};
use super::{Attribute, Condition, Fixed, Form, Needed, Row};
use crate::contact_rules::{
    CompanyRules, ContactRules, CountryRules, NameRules, PartRules, StateRules, TelephoneRules,
    TextRules, ZipRules,
};
use crate::countries::is_country_code;
use crate::states::SPANISH_PROVINCES;
use crate::telephones::Digits;

/// The rules of contacts of no particular registry.
const GENERAL: ContactRules = ContactRules {
    name: NameRules::Whole(TextRules::up_to(255)),
    company: CompanyRules::up_to(255),
    address: 64,
    city: 64,
    state: StateRules::Optional(64),
    country: CountryRules::Capitals,
    zip: ZipRules::OfCountry(10),
    telephone: phone_of(4, 12),
};

/// A type with the general rules and nothing beside.
const fn plain(name: &'static str) -> Row {
    Row {
        name,
        rules: GENERAL,
        street: false,
        attributes: &[],
        company: &[],
        fixed: &[],
    }
}

pub(super) static SPONSOR: Row = plain("Sponsor");

const fn phone_of(least: usize, most: usize) -> TelephoneRules {
    TelephoneRules::Parts(PartRules {
        digits: Digits(least, most),
        zero: false,
    })
}

const fn attribute(
    group: &'static str,
    name: &'static str,
    needed: Needed,
    form: Form,
) -> Attribute {
    Attribute {
        name,
        shown_as: Some(name),
        group,
        needed,
        form,
    }
}

const TEXT: Form = Form::Text(TextRules::up_to(255));

/// A Brazilian registrant's number.
const BRAZIL: &[Attribute] = &[attribute(
    "dotbr",
    "organisationId",
    Needed::Always,
    Form::Like(is_brazilian_number),
)];

pub(super) static TYPES: [Row; 19] = [
    Row {
        attributes: &[
            Attribute {
                shown_as: Some("ApplicationPurpose"),
                ..attribute(
                    "domus",
                    "purpose",
                    Needed::WithGroup,
                    Form::OneOf(&["P1", "P2", "P3", "P4", "P5"]),
                )
            },
            Attribute {
                shown_as: Some("NexusCategory"),
                ..attribute(
                    "domus",
                    "category",
                    Needed::WithGroup,
                    Form::OneOf(&["C11", "C12", "C21", "C31", "C32"]),
                )
            },
            attribute(
                "dotasia",
                "locality",
                Needed::WithGroup,
                Form::Like(is_country_code),
            ),
            attribute(
                "dotasia",
                "legalentitytype",
                Needed::WithGroup,
                Form::OneOf(&[
                    "naturalPerson",
                    "corporation",
                    "cooperative",
                    "partnership",
                    "government",
                    "politicalParty",
                    "society",
                    "institution",
                    "other",
                ]),
            ),
            attribute(
                "dotasia",
                "otherlegalentitytype",
                Needed::Where(&[Condition::Is("legalentitytype", &["other"])]),
                TEXT,
            ),
            attribute(
                "dotasia",
                "identform",
                Needed::WithGroup,
                Form::OneOf(&[
                    "passport",
                    "certificate",
                    "legislation",
                    "societyRegistry",
                    "politicalPartyRegistry",
                    "other",
                ]),
            ),
            attribute(
                "dotasia",
                "otheridentform",
                Needed::Where(&[Condition::Is("identform", &["other"])]),
                TEXT,
            ),
            attribute("dotasia", "identnumber", Needed::WithGroup, TEXT),
            attribute("dotpro", "profession", Needed::WithGroup, TEXT),
            attribute("dotjobs", "title", Needed::Never, TEXT),
            attribute("dotjobs", "website", Needed::Never, TEXT),
            attribute("dotjobs", "industry", Needed::Never, TEXT),
        ],
        ..plain("Contact")
    },
    Row {
        rules: ContactRules {
            name: NameRules::Whole(TextRules::up_to(255).with_words(2)),
            company: two_words(&["N/A"]),
            ..GENERAL
        },
        ..plain("AtContact")
    },
    Row {
        attributes: BRAZIL,
        ..plain("BrContact")
    },
    Row {
        attributes: BRAZIL,
        ..plain("BrOrgContact")
    },
    Row {
        attributes: &[
            attribute("dotca", "CPR", Needed::Always, Form::OneOf(CANADIAN)),
            Attribute {
                shown_as: None,
                ..attribute("dotca", "AgreementVersion", Needed::Always, TEXT)
            },
            attribute(
                "dotca",
                "AgreementValue",
                Needed::Always,
                Form::OneOf(&["y"]),
            ),
        ],
        fixed: &[Fixed::Name, Fixed::Attribute("CPR")],
        ..plain("CaContact")
    },
    plain("ClContact"),
    Row {
        attributes: &[attribute(
            "dotcn",
            "organisationVerificationId",
            Needed::Never,
            TEXT,
        )],
        ..plain("CnContact")
    },
    plain("CoContact"),
    Row {
        attributes: &[attribute("dotcoop", "sponsor", Needed::Always, TEXT)],
        ..plain("CoopContact")
    },
    plain("DeContact"),
    Row {
        rules: ContactRules {
            company: CompanyRules {
                required: false,
                ..CompanyRules::up_to(255)
            },
            state: StateRules::OneOf(SPANISH_PROVINCES),
            ..GENERAL
        },
        attributes: &[
            attribute(
                "dotes",
                "es_form_juridica",
                Needed::Always,
                Form::OneOf(SPANISH_FORMS),
            ),
            attribute(
                "dotes",
                "es_tipo_identificacion",
                Needed::Always,
                Form::OneOf(&["0", "1", "3"]),
            ),
            attribute("dotes", "es_identificacion", Needed::Always, TEXT),
        ],
        company: &[Condition::Is("es_form_juridica", SPANISH_ORGANIZATIONS)],
        ..plain("EsContact")
    },
    Row {
        rules: ContactRules {
            name: NameRules::Whole(TextRules::up_to(50)),
            company: CompanyRules::up_to(100),
            zip: ZipRules::OfCountry(16),
            telephone: phone_of(3, 13),
            ..GENERAL
        },
        attributes: &[attribute(
            "doteu",
            "countryOfCitizenship",
            Needed::Never,
            Form::OneOf(EUROPEAN_UNION),
        )],
        ..plain("EuContact")
    },
    plain("FrContact"),
    plain("MxContact"),
    Row {
        attributes: &[attribute(
            "dotnl",
            "legalForm",
            Needed::Always,
            Form::OneOf(&["PERSOON", "ANDERS"]),
        )],
        ..plain("NlContact")
    },
    Row {
        rules: ContactRules {
            country: CountryRules::OneOf(&["US"]),
            ..GENERAL
        },
        street: true,
        ..plain("NycContact")
    },
    Row {
        rules: ContactRules {
            company: two_words(&[]),
            telephone: phone_of(4, 13),
            ..GENERAL
        },
        attributes: &[
            attribute(
                "dotru",
                "contract-type",
                Needed::Always,
                Form::OneOf(&["PRS", "ORG"]),
            ),
            attribute(
                "dotru",
                "birth-date",
                Needed::Where(RUSSIAN_PERSON),
                Form::Like(is_birth_date),
            ),
            attribute("dotru", "person-r", Needed::Where(RUSSIAN_PERSON), TEXT),
            attribute("dotru", "passport", Needed::Where(RUSSIAN_PERSON), TEXT),
            attribute(
                "dotru",
                "org-r",
                Needed::Where(RUSSIAN_ORGANIZATION),
                Form::Text(TextRules::up_to(255).with_words(2)),
            ),
            attribute(
                "dotru",
                "address-r",
                Needed::Where(RUSSIAN_ORGANIZATION),
                TEXT,
            ),
            attribute(
                "dotru",
                "kpp",
                Needed::Where(ORGANIZATION_IN_RUSSIA),
                Form::Digits(Digits(9, 9)),
            ),
            attribute(
                "dotru",
                "code",
                Needed::Where(ORGANIZATION_IN_RUSSIA),
                Form::Digits(Digits(10, 10)),
            ),
        ],
        ..plain("RuContact")
    },
    plain("UkContact"),
    Row {
        rules: ContactRules {
            country: CountryRules::OneOf(&["GB", "IM", "JE", "GG"]),
            ..GENERAL
        },
        ..plain("UkServiceContact")
    },
];

const fn two_words(fillers: &'static [&'static str]) -> CompanyRules {
    CompanyRules {
        text: TextRules::up_to(255).with_words(2),
        required: true,
        fillers,
    }
}

const RUSSIAN_PERSON: &[Condition] = &[Condition::Is("contract-type", &["PRS"])];
const RUSSIAN_ORGANIZATION: &[Condition] = &[Condition::Is("contract-type", &["ORG"])];
const ORGANIZATION_IN_RUSSIA: &[Condition] = &[
    Condition::Is("contract-type", &["ORG"]),
    Condition::Country("RU"),
];
