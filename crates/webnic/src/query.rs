//! Query strings, read like bodies: parameter by parameter, every fault noted.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use chancery_domain::fields::{Field, FieldError};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::body::Kind;
use crate::errors::{Obstacle, WebnicError};
use crate::words::{Fault, wire_name};

/// The parameters of a request, with what was wrong with them.
pub(crate) struct Query {
    uri: Uri,
    faults: Vec<Fault>,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            uri: parts.uri.clone(),
            faults: Vec::new(),
        })
    }
}

impl Query {
    /// The first parameter of a name, decoded; blank ones count as absent.
    pub(crate) fn word(&self, name: &str) -> Option<String> {
        let pairs = self.uri.query()?.split('&');
        let mut named = pairs.filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(value))
        });
        named
            .next()
            .filter(|text| !text.trim().is_empty())
            .map(Cow::into_owned)
    }

    /// A parameter, if it is there and as it must be.
    pub(crate) fn take<T>(&mut self, field: Field, kind: Kind<T>) -> Option<T> {
        let text = self.word(&wire_name(field))?;
        let fault = |problem| self.faults.push(FieldError { field, problem }.into());
        kind(Value::String(text)).map_err(fault).ok()
    }

    /// A parameter that has to be there.
    pub(crate) fn require<T>(&mut self, field: Field, kind: Kind<T>) -> Option<T> {
        let faults = self.faults.len();
        let taken = self.take(field, kind);
        if taken.is_none() && self.faults.len() == faults {
            self.faults.push(Fault::missing_parameter(wire_name(field)));
        }
        taken
    }

    /// Whether nothing was wrong so far.
    pub(crate) fn is_right(&self) -> bool {
        self.faults.is_empty()
    }

    /// All that was wrong, as a refusal.
    pub(crate) fn refusal(self) -> WebnicError {
        Obstacle::Faults(self.faults).into()
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::body::{count, integer, text};

    pub(crate) fn query(text: &'static str) -> Query {
        Query {
            uri: Uri::from_static(text),
            faults: Vec::new(),
        }
    }

    #[test]
    fn parameters_are_decoded_and_the_first_counts() {
        let query = query("/x?a=1&commonName=%2A.shop.example&a=2&b=+&c&%64=x+y");
        assert_eq!(query.word("a").as_deref(), Some("1"));
        assert_eq!(query.word("commonName").as_deref(), Some("*.shop.example"));
        assert_eq!(query.word("b"), None);
        assert_eq!(query.word("c"), None);
        assert_eq!(query.word("d").as_deref(), Some("x y"));
        assert_eq!(
            Query {
                uri: Uri::from_static("/x"),
                faults: vec![]
            }
            .word("a"),
            None
        );
    }

    #[test]
    fn every_fault_is_noted() {
        let mut query = query("/x?term=two&commonSAN=-1&wildcardSAN=3");
        assert_eq!(query.require(Field::Product, text), None);
        assert_eq!(query.require(Field::Term, integer), None);
        assert_eq!(query.take(Field::NameCount, count), None);
        assert_eq!(query.take(Field::WildcardCount, count), Some(3));
        let texts: Vec<&str> = query.faults.iter().map(|fault| &fault.text[..]).collect();
        let missing = "Required request parameter 'productKey' for method parameter type String is not present";
        let expected = [
            missing,
            "'term' is invalid. Expected an integer.",
            "'commonSAN' is invalid. Expected an integer from 0.",
        ];
        assert_eq!(texts, expected);
    }
}
