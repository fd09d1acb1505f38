//! The organization a certificate names beside its host names: organization-validated (BR 7.1.2.7.4) or, with
//! its registration, extended (EVG 7.1.4.2).
//!
//! A value that exists can be written: each text is there, has a meaning, fits its length (RFC 5280, upper
//! bounds) and its string type. Whether it is *true* is vetting's affair. There is no organizational unit, and
//! no attribute that the profiles merely tolerate.

use chancery_domain::countries::is_country_code;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::{
    BUSINESS_CATEGORY, COUNTRY_NAME, LOCALITY_NAME, ORGANIZATION_NAME, SERIAL_NUMBER, ST,
};

use crate::names::{NameError, check_text};

/// EVG 7.1.4.2.4.
pub(crate) const JURISDICTION_LOCALITY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.60.2.1.1");
/// EVG 7.1.4.2.4.
pub(crate) const JURISDICTION_STATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.60.2.1.2");
/// EVG 7.1.4.2.4.
pub(crate) const JURISDICTION_COUNTRY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.60.2.1.3");

/// What a leaf says of an organization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    organization: String,
    place: Place,
    registration: Option<Registration>,
}

/// A country and what lies in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// State or province, at most 128 characters.
    pub state: Option<String>,
    /// City, at most 128 characters.
    pub locality: Option<String>,
}

/// Under what an organization is registered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registration {
    /// Its kind.
    pub category: BusinessCategory,
    /// Where it is registered, down to the level of the registering agency and no further: the country, the
    /// country and the state, or all three.
    pub jurisdiction: Place,
    /// Its number there, or the date where there are no numbers; at most 64 characters of ASN.1's
    /// PrintableString: letters, digits, space and `'()+,-./:=?`.
    pub number: String,
}

/// The kinds of organizations extended certificates are for (EVG 7.1.4.2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BusinessCategory {
    /// A company or another body of private law.
    PrivateOrganization,
    /// A body of the state.
    GovernmentEntity,
    /// What trades without being incorporated.
    BusinessEntity,
    /// An international organization.
    NonCommercialEntity,
}

impl BusinessCategory {
    const ALL: [Self; 4] = [
        Self::PrivateOrganization,
        Self::GovernmentEntity,
        Self::BusinessEntity,
        Self::NonCommercialEntity,
    ];

    /// The words of the certificate.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrivateOrganization => "Private Organization",
            Self::GovernmentEntity => "Government Entity",
            Self::BusinessEntity => "Business Entity",
            Self::NonCommercialEntity => "Non-Commercial Entity",
        }
    }

    /// Reads the words of the certificate, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|category| category.as_str() == text)
    }
}

impl Identity {
    /// An organization as organization-validated leaves name it: with its legal name, of at most 64
    /// characters, and its country, and its state or city or both.
    pub fn new(organization: &str, place: Place) -> Result<Self, NameError> {
        check_text("organization", 64, organization)?;
        check_place(PLACE_NAMES, &place)?;
        if place.state.is_none() && place.locality.is_none() {
            return Err(NameError::Missing("state or city"));
        }
        Ok(Self {
            organization: organization.to_owned(),
            place,
            registration: None,
        })
    }

    /// The same as extended leaves name it: with its registration, and with no wildcard among the names.
    pub fn extended(
        organization: &str,
        place: Place,
        registration: Registration,
    ) -> Result<Self, NameError> {
        let jurisdiction = &registration.jurisdiction;
        check_place(JURISDICTION_NAMES, jurisdiction)?;
        if jurisdiction.locality.is_some() && jurisdiction.state.is_none() {
            return Err(NameError::Missing(JURISDICTION_NAMES[0]));
        }
        check_text("registration number", 64, &registration.number)?;
        if !registration.number.bytes().all(is_printable) {
            return Err(NameError::Characters("registration number"));
        }
        Ok(Self {
            registration: Some(registration),
            ..Self::new(organization, place)?
        })
    }

    /// Whether it names the registration, which only extended validation verifies.
    pub fn is_extended(&self) -> bool {
        self.registration.is_some()
    }

