//! Searches for orders.

use std::collections::BTreeSet;

use axum::extract::State;
use chancery_app::{App, OrderFilter, OrderLine, SortedBy, Sorting, TextFilter};
use chancery_domain::names::{DomainName, as_read};
use chancery_domain::orders::OrderId;
use chancery_domain::organizations::OrganizationId;
use chancery_domain::products::Product;
use chancery_domain::stages::Stage;
use chancery_domain::{SignedDuration, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Caller;
use crate::body::OptionalBody;
use crate::envelope::Envelope;
use crate::errors::WebnicError;
use crate::scalars::{Moment, Quoted, parse_digits};
use crate::search::{Faults, Filter, Operator, PageView, Search};
use crate::status::{CERT_STATUSES, CertStatus, ORDER_STATUSES, OrderStatus, Statuses, of_stage};

/// What is told of each order, in the documented order of keys.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "OrderLine")]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineView<'a> {
    order_id: Quoted<OrderId>,
    common_name: &'a str,
    term: Quoted<u8>,
    order_status: OrderStatus,
    cert_status: CertStatus,
    product: &'a str,
    dtcreate: Moment,
    dtorderexpire: Option<Moment>,
    dtcertexpire: Option<Moment>,
    email: Option<&'a str>,
    company: Option<&'a str>,
}

impl<'a> LineView<'a> {
    fn of(line: &'a OrderLine) -> Self {
        let Statuses { order, cert } = of_stage(line.stage);
        let administrator = line.administrator.as_ref();
        Self {
            order_id: Quoted(line.id),
            common_name: &line.common_name,
            term: Quoted(line.term.0),
            order_status: order,
            cert_status: cert,
            product: &line.product_name,
            dtcreate: Moment(line.created_at),
            dtorderexpire: line.expires_at.map(Moment),
            dtcertexpire: line.certificate_expires_at.map(Moment),
            email: administrator.map(|details| &details.email[..]),
            company: administrator.map(|details| &details.company[..]),
        }
    }
}

/// `POST /ssl/v2/orders/search`
pub(crate) async fn search(
    State(app): State<App>,
    Caller(reseller): Caller,
    OptionalBody(search): OptionalBody<Search>,
) -> Result<Envelope, WebnicError> {
    let filter = order_filter(&search, app.products())?;
    let found = app
        .search_orders(&reseller, &filter, search.page, search.page_size)
        .await?;
    let items = found.lines.iter().map(LineView::of).collect();
    let page = PageView::of(items, search.page_size, found.total);
    Ok(Envelope::of(&page.partial(!found.is_complete)))
}

/// What orders are searched by.
const FIELDS: [&str; 14] = [
    "orderId",
    "commonName",
    "name",
    "email",
    "company",
    "orderStatus",
    "certStatus",
    "productKey",
    "product",
    "dtcreateFrom",
    "dtcreateTo",
    "dtcertexpireFrom",
    "dtcertexpireTo",
    "organizationId",
];

/// What orders are sorted by.
pub(crate) const SORTED_BY: [&str; 4] = ["dtcreate", "dtorderexpire", "dtcertexpire", "commonName"];

/// What is said of a value that is no time.
const TIME: &str = "a date like '2026-11-22' or a time like '2026-11-22T10:30:00Z'";

