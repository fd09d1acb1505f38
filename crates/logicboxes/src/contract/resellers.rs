//! The reseller itself.

use serde_json::{Value as Json, json};

use super::{Kind, Operation, optional, texts};

pub(crate) const DETAILS: Operation = Operation::new(
    "LogicBoxes: resellers",
    "logicboxesResellersDetails",
    "Details of the reseller",
    "Name, company, address of its pages and currency of the reseller that asks.",
    details,
    example,
)
.takes(&[optional(
    "reseller-id",
    Kind::Integer,
    "Its number; no other reseller's is answered.",
)]);

fn details() -> Json {
    texts(
        &[
            "resellerid",
            "parentid",
            "username",
            "useremail",
            "name",
            "company",
            "brandname",
            "brandingurl",
            "resellerstatus",
            "creationdt",
            "sellingcurrencysymbol",
            "accountingcurrencysymbol",
            "parentsellingcurrencysymbol",
        ],
        &[],
    )
}

fn example() -> Json {
    json!({
        "resellerid": "2001", "parentid": "0", "username": "panel@panel.example",
        "useremail": "panel@panel.example", "name": "Panel Ltd", "company": "Panel Ltd",
        "brandname": "Panel Ltd", "brandingurl": "https://panel.example", "resellerstatus": "Active",
        "creationdt": "1809336600", "sellingcurrencysymbol": "USD", "accountingcurrencysymbol": "USD",
        "parentsellingcurrencysymbol": "USD",
    })
}
