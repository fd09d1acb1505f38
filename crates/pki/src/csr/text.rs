//! The texts inside a request: distinguished names and object identifiers.

use const_oid::db::rfc3280::EMAIL_ADDRESS;
use const_oid::db::rfc4519::{
    COMMON_NAME, COUNTRY_NAME, LOCALITY_NAME, ORGANIZATION_NAME, ORGANIZATIONAL_UNIT_NAME, ST,
};
use der::asn1::Any;
use der::{Decode, Tag, Tagged};
use x509_cert::name::Name;

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

/// Reads a `Name`. Attributes without a place in [`Subject`] and repetitions are ignored.
pub(super) fn read_subject(name: &[u8], ignored: &mut Vec<String>) -> der::Result<Subject> {
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
                ignored.push(format!("subject attribute {other}"));
                continue;
            }
        };
        match read_text(&part.value) {
            Some(text) if place.is_none() => {
                if !text.is_empty() {
                    *place = Some(text);
                }
            }
            Some(_) => ignored.push(format!("second subject attribute {}", part.oid)),
            None => ignored.push(format!("unreadable subject attribute {}", part.oid)),
        }
    }
    Ok(subject)
}

/// Reads a DirectoryString or IA5String; old string types are still sent by old tools.
fn read_text(value: &Any) -> Option<String> {
    let octets = value.value();
    let text = match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            str::from_utf8(octets).ok()?.to_owned()
        }
        Tag::TeletexString => octets.iter().map(|octet| char::from(*octet)).collect(),
        Tag::BmpString if octets.len().is_multiple_of(2) => {
            let units = octets
                .chunks(2)
                .map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()?
        }
        _ => return None,
    };
    Some(
        text.chars()
            .filter(|c| !c.is_control())
            .collect::<String>()
            .trim()
            .to_owned(),
    )
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