fn order_filter<'a>(
    search: &Search,
    products: impl Iterator<Item = &'a Product>,
) -> Result<OrderFilter, WebnicError> {
    let products: Vec<&Product> = products.collect();
    let mut wanted = OrderFilter::default();
    let mut faults = Faults::default();
    let mut seen = BTreeSet::new();
    for filter in &search.filters {
        let Some(field) = FIELDS.into_iter().find(|field| *field == filter.field) else {
            faults.unknown_field(filter, &FIELDS);
            continue;
        };
        if !seen.insert(field) {
            faults.repeated_field(filter);
            continue;
        }
        let takes_like = matches!(
            field,
            "commonName" | "name" | "email" | "company" | "productKey" | "product"
        );
        if filter.operator == Operator::Like && !takes_like {
            faults.operator(filter);
            continue;
        }
        match field {
            "orderId" => match numbers(&filter.value) {
                Some(ids) => wanted.ids = Some(ids.into_iter().map(OrderId).collect()),
                None => faults.value(
                    filter,
                    "an order number, or several with commas between them",
                ),
            },
            "commonName" => wanted.common_name = Some(common_name(filter)),
            "name" => wanted.any_name = Some(common_name(filter)),
            "email" => wanted.email = Some(plain(filter)),
            "company" => wanted.company = Some(plain(filter)),
            "orderStatus" => {
                let words = listed(filter, &ORDER_STATUSES, &mut faults);
                limit(
                    &mut wanted.stages,
                    with(&words, |pair| pair.order.to_string()),
                );
            }
            "certStatus" => {
                let words = listed(filter, &CERT_STATUSES, &mut faults);
                limit(
                    &mut wanted.stages,
                    with(&words, |pair| pair.cert.to_string()),
                );
            }
            "productKey" | "product" => {
                let keys = product_keys(filter, field == "product", &products);
                limit(&mut wanted.products, keys);
            }
            "dtcreateFrom" => match moment(&filter.value) {
                Some((first, _)) => wanted.placed_from = Some(first),
                None => faults.value(filter, TIME),
            },
            "dtcreateTo" => match moment(&filter.value) {
                Some((_, after)) => wanted.placed_before = Some(after),
                None => faults.value(filter, TIME),
            },
            "dtcertexpireFrom" => match moment(&filter.value) {
                Some((first, _)) => wanted.certificate_ends_from = Some(first),
                None => faults.value(filter, TIME),
            },
            "dtcertexpireTo" => match moment(&filter.value) {
                Some((_, after)) => wanted.certificate_ends_before = Some(after),
                None => faults.value(filter, TIME),
            },
            _ => match parse_digits(filter.value.trim()) {
                Some(id) => wanted.organization = Some(OrganizationId(id)),
                None => faults.value(filter, "an integer"),
            },
        }
    }
    if let Some(sort) = &search.sort {
        let by = match &sort.field[..] {
            "dtcreate" => Some(SortedBy::Placed),
            "dtorderexpire" => Some(SortedBy::TermEnd),
            "dtcertexpire" => Some(SortedBy::CertificateEnd),
            "commonName" => Some(SortedBy::CommonName),
            _ => None,
        };
        match by {
            Some(by) => {
                wanted.sorting = Sorting {
                    by,
                    is_ascending: sort.is_ascending,
                };
            }
            None => faults.sort(&SORTED_BY),
        }
    }
    faults.none_or_refusal()?;
    Ok(wanted)
}

/// The numbers of a list, if they are such.
fn numbers(list: &str) -> Option<Vec<i64>> {
    let numbers: Option<Vec<i64>> = entries(list).map(parse_digits).collect();
    numbers.filter(|numbers| !numbers.is_empty())
}

/// A text that is compared without regard to case.
fn plain(filter: &Filter) -> TextFilter {
    let text = filter.value.trim().to_lowercase();
    match filter.operator {
        Operator::Equal => TextFilter::Equal(text),
        Operator::Like => TextFilter::Contains(text),
    }
}

/// Lets only those through that another filter lets through as well.
fn limit<T: Ord>(set: &mut Option<BTreeSet<T>>, mut to: BTreeSet<T>) {
    if let Some(before) = set.take() {
        to.retain(|one| before.contains(one));
    }
    *set = Some(to);
}

/// Names are on record in lower case and in ASCII; parts of them in other letters are looked for in what people read.
fn common_name(filter: &Filter) -> TextFilter {
    let text = filter.value.trim();
    match filter.operator {
        Operator::Equal => TextFilter::Equal(match DomainName::parse(text) {
            Ok(name) => name.to_string(),
            Err(_) => text.to_lowercase(),
        }),
        Operator::Like if text.is_ascii() => TextFilter::Contains(text.to_lowercase()),
        Operator::Like => TextFilter::Contains(as_read(text)),
    }
}

