//! Products and prices.

use std::borrow::Cow;

use axum::extract::State;
use chancery_app::{App, Offer, PriceAsked};
use chancery_domain::authorizations::Method;
use chancery_domain::fields::Field;
use chancery_domain::prices::Quote;
use chancery_domain::products::{Companion, Product, Term};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::auth::Caller;
use crate::body::{count, integer, text};
use crate::envelope::Envelope;
use crate::errors::WebnicError;
use crate::query::Query;
use crate::scalars::Amount;
use crate::words::{METHODS, auth_type, auth_type_schema, wire_name};

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Product")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductView<'a> {
    product_key: &'a str,
    product_name: &'a str,
    provider: &'a str,
    #[schemars(extend("enum" = ["DV", "OV", "EV"]))]
    cert_type: &'static str,
    /// Some clients look here, and without it take every product for one that vets organizations.
    #[schemars(extend("enum" = ["DV", "OV", "EV"]))]
    validation_type: &'static str,
    /// Whether the common name may be a wildcard.
    wildcard: bool,
    /// Whether further names may be added.
    allow_san: bool,
    /// Whether further wildcards may be added.
    allow_wsan: bool,
    /// The documentation spells it so, the clients as above.
    #[serde(rename = "allowWSan")]
    allow_wsan_as_documented: bool,
    bundle: BundleView,
    /// Of the shortest term, in the reseller's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Amount>,
    /// The most further names, as the rules have it.
    max_san: u32,
    /// Which name comes along with the common name for nothing, where the same proof covers it: `www`, before it or
    /// without it; `bare`, the one that a wildcard is below.
    #[schemars(extend("enum" = ["www", "bare", null]))]
    companion: Option<&'static str>,
}

/// Further names within the base price; empty for a product of one name.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Bundle")]
#[serde(rename_all = "camelCase")]
pub(crate) struct BundleView {
    /// Names that are not wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    san: Option<u32>,
    /// Wildcards.
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
            max_san: product.max_further_names(),
            companion: product.companion.map(Companion::as_str),
        }
    }

    fn with_price(offer: &'a Offer<'_>) -> Self {
        Self {
            price: offer.prices.lowest().map(Amount),
            ..Self::of(offer.product)
        }
    }
}

/// `GET /ssl/v2/products/list`
pub(crate) async fn list(State(app): State<App>, Caller(_): Caller) -> Envelope {
    let views: Vec<ProductView<'_>> = app.products().map(ProductView::of).collect();
    Envelope::of(&views)
}

/// `GET /ssl/v2/products/list/price`
pub(crate) async fn list_with_prices(
    State(app): State<App>,
    Caller(reseller): Caller,
) -> Result<Envelope, WebnicError> {
    let mut offers = app.offers(&reseller).await?;
    // What cannot be bought has no price to show.
    offers.retain(|offer| offer.prices.lowest().is_some());
    let views: Vec<ProductView<'_>> = offers.iter().map(ProductView::with_price).collect();
    Ok(Envelope::of(&views))
}

/// `GET /ssl/v2/products/info?productKey=`
pub(crate) async fn info(
    State(app): State<App>,
    Caller(reseller): Caller,
    mut query: Query,
) -> Result<Envelope, WebnicError> {
    let Some(key) = query.require(Field::Product, text) else {
        return Err(query.refusal());
    };
    let offer = app.offer(&reseller, &key).await?;
    Ok(Envelope::of(&ProductView::with_price(&offer)))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ProductRules")]
#[serde(rename_all = "camelCase")]
pub(crate) struct RulesView<'a> {
    product_key: &'a str,
    rules: Rules,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rules {
    /// In years.
    terms: Vec<u8>,
    min_san: u32,
    /// The most further names.
    max_san: u32,
    wildcard: bool,
    allow_san: bool,
    allow_wsan: bool,
    #[schemars(schema_with = "auth_types_schema")]
    auth_types: Vec<&'static str>,
    /// Those of them that prove wildcard names.
    #[schemars(schema_with = "auth_types_schema")]
    wildcard_auth_types: Vec<&'static str>,
    /// What an order has to have.
    required_fields: Vec<Cow<'static, str>>,
    /// So many days before the end of its term an order can be renewed for the first time.
    renewal_days: u32,
}

fn auth_types_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": auth_type_schema(generator) })
}

