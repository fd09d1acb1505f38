//! Searches for orders: pages of a list, the newest first, as fast on its last page as on its first.
//!
//! An order's place in its reseller's list is its ordinal, and ordinals have no gaps. So a page of the whole
//! list is a range of ordinals; a page of a list filtered by stage and product is found by walking the cells
//! of [`crate::order_counts`], then reading rows where the cells say that there are some; and a limit in time
//! is a limit of ordinals, for orders get both at once. Only near such a limit are rows looked at one by one,
//! since orders placed in the same moment may have swapped their ordinals.
//!
//! What is filtered by name or organization comes from an index of those, up to [`LOOKED_AT_MOST`] orders:
//! a page says whether that was all.

use std::collections::{BTreeMap, BTreeSet};

use chancery_domain::Timestamp;
use chancery_domain::contact_details::ContactDetails;
use chancery_domain::orders::OrderId;
use chancery_domain::organizations::OrganizationId;
use chancery_domain::products::Term;
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;

use crate::errors::StoreError;
use crate::lists::{ByList, by_list};
use crate::name_index::Names;
use crate::order_places::{BUCKET, Cell, LEVELS, Part, Span, Window, around, parts, ranges};
use crate::organizations::{TextFilter, literal};
use crate::store::Store;
use crate::values;
use crate::values::{Row, Value};

/// How many orders that match by name or organization a search looks at.
pub const LOOKED_AT_MOST: i64 = 10_000;

/// Which of a reseller's orders are wanted; a part that is `None` does not matter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OrderFilter {
    /// The common name, in lower case.
    pub common_name: Option<TextFilter>,
    /// Any of these stages, as they are on record.
    pub stages: Option<BTreeSet<Stage>>,
    /// Any of these products, by key.
    pub products: Option<BTreeSet<String>>,
    /// Placed then or later.
    pub placed_from: Option<Timestamp>,
    /// Placed before then.
    pub placed_before: Option<Timestamp>,
    /// For this organization.
    pub organization: Option<OrganizationId>,
    /// Any of these.
    pub ids: Option<BTreeSet<OrderId>>,
    /// Any of its names, the common one or a further one, in lower case.
    pub any_name: Option<TextFilter>,
    /// The administrator's e-mail address, in lower case.
    pub email: Option<TextFilter>,
    /// The administrator's company, in lower case.
    pub company: Option<TextFilter>,
    /// With a certificate that ends then or later.
    pub certificate_ends_from: Option<Timestamp>,
    /// With a certificate that ends before then.
    pub certificate_ends_before: Option<Timestamp>,
    /// In which order they are listed.
    pub sorting: Sorting,
}

/// In which order orders are listed; those that are alike, the newest first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sorting {
    /// By what.
    pub by: SortedBy,
    /// Whether the least come first.
    pub is_ascending: bool,
}

/// By what orders are listed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SortedBy {
    /// When they were placed.
    #[default]
    Placed,
    /// When their term ends; those that have none last.
    TermEnd,
    /// When their certificate ends; those that have none last.
    CertificateEnd,
    /// Their common name.
    CommonName,
}

impl OrderFilter {
    /// Whether there is a condition that no index of orders or counts answers alone.
    fn has_sets(&self) -> bool {
        let is_read = |filter: &TextFilter| match filter {
            TextFilter::Contains(text) => !text.is_ascii(),
            TextFilter::Equal(_) => false,
        };
        self.ids.is_some()
            || self.any_name.is_some()
            || self.email.is_some()
            || self.company.is_some()
            || self.certificate_ends_from.is_some()
            || self.certificate_ends_before.is_some()
            || self.common_name.as_ref().is_some_and(is_read)
    }
}

/// What a list shows of an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrderLine {
    /// Its id.
    pub id: OrderId,
    /// The first of its names.
    pub common_name: String,
    /// For how long it was bought.
    pub term: Term,
    /// How far it has come, as it is on record.
    pub stage: Stage,
    /// The name of the product when it was placed.
    pub product_name: String,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When its term ends, once it has begun.
    pub expires_at: Option<Timestamp>,
    /// The end of the certificate in force.
    pub certificate_expires_at: Option<Timestamp>,
    /// The administrator.
    pub administrator: Option<ContactDetails>,
}

