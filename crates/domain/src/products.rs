//! Products: what is sold, at what price, and what an order for it may ask.
//!
//! The catalogue is data, read from a file by the operator; a [`Catalogue`] that exists is consistent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::authorizations::{Method, RecordType};
use crate::fields::{Field, FieldError, Problem};
use crate::money::{Currency, Money, MoneyError};
use crate::names::DomainName;
use crate::validity::ValidityRules;

/// How far the applicant is vetted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Validation {
    /// Control of the names only.
    Dv,
    /// The organization too.
    Ov,
    /// The organization by the Extended Validation guidelines.
    Ev,
}

impl Validation {
    /// `DV`, `OV` or `EV`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dv => "DV",
            Self::Ov => "OV",
            Self::Ev => "EV",
        }
    }
}

/// Years bought.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct Term(pub u8);

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

/// Something that can be ordered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Product {
    /// The key that orders name it by; lower case.
    pub key: String,
    /// The name people read.
    pub name: String,
    /// The brand or CA, for people.
    pub provider: String,
    /// How far the applicant is vetted.
    pub validation: Validation,
    /// Whether the common name must be a wildcard; if not, it must not be one.
    pub wildcard: bool,
    /// Whether further ordinary names may be asked for.
    pub further_names: bool,
    /// Whether further wildcard names may be asked for.
    pub further_wildcards: bool,
    /// Further ordinary names within the base price.
    pub included_names: u32,
    /// Further wildcard names within the base price.
    pub included_wildcards: u32,
    /// The greatest number of names, the common name among them.
    pub max_names: u32,
    /// How control of names may be shown.
    pub methods: Vec<Method>,
    /// What kind of record a DNS proof wants.
    pub record_type: RecordType,
    /// For so many days after its first certificate an order may be given back.
    pub refund_days: u32,
    prices: BTreeMap<(Currency, Term), TermPrice>,
}

/// Why an order for a product cannot be taken, beyond its fields.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PriceError {
    /// No price in the reseller's currency.
    #[error("no price is set in {0}")]
    NoPrice(Currency),
    /// The sum cannot be kept.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Product {
    /// The terms that have a price, in a currency, shortest first.
    pub fn terms(&self, currency: Currency) -> Vec<Term> {
        self.prices
            .keys()
            .filter(|(of, _)| *of == currency)
            .map(|(_, term)| *term)
            .collect()
    }

    /// The price of a term with so many further names.
    pub fn quote(
        &self,
        currency: Currency,
        term: Term,
        names: u32,
        wildcards: u32,
    ) -> Result<Quote, PriceError> {
        let price = self
            .prices
            .get(&(currency, term))
            .ok_or(PriceError::NoPrice(currency))?;
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

    /// Checks the names of an order against the product, common name first; reports all faults.
    pub fn check_names(&self, names: &[DomainName]) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if names
            .first()
            .is_some_and(|name| name.is_wildcard() != self.wildcard)
        {
            let text = if self.wildcard {
                "the common name must be a wildcard for this product"
            } else {
                "the common name must not be a wildcard for this product"
            };
            errors.push(FieldError::invalid(Field::Csr, text));
        }
        let further = names.get(1..).unwrap_or_default();
        let refused = |text: &str| FieldError::invalid(Field::Names, text);
        if further.iter().any(DomainName::is_wildcard) && !self.further_wildcards {
            errors.push(refused("this product takes no further wildcard names"));
        }
        if further.iter().any(|name| !name.is_wildcard()) && !self.further_names {
            errors.push(refused("this product takes no further names"));
        }
        if names.len() > self.max_names as usize {
            let max = self.max_names;
            errors.push(refused(&format!(
                "this product takes at most {max} names in all"
            )));
        }
        if self.validation == Validation::Ev && names.iter().any(DomainName::is_wildcard) {
            errors.push(refused("an EV certificate cannot cover wildcard names"));
        }
        for (at, name) in names.iter().enumerate() {
            let field = if at == 0 { Field::Csr } else { Field::Names };
            errors.extend(name_fault(name).map(|text| FieldError::invalid(field, text)));
        }
        errors
    }

    /// Checks that a method is sold with the product, still in force at `now`, and able to prove every one
    /// of the names.
    pub fn check_method(
        &self,
        method: Method,
        names: &[DomainName],
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Vec<FieldError> {
        let mut offered = self.methods.clone();
        offered.retain(|method| rules.is_in_force(*method, now));
        if !offered.contains(&method) {
            let words = offered
                .iter()
                .map(|method| method.as_str().to_owned())
                .collect();
            return vec![FieldError {
                field: Field::Method,
                problem: Problem::NotOneOf(words),
            }];
        }
        names
            .iter()
            .filter(|name| name.is_wildcard() && !method.covers_subdomains())
            .map(|name| {
                let text = format!("{name} is a wildcard and cannot be proved by a file");
                FieldError::invalid(Field::Method, text)
            })
            .collect()
    }
}

/// What keeps a name out of any certificate, as a sentence.
fn name_fault(name: &DomainName) -> Option<String> {
    if name.is_reverse_zone() {
        Some(format!("{name} is a reverse-lookup name"))
    } else if name.is_internal() {
        Some(format!(
            "{name} is an internal name: its top-level domain is not a public one"
        ))
    } else if name.is_public_suffix() {
        Some(format!(
            "{name} is a public suffix, shared by many registrants"
        ))
    } else {
        None
    }
}

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
    pub methods: Vec<Method>,
    #[serde(default = "txt")]
    pub record_type: RecordType,
    #[serde(default = "refund_days")]
    pub refund_days: u32,
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

