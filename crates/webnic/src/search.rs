//! Searches: filters and a page in, a page and its counts out.
//!
//! The frame is the same for everything that can be searched; which fields there are is said by each
//! search. Filters all have to hold.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::body::{FromMembers, Members, integer, is_blank, number_or_text, text};
use crate::errors::{Obstacle, WebnicError};
use crate::words::{Fault, FaultKind};

/// The most items of a page, and how many one has unless asked otherwise.
pub(crate) const PAGE_SIZE_MAX: u32 = 500;

/// More filters than fields make no sense.
pub(crate) const FILTERS_MAX: usize = 20;

/// The longest value taken, in octets. Databases refuse to look for much longer ones.
pub(crate) const VALUE_MAX: usize = 1_000;

/// What is searched for.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) filters: Vec<Filter>,
    /// From 1.
    pub(crate) page: u32,
    pub(crate) page_size: u32,
    /// In which order; each search says by what it can be.
    pub(crate) sort: Option<Sort>,
}

/// An order that is asked for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Sort {
    pub(crate) field: String,
    pub(crate) is_ascending: bool,
}

/// One condition.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Its place, as faults name it: `filters[0]`.
    place: String,
    pub(crate) field: String,
    pub(crate) operator: Operator,
    pub(crate) value: String,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operator {
    Equal,
    /// It contains the value, in whatever case.
    Like,
}

impl FromMembers for Search {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        let mut faults = Faults::default();
        let filters = filters(body.take_value("filters"), &mut faults);
        let mut pagination = match body.take_value("pagination") {
            None => Members::default(),
            Some(Value::Object(members)) => members.into(),
            Some(_) => {
                faults.add("pagination", "Expected an object.");
                Members::default()
            }
        };
        let mut number = |key: &str, otherwise: u32| match pagination.take_value(key) {
            None => otherwise,
            Some(value) => {
                let number = integer(value).ok().and_then(|n| u32::try_from(n).ok());
                number.filter(|number| *number > 0).unwrap_or_else(|| {
                    faults.add(&format!("pagination.{key}"), "Expected an integer from 1.");
                    1
                })
            }
        };
        let page = number("page", 1);
        let page_size = number("pageSize", PAGE_SIZE_MAX).min(PAGE_SIZE_MAX);
        let sort = sort(body.take_value("sort"), &mut faults);
        faults.none_or_refusal()?;
        Ok(Self {
            filters,
            page,
            page_size,
            sort,
        })
    }
}

/// One order, or a list of one.
fn sort(value: Option<Value>, faults: &mut Faults) -> Option<Sort> {
    let one = match value? {
        Value::Array(mut items) if items.len() <= 1 => items.pop()?,
        other => other,
    };
    let Value::Object(members) = one else {
        faults.add("sort", "Expected an object.");
        return None;
    };
    let mut members = Members::from(members);
    let field = members.take_value("field").and_then(|v| text(v).ok());
    let is_ascending = match members.take_value("order").map(text) {
        None => Some(true),
        Some(Ok(word)) if word.trim().eq_ignore_ascii_case("ASC") => Some(true),
        Some(Ok(word)) if word.trim().eq_ignore_ascii_case("DESC") => Some(false),
        Some(_) => None,
    };
    if field.is_none() {
        faults.add("sort.field", "Expected a string.");
    }
    if is_ascending.is_none() {
        faults.add("sort.order", &acceptable(&["ASC", "DESC"]));
    }
    Some(Sort {
        field: field?,
        is_ascending: is_ascending?,
    })
}

fn filters(value: Option<Value>, faults: &mut Faults) -> Vec<Filter> {
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) if items.len() <= FILTERS_MAX => items
            .into_iter()
            .enumerate()
            .filter(|(_, item)| !says_nothing(item))
            .filter_map(|(at, item)| filter(format!("filters[{at}]"), item, faults))
            .collect(),
        Some(_) => {
            let wanted = format!("Expected an array of at most {FILTERS_MAX} objects.");
            faults.add("filters", &wanted);
            Vec::new()
        }
    }
}