/// A page of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrderPage {
    /// The orders of the page, the newest first.
    pub lines: Vec<OrderLine>,
    /// How many there are on all pages.
    pub total: u64,
    /// Whether these are all there are: not if the search stopped at its bound.
    pub is_complete: bool,
}

/// What an order must be, by the values of [`Search::values`]: any of twelve stages, some of them given more
/// than once; any of the products that are the lines of one text.
macro_rules! is_wanted {
    () => {
        "reseller_id = $1 and ordinal between $2 and $3
            and created_at >= $5 and created_at < $6
            and (cast($7 as bigint) = 0 or organization_id = $7)
            and (cast($8 as text) = '%' or common_name like $8 escape '!')
            and (cast($9 as text) = '' or replace($9, '\n' || product_key || '\n', '') <> $9)
            and stage in ($10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"
    };
}

pub(crate) struct Search<'a> {
    pub(crate) store: &'a Store,
    pub(crate) reseller: ResellerId,
    pub(crate) filter: &'a OrderFilter,
    /// As many as there are, so that one statement serves any number of them.
    stages: [Stage; Stage::ALL.len()],
    /// The keys, one a line; nothing if any will do.
    products: String,
}

/// The ordinals of a page, and what is known of the list.
struct Found {
    ordinals: Vec<i64>,
    total: i64,
    is_complete: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            ordinals: Vec::new(),
            total: 0,
            is_complete: true,
        }
    }
}

impl Store {
    /// So many of a reseller's orders that a filter lets through, the newest first, after leaving out the
    /// first `skip`.
    pub async fn search_orders(
        &self,
        reseller: ResellerId,
        filter: &OrderFilter,
        limit: u32,
        skip: u64,
    ) -> Result<OrderPage, StoreError> {
        let names = self.names(reseller).await?;
        let search = Search::new(self, reseller, filter);
        let window = Window {
            skip: i64::try_from(skip).unwrap_or(i64::MAX),
            wanted: limit.into(),
        };
        let found = search.sorted(names, window).await?;
        let mut lines = search.lines(&found.ordinals).await?;
        if filter.sorting != Sorting::default() {
            let places = found.ordinals.iter().zip(0_usize..);
            let places: BTreeMap<i64, usize> = places.map(|(at, place)| (*at, place)).collect();
            lines.sort_by_key(|(ordinal, _)| places.get(ordinal));
        }
        let lines = lines.into_iter().map(|(_, line)| line).collect();
        Ok(OrderPage {
            lines,
            total: found.total.unsigned_abs(),
            is_complete: found.is_complete,
        })
    }

    /// The first ordinal of a reseller's orders that was placed at or after a moment, or the next that will
    /// be given. A search by halves, in one statement.
    async fn ordinal_at(
        &self,
        reseller: ResellerId,
        orders: i64,
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        const SQL: &str = "
            with recursive halves (low, high) as (
                select cast(1 as bigint), cast($2 as bigint) + 1
                union all
                select
                    case when coalesce((select created_at from orders
                            where reseller_id = $1 and ordinal = (low + high) / 2), 0) < $3
                        then (low + high) / 2 + 1 else low end,
                    case when coalesce((select created_at from orders
                            where reseller_id = $1 and ordinal = (low + high) / 2), 0) < $3
                        then high else (low + high) / 2 end
                from halves where low < high)
            select max(low) from halves";
        let row = self.query_one(SQL, values![reseller.0, orders, at]).await?;
        row.map_or(Ok(1), |row| row.int(0))
    }
}

impl<'a> Search<'a> {
    fn new(store: &'a Store, reseller: ResellerId, filter: &'a OrderFilter) -> Self {
        let mut stages = Stage::ALL;
        if let Some(wanted) = &filter.stages {
            for (place, stage) in stages.iter_mut().zip(wanted.iter().cycle()) {
                *place = *stage;
            }
        }
        let mut products = String::new();
        for key in filter.products.iter().flatten() {
            // No key has two lines.
            if !key.contains('\n') {
                products.push_str(&format!("\n{key}\n"));
            }
        }
        Self {
            store,
            reseller,
            filter,
            stages,
            products,
        }
    }

