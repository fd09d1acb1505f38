//! The catalogue: all that is sold, as the operator's file has it and as it is once checked.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::authorizations::{Method, RecordType};
use crate::money::Currency;
use crate::prices::TermPrice;
use crate::products::{
    Companion, DEFAULT_REFUND_DAYS, DEFAULT_RENEWAL_DAYS, Product, Term, Validation,
};

/// The earliest that a product's orders may be renewed: all that is left of their term is added to the renewal.
const RENEWAL_DAYS_MAX: u32 = 366;

/// All that is sold, by key.
#[derive(Clone, Debug, Default)]
pub struct Catalogue(BTreeMap<String, Product>);

/// A catalogue as its file has it, nothing checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCatalogue {
    /// The products, in any order.
    pub product: Vec<RawProduct>,
}

/// A product as the catalogue's file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are those of Product")]
pub struct RawProduct {
    pub key: String,
    pub name: String,
    pub provider: String,
    pub validation: Validation,
    #[serde(default)]
    pub wildcard: bool,
    #[serde(default)]
    pub further_names: bool,
    #[serde(default)]
    pub further_wildcards: bool,
    #[serde(default)]
    pub included_names: u32,
    #[serde(default)]
    pub included_wildcards: u32,
    pub max_names: u32,
    #[serde(default)]
    pub companion: Option<Companion>,
    pub methods: Vec<Method>,
    #[serde(default = "txt")]
    pub record_type: RecordType,
    #[serde(default = "refund_days")]
    pub refund_days: u32,
    #[serde(default = "renewal_days")]
    pub renewal_days: u32,
    pub price: Vec<RawPrice>,
}

/// One term's price in one currency, as the catalogue's file has it: decimals in text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of TermPrice")]
pub struct RawPrice {
    pub currency: Currency,
    pub term: Term,
    pub base: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub wildcard: Option<String>,
}

fn refund_days() -> u32 {
    DEFAULT_REFUND_DAYS
}

fn renewal_days() -> u32 {
    DEFAULT_RENEWAL_DAYS
}

fn txt() -> RecordType {
    RecordType::Txt
}

/// Why a catalogue cannot be used, naming the product.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("product '{key}': {problem}")]
pub struct CatalogueError {
    /// The product's key.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Catalogue {
    /// Checks a catalogue as read from its file.
    pub fn check(raw: RawCatalogue) -> Result<Self, CatalogueError> {
        let mut products = BTreeMap::new();
        for raw in raw.product {
            let key = raw.key.clone();
            let fail = |problem: String| CatalogueError {
                key: key.clone(),
                problem,
            };
            let product = check_product(raw).map_err(fail)?;
            if products.insert(key.clone(), product).is_some() {
                return Err(CatalogueError {
                    key,
                    problem: "the key occurs twice".to_owned(),
                });
            }
        }
        Ok(Self(products))
    }

    /// The product of a key, in any case.
    pub fn product(&self, key: &str) -> Option<&Product> {
        self.0.get(&key.trim().to_ascii_lowercase())
    }

    /// All products, by key.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.0.values()
    }
}

