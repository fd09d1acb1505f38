//! Events of contacts: their history, append-only.

use chancery_domain::contacts::{ContactEvent, ContactEventKind, ContactId};
use chancery_domain::events::Actor;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Appends a line to a contact's history.
    pub fn insert_contact_event(&mut self, event: &ContactEvent) {
        const SQL: &str = "
            insert into contact_events (id, contact_id, at, actor, kind, detail)
            values ($1, $2, $3, $4, $5, $6)";
        self.execute(
            SQL,
            values![
                event.id,
                event.contact.0,
                event.at,
                event.actor.as_str(),
                event.kind.as_str(),
                event.detail.as_deref(),
            ],
        );
    }
}

impl Store {
    /// A contact's history, the oldest line first.
    pub async fn contact_events(
        &self,
        contact: ContactId,
    ) -> Result<Vec<ContactEvent>, StoreError> {
        const SQL: &str = "
            select id, contact_id, at, actor, kind, detail from contact_events
            where contact_id = $1 order by at, id";
        let rows = self.scan(SQL, values![contact.0]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<ContactEvent, StoreError> {
    Ok(ContactEvent {
        id: row.int(0)?,
        contact: ContactId(row.int(1)?),
        at: row.timestamp(2)?,
        actor: row.parsed(3, Actor::parse)?,
        kind: row.parsed(4, ContactEventKind::parse)?,
        detail: row.opt_string(5)?,
    })
}
