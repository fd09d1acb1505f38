//! Postal codes, by country.
//!
//! The patterns are data (`postal_codes.tsv`), printed from what Google's address service knows by
//! `scripts/postal-codes.py`, which also says where they are wider than there. Letters may be in any case; a
//! space or hyphen inside a code may be the other one, or left out. Whether a code that could exist does, and
//! whether it lies in the city beside it, is not known here.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use regex::{Regex, RegexBuilder};

use crate::countries::is_country;

/// The codes of one country.
struct PostalCodes {
    pattern: &'static str,
    /// Made when the first code is looked at.
    matcher: OnceLock<Regex>,
    /// Codes of every form the pattern has.
    examples: Vec<&'static str>,
}

impl PostalCodes {
    fn has(&self, text: &str) -> bool {
        let matcher = self.matcher.get_or_init(|| {
            RegexBuilder::new(&format!("^(?:{})$", self.pattern))
                .case_insensitive(true)
                .unicode(false)
                .build()
                .expect("invariant: the patterns are tested")
        });
        matcher.is_match(text)
    }
}

/// The countries that have codes.
static TABLE: LazyLock<BTreeMap<&str, PostalCodes>> = LazyLock::new(|| {
    let rows = include_str!("postal_codes.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let mut columns = row.split('\t');
        let mut column = || columns.next().unwrap_or_default();
        let country = column();
        let codes = PostalCodes {
            pattern: column(),
            matcher: OnceLock::new(),
            examples: column().split(',').collect(),
        };
        (country, codes)
    })
    .collect()
});

/// Whether a text could be a postal code of a country, its code in any case. Of a country without postal codes
/// any text could, and of one that does not exist what could be one of some country that has them.
pub fn is_postal_code(country: &str, text: &str) -> bool {
    match TABLE.get(country.to_ascii_uppercase().as_str()) {
        Some(codes) => codes.has(text),
        None if is_country(country) => !text.trim().is_empty(),
        None => TABLE.values().any(|codes| codes.has(text)),
    }
}

/// Postal codes of a country, as it writes them; none if it has no postal codes.
pub fn examples(country: &str) -> &'static [&'static str] {
    TABLE
        .get(country.to_ascii_uppercase().as_str())
        .map_or(&[], |codes| codes.examples.as_slice())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_row_is_a_countrys_and_accepts_its_examples() {
        assert!(TABLE.len() > 170, "{} rows", TABLE.len());
        for (country, codes) in TABLE.iter() {
            assert!(is_country(country), "{country}");
            assert!(!codes.examples.is_empty(), "{country}");
            for example in &codes.examples {
                assert!(is_postal_code(country, example), "{country} {example:?}");
                assert!(is_postal_code(
                    &country.to_lowercase(),
                    &example.to_lowercase()
                ));
                assert!(is_postal_code("nn", example), "{country} {example:?}");
            }
        }
    }

    #[test]
    fn zero_is_no_code_where_there_are_codes() {
        for country in TABLE.keys() {
            for text in ["0", "", " ", "N/A", "-"] {
                assert!(!is_postal_code(country, text), "{country} {text:?}");
            }
        }
        assert!(!is_postal_code("nn", "0"));
        assert!(!is_postal_code("", "0"));
        assert!(is_postal_code("HK", "0"));
        assert!(!is_postal_code("HK", " "));
    }

    #[test]
    fn people_write_codes_in_several_ways() {
        for (country, right, wrong) in [
            (
                "US",
                &["12345", "12345-6789", "123456789"][..],
                &["1234", "123456", "12345-678", "12-345", "١٢٣٤٥"][..],
            ),
            (
                "GB",
                &["SW1A 1AA", "sw1a1aa", "M2 5BQ", "GIR 0AA"],
                &["SW1A", "1SW A1A", "SW1A  1AA", "QQ1 1AA"],
            ),
            ("CY", &["2008"], &["200", "20081"]),
            (
                "NL",
                &["1234 AB", "1234ab"],
                &["1234", "0234 AB", "1234 SS"],
            ),
            (
                "CA",
                &["K1A 0B1", "K1A-0B1", "k1a0b1"],
                &["K1A 0BI", "D1A 0B1"],
            ),
            ("BR", &["40301-110", "40301110"], &["40301"]),
            ("JP", &["154-0023", "1540023"], &["154"]),
            ("PL", &["00-950", "00950"], &["0-0950"]),
            ("PT", &["2725-079", "2725079"], &["2725"]),
            ("SE", &["113 49", "11349"], &["1134"]),
            ("CH", &["8000"], &["CH-8000"]),
            ("DE", &["10115"], &["D-10115"]),
            ("LV", &["LV-1073", "1073"], &["LT-1073"]),
        ] {
            for text in right {
                assert!(is_postal_code(country, text), "{country} {text:?}");
            }
            for text in wrong {
                assert!(!is_postal_code(country, text), "{country} {text:?}");
            }
        }
    }

    #[test]
    fn examples_are_of_countries_with_codes() {
        assert!(examples("ch").contains(&"3030"));
        assert_eq!(examples("HK"), &[] as &[&str]);
    }

    proptest! {
        #[test]
        fn a_code_is_short_and_plain(text in "\\PC{0,20}") {
            if is_postal_code("nn", &text) {
                prop_assert!(text.len() <= 11);
                prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || " -".contains(c)));
            }
        }

        #[test]
        fn nothing_comes_before_or_after_a_code(before in "\\PC{0,3}", after in "\\PC{0,3}") {
            prop_assume!(before.len() + after.len() > 0);
            let text = format!("{before}8000{after}");
            let is_digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(is_postal_code("CH", &text), is_digits);
        }
    }
}
