//! Contacts. Deleted ones stay in the table, for the orders that name them, but are never read again.

use chancery_domain::Timestamp;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, ContactId, Role};
use chancery_domain::customers::CustomerId;
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
            insert into contacts (id, reseller_id, customer_id, role, kind, details, attributes,
                created_at, modified_at, version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        self.execute(
            SQL,
            values![
                contact.id.0,
                contact.reseller.0,
                contact.customer.0,
                contact.role.as_str(),
                contact.kind.as_str(),
                to_json(&contact.details),
                to_json(&contact.attributes),
                contact.created_at,
                contact.modified_at,
                contact.version,
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
            select id, reseller_id, customer_id, role, kind, details, attributes, created_at,
                modified_at, deleted_at, version
            from contacts
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
        customer: CustomerId(row.int(2)?),
        role: row.parsed(3, Role::parse)?,
        kind: row.parsed(4, ContactType::parse)?,
        details: row.json(5)?,
        attributes: row.json(6)?,
        created_at: row.timestamp(7)?,
        modified_at: row.timestamp(8)?,
        deleted_at: row.opt_timestamp(9)?,
        version: row.int(10)?,
    })
}