/// What stands between the commas of a list, where there is something.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// The words of a list that the field has, in capitals.
fn listed(filter: &Filter, known: &[&str], faults: &mut Faults) -> Vec<String> {
    let words = entries(&filter.value).map(str::to_uppercase);
    let words: Vec<String> = words.collect();
    if words.iter().any(|word| !known.contains(&&word[..])) {
        faults.not_one_of(filter, known);
    }
    words
}

/// The stages that show as one of some words.
fn with(words: &[String], shown: impl Fn(Statuses) -> String) -> BTreeSet<Stage> {
    let is_wanted = |stage: &Stage| words.contains(&shown(of_stage(*stage)));
    Stage::ALL.into_iter().filter(is_wanted).collect()
}

/// The keys of the products that are meant, by key or by name. A key may be one that is not sold any more.
fn product_keys(filter: &Filter, by_name: bool, products: &[&Product]) -> BTreeSet<String> {
    let value = filter.value.trim().to_lowercase();
    if filter.operator == Operator::Equal && !by_name {
        return entries(&filter.value).map(str::to_owned).collect();
    }
    let is_meant = |product: &&&Product| {
        let text = if by_name { &product.name } else { &product.key };
        match filter.operator {
            Operator::Equal => text.to_lowercase() == value,
            Operator::Like => text.to_lowercase().contains(&value),
        }
    };
    let meant = products.iter().filter(is_meant);
    meant.map(|product| product.key.clone()).collect()
}

