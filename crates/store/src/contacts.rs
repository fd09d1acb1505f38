//! Contacts. Deleted ones stay in the table, for the orders that name them, and can be looked at; of erased
//! ones nothing is left but that they were there.
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
use crate::search_texts::{LOOKED_AT_MOST, SearchField};
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// What is on record of a contact, erased or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContactRecord {
    /// Its id.
    pub id: ContactId,
    /// Whose contact.
    pub reseller: ResellerId,
    /// Whose among the reseller's customers.
    pub customer: CustomerId,
    /// Of what type.
    pub kind: ContactType,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// When it was erased.
    pub erased_at: Option<Timestamp>,
    /// All of it, unless it is erased.
    pub contact: Option<Contact>,
}

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
    SearchField::by_words("name"),
    SearchField::by_words("company"),
    SearchField::by_beginning("email"),
];

/// The same of deleted ones.
pub(crate) const DELETED: [SearchField; 3] = [
    SearchField::by_words("deleted name"),
    SearchField::by_words("deleted company"),
    SearchField::by_beginning("deleted email"),
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

    /// Makes sure that a sponsor about to be inserted will be the only one of its name and company among its
    /// customer's; a conflict if there is one already.
    pub fn expect_no_sponsor_like(&mut self, sponsor: &Contact) {
        const SQL: &str = "
            select 1 from search_texts where owner_id = $1 and field = $2 and text = $3 limit 1";
        self.lane(sponsor.reseller.0);
        let text = sponsor_text(&sponsor.details.name.full(), &sponsor.details.company);
        let values = values![sponsor.customer.0, SPONSOR.name, text];
        self.expect_found(SQL, values, 0, conflict(sponsor.id));
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
        self.erase_contact_with_customer(read, now);
        // Whatever the texts are: an older release changes and deletes contacts without taking them along.
        for field in LIVING.into_iter().chain(DELETED).chain([SPONSOR]) {
            self.delete_search_texts(read.customer.0, field, read.id.0);
        }
        self.forget_told_addresses(read.reseller, read.id);
    }

    /// The same in a set that erases the contact's customer, which takes what is kept elsewhere with it, that of
    /// all contacts at once.
    pub fn erase_contact_with_customer(&mut self, read: &Contact, now: Timestamp) {
        const SQL: &str = "
            update contacts set details = '{}', attributes = '{}', erased_at = $1, modified_at = $1,
                version = version + 1, is_indexed = 1
            where id = $2 and reseller_id = $3 and version = $4 and erased_at is null
                and deleted_at is not null";
        let values = values![now, read.id.0, read.reseller.0, read.version];
        self.expect_one(SQL, values, conflict(read.id));
    }

    fn index_contact(&mut self, contact: &Contact) {
        for (field, text) in indexed(contact) {
            self.insert_search_text(contact.customer.0, field, contact.id.0, &text);
        }
        if let Some(text) = known_as_sponsor(contact) {
            self.insert_whole_text(contact.customer.0, SPONSOR, contact.id.0, &text);
        }
    }

    fn forget_contact(&mut self, contact: &Contact) {
        for (field, text) in indexed(contact) {
            self.delete_search_text(contact.customer.0, field, contact.id.0, &text);
        }
        if let Some(text) = known_as_sponsor(contact) {
            self.delete_whole_text(contact.customer.0, SPONSOR, contact.id.0, &text);
        }
    }
}