/// The refund window of a product that names none, in days.
pub const DEFAULT_REFUND_DAYS: u32 = 30;

fn refund_days() -> u32 {
    DEFAULT_REFUND_DAYS
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
    let sells_further = raw.further_names || raw.further_wildcards;
    if sells_further != (raw.max_names > 1) {
        return Err("max-names above 1 and further names go together".to_owned());
    }
    let mut prices = BTreeMap::new();
    for price in &raw.price {
        let amount = |text: Option<&str>, what: &str| {
            let money = Money::parse(text.unwrap_or("0"), price.currency)
                .map_err(|problem| format!("{what}: {problem}"))?;
            if money.minor < 0 {
                Err(format!("{what} is negative"))
            } else {
                Ok(money)
            }
        };
        let term_price = TermPrice {
            base: amount(Some(&price.base), "base")?,
            name: amount(price.name.as_deref(), "name")?,
            wildcard: amount(price.wildcard.as_deref(), "wildcard")?,
        };
        if price.term.0 == 0 || price.term.0 > 10 {
            return Err("a term lies between 1 and 10 years".to_owned());
        }
        if (raw.further_names && price.name.is_none())
            || (raw.further_wildcards && price.wildcard.is_none())
        {
            return Err("the price of a further name is missing".to_owned());
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
        methods: raw.methods,
        record_type: raw.record_type,
        refund_days: raw.refund_days,
        prices,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn a_product() -> Product {
        let price = |currency: &str, term| RawPrice {
            currency: Currency::parse(currency).unwrap(),
            term: Term(term),
            base: "10.00".to_owned(),
            name: Some("10.00".to_owned()),
            wildcard: Some("20.00".to_owned()),
        };
        let raw = RawProduct {
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
            methods: vec![Method::Dns, Method::File],
            record_type: RecordType::Txt,
            refund_days: 30,
            price: vec![price("USD", 1), price("USD", 2), price("EUR", 1)],
        };
        check_product(raw).unwrap()
    }

    fn names(texts: &[&str]) -> Vec<DomainName> {
        texts
            .iter()
            .map(|text| DomainName::parse(text).unwrap())
            .collect()
    }

    #[test]
    fn a_quote_is_the_sum_of_its_parts() {
        let usd = Currency::parse("USD").unwrap();
        let quote = a_product().quote(usd, Term(1), 2, 1).unwrap();
        assert_eq!(quote.total.to_string(), "50.00 USD");
        assert_eq!(quote.names.to_string(), "20.00 USD");
        assert_eq!(quote.wildcards.to_string(), "20.00 USD");
        let free = Product {
            included_names: 2,
            ..a_product()
        };
        assert_eq!(
            free.quote(usd, Term(1), 2, 0).unwrap().total.to_string(),
            "10.00 USD"
        );
        assert_eq!(a_product().terms(usd), [Term(1), Term(2)]);
        let yen = Currency::parse("JPY").unwrap();
        assert_eq!(
            a_product().quote(yen, Term(1), 0, 0),
            Err(PriceError::NoPrice(yen))
        );
    }

    #[test]
    fn names_are_held_against_the_product() {
        let product = a_product();
        assert!(
            product
                .check_names(&names(&["shop.example", "*.shop.example"]))
                .is_empty()
        );
        let single = Product {
            further_names: false,
            further_wildcards: false,
            ..a_product()
        };
        assert_eq!(
            single
                .check_names(&names(&["shop.example", "www.shop.example"]))
                .len(),
            1
        );
        assert_eq!(product.check_names(&names(&["*.shop.example"])).len(), 1);
        assert_eq!(
            product
                .check_names(&names(&["shop.example", "*.co.uk"]))
                .len(),
            1
        );
        assert_eq!(product.check_names(&names(&["server.internal"])).len(), 1);
        let ev = Product {
            validation: Validation::Ev,
            ..a_product()
        };
        assert_eq!(
            ev.check_names(&names(&["shop.example", "*.shop.example"]))
                .len(),
            1
        );
        let many: Vec<String> = (0..6).map(|n| format!("n{n}.shop.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(product.check_names(&names(&many)).len(), 1);
    }

    #[test]
    fn a_file_cannot_prove_a_wildcard() {
        let product = a_product();
        let wildcard = names(&["shop.example", "*.shop.example"]);
        let faults = |method| {
            let now = "2026-11-22T00:00:00Z".parse().unwrap();
            product.check_method(method, &wildcard, &ValidityRules::default(), now)
        };
        assert_eq!(faults(Method::File).len(), 1);
        assert!(faults(Method::Dns).is_empty());
        assert_eq!(faults(Method::Email).len(), 1);
    }

    #[test]
    fn a_method_is_not_offered_after_its_last_day() {
        let product = Product {
            methods: vec![Method::Email, Method::Dns],
            ..a_product()
        };
        let faults = |now: &str| {
            let now = now.parse().unwrap();
            let names = names(&["shop.example"]);
            product.check_method(Method::Email, &names, &ValidityRules::default(), now)
        };
        assert!(faults("2028-03-14T23:59:59Z").is_empty());
        let only_dns = Problem::NotOneOf(vec!["dns".to_owned()]);
        assert_eq!(faults("2028-03-15T00:00:00Z")[0].problem, only_dns);
    }
}