    /// Whether no order can be what is wanted.
    fn is_for_nothing(&self) -> bool {
        let OrderFilter {
            stages, products, ..
        } = self.filter;
        let is_before_itself = match (self.filter.placed_from, self.filter.placed_before) {
            (Some(from), Some(before)) => from >= before,
            _ => false,
        };
        stages.as_ref().is_some_and(BTreeSet::is_empty)
            || (products.is_some() && self.products.is_empty())
            || is_before_itself
    }

    fn is_by_cells(&self) -> bool {
        self.filter.stages.is_some() || self.filter.products.is_some()
    }

    /// `$1` to `$21` of every statement with [`is_wanted`].
    fn values(&self, span: Span, limit: i64) -> Vec<Value> {
        let from = self
            .filter
            .placed_from
            .map_or(i64::MIN, Timestamp::as_microsecond);
        let before = self
            .filter
            .placed_before
            .map_or(i64::MAX, Timestamp::as_microsecond);
        let name = match &self.filter.common_name {
            None => "%".to_owned(),
            Some(TextFilter::Equal(text)) => literal(text),
            Some(TextFilter::Contains(text)) if text.is_ascii() => format!("%{}%", literal(text)),
            // Held against what people read, one by one.
            Some(TextFilter::Contains(_)) => "%".to_owned(),
        };
        let mut values = values![
            self.reseller.0,
            span.first,
            span.last,
            limit,
            from,
            before,
            self.filter.organization.map_or(0, |id| id.0),
            name,
            &self.products,
        ];
        values.extend(self.stages.map(|stage| stage.as_str().into()));
        values
    }

