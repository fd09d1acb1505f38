//! Prices: what a reseller pays for a product today.
//!
//! The catalogue has a price for each currency and term. A reseller may have prices of its own in their place,
//! each for one term, from a date on. What was set is never changed or removed: a later one takes its place,
//! or the catalogue's price does again. An order keeps what it cost, so no change reaches it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::fields::{Field, FieldError, Problem};
use crate::money::{Currency, Money, MoneyError};
use crate::products::{Product, Term};
use crate::resellers::ResellerId;

/// What one term of a product costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TermPrice {
    /// The first name, and those included.
    pub base: Money,
    /// Each ordinary name beyond.
    pub name: Money,
    /// Each wildcard name beyond.
    pub wildcard: Money,
}

/// Why texts are not the price of a product.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TermPriceError {
    /// Not an amount.
    #[error("{what}: {problem}")]
    Amount {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        problem: MoneyError,
    },
    /// Below zero.
    #[error("{0} is negative")]
    Negative(&'static str),
    /// The product sells names that this part is the price of.
    #[error("the price of a further name is missing")]
    FurtherName,
}

impl TermPrice {
    /// Reads a price from decimals. A product that sells further names has a price for them; one that does
    /// not need not.
    pub fn parse(
        currency: Currency,
        (base, name, wildcard): (&str, Option<&str>, Option<&str>),
        (further_names, further_wildcards): (bool, bool),
    ) -> Result<Self, TermPriceError> {
        let amount = |what: &'static str, text: Option<&str>| {
            let money = Money::parse(text.unwrap_or("0"), currency)
                .map_err(|problem| TermPriceError::Amount { what, problem })?;
            match money.minor {
                0.. => Ok(money),
                _ => Err(TermPriceError::Negative(what)),
            }
        };
        let price = Self {
            base: amount("base", Some(base))?,
            name: amount("name", name)?,
            wildcard: amount("wildcard", wildcard)?,
        };
        if (further_names && name.is_none()) || (further_wildcards && wildcard.is_none()) {
            return Err(TermPriceError::FurtherName);
        }
        Ok(price)
    }
}

/// A price that a reseller has of its own, or the end of one. A row of its price list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnPrice {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub reseller: ResellerId,
    /// The key of the product.
    pub product: String,
    /// For which term.
    pub term: Term,
    /// The price, in the reseller's currency; `None` for the catalogue's again.
    pub price: Option<TermPrice>,
    /// From this moment.
    pub valid_from: Timestamp,
    /// When it was set.
    pub created_at: Timestamp,
}

impl OwnPrice {
    /// What decides which of two rows for one term counts: the later date, then the later decision.
    fn rank(&self) -> (Timestamp, Timestamp, i64) {
        (self.valid_from, self.created_at, self.id)
    }
}

/// The rows that count at a moment, one for each product and term that has any.
pub fn in_force(rows: &[OwnPrice], now: Timestamp) -> BTreeMap<(&str, Term), &OwnPrice> {
    let mut counting: BTreeMap<(&str, Term), &OwnPrice> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.valid_from <= now) {
        let counts = counting.entry((&row.product, row.term)).or_insert(row);
        if counts.rank() < row.rank() {
            *counts = row;
        }
    }
    counting
}

/// A price and what it is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quote {
    /// The sum.
    pub total: Money,
    /// The first name's part.
    pub base: Money,
    /// All further ordinary names together.
    pub names: Money,
    /// All further wildcard names together.
    pub wildcards: Money,
}

/// Why a price cannot be told.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PriceError {
    /// No price in the reseller's currency.
    #[error("no price is set in {0}")]
    NoPrice(Currency),
    /// The sum cannot be kept.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// What one reseller pays for one product at a moment, by term. The one place where terms and prices of an
/// order come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PriceList {
    currency: Currency,
    included_names: u32,
    included_wildcards: u32,
    prices: BTreeMap<Term, TermPrice>,
}

impl PriceList {
    /// The catalogue's prices in a currency, with the reseller's own in their place where it has any.
    pub fn new(product: &Product, currency: Currency, own: &[OwnPrice], now: Timestamp) -> Self {
        let mut prices: BTreeMap<Term, TermPrice> = product.catalogue_prices(currency).collect();
        for ((key, term), row) in in_force(own, now) {
            let is_ours = |price: &TermPrice| key == product.key && price.base.currency == currency;
            prices.extend(row.price.filter(is_ours).map(|price| (term, price)));
        }
        Self {
            currency,
            included_names: product.included_names,
            included_wildcards: product.included_wildcards,
            prices,
        }
    }

    /// The terms that can be ordered, shortest first.
    pub fn terms(&self) -> impl Iterator<Item = Term> {
        self.prices.keys().copied()
    }

    /// The base price of the shortest term, if there is any.
    pub fn lowest(&self) -> Option<Money> {
        self.prices.values().next().map(|price| price.base)
    }

    /// The term so many years long, if it can be ordered.
    pub fn check_term(&self, years: i64) -> Result<Term, FieldError> {
        // A product without any price in the currency is told apart later, by its quote.
        if self.prices.is_empty() {
            return Ok(Term(u8::try_from(years).unwrap_or(u8::MAX)));
        }
        let sold = self.terms().find(|term| i64::from(term.0) == years);
        sold.ok_or_else(|| FieldError {
            field: Field::Term,
            problem: Problem::NotOneOf(self.terms().map(|term| term.0.to_string()).collect()),
        })
    }

