//! Default contacts: whom a customer's orders name, by contact type, where they name nobody.

use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{ContactId, DefaultContacts};
use chancery_domain::customers::CustomerId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Sets a customer's default contacts of a type.
    pub fn set_default_contacts(
        &mut self,
        customer: CustomerId,
        kind: ContactType,
        defaults: &DefaultContacts,
    ) {
        const SQL: &str = "
            insert into contact_defaults (customer_id, kind, registrant_id, administrator_id, technical_id,
                billing_id)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (customer_id, kind) do update
            set registrant_id = excluded.registrant_id, administrator_id = excluded.administrator_id,
                technical_id = excluded.technical_id, billing_id = excluded.billing_id";
        let id = |contact: Option<ContactId>| contact.map(|contact| contact.0);
        self.execute(
            SQL,
            values![
                customer.0,
                kind.as_str(),
                id(defaults.registrant),
                id(defaults.administrator),
                id(defaults.technical),
                id(defaults.billing),
            ],
        );
    }
}

impl Store {
    /// A customer's default contacts of a type.
    pub async fn default_contacts(
        &self,
        customer: CustomerId,
        kind: ContactType,
    ) -> Result<Option<DefaultContacts>, StoreError> {
        const SQL: &str = "
            select registrant_id, administrator_id, technical_id, billing_id
            from contact_defaults where customer_id = $1 and kind = $2";
        let row = self
            .query_one(SQL, values![customer.0, kind.as_str()])
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Whether a contact is a default one of a customer's that is not deleted.
    pub async fn is_default_contact(
        &self,
        customer: CustomerId,
        contact: ContactId,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            select 1 from contact_defaults
            where customer_id = $1 and $2 in (registrant_id, administrator_id, technical_id, billing_id)
                and exists (select 1 from customers where id = $1 and deleted_at is null)
            limit 1";
        let rows = self.query(SQL, values![customer.0, contact.0]).await?;
        Ok(!rows.is_empty())
    }
}

fn read(row: &Row) -> Result<DefaultContacts, StoreError> {
    let contact = |column| Ok::<_, StoreError>(row.opt_int(column)?.map(ContactId));
    Ok(DefaultContacts {
        registrant: contact(0)?,
        administrator: contact(1)?,
        technical: contact(2)?,
        billing: contact(3)?,
    })
}
