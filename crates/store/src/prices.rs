//! The prices that resellers have of their own.

use chancery_domain::money::{Currency, Money};
use chancery_domain::prices::{OwnPrice, TermPrice};
use chancery_domain::products::Term;
use chancery_domain::resellers::ResellerId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select id, reseller_id, product_key, term_years, currency, base, name, wildcard,
                valid_from, created_at
            from own_prices where ",
            $condition
        )
    };
}

impl Change {
    /// Adds a row to a reseller's price list, in the reseller's currency.
    pub fn insert_own_price(&mut self, row: &OwnPrice, currency: Currency) {
        const SQL: &str = "
            insert into own_prices (id, reseller_id, product_key, term_years, currency, base, name,
                wildcard, valid_from, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        self.execute(
            SQL,
            values![
                row.id,
                row.reseller.0,
                &row.product,
                i64::from(row.term.0),
                currency.as_str(),
                row.price.map(|price| price.base.minor),
                row.price.map(|price| price.name.minor),
                row.price.map(|price| price.wildcard.minor),
                row.valid_from,
                row.created_at,
            ],
        );
    }
}

impl Store {
    /// What a reseller's price list has for a product, whenever it counts.
    pub async fn own_prices_of(
        &self,
        reseller: ResellerId,
        product: &str,
    ) -> Result<Vec<OwnPrice>, StoreError> {
        const SQL: &str = select!("reseller_id = $1 and product_key = $2");
        let rows = self.query(SQL, values![reseller.0, product]).await?;
        rows.iter().map(read).collect()
    }

    /// All of a reseller's price list, by product, term and date.
    pub async fn own_prices(&self, reseller: ResellerId) -> Result<Vec<OwnPrice>, StoreError> {
        const SQL: &str = select!(
            "reseller_id = $1 order by product_key, term_years, valid_from, created_at, id"
        );
        let rows = self.query(SQL, values![reseller.0]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<OwnPrice, StoreError> {
    const BASE: usize = 5;
    let currency = row.parsed(4, |text| Currency::parse(text).ok())?;
    let amount = |column: usize| {
        let minor = row.opt_int(column)?;
        Ok::<_, StoreError>(minor.map(|minor| Money { minor, currency }))
    };
    let price = match (amount(BASE)?, amount(6)?, amount(7)?) {
        (None, None, None) => None,
        (Some(base), Some(name), Some(wildcard)) => Some(TermPrice {
            base,
            name,
            wildcard,
        }),
        _ => return Err(row.corrupt(BASE, "a part of the price is missing")),
    };
    Ok(OwnPrice {
        id: row.int(0)?,
        reseller: ResellerId(row.int(1)?),
        product: row.string(2)?,
        term: Term(row.small(3)?),
        price,
        valid_from: row.timestamp(8)?,
        created_at: row.timestamp(9)?,
    })
}
