//! Searches for contacts of a customer: pages of a list, the oldest first, living ones before deleted ones.
//!
//! A list filtered by texts comes from their index as a whole, those first whose fields the texts are, and is
//! counted and paged in memory; where each text finds more than [`crate::search_texts::LOOKED_AT_MOST`], it is
//! refused. Any other is counted and paged by the customer's index.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, ContactId};
use chancery_domain::customers::CustomerId;

use crate::contacts::{DELETED, LIVING, indexed};
use crate::errors::StoreError;
use crate::lists::{ByList, by_list};
use crate::search_texts::{Found, READ_AT_ONCE, SearchField};
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// Which of a customer's contacts are wanted; a part that is `None` does not matter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ContactFilter {
    /// Any of these.
    pub ids: Option<BTreeSet<ContactId>>,
    /// Whether those that are not deleted are wanted.
    pub with_living: bool,
    /// Whether deleted ones are wanted.
    pub with_deleted: bool,
    /// Beginning with this from some word of the name on.
    pub name: Option<String>,
    /// The same of the company.
    pub company: Option<String>,
    /// The e-mail address beginning with this.
    pub email: Option<String>,
    /// Of this type.
    pub kind: Option<ContactType>,
}

/// A page of a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ContactPage {
    /// The contacts of the page.
    pub contacts: Vec<Contact>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Which contacts are looked for: living ones or deleted ones.
struct Part {
    fields: [SearchField; 3],
    /// How many of a customer's there are, of a type if one is named.
    count: &'static str,
    /// Their ids, a page of them.
    page: &'static str,
    /// Those of a list of ids.
    among: ByList,
}

macro_rules! part {
    ($fields:expr, $state:literal) => {
        Part {
            fields: $fields,
            count: concat!(
                "select count(*) from contacts where customer_id = $1 and ",
                $state,
                " and (cast($2 as text) = '' or kind = $2)"
            ),
            page: concat!(
                "select id from contacts where customer_id = $1 and ",
                $state,
                " and (cast($2 as text) = '' or kind = $2) order by id limit $3 offset $4"
            ),
            among: by_list!(
                [
                    "select id from contacts where customer_id = $1 and ",
                    $state,
                    " and (cast($2 as text) = '' or kind = $2) and id"
                ],
                "$3",
                " order by id"
            ),
        }
    };
}

const LIVING_ONES: Part = part!(LIVING, "deleted_at is null");
const DELETED_ONES: Part = part!(DELETED, "deleted_at is not null and erased_at is null");

struct Search<'a> {
    store: &'a Store,
    customer: CustomerId,
    filter: &'a ContactFilter,
    skip: i64,
    wanted: i64,
    found: Vec<i64>,
    total: i64,
}

impl Store {
    /// So many of a customer's contacts that a filter lets through, after leaving out the first `skip`. `None`
    /// if more are found by their texts than are looked at.
    pub async fn search_contacts(
        &self,
        customer: CustomerId,
        filter: &ContactFilter,
        limit: u32,
        skip: u64,
    ) -> Result<Option<ContactPage>, StoreError> {
        let mut search = Search {
            store: self,
            customer,
            filter,
            skip: i64::try_from(skip).unwrap_or(i64::MAX),
            wanted: limit.into(),
            found: Vec::new(),
            total: 0,
        };
        let wanted = [
            (filter.with_living, LIVING_ONES),
            (filter.with_deleted, DELETED_ONES),
        ];
        for (_, part) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
            let is_looked_through = search.through(&part).await?;
            if !is_looked_through {
                return Ok(None);
            }
        }
        let mut contacts = self.contacts_of(customer, &search.found).await?;
        let places = search.found.iter().zip(0_usize..);
        let places: BTreeMap<i64, usize> = places.map(|(id, place)| (*id, place)).collect();
        contacts.sort_by_key(|contact| places.get(&contact.id.0));
        Ok(Some(ContactPage {
            contacts,
            total: search.total.unsigned_abs(),
        }))
    }
}

impl Search<'_> {
    /// Looks through a part; false if there is too much of it.
    async fn through(&mut self, part: &Part) -> Result<bool, StoreError> {
        let filter = self.filter;
        let texts = [&filter.name, &filter.company, &filter.email];
        let texts = part.fields.into_iter().zip(texts);
        let texts = texts.filter_map(|(field, text)| Some((field, text.as_deref()?)));
        let texts: Vec<(SearchField, &str)> = texts.collect();
        let ids = filter.ids.as_ref();
        let ids: Option<Vec<i64>> = ids.map(|ids| ids.iter().map(|id| id.0).collect());
        let listed = match (texts.is_empty(), ids) {
            (true, None) => {
                self.by_customer(part).await?;
                return Ok(true);
            }
            (true, Some(ids)) => ids,
            (false, ids) => match self.store.found(self.customer.0, &texts, ids).await? {
                None => return Ok(false),
                Some(found) => self.compared(found).await?,
            },
        };
        let (sql, list) = part.among.with(self.store, listed.iter().copied());
        let is_known = filter.kind.is_none() && !texts.is_empty();
        if is_known {
            self.take(listed);
            return Ok(true);
        }
        let values = values![self.customer.0, self.kind(), list];
        let rows = self.store.scan(sql, values).await?;
        let there: BTreeSet<i64> = integers(&rows)?.into_iter().collect();
        self.take(listed.into_iter().filter(|id| there.contains(id)).collect());
        Ok(true)
    }

    /// Compares what was found with the contacts, where that is still to be done.
    async fn compared(&self, mut found: Found) -> Result<Vec<i64>, StoreError> {
        let ids = found.to_compare();
        if !ids.is_empty() {
            let mut read = Vec::new();
            for ids in ids.chunks(READ_AT_ONCE) {
                let contacts = self.store.contacts_of(self.customer, ids).await?;
                let texts = contacts
                    .iter()
                    .map(|contact| (contact.id.0, indexed(contact).into()));
                read.extend(texts);
            }
            found.compare(read.into_iter());
        }
        Ok(found.in_order())
    }

    /// Counts and pages by the index of the customer's contacts.
    async fn by_customer(&mut self, part: &Part) -> Result<(), StoreError> {
        let values = values![self.customer.0, self.kind()];
        let counted = self.store.scan(part.count, values);
        let values = values![self.customer.0, self.kind(), self.wanted, self.skip];
        let paged = self.store.scan(part.page, values);
        let (counted, paged) = tokio::try_join!(counted, paged)?;
        let total = integers(&counted)?.pop().unwrap_or_default();
        let paged = integers(&paged)?;
        self.pass(total, paged.len() as i64);
        self.found.extend(paged);
        Ok(())
    }

    /// Takes the page's share of a list.
    fn take(&mut self, ids: Vec<i64>) {
        let total = ids.len() as i64;
        let from = usize::try_from(self.skip.min(total)).unwrap_or_default();
        let count = usize::try_from(self.wanted).unwrap_or_default();
        let taken: Vec<i64> = ids.into_iter().skip(from).take(count).collect();
        self.pass(total, taken.len() as i64);
        self.found.extend(taken);
    }

    /// Goes on behind a part with so many contacts, of which so many were taken.
    fn pass(&mut self, total: i64, taken: i64) {
        self.total += total;
        self.skip -= self.skip.min(total);
        self.wanted -= taken;
    }

    /// The type that is wanted; empty for any.
    fn kind(&self) -> &'static str {
        self.filter.kind.map_or("", ContactType::as_str)
    }
}

fn integers(rows: &[Row]) -> Result<Vec<i64>, StoreError> {
    rows.iter().map(|row| row.int(0)).collect()
}
