//! Distinguished names as we write them.
//!
//! One attribute per RDN, in the order of BR 7.1.4.2 (C, ST, L, O, OU, CN), with its string types and
//! lengths. Names that come from elsewhere are never built here: an issuer's is copied octet by octet.

use chancery_domain::texts::is_invisible;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc3280::EMAIL_ADDRESS;
use const_oid::db::rfc4519::{
    COMMON_NAME, COUNTRY_NAME, LOCALITY_NAME, ORGANIZATION_NAME, ORGANIZATIONAL_UNIT_NAME,
    SERIAL_NUMBER, ST,
};
use der::asn1::Any;
use der::{Decode, Encode, Tag};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use crate::identities::JURISDICTION_COUNTRY;
use crate::structures::Malformed;

/// What a name says; absent attributes are left out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attributes<'a> {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<&'a str>,
    /// State or province.
    pub state: Option<&'a str>,
    /// City.
    pub locality: Option<&'a str>,
    /// Legal name.
    pub organization: Option<&'a str>,
    /// Part of the organization: for requests only, no certificate carries it.
    pub organization_unit: Option<&'a str>,
    /// Common name.
    pub common_name: Option<&'a str>,
    /// Mail address: for requests only.
    pub email: Option<&'a str>,
}

/// Why a name cannot be written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// Not two upper-case letters.
    #[error("the country has to be a two-letter code in upper case")]
    Country,
    /// Longer than X.520 allows, counted in characters.
    #[error("the {attribute} has more than {limit} characters")]
    TooLong {
        /// Which attribute.
        attribute: &'static str,
        /// How many characters it may have.
        limit: usize,
    },
    /// Nothing, or a filler such as `-` or `N/A`.
    #[error("the {0} has no meaning; leave it out instead")]
    Placeholder(&'static str),
    /// Something that has to be there is not.
    #[error("the {0} is missing")]
    Missing(&'static str),
    /// Control characters, spaces around it, or what its string type does not have.
    #[error("the {0} has characters that a certificate cannot carry there")]
    Characters(&'static str),
    /// An attribute that has no place there.
    #[error("there is an attribute that nobody verifies")]
    Unexpected,
    /// A mail address that is not ASCII.
    #[error("the mail address has to be ASCII")]
    Email,
    /// It has no encoding.
    #[error("the name cannot be encoded")]
    Encoding(#[from] Malformed),
}

/// Writes a `Name`.
pub fn encode_name(attributes: &Attributes<'_>) -> Result<Vec<u8>, NameError> {
    if attributes
        .country
        .is_some_and(|c| c.len() != 2 || !c.bytes().all(|b| b.is_ascii_uppercase()))
    {
        return Err(NameError::Country);
    }
    if attributes.email.is_some_and(|email| !email.is_ascii()) {
        return Err(NameError::Email);
    }
    let parts = [
        ("country", 2, COUNTRY_NAME, attributes.country),
        ("state", 128, ST, attributes.state),
        ("city", 128, LOCALITY_NAME, attributes.locality),
        (
            "organization",
            64,
            ORGANIZATION_NAME,
            attributes.organization,
        ),
        (
            "organization unit",
            64,
            ORGANIZATIONAL_UNIT_NAME,
            attributes.organization_unit,
        ),
        ("common name", 64, COMMON_NAME, attributes.common_name),
        ("mail address", 255, EMAIL_ADDRESS, attributes.email),
    ];
    for (attribute, limit, _, text) in parts {
        let Some(text) = text else {
            continue;
        };
        if is_placeholder(text) {
            return Err(NameError::Placeholder(attribute));
        }
        if text.chars().count() > limit {
            return Err(NameError::TooLong { attribute, limit });
        }
    }
    let parts = parts
        .into_iter()
        .filter_map(|(_, _, kind, text)| Some((kind, text?)));
    Ok(write_name(parts)?)
}

/// A `Name` for people, as OpenSSL writes it: `C = CH, O = Example, CN = Example Root`. Attributes we never
/// write appear as `?`.
pub fn name_text(name_der: &[u8]) -> Result<String, Malformed> {
    let name = Name::from_der(name_der)?;
    let texts: Vec<_> = name
        .iter()
        .map(|part| {
            let label = match part.oid {
                COUNTRY_NAME => "C",
                ST => "ST",
                LOCALITY_NAME => "L",
                ORGANIZATION_NAME => "O",
                ORGANIZATIONAL_UNIT_NAME => "OU",
                COMMON_NAME => "CN",
                EMAIL_ADDRESS => "emailAddress",
                _ => "?",
            };
            format!("{label} = {}", String::from_utf8_lossy(part.value.value()))
        })
        .collect();
    Ok(texts.join(", "))
}

/// Writes a `Name` of one attribute per RDN, each with the string type BR 7.1.4.2 gives it.
pub(crate) fn write_name<'a>(
    parts: impl Iterator<Item = (ObjectIdentifier, &'a str)>,
) -> Result<Vec<u8>, Malformed> {
    let mut name = RdnSequence::default();
    for (kind, text) in parts {
        let string = match kind {
            COUNTRY_NAME | JURISDICTION_COUNTRY | SERIAL_NUMBER => Tag::PrintableString,
            EMAIL_ADDRESS => Tag::Ia5String,
            _ => Tag::Utf8String,
        };
        let attribute = AttributeTypeAndValue {
            oid: kind,
            value: Any::new(string, text.as_bytes())?,
        };
        name.push(RelativeDistinguishedName::try_from(vec![attribute])?);
    }
    Ok(name.to_der()?)
}

/// Checks that a text has a meaning, at most so many characters, and none that is not to be seen.
pub(crate) fn check_text(
    attribute: &'static str,
    limit: usize,
    text: &str,
) -> Result<(), NameError> {
    if is_placeholder(text) {
        return Err(NameError::Placeholder(attribute));
    }
    if text.chars().count() > limit {
        return Err(NameError::TooLong { attribute, limit });
    }
    if text.trim() != text || text.contains(is_invisible) {
        return Err(NameError::Characters(attribute));
    }
    Ok(())
}

/// Whether a text only fills a field (BR 7.1.2.7.3 names such values).
fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    !text.contains(char::is_alphanumeric)
        || text.eq_ignore_ascii_case("n/a")
        || text.eq_ignore_ascii_case("none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_in_order_with_its_types() {
        let name = Attributes {
            common_name: Some("Root"),
            organization: Some("Ünit"),
            country: Some("DE"),
            ..Attributes::default()
        };
        let der = encode_name(&name).unwrap();
        let expected = b"\x30\x2b\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\
            \x31\x0d\x30\x0b\x06\x03\x55\x04\x0a\x0c\x04\xc3\x9cni";
        assert_eq!(&der[2..10], &expected[2..10]);
        assert!(der.windows(2).any(|w| w == [0x0c, 0x05]));
        assert!(der.ends_with(b"\x0c\x04Root"));
        assert_eq!(name_text(&der).unwrap(), "C = DE, O = Ünit, CN = Root");
    }

    #[test]
    fn a_text_about_an_organization_hides_nothing() {
        for hidden in ["A\u{200b}B", "A\u{202e}B", "A\u{ad}B", "A\u{2028}B", "A\0B"] {
            let refused = Err(NameError::Characters("organization"));
            assert_eq!(
                check_text("organization", 64, hidden),
                refused,
                "{hidden:?}"
            );
        }
        assert_eq!(check_text("organization", 64, "Ünit A"), Ok(()));
    }

    #[test]
    fn fillers_and_excess_are_refused() {
        let country = |text| {
            encode_name(&Attributes {
                country: Some(text),
                ..Attributes::default()
            })
        };
        assert_eq!(country("de"), Err(NameError::Country));
        assert_eq!(country("DEU"), Err(NameError::Country));
        assert!(country("NA").is_ok(), "Namibia");
        fn organization(text: &str) -> Result<Vec<u8>, NameError> {
            encode_name(&Attributes {
                organization: Some(text),
                ..Attributes::default()
            })
        }
        for filler in ["", " ", "-", ".", "N/A", "none"] {
            assert_eq!(
                organization(filler),
                Err(NameError::Placeholder("organization")),
                "{filler}"
            );
        }
        assert!(organization(&"ü".repeat(64)).is_ok());
        assert!(organization(&"a".repeat(65)).is_err());
    }
}
