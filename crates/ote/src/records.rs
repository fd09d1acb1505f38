//! Record sets: what the control surface takes, and what the DNS server hands out.
//!
//! A set belongs to one name and one type. Usually it holds values; for rehearsing failures it may instead answer
//! with an error code, or not at all.

use std::fmt;
use std::str::FromStr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::caa::CAA;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, TXT};
use hickory_proto::rr::{Name, RData, RecordType};
use serde::{Deserialize, Serialize};

use crate::errors::OteError;

/// The time to live of a set that does not say, in seconds.
const DEFAULT_TTL: u32 = 60;

/// The longest character string inside a TXT record (RFC 1035 §3.3).
const STRING_LIMIT: usize = 255;

/// The type of a record set.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum RecordKind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Text.
    Txt,
    /// Another name for the name.
    Cname,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// A mail exchanger.
    Mx,
    /// A name server.
    Ns,
    /// Every type: for failures only.
    Any,
}

impl RecordKind {
    const ALL: [(Self, RecordType, &'static str); 8] = [
        (Self::A, RecordType::A, "A"),
        (Self::Aaaa, RecordType::AAAA, "AAAA"),
        (Self::Txt, RecordType::TXT, "TXT"),
        (Self::Cname, RecordType::CNAME, "CNAME"),
        (Self::Caa, RecordType::CAA, "CAA"),
        (Self::Mx, RecordType::MX, "MX"),
        (Self::Ns, RecordType::NS, "NS"),
        (Self::Any, RecordType::ANY, "ANY"),
    ];

    /// Reads `TXT` and its like, in any case.
    pub fn parse(text: &str) -> Result<Self, OteError> {
        let found = Self::ALL
            .iter()
            .find(|(_, _, name)| name.eq_ignore_ascii_case(text));
        found.map(|(kind, _, _)| *kind).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|(_, _, name)| *name).collect();
            OteError::Refused(format!(
                "'{text}' is not a record type served here, which are {}",
                known.join(", ")
            ))
        })
    }

    /// The type as it is written.
    pub fn as_str(self) -> &'static str {
        self.entry().2
    }

    pub(crate) fn of(kind: RecordType) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, _)| *known == kind)
            .map(|(kind, _, _)| *kind)
    }

    fn entry(self) -> (Self, RecordType, &'static str) {
        Self::ALL
            .into_iter()
            .find(|(kind, _, _)| *kind == self)
            .expect("invariant: the table has every kind")
    }

    fn data(self, value: &str) -> Result<RData, String> {
        match self {
            Self::A => Ok(RData::A(A(parsed(value, "an IPv4 address")?))),
            Self::Aaaa => Ok(RData::AAAA(AAAA(parsed(value, "an IPv6 address")?))),
            Self::Txt => text_data(value),
            Self::Cname => Ok(RData::CNAME(CNAME(target(value)?))),
            Self::Ns => Ok(RData::NS(NS(target(value)?))),
            Self::Mx => match value.split_once(' ') {
                Some((preference, exchange)) => Ok(RData::MX(MX::new(
                    parsed(preference, "a preference, a space and a name")?,
                    target(exchange.trim())?,
                ))),
                None => Err("not a preference, a space and a name".to_owned()),
            },
            Self::Caa => caa_data(value),
            Self::Any => Err("a value needs a type of its own".to_owned()),
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record set as callers write it and as it is kept on disk.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSetText {
    /// One text per record, in the usual presentation; TXT without quotes.
    #[serde(default)]
    pub values: Vec<String>,
    /// Time to live, in seconds.
    #[serde(default = "default_ttl")]
    pub ttl: u32,
    /// Answers with this code instead: `SERVFAIL`, `REFUSED`, `NXDOMAIN`, `FORMERR` or `NOTIMP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rcode: Option<String>,
    /// Never answers, so that whoever asks runs into its time limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop: bool,
}

fn default_ttl() -> u32 {
    DEFAULT_TTL
}

/// What the server does when asked for a set.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    Records(Vec<RData>),
    Failure(ResponseCode),
    Silence,
}

/// A record set that makes sense.
#[derive(Clone, Debug)]
pub(crate) struct RecordSet {
    pub(crate) text: RecordSetText,
    pub(crate) behaviour: Behaviour,
}

impl RecordSet {
    pub(crate) fn parse(kind: RecordKind, text: RecordSetText) -> Result<Self, OteError> {
        let behaviour = behaviour(kind, &text)?;
        Ok(Self { text, behaviour })
    }
}

fn behaviour(kind: RecordKind, text: &RecordSetText) -> Result<Behaviour, OteError> {
    let refused = |why: &str| Err(OteError::Refused(why.to_owned()));
    match (&text.rcode, text.drop, text.values.as_slice()) {
        (Some(_), true, _) => refused("'rcode' and 'drop' exclude each other"),
        (Some(_), _, [_, ..]) | (_, true, [_, ..]) => {
            refused("'values' must be empty where 'rcode' or 'drop' is given")
        }
        (None, true, []) => Ok(Behaviour::Silence),
        (Some(code), false, []) => Ok(Behaviour::Failure(failure_code(code)?)),
        (None, false, []) => refused("'values' is empty; use DELETE to remove the record"),
        (None, false, values) => {
            let data = values.iter().map(|value| {
                kind.data(value).map_err(|why| {
                    OteError::Refused(format!("'{value}' cannot be a {kind} value: {why}"))
                })
            });
            let mut data: Vec<RData> = data.collect::<Result<_, _>>()?;
            if kind == RecordKind::Cname && data.len() > 1 {
                return refused("a name has one CNAME record at most");
            }
            let mut seen = Vec::new();
            data.retain(|value| {
                let is_new = !seen.contains(value);
                seen.push(value.clone());
                is_new
            });
            Ok(Behaviour::Records(data))
        }
    }
}

fn failure_code(text: &str) -> Result<ResponseCode, OteError> {
    match text.to_ascii_uppercase().as_str() {
        "SERVFAIL" => Ok(ResponseCode::ServFail),
        "REFUSED" => Ok(ResponseCode::Refused),
        "NXDOMAIN" => Ok(ResponseCode::NXDomain),
        "FORMERR" => Ok(ResponseCode::FormErr),
        "NOTIMP" => Ok(ResponseCode::NotImp),
        _ => Err(OteError::Refused(format!(
            "'{text}' is not a code served here, which are SERVFAIL, REFUSED, NXDOMAIN, FORMERR and NOTIMP"
        ))),
    }
}

fn parsed<T: FromStr>(value: &str, what: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("not {what}"))
}

