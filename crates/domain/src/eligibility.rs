//! Who may have a name of a registry's, as far as a contact tells. A criterion is a row of a table.
//!
//! What is told is believed: no registry is asked.

use crate::contact_types::EUROPEAN_UNION;
use crate::contacts::Contact;

/// What a registry asks of the holders of its names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Criterion(&'static Row);

#[derive(Debug, Eq, PartialEq)]
struct Row {
    name: &'static str,
    holds: Requirement,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Requirement {
    /// All that is needed of a group of attributes is told.
    Complete(&'static str),
    /// An attribute has one of these values.
    Attribute(&'static str, &'static [&'static str]),
    /// The country is one of these.
    Country(&'static [&'static str]),
    /// One of these at least.
    Any(&'static [Requirement]),
}

static CRITERIA: [Row; 8] = [
    Row {
        name: "CED_ASIAN_COUNTRY",
        holds: Requirement::Attribute("locality", ASIA_PACIFIC),
    },
    Row {
        name: "CED_DETAILS",
        holds: Requirement::Complete("dotasia"),
    },
    Row {
        name: "CPR",
        holds: Requirement::Complete("dotca"),
    },
    Row {
        name: "SPONSORS",
        holds: Requirement::Complete("dotcoop"),
    },
    Row {
        name: "ES_CONTACT_IDENTIFICATION_DETAILS",
        holds: Requirement::Complete("dotes"),
    },
    Row {
        name: "EUROPEAN_COUNTRY",
        holds: Requirement::Any(&[
            Requirement::Country(EUROPEAN_UNION),
            Requirement::Country(&["IS", "LI", "NO"]),
            Requirement::Attribute("countryOfCitizenship", EUROPEAN_UNION),
        ]),
    },
    Row {
        name: "RU_CONTACT_INFO",
        holds: Requirement::Complete("dotru"),
    },
    Row {
        name: "APP_PREF_NEXUS",
        holds: Requirement::Complete("domus"),
    },
];

/// The countries whose people may have names of .asia.
const ASIA_PACIFIC: &[&str] = &[
    "AE", "AF", "AM", "AQ", "AU", "AZ", "BD", "BH", "BN", "BT", "CC", "CK", "CN", "CX", "CY", "FJ",
    "FM", "GE", "HK", "HM", "ID", "IL", "IN", "IQ", "IR", "JO", "JP", "KG", "KH", "KI", "KP", "KR",
    "KW", "KZ", "LA", "LB", "LK", "MH", "MM", "MN", "MO", "MV", "MY", "NF", "NP", "NR", "NU", "NZ",
    "OM", "PG", "PH", "PK", "PS", "PW", "QA", "SA", "SB", "SG", "SY", "TH", "TJ", "TK", "TL", "TM",
    "TO", "TR", "TV", "TW", "UZ", "VN", "VU", "WS", "YE",
];

impl Criterion {
    /// All criteria.
    pub fn all() -> impl Iterator<Item = Self> {
        CRITERIA.iter().map(Self)
    }

    /// The criterion of this name; case counts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|criterion| criterion.0.name == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// Whether a contact meets it.
    pub fn holds(self, contact: &Contact) -> bool {
        self.0.holds.of(contact)
    }
}

impl Requirement {
    fn of(self, contact: &Contact) -> bool {
        // There are contacts whose country is kept in small letters.
        let country = &contact.details.country.to_ascii_uppercase()[..];
        match self {
            Self::Complete(group) => contact
                .kind
                .is_complete(group, country, &contact.attributes),
            Self::Attribute(name, values) => contact
                .attributes
                .get(name)
                .is_some_and(|value| values.contains(&value.as_str())),
            Self::Country(countries) => countries.contains(&country),
            Self::Any(requirements) => requirements.iter().any(|one| one.of(contact)),
        }
    }
}
