//! Contacts. Deleted ones stay in the table, for the orders that name them, and can be looked at; of erased
//! ones nothing is left that could be read.
//!
//! Every change set that writes a contact also writes what searches find it by, those of deleted ones in
//! fields of their own. The release before did not: [`Store::index_contacts`] catches up with it.

use chancery_domain::Timestamp;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, ContactId, Role};
use chancery_domain::customers::CustomerId;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::lists::{ByList, by_list};
use crate::reading::to_json;
use crate::search_texts::SearchField;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// How many contacts are indexed at once.
const INDEXED_AT_ONCE: i64 = 256;

/// The columns that [`read`] reads, in its order.
macro_rules! columns {
    () => {
        "id, reseller_id, customer_id, role, kind, details, attributes, created_at, modified_at,
            deleted_at, version"
    };
}

/// What contacts are found by: name, company, e-mail address.
pub(crate) const LIVING: [SearchField; 3] = [
    SearchField("name"),
    SearchField("company"),
    SearchField("email"),
];

/// The same of deleted ones.
pub(crate) const DELETED: [SearchField; 3] = [
    SearchField("deleted name"),
    SearchField("deleted company"),
    SearchField("deleted email"),
];

impl Change {
    /// Inserts a contact.
    pub fn insert_contact(&mut self, contact: &Contact) {
        const SQL: &str = "
            insert into contacts (id, reseller_id, customer_id, role, kind, details, attributes,
                created_at, modified_at, version, is_indexed)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)";
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
        self.index_contact(contact);
    }

    /// Saves a contact as it is now over the one that was read; a conflict if that has changed since.
    pub fn save_contact(&mut self, read: &Contact, contact: &Contact) {
        const SQL: &str = "
            update contacts set details = $1, attributes = $2, modified_at = $3, deleted_at = $4,
                version = version + 1, is_indexed = 1, customer_id = $5
            where id = $6 and reseller_id = $7 and version = $8 and erased_at is null
                and coalesce(deleted_at, 0) = coalesce($9, 0)";
        self.expect_one(
            SQL,
            values![
                to_json(&contact.details),
                to_json(&contact.attributes),
                contact.modified_at,
                contact.deleted_at,
                contact.customer.0,
                contact.id.0,
                contact.reseller.0,
                read.version,
                read.deleted_at,
            ],
            conflict(contact.id),
        );
        self.forget_contact(read);
        self.index_contact(contact);
    }

    /// Removes all that identifies a person from a deleted contact; a conflict if it has changed since it was
    /// read.
    pub fn erase_contact(&mut self, read: &Contact, now: Timestamp) {
        const SQL: &str = "
            update contacts set details = '{}', attributes = '{}', erased_at = $1, modified_at = $1,
                version = version + 1, is_indexed = 1
            where id = $2 and reseller_id = $3 and version = $4 and erased_at is null
                and deleted_at is not null";
        let values = values![now, read.id.0, read.reseller.0, read.version];
        self.expect_one(SQL, values, conflict(read.id));
        self.forget_contact(read);
    }

    fn index_contact(&mut self, contact: &Contact) {
        for (field, text) in indexed(contact) {
            self.insert_search_text(contact.customer.0, field, contact.id.0, &text);
        }
    }

    fn forget_contact(&mut self, contact: &Contact) {
        for (field, text) in indexed(contact) {
            self.delete_search_text(contact.customer.0, field, contact.id.0, &text);
        }
    }
}

/// What searches find a contact by.
fn indexed(contact: &Contact) -> [(SearchField, String); 3] {
    let [name, company, email] = match contact.deleted_at {
        None => LIVING,
        Some(_) => DELETED,
    };
    let details = &contact.details;
    [
        (name, details.name.full().into_owned()),
        (company, details.company.clone()),
        (email, details.email.clone()),
    ]
}

fn conflict(id: ContactId) -> Failure {
    Failure::Conflict {
        what: "contact",
        id: id.0,
    }
}

impl Store {
    /// A reseller's contact, unless it is deleted.
    pub async fn contact(
        &self,
        reseller: ResellerId,
        id: ContactId,
    ) -> Result<Option<Contact>, StoreError> {
        let found = self.contact_or_deleted(reseller, id).await?;
        Ok(found.filter(|contact| contact.deleted_at.is_none()))
    }

    /// A reseller's contact, deleted or not, unless it is erased.
    pub async fn contact_or_deleted(
        &self,
        reseller: ResellerId,
        id: ContactId,
    ) -> Result<Option<Contact>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from contacts where id = $1 and reseller_id = $2 and erased_at is null"
        );
        let row = self.query_one(SQL, values![id.0, reseller.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Those of three contacts that are the reseller's; the same one may be asked for more than once.
    pub async fn contacts(
        &self,
        reseller: ResellerId,
        ids: [ContactId; 3],
    ) -> Result<Vec<Contact>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from contacts where id in ($1, $2, $3) and reseller_id = $4 and deleted_at is null"
        );
        let [a, b, c] = ids.map(|id| id.0);
        let rows = self.query(SQL, values![a, b, c, reseller.0]).await?;
        rows.iter().map(read).collect()
    }

    /// Those of a list of contacts that are a customer's and not erased, in the order of their ids.
    pub async fn contacts_of(
        &self,
        customer: CustomerId,
        ids: &[i64],
    ) -> Result<Vec<Contact>, StoreError> {
        const SQL: ByList = by_list!(
            [
                "select ",
                columns!(),
                " from contacts
            where customer_id = $1 and erased_at is null and id"
            ],
            "$2",
            " order by id"
        );
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, list) = SQL.with(self, ids.iter().copied());
        let rows = self.scan(sql, values![customer.0, list]).await?;
        rows.iter().map(read).collect()
    }

    /// Indexes some contacts that an older release has left, and gives them the customer that is the reseller.
    /// Whether there may be more to do.
    pub async fn index_contacts(&self) -> Result<bool, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from contacts where is_indexed = 0 and erased_at is null order by id limit $1"
        );
        const NOTE: &str = "
            update contacts set is_indexed = 1, customer_id = $1
            where id = $2 and version = $3 and is_indexed = 0 and coalesce(deleted_at, 0) = coalesce($4, 0)";
        let rows = self.scan(SQL, values![INDEXED_AT_ONCE]).await?;
        let mut change = Change::new();
        for row in &rows {
            let contact = read(row)?;
            let values = values![
                contact.customer.0,
                contact.id.0,
                contact.version,
                contact.deleted_at,
            ];
            change.expect_one(NOTE, values, conflict(contact.id));
            change.index_contact(&contact);
        }
        self.commit(change).await?;
        Ok(rows.len() as i64 == INDEXED_AT_ONCE)
    }
}

fn read(row: &Row) -> Result<Contact, StoreError> {
    let reseller = ResellerId(row.int(1)?);
    Ok(Contact {
        id: ContactId(row.int(0)?),
        reseller,
        // An older release knew no customers.
        customer: match row.int(2)? {
            0 => CustomerId::itself(reseller),
            id => CustomerId(id),
        },
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
