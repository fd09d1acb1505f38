//! Events: the history of orders, append-only.

use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::issuances::IssuanceId;
use chancery_domain::orders::OrderId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Appends a line to an order's history.
    pub fn insert_event(&mut self, event: &Event) {
        const SQL: &str = "
            insert into events (id, order_id, issuance_id, at, actor, kind, detail)
            values ($1, $2, $3, $4, $5, $6, $7)";
        self.execute(
            SQL,
            values![
                event.id,
                event.order.0,
                event.issuance.map(|issuance| issuance.0),
                event.at,
                event.actor.as_str(),
                event.kind.as_str(),
                event.detail.as_deref(),
            ],
        );
    }
}

impl Store {
    /// An order's history, the oldest line first.
    pub async fn events(&self, order: OrderId) -> Result<Vec<Event>, StoreError> {
        const SQL: &str = "
            select id, order_id, issuance_id, at, actor, kind, detail from events
            where order_id = $1 order by at, id";
        let rows = self.scan(SQL, values![order.0]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        id: row.int(0)?,
        order: OrderId(row.int(1)?),
        issuance: row.opt_int(2)?.map(IssuanceId),
        at: row.timestamp(3)?,
        actor: row.parsed(4, Actor::parse)?,
        kind: row.parsed(5, EventKind::parse)?,
        detail: row.opt_string(6)?,
    })
}
