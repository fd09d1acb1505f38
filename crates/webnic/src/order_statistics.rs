//! How many orders there are, and how many were placed in each month.

use axum::extract::State;
use chancery_app::{App, MonthCount, OrderStatistics};
use chancery_domain::months::Month;
use chancery_domain::stages::Stage;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Caller;
use crate::envelope::Envelope;
use crate::errors::{Obstacle, WebnicError};
use crate::query::Query;
use crate::words::{Fault, FaultKind};

/// The numbers. Each order is in `total` and in one other; `totalExpiring` and `totalLapsed` count some again.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "OrderStatistics")]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatisticsView {
    total: u64,
    total_active: u64,
    total_expired: u64,
    total_expiring: u64,
    total_pending: u64,
    total_cancelled: u64,
    total_refunded: u64,
    total_rejected: u64,
    total_revoked: u64,
    total_lapsed: u64,
}

/// All of them, or the one that is asked for.
#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
#[serde(untagged)]
pub(crate) enum Statistics {
    All(StatisticsView),
    One(u64),
}

impl StatisticsView {
    fn of(counted: &OrderStatistics) -> Self {
        use Stage::{
            Active, Cancelled, Expired, Issuing, Lapsed, Placed, Refunded, Refused, Reissuing,
            Revoked, Validating, ValidationExpired,
        };
        let of = |stages: &[Stage]| counted.in_stages(stages);
        Self {
            total: of(&Stage::ALL),
            total_active: of(&[Active, Reissuing]),
            total_expired: of(&[Expired, ValidationExpired, Lapsed]),
            total_expiring: counted.ending,
            total_pending: of(&[Placed, Validating, Issuing]),
            total_cancelled: of(&[Cancelled]),
            total_refunded: of(&[Refunded]),
            total_rejected: of(&[Refused]),
            total_revoked: of(&[Revoked]),
            total_lapsed: of(&[Lapsed]),
        }
    }

    /// A number by its name: `totalActive`, or `active` for short.
    fn number(&self, asked: &str) -> Option<u64> {
        let numbers = serde_json::to_value(self).ok()?;
        let (_, number) = numbers.as_object()?.iter().find(|(name, _)| {
            let short = name.strip_prefix("total").unwrap_or(name);
            name.eq_ignore_ascii_case(asked)
                || short.eq_ignore_ascii_case(asked) && !short.is_empty()
        })?;
        number.as_u64()
    }
}

/// The names of the numbers.
pub(crate) fn names() -> Vec<String> {
    let nothing = OrderStatistics {
        by_stage: Vec::new(),
        ending: 0,
    };
    let numbers = serde_json::to_value(StatisticsView::of(&nothing)).unwrap_or_default();
    let numbers = numbers.as_object().into_iter().flatten();
    numbers.map(|(name, _)| name.clone()).collect()
}

/// `GET /ssl/v2/orders/statistics?type=`
pub(crate) async fn show(
    State(app): State<App>,
    Caller(reseller): Caller,
    query: Query,
) -> Result<Envelope, WebnicError> {
    let numbers = StatisticsView::of(&app.order_statistics(&reseller).await?);
    let Some(asked) = query.word("type") else {
        return Ok(Envelope::of(&Statistics::All(numbers)));
    };
    match numbers.number(asked.trim()) {
        Some(number) => Ok(Envelope::of(&Statistics::One(number))),
        None => {
            let names: Vec<String> = names().iter().map(|name| format!("'{name}'")).collect();
            let text = format!("Acceptable values are {}.", names.join(", "));
            Err(refusal(vec![fault("type", &text)]))
        }
    }
}

/// How many months are told unless asked otherwise, and at most.
const MONTHS: u32 = 12;
const MONTHS_MAX: u32 = 120;

/// Which months, and which product.
#[derive(Debug, Eq, PartialEq)]
struct GraphAsked {
    first: Month,
    last: Month,
    product: Option<String>,
}

impl GraphAsked {
    fn read(query: &Query, this: Month) -> Result<Self, WebnicError> {
        let mut faults = Vec::new();
        let mut month = |name: &'static str| {
            let text = query.word(name)?;
            let month = Month::parse(text.trim());
            if month.is_none() {
                faults.push(fault(name, "Expected a month like '2026-11'."));
            }
            month
        };
        let (from, to) = (month("from"), month("to"));
        let mut asked = Self {
            first: this,
            last: to.unwrap_or(this),
            product: query.word("productKey"),
        };
        asked.first = from.unwrap_or(asked.last.back(MONTHS - 1));
        if let Some(text) = query.word("year") {
            let year = text.trim().parse().ok();
            let year = year.and_then(|year| Month::new(year, 1).zip(Month::new(year, 12)));
            match year {
                Some((first, last)) => (asked.first, asked.last) = (first, last),
                None => faults.push(fault("year", "Expected a year like '2026'.")),
            }
            if from.or(to).is_some() {
                faults.push(fault("year", "Expected either a year or months."));
            }
        }
        if faults.is_empty() && asked.first > asked.last {
            faults.push(fault("from", "Expected a month not after 'to'."));
        }
        if faults.is_empty() && asked.last.number() - asked.first.number() >= MONTHS_MAX {
            faults.push(fault(
                "from",
                &format!("Expected at most {MONTHS_MAX} months."),
            ));
        }
        match faults.is_empty() {
            true => Ok(asked),
            false => Err(refusal(faults)),
        }
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "OrdersOfMonth")]
pub(crate) struct MonthView<'a> {
    month: String,
    total: u64,
    products: Vec<ProductView<'a>>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "OrdersOfProduct")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductView<'a> {
    product_key: &'a str,
    total: u64,
}

