//! Customers of resellers. Deleted ones stay in the table, for the contacts that belong to them; of erased ones
//! nothing is left but that they were there.
//!
//! A user name is one customer's among those of a reseller that are not deleted: a unique index sees to it.
//! Every change set that writes a profile also writes what searches find it by; deleted customers are found, too,
//! by who asks for them. Hashes of passwords are read by nobody but who proves one.

use chancery_domain::Timestamp;
use chancery_domain::contacts::ContactId;
use chancery_domain::customers::{
    Customer, CustomerEvent, CustomerEventKind, CustomerId, CustomerProfile, Username,
};
use chancery_domain::events::Actor;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::search_texts::SearchField;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// What the insertion of a customer is refused as whose user name is taken.
pub const USERNAME: &str = "username";

/// The columns that [`read`] reads, in its order.
macro_rules! columns {
    () => {
        "c.id, c.reseller_id, c.profile, c.created_at, c.modified_at, c.deleted_at, c.temporary_until,
            c.version"
    };
}
pub(crate) use columns;

/// What customers are found by, in the order of [`texts`]. Owners of contacts' texts have ids like those of
/// resellers, so the fields have names of their own.
pub(crate) const FIELDS: [SearchField; 5] = [
    SearchField::by_beginning("customer username"),
    SearchField::by_words("customer company"),
    SearchField::by_words("customer name"),
    SearchField::by_words("customer city"),
    SearchField::by_words("customer state"),
];

/// The hashes of a customer's passwords, as PHC strings. They do not print.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct PasswordHashes {
    /// Of the one it chose.
    pub chosen: Option<String>,
    /// Of the one it was given for a while.
    pub temporary: Option<String>,
}

/// What is on record of a customer, erased or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerRecord {
    /// All of it; what it says of itself is gone, if it is erased.
    pub customer: Customer,
    /// When it was erased.
    pub erased_at: Option<Timestamp>,
}

impl Change {
    /// Inserts a customer with the hash of its password; refused as [`USERNAME`] where that is taken.
    pub fn insert_customer(&mut self, customer: &Customer, password: Option<&str>) {
        const SQL: &str = "
            insert into customers (id, reseller_id, username, profile, password, created_at, modified_at,
                version)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        let profile = customer.profile.as_ref();
        self.expect_one(
            SQL,
            values![
                customer.id.0,
                customer.reseller.0,
                profile.map(|profile| profile.username.as_str()),
                profile.map(to_json),
                password,
                customer.created_at,
                customer.modified_at,
                customer.version,
            ],
            Failure::Refused(USERNAME),
        );
        self.index_customer(customer);
    }

    /// Saves a customer's profile over the one that was read; a conflict if that has changed since, or if another
    /// customer has the user name.
    pub fn save_customer(&mut self, read: &Customer, customer: &Customer) {
        const SQL: &str = "
            update customers set username = $1, profile = $2, modified_at = $3, version = version + 1
            where id = $4 and version = $5 and deleted_at is null";
        let profile = customer.profile.as_ref();
        self.expect_one(
            SQL,
            values![
                profile.map(|profile| profile.username.as_str()),
                profile.map(to_json),
                customer.modified_at,
                read.id.0,
                read.version,
            ],
            conflict(read.id),
        );
        for (field, text) in texts(read) {
            self.delete_search_text(read.reseller.0, field, read.id.0, &text);
        }
        self.index_customer(customer);
    }

    /// Gives a customer the password of this hash, which ends every other; a conflict if the customer has changed
    /// since it was read.
    pub fn set_password(&mut self, read: &Customer, hash: &str, now: Timestamp) {
        const SQL: &str = "
            update customers set password = $1, temporary_password = null, temporary_until = null,
                modified_at = $2, version = version + 1
            where id = $3 and version = $4 and deleted_at is null";
        self.lane(read.reseller.0);
        let values = values![hash, now, read.id.0, read.version];
        self.expect_one(SQL, values, conflict(read.id));
    }

    /// Gives a customer a password for a while, beside its own and in the place of one given before; a conflict
    /// if the customer has changed since it was read.
    pub fn set_temporary_password(&mut self, read: &Customer, hash: &str, until: Timestamp) {
        const SQL: &str = "
            update customers set temporary_password = $1, temporary_until = $2, version = version + 1
            where id = $3 and version = $4 and deleted_at is null";
        let values = values![hash, until, read.id.0, read.version];
        self.expect_one(SQL, values, conflict(read.id));
    }