/// Whether a filter was left empty in a form: it filters nothing.
fn says_nothing(item: &Value) -> bool {
    match item {
        Value::Object(members) => members.get("value").is_some_and(is_blank),
        item => is_blank(item),
    }
}

fn filter(place: String, item: Value, faults: &mut Faults) -> Option<Filter> {
    let Value::Object(members) = item else {
        faults.add(&place, "Expected an object.");
        return None;
    };
    let mut members = Members::from(members);
    let field = members.take_value("field").and_then(|v| text(v).ok());
    let operator = match members.take_value("operator").map(text) {
        None => Some(Operator::Equal),
        Some(Ok(word)) if word.eq_ignore_ascii_case("EQUAL") => Some(Operator::Equal),
        Some(Ok(word)) if word.eq_ignore_ascii_case("LIKE") => Some(Operator::Like),
        Some(_) => None,
    };
    let value = members
        .take_value("value")
        .and_then(|v| number_or_text(v).ok());
    if field.is_none() {
        faults.add(&format!("{place}.field"), "Expected a string.");
    }
    if operator.is_none() {
        let text = acceptable(&["EQUAL", "LIKE"]);
        faults.add(&format!("{place}.operator"), &text);
    }
    match &value {
        None => faults.add(&format!("{place}.value"), "Expected a string."),
        Some(text) if text.len() > VALUE_MAX => {
            let wanted = format!("Expected a string of at most {VALUE_MAX} octets.");
            faults.add(&format!("{place}.value"), &wanted);
        }
        Some(_) => {}
    }
    Some(Filter {
        place,
        field: field?,
        operator: operator?,
        value: value?,
    })
}

/// What was wrong with a search, told together.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, name: &str, text: &str) {
        self.0.push(Fault {
            name: name.to_owned().into(),
            text: format!("'{name}' is invalid. {text}"),
            kind: FaultKind::Form,
        });
    }

    /// The filter is on none of the fields there are.
    pub(crate) fn unknown_field(&mut self, filter: &Filter, fields: &[&str]) {
        self.add(&format!("{}.field", filter.place), &acceptable(fields));
    }

    /// The field cannot be compared like that.
    pub(crate) fn operator(&mut self, filter: &Filter) {
        self.add(
            &format!("{}.operator", filter.place),
            &acceptable(&["EQUAL"]),
        );
    }

    /// The list cannot be sorted by that.
    pub(crate) fn sort(&mut self, fields: &[&str]) {
        self.add("sort.field", &acceptable(fields));
    }

    /// The value is none of those that the field has.
    pub(crate) fn not_one_of(&mut self, filter: &Filter, words: &[&str]) {
        self.add(&format!("{}.value", filter.place), &acceptable(words));
    }

    /// The field is in another filter already.
    pub(crate) fn repeated_field(&mut self, filter: &Filter) {
        let text = "Expected one filter for each field.";
        self.add(&format!("{}.field", filter.place), text);
    }

    /// The value cannot be one of the field's.
    pub(crate) fn value(&mut self, filter: &Filter, wanted: &str) {
        self.add(
            &format!("{}.value", filter.place),
            &format!("Expected {wanted}."),
        );
    }

    pub(crate) fn none_or_refusal(self) -> Result<(), WebnicError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Obstacle::Faults(self.0).into())
        }
    }
}

fn acceptable(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("Acceptable values are {}.", words.join(", "))
}

/// A page of what was found, in the documented order of keys.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PageOf{T}")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageView<T> {
    /// How many items are on this page.
    page_size: usize,
    total_pages: u64,
    total_items: u64,
    items: Vec<T>,
    /// There where the search stopped before it had found all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

impl<T> PageView<T> {
    /// One page, of a size asked for, out of so many items.
    pub(crate) fn of(items: Vec<T>, page_size: u32, total: u64) -> Self {
        Self {
            page_size: items.len(),
            total_pages: total.div_ceil(u64::from(page_size)),
            total_items: total,
            items,
            partial: false,
        }
    }