    /// The price of a term with so many further names.
    pub fn quote(&self, term: Term, names: u32, wildcards: u32) -> Result<Quote, PriceError> {
        let price = self.prices.get(&term);
        let price = price.ok_or(PriceError::NoPrice(self.currency))?;
        let names = price
            .name
            .times(names.saturating_sub(self.included_names))?;
        let wildcards = price
            .wildcard
            .times(wildcards.saturating_sub(self.included_wildcards))?;
        let total = price.base.plus(names)?.plus(wildcards)?;
        Ok(Quote {
            total,
            base: price.base,
            names,
            wildcards,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::tests::a_product;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn own(id: i64, term: u8, base: Option<&str>, from: i64, set: i64) -> OwnPrice {
        let parse = |base| TermPrice::parse(usd(), (base, Some("1"), Some("2")), (true, true));
        OwnPrice {
            id,
            reseller: ResellerId(2001),
            product: "ssl123".to_owned(),
            term: Term(term),
            price: base.map(|base| parse(base).unwrap()),
            valid_from: day(from),
            created_at: day(set),
        }
    }

    fn base(rows: &[OwnPrice], term: u8, now: i64) -> String {
        let list = PriceList::new(&a_product(), usd(), rows, day(now));
        let quote = list.quote(Term(term), 0, 0);
        quote.map_or_else(|error| error.to_string(), |quote| quote.base.to_string())
    }

    #[test]
    fn a_quote_is_the_sum_of_its_parts() {
        let list = |product: &Product, currency| PriceList::new(product, currency, &[], day(0));
        let quote = list(&a_product(), usd()).quote(Term(1), 2, 1).unwrap();
        assert_eq!(quote.total.to_string(), "50.00 USD");
        assert_eq!(quote.names.to_string(), "20.00 USD");
        assert_eq!(quote.wildcards.to_string(), "20.00 USD");
        let free = Product {
            included_names: 2,
            ..a_product()
        };
        let quote = list(&free, usd()).quote(Term(1), 2, 0).unwrap();
        assert_eq!(quote.total.to_string(), "10.00 USD");
        let terms: Vec<Term> = list(&a_product(), usd()).terms().collect();
        assert_eq!(terms, [Term(1), Term(2)]);
        let yen = Currency::parse("JPY").unwrap();
        let refused = list(&a_product(), yen).quote(Term(1), 0, 0);
        assert_eq!(refused, Err(PriceError::NoPrice(yen)));
    }

    #[test]
    fn an_own_price_stands_in_for_the_catalogue_s_from_its_date_on() {
        let rows = [own(1, 1, Some("8.00"), 10, 5)];
        assert_eq!(base(&rows, 1, 9), "10.00 USD");
        assert_eq!(base(&rows, 1, 10), "8.00 USD");
        assert_eq!(base(&rows, 2, 10), "10.00 USD", "another term");
        let list = PriceList::new(&a_product(), usd(), &rows, day(10));
        assert_eq!(
            list.quote(Term(1), 1, 1).unwrap().total.to_string(),
            "11.00 USD"
        );
        let elsewhere = OwnPrice {
            product: "other".to_owned(),
            ..rows[0].clone()
        };
        assert_eq!(base(&[elsewhere], 1, 10), "10.00 USD");
    }

    #[test]
    fn the_later_date_counts_then_the_later_decision() {
        let rows = [
            own(4, 1, None, 30, 3),
            own(1, 1, Some("8.00"), 10, 1),
            own(3, 1, Some("7.00"), 20, 2),
            // Set later for an earlier date: it counts until the twentieth.
            own(2, 1, Some("9.00"), 10, 4),
        ];
        for (now, expected) in [(9, "10.00"), (10, "9.00"), (20, "7.00"), (30, "10.00")] {
            assert_eq!(base(&rows, 1, now), format!("{expected} USD"), "{now}");
        }
    }

    #[test]
    fn a_term_of_a_reseller_s_own_can_be_ordered() {
        let rows = [own(1, 3, Some("20.00"), 0, 0)];
        let list = PriceList::new(&a_product(), usd(), &rows, day(1));
        assert_eq!(list.check_term(3), Ok(Term(3)));
        let refused = list.check_term(4).unwrap_err();
        let words = ["1", "2", "3"].map(str::to_owned).to_vec();
        assert_eq!(refused.problem, Problem::NotOneOf(words));
        assert_eq!(list.lowest().unwrap().to_string(), "10.00 USD");
    }

    #[test]
    fn prices_are_amounts_and_whole() {
        let parse = |base, name| TermPrice::parse(usd(), (base, name, None), (true, false));
        assert!(parse("1.00", Some("0")).is_ok());
        assert_eq!(parse("1.00", None), Err(TermPriceError::FurtherName));
        assert_eq!(
            parse("-1", Some("0")),
            Err(TermPriceError::Negative("base"))
        );
        let precise = parse("1", Some("0.001")).unwrap_err();
        assert_eq!(
            precise.to_string(),
            "name: more decimals than the currency has"
        );
    }

    proptest! {
        /// In whatever order rows come, the same one counts; and what is set for later counts for nothing yet.
        #[test]
        fn the_order_of_rows_does_not_matter(
            facts in prop::collection::vec((1..3_u8, prop::option::of(0..90_u8), 0..9_i64, 0..9_i64), 0..9),
            now in 0..9_i64,
        ) {
            let rows: Vec<OwnPrice> = (0..).zip(&facts).map(|(id, (term, base, from, set))| {
                own(id, *term, base.map(|base| base.to_string()).as_deref(), *from, *set)
            }).collect();
            let list = |rows: &[OwnPrice]| PriceList::new(&a_product(), usd(), rows, day(now));
            let mut turned = rows.clone();
            turned.reverse();
            prop_assert_eq!(list(&rows), list(&turned));
            let due: Vec<OwnPrice> = rows.iter().filter(|row| row.valid_from <= day(now)).cloned().collect();
            prop_assert_eq!(list(&rows), list(&due));
        }
    }
}
