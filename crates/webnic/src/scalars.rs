//! Small values as the dialect writes them: digits in quotes, exact amounts, two kinds of time, contact ids.

use std::borrow::Cow;
use std::fmt::Display;

use chancery_domain::Timestamp;
use chancery_domain::contacts::ContactId;
use chancery_domain::money::Money;
use jiff::tz::Offset;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Says of a type that it is one of the small values that the document tells in place.
macro_rules! told_in_place {
    ($name:literal, $schema:tt, $type:ty $(, $parameter:ident)?) => {
        impl$(<$parameter>)? JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

told_in_place!("Digits", { "type": "string", "pattern": "^[0-9]+$" }, Quoted<T>, T);
told_in_place!("ContactNumber", { "type": "string", "pattern": "^SSL[0-9]+T$" }, ContactNumber);
told_in_place!(
    "Moment",
    { "type": "string", "format": "date-time", "pattern": ":[0-9]{2}Z$" },
    Moment
);
told_in_place!(
    "ContactMoment",
    { "type": "string", "format": "date-time", "pattern": "[.][0-9]{4,6}[+]08:00$" },
    ContactMoment
);
told_in_place!(
    "OrganizationMoment",
    { "type": "string", "format": "date-time", "pattern": "[.][0-9]{6}Z$" },
    OrganizationMoment
);
told_in_place!("Amount", { "type": "number" }, Amount);

/// Anything, as a string: `"757512302"`.
pub(crate) struct Quoted<T>(pub(crate) T);

impl<T: Display> Serialize for Quoted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A contact's id: `"SSL10667T"`.
#[derive(Clone, Copy)]
pub(crate) struct ContactNumber(pub(crate) ContactId);

impl Display for ContactNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SSL{}T", self.0)
    }
}

impl Serialize for ContactNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads `SSL10667T`, in any case.
pub(crate) fn parse_contact_number(text: &str) -> Option<ContactId> {
    let text = text.trim();
    let digits = text.get(3..text.len().checked_sub(1)?)?;
    let is_framed = text[..3].eq_ignore_ascii_case("SSL") && text.ends_with(['T', 't']);
    if is_framed {
        parse_digits(digits).map(ContactId)
    } else {
        None
    }
}

/// Reads a number written in digits and nothing else.
pub(crate) fn parse_digits(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// A moment of an order's life: UTC, whole seconds.
pub(crate) struct Moment(pub(crate) Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = Timestamp::from_second(self.0.as_second()).map_err(S::Error::custom)?;
        serializer.collect_str(&seconds)
    }
}

/// A moment of a contact's life: at +08:00, four to six decimals.
pub(crate) struct ContactMoment(pub(crate) Timestamp);

impl Serialize for ContactMoment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let decimals = match self.0.subsec_microsecond() {
            n if n % 100 == 0 => 4,
            n if n % 10 == 0 => 5,
            _ => 6,
        };
        let local = self.0.display_with_offset(Offset::constant(8));
        serializer.collect_str(&format_args!("{local:.decimals$}"))
    }
}

/// A moment of an organization's life: UTC, six decimals.
pub(crate) struct OrganizationMoment(pub(crate) Timestamp);

impl Serialize for OrganizationMoment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

/// An amount of money as a number, exact, with a decimal point even when whole.
pub(crate) struct Amount(pub(crate) Money);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = self.0.to_decimal().normalize().to_string();
        if !text.contains('.') {
            text.push_str(".0");
        }
        let number = RawValue::from_string(text).map_err(S::Error::custom)?;
        number.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use chancery_domain::money::Currency;
    use proptest::prelude::*;

    use super::*;

    fn json<T: Serialize>(value: T) -> String {
        serde_json::to_string(&value).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_look_as_documented() {
        assert_eq!(
            json(Moment(at("2024-12-02T09:42:34.987654Z"))),
            "\"2024-12-02T09:42:34Z\""
        );
        let contact = |text| json(ContactMoment(at(text)));
        assert_eq!(
            contact("2024-12-27T01:35:42.7352Z"),
            "\"2024-12-27T09:35:42.7352+08:00\""
        );
        assert_eq!(
            contact("2024-12-27T01:35:42.735204Z"),
            "\"2024-12-27T09:35:42.735204+08:00\""
        );
        assert_eq!(
            contact("2024-12-27T01:35:42.88004Z"),
            "\"2024-12-27T09:35:42.88004+08:00\""
        );
        assert_eq!(
            contact("2024-12-27T01:35:42Z"),
            "\"2024-12-27T09:35:42.0000+08:00\""
        );
        let organization = |text| json(OrganizationMoment(at(text)));
        assert_eq!(
            organization("2025-01-13T12:31:26.989791Z"),
            "\"2025-01-13T12:31:26.989791Z\""
        );
        assert_eq!(
            organization("2025-01-02T04:10:05Z"),
            "\"2025-01-02T04:10:05.000000Z\""
        );
    }

    #[test]
    fn amounts_are_exact_and_keep_their_point() {
        let amount = |text: &str, currency: &str| {
            json(Amount(
                Money::parse(text, Currency::parse(currency).unwrap()).unwrap(),
            ))
        };
        assert_eq!(amount("791.10", "USD"), "791.1");
        assert_eq!(amount("50.00", "USD"), "50.0");
        assert_eq!(amount("0", "USD"), "0.0");
        assert_eq!(amount("500", "JPY"), "500.0");
        assert_eq!(amount("-3.25", "USD"), "-3.25");
        assert_eq!(
            amount("92233720368547758.07", "USD"),
            "92233720368547758.07"
        );
    }

    #[test]
    fn contact_numbers_are_read_and_nothing_else_is() {
        assert_eq!(parse_contact_number("SSL10667T"), Some(ContactId(10_667)));
        assert_eq!(parse_contact_number("ssl1t"), Some(ContactId(1)));
        for text in [
            "",
            "SSLT",
            "10667",
            "WN964974T",
            "SSL-1T",
            "SSL1",
            "ÄÖÜ1T",
            "SSL99999999999999999999T",
        ] {
            assert_eq!(parse_contact_number(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn contact_numbers_round_trip(id in 0..i64::MAX) {
            let text = ContactNumber(ContactId(id)).to_string();
            prop_assert_eq!(parse_contact_number(&text), Some(ContactId(id)));
        }

        #[test]
        fn reading_never_panics(text in ".{0,40}") {
            let _ = parse_contact_number(&text);
        }
    }
}
