//! The operator's chores on resellers' price lists: a price of a reseller's own, from a date on, and its end.

use chancery_domain::Timestamp;
use chancery_domain::operators::ActKind;
use chancery_domain::prices::{OwnPrice, TermPrice, TermPriceError, in_force};
use chancery_domain::products::{Product, Term};
use chancery_domain::resellers::ResellerId;
use chancery_store::{Change, Sequence};

use crate::{AppError, Operations};

/// A change of a price list, as an operator asks for it.
#[derive(Clone, Copy, Debug)]
pub struct PriceChange<'a> {
    /// Whose price.
    pub reseller: ResellerId,
    /// Of which product.
    pub product: &'a Product,
    /// For so many years.
    pub years: u8,
    /// From this moment; from now on, where none is given.
    pub from: Option<Timestamp>,
}

/// The amounts of a price, as decimals in the reseller's currency.
#[derive(Clone, Copy, Debug)]
pub struct Amounts<'a> {
    /// The first name, and those included.
    pub base: &'a str,
    /// Each further ordinary name; needed where the product sells such names.
    pub name: Option<&'a str>,
    /// Each further wildcard name; likewise.
    pub wildcard: Option<&'a str>,
}

/// Why a price list was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PriceChangeError {
    /// What was told and charged before stays as it was.
    #[error("a price can be changed from now on, not in the past: it is {0}")]
    Past(Timestamp),
    /// No such term.
    #[error("a term lies between 1 and {} years", Term::LONGEST.0)]
    Term,
    /// Not the price of this product.
    #[error(transparent)]
    Price(#[from] TermPriceError),
    /// There is nothing that could end.
    #[error("the reseller has no price of its own for this term at that time")]
    NothingToEnd,
    /// The reseller is not there, or keeping the change failed.
    #[error(transparent)]
    App(#[from] AppError),
}

/// A row of a price list, and whether it counts.
#[derive(Clone, Debug)]
pub struct ListedPrice {
    /// The row.
    pub row: OwnPrice,
    /// Whether it counts now, or will, or no longer does.
    pub standing: Standing,
}

/// Whether a row of a price list counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Its time has not come.
    Coming,
    /// It decides today's price.
    Counting,
    /// Another has taken its place.
    Past,
}

impl Operations {
    /// Gives a reseller a price of its own. Orders placed before keep theirs.
    pub async fn set_price(
        &self,
        asked: PriceChange<'_>,
        amounts: Amounts<'_>,
    ) -> Result<OwnPrice, PriceChangeError> {
        let currency = self.reseller(asked.reseller).await?.currency;
        let further = (asked.product.further_names, asked.product.further_wildcards);
        let texts = (amounts.base, amounts.name, amounts.wildcard);
        let price = TermPrice::parse(currency, texts, further)?;
        let row = self.price_row(asked, Some(price)).await?;
        self.keep_price(&row, ActKind::PriceSet).await?;
        Ok(row)
    }

    /// Lets the catalogue's price count for a reseller again.
    pub async fn end_price(&self, asked: PriceChange<'_>) -> Result<OwnPrice, PriceChangeError> {
        self.reseller(asked.reseller).await?;
        let row = self.price_row(asked, None).await?;
        let key = &asked.product.key;
        let own = self.store.own_prices_of(asked.reseller, key).await;
        let own = own.map_err(AppError::from)?;
        let counting = in_force(&own, row.valid_from);
        let ends = counting.get(&(key.as_str(), row.term));
        if ends.is_none_or(|row| row.price.is_none()) {
            return Err(PriceChangeError::NothingToEnd);
        }
        self.keep_price(&row, ActKind::PriceEnded).await?;
        Ok(row)
    }

    /// A reseller's price list, by product, term and date.
    pub async fn price_list(&self, reseller: ResellerId) -> Result<Vec<ListedPrice>, AppError> {
        self.reseller(reseller).await?;
        let now = self.clock.now();
        let rows = self.store.own_prices(reseller).await?;
        let counting: Vec<i64> = in_force(&rows, now).values().map(|row| row.id).collect();
        let listed = |row: OwnPrice| ListedPrice {
            standing: match () {
                () if row.valid_from > now => Standing::Coming,
                () if counting.contains(&row.id) => Standing::Counting,
                () => Standing::Past,
            },
            row,
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    async fn price_row(
        &self,
        asked: PriceChange<'_>,
        price: Option<TermPrice>,
    ) -> Result<OwnPrice, PriceChangeError> {
        let now = self.clock.now();
        let valid_from = asked.from.unwrap_or(now);
        if valid_from < now {
            return Err(PriceChangeError::Past(now));
        }
        let id = self.store.next_id(Sequence::Row).await;
        Ok(OwnPrice {
            id: id.map_err(AppError::from)?,
            reseller: asked.reseller,
            product: asked.product.key.clone(),
            term: Term::of(asked.years).ok_or(PriceChangeError::Term)?,
            price,
            valid_from,
            created_at: now,
        })
    }

    async fn keep_price(&self, row: &OwnPrice, kind: ActKind) -> Result<(), AppError> {
        let currency = self.reseller(row.reseller).await?.currency;
        let mut change = Change::new();
        change.insert_own_price(row, currency);
        let subject = format!("price of {} for {} years", row.product, row.term.0);
        let price = row.price.map(|price| {
            let (base, name, wildcard) = (price.base, price.name, price.wildcard);
            format!("{base}, name {name}, wildcard {wildcard}, ")
        });
        let detail = format!("{}from {}", price.unwrap_or_default(), row.valid_from);
        self.record_act(&mut change, kind, subject, Some(row.reseller), Some(detail))
            .await?;
        self.store.commit(change).await?;
        Ok(())
    }
}
