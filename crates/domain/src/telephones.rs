//! Telephone numbers, and the calling codes they begin with.
//!
//! Of a calling code, only whether libphonenumber knows it: neither that a number fits it, nor that it belongs
//! to a country. Codes of no country (`800`, `883`) are codes too.

use std::fmt;
use std::str::FromStr;

use phonenumber::metadata::DATABASE;
use serde::{Deserialize, Serialize};

/// Whether a text is a calling code in use, digits without `+` or zeros in front.
///
/// The first call loads the data, a tenth of a second: see [`load`].
pub fn is_calling_code(text: &str) -> bool {
    let is_written_so = (1..=3).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0');
    is_written_so
        && text
            .parse::<u16>()
            .is_ok_and(|code| DATABASE.by_code(&code).is_some())
}

/// Loads the data, so that no later call has to wait for it.
pub fn load() {
    is_calling_code("1");
}

/// A telephone or fax number, `+<calling code>.<number>`, both digits.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Telephone {
    code: String,
    number: String,
}

impl Telephone {
    /// The calling code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What follows it.
    pub fn number(&self) -> &str {
        &self.number
    }
}

/// A text is no telephone number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a telephone number has the form +<code>.<number>, with 1 to 4 and 3 to 15 digits")]
pub struct TelephoneError;

impl FromStr for Telephone {
    type Err = TelephoneError;

    fn from_str(text: &str) -> Result<Self, TelephoneError> {
        let parts = text.strip_prefix('+').and_then(|rest| rest.split_once('.'));
        let (code, number) = parts.ok_or(TelephoneError)?;
        let has_form = Digits(1, 4).has(code) && Digits(3, 15).has(number);
        has_form
            .then(|| Self {
                code: code.to_owned(),
                number: number.to_owned(),
            })
            .ok_or(TelephoneError)
    }
}

impl TryFrom<String> for Telephone {
    type Error = TelephoneError;

    fn try_from(text: String) -> Result<Self, TelephoneError> {
        text.parse()
    }
}

impl From<Telephone> for String {
    fn from(telephone: Telephone) -> Self {
        telephone.to_string()
    }
}

impl fmt::Display for Telephone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}.{}", self.code, self.number)
    }
}

/// The least and the greatest number of digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digits(pub usize, pub usize);

impl Digits {
    /// Whether a text is so many digits and nothing else.
    pub fn has(self, text: &str) -> bool {
        let Self(min, max) = self;
        (min..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_in_use_are_told_from_others() {
        load();
        for code in ["1", "7", "44", "49", "60", "355", "800", "998"] {
            assert!(is_calling_code(code), "{code}");
        }
        for code in [
            "", "0", "00", "01", "044", "2", "21", "210", "999", "1000", "+1", "4 4", "٤٤",
        ] {
            assert!(!is_calling_code(code), "{code}");
        }
    }

    proptest! {
        #[test]
        fn only_up_to_three_digits_are_codes(text in "\\PC{0,5}") {
            prop_assert!(!is_calling_code(&text) || text.parse::<u16>().is_ok_and(|code| code < 1000));
        }
    }
}