fn check_product(raw: RawProduct) -> Result<Product, String> {
    let is_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if raw.key.is_empty() || !raw.key.bytes().all(is_key) {
        return Err("a key is lower-case letters, digits and hyphens".to_owned());
    }
    if raw.methods.is_empty() {
        return Err("at least one method is needed".to_owned());
    }
    if !(1..=250).contains(&raw.max_names) {
        return Err("max-names lies between 1 and 250".to_owned());
    }
    if !(1..=RENEWAL_DAYS_MAX).contains(&raw.renewal_days) {
        return Err(format!(
            "renewal-days lies between 1 and {RENEWAL_DAYS_MAX}"
        ));
    }
    let wanted = match raw.wildcard {
        true => Companion::Bare,
        false => Companion::Www,
    };
    if raw.companion.is_some_and(|companion| companion != wanted) {
        return Err(format!(
            "the companion of its common names is '{}', or none",
            wanted.as_str()
        ));
    }
    let sells_further = raw.further_names || raw.further_wildcards;
    if sells_further != (raw.max_names > 1) {
        return Err("max-names above 1 and further names go together".to_owned());
    }
    if raw.validation == Validation::Ev && (raw.wildcard || raw.further_wildcards) {
        return Err("an EV certificate cannot cover wildcard names".to_owned());
    }
    if raw.wildcard && !raw.methods.iter().any(|method| method.covers_subdomains()) {
        return Err("none of the methods proves a wildcard".to_owned());
    }
    let mut prices = BTreeMap::new();
    for price in &raw.price {
        let further = (raw.further_names, raw.further_wildcards);
        let texts = (
            &*price.base,
            price.name.as_deref(),
            price.wildcard.as_deref(),
        );
        let term_price =
            TermPrice::parse(price.currency, texts, further).map_err(|error| error.to_string())?;
        if Term::of(price.term.0).is_none() {
            return Err("a term lies between 1 and 10 years".to_owned());
        }
        if prices
            .insert((price.currency, price.term), term_price)
            .is_some()
        {
            return Err("a price occurs twice".to_owned());
        }
    }
    if prices.is_empty() {
        return Err("at least one price is needed".to_owned());
    }
    Ok(Product {
        key: raw.key,
        name: raw.name,
        provider: raw.provider,
        validation: raw.validation,
        wildcard: raw.wildcard,
        further_names: raw.further_names,
        further_wildcards: raw.further_wildcards,
        included_names: raw.included_names,
        included_wildcards: raw.included_wildcards,
        max_names: raw.max_names,
        companion: raw.companion,
        methods: raw.methods,
        record_type: raw.record_type,
        refund_days: raw.refund_days,
        renewal_days: raw.renewal_days,
        prices,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn a_product() -> Product {
        check_product(a_raw_product()).unwrap()
    }

    fn a_raw_product() -> RawProduct {
        let price = |currency: &str, term| RawPrice {
            currency: Currency::parse(currency).unwrap(),
            term: Term(term),
            base: "10.00".to_owned(),
            name: Some("10.00".to_owned()),
            wildcard: Some("20.00".to_owned()),
        };
        RawProduct {
            key: "ssl123".to_owned(),
            name: "SSL 123".to_owned(),
            provider: "Chancery".to_owned(),
            validation: Validation::Dv,
            wildcard: false,
            further_names: true,
            further_wildcards: true,
            included_names: 0,
            included_wildcards: 0,
            max_names: 5,
            companion: None,
            methods: vec![Method::Dns, Method::File],
            record_type: RecordType::Txt,
            refund_days: 30,
            renewal_days: 90,
            price: vec![price("USD", 1), price("USD", 2), price("EUR", 1)],
        }
    }

    #[test]
    fn a_catalogue_sells_nothing_that_cannot_be_had() {
        let refused = |change: fn(&mut RawProduct)| {
            let mut raw = a_raw_product();
            change(&mut raw);
            check_product(raw).unwrap_err()
        };
        let wildcards = "an EV certificate cannot cover wildcard names";
        assert_eq!(refused(|raw| raw.validation = Validation::Ev), wildcards);
        let proofless = refused(|raw| {
            raw.wildcard = true;
            raw.methods = vec![Method::File];
        });
        assert_eq!(proofless, "none of the methods proves a wildcard");
        assert_eq!(
            refused(|raw| raw.renewal_days = 367),
            "renewal-days lies between 1 and 366"
        );
        assert_eq!(
            refused(|raw| raw.companion = Some(Companion::Bare)),
            "the companion of its common names is 'www', or none"
        );
        let text = "the price of a further name is missing";
        assert_eq!(refused(|raw| raw.price[0].name = None), text);
        assert_eq!(
            refused(|raw| raw.price[1].base = "-1".to_owned()),
            "base is negative"
        );
    }
}