    /// The ordinals of a span that are wanted, the newest first, at most so many.
    async fn ordinals(&self, span: Span, limit: i64) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = concat!(
            "select ordinal from orders where ",
            is_wanted!(),
            " order by ordinal desc limit $4"
        );
        let rows = self.store.scan(SQL, self.values(span, limit)).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// The cells of a level from one to before another that have orders that are wanted, the oldest first.
    async fn cells(&self, level: u32, from: i64, end: i64) -> Result<Vec<Cell>, StoreError> {
        const SQL: &str = "
            select bucket, cast(sum(n) as bigint) from order_counts
            where reseller_id = $1 and level = $2 and bucket >= $3 and bucket < $4
                and (cast($5 as text) = '' or replace($5, '\n' || product_key || '\n', '') <> $5)
                and stage in ($6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            group by bucket having sum(n) > 0 order by bucket";
        let mut values = values![self.reseller.0, level, from, end, &self.products];
        values.extend(self.stages.map(|stage| Value::from(stage.as_str())));
        let rows = self.store.scan(SQL, values).await?;
        let cell = |row: &Row| {
            Ok(Cell {
                level,
                bucket: row.int(0)?,
                count: row.int(1)?,
            })
        };
        rows.iter().map(cell).collect()
    }

    async fn position(
        &self,
        orders: i64,
        at: Option<Timestamp>,
    ) -> Result<Option<i64>, StoreError> {
        Ok(match at {
            Some(at) => Some(self.store.ordinal_at(self.reseller, orders, at).await?),
            None => None,
        })
    }

    /// A page of a list without names and organizations.
    async fn by_counts(&self, orders: i64, mut window: Window) -> Result<Found, StoreError> {
        let from = self.position(orders, self.filter.placed_from).await?;
        let before = self.position(orders, self.filter.placed_before).await?;
        let mut found = Found::default();
        for part in parts(orders, from, before) {
            let (count, ordinals) = match part {
                Part::Rows(span) => {
                    let all = self.ordinals(span, span.len()).await?;
                    (all.len() as i64, window.cut(all))
                }
                Part::Counted(span) if self.is_by_cells() => {
                    self.counted(span, &mut window).await?
                }
                Part::Counted(span) => {
                    let last = span.last - window.skip.min(span.len());
                    let first = span.first.max(last.saturating_sub(window.wanted - 1));
                    window.pass(span.len(), (last - first + 1).max(0));
                    (span.len(), (first..=last).rev().collect())
                }
            };
            found.total += count;
            found.ordinals.extend(ordinals);
        }
        Ok(found)
    }

    /// How many orders of a span of whole buckets are wanted, and those of the page among them.
    async fn counted(
        &self,
        span: Span,
        window: &mut Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        let first = span.first >> BUCKET;
        // What lies beyond the list's end has no cells, so that its last ones are whole.
        let last = match self.filter.placed_before {
            Some(_) => span.last >> BUCKET,
            None => {
                span.last >> LEVELS[0] << (LEVELS[0] - BUCKET) | ((1 << (LEVELS[0] - BUCKET)) - 1)
            }
        };
        // The newest on top.
        let mut cells = Vec::new();
        for (level, from, end) in ranges(first, last).into_iter().rev() {
            cells.extend(self.cells(level, from, end).await?);
        }
        let total = cells.iter().map(|cell| cell.count).sum();
        let mut ordinals = Vec::new();
        while window.wanted > 0
            && let Some(cell) = cells.pop()
        {
            if window.skip >= cell.count {
                window.skip -= cell.count;
            } else if cell.level > BUCKET {
                let (level, from, end) = cell.parts();
                cells.extend(self.cells(level, from, end).await?);
            } else {
                let mut run = cell;
                let last = cell.bucket;
                while run.count < window.skip.saturating_add(window.wanted)
                    && let Some(next) =
                        cells.pop_if(|next| next.level == BUCKET && next.bucket == run.bucket - 1)
                {
                    run.bucket = next.bucket;
                    run.count += next.count;
                }
                let span = Span {
                    first: run.bucket << BUCKET,
                    last: ((last + 1) << BUCKET) - 1,
                };
                let found = self.ordinals(span, window.skip.saturating_add(window.wanted));
                ordinals.extend(window.cut(found.await?));
            }
        }
        Ok((total, ordinals))
    }

    /// A page of the list in the order that is asked for.
    async fn sorted(&self, names: Names, mut window: Window) -> Result<Found, StoreError> {
        let Sorting { by, is_ascending } = self.filter.sorting;
        if by == SortedBy::Placed && !is_ascending {
            return self.newest_first(names, window).await;
        }
        if by == SortedBy::Placed {
            // The same list from its other end.
            let nothing = Window { skip: 0, wanted: 0 };
            let Found { total, .. } = self.newest_first(names, nothing).await?;
            let left = (total - window.skip).max(0);
            let wanted = window.wanted.min(left);
            let skip = left - wanted;
            let mut found = self.newest_first(names, Window { skip, wanted }).await?;
            found.ordinals.reverse();
            return Ok(found);
        }
        let all = Window {
            skip: 0,
            wanted: LOOKED_AT_MOST,
        };
        let mut found = self.newest_first(names, all).await?;
        found.is_complete &= found.total <= LOOKED_AT_MOST;
        found.total = found.ordinals.len() as i64;
        self.sort(&mut found.ordinals).await?;
        found.ordinals = window.cut(found.ordinals);
        Ok(found)
    }

    async fn newest_first(&self, names: Names, window: Window) -> Result<Found, StoreError> {
        let filter = self.filter;
        if self.is_for_nothing() || names.orders == 0 {
            Ok(Found::default())
        } else if filter.common_name.is_some() || filter.organization.is_some() || filter.has_sets()
        {
            self.by_index(names, window).await
        } else {
            self.by_counts(names.orders, window).await
        }
    }

    /// A page of a list with a name or an organization.
    async fn by_index(&self, names: Names, mut window: Window) -> Result<Found, StoreError> {
        let from = self.position(names.orders, self.filter.placed_from).await?;
        let before = self
            .position(names.orders, self.filter.placed_before)
            .await?;
        let span = Span {
            first: from.map_or(1, |ordinal| around(ordinal, names.orders).first),
            last: before.map_or(names.orders, |ordinal| around(ordinal, names.orders).last),
        };
        if span.len() == 0 {
            return Ok(Found::default());
        }
        if self.filter.has_sets() {
            let (wanted, is_complete) = self.by_sets(names, span).await?;
            return Ok(Found {
                total: wanted.len() as i64,
                ordinals: window.cut(wanted),
                is_complete,
            });
        }
        let (wanted, is_complete) = match (&self.filter.common_name, self.filter.organization) {
            (Some(TextFilter::Equal(name)), _) => {
                const SQL: &str = concat!(
                    "select ordinal, case when ",
                    is_wanted!(),
                    " then 1 else 0 end from orders
                    where reseller_id = $1 and ordinal between $2 and $3 and common_name = $22
                    order by ordinal desc limit $4"
                );
                self.looked_up(SQL, span, name.as_str().into()).await?
            }
            (_, Some(organization)) => {
                const SQL: &str = concat!(
                    "select ordinal, case when ",
                    is_wanted!(),
                    " then 1 else 0 end from orders
                    where reseller_id = $1 and ordinal between $2 and $3 and organization_id = $22
                    order by ordinal desc limit $4"
                );
                self.looked_up(SQL, span, organization.0.into()).await?
            }
            (Some(TextFilter::Contains(text)), None) => self.named(names, span, text).await?,
            (None, None) => (Vec::new(), true),
        };
        Ok(Found {
            total: wanted.len() as i64,
            ordinals: window.cut(wanted),
            is_complete,
        })
    }

    /// What is wanted among the newest orders that an index gives, and whether those were all.
    async fn looked_up(
        &self,
        sql: &'static str,
        span: Span,
        key: Value,
    ) -> Result<(Vec<i64>, bool), StoreError> {
        let mut values = self.values(span, LOOKED_AT_MOST + 1);
        values.push(key);
        let mut rows = self.store.scan(sql, values).await?;
        let is_complete = rows.len() as i64 <= LOOKED_AT_MOST;
        rows.truncate(LOOKED_AT_MOST as usize);
        let mut wanted = Vec::new();
        for row in &rows {
            if row.truth(1)? {
                wanted.push(row.int(0)?);
            }
        }
        Ok((wanted, is_complete))
    }

    /// What is wanted among the newest orders whose names have a text, and whether those were all.
    async fn named(
        &self,
        names: Names,
        span: Span,
        text: &str,
    ) -> Result<(Vec<i64>, bool), StoreError> {
        let mut looked = self
            .store
            .names_with(self.reseller, names, text, span)
            .await?;
        let is_in_time = self.filter.placed_from.is_none() && self.filter.placed_before.is_none();
        if !looked.ordinals.is_empty() && (self.is_by_cells() || !is_in_time) {
            looked.ordinals = self.wanted_of(span, looked.ordinals.into_iter()).await?;
        }
        Ok((looked.ordinals, looked.is_complete))
    }

    /// Those of some ordinals that are wanted, the newest first.
    pub(crate) async fn wanted_of(
        &self,
        span: Span,
        ordinals: impl Iterator<Item = i64>,
    ) -> Result<Vec<i64>, StoreError> {
        const SQL: ByList = by_list!(
            [
                "select ordinal from orders where ",
                is_wanted!(),
                " and ordinal"
            ],
            "$22",
            " order by ordinal desc limit $4"
        );
        let (sql, list) = SQL.with(self.store, ordinals);
        let mut values = self.values(span, LOOKED_AT_MOST);
        values.push(list);
        let rows = self.store.scan(sql, values).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// The lines of some ordinals with these, the newest first.
    async fn lines(&self, ordinals: &[i64]) -> Result<Vec<(i64, OrderLine)>, StoreError> {
        const SQL: ByList =
            by_list!(
            ["select o.id, o.common_name, o.term_years, o.stage, o.product_name, o.created_at,
                o.expires_at, c.not_after, a.details, o.ordinal
            from orders o
            left join certificates c on c.id = o.certificate_id
            left join contacts a on a.id = o.administrator_id and a.erased_at is null
            where o.reseller_id = $1 and o.ordinal"],
            "$2",
            " order by o.ordinal desc"
        );
        if ordinals.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, list) = SQL.with(self.store, ordinals.iter().copied());
        self.store
            .scan(sql, values![self.reseller.0, list])
            .await?
            .iter()
            .map(|row| Ok((row.int(9)?, read_line(row)?)))
            .collect()
    }
}

fn read_line(row: &Row) -> Result<OrderLine, StoreError> {
    let has_administrator = row.opt_text(8)?.is_some();
    Ok(OrderLine {
        id: OrderId(row.int(0)?),
        common_name: row.string(1)?,
        term: Term(row.small(2)?),
        stage: row.parsed(3, Stage::parse)?,
        product_name: row.string(4)?,
        created_at: row.timestamp(5)?,
        expires_at: row.opt_timestamp(6)?,
        certificate_expires_at: row.opt_timestamp(7)?,
        administrator: match has_administrator {
            true => Some(row.json(8)?),
            false => None,
        },
    })
}
