//! Products and prices.

use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::money::{Currency, Money};
use chancery_domain::products::{PriceError, Product, Quote, Term};
use chancery_domain::resellers::Reseller;

use crate::{App, AppError, Refusal};

/// What a price is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PriceAsked {
    /// For how many years.
    pub term: i64,
    /// How many further ordinary names.
    pub names: u32,
    /// How many further wildcard names.
    pub wildcards: u32,
}

impl App {
    /// All that is sold, by key.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.catalogue.products()
    }

    /// The product of a key.
    pub fn product(&self, key: &str) -> Result<&Product, AppError> {
        self.catalogue.product(key).ok_or_else(|| {
            AppError::field(FieldError {
                field: Field::Product,
                problem: Problem::Unknown(key.to_owned()),
            })
        })
    }

    /// What a product costs the reseller.
    pub fn quote(
        &self,
        reseller: &Reseller,
        product: &Product,
        asked: PriceAsked,
    ) -> Result<Quote, AppError> {
        let term = term(product, reseller.currency, asked.term).map_err(AppError::field)?;
        Ok(product.quote(reseller.currency, term, asked.names, asked.wildcards)?)
    }

    /// The reseller's balance.
    pub async fn balance(&self, reseller: &Reseller) -> Result<Money, AppError> {
        let balance = self.store.balance(reseller.id).await?;
        balance.ok_or(AppError::Unauthenticated)
    }
}

impl From<PriceError> for AppError {
    fn from(error: PriceError) -> Self {
        match error {
            PriceError::NoPrice(currency) => Refusal::NoPrice(currency).into(),
            PriceError::Money(_) => Refusal::PriceTooLarge.into(),
        }
    }
}

/// The term so many years long, if it is sold.
pub(crate) fn term(product: &Product, currency: Currency, years: i64) -> Result<Term, FieldError> {
    let terms = product.terms(currency);
    // A product without any price in the currency is told apart later, by its quote.
    let sold = terms
        .iter()
        .find(|term| i64::from(term.0) == years)
        .copied();
    match sold {
        Some(term) => Ok(term),
        None if terms.is_empty() => Ok(Term(u8::try_from(years).unwrap_or(u8::MAX))),
        None => {
            let words = terms.iter().map(|term| term.0.to_string()).collect();
            Err(FieldError {
                field: Field::Term,
                problem: Problem::NotOneOf(words),
            })
        }
    }
}