    /// The attributes in the order in which they are written: those of the registration, which have no fixed
    /// place, then those of BR 7.1.4.2 in the order given there.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (ObjectIdentifier, &str)> {
        let registration = self.registration.iter().flat_map(|registration| {
            let jurisdiction = &registration.jurisdiction;
            [
                (BUSINESS_CATEGORY, Some(registration.category.as_str())),
                (JURISDICTION_COUNTRY, Some(jurisdiction.country.as_str())),
                (JURISDICTION_STATE, jurisdiction.state.as_deref()),
                (JURISDICTION_LOCALITY, jurisdiction.locality.as_deref()),
                (SERIAL_NUMBER, Some(registration.number.as_str())),
            ]
        });
        let organization = [
            (COUNTRY_NAME, Some(self.place.country.as_str())),
            (ST, self.place.state.as_deref()),
            (LOCALITY_NAME, self.place.locality.as_deref()),
            (ORGANIZATION_NAME, Some(self.organization.as_str())),
        ];
        registration
            .chain(organization)
            .filter_map(|(kind, text)| Some((kind, text?)))
    }

    /// Reads attributes back; `None` where there are none.
    pub(crate) fn read(attributes: &[(ObjectIdentifier, &str)]) -> Result<Option<Self>, NameError> {
        const KNOWN: [ObjectIdentifier; 9] = [
            BUSINESS_CATEGORY,
            JURISDICTION_COUNTRY,
            JURISDICTION_STATE,
            JURISDICTION_LOCALITY,
            SERIAL_NUMBER,
            COUNTRY_NAME,
            ST,
            LOCALITY_NAME,
            ORGANIZATION_NAME,
        ];
        if attributes.is_empty() {
            return Ok(None);
        }
        if attributes.iter().any(|(kind, _)| !KNOWN.contains(kind)) {
            return Err(NameError::Unexpected);
        }
        let text = |kind: ObjectIdentifier| {
            let mut found = attributes.iter().filter(|(found, _)| *found == kind);
            found.next().map(|(_, text)| *text)
        };
        let needed = |what, kind| text(kind).ok_or(NameError::Missing(what));
        let place = |country, state, locality| Place {
            country,
            state: text(state).map(str::to_owned),
            locality: text(locality).map(str::to_owned),
        };
        let organization = needed("organization", ORGANIZATION_NAME)?;
        let country = needed("country", COUNTRY_NAME)?.to_owned();
        let seat = place(country, ST, LOCALITY_NAME);
        let is_registration = |(kind, _): &(ObjectIdentifier, &str)| KNOWN[..5].contains(kind);
        if !attributes.iter().any(is_registration) {
            return Self::new(organization, seat).map(Some);
        }
        let category = needed("business category", BUSINESS_CATEGORY)?;
        let category = BusinessCategory::parse(category);
        let country = needed("country of registration", JURISDICTION_COUNTRY)?.to_owned();
        let registration = Registration {
            category: category.ok_or(NameError::Characters("business category"))?,
            jurisdiction: place(country, JURISDICTION_STATE, JURISDICTION_LOCALITY),
            number: needed("registration number", SERIAL_NUMBER)?.to_owned(),
        };
        Self::extended(organization, seat, registration).map(Some)
    }
}

