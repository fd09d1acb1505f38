//! Products and prices.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::Method;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::money::Money;
use chancery_domain::prices::{OwnPrice, PriceError, PriceList, Quote};
use chancery_domain::products::Product;
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

/// A product as a reseller can order it now. What is told of it here is what an order is held against.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// What is sold.
    pub product: &'a Product,
    /// For which terms, and for how much.
    pub prices: PriceList,
    /// How control of names may be shown.
    pub methods: Vec<Method>,
}

impl App {
    /// All that is sold, by key.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.catalogue().products()
    }

    /// All that is sold, by key, as a reseller can order it now.
    pub async fn offers(&self, reseller: &Reseller) -> Result<Vec<Offer<'_>>, AppError> {
        let own = self.store.own_prices(reseller.id).await?;
        let offer = |product| self.offer_of(reseller, product, &own);
        Ok(self.catalogue().products().map(offer).collect())
    }

    /// The product of a key, as a reseller can order it now.
    pub async fn offer(&self, reseller: &Reseller, key: &str) -> Result<Offer<'_>, AppError> {
        let product = self.product(key)?;
        let own = self.store.own_prices_of(reseller.id, &product.key).await?;
        Ok(self.offer_of(reseller, product, &own))
    }

    fn offer_of<'a>(
        &self,
        reseller: &Reseller,
        product: &'a Product,
        own: &[OwnPrice],
    ) -> Offer<'a> {
        let now = self.clock.now();
        Offer {
            product,
            prices: PriceList::new(product, reseller.currency, own, now),
            methods: product.offered_methods(&self.rules, now),
        }
    }

    /// What a product costs the reseller now, and for which terms.
    pub(crate) async fn price_list(
        &self,
        reseller: &Reseller,
        product: &Product,
        now: Timestamp,
    ) -> Result<PriceList, AppError> {
        let own = self.store.own_prices_of(reseller.id, &product.key).await?;
        Ok(PriceList::new(product, reseller.currency, &own, now))
    }

    fn product(&self, key: &str) -> Result<&Product, AppError> {
        self.catalogue().product(key).ok_or_else(|| {
            AppError::field(FieldError {
                field: Field::Product,
                problem: Problem::Unknown(key.to_owned()),
            })
        })
    }

    /// What a product costs the reseller, for an order that could be placed.
    pub async fn quote(
        &self,
        reseller: &Reseller,
        key: &str,
        asked: PriceAsked,
    ) -> Result<Quote, AppError> {
        let Offer {
            product, prices, ..
        } = self.offer(reseller, key).await?;
        let term = prices.check_term(asked.term).map_err(AppError::field)?;
        let faults = product.check_counts(asked.names, asked.wildcards);
        if !faults.is_empty() {
            return Err(AppError::Invalid(faults));
        }
        Ok(prices.quote(term, asked.names, asked.wildcards)?)
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
