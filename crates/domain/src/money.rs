//! Money: exact amounts in the smallest unit of a currency.
//!
//! Amounts are integers of minor units (cents), never floating point. Text is parsed exactly: more decimals
//! than the currency has are refused, not rounded.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency code.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Why a text is not money.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MoneyError {
    /// Not three capital letters.
    #[error("a currency is three letters, such as USD")]
    Currency,
    /// Not a decimal number.
    #[error("an amount is a decimal number, such as 100.00")]
    Number,
    /// More decimals than the currency has.
    #[error("more decimals than the currency has")]
    Precision,
    /// Beyond what can be kept.
    #[error("the amount is too large")]
    Range,
    /// Two currencies in one calculation.
    #[error("amounts are in different currencies")]
    Mixed,
}

impl Currency {
    /// Parses a code of three letters, in any case.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_alphabetic()) => {
                Ok(Self([*a, *b, *c].map(|byte| byte.to_ascii_uppercase())))
            }
            _ => Err(MoneyError::Currency),
        }
    }

    /// The code, for example `USD`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is ASCII")
    }

    /// Decimals of the minor unit (ISO 4217): 2, but for the currencies that have 0 or 3.
    pub fn decimals(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

/// An amount of one currency, possibly negative.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Money {
    /// In the currency's smallest unit.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

impl Money {
    /// Nothing, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Parses a decimal such as `100.00`, `100` or `0.5`, exactly.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let decimal = Decimal::from_str_exact(text.trim()).map_err(|_| MoneyError::Number)?;
        let scaled = decimal
            .checked_mul(Decimal::from(10_i64.pow(currency.decimals())))
            .ok_or(MoneyError::Range)?;
        if !scaled.fract().is_zero() {
            return Err(MoneyError::Precision);
        }
        let minor = i64::try_from(scaled.trunc().mantissa() / 10_i128.pow(scaled.trunc().scale()))
            .map_err(|_| MoneyError::Range)?;
        Ok(Self { minor, currency })
    }

    /// The exact decimal value.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.decimals())
    }

    /// The sum, if both are of one currency and it can be kept.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed);
        }
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(MoneyError::Range)?;
        Ok(Self { minor, ..self })
    }

    /// The amount, so many times.
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        let minor = self
            .minor
            .checked_mul(i64::from(count))
            .ok_or(MoneyError::Range)?;
        Ok(Self { minor, ..self })
    }
}

impl std::ops::Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            minor: -self.minor,
            ..self
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> Result<Money, MoneyError> {
        Money::parse(text, Currency::parse("usd").unwrap())
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(usd("100.00").unwrap().minor, 10_000);
        assert_eq!(usd("0.1").unwrap().minor, 10);
        assert_eq!(usd("1.000").unwrap().minor, 100);
        assert_eq!(usd("1.001"), Err(MoneyError::Precision));
        assert_eq!(usd("1e3"), Err(MoneyError::Number));
        assert_eq!(usd(""), Err(MoneyError::Number));
        assert_eq!(usd("99999999999999999999"), Err(MoneyError::Range));
        assert_eq!(
            Money::parse("5", Currency::parse("JPY").unwrap())
                .unwrap()
                .minor,
            5
        );
        assert_eq!(usd("-3.50").unwrap().to_string(), "-3.50 USD");
    }

    #[test]
    fn currencies_do_not_mix() {
        let yen = Money::zero(Currency::parse("JPY").unwrap());
        assert_eq!(usd("1").unwrap().plus(yen), Err(MoneyError::Mixed));
        assert_eq!(Currency::parse("US"), Err(MoneyError::Currency));
        assert_eq!(Currency::parse("US1"), Err(MoneyError::Currency));
    }

    proptest! {
        #[test]
        fn text_and_money_round_trip(minor in any::<i64>(), code in "(USD|JPY|KWD)") {
            let money = Money { minor, currency: Currency::parse(&code).unwrap() };
            let text = money.to_decimal().to_string();
            prop_assert_eq!(Money::parse(&text, money.currency), Ok(money));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,60}") {
            let _ = usd(&text);
        }
    }
}
