//! The texts inside a request: distinguished names and object identifiers.

use std::fmt::Write as _;

use crate::encoding::{Malformed, Reader, Value, tag};
use crate::oid;

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

/// Reads the content of a `Name`. Attributes without a place in [`Subject`] and repetitions are ignored.
pub(super) fn read_subject(name: &[u8], ignored: &mut Vec<String>) -> Result<Subject, Malformed> {
    let mut subject = Subject::default();
    let mut name = Reader::new(name);
    while !name.is_empty() {
        let mut parts = name.enter(tag::SET)?;
        while !parts.is_empty() {
            let mut part = parts.enter(tag::SEQUENCE)?;
            let kind = part.expect(tag::OID)?.content;
            let text = read_text(part.next_value()?);
            part.end()?;
            let place = match kind {
                oid::COMMON_NAME => &mut subject.common_name,
                oid::ORGANIZATION => &mut subject.organization,
                oid::ORGANIZATION_UNIT => &mut subject.organization_unit,
                oid::LOCALITY => &mut subject.city,
                oid::STATE => &mut subject.state,
                oid::COUNTRY => &mut subject.country,
                oid::EMAIL_ADDRESS => &mut subject.email,
                _ => {
                    ignored.push(format!("subject attribute {}", dotted(kind)));
                    continue;
                }
            };
            match text {
                Some(text) if place.is_none() => {
                    if !text.is_empty() {
                        *place = Some(text);
                    }
                }
                Some(_) => ignored.push(format!("second subject attribute {}", dotted(kind))),
                None => ignored.push(format!("unreadable subject attribute {}", dotted(kind))),
            }
        }
    }
    Ok(subject)
}

/// Reads a DirectoryString or IA5String; old string types are still sent by old tools.
fn read_text(value: Value<'_>) -> Option<String> {
    let text = match value.tag {
        tag::UTF8_STRING | tag::PRINTABLE_STRING | tag::IA5_STRING | tag::NUMERIC_STRING => {
            str::from_utf8(value.content).ok()?.to_owned()
        }
        tag::TELETEX_STRING => value
            .content
            .iter()
            .map(|octet| char::from(*octet))
            .collect(),
        tag::BMP_STRING if value.content.len().is_multiple_of(2) => {
            let units = value
                .content
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

/// An object identifier in dotted form, from its content octets; at most sixteen arcs.
pub(super) fn dotted(oid: &[u8]) -> String {
    let mut arcs = oid.split_inclusive(|octet| octet & 0x80 == 0).map(|arc| {
        arc.iter()
            .fold(0_u64, |arc, octet| arc << 7 | u64::from(octet & 0x7f))
    });
    let first = arcs.next().unwrap_or_default();
    let mut text = format!(
        "{}.{}",
        (first / 40).min(2),
        first - (first / 40).min(2) * 40
    );
    for arc in arcs.take(14) {
        let _ = write!(text, ".{arc}");
    }
    text
}

/// The name of a kind of GeneralName, by its tag.
pub(super) fn general_name(tag: u8) -> &'static str {
    match tag & 0x1f {
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