/// What searches find a contact by.
pub(crate) fn indexed(contact: &Contact) -> [(SearchField, String); 3] {
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

/// What sponsors of a customer's are known as.
const SPONSOR: SearchField = SearchField::by_words("sponsor");

fn known_as_sponsor(contact: &Contact) -> Option<String> {
    let is_one = contact.kind == ContactType::SPONSOR && contact.deleted_at.is_none();
    is_one.then(|| sponsor_text(&contact.details.name.full(), &contact.details.company))
}

/// Name and company, apart by what neither can have in it.
fn sponsor_text(name: &str, company: &str) -> String {
    format!("{name}\u{1f}{company}")
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

    /// A customer's sponsors, in the order of their ids.
    pub async fn sponsors(&self, customer: CustomerId) -> Result<Vec<Contact>, StoreError> {
        const SQL: &str = "
            select subject_id from search_texts where owner_id = $1 and field = $2 limit $3";
        let most = LOOKED_AT_MOST as i64;
        let rows = self
            .scan(SQL, values![customer.0, SPONSOR.name, most])
            .await?;
        let ids: Vec<i64> = rows
            .iter()
            .map(|row| row.int(0))
            .collect::<Result<_, _>>()?;
        self.contacts_of(customer, &ids).await
    }

    /// A customer's sponsor of this name and company.
    pub async fn sponsor(
        &self,
        customer: CustomerId,
        name: &str,
        company: &str,
    ) -> Result<Option<ContactId>, StoreError> {
        const SQL: &str = "
            select subject_id from search_texts
            where owner_id = $1 and field = $2 and text = $3 order by subject_id limit 1";
        let values = values![customer.0, SPONSOR.name, sponsor_text(name, company)];
        let row = self.query_one(SQL, values).await?;
        row.map(|row| Ok(ContactId(row.int(0)?))).transpose()
    }

    /// What is on record of a contact, whoever's it is: for operators.
    pub async fn contact_record(&self, id: ContactId) -> Result<Option<ContactRecord>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            ", erased_at from contacts where id = $1"
        );
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read_record).transpose()
    }

    /// So many contacts of a reseller's, of one customer or of all, whose ids are above one: for operators.
    pub async fn contact_records(
        &self,
        reseller: ResellerId,
        customer: Option<CustomerId>,
        after: ContactId,
        limit: u32,
    ) -> Result<Vec<ContactRecord>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            ", erased_at from contacts
            where reseller_id = $1 and id > $2 and (cast($3 as bigint) = 0 or customer_id = $3)
            order by id limit $4"
        );
        let customer = customer.map_or(0, |customer| customer.0);
        let values = values![reseller.0, after.0, customer, limit];
        let rows = self.scan(SQL, values).await?;
        rows.iter().map(read_record).collect()
    }

    /// The same of those whose e-mail address begins with a text.
    pub async fn contact_records_by_email(
        &self,
        reseller: ResellerId,
        customer: Option<CustomerId>,
        email: &str,
        after: ContactId,
        limit: u32,
    ) -> Result<Vec<ContactRecord>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            ", erased_at from contacts
            where reseller_id = $1 and id > $2 and (cast($3 as bigint) = 0 or customer_id = $3)
                and id in (
                    select s.subject_id from customers c join search_texts s on s.owner_id = c.id
                    where c.reseller_id = $1 and s.field in ('email', 'deleted email')
                        and s.text >= $5 and s.text < $6)
            order by id limit $4"
        );
        let Some([from, before]) = LIVING[2].range(email) else {
            return Ok(Vec::new());
        };
        let customer = customer.map_or(0, |customer| customer.0);
        let values = values![reseller.0, after.0, customer, limit, from, before];
        let rows = self.scan(SQL, values).await?;
        rows.iter().map(read_record).collect()
    }

    /// The contacts of a customer that are not erased, deleted ones among them.
    pub async fn records_of_customer(
        &self,
        id: CustomerId,
    ) -> Result<Vec<ContactRecord>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            ", erased_at from contacts where customer_id = $1 and erased_at is null order by id"
        );
        let rows = self.scan(SQL, values![id.0]).await?;
        rows.iter().map(read_record).collect()
    }

    /// The end of the last certificate of an order that names a contact.
    pub async fn last_certificate_of_contact(
        &self,
        reseller: ResellerId,
        contact: ContactId,
    ) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "
            select max(c.not_after) from orders o join certificates c on c.order_id = o.id
            where o.reseller_id = $1 and (o.administrator_id = $2 or o.technical_id = $2)";
        let rows = self.scan(SQL, values![reseller.0, contact.0]).await?;
        rows.first().map_or(Ok(None), |row| row.opt_timestamp(0))
    }

    /// Indexes some contacts that an older release has left, and gives them the customer that is the reseller;
    /// and makes that customer where an older release has made a reseller. Whether there may be more to do.
    pub async fn index_contacts(&self) -> Result<bool, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from contacts where is_indexed = 0 order by id limit $1"
        );
        const NOTE: &str = "
            update contacts set is_indexed = 1, customer_id = $1
            where id = $2 and version = $3 and is_indexed = 0 and coalesce(deleted_at, 0) = coalesce($4, 0)";
        const CUSTOMERS: &str = "
            insert into customers (id, reseller_id, created_at, modified_at, version)
            select id, id, created_at, created_at, 1 from resellers
            where not exists (select 1 from customers c where c.id = resellers.id)
            on conflict (id) do nothing";
        const WITHOUT: &str = "
            select count(*) from resellers
            where not exists (select 1 from customers c where c.id = resellers.id)";
        // One that cannot be read must not keep the others from their turn.
        const PASS: &str = "
            update contacts set is_indexed = 1,
                customer_id = case when customer_id = 0 then reseller_id else customer_id end
            where id = $1 and is_indexed = 0";
        let rows = self.scan(SQL, values![INDEXED_AT_ONCE]).await?;
        let without = self.query_one(WITHOUT, Vec::new()).await?;
        let mut change = Change::new();
        if without.map_or(Ok(0), |row| row.int(0))? > 0 {
            change.execute(CUSTOMERS, Vec::new());
        }
        for row in &rows {
            let contact = match read(row) {
                Ok(contact) => contact,
                Err(error) => {
                    let id = row.int(0)?;
                    tracing::error!(contact.id = id, %error, "a contact is not indexed");
                    change.execute(PASS, values![id]);
                    continue;
                }
            };
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

fn read_record(row: &Row) -> Result<ContactRecord, StoreError> {
    let erased_at = row.opt_timestamp(11)?;
    let reseller = ResellerId(row.int(1)?);
    Ok(ContactRecord {
        id: ContactId(row.int(0)?),
        reseller,
        customer: customer(row.int(2)?, reseller),
        kind: row.parsed(4, ContactType::parse_any)?,
        created_at: row.timestamp(7)?,
        deleted_at: row.opt_timestamp(9)?,
        erased_at,
        contact: match erased_at {
            None => Some(read(row)?),
            Some(_) => None,
        },
    })
}

/// An older release knew no customers.
fn customer(id: i64, reseller: ResellerId) -> CustomerId {
    match id {
        0 => CustomerId::itself(reseller),
        id => CustomerId(id),
    }
}

fn read(row: &Row) -> Result<Contact, StoreError> {
    let reseller = ResellerId(row.int(1)?);
    Ok(Contact {
        id: ContactId(row.int(0)?),
        reseller,
        customer: customer(row.int(2)?, reseller),
        role: row.parsed(3, Role::parse)?,
        kind: row.parsed(4, ContactType::parse_any)?,
        details: row.json(5)?,
        attributes: row.json(6)?,
        created_at: row.timestamp(7)?,
        modified_at: row.timestamp(8)?,
        deleted_at: row.opt_timestamp(9)?,
        version: row.int(10)?,
    })
}
