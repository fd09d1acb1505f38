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

use std::collections::BTreeSet;

use chancery_domain::Timestamp;
use chancery_domain::contact_details::ContactDetails;
use chancery_domain::orders::OrderId;
use chancery_domain::organizations::OrganizationId;
use chancery_domain::products::Term;
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;

use crate::errors::StoreError;
use crate::name_index::Names;
use crate::organizations::{TextFilter, literal};
use crate::reading::set_of;
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

/// Consecutive ordinals, both ends inclusive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Span {
    fn len(self) -> i64 {
        (self.last - self.first + 1).max(0)
    }

    pub(crate) fn contains(self, ordinal: i64) -> bool {
        (self.first..=self.last).contains(&ordinal)
    }

    fn united(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

const BUCKET_BITS: u32 = 10;
const BLOCK_BITS: u32 = 20;
const BUCKETS_OF_A_BLOCK: i64 = 1 << (BLOCK_BITS - BUCKET_BITS);

/// The buckets around an ordinal that a time was found at: that far, orders may be out of order.
fn around(ordinal: i64, orders: i64) -> Span {
    let bucket = ordinal >> BUCKET_BITS;
    Span {
        first: ((bucket - 1) << BUCKET_BITS).max(1),
        last: (((bucket + 2) << BUCKET_BITS) - 1).min(orders),
    }
}

/// A part of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// Rows that are looked at one by one.
    Rows(Span),
    /// Orders that are all in the range of time that is asked for. Begins and ends with a bucket, or where
    /// the list does.
    Counted(Span),
}

impl Part {
    fn span(self) -> Span {
        match self {
            Self::Rows(span) | Self::Counted(span) => span,
        }
    }
}

/// The parts of a list of so many orders, the newest first. The limits in time are given as the first
/// ordinals at or after them.
fn parts(orders: i64, from: Option<i64>, before: Option<i64>) -> Vec<Part> {
    let old = from.map(|ordinal| around(ordinal, orders));
    let new = before.map(|ordinal| around(ordinal, orders));
    let between = Span {
        first: old.map_or(1, |old| old.last + 1),
        last: new.map_or(orders, |new| new.first - 1),
    };
    match (old, new) {
        (Some(old), Some(new)) if between.len() == 0 => vec![Part::Rows(old.united(new))],
        _ => [
            new.map(Part::Rows),
            Some(Part::Counted(between)),
            old.map(Part::Rows),
        ]
        .into_iter()
        .flatten()
        .filter(|part| part.span().len() > 0)
        .collect(),
    }
}

/// What a row must be, by the values of [`Search::values`].
macro_rules! is_wanted {
    () => {
        "stage in (select key from json_each($4))
            and (cast($5 as bigint) = 1 or product_key in (select key from json_each($6)))
            and created_at >= $7 and created_at < $8
            and (cast($9 as bigint) = 0 or organization_id = $9)
            and common_name like $10 escape '!'"
    };
}

/// A range of buckets or blocks and how many orders that are wanted each has, the newest first.
const CELLS: &str = "
    select bucket, cast(sum(n) as bigint) from order_counts
    where reseller_id = $1 and level = $2 and bucket between $3 and $4
        and stage in (select key from json_each($5))
        and (cast($6 as bigint) = 1 or product_key in (select key from json_each($7)))
    group by bucket having sum(n) > 0 order by bucket desc";

struct Search<'a> {
    store: &'a Store,
    reseller: ResellerId,
    filter: &'a OrderFilter,
    stages: String,
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

/// The page that is looked for: what to leave out, how many to take.
#[derive(Clone, Copy)]
struct Window {
    skip: i64,
    wanted: i64,
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
        let found = if search.is_for_nothing() || names.orders == 0 {
            Found::default()
        } else if filter.common_name.is_some() || filter.organization.is_some() {
            search.by_index(names, window).await?
        } else {
            search.by_counts(names.orders, window).await?
        };
        let lines = search.lines(&found.ordinals).await?;
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
        let stages = match &filter.stages {
            Some(stages) => set_of(stages.iter().map(|stage| stage.as_str())),
            None => set_of(Stage::ALL.iter().map(|stage| stage.as_str())),
        };
        Self {
            store,
            reseller,
            filter,
            stages,
            products: set_of(filter.products.iter().flatten()),
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
            || products.as_ref().is_some_and(BTreeSet::is_empty)
            || is_before_itself
    }