impl<'a> RulesView<'a> {
    fn of(offer: &Offer<'a>) -> Self {
        let product = offer.product;
        let offered = |method: &Method| offer.methods.contains(method);
        let words = |methods: &[Method]| methods.iter().copied().map(auth_type).collect();
        let methods: Vec<Method> = METHODS.into_iter().filter(offered).collect();
        let mut of_wildcards = methods.clone();
        of_wildcards.retain(|method| method.covers_subdomains());
        let required = product.required_fields().into_iter();
        Self {
            product_key: &product.key,
            rules: Rules {
                terms: offer.prices.terms().map(|term| term.0).collect(),
                min_san: 0,
                max_san: product.max_further_names(),
                wildcard: product.wildcard,
                allow_san: product.further_names,
                allow_wsan: product.further_wildcards,
                auth_types: words(&methods),
                wildcard_auth_types: words(&of_wildcards),
                required_fields: required.map(wire_name).collect(),
                renewal_days: product.renewal_days,
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
    let offer = app.offer(&reseller, &key).await?;
    Ok(Envelope::of(&RulesView::of(&offer)))
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Price")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PriceView<'a> {
    price: Amount,
    currency: &'a str,
    term: i64,
    term_type: &'static str,
    price_breakdown: BreakdownView,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PriceBreakdown")]
pub(crate) struct BreakdownView {
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
    let quote = app.quote(&reseller, &key, asked).await?;
    let years = u8::try_from(term).unwrap_or_default();
    Ok(Envelope::of(&PriceView::of(&quote, Term(years))))
}

#[cfg(test)]
mod tests {
    use chancery_app::parse_catalogue;
    use chancery_domain::Timestamp;
    use chancery_domain::catalogue::Catalogue;
    use chancery_domain::money::Currency;
    use chancery_domain::prices::PriceList;
    use chancery_domain::validity::ValidityRules;

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
        companion = "bare"
        methods = ["dns"]
        price = [{ currency = "EUR", term = 1, base = "9.99" }]
    "#;

    fn offer<'a>(catalogue: &'a Catalogue, key: &str) -> Offer<'a> {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let product = catalogue.product(key).unwrap();
        Offer {
            product,
            prices: PriceList::new(product, Currency::parse("USD").unwrap(), &[], now),
            methods: product.offered_methods(&ValidityRules::default(), now),
        }
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
                r#""allowWsan":true,"allowWSan":true,"bundle":{"san":0,"wSan":0},"maxSan":4,"companion":null}"#
            )
        );
        assert!(
            json("single")
                .ends_with(r#""allowWSan":false,"bundle":{},"maxSan":0,"companion":"bare"}"#),
            "{}",
            json("single")
        );
    }

    #[test]
    fn only_what_can_be_bought_has_a_price() {
        let catalogue = parse_catalogue(CATALOGUE).unwrap();
        let price = |key| {
            let view = serde_json::to_value(ProductView::with_price(&offer(&catalogue, key)));
            view.unwrap().get("price").map(ToString::to_string)
        };
        assert_eq!(price("ssl123").as_deref(), Some("10.0"));
        assert_eq!(price("single"), None);
    }

    #[test]
    fn the_rules_tell_terms_names_methods_and_fields() {
        let catalogue = parse_catalogue(CATALOGUE).unwrap();
        let offer = offer(&catalogue, "ssl123");
        let view = RulesView::of(&offer);
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            concat!(
                r#"{"productKey":"ssl123","rules":{"terms":[1,2],"minSan":0,"maxSan":4,"#,
                r#""wildcard":false,"allowSan":true,"allowWsan":true,"#,
                r#""authTypes":["email","dns","file"],"wildcardAuthTypes":["email","dns"],"#,
                r#""requiredFields":["productKey","term","csr","authType","administratorContactId"],"renewalDays":90}}"#
            )
        );
    }

    #[test]
    fn a_price_looks_as_documented() {
        let catalogue = parse_catalogue(CATALOGUE).unwrap();
        let prices = offer(&catalogue, "ssl123").prices;
        let quote = prices.quote(Term(1), 2, 1).unwrap();
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
