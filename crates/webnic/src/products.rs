//! Products and prices.

use axum::extract::State;
use chancery_app::{App, PriceAsked};
use chancery_domain::fields::Field;
use chancery_domain::money::{Currency, Money};
use chancery_domain::products::{Product, Quote, Term};
use serde::Serialize;

use crate::auth::Caller;
use crate::body::{count, integer, text};
use crate::envelope::Envelope;
use crate::errors::WebnicError;
use crate::query::Query;
use crate::scalars::Amount;
use crate::words::{METHODS, auth_type};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductView<'a> {
    product_key: &'a str,
    product_name: &'a str,
    provider: &'a str,
    cert_type: &'static str,
    /// Some clients look here, and without it take every product for one that vets organizations.
    validation_type: &'static str,
    wildcard: bool,
    allow_san: bool,
    allow_wsan: bool,
    /// The documentation spells it so, the clients as above.
    #[serde(rename = "allowWSan")]
    allow_wsan_as_documented: bool,
    bundle: BundleView,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Amount>,
}

/// Further names within the base price; empty for a product of one name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BundleView {
    #[serde(skip_serializing_if = "Option::is_none")]
    san: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    w_san: Option<u32>,
}

impl<'a> ProductView<'a> {
    fn of(product: &'a Product) -> Self {
        let is_multi = product.further_names || product.further_wildcards;
        Self {
            product_key: &product.key,
            product_name: &product.name,
            provider: &product.provider,
            cert_type: product.validation.as_str(),
            validation_type: product.validation.as_str(),
            wildcard: product.wildcard,
            allow_san: product.further_names,
            allow_wsan: product.further_wildcards,
            allow_wsan_as_documented: product.further_wildcards,
            bundle: BundleView {
                san: is_multi.then_some(product.included_names),
                w_san: is_multi.then_some(product.included_wildcards),
            },
            price: None,
        }
    }

    fn with_price(product: &'a Product, price: Money) -> Self {
        Self {
            price: Some(Amount(price)),
            ..Self::of(product)
        }
    }
}

/// `GET /ssl/v2/products/list`
pub(crate) async fn list(State(app): State<App>, Caller(_): Caller) -> Envelope {
    let views: Vec<ProductView<'_>> = app.products().map(ProductView::of).collect();
    Envelope::of(&views)
}

/// `GET /ssl/v2/products/list/price`
pub(crate) async fn list_with_prices(State(app): State<App>, Caller(reseller): Caller) -> Envelope {
    let priced = app.products().filter_map(|product| {
        let price = base_price(product, reseller.currency)?;
        Some(ProductView::with_price(product, price))
    });
    let views: Vec<ProductView<'_>> = priced.collect();
    Envelope::of(&views)
}

/// The base price of the shortest term, if there is one in the currency.
fn base_price(product: &Product, currency: Currency) -> Option<Money> {
    let term = *product.terms(currency).first()?;
    product
        .quote(currency, term, 0, 0)
        .ok()
        .map(|quote| quote.base)
}

