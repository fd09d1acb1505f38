//! Events: the history of orders, append-only.

use chancery_domain::contacts::ContactId;
use chancery_domain::customers::Customer;
use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::issuances::IssuanceId;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Told};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

macro_rules! forget_told {
    () => {
        "update events set detail = case
                when detail like 'csr_wanted:%' then 'csr_wanted'
                when detail like 'control_wanted:%' then 'control_wanted'
                when detail like 'certificate_ending:%' then 'certificate_ending'
                when detail like 'order_ending:%' then 'order_ending'
            end
            where kind = 'person_told' and detail like '%@%' and order_id in (
                select id from orders where reseller_id = $1 and "
    };
}

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

    /// Appends a line to the history of a reseller's order, and has the log tell of it once it is on disk.
    pub fn record_event(&mut self, reseller: ResellerId, event: &Event) {
        self.insert_event(event);
        self.tell(Told {
            what: event.kind.as_str(),
            order: Some(event.order),
            reseller,
            issuance: event.issuance,
            amount: None,
        });
    }

    /// Removes the addresses that a release before has written into the histories of orders that name a contact.
    pub(crate) fn forget_told_addresses(&mut self, reseller: ResellerId, contact: ContactId) {
        const SQL: &str = concat!(
            forget_told!(),
            "(administrator_id = $2 or technical_id = $2))"
        );
        self.execute(SQL, values![reseller.0, contact.0]);
    }

    /// The same of all contacts of a customer's.
    pub(crate) fn forget_told_addresses_of(&mut self, customer: &Customer) {
        const SQL: &str = concat!(
            forget_told!(),
            "(administrator_id in (select id from contacts where customer_id = $2)
                    or technical_id in (select id from contacts where customer_id = $2)))"
        );
        self.execute(SQL, values![customer.reseller.0, customer.id.0]);
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