    /// Deletes a customer, its passwords with it; a conflict if it has changed since it was read.
    pub fn delete_customer(&mut self, read: &Customer, now: Timestamp) {
        const SQL: &str = "
            update customers set deleted_at = $1, modified_at = $1, password = null,
                temporary_password = null, temporary_until = null, version = version + 1
            where id = $2 and version = $3 and deleted_at is null";
        self.lane(read.reseller.0);
        let values = values![now, read.id.0, read.version];
        self.expect_one(SQL, values, conflict(read.id));
    }

    /// Removes all that identifies a person from a deleted customer, and whatever it had but contacts, what these
    /// are found by included; a conflict if it has changed since it was read, or if a contact of it is not erased.
    pub fn erase_customer(&mut self, read: &Customer, now: Timestamp) {
        const SQL: &str = "
            update customers set username = null, profile = null, password = null,
                temporary_password = null, temporary_until = null, erased_at = $1, modified_at = $1,
                version = version + 1
            where id = $2 and version = $3 and deleted_at is not null and erased_at is null";
        const CONTACTS: &str = "
            select 1 from contacts where customer_id = $1 and erased_at is null limit 1";
        const HAD: [&str; 4] = [
            "delete from customer_tokens where customer_id = $1",
            "delete from password_mails where customer_id = $1",
            "delete from contact_defaults where customer_id = $1",
            "delete from search_texts where owner_id = $1 and field not like 'customer %'",
        ];
        let id = read.id.0;
        self.lane(read.reseller.0);
        self.expect_one(SQL, values![now, id, read.version], conflict(read.id));
        self.expect_found(CONTACTS, values![id], 0, conflict(read.id));
        for sql in HAD {
            self.execute(sql, values![id]);
        }
        for field in FIELDS {
            self.delete_search_texts(read.reseller.0, field, id);
        }
        self.forget_told_addresses_of(read);
    }

    /// Appends a line to a customer's history.
    pub fn insert_customer_event(&mut self, event: &CustomerEvent) {
        const SQL: &str = "
            insert into customer_events (id, customer_id, at, actor, kind, detail)
            values ($1, $2, $3, $4, $5, $6)";
        self.execute(
            SQL,
            values![
                event.id,
                event.customer.0,
                event.at,
                event.actor.as_str(),
                event.kind.as_str(),
                event.detail.as_deref(),
            ],
        );
    }

    fn index_customer(&mut self, customer: &Customer) {
        for (field, text) in texts(customer) {
            self.insert_search_text(customer.reseller.0, field, customer.id.0, &text);
        }
    }
}

impl Store {
    /// A reseller's customer, unless it is deleted.
    pub async fn customer(
        &self,
        reseller: ResellerId,
        id: CustomerId,
    ) -> Result<Option<Customer>, StoreError> {
        let found = self.customer_or_deleted(reseller, id).await?;
        Ok(found.filter(|customer| customer.deleted_at.is_none()))
    }

