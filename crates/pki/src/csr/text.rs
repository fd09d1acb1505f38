//! The texts inside a request: distinguished names and object identifiers.

use std::net::IpAddr;

use const_oid::db::rfc3280::EMAIL_ADDRESS;
use const_oid::db::rfc4519::{
    COMMON_NAME, COUNTRY_NAME, LOCALITY_NAME, ORGANIZATION_NAME, ORGANIZATIONAL_UNIT_NAME, ST,
};
use der::asn1::{Any, AnyRef};
use der::{Decode, Tag, Tagged};
use x509_cert::name::Name;

use super::{CsrError, Ignored};

/// A subject as people wrote it.
#[derive(Default)]
pub(super) struct Subject {
    pub common_name: Option<String>,
    pub organization: Option<String>,
    pub organization_unit: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub country: Option<String>,
    pub email: Option<String>,
}

/// Reads a `Name`. Attributes without a place in [`Subject`] and repetitions are listed as ignored.
pub(super) fn read_subject(name: &[u8], ignored: &mut Ignored) -> Result<Subject, CsrError> {
    let mut subject = Subject::default();
    for part in Name::from_der(name)?.iter() {
        let place = match part.oid {
            COMMON_NAME => &mut subject.common_name,
            ORGANIZATION_NAME => &mut subject.organization,
            ORGANIZATIONAL_UNIT_NAME => &mut subject.organization_unit,
            LOCALITY_NAME => &mut subject.city,
            ST => &mut subject.state,
            COUNTRY_NAME => &mut subject.country,
            EMAIL_ADDRESS => &mut subject.email,
            other => {
                (ignored.words).push(format!("subject attribute {other}"));
                continue;
            }
        };
        match read_text(&part.value) {
            Some(text) if place.is_none() && !text.contains('\0') => {
                if !text.is_empty() {
                    *place = Some(text);
                }
            }
            Some(text) if text.contains('\0') => return Err(CsrError::Nul("its subject")),
            Some(text) => {
                (ignored.words).push(format!("second subject attribute {}", part.oid));
                let is_name = part.oid == COMMON_NAME && !text.is_empty();
                ignored.names.extend(Some(text).filter(|_| is_name));
            }
            None if part.oid == COMMON_NAME => return Err(CsrError::Unreadable("a common name")),
            None => {
                let word = format!("unreadable subject attribute {}", part.oid);
                ignored.words.push(word);
            }
        }
    }
    Ok(subject)
}

/// Reads a DirectoryString or IA5String; old string types are still sent by old tools, and Latin-1 in types that
/// are none. A NUL stays, to be refused; other control characters become spaces.
fn read_text(value: &Any) -> Option<String> {
    let octets = value.value();
    let text = match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            str::from_utf8(octets).map_or_else(|_| latin_1(octets), str::to_owned)
        }
        Tag::TeletexString => latin_1(octets),
        Tag::BmpString if octets.len().is_multiple_of(2) => {
            let units = octets
                .chunks(2)
                .map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()?
        }
        _ => return None,
    };
    let visible = |c: char| match c.is_control() && c != '\0' {
        true => ' ',
        false => c,
    };
    let text: String = text.chars().map(visible).collect();
    Some(text.trim().to_owned())
}

fn latin_1(octets: &[u8]) -> String {
    octets.iter().map(|octet| char::from(*octet)).collect()
}

/// The name of a kind of GeneralName, by its tag.
pub(super) fn general_name(tag: Tag) -> &'static str {
    if !tag.is_context_specific() {
        return "unknown";
    }
    match tag.number().value() {
        0 => "otherName",
        1 => "mail address",
        3 => "X.400 address",
        4 => "directory name",
        5 => "EDI party name",
        6 => "URI",
        7 => "IP address",
        8 => "registered identifier",
        _ => "unknown",
    }
}

/// The text of a GeneralName that is an IP or mail address or a URI; `None` for other kinds and what cannot be read.
pub(super) fn address(name: AnyRef<'_>) -> Option<String> {
    let octets = name.value();
    match general_name(name.tag()) {
        "IP address" => match octets.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(octets).ok()?).to_string()),
            16 => Some(IpAddr::from(<[u8; 16]>::try_from(octets).ok()?).to_string()),
            _ => None,
        },
        "mail address" | "URI" => {
            let text = str::from_utf8(octets).ok()?;
            let is_shown = !text.is_empty() && !text.chars().any(char::is_control);
            is_shown.then(|| text.to_owned())
        }
        _ => None,
    }
}
