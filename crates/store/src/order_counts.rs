//! Counts of orders, kept in the change set that places or moves one, so that nothing is counted by scanning.
//!
//! A reseller's orders are numbered by *ordinals*, from 1 without gaps. For each stretch of 2^20, 2^15 and 2^10
//! ordinals, and each product and stage, a cell holds how many orders of the stretch there are. What lies
//! before any place in a list that is filtered by product and stage is then the sum of a few cells and of at
//! most 1,024 rows. Orders are further counted by the month they were placed in and, while they are in their
//! term, by the day it ends.

use chancery_domain::Timestamp;
use chancery_domain::months::Month;
use chancery_domain::orders::{Order, OrderState};
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;

/// How many orders for a product were placed in a month.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MonthCount {
    /// The month.
    pub month: Month,
    /// The key of the product.
    pub product_key: String,
    /// How many.
    pub orders: u64,
}

impl Change {
    /// Counts an order that is inserted in this change set.
    pub(crate) fn count_placed(&mut self, order: &Order) {
        const CELLS: &str = "
            insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
            select r.id, l.level, r.order_count >> l.level, $2, $3, 1
            from resellers r, (select 20 as level union all select 15 union all select 10) l
            where r.id = $1
            on conflict (reseller_id, level, bucket, product_key, stage)
            do update set n = order_counts.n + 1";
        const MONTH: &str = "
            insert into order_months (reseller_id, month, product_key, n)
            values ($1, $2, $3, 1)
            on conflict (reseller_id, month, product_key) do update set n = order_months.n + 1";
        let (reseller, product) = (order.reseller.0, &order.product_key);
        self.execute(CELLS, values![reseller, product, order.stage.as_str()]);
        let month = Month::of(order.created_at).number();
        self.execute(MONTH, values![reseller, month, product]);
    }

    /// Moves an order from one cell to another.
    pub(crate) fn count_move(&mut self, order: &Order, before: Stage) {
        const CELLS: &str = "
            insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
            select o.reseller_id, l.level, o.ordinal >> l.level, o.product_key, s.stage, s.step
            from orders o, (select 20 as level union all select 15 union all select 10) l,
                (select cast($2 as text) as stage, -1 as step
                    union all select cast($3 as text), 1) s
            where o.id = $1
            on conflict (reseller_id, level, bucket, product_key, stage)
            do update set n = order_counts.n + excluded.n";
        const END: &str = "
            insert into order_ends (reseller_id, day, n) values ($1, $2, $3)
            on conflict (reseller_id, day) do update set n = order_ends.n + excluded.n";
        self.lane(order.reseller.0);
        let stage = order.stage;
        self.execute(CELLS, values![order.id.0, before.as_str(), stage.as_str()]);
        let (OrderState::Active { expires_at, .. } | OrderState::Refunded { expires_at, .. }) =
            order.state
        else {
            return;
        };
        let step = i64::from(stage.is_in_term()) - i64::from(before.is_in_term());
        if step != 0 {
            self.execute(END, values![order.reseller.0, day(expires_at), step]);
        }
    }
}

impl Store {
    /// How many of a reseller's orders there are in each stage.
    pub async fn orders_by_stage(
        &self,
        reseller: ResellerId,
    ) -> Result<Vec<(Stage, u64)>, StoreError> {
        const SQL: &str = "
            select stage, cast(sum(n) as bigint) from order_counts
            where reseller_id = $1 and level = 20 group by stage";
        let rows = self.scan(SQL, values![reseller.0]).await?;
        rows.iter()
            .map(|row| Ok((row.parsed(0, Stage::parse)?, row.small(1)?)))
            .collect()
    }

    /// How many of a reseller's orders were placed from one month to another, by month and product.
    pub async fn orders_by_month(
        &self,
        reseller: ResellerId,
        first: Month,
        last: Month,
    ) -> Result<Vec<MonthCount>, StoreError> {
        const SQL: &str = "
            select month, product_key, n from order_months
            where reseller_id = $1 and month between $2 and $3
            order by month, product_key";
        let values = values![reseller.0, first.number(), last.number()];
        let rows = self.scan(SQL, values).await?;
        rows.iter()
            .map(|row| {
                Ok(MonthCount {
                    month: row.small(0)?,
                    product_key: row.string(1)?,
                    orders: row.small(2)?,
                })
            })
            .collect()
    }

    /// How many of a reseller's orders are in their term and at its end between two moments, both days
    /// inclusive.
    pub async fn orders_ending(
        &self,
        reseller: ResellerId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64, StoreError> {
        const SQL: &str = "
            select cast(coalesce(sum(n), 0) as bigint) from order_ends
            where reseller_id = $1 and day between $2 and $3";
        let values = values![reseller.0, day(from), day(to)];
        let row = self.query_one(SQL, values).await?;
        row.map_or(Ok(0), |row| row.small(0))
    }

    /// Counts that differ from what is counted anew: nothing, unless something is broken.
    pub async fn miscounts(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for (what, sql) in RECOUNTS {
            for row in self.scan(sql, Vec::new()).await? {
                let (reseller, place, over) = (row.int(0)?, row.text(1)?, row.int(2)?);
                found.push(format!(
                    "reseller {reseller}: {what} {place} is {over} too many"
                ));
            }
        }
        Ok(found)
    }
}

/// A count, and a statement for the places where it is wrong: the reseller, the place, by how many.
const RECOUNTS: [(&str, &str); 4] = [
    (
        "the count",
        "select r.id, 'of orders', r.order_count - count(o.id)
        from resellers r left join orders o on o.reseller_id = r.id
        group by r.id, r.order_count
        having r.order_count <> count(o.id) or r.order_count <> coalesce(max(o.ordinal), 0)",
    ),
    (
        "the cell",
        "select reseller_id,
            level || '/' || bucket || ' of ' || product_key || ', ' || stage, cast(sum(n) as bigint)
        from (
            select reseller_id, level, bucket, product_key, stage, n from order_counts
            union all
            select o.reseller_id, l.level, o.ordinal >> l.level, o.product_key, o.stage, -1
            from orders o, (select 20 as level union all select 15 union all select 10) l) as both_ways
        group by reseller_id, level, bucket, product_key, stage having sum(n) <> 0",
    ),
    // The month of a day since 1970 by the rules of the calendar, counting years from March on.
    (
        "the month",
        "select reseller_id, month || ' of ' || product_key, cast(sum(n) as bigint)
        from (
            select reseller_id, month, product_key, n from order_months
            union all
            select reseller_id,
                (400 * era + year) * 12 + 2 + (5 * (day - (365 * year + year / 4 - year / 100)) + 2) / 153,
                product_key, -1
            from (
                select reseller_id, product_key, era, day,
                    (day - day / 1460 + day / 36524 - day / 146096) / 365 as year
                from (
                    select reseller_id, product_key,
                        (created_at / 86400000000 + 719468) / 146097 as era,
                        (created_at / 86400000000 + 719468) % 146097 as day
                    from orders) as days) as years) as both_ways
        group by reseller_id, month, product_key having sum(n) <> 0",
    ),
    (
        "the day",
        "select reseller_id, cast(day as text), cast(sum(n) as bigint)
        from (
            select reseller_id, day, n from order_ends
            union all
            select reseller_id, expires_at / 86400000000, -1 from orders
            where stage in ('active', 'reissuing', 'lapsed', 'revoked')
                and expires_at is not null) as both_ways
        group by reseller_id, day having sum(n) <> 0",
    ),
];

/// The day of a moment in UTC, counted from 1970.
fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}
