//! What a method answers, and how it is written: as JSON or as XML.
//!
//! An answer is a bare scalar or a map. In maps nearly everything is a text, numbers and booleans among it:
//! typed clients break on the others. JSON is written as Gson does where it minds HTML, since there are clients
//! that look for `\u003d` in the raw body. XML is what the service's own binding writes, without a declaration.

use std::io;

use axum::http::HeaderValue;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::{CharEscape, Formatter};

use crate::hashtable::Hashtable;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A number, bare; in maps, numbers are texts.
    Integer(i64),
    /// A boolean, bare; in maps, booleans are texts.
    Boolean(bool),
    /// A text.
    Text(String),
    /// A map, in its order.
    Map(Hashtable),
    /// An array.
    Array(Vec<Value>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Boolean(is)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Hashtable> for Value {
    fn from(map: Hashtable) -> Self {
        Self::Map(map)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

/// In which form an answer is written: what the path ends in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// `.json`
    Json,
    /// `.xml`
    Xml,
}

impl Format {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Json, Self::Xml];

    /// The form that a path asks for: JSON, unless it ends in `.xml`.
    pub(crate) fn of(path: &str) -> Self {
        if path.ends_with(".xml") {
            Self::Xml
        } else {
            Self::Json
        }
    }

    /// What paths of this form end in.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }

    /// The content type of this form.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json;charset=UTF-8",
            Self::Xml => "text/xml;charset=UTF-8",
        })
    }

    /// An answer in this form.
    pub(crate) fn write(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Json => to_json(value),
            Self::Xml => {
                let mut xml = String::new();
                write_xml(&mut xml, value);
                xml.into_bytes()
            }
        }
    }

    /// A refusal in this form. In XML it has elements of its own.
    pub(crate) fn write_error(self, message: &str) -> Vec<u8> {
        match self {
            Self::Json => {
                let map: Hashtable = [("status", "ERROR"), ("message", message)]
                    .into_iter()
                    .collect();
                to_json(&map.into())
            }
            Self::Xml => {
                let mut xml = "<response>".to_owned();
                write_element(&mut xml, "status", "ERROR");
                write_element(&mut xml, "message", message);
                xml.push_str("</response>");
                xml.into_bytes()
            }
        }
    }
}

fn to_json(value: &Value) -> Vec<u8> {
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, HtmlSafe);
    value
        .serialize(&mut serializer)
        .expect("a tree of texts can be written to memory");
    json
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Boolean(is) => serializer.serialize_bool(*is),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Array(values) => serializer.collect_seq(values),
            Self::Map(map) => {
                let entries = map.iter();
                let mut told = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    told.serialize_entry(key, value)?;
                }
                told.end()
            }
        }
    }
}

/// JSON as Gson writes it where it minds HTML: what could end or begin markup is escaped.
struct HtmlSafe;

impl Formatter for HtmlSafe {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unsafe) {
            let letter = rest[at..].chars().next().unwrap_or_default();
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(letter))?;
            rest = &rest[at + letter.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(writer, escape)
    }
}

fn is_unsafe(letter: char) -> bool {
    matches!(
        letter,
        '=' | '<' | '>' | '&' | '\'' | '\u{2028}' | '\u{2029}'
    )
}

fn write_xml(xml: &mut String, value: &Value) {
    match value {
        Value::Integer(number) => write_element(xml, "int", &number.to_string()),
        Value::Boolean(is) => write_element(xml, "boolean", &is.to_string()),
        Value::Text(text) => write_element(xml, "string", text),
        Value::Array(values) => {
            xml.push_str("<vector>");
            for value in values {
                write_xml(xml, value);
            }
            xml.push_str("</vector>");
        }
        Value::Map(map) => {
            xml.push_str("<hashtable>");
            for (key, value) in map.iter() {
                xml.push_str("<entry>");
                write_element(xml, "string", key);
                write_xml(xml, value);
                xml.push_str("</entry>");
            }
            xml.push_str("</hashtable>");
        }
    }
}

/// An element that holds a text. What XML 1.0 cannot carry, escaped or not, becomes U+FFFD (its §2.2).
fn write_element(xml: &mut String, name: &str, text: &str) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    for letter in text.chars() {
        match letter {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            // A reader would make a line feed of it.
            '\r' => xml.push_str("&#13;"),
            '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
                xml.push(letter);
            }
            _ => xml.push('\u{fffd}'),
        }
    }
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    fn written(format: Format, value: impl Into<Value>) -> String {
        String::from_utf8(format.write(&value.into())).unwrap()
    }

    #[test]
    fn scalars_are_bare() {
        assert_eq!(written(Format::Json, 61_418_983), "61418983");
        assert_eq!(written(Format::Json, true), "true");
        assert_eq!(written(Format::Json, "Success"), "\"Success\"");
        assert_eq!(written(Format::Xml, 343_454), "<int>343454</int>");
        assert_eq!(written(Format::Xml, false), "<boolean>false</boolean>");
    }

    #[test]
    fn markup_is_escaped_in_json_as_gson_does() {
        let text = "{a=b} <b>'&'</b> \u{2028}\u{2029} \"\\/ \u{1}\n é";
        let told = "\"{a\\u003db} \\u003cb\\u003e\\u0027\\u0026\\u0027\\u003c/b\\u003e \\u2028\\u2029 \
                    \\\"\\\\/ \\u0001\\n é\"";
        assert_eq!(written(Format::Json, text), told);
    }

    #[test]
    fn maps_are_of_texts_and_nest() {
        let mut row = Hashtable::new();
        row.put("contactid", 5);
        row.put("valid", true);
        row.put_some("state", None::<String>);
        row.put_value("result", vec![Value::from("a=b")]);
        let mut map = Hashtable::new();
        map.put_value("Contact", row);
        assert_eq!(
            written(Format::Json, map.clone()),
            r#"{"Contact":{"result":["a\u003db"],"valid":"true","contactid":"5"}}"#
        );
        assert_eq!(
            written(Format::Xml, map),
            "<hashtable><entry><string>Contact</string><hashtable>\
             <entry><string>result</string><vector><string>a=b</string></vector></entry>\
             <entry><string>valid</string><string>true</string></entry>\
             <entry><string>contactid</string><string>5</string></entry>\
             </hashtable></entry></hashtable>"
        );
        assert_eq!(written(Format::Json, Vec::<Value>::new()), "[]");
    }

    #[test]
    fn refusals_say_so_first() {
        let message = "{telnocc=TelephoneNo Country Code is invalid, zip=Postal Code is invalid}";
        let json = String::from_utf8(Format::Json.write_error(message)).unwrap();
        assert_eq!(
            json,
            r#"{"status":"ERROR","message":"{telnocc\u003dTelephoneNo Country Code is invalid, zip\u003dPostal Code is invalid}"}"#
        );
        let xml = String::from_utf8(Format::Xml.write_error("a < b")).unwrap();
        assert_eq!(
            xml,
            "<response><status>ERROR</status><message>a &lt; b</message></response>"
        );
    }

    #[test]
    fn what_xml_cannot_carry_does_not_break_it() {
        assert_eq!(
            written(Format::Xml, "a\u{0}\u{1b}b\u{fffe}\r\n]]>"),
            "<string>a\u{fffd}\u{fffd}b\u{fffd}&#13;\n]]&gt;</string>"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_from_json(text in ".{0,40}") {
            let json = written(Format::Json, text.clone());
            prop_assert!(!json.contains(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<Json>(&json).unwrap(), Json::String(text));
        }
    }
}
