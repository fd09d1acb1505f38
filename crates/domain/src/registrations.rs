//! Registrations: as what, where and under which number an organization is registered.
//!
//! EV certificates show them beside name and address (EV Guidelines 7.1.4.2.3 to 7.1.4.2.5).

use serde::{Deserialize, Serialize};

use crate::countries::is_country;
use crate::organizations::is_placeholder;
use crate::texts::is_invisible;

/// Where an organization is registered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// As what.
    pub category: EntityCategory,
    /// In which country, two capital letters.
    pub country: String,
    /// In which state of it, where the register is the state's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// In which place of that, where the register is the place's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// Under which number; without one, since when, or what the guidelines say instead.
    pub number: String,
}

/// What kind of entity an organization is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntityCategory {
    /// A company or the like, created by registering it.
    PrivateOrganization,
    /// A part of a government.
    GovernmentEntity,
    /// Any other business.
    BusinessEntity,
    /// An international organization.
    NonCommercialEntity,
}

impl EntityCategory {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::PrivateOrganization,
        Self::GovernmentEntity,
        Self::BusinessEntity,
        Self::NonCommercialEntity,
    ];

    /// The words certificates have for it.
    pub fn title(self) -> &'static str {
        match self {
            Self::PrivateOrganization => "Private Organization",
            Self::GovernmentEntity => "Government Entity",
            Self::BusinessEntity => "Business Entity",
            Self::NonCommercialEntity => "Non-Commercial Entity",
        }
    }

    /// Reads those words back, in whatever case and with hyphens for spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let folded = |text: &str| text.trim().to_lowercase().replace([' ', '_'], "-");
        Self::ALL
            .into_iter()
            .find(|category| folded(category.title()) == folded(text))
    }
}

/// What is wrong with a registration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RegistrationError {
    /// The country is none.
    #[error("the country of registration is an ISO 3166-1 code of two letters")]
    Country,
    /// A place without the state it is in, or a text that cannot stand in a certificate.
    #[error("the place of registration is a text of at most 128 characters, a city with its state")]
    Place,
    /// The number cannot stand in a certificate.
    #[error(
        "the registration number has 1 to 64 characters: letters, digits, spaces and '()+,-./:=?"
    )]
    Number,
}

impl Registration {
    /// Makes a registration of texts, if they can stand in a certificate.
    pub fn check(
        category: EntityCategory,
        country: &str,
        state: Option<&str>,
        locality: Option<&str>,
        number: &str,
    ) -> Result<Self, RegistrationError> {
        let country = country.trim();
        if !is_country(country) {
            return Err(RegistrationError::Country);
        }
        let place = |text: Option<&str>| {
            let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
                return Ok(None);
            };
            let fits = text.chars().count() <= 128 && !text.contains(is_invisible);
            match fits && !is_placeholder(text) {
                true => Ok(Some(text.to_owned())),
                false => Err(RegistrationError::Place),
            }
        };
        let number = number.trim();
        let is_printable =
            |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
        if !(1..=64).contains(&number.len())
            || !number.bytes().all(is_printable)
            || is_placeholder(number)
        {
            return Err(RegistrationError::Number);
        }
        let (state, locality) = (place(state)?, place(locality)?);
        if locality.is_some() && state.is_none() {
            return Err(RegistrationError::Place);
        }
        Ok(Self {
            category,
            country: country.to_ascii_uppercase(),
            state,
            locality,
            number: number.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: EntityCategory = EntityCategory::PrivateOrganization;

    #[test]
    fn a_registration_is_kept_as_certificates_show_it() {
        let made =
            Registration::check(PRIVATE, " my", Some(" "), None, " 202401000001 (1550001-A)");
        let registration = made.unwrap();
        assert_eq!(registration.country, "MY");
        assert_eq!(registration.state, None);
        assert_eq!(registration.number, "202401000001 (1550001-A)");
    }

    #[test]
    fn what_cannot_stand_in_a_certificate_is_refused() {
        let check =
            |country, state, number| Registration::check(PRIVATE, country, state, None, number);
        assert_eq!(check("XX", None, "1"), Err(RegistrationError::Country));
        assert_eq!(check("MY", Some("-"), "1"), Err(RegistrationError::Place));
        let hidden = check("MY", Some("Sel\u{200b}angor"), "1");
        assert_eq!(hidden, Err(RegistrationError::Place));
        let alone = Registration::check(PRIVATE, "MY", None, Some("Kajang"), "1");
        assert_eq!(alone, Err(RegistrationError::Place));
        for number in ["", "n/a", "№ 5", "a@b", &"1".repeat(65)] {
            assert_eq!(check("MY", None, number), Err(RegistrationError::Number));
        }
    }

    #[test]
    fn categories_are_read_in_many_spellings() {
        for category in EntityCategory::ALL {
            assert_eq!(EntityCategory::parse(category.title()), Some(category));
        }
        assert_eq!(
            EntityCategory::parse("non-commercial-entity"),
            Some(EntityCategory::NonCommercialEntity)
        );
        assert_eq!(EntityCategory::parse("company"), None);
    }
}
