//! Searches for customers of a reseller: pages of a list, the oldest first.
//!
//! A list filtered by texts comes from their index, up to [`LOOKED_AT_MOST`] of each; those that are left are read
//! by their ids. Any other is a range of the reseller's index. Counting reads the same rows.

use std::collections::BTreeSet;

use chancery_domain::Timestamp;
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::resellers::ResellerId;

use crate::customers::{FIELDS, columns, read};
use crate::errors::StoreError;
use crate::lists::{ByList, by_list};
use crate::search_texts::{SearchField, Subjects};
use crate::store::Store;
use crate::values;
use crate::values::Value;

#[cfg(doc)]
use crate::search_texts::LOOKED_AT_MOST;

/// Which of a reseller's customers are wanted; a part that is `None` does not matter. A text is wanted that
/// begins so from some word on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CustomerFilter {
    /// Any of these.
    pub ids: Option<BTreeSet<CustomerId>>,
    /// The user name.
    pub username: Option<String>,
    /// The company.
    pub company: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The state or province.
    pub state: Option<String>,
    /// Whether those that are not deleted are wanted.
    pub with_living: bool,
    /// Whether deleted ones are wanted.
    pub with_deleted: bool,
    /// Created then or later.
    pub created_from: Option<Timestamp>,
    /// Created then or before.
    pub created_until: Option<Timestamp>,
}

/// A page of a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CustomerPage {
    /// The customers of the page.
    pub customers: Vec<Customer>,
    /// How many there are on all pages.
    pub total: u64,
}

macro_rules! conditions {
    () => {
        " from customers c where (cast($2 as bigint) = 1 or c.deleted_at is not null)
            and (cast($3 as bigint) = 1 or c.deleted_at is null)
            and c.created_at >= $4 and c.created_at <= $5"
    };
}

/// How many of the reseller's list there are, and a page of them.
const LISTED: [&str; 2] = [
    concat!(
        "select cast(count(*) as bigint)",
        conditions!(),
        " and c.reseller_id = $1"
    ),
    concat!(
        "select ",
        columns!(),
        conditions!(),
        " and c.reseller_id = $1 order by c.id limit $6 offset $7"
    ),
];

/// The same of those with some ids. The sum keeps the engines from the reseller's index.
const AMONG: [ByList; 2] = [
    by_list!(
        [
            "select cast(count(*) as bigint)",
            conditions!(),
            " and c.reseller_id + 0 = $1 and c.id"
        ],
        "$6",
        ""
    ),
    by_list!(
        [
            "select ",
            columns!(),
            conditions!(),
            " and c.reseller_id + 0 = $1 and c.id"
        ],
        "$6",
        " order by c.id limit $7 offset $8"
    ),
];

impl Store {
    /// So many of a reseller's customers that a filter lets through, after leaving out the first `skip`. `None`
    /// if more are found by their texts than are looked at.
    pub async fn search_customers(
        &self,
        reseller: ResellerId,
        filter: &CustomerFilter,
        limit: u32,
        skip: i64,
    ) -> Result<Option<CustomerPage>, StoreError> {
        let ids = match self.customers_by_texts(reseller, filter).await? {
            Some(Subjects::TooMany) => return Ok(None),
            Some(Subjects::All(found)) => Some(match &filter.ids {
                None => found,
                Some(wanted) => {
                    let is_wanted = |id: &i64| wanted.contains(&CustomerId(*id));
                    found.into_iter().filter(is_wanted).collect()
                }
            }),
            None => {
                let ids = filter.ids.as_ref();
                ids.map(|ids| ids.iter().map(|id| id.0).collect())
            }
        };
        let mut values: Vec<Value> = values![
            reseller.0,
            filter.with_living,
            filter.with_deleted,
            filter.created_from.unwrap_or(Timestamp::MIN),
            filter.created_until.unwrap_or(Timestamp::MAX),
        ];
        let [count, page] = match ids {
            None => LISTED,
            Some(ids) => {
                let ids: Vec<i64> = ids;
                let [(count, list), (page, _)] =
                    AMONG.map(|sql| sql.with(self, ids.iter().copied()));
                values.push(list);
                [count, page]
            }
        };
        let total = self.scan(count, values.clone()).await?;
        let total = total.first().map_or(Ok(0), |row| row.small(0))?;
        values.extend(values![limit, skip]);
        let rows = self.scan(page, values).await?;
        let customers = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Some(CustomerPage { customers, total }))
    }

    /// The customers that all texts of a filter find; `None` if there are none.
    async fn customers_by_texts(
        &self,
        reseller: ResellerId,
        filter: &CustomerFilter,
    ) -> Result<Option<Subjects>, StoreError> {
        let CustomerFilter {
            username,
            company,
            name,
            city,
            state,
            ..
        } = filter;
        let mut both: Option<Vec<i64>> = None;
        let asked: [(SearchField, &Option<String>); 5] = {
            let [a, b, c, d, e] = FIELDS;
            [
                (a, username),
                (b, company),
                (c, name),
                (d, city),
                (e, state),
            ]
        };
        for (field, text) in asked {
            let Some(text) = text else { continue };
            let found = match self.subjects(reseller.0, field, text).await? {
                Subjects::All(found) => found,
                Subjects::TooMany => return Ok(Some(Subjects::TooMany)),
            };
            both = Some(match both {
                None => found,
                Some(before) => {
                    let found: BTreeSet<i64> = found.into_iter().collect();
                    before.into_iter().filter(|id| found.contains(id)).collect()
                }
            });
        }
        Ok(both.map(Subjects::All))
    }
}