/// When a date or a second begins, and when the next one does.
fn moment(text: &str) -> Option<(Timestamp, Timestamp)> {
    let text = text.trim();
    if text.len() == 10 {
        let date: Date = text.parse().ok()?;
        let begin = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
        return Some((begin(date)?, begin(date.tomorrow().ok()?)?));
    }
    let at: Timestamp = text.parse().ok()?;
    let second = Timestamp::from_second(at.as_second()).ok()?;
    Some((at, second.checked_add(SignedDuration::from_secs(1)).ok()?))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use chancery_app::built_in_catalogue;
    use serde_json::{Value, json};

    use super::*;
    use crate::body::{FromMembers, Members};

    fn filter(filters: &Value) -> Result<OrderFilter, WebnicError> {
        let body = json!({ "filters": filters }).to_string();
        let search = Search::from_members(Members::parse(body.as_bytes())?)?;
        order_filter(&search, built_in_catalogue().products())
    }

    fn stages(field: &str, value: &str) -> Vec<Stage> {
        let filter = filter(&json!([{ "field": field, "operator": "EQUAL", "value": value }]));
        filter.unwrap().stages.unwrap().into_iter().collect()
    }

    #[test]
    fn statuses_stand_for_stages() {
        assert_eq!(stages("orderStatus", "PENDING"), [Stage::Placed]);
        assert_eq!(
            stages("orderStatus", "completed"),
            [Stage::Active, Stage::Revoked]
        );
        assert_eq!(
            stages("orderStatus", "EXPIRED, ,CANCELLED,"),
            [
                Stage::Lapsed,
                Stage::Expired,
                Stage::ValidationExpired,
                Stage::Cancelled
            ]
        );
        assert_eq!(stages("orderStatus", "INITIAL"), []);
        assert_eq!(
            stages("certStatus", "INITIAL"),
            [Stage::Placed, Stage::Validating, Stage::Issuing]
        );
        let both = filter(&json!([
            { "field": "orderStatus", "value": "COMPLETED" },
            { "field": "certStatus", "value": "REVOKED,FAILED" },
        ]));
        assert_eq!(both.unwrap().stages, Some(BTreeSet::from([Stage::Revoked])));
    }

    #[test]
    fn names_are_compared_as_they_are_kept() {
        let name = |operator: &str, value: &str| {
            let one = json!([{ "field": "commonName", "operator": operator, "value": value }]);
            filter(&one).unwrap().common_name.unwrap()
        };
        let equal = |text: &str| TextFilter::Equal(text.to_owned());
        let contains = |text: &str| TextFilter::Contains(text.to_owned());
        assert_eq!(
            name("EQUAL", " WWW.Shop.example. "),
            equal("www.shop.example")
        );
        assert_eq!(name("EQUAL", "käse.example"), equal("xn--kse-qla.example"));
        assert_eq!(name("EQUAL", "no name!"), equal("no name!"));
        assert_eq!(name("LIKE", "Shop.EXAMPLE."), contains("shop.example."));
        assert_eq!(name("LIKE", "100%_"), contains("100%_"));
        assert_eq!(name("LIKE", "KÄSE.example"), contains("käse.example"));
    }

    #[test]
    fn days_and_seconds_are_inclusive() {
        let wanted = filter(&json!([
            { "field": "dtcreateFrom", "value": "2026-02-28" },
            { "field": "dtcreateTo", "value": "2026-02-28" },
        ]));
        let wanted = wanted.unwrap();
        assert_eq!(wanted.placed_from, "2026-02-28T00:00:00Z".parse().ok());
        assert_eq!(wanted.placed_before, "2026-03-01T00:00:00Z".parse().ok());
        let wanted = filter(&json!([
            { "field": "dtcreateFrom", "value": "2026-02-28T10:00:00+08:00" },
            { "field": "dtcreateTo", "value": "2026-02-28T10:00:00.5Z" },
        ]));
        let wanted = wanted.unwrap();
        assert_eq!(wanted.placed_from, "2026-02-28T02:00:00Z".parse().ok());
        assert_eq!(wanted.placed_before, "2026-02-28T10:00:01Z".parse().ok());
    }

    #[test]
    fn products_are_meant_by_key_or_name() {
        let keys = |filters: &Value| {
            let keys = filter(filters).unwrap().products.unwrap();
            keys.into_iter().collect::<Vec<String>>()
        };
        let catalogue = built_in_catalogue();
        let ssl123 = catalogue.product("ssl123").unwrap();
        let by_name = json!([{ "field": "product", "value": ssl123.name.to_uppercase() }]);
        assert_eq!(keys(&by_name), ["ssl123"]);
        let listed = json!([{ "field": "productKey", "value": "ssl123, gone" }]);
        assert_eq!(keys(&listed), ["gone", "ssl123"]);
        let part = json!([{ "field": "productKey", "operator": "LIKE", "value": "SSL123" }]);
        assert!(keys(&part).contains(&"ssl123".to_owned()));
        let both = json!([
            { "field": "product", "value": ssl123.name },
            { "field": "productKey", "value": "another" },
        ]);
        assert!(keys(&both).is_empty());
    }

    #[tokio::test]
    async fn every_fault_is_told_with_its_place() {
        let refusal = filter(&json!([
            { "field": "city", "value": "x" },
            { "field": "orderStatus", "value": "DONE" },
            { "field": "certStatus", "operator": "LIKE", "value": "ACTIVE" },
            { "field": "dtcreateFrom", "value": "yesterday" },
            { "field": "organizationId", "value": "x" },
            { "field": "commonName", "value": "a.example" },
            { "field": "commonName", "value": "b.example" },
        ]));
        let body = refusal.unwrap_err().into_response().into_body();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let told: Vec<String> = body["validationErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect();
        let begins = [
            "'filters[0].field' is invalid. Acceptable values are 'orderId', ",
            "'filters[1].value' is invalid. Acceptable values are 'REJECTED', ",
            "'filters[2].operator' is invalid. Acceptable values are 'EQUAL'.",
            "'filters[3].value' is invalid. Expected a date like '2026-11-22' or ",
            "'filters[4].value' is invalid. Expected an integer.",
            "'filters[6].field' is invalid. Expected one filter for each field.",
        ];
        assert_eq!(told.len(), begins.len(), "{told:#?}");
        for (text, begin) in told.iter().zip(begins) {
            assert!(text.starts_with(begin), "{text}");
        }
    }
}
