//! Products and prices.

use serde_json::{Value, json};

use super::{Operation, Parameter};
use crate::products::{PriceView, ProductView, RulesView};

const TAG: &str = "Products";
const PRODUCT: &[Parameter] = &[("productKey", true)];

/// Without its price, as the list has it.
fn a_product() -> Value {
    json!({
        "productKey": "ssl123",
        "productName": "SSL 123",
        "provider": "Chancery",
        "certType": "DV",
        "validationType": "DV",
        "wildcard": false,
        "allowSan": true,
        "allowWsan": true,
        "allowWSan": true,
        "bundle": { "san": 0, "wSan": 0 },
        "maxSan": 4,
        "companion": null,
    })
}

fn with_price() -> Value {
    let mut product = a_product();
    product["price"] = json!(10.0);
    product
}

pub(crate) const LIST: Operation = Operation::new(
    TAG,
    "listProducts",
    "Product list",
    "All products, whether or not they have a price in the reseller's currency.",
)
.answers::<Vec<ProductView<'static>>>(|| json!([a_product()]));

pub(crate) const LIST_WITH_PRICES: Operation = Operation::new(
    TAG,
    "listProductsWithPrices",
    "Product list with prices",
    "What has a price in the reseller's currency, with that of the shortest term.",
)
.answers::<Vec<ProductView<'static>>>(|| json!([with_price()]));

pub(crate) const INFO: Operation = Operation::new(
    TAG,
    "getProduct",
    "Product info",
    "With the price of the shortest term, where there is one.",
)
.query(PRODUCT)
.answers::<ProductView<'static>>(with_price);

pub(crate) const RULES: Operation = Operation::new(
    TAG,
    "getProductRules",
    "SSL rules",
    "Which terms, names, ways of validation and members an order of the product may have.",
)
.query(PRODUCT)
.answers::<RulesView<'static>>(|| {
    json!({
        "productKey": "ssl123",
        "rules": {
            "terms": [1, 2],
            "minSan": 0,
            "maxSan": 4,
            "wildcard": false,
            "allowSan": true,
            "allowWsan": true,
            "authTypes": ["email", "dns", "file"],
            "wildcardAuthTypes": ["email", "dns"],
            "requiredFields": ["productKey", "term", "csr", "authType", "administratorContactId"],
            "renewalDays": 90,
        },
    })
});

pub(crate) const PRICING: Operation = Operation::new(
    TAG,
    "getProductPrice",
    "Product price",
    "What an order would cost. Names within the base price are not counted.",
)
.query(&[
    ("productKey", true),
    ("term", true),
    ("commonSAN", false),
    ("wildcardSAN", false),
])
.answers::<PriceView<'static>>(|| {
    json!({
        "price": 50.0,
        "currency": "USD",
        "term": 1,
        "termType": "year",
        "priceBreakdown": {
            "baseCertPrice": 10.0,
            "commonSANPrice": 20.0,
            "wildcardSANPrice": 20.0,
        },
    })
});
