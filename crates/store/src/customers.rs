//! Customers of resellers. Deleted ones stay in the table, for the contacts that belong to them.

use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::resellers::ResellerId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Inserts a customer, without a password.
    pub fn insert_customer(&mut self, customer: &Customer) {
        const SQL: &str = "
            insert into customers (id, reseller_id, username, profile, created_at, modified_at, version)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let profile = customer.profile.as_ref();
        self.execute(
            SQL,
            values![
                customer.id.0,
                customer.reseller.0,
                profile.map(|profile| profile.username.as_str()),
                profile.map(to_json),
                customer.created_at,
                customer.modified_at,
                customer.version,
            ],
        );
    }
}

impl Store {
    /// A reseller's customer that is not deleted.
    pub async fn customer(
        &self,
        reseller: ResellerId,
        id: CustomerId,
    ) -> Result<Option<Customer>, StoreError> {
        const SQL: &str = "
            select id, reseller_id, profile, created_at, modified_at, deleted_at, version
            from customers where id = $1 and reseller_id = $2 and deleted_at is null";
        let row = self.query_one(SQL, values![id.0, reseller.0]).await?;
        row.map(|row| read(&row)).transpose()
    }
}

fn read(row: &Row) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: CustomerId(row.int(0)?),
        reseller: ResellerId(row.int(1)?),
        profile: row.opt_string(2)?.map(|_| row.json(2)).transpose()?,
        created_at: row.timestamp(3)?,
        modified_at: row.timestamp(4)?,
        deleted_at: row.opt_timestamp(5)?,
        version: row.int(6)?,
    })
}
