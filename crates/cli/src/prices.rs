//! `chancery price`: what resellers pay in the place of the catalogue's prices.

use anyhow::{Context, Result};
use chancery_app::{Amounts, ListedPrice, PriceChange, Standing};
use chancery_domain::Timestamp;
use chancery_domain::prices::OwnPrice;
use chancery_domain::products::Product;
use chancery_domain::resellers::ResellerId;
use chancery_server::config::Config;
use serde_json::json;

use crate::arguments::{PriceCommand, PriceOf};
use crate::operators::acting;

pub(crate) async fn price(command: PriceCommand) -> Result<()> {
    match command {
        PriceCommand::Set {
            of,
            base,
            name,
            wildcard,
        } => {
            let config = of.place.config()?;
            let product = product(&config, &of.product)?;
            let amounts = Amounts {
                base: &base,
                name: name.as_deref(),
                wildcard: wildcard.as_deref(),
            };
            let operations = acting(&of.place, &of.operator).await?;
            let set = operations.set_price(asked(&of, &product)?, amounts).await?;
            println!("{}", as_text(&set));
        }
        PriceCommand::End { of } => {
            let config = of.place.config()?;
            let product = product(&config, &of.product)?;
            let operations = acting(&of.place, &of.operator).await?;
            let end = operations.end_price(asked(&of, &product)?).await?;
            println!("{}", as_text(&end));
        }
        PriceCommand::List {
            reseller,
            json,
            place,
        } => {
            let operations = chancery_server::operations(&place.config()?).await?;
            for listed in operations.price_list(ResellerId(reseller)).await? {
                match json {
                    true => println!("{}", as_json(&listed)),
                    false => println!("{}  {}", as_text(&listed.row), standing(listed.standing)),
                }
            }
        }
    }
    Ok(())
}

fn asked<'a>(of: &PriceOf, product: &'a Product) -> Result<PriceChange<'a>> {
    Ok(PriceChange {
        reseller: ResellerId(of.reseller),
        product,
        years: of.term,
        from: of.from.as_deref().map(moment).transpose()?,
    })
}

/// The product of a key in the catalogue that the configuration names.
fn product(config: &Config, key: &str) -> Result<Product> {
    let catalogue = chancery_server::catalogue(config)?;
    let found = catalogue.product(key).cloned();
    found.with_context(|| {
        format!(
            "--product: the catalogue has no '{key}'; --config says which catalogue is sold from"
        )
    })
}

/// A moment, or the first one of a day.
fn moment(text: &str) -> Result<Timestamp> {
    let day = format!("{text}T00:00:00Z");
    let read = text.parse().or_else(|_| day.parse());
    read.context("--from: a date such as 2027-03-15, or a time such as 2027-03-15T12:00:00Z")
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Coming => "coming",
        Standing::Counting => "counting",
        Standing::Past => "past",
    }
}

fn as_text(row: &OwnPrice) -> String {
    let amounts = match row.price {
        Some(price) => format!(
            "{}, name {}, wildcard {}",
            price.base, price.name, price.wildcard
        ),
        None => "the catalogue's price".to_owned(),
    };
    let (key, years, from) = (&row.product, row.term.0, row.valid_from);
    format!("{key}  term {years}  {amounts}  from {from}")
}

fn as_json(ListedPrice { row, standing: of }: &ListedPrice) -> serde_json::Value {
    let price = row.price;
    let decimal = |amount: chancery_domain::money::Money| amount.to_decimal().to_string();
    json!({
        "productKey": row.product,
        "term": row.term.0,
        "currency": price.map(|price| price.base.currency.as_str().to_owned()),
        "base": price.map(|price| decimal(price.base)),
        "name": price.map(|price| decimal(price.name)),
        "wildcard": price.map(|price| decimal(price.wildcard)),
        "validFrom": row.valid_from.to_string(),
        "setAt": row.created_at.to_string(),
        "standing": standing(*of),
    })
}
