//! Countries by their ISO 3166-1 alpha-2 codes, the officially assigned ones.
//!
//! A code in common use that the standard leaves to its users (`XK`) or keeps reserved (`UK`, `EU`) is none.

use celes::Country;

/// Whether a text is the code of a country, in any case.
pub fn is_country(text: &str) -> bool {
    is_country_code(&text.to_ascii_uppercase())
}

/// Whether a text is the code of a country as the standard writes it, in capital letters.
pub fn is_country_code(text: &str) -> bool {
    text.len() == 2 && text != "XK" && Country::from_alpha2(text).is_ok_and(|c| c.alpha2 == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assigned_codes_are_countries() {
        for code in ["GB", "CH", "NA", "TW", "AX", "SS"] {
            assert!(is_country_code(code) && is_country(code), "{code}");
        }
        for code in [
            "", "G", "GBR", "UK", "EU", "XK", "ZZ", "AA", "1A", "G ", "ß",
        ] {
            assert!(!is_country_code(code) && !is_country(code), "{code}");
        }
    }

    #[test]
    fn case_matters_to_the_code_alone() {
        assert!(is_country("my") && is_country("mY"));
        assert!(!is_country_code("my") && !is_country_code("mY"));
        assert!(!is_country("xk"));
    }
}
