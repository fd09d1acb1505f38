//! What the attributes of contact types may be.

use jiff::civil::Date;

use crate::telephones::Digits;

/// Canadian presence: persons, then organizations.
pub(super) const CANADIAN: &[&str] = &[
    "ABO", "CCT", "LGR", "RES", "ASS", "CCO", "EDU", "GOV", "HOP", "INB", "LAM", "MAJ", "OMK",
    "PLT", "PRT", "TDM", "TRD", "TRS",
];

/// Legal forms by their Spanish numbers: a person's, then organizations'.
pub(super) const SPANISH_FORMS: &[&str] = &[
    "1", "39", "47", "59", "68", "124", "150", "152", "164", "181", "197", "203", "229", "269",
    "286", "365", "434", "436", "439", "476", "510", "524", "525", "554", "560", "562", "566",
    "608", "612", "713", "717", "744", "745", "746", "747", "877", "878", "879",
];

pub(super) const SPANISH_ORGANIZATIONS: &[&str] = SPANISH_FORMS.split_at(1).1;

/// The member states of the European Union.
pub const EUROPEAN_UNION: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// A person's number (CPF, 11 digits) or a company's (CNPJ, 14 characters, the last two digits), with or
/// without its punctuation.
pub(super) fn is_brazilian_number(text: &str) -> bool {
    let plain: Vec<_> = text.bytes().filter(|byte| !b".-/".contains(byte)).collect();
    let is_company = |(start, check): (&[u8], &[u8])| {
        start
            .iter()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
            && check.iter().all(u8::is_ascii_digit)
    };
    match plain.len() {
        11 => plain.iter().all(u8::is_ascii_digit),
        14 => is_company(plain.split_at(12)),
        _ => false,
    }
}

/// `DD.MM.YYYY`, a day that there was.
pub(super) fn is_birth_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let [day, month, year] = parts[..] else {
        return false;
    };
    let number = |text: &str, digits: usize| {
        let has_form = Digits(digits, digits).has(text);
        has_form.then(|| text.parse::<i16>().ok()).flatten()
    };
    match (number(day, 2), number(month, 2), number(year, 4)) {
        (Some(day), Some(month), Some(year)) => {
            let (day, month) = (i8::try_from(day), i8::try_from(month));
            day.is_ok_and(|day| {
                month.is_ok_and(|month| year >= 1800 && Date::new(year, month, day).is_ok())
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brazilian_numbers_are_of_persons_or_companies() {
        for text in [
            "52998224725",
            "529.982.247-25",
            "11222333000181",
            "11.222.333/0001-81",
            "12.ABC.345/01DE-35",
        ] {
            assert!(is_brazilian_number(text), "{text}");
        }
        for text in [
            "",
            "5299822472",
            "529982247250",
            "1122233300018X",
            "ABCDEFGHIJK",
        ] {
            assert!(!is_brazilian_number(text), "{text}");
        }
    }

    #[test]
    fn birth_dates_are_days_of_the_calendar() {
        assert!(is_birth_date("29.02.2000") && is_birth_date("01.12.1961"));
        for text in [
            "",
            "29.02.2001",
            "31.04.1990",
            "1.1.1990",
            "1990-01-01",
            "01/01/1990",
            "00.01.1990",
            "01.13.1990",
            "01.01.0001",
            "01.01.90",
            "01.01.1990.",
        ] {
            assert!(!is_birth_date(text), "{text}");
        }
    }
}