    fn is_by_cells(&self) -> bool {
        self.filter.stages.is_some() || self.filter.products.is_some()
    }

    /// `$1` to `$11` of every statement with [`is_wanted`].
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
            Some(TextFilter::Contains(text)) => format!("%{}%", literal(text)),
        };
        values![
            self.reseller.0,
            span.first,
            span.last,
            &self.stages,
            self.filter.products.is_none(),
            &self.products,
            from,
            before,
            self.filter.organization.map_or(0, |id| id.0),
            name,
            limit,
        ]
    }

    /// The ordinals of a span that are wanted, the newest first, at most so many.
    async fn ordinals(&self, span: Span, limit: i64) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = concat!(
            "select ordinal from orders
            where reseller_id = $1 and ordinal between $2 and $3 and ",
            is_wanted!(),
            " order by ordinal desc limit $11"
        );
        let rows = self.store.scan(SQL, self.values(span, limit)).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// How many orders that are wanted the buckets or blocks of a range have, the newest first; those
    /// without any are left out.
    async fn cells(
        &self,
        level: u32,
        first: i64,
        last: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let values = values![
            self.reseller.0,
            level,
            first,
            last,
            &self.stages,
            self.filter.products.is_none(),
            &self.products,
        ];
        let rows = self.store.scan(CELLS, values).await?;
        rows.iter()
            .map(|row| Ok((row.int(0)?, row.int(1)?)))
            .collect()
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
        let [first, last] = [span.first, span.last].map(|ordinal| ordinal >> BUCKET_BITS);
        let mut total = 0;
        let mut ordinals = Vec::new();
        for (block, count) in self.blocks(first, last).await? {
            total += count;
            if window.skip >= count || window.wanted == 0 {
                window.pass(count, 0);
                continue;
            }
            let first = first.max(block * BUCKETS_OF_A_BLOCK);
            let last = last.min((block + 1) * BUCKETS_OF_A_BLOCK - 1);
            ordinals.extend(self.of_block(first, last, window).await?);
        }
        Ok((total, ordinals))
    }

    /// The blocks that a range of buckets has a part in, with what that part counts, the newest first.
    async fn blocks(&self, first: i64, last: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        let [old, new] = [first, last].map(|bucket| bucket / BUCKETS_OF_A_BLOCK);
        let mut blocks = self.cells(BLOCK_BITS, old, new).await?;
        for block in BTreeSet::from([old, new]) {
            let from = first.max(block * BUCKETS_OF_A_BLOCK);
            let to = last.min((block + 1) * BUCKETS_OF_A_BLOCK - 1);
            let Some(place) = blocks.iter().position(|(found, _)| *found == block) else {
                continue;
            };
            // What is missing at the newest end was never placed.
            let is_whole_above = to == last && self.filter.placed_before.is_none();
            let is_whole_below = from == block * BUCKETS_OF_A_BLOCK;
            let is_whole = is_whole_below && (is_whole_above || (to + 1) % BUCKETS_OF_A_BLOCK == 0);
            if !is_whole {
                let cells = self.cells(BUCKET_BITS, from, to).await?;
                blocks[place].1 = cells.iter().map(|(_, count)| count).sum();
            }
        }
        Ok(blocks)
    }

    /// The orders of the page among those of some buckets of one block.
    async fn of_block(
        &self,
        first: i64,
        last: i64,
        window: &mut Window,
    ) -> Result<Vec<i64>, StoreError> {
        let mut ordinals = Vec::new();
        let (mut last, mut batch) = (last, 32);
        while last >= first && window.wanted > 0 {
            let from = first.max(last - batch + 1);
            let mut run: Option<Run> = None;
            for (bucket, count) in self.cells(BUCKET_BITS, from, last).await? {
                if run.is_none() && window.skip >= count {
                    window.skip -= count;
                    continue;
                }
                match &mut run {
                    Some(run) if run.is_enough(window) => break,
                    Some(run) if run.first == bucket + 1 => run.extend(bucket, count),
                    _ => {
                        if let Some(run) = run {
                            ordinals.extend(self.of_run(run, window).await?);
                        }
                        run = Some(Run::new(bucket, count));
                    }
                }
            }
            if let Some(run) = run {
                ordinals.extend(self.of_run(run, window).await?);
            }
            (last, batch) = (from - 1, batch * 4);
        }
        Ok(ordinals)
    }

    async fn of_run(&self, run: Run, window: &mut Window) -> Result<Vec<i64>, StoreError> {
        if window.wanted == 0 {
            return Ok(Vec::new());
        }
        let span = Span {
            first: run.first << BUCKET_BITS,
            last: ((run.last + 1) << BUCKET_BITS) - 1,
        };
        let found = self.ordinals(span, window.skip.saturating_add(window.wanted));
        Ok(window.cut(found.await?))
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
        let (wanted, is_complete) = match (&self.filter.common_name, self.filter.organization) {
            (Some(TextFilter::Equal(name)), _) => {
                const SQL: &str = concat!(
                    "select ordinal, case when ",
                    is_wanted!(),
                    " then 1 else 0 end from orders
                    where reseller_id = $1 and ordinal between $2 and $3 and common_name = $12
                    order by ordinal desc limit $11"
                );
                self.looked_up(SQL, span, name.as_str().into()).await?
            }
            (_, Some(organization)) => {
                const SQL: &str = concat!(
                    "select ordinal, case when ",
                    is_wanted!(),
                    " then 1 else 0 end from orders
                    where reseller_id = $1 and ordinal between $2 and $3 and organization_id = $12
                    order by ordinal desc limit $11"
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
        const SQL: &str = concat!(
            "select ordinal from orders
            where reseller_id = $1 and ordinal between $2 and $3
                and ordinal in (select cast(key as bigint) from json_each($12)) and ",
            is_wanted!(),
            " order by ordinal desc limit $11"
        );
        let mut looked = self
            .store
            .names_with(self.reseller, names, text, span)
            .await?;
        let is_in_time = self.filter.placed_from.is_none() && self.filter.placed_before.is_none();
        if !looked.ordinals.is_empty() && (self.is_by_cells() || !is_in_time) {
            let mut values = self.values(span, LOOKED_AT_MOST);
            values.push(set_of(&looked.ordinals).into());
            let rows = self.store.scan(SQL, values).await?;
            looked.ordinals = rows
                .iter()
                .map(|row| row.int(0))
                .collect::<Result<_, _>>()?;
        }
        Ok((looked.ordinals, looked.is_complete))
    }

    async fn lines(&self, ordinals: &[i64]) -> Result<Vec<OrderLine>, StoreError> {
        const SQL: &str = "
            select o.id, o.common_name, o.term_years, o.stage, o.product_name, o.created_at,
                o.expires_at, c.not_after, a.details
            from orders o
            left join certificates c on c.id = o.certificate_id
            left join contacts a on a.id = o.administrator_id
            where o.reseller_id = $1
                and o.ordinal in (select cast(key as bigint) from json_each($2))
            order by o.ordinal desc";
        if ordinals.is_empty() {
            return Ok(Vec::new());
        }
        let values = values![self.reseller.0, set_of(ordinals)];
        self.store
            .scan(SQL, values)
            .await?
            .iter()
            .map(read_line)
            .collect()
    }
}

impl Window {
    /// Goes on behind a part with so many orders, of which so many were taken.
    fn pass(&mut self, count: i64, taken: i64) {
        self.skip -= self.skip.min(count);
        self.wanted -= taken;
    }

    /// Takes the page's share of a part, all of which is given up to the page's end.
    fn cut(&mut self, mut part: Vec<i64>) -> Vec<i64> {
        let count = part.len() as i64;
        part.drain(..count.min(self.skip) as usize);
        part.truncate(usize::try_from(self.wanted).unwrap_or(usize::MAX));
        self.pass(count, part.len() as i64);
        part
    }
}

/// Buckets that follow each other, and how many orders that are wanted they have.
struct Run {
    first: i64,
    last: i64,
    count: i64,
}

impl Run {
    fn new(bucket: i64, count: i64) -> Self {
        Self {
            first: bucket,
            last: bucket,
            count,
        }
    }

    fn extend(&mut self, bucket: i64, count: i64) {
        self.first = bucket;
        self.count += count;
    }

    fn is_enough(&self, window: &Window) -> bool {
        self.count >= window.skip.saturating_add(window.wanted)
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
