//! Calling codes, by the data of libphonenumber.
//!
//! Only whether a code is in use: neither that a number fits it, nor that it belongs to a country. Codes of
//! no country (`800`, `883`) are codes too.

use phonenumber::metadata::DATABASE;

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
