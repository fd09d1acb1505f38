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

/// What people write in front of a code, by the country: the sign of its vehicles, where that is not its own code.
/// The Universal Postal Union advises against either, and letters arrive with them all the same.
const SIGNS: [(&str, &str); 38] = [
    ("AD", "AND"),
    ("AL", "AL"),
    ("AT", "A"),
    ("BA", "BIH"),
    ("BE", "B"),
    ("BG", "BG"),
    ("CH", "CH"),
    ("CY", "CY"),
    ("CZ", "CZ"),
    ("DE", "D"),
    ("DK", "DK"),
    ("EE", "EST"),
    ("ES", "E"),
    ("FI", "FIN"),
    ("FO", "FO"),
    ("FR", "F"),
    ("GR", "GR"),
    ("HR", "HR"),
    ("HU", "H"),
    ("IS", "IS"),
    ("IT", "I"),
    ("LI", "FL"),
    ("LU", "L"),
    ("MC", "MC"),
    ("ME", "MNE"),
    ("MK", "MK"),
    ("NL", "NL"),
    ("NO", "N"),
    ("PL", "PL"),
    ("PT", "P"),
    ("RO", "RO"),
    ("RS", "SRB"),
    ("SE", "S"),
    ("SI", "SLO"),
    ("SK", "SK"),
    ("SM", "RSM"),
    ("TR", "TR"),
    ("VA", "V"),
];

/// Whether a text could be a postal code of a country, its code in any case, wherever spaces stand, and in some
/// countries with letters of theirs in front (`D-80331`). Of a country without postal codes any text could, of one
/// that many addresses of do without ([`is_often_absent`]) none or zeros, and of one that does not exist what could be
/// one of some country that has them.
pub fn is_postal_code(country: &str, text: &str) -> bool {
    let country = country.to_ascii_uppercase();
    let Some(codes) = TABLE.get(country.as_str()) else {
        return match is_country(&country) {
            true => !text.trim().is_empty(),
            false => TABLE.values().any(|codes| codes.has(text)),
        };
    };
    let closed: String = text.chars().filter(|c| *c != ' ').collect();
    codes.has(text)
        || codes.has(&closed)
        || without_sign(&country, &closed).is_some_and(|code| codes.has(code))
        || is_often_absent(&country) && is_none(&closed)
}

/// Whether many addresses of a country have no postal code, though others have: in Ireland codes are of single
/// houses, and young.
pub fn is_often_absent(country: &str) -> bool {
    country.eq_ignore_ascii_case("IE")
}

/// Whether a text, without spaces, is what programs send that must send a code where there is none.
fn is_none(closed: &str) -> bool {
    closed.bytes().all(|octet| octet == b'0')
        || ["N/A", "NA", "-"]
            .iter()
            .any(|none| closed.eq_ignore_ascii_case(none))
}

/// A code, without spaces, without what stands for its country in front.
fn without_sign<'a>(country: &str, closed: &'a str) -> Option<&'a str> {
    let (_, sign) = SIGNS.iter().find(|(of, _)| *of == country)?;
    let signs = [*sign, country];
    let letters = closed.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (written, rest) = closed.split_at(letters);
    let is_sign = signs.iter().any(|sign| sign.eq_ignore_ascii_case(written));
    is_sign.then(|| rest.strip_prefix('-').unwrap_or(rest))
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
                if is_often_absent(country) {
                    continue;
                }
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
                &["SW1A", "1SW A1A", "SW1A--1AA", "QQ1 1AA"],
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
            (
                "CH",
                &["8000", "CH-8000", "ch 8000"],
                &["D-8000", "CH-80000"],
            ),
            (
                "DE",
                &["10115", "D-10115", "DE-10115", "D 101 15", " 10115 "],
                &["A-10115", "D--10115", "D-1011", "D"],
            ),
            ("LU", &["1234", "L-1234", "L1234"], &["D-1234"]),
            ("PT", &["P-2725-079"], &["P-2725"]),
            ("LV", &["LV-1073", "1073"], &["LT-1073"]),
            ("RS", &["11000", "110000", "SRB-11000"], &["1100"]),
            ("KR", &["03051", "110-062", "110062"], &["1100"]),
            ("TW", &["104", "10603", "408670"], &["1040"]),
            (
                "IE",
                &["A65 F4E2", "", "0", "00000", "N/A", "na"],
                &["D1", "Dublin"],
            ),
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
            let closed = text.replace(' ', "").to_ascii_uppercase();
            let code = closed.strip_prefix("CH").map_or(&closed[..], |rest| {
                rest.strip_prefix('-').unwrap_or(rest)
            });
            let is_digits = code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(is_postal_code("CH", &text), is_digits);
        }
    }
}