/// What the parts of a place are called in refusals.
type PlaceNames = [&'static str; 2];

const PLACE_NAMES: PlaceNames = ["state", "city"];
const JURISDICTION_NAMES: PlaceNames = ["state of registration", "city of registration"];

fn check_place([state, locality]: PlaceNames, place: &Place) -> Result<(), NameError> {
    if !is_country_code(&place.country) {
        return Err(NameError::Country);
    }
    for (what, text) in [(state, &place.state), (locality, &place.locality)] {
        if let Some(text) = text {
            check_text(what, 128, text)?;
        }
    }
    Ok(())
}

/// X.680 §41.4.
fn is_printable(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&octet)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(country: &str, state: Option<&str>, locality: Option<&str>) -> Place {
        Place {
            country: country.to_owned(),
            state: state.map(str::to_owned),
            locality: locality.map(str::to_owned),
        }
    }

    fn registered(number: &str, jurisdiction: Place) -> Result<Identity, NameError> {
        let registration = Registration {
            category: BusinessCategory::PrivateOrganization,
            jurisdiction,
            number: number.to_owned(),
        };
        Identity::extended(
            "Shop Ltd",
            place("MY", Some("Selangor"), None),
            registration,
        )
    }

    #[test]
    fn an_organization_has_a_name_a_country_and_a_state_or_a_city() {
        let shop = |place| Identity::new("Shop Ltd", place);
        assert!(shop(place("MY", Some("Selangor"), Some("Kajang"))).is_ok());
        assert!(shop(place("SG", None, Some("Singapore"))).is_ok());
        assert_eq!(
            shop(place("MY", None, None)),
            Err(NameError::Missing("state or city"))
        );
        for country in ["my", "MYS", "QQ", ""] {
            let refused = shop(place(country, Some("Selangor"), None));
            assert_eq!(refused, Err(NameError::Country), "{country}");
        }
        let blank = shop(place("MY", Some(""), Some("Kajang")));
        assert_eq!(blank, Err(NameError::Placeholder("state")));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_cut() {
        let kajang = || place("MY", None, Some("Kajang"));
        let named = |name: &str| Identity::new(name, kajang());
        assert!(named(&"ü".repeat(64)).is_ok());
        assert_eq!(
            named(&"a".repeat(65)),
            Err(NameError::TooLong {
                attribute: "organization",
                limit: 64
            })
        );
        for odd in ["Shop\nLtd", "Shop Ltd ", " Shop Ltd", "Shop\u{0}"] {
            let refused = named(odd);
            assert_eq!(
                refused,
                Err(NameError::Characters("organization")),
                "{odd:?}"
            );
        }
        let long = Identity::new("Shop Ltd", place("MY", None, Some(&"k".repeat(129))));
        assert_eq!(
            long,
            Err(NameError::TooLong {
                attribute: "city",
                limit: 128
            })
        );
    }

    #[test]
    fn a_registration_has_a_number_and_a_jurisdiction() {
        let malaysia = || place("MY", None, None);
        assert!(registered("201901000005 (1312525-A)", malaysia()).is_ok());
        assert!(registered("1", place("US", Some("Delaware"), None)).is_ok());
        assert!(registered("1", place("DE", Some("Hessen"), Some("Kassel"))).is_ok());
        assert_eq!(
            registered("1", place("DE", None, Some("Kassel"))),
            Err(NameError::Missing("state of registration"))
        );
        for odd in ["12*4", "№ 4", "a_b"] {
            assert_eq!(
                registered(odd, malaysia()),
                Err(NameError::Characters("registration number")),
                "{odd}"
            );
        }
        assert_eq!(
            registered("", malaysia()),
            Err(NameError::Placeholder("registration number"))
        );
        assert!(registered(&"1".repeat(65), malaysia()).is_err());
        assert_eq!(
            registered("1", place("", None, None)),
            Err(NameError::Country)
        );
    }

    #[test]
    fn half_of_an_identity_is_none() {
        let read = |kinds: &[ObjectIdentifier]| {
            let texts: Vec<_> = kinds.iter().map(|kind| (*kind, "MY")).collect();
            Identity::read(&texts)
        };
        assert_eq!(read(&[]), Ok(None));
        assert!(matches!(
            read(&[COUNTRY_NAME, ST, ORGANIZATION_NAME]),
            Ok(Some(_))
        ));
        for (missing, kinds) in [
            ("organization", &[COUNTRY_NAME, ST][..]),
            ("country", &[ORGANIZATION_NAME, ST]),
            ("state or city", &[ORGANIZATION_NAME, COUNTRY_NAME]),
            (
                "business category",
                &[ORGANIZATION_NAME, COUNTRY_NAME, ST, SERIAL_NUMBER],
            ),
        ] {
            assert_eq!(read(kinds), Err(NameError::Missing(missing)));
        }
    }

    proptest! {
        /// What is written is what is read back.
        #[test]
        fn identities_survive(
            organization in "[A-Za-zé&.,]{1,20}( [A-Za-zü0-9]{1,20}){0,2}",
            state in prop::option::of("[A-Z][a-zé]{1,20}"),
            locality in "[A-Z][a-zü]{1,20}",
            number in prop::option::of("[0-9A-Z][0-9A-Z/-]{0,20}"),
            at in 0..4_usize,
        ) {
            let seat = Place { country: "MY".to_owned(), state: state.clone(), locality: Some(locality) };
            let identity = match number {
                None => Identity::new(&organization, seat),
                Some(number) => Identity::extended(&organization, seat, Registration {
                    category: BusinessCategory::ALL[at],
                    jurisdiction: Place { country: "MY".to_owned(), state, locality: None },
                    number,
                }),
            };
            prop_assume!(identity.is_ok());
            let identity = identity.unwrap();
            let attributes: Vec<_> = identity.attributes().collect();
            prop_assert_eq!(Identity::read(&attributes), Ok(Some(identity.clone())));
        }
    }
}