/// `GET /ssl/v2/products/info?productKey=`
pub(crate) async fn info(
    State(app): State<App>,
    Caller(_): Caller,
    mut query: Query,
) -> Result<Envelope, WebnicError> {
    let Some(key) = query.require(Field::Product, text) else {
        return Err(query.refusal());
    };
    Ok(Envelope::of(&ProductView::of(app.product(&key)?)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RulesView<'a> {
    product_key: &'a str,
    rules: Rules,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    terms: Vec<u8>,
    min_san: u32,
    max_san: u32,
    wildcard: bool,
    allow_san: bool,
    allow_wsan: bool,
    auth_types: Vec<&'static str>,
}

impl<'a> RulesView<'a> {
    fn of(product: &'a Product, currency: Currency) -> Self {
        let offered = METHODS
            .into_iter()
            .filter(|method| product.methods.contains(method));
        Self {
            product_key: &product.key,
            rules: Rules {
                terms: product.terms(currency).iter().map(|term| term.0).collect(),
                min_san: 0,
                max_san: product.max_names - 1,
                wildcard: product.wildcard,
                allow_san: product.further_names,
                allow_wsan: product.further_wildcards,
                auth_types: offered.map(auth_type).collect(),
            },
        }
    }
}

/// `GET /ssl/v2/products/rules?productKey=`
pub(crate) async fn rules(
    State(app): State<App>,
    Caller(reseller): Caller,
    mut query: Query,
) -> Result<Envelope, WebnicError> {
    let Some(key) = query.require(Field::Product, text) else {
        return Err(query.refusal());
    };
    Ok(Envelope::of(&RulesView::of(
        app.product(&key)?,
        reseller.currency,
    )))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PriceView<'a> {
    price: Amount,
    currency: &'a str,
    term: i64,
    term_type: &'static str,
    price_breakdown: BreakdownView,
}

#[derive(Serialize)]
struct BreakdownView {
    #[serde(rename = "baseCertPrice")]
    base: Amount,
    #[serde(rename = "commonSANPrice")]
    names: Amount,
    #[serde(rename = "wildcardSANPrice")]
    wildcards: Amount,
}

impl<'a> PriceView<'a> {
    fn of(quote: &'a Quote, Term(years): Term) -> Self {
        Self {
            price: Amount(quote.total),
            currency: quote.total.currency.as_str(),
            term: i64::from(years),
            term_type: "year",
            price_breakdown: BreakdownView {
                base: Amount(quote.base),
                names: Amount(quote.names),
                wildcards: Amount(quote.wildcards),
            },
        }
    }
}

/// `GET /ssl/v2/products/pricing?productKey=&term=&commonSAN=&wildcardSAN=`
pub(crate) async fn pricing(
    State(app): State<App>,
    Caller(reseller): Caller,
    mut query: Query,
) -> Result<Envelope, WebnicError> {
    let key = query.require(Field::Product, text);
    let term = query.require(Field::Term, integer);
    let names = query.take(Field::NameCount, count);
    let wildcards = query.take(Field::WildcardCount, count);
    let (Some(key), Some(term), true) = (key, term, query.is_right()) else {
        return Err(query.refusal());
    };
    let asked = PriceAsked {
        term,
        names: names.unwrap_or_default(),
        wildcards: wildcards.unwrap_or_default(),
    };
    let quote = app.quote(&reseller, app.product(&key)?, asked)?;
    let years = u8::try_from(term).unwrap_or_default();
    Ok(Envelope::of(&PriceView::of(&quote, Term(years))))
}

#[cfg(test)]
mod tests {
    use chancery_app::parse_catalogue;

    use super::*;

    const CATALOGUE: &str = r#"
        [[product]]
        key = "ssl123"
        name = "SSL 123"
        provider = "Chancery"
        validation = "DV"
        further-names = true
        further-wildcards = true
        max-names = 5
        methods = ["dns", "file", "email"]
        price = [
            { currency = "USD", term = 1, base = "10", name = "10", wildcard = "20" },
            { currency = "USD", term = 2, base = "18", name = "18", wildcard = "36" },
        ]

        [[product]]
        key = "single"
        name = "Single"
        provider = "Chancery"
        validation = "OV"
        wildcard = true
        max-names = 1
        methods = ["dns"]
        price = [{ currency = "EUR", term = 1, base = "9.99" }]
    "#;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    #[test]
    fn a_product_has_the_keys_clients_read() {
        let catalogue = parse_catalogue(CATALOGUE).unwrap();
        let json =
            |key| serde_json::to_string(&ProductView::of(catalogue.product(key).unwrap())).unwrap();
        assert_eq!(
            json("ssl123"),
            concat!(
                r#"{"productKey":"ssl123","productName":"SSL 123","provider":"Chancery","#,
                r#""certType":"DV","validationType":"DV","wildcard":false,"allowSan":true,"#,
                r#""allowWsan":true,"allowWSan":true,"bundle":{"san":0,"wSan":0}}"#
            )
        );
        assert!(
            json("single").ends_with(r#""allowWSan":false,"bundle":{}}"#),
            "{}",
            json("single")
        );
    }

    #[test]
    fn only_what_can_be_bought_has_a_price() {
        let catalogue = parse_catalogue(CATALOGUE).unwrap();
        let price = |key| base_price(catalogue.product(key).unwrap(), usd());
        assert_eq!(price("ssl123").unwrap().to_string(), "10.00 USD");
        assert_eq!(price("single"), None);
    }

    #[test]
    fn the_rules_tell_terms_and_names() {
        let catalogue = parse_catalogue(CATALOGUE).unwrap();
        let view = RulesView::of(catalogue.product("ssl123").unwrap(), usd());
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            concat!(
                r#"{"productKey":"ssl123","rules":{"terms":[1,2],"minSan":0,"maxSan":4,"#,
                r#""wildcard":false,"allowSan":true,"allowWsan":true,"#,
                r#""authTypes":["email","dns","file"]}}"#
            )
        );
    }

    #[test]
    fn a_price_looks_as_documented() {
        let catalogue = parse_catalogue(CATALOGUE).unwrap();
        let quote = catalogue
            .product("ssl123")
            .unwrap()
            .quote(usd(), Term(1), 2, 1)
            .unwrap();
        assert_eq!(
            serde_json::to_string(&PriceView::of(&quote, Term(1))).unwrap(),
            concat!(
                r#"{"price":50.0,"currency":"USD","term":1,"termType":"year","#,
                r#""priceBreakdown":{"baseCertPrice":10.0,"commonSANPrice":20.0,"#,
                r#""wildcardSANPrice":20.0}}"#
            )
        );
    }
}
