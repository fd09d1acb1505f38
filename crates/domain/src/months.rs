//! Months, as orders are counted by them: of the calendar, in UTC.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A month of a year. Months follow each other by their number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Month(u32);

impl Month {
    /// The month of a moment.
    pub fn of(at: Timestamp) -> Self {
        let date = at.to_zoned(TimeZone::UTC).date();
        let year = u32::try_from(date.year()).unwrap_or(0);
        Self(year * 12 + u32::from(date.month().unsigned_abs()) - 1)
    }

    /// A month of a year, from 1 to 12.
    pub fn new(year: u16, month: u8) -> Option<Self> {
        let is_one = (1..=9999).contains(&year) && (1..=12).contains(&month);
        is_one.then(|| Self(u32::from(year) * 12 + u32::from(month) - 1))
    }

    /// Reads `2026-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let is_written = year.len() == 4 && month.len() == 2;
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_written || !is_digits(year) || !is_digits(month) {
            return None;
        }
        Self::new(year.parse().ok()?, month.parse().ok()?)
    }

    /// How many months lie before it, from year 0.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The month so many months before it, or the first there is.
    pub fn back(self, months: u32) -> Self {
        Self(self.0.saturating_sub(months).max(12))
    }

    /// It and the months after it, to the last one inclusive.
    pub fn up_to(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }
}

impl TryFrom<i64> for Month {
    type Error = std::num::TryFromIntError;

    /// Reads [`Month::number`] back.
    fn try_from(number: i64) -> Result<Self, Self::Error> {
        u32::try_from(number).map(Self)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_the_one_in_utc() {
        let at = |text: &str| Month::of(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-11-30T23:59:59.999999Z"), "2026-11");
        assert_eq!(at("2026-12-01T00:00:00Z"), "2026-12");
        assert_eq!(at("1970-01-01T00:00:00Z"), "1970-01");
    }

    #[test]
    fn months_are_read_as_they_are_written() {
        for text in ["2026-01", "2026-12", "0001-01", "9999-12"] {
            assert_eq!(Month::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "2026-13", "2026-00", "0000-01", "2026-1", "26-01", "2026", "2026-+1", "+026-01",
        ] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }

    #[test]
    fn months_follow_each_other_over_the_year() {
        let months: Vec<String> = Month::parse("2026-11")
            .unwrap()
            .up_to(Month::parse("2027-02").unwrap())
            .map(|month| month.to_string())
            .collect();
        assert_eq!(months, ["2026-11", "2026-12", "2027-01", "2027-02"]);
        assert_eq!(
            Month::parse("2027-02").unwrap().back(3).to_string(),
            "2026-11"
        );
        assert_eq!(
            Month::parse("0001-02").unwrap().back(99).to_string(),
            "0001-01"
        );
    }
}
