//! Contacts. Deleted ones stay in the table, for the orders that name them, but are never read again.

use chancery_domain::Timestamp;
use chancery_domain::contacts::{Contact, ContactId, Role};
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Inserts a contact.
    pub fn insert_contact(&mut self, contact: &Contact) {
        const SQL: &str = "
            insert into contacts (id, reseller_id, role, details, created_at, modified_at)
            values ($1, $2, $3, $4, $5, $6)";
        self.execute(
            SQL,
            values![
                contact.id.0,
                contact.reseller.0,
                contact.role.as_str(),
                to_json(&contact.details),
                contact.created_at,
                contact.modified_at,
            ],
        );
    }

    /// Deletes a reseller's contact; a conflict if it is gone.
    pub fn delete_contact(&mut self, reseller: ResellerId, id: ContactId, now: Timestamp) {
        const SQL: &str = "
            update contacts set deleted_at = $1
            where id = $2 and reseller_id = $3 and deleted_at is null";
        let failure = Failure::Conflict {
            what: "contact",
            id: id.0,
        };
        self.expect_one(SQL, values![now, id.0, reseller.0], failure);
    }
}

impl Store {
    /// A reseller's contact.
    pub async fn contact(
        &self,
        reseller: ResellerId,
        id: ContactId,
    ) -> Result<Option<Contact>, StoreError> {
        Ok(self.contacts(reseller, [id; 3]).await?.pop())
    }

    /// Those of three contacts that are the reseller's; the same one may be asked for more than once.
    pub async fn contacts(
        &self,
        reseller: ResellerId,
        ids: [ContactId; 3],
    ) -> Result<Vec<Contact>, StoreError> {
        const SQL: &str = "
            select id, reseller_id, role, details, created_at, modified_at from contacts
            where id in ($1, $2, $3) and reseller_id = $4 and deleted_at is null";
        let [a, b, c] = ids.map(|id| id.0);
        let rows = self.query(SQL, values![a, b, c, reseller.0]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Contact, StoreError> {
    Ok(Contact {
        id: ContactId(row.int(0)?),
        reseller: ResellerId(row.int(1)?),
        role: row.parsed(2, Role::parse)?,
        details: row.json(3)?,
        created_at: row.timestamp(4)?,
        modified_at: row.timestamp(5)?,
    })
}