fn target(value: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(value).map_err(|error| format!("not a name: {error}"))?;
    if name.is_root() {
        return Err("not a name".to_owned());
    }
    name.set_fqdn(true);
    Ok(name)
}

fn text_data(value: &str) -> Result<RData, String> {
    if value.is_empty() || value.len() > 16 * 1024 {
        return Err("a text has 1 to 16384 bytes".to_owned());
    }
    let strings: Vec<&[u8]> = value.as_bytes().chunks(STRING_LIMIT).collect();
    Ok(RData::TXT(TXT::from_bytes(strings)))
}

/// `0 issue "ca.example"`: flags, tag, value in quotes or without (RFC 8659 §4.1.1).
fn caa_data(value: &str) -> Result<RData, String> {
    let mut words = value.splitn(3, ' ');
    let (Some(flags), Some(tag), Some(property)) = (words.next(), words.next(), words.next())
    else {
        return Err("not flags, a tag and a value".to_owned());
    };
    let flags: u8 = parsed(flags, "flags from 0 to 255, a tag and a value")?;
    let is_tag = |tag: &str| tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if tag.is_empty() || tag.len() > 15 || !is_tag(tag) {
        return Err("a tag has 1 to 15 letters and digits".to_owned());
    }
    let property = property.trim();
    let inner = property
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let mut caa = CAA::new_issue(flags & 0x80 != 0, None, Vec::new());
    caa.reserved_flags = flags & 0x7f;
    tag.clone_into(&mut caa.tag);
    caa.value = inner.unwrap_or(property).as_bytes().to_vec();
    Ok(RData::CAA(caa))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: RecordKind, json: &str) -> Result<RecordSet, String> {
        let text = serde_json::from_str(json).map_err(|error| error.to_string())?;
        RecordSet::parse(kind, text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_type_takes_its_usual_presentation() {
        for (kind, value) in [
            (RecordKind::A, "127.0.0.1"),
            (RecordKind::Aaaa, "::1"),
            (RecordKind::Txt, "any text; \\\"as it is\\\""),
            (RecordKind::Cname, "_x.dcv.example."),
            (
                RecordKind::Caa,
                "128 issuewild \\\"ca.example; policy=ev\\\"",
            ),
            (RecordKind::Caa, "0 issue ;"),
            (RecordKind::Mx, "10 mail.example"),
            (RecordKind::Ns, "ns1.example"),
        ] {
            let set = parse(kind, &format!(r#"{{"values":["{value}"]}}"#)).unwrap();
            assert_eq!(set.text.ttl, 60);
            assert!(matches!(set.behaviour, Behaviour::Records(data) if data.len() == 1));
            assert_eq!(
                RecordKind::parse(&kind.as_str().to_lowercase()).unwrap(),
                kind
            );
        }
    }

    #[test]
    fn a_bad_value_is_named() {
        for (kind, json, why) in [
            (
                RecordKind::A,
                r#"{"values":["::1"]}"#,
                "'::1' cannot be a A value",
            ),
            (
                RecordKind::Mx,
                r#"{"values":["mail.example"]}"#,
                "a preference",
            ),
            (RecordKind::Caa, r#"{"values":["0 issue"]}"#, "flags, a tag"),
            (
                RecordKind::Cname,
                r#"{"values":["a.test","b.test"]}"#,
                "one CNAME",
            ),
            (RecordKind::Txt, r#"{"values":[]}"#, "use DELETE"),
            (RecordKind::Txt, r#"{"values":[""]}"#, "1 to 16384"),
            (
                RecordKind::Txt,
                r#"{"values":["x"],"drop":true}"#,
                "must be empty",
            ),
            (
                RecordKind::Txt,
                r#"{"rcode":"SERVFAIL","drop":true}"#,
                "exclude each other",
            ),
            (
                RecordKind::Txt,
                r#"{"rcode":"BROKEN"}"#,
                "'BROKEN' is not a code",
            ),
            (RecordKind::Txt, r#"{"value":"x"}"#, "unknown field `value`"),
            (RecordKind::Any, r#"{"values":["x"]}"#, "a type of its own"),
        ] {
            let error = parse(kind, json).map(|_| ()).unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
        assert!(RecordKind::parse("WKS").is_err());
    }

    #[test]
    fn a_long_text_is_cut_into_strings_of_one_record() {
        let json = format!(r#"{{"values":["{}"]}}"#, "x".repeat(600));
        let set = parse(RecordKind::Txt, &json).unwrap();
        let Behaviour::Records(data) = set.behaviour else {
            panic!("not records")
        };
        let [RData::TXT(txt)] = data.as_slice() else {
            panic!("not one TXT record")
        };
        assert_eq!(
            txt.txt_data
                .iter()
                .map(|string| string.len())
                .collect::<Vec<_>>(),
            [255, 255, 90]
        );
    }
}
