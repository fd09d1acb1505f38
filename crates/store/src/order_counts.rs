//! Counts of orders, kept in the change set that places or moves one, so that nothing is counted by scanning.
//!
//! A reseller's orders are numbered by *ordinals*, from 1 without gaps. For each stretch of 2^20 and of 2^10
//! ordinals, and each product and stage, a cell holds how many orders of the stretch there are. What lies
//! before any place in a list that is filtered by product and stage is then the sum of a few cells and of at
//! most 1,024 rows.

use chancery_domain::Timestamp;
use chancery_domain::orders::Order;
use chancery_domain::stages::Stage;
use jiff::tz::TimeZone;

use crate::changes::Change;
use crate::values;

impl Change {
    /// Counts an order that is inserted in this change set.
    pub(crate) fn count_placed(&mut self, order: &Order) {
        const CELLS: &str = "
            insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
            select r.id, l.level, r.order_count >> l.level, $2, $3, 1
            from resellers r, (select 20 as level union all select 10) l
            where r.id = $1
            on conflict (reseller_id, level, bucket, product_key, stage)
            do update set n = order_counts.n + 1";
        const MONTH: &str = "
            insert into order_months (reseller_id, month, product_key, n)
            values ($1, $2, $3, 1)
            on conflict (reseller_id, month, product_key) do update set n = order_months.n + 1";
        let (reseller, product) = (order.reseller.0, &order.product_key);
        self.execute(CELLS, values![reseller, product, order.stage.as_str()]);
        self.execute(MONTH, values![reseller, month(order.created_at), product]);
    }

    /// Moves an order from one cell to another.
    pub(crate) fn count_move(&mut self, order: &Order, before: Stage) {
        const CELLS: &str = "
            insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
            select o.reseller_id, l.level, o.ordinal >> l.level, o.product_key, s.stage, s.step
            from orders o, (select 20 as level union all select 10) l,
                (select cast($2 as text) as stage, -1 as step
                    union all select cast($3 as text), 1) s
            where o.id = $1
            on conflict (reseller_id, level, bucket, product_key, stage)
            do update set n = order_counts.n + excluded.n";
        self.lane(order.reseller.0);
        let (before, now) = (before.as_str(), order.stage.as_str());
        self.execute(CELLS, values![order.id.0, before, now]);
    }
}

/// The month of a moment in UTC, counted from year 0.
fn month(at: Timestamp) -> i64 {
    let date = at.to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}
