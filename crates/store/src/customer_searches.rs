//! Searches for customers of a reseller: pages of a list, the oldest first.
//!
//! A list filtered by texts comes from their index, those first whose fields the texts are; where each text finds
//! more than [`LOOKED_AT_MOST`], it is refused. Any other is a range of the reseller's index. Counting reads the
//! same rows.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::Timestamp;
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::resellers::ResellerId;

use crate::customers::{FIELDS, columns, read, texts};
use crate::errors::StoreError;
use crate::lists::{ByList, by_list};
use crate::search_texts::{Found, READ_AT_ONCE, SearchField};
use crate::store::Store;
use crate::values;
use crate::values::Value;

#[cfg(doc)]
use crate::search_texts::LOOKED_AT_MOST;

/// Which of a reseller's customers are wanted; a part that is `None` does not matter. A user name is wanted that
/// begins so, any other text that does from some word on.
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
            and (cast($3 as bigint) = 1 or c.deleted_at is null) and c.erased_at is null
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

/// Which of some ids. The sum keeps the engines from the reseller's index.
const AMONG: ByList = by_list!(
    [
        "select c.id",
        conditions!(),
        " and c.reseller_id + 0 = $1 and c.id"
    ],
    "$6",
    " order by c.id"
);

/// Those with some ids.
const READ: ByList = by_list!(
    [
        "select ",
        columns!(),
        " from customers c where c.reseller_id + 0 = $1 and c.id"
    ],
    "$2",
    " order by c.id"
);

impl Store {
    /// So many of a reseller's customers that a filter lets through, after leaving out the first `skip`. `None`
    /// if each of its texts finds more than are looked at.
    pub async fn search_customers(
        &self,
        reseller: ResellerId,
        filter: &CustomerFilter,
        limit: u32,
        skip: i64,
    ) -> Result<Option<CustomerPage>, StoreError> {
        let mut values: Vec<Value> = values![
            reseller.0,
            filter.with_living,
            filter.with_deleted,
            filter.created_from.unwrap_or(Timestamp::MIN),
            filter.created_until.unwrap_or(Timestamp::MAX),
        ];
        let texts = filter.texts();
        let ids = filter.ids.as_ref();
        let ids: Option<Vec<i64>> = ids.map(|ids| ids.iter().map(|id| id.0).collect());
        let listed = match (texts.is_empty(), ids) {
            (true, None) => {
                let [count, page] = LISTED;
                let total = self.scan(count, values.clone()).await?;
                let total = total.first().map_or(Ok(0), |row| row.small(0))?;
                values.extend(values![limit, skip]);
                let rows = self.scan(page, values).await?;
                let customers = rows.iter().map(read).collect::<Result<_, _>>()?;
                return Ok(Some(CustomerPage { customers, total }));
            }
            (true, Some(ids)) => ids,
            (false, ids) => match self.found(reseller.0, &texts, ids).await? {
                None => return Ok(None),
                Some(found) => self.compared(reseller, found).await?,
            },
        };
        let (sql, list) = AMONG.with(self, listed.iter().copied());
        values.push(list);
        let rows = self.scan(sql, values).await?;
        let there = rows.iter().map(|row| row.int(0));
        let there: BTreeSet<i64> = there.collect::<Result<_, _>>()?;
        let listed = listed.into_iter().filter(|id| there.contains(id));
        let from = usize::try_from(skip).unwrap_or(usize::MAX);
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let page: Vec<i64> = listed.skip(from).take(wanted).collect();
        let mut customers = self.customers_of(reseller, &page).await?;
        let places: BTreeMap<i64, usize> = page.iter().copied().zip(0..).collect();
        customers.sort_by_key(|customer| places.get(&customer.id.0));
        let total = there.len() as u64;
        Ok(Some(CustomerPage { customers, total }))
    }

    /// Compares what was found with the customers, where that is still to be done.
    async fn compared(
        &self,
        reseller: ResellerId,
        mut found: Found,
    ) -> Result<Vec<i64>, StoreError> {
        let ids = found.to_compare();
        if !ids.is_empty() {
            let mut read = Vec::new();
            for ids in ids.chunks(READ_AT_ONCE) {
                let customers = self.customers_of(reseller, ids).await?;
                let texts = customers
                    .iter()
                    .map(|customer| (customer.id.0, texts(customer)));
                read.extend(texts);
            }
            found.compare(read.into_iter());
        }
        Ok(found.in_order())
    }

    /// Those of a list of customers that are a reseller's, in the order of their ids.
    async fn customers_of(
        &self,
        reseller: ResellerId,
        ids: &[i64],
    ) -> Result<Vec<Customer>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, list) = READ.with(self, ids.iter().copied());
        let rows = self.scan(sql, values![reseller.0, list]).await?;
        rows.iter().map(read).collect()
    }
}

impl CustomerFilter {
    /// Its texts, by field.
    fn texts(&self) -> Vec<(SearchField, &str)> {
        let texts = [
            &self.username,
            &self.company,
            &self.name,
            &self.city,
            &self.state,
        ];
        let texts = FIELDS.into_iter().zip(texts);
        let texts = texts.filter_map(|(field, text)| Some((field, text.as_deref()?)));
        texts.collect()
    }
}