/// `GET /ssl/v2/orders/statistics/graph?year=&from=&to=&productKey=`
pub(crate) async fn graph(
    State(app): State<App>,
    Caller(reseller): Caller,
    query: Query,
) -> Result<Envelope, WebnicError> {
    let asked = GraphAsked::read(&query, Month::of(app.now()))?;
    let counts = app
        .orders_by_month(&reseller, asked.first, asked.last)
        .await?;
    Ok(Envelope::of(&months(&asked, &counts)))
}

/// Every month, those without orders among them.
fn months<'a>(asked: &GraphAsked, counts: &'a [MonthCount]) -> Vec<MonthView<'a>> {
    let is_asked = |key: &str| {
        asked
            .product
            .as_deref()
            .is_none_or(|asked| asked.trim() == key)
    };
    let view = |month: Month| {
        let counts = counts.iter().filter(|count| count.month == month);
        let products: Vec<ProductView<'a>> = counts
            .filter(|count| is_asked(&count.product_key))
            .map(|count| ProductView {
                product_key: &count.product_key,
                total: count.orders,
            })
            .collect();
        MonthView {
            month: month.to_string(),
            total: products.iter().map(|product| product.total).sum(),
            products,
        }
    };
    asked.first.up_to(asked.last).map(view).collect()
}

fn fault(name: &'static str, text: &str) -> Fault {
    Fault {
        name: name.into(),
        text: format!("'{name}' is invalid. {text}"),
        kind: FaultKind::Form,
    }
}

fn refusal(faults: Vec<Fault>) -> WebnicError {
    Obstacle::Faults(faults).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::tests::query;

    #[test]
    fn every_stage_is_counted_once() {
        let by_stage: Vec<(Stage, u64)> = Stage::ALL.into_iter().zip(1..).collect();
        let counted = OrderStatistics {
            by_stage,
            ending: 5,
        };
        let numbers = StatisticsView::of(&counted);
        let text = serde_json::to_string(&numbers).unwrap();
        let expected = concat!(
            r#"{"total":78,"totalActive":9,"totalExpired":23,"totalExpiring":5,"totalPending":6,"#,
            r#""totalCancelled":10,"totalRefunded":11,"totalRejected":12,"totalRevoked":7,"totalLapsed":6}"#
        );
        assert_eq!(text, expected);
        assert_eq!(numbers.number("active"), Some(9));
        assert_eq!(numbers.number("TotalActive"), Some(9));
        assert_eq!(numbers.number("total"), Some(78));
        assert_eq!(numbers.number("all"), None);
        assert_eq!(names().len(), 10);
    }

    #[test]
    fn months_are_asked_for_by_year_or_by_ends() {
        let read = |text: &'static str| {
            let asked = GraphAsked::read(&query(text), Month::parse("2026-11").unwrap());
            asked.map(|asked| format!("{} {} {:?}", asked.first, asked.last, asked.product))
        };
        let is = |text, expected: &str| assert_eq!(read(text).unwrap(), expected);
        is("/x", "2025-12 2026-11 None");
        is(
            "/x?year=2024&productKey=ssl123",
            "2024-01 2024-12 Some(\"ssl123\")",
        );
        is("/x?from=2020-01", "2020-01 2026-11 None");
        is("/x?to=2020-01", "2019-02 2020-01 None");
        is("/x?from=2020-01&to=2020-01", "2020-01 2020-01 None");
        for wrong in [
            "/x?year=20x",
            "/x?year=0",
            "/x?from=2020-1",
            "/x?to=2020",
            "/x?from=2020-02&to=2020-01",
            "/x?from=2010-01&to=2020-01",
            "/x?from=2027-01",
            "/x?year=2020&from=2020-01",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn months_without_orders_are_told_too() {
        let month = |text| Month::parse(text).unwrap();
        let count = |text, key: &str, orders| MonthCount {
            month: month(text),
            product_key: key.to_owned(),
            orders,
        };
        let counts = [
            count("2026-01", "rapidssl", 2),
            count("2026-01", "ssl123", 3),
            count("2026-03", "ssl123", 1),
        ];
        let mut asked = GraphAsked {
            first: month("2026-01"),
            last: month("2026-03"),
            product: None,
        };
        let text = |asked: &GraphAsked| serde_json::to_string(&months(asked, &counts)).unwrap();
        let expected = concat!(
            r#"[{"month":"2026-01","total":5,"products":[{"productKey":"rapidssl","total":2},"#,
            r#"{"productKey":"ssl123","total":3}]},{"month":"2026-02","total":0,"products":[]},"#,
            r#"{"month":"2026-03","total":1,"products":[{"productKey":"ssl123","total":1}]}]"#
        );
        assert_eq!(text(&asked), expected);
        asked.product = Some("rapidssl".to_owned());
        asked.last = month("2026-01");
        let expected =
            r#"[{"month":"2026-01","total":2,"products":[{"productKey":"rapidssl","total":2}]}]"#;
        assert_eq!(text(&asked), expected);
    }
}