    /// A reseller's customer, deleted or not, unless it is erased.
    pub async fn customer_or_deleted(
        &self,
        reseller: ResellerId,
        id: CustomerId,
    ) -> Result<Option<Customer>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from customers c where c.id = $1 and c.reseller_id = $2 and c.erased_at is null"
        );
        let row = self.query_one(SQL, values![id.0, reseller.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// The reseller's customer of a user name, unless it is deleted.
    pub async fn customer_of_username(
        &self,
        reseller: ResellerId,
        username: &Username,
    ) -> Result<Option<Customer>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from customers c where c.reseller_id = $1 and c.username = $2 and c.deleted_at is null"
        );
        let values = values![reseller.0, username.as_str()];
        let row = self.query_one(SQL, values).await?;
        row.as_ref().map(read).transpose()
    }

    /// What is on record of a customer, whoever's it is: for operators.
    pub async fn customer_record(
        &self,
        id: CustomerId,
    ) -> Result<Option<CustomerRecord>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            ", c.erased_at from customers c where c.id = $1"
        );
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read_record).transpose()
    }

    /// So many customers of a reseller's whose ids are above one: for operators.
    pub async fn customer_records(
        &self,
        reseller: ResellerId,
        after: CustomerId,
        limit: u32,
    ) -> Result<Vec<CustomerRecord>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            ", c.erased_at from customers c where c.reseller_id = $1 and c.id > $2 order by c.id limit $3"
        );
        let values = values![reseller.0, after.0, limit];
        let rows = self.scan(SQL, values).await?;
        rows.iter().map(read_record).collect()
    }

    /// Any customer that is not deleted, for the platform's own work.
    pub async fn any_customer(&self, id: CustomerId) -> Result<Option<Customer>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            columns!(),
            " from customers c where c.id = $1 and c.deleted_at is null"
        );
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// The hashes of a customer's passwords that serve at a moment.
    pub async fn password_hashes(
        &self,
        id: CustomerId,
        now: Timestamp,
    ) -> Result<PasswordHashes, StoreError> {
        const SQL: &str = "
            select password, case when temporary_until > $2 then temporary_password end
            from customers where id = $1 and deleted_at is null";
        let row = self.query_one(SQL, values![id.0, now]).await?;
        row.map_or(Ok(PasswordHashes::default()), |row| {
            Ok(PasswordHashes {
                chosen: row.opt_string(0)?,
                temporary: row.opt_string(1)?,
            })
        })
    }

    /// The contacts of a customer that are not deleted.
    pub async fn contact_ids_of_customer(
        &self,
        id: CustomerId,
    ) -> Result<Vec<ContactId>, StoreError> {
        const SQL: &str = "
            select id from contacts where customer_id = $1 and deleted_at is null order by id";
        let rows = self.scan(SQL, values![id.0]).await?;
        rows.iter().map(|row| Ok(ContactId(row.int(0)?))).collect()
    }

    /// A contact of a customer's that an order in its term or an organization names.
    pub async fn contact_of_customer_in_use(
        &self,
        customer: &Customer,
        now: Timestamp,
    ) -> Result<Option<ContactId>, StoreError> {
        // The lists are made once, however many contacts there are.
        const SQL: &str = "
            select id from contacts
            where customer_id = $1 and deleted_at is null and id in (
                select administrator_id from orders where reseller_id = $2
                    and (state = 'open' or (state = 'active' and expires_at > $3))
                union all
                select technical_id from orders where reseller_id = $2
                    and (state = 'open' or (state = 'active' and expires_at > $3))
                union all
                select technical_id from organizations
                where reseller_id = $2 and technical_id is not null)
            order by id limit 1";
        let values = values![customer.id.0, customer.reseller.0, now];
        let rows = self.scan(SQL, values).await?;
        let id = rows.first().map(|row| row.int(0)).transpose()?;
        Ok(id.map(ContactId))
    }

    /// A customer's history, the oldest line first.
    pub async fn customer_events(&self, id: CustomerId) -> Result<Vec<CustomerEvent>, StoreError> {
        const SQL: &str = "
            select id, customer_id, at, actor, kind, detail from customer_events
            where customer_id = $1 order by at, id";
        let rows = self.scan(SQL, values![id.0]).await?;
        rows.iter().map(read_event).collect()
    }
}

/// What searches find a customer by, field by field.
pub(crate) fn texts(customer: &Customer) -> Vec<(SearchField, String)> {
    let Some(CustomerProfile {
        username, details, ..
    }) = &customer.profile
    else {
        return Vec::new();
    };
    let texts = [
        username.as_str().to_owned(),
        details.company.clone(),
        details.name.full().into_owned(),
        details.city.clone(),
        details.state.clone(),
    ];
    FIELDS.into_iter().zip(texts).collect()
}

fn conflict(id: CustomerId) -> Failure {
    Failure::Conflict {
        what: "customer",
        id: id.0,
    }
}

pub(crate) fn read(row: &Row) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: CustomerId(row.int(0)?),
        reseller: ResellerId(row.int(1)?),
        profile: row.opt_string(2)?.map(|_| row.json(2)).transpose()?,
        created_at: row.timestamp(3)?,
        modified_at: row.timestamp(4)?,
        deleted_at: row.opt_timestamp(5)?,
        temporary_until: row.opt_timestamp(6)?,
        version: row.int(7)?,
    })
}

fn read_record(row: &Row) -> Result<CustomerRecord, StoreError> {
    Ok(CustomerRecord {
        customer: read(row)?,
        erased_at: row.opt_timestamp(8)?,
    })
}

fn read_event(row: &Row) -> Result<CustomerEvent, StoreError> {
    Ok(CustomerEvent {
        id: row.int(0)?,
        customer: CustomerId(row.int(1)?),
        at: row.timestamp(2)?,
        actor: row.parsed(3, Actor::parse)?,
        kind: row.parsed(4, CustomerEventKind::parse)?,
        detail: row.opt_string(5)?,
    })
}
