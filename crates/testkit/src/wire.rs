//! JSON as it stands on the wire: keys in their order, numbers in their spelling.
//!
//! A map would forget what a contract promises beyond the values: which key comes first, and whether an amount
//! has a decimal point.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wire {
    /// `null`, `true` or `false`, or a number, as it was written.
    Bare(String),
    /// A string, its escapes undone.
    Text(String),
    /// An array.
    List(Vec<Wire>),
    /// An object.
    Object(Vec<(String, Wire)>),
}

/// The forms a string is known by once its digits are gone; others are just text.
const FORMS: [&str; 5] = [
    "0",
    "SSL0T",
    "0-0-0T0:0:0Z",
    "0-0-0T0:0:0.0Z",
    "0-0-0T0:0:0.0+0:0",
];

impl Wire {
    /// Reads a JSON text; anything else fails the test.
    pub fn parse(text: &str) -> Self {
        let raw = serde_json::from_str(text);
        Self::of(raw.unwrap_or_else(|error| panic!("not JSON ({error}): {text}")))
    }

    fn of(raw: &RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes()[0] {
            b'{' => {
                let Members(members) = serde_json::from_str(text).unwrap();
                let members = members.into_iter().map(|(key, raw)| (key, Self::of(raw)));
                Self::Object(members.collect())
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).unwrap();
                Self::List(items.into_iter().map(Self::of).collect())
            }
            b'"' => Self::Text(serde_json::from_str(text).unwrap()),
            _ => Self::Bare(text.to_owned()),
        }
    }

    /// The member of an object.
    pub fn get(&self, key: &str) -> &Self {
        let Self::Object(members) = self else {
            panic!("no object with '{key}': {self}")
        };
        let found = members.iter().find(|(name, _)| name == key);
        &found.unwrap_or_else(|| panic!("no '{key}' in {self}")).1
    }

    /// The keys of an object.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Self::Object(members) => members.iter().map(|(key, _)| &key[..]).collect(),
            _ => panic!("not an object: {self}"),
        }
    }

    /// The kinds of values by their keys, in order: `{id:0,term:"0",amount:0.0,names:[text],dtcreate:"0-0-0T0:0:0Z"}`.
    /// Of a list, each kind of item once.
    pub fn outline(&self) -> String {
        match self {
            Self::Bare(word) if word == "true" || word == "false" => "bool".to_owned(),
            Self::Bare(word) => without_digits(word),
            Self::Text(text) => match without_digits(text) {
                form if FORMS.contains(&&form[..]) => format!("\"{form}\""),
                _ => "text".to_owned(),
            },
            Self::List(items) => {
                let mut kinds: Vec<String> = items.iter().map(Self::outline).collect();
                kinds.sort();
                kinds.dedup();
                format!("[{}]", kinds.join("|"))
            }
            Self::Object(members) => {
                let members = members.iter().map(|(key, value)| {
                    let kind = value.outline();
                    format!("{key}:{kind}")
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Every value that is not made of others, by the way to it, in order.
    pub fn leaves(&self) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        self.collect_leaves("", &mut leaves);
        leaves
    }

    fn collect_leaves(&self, path: &str, into: &mut Vec<(String, String)>) {
        match self {
            Self::List(items) if !items.is_empty() => {
                for (at, item) in items.iter().enumerate() {
                    item.collect_leaves(&format!("{path}[{at}]"), into);
                }
            }
            Self::Object(members) if !members.is_empty() => {
                for (key, value) in members {
                    let dot = if path.is_empty() { "" } else { "." };
                    value.collect_leaves(&format!("{path}{dot}{key}"), into);
                }
            }
            leaf => into.push((path.to_owned(), leaf.to_string())),
        }
    }

    /// Written for people, two spaces a level.
    pub fn pretty(&self) -> String {
        self.indented(0)
    }

    fn indented(&self, level: usize) -> String {
        let (outer, inner) = ("  ".repeat(level), "  ".repeat(level + 1));
        let framed = |[open, close]: [char; 2], lines: Vec<String>| {
            format!("{open}\n{}\n{outer}{close}", lines.join(",\n"))
        };
        let short = self.spaced();
        let fits = level > 0 && outer.len() + short.len() < 100;
        match self {
            _ if fits && self.is_flat() => short,
            Self::List(items) if !items.is_empty() => {
                let lines = items.iter();
                let lines = lines.map(|item| format!("{inner}{}", item.indented(level + 1)));
                framed(['[', ']'], lines.collect())
            }
            Self::Object(members) if !members.is_empty() => {
                let lines = members.iter().map(|(key, value)| {
                    let key = serde_json::to_string(key).unwrap();
                    format!("{inner}{key}: {}", value.indented(level + 1))
                });
                framed(['{', '}'], lines.collect())
            }
            _ => short,
        }
    }

    /// On one line, with spaces.
    fn spaced(&self) -> String {
        let listed = |items: Vec<String>| items.join(", ");
        match self {
            Self::List(items) => format!("[{}]", listed(items.iter().map(Self::spaced).collect())),
            Self::Object(members) if !members.is_empty() => {
                let members = members.iter();
                let members = members.map(|(key, value)| {
                    let key = serde_json::to_string(key).unwrap();
                    format!("{key}: {}", value.spaced())
                });
                format!("{{ {} }}", listed(members.collect()))
            }
            leaf => leaf.to_string(),
        }
    }

    /// Whether nothing in it is made of others.
    fn is_flat(&self) -> bool {
        let is_leaf = |value: &Self| matches!(value, Self::Bare(_) | Self::Text(_));
        match self {
            Self::List(items) => items.iter().all(is_leaf),
            Self::Object(members) => members.iter().all(|(_, value)| is_leaf(value)),
            Self::Bare(_) | Self::Text(_) => true,
        }
    }
}

/// As it was read, without white space.
impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        match self {
            Self::Bare(word) => f.write_str(word),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::to_string).collect();
                write!(f, "[{}]", items.join(","))
            }
            Self::Object(members) => {
                let members = members.iter();
                let members = members.map(|(key, value)| format!("{}:{value}", quoted(key)));
                write!(f, "{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A text with each run of digits as one zero: `2024-12-02T09:42:34Z` is `0-0-0T0:0:0Z`.
pub(crate) fn without_digits(text: &str) -> String {
    let mut form = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '0'..='9' if form.ends_with('0') => {}
            '0'..='9' => form.push('0'),
            other => form.push(other),
        }
    }
    form
}

/// The members of an object, repeated keys and all.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_spelling_are_kept() {
        let text = r#"{"b":50.0,"a":"1","b":[1,null,true,{}],"d":"x\ny"}"#;
        assert_eq!(Wire::parse(text).to_string(), text);
        assert_eq!(Wire::parse(&Wire::parse(text).pretty()).to_string(), text);
        assert_eq!(Wire::parse(text).keys(), ["b", "a", "b", "d"]);
    }

    #[test]
    fn an_outline_tells_kinds_apart() {
        let outline = |text| Wire::parse(text).outline();
        assert_eq!(
            outline(r#"{"a":10,"b":50.25,"c":"1","d":"x 1","e":false,"f":null,"g":["a","b"]}"#),
            r#"{a:0,b:0.0,c:"0",d:text,e:bool,f:null,g:[text]}"#
        );
        assert_eq!(
            outline(r#"["SSL10667T","2024-12-27T09:35:42.7352+08:00",[]]"#),
            r#"["0-0-0T0:0:0.0+0:0"|"SSL0T"|[]]"#
        );
    }

    #[test]
    fn leaves_come_with_their_way() {
        let leaves = Wire::parse(r#"{"data":[{"a":1,"b":{"c":[]}}]}"#).leaves();
        let expected = [("data[0].a", "1"), ("data[0].b.c", "[]")];
        assert_eq!(leaves, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