    /// The same, if there may be more than so many items.
    pub(crate) fn partial(self, partial: bool) -> Self {
        Self { partial, ..self }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Search, WebnicError> {
        Search::from_members(Members::parse(body.to_string().as_bytes())?)
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let search = read(&json!({})).unwrap();
        assert!(search.filters.is_empty());
        assert_eq!((search.page, search.page_size), (1, PAGE_SIZE_MAX));
        let search = read(&json!({
            "filters": [{ "field": "company", "value": 5 }],
            "pagination": { "page": "2", "pageSize": 1000 }
        }))
        .unwrap();
        assert_eq!((search.page, search.page_size), (2, PAGE_SIZE_MAX));
        assert_eq!(search.filters[0].operator, Operator::Equal);
        assert_eq!(search.filters[0].value, "5");
    }

    #[test]
    fn an_order_is_asked_for_by_one_field() {
        let sort = |value: Value| read(&json!({ "sort": value })).unwrap().sort;
        let by = |is_ascending| Sort {
            field: "dtcreate".to_owned(),
            is_ascending,
        };
        assert_eq!(sort(json!({ "field": "dtcreate" })), Some(by(true)));
        let down = json!([{ "field": "dtcreate", "order": "desc" }]);
        assert_eq!(sort(down), Some(by(false)));
        assert_eq!(sort(json!([])), None);
        for wrong in [
            json!("x"),
            json!({ "order": "ASC" }),
            json!({ "field": "a", "order": "up" }),
        ] {
            assert!(read(&json!({ "sort": wrong })).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_filter_with_a_blank_value_is_none() {
        let blank = |value: Value| json!({ "field": "company", "operator": "?", "value": value });
        let search = read(&json!({
            "filters": [blank(json!("")), blank(Value::Null), "", { "field": "company", "value": "x" }],
        }));
        let filters = search.unwrap().filters;
        assert_eq!(filters.len(), 1);
        assert_eq!(filters[0].place, "filters[3]");
        assert!(read(&json!({ "filters": [{ "field": "company" }] })).is_err());
    }

    #[tokio::test]
    async fn every_fault_names_its_place() {
        let refusal = read(&json!({
            "filters": [
                { "field": "company", "operator": "like", "value": "x" },
                { "operator": "GREATER", "value": [] },
                { "field": "company", "operator": "LIKE", "value": "x".repeat(VALUE_MAX + 1) },
                "company"
            ],
            "pagination": { "page": 0, "pageSize": "many" }
        }));
        let body = refusal.unwrap_err().into_response().into_body();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let entries = body["validationErrors"].as_array().unwrap();
        let fields: Vec<&str> = entries
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        let expected = [
            "filters[1].field",
            "filters[1].operator",
            "filters[1].value",
            "filters[2].value",
            "filters[3]",
            "pagination.page",
            "pagination.pageSize",
        ];
        assert_eq!(fields, expected);
        assert_eq!(
            entries[1]["message"],
            "'filters[1].operator' is invalid. Acceptable values are 'EQUAL', 'LIKE'."
        );
    }

    #[test]
    fn a_page_counts_itself_and_all() {
        let page = PageView::of(vec![1, 2], 2, 5);
        assert_eq!(
            serde_json::to_string(&page).unwrap(),
            r#"{"pageSize":2,"totalPages":3,"totalItems":5,"items":[1,2]}"#
        );
        let empty = PageView::<i32>::of(vec![], 2, 0);
        assert_eq!(
            serde_json::to_string(&empty).unwrap(),
            r#"{"pageSize":0,"totalPages":0,"totalItems":0,"items":[]}"#
        );
        let partial = PageView::of(vec![1], 1, 1).partial(true);
        assert_eq!(
            serde_json::to_string(&partial).unwrap(),
            r#"{"pageSize":1,"totalPages":1,"totalItems":1,"items":[1],"partial":true}"#
        );
    }
}
