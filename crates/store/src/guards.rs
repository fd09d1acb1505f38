//! What must be there for others to name it: customers for their contacts, contacts for orders, organizations and
//! defaults.
//!
//! Who names a thing makes sure that it is not deleted, and who deletes it, that nothing names it, both in the
//! change set that does it. All of these sets name the lane of the reseller, so that none is applied between
//! another's look and its change. A condition that does not hold is a conflict: read and decide again.

use chancery_domain::contacts::{Contact, ContactId};
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::values;

impl Change {
    /// Makes sure that a customer is there to have something. The one that is the reseller itself always is.
    pub fn expect_customer(&mut self, reseller: ResellerId, customer: CustomerId) {
        const SQL: &str = "select 1 from customers where id = $1 and deleted_at is null";
        if customer == CustomerId::itself(reseller) {
            return;
        }
        self.lane(reseller.0);
        self.expect_found(SQL, values![customer.0], 1, no_customer(customer));
    }

    /// Makes sure that a customer is as it was read, its passwords among it.
    pub fn expect_customer_as_read(&mut self, read: &Customer) {
        const SQL: &str = "
            select 1 from customers where id = $1 and version = $2 and deleted_at is null";
        self.lane(read.reseller.0);
        let values = values![read.id.0, read.version];
        self.expect_found(SQL, values, 1, no_customer(read.id));
    }

    /// Makes sure that a customer has no contact left that is not deleted.
    pub fn expect_no_contacts(&mut self, customer: &Customer) {
        const SQL: &str = "
            select 1 from contacts where customer_id = $1 and deleted_at is null limit 1";
        self.lane(customer.reseller.0);
        let values = values![customer.id.0];
        self.expect_found(SQL, values, 0, no_customer(customer.id));
    }

    /// Makes sure that contacts, four at most, are there to be named. A repeated one counts once.
    pub fn expect_contacts(
        &mut self,
        reseller: ResellerId,
        ids: impl IntoIterator<Item = ContactId>,
    ) {
        const SQL: &str = "
            select 1 from contacts
            where id in ($1, $2, $3, $4) and reseller_id = $5 and deleted_at is null";
        let mut ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let Some(first) = ids.first().copied() else {
            return;
        };
        self.lane(reseller.0);
        let at = |index: usize| ids.get(index).copied().unwrap_or(first);
        let values = values![first, at(1), at(2), at(3), reseller.0];
        let failure = no_contact(ContactId(first));
        self.expect_found(SQL, values, ids.len() as u64, failure);
    }

    /// Makes sure that no organization names a contact, and no order but the first `placed` of its reseller's. What
    /// those are is for the caller to look at before: a long look, of which the next sets should not have to wait
    /// for the end. An order that has ended does not come back.
    pub fn expect_unnamed(&mut self, contact: &Contact, placed: i64) {
        const ORDERS: &str = "
            select 1 from orders
            where reseller_id = $1 and ordinal > $2 and (administrator_id = $3 or technical_id = $3) limit 1";
        const ORGANIZATIONS: &str = "select 1 from organizations where technical_id = $1 limit 1";
        let (reseller, id) = (contact.reseller.0, contact.id.0);
        self.lane(reseller);
        let failure = no_contact(contact.id);
        self.expect_found(ORDERS, values![reseller, placed, id], 0, failure);
        self.expect_found(ORGANIZATIONS, values![id], 0, failure);
    }

    /// Makes sure that a contact is in no default role of a customer's that is not deleted.
    pub fn expect_no_default(&mut self, contact: &Contact) {
        const SQL: &str = "
            select 1 from contact_defaults
            where customer_id = $1 and $2 in (registrant_id, administrator_id, technical_id, billing_id)
                and exists (select 1 from customers where id = $1 and deleted_at is null)
            limit 1";
        self.lane(contact.reseller.0);
        let values = values![contact.customer.0, contact.id.0];
        self.expect_found(SQL, values, 0, no_contact(contact.id));
    }
}

fn no_customer(id: CustomerId) -> Failure {
    Failure::Conflict {
        what: "customer",
        id: id.0,
    }
}

fn no_contact(id: ContactId) -> Failure {
    Failure::Conflict {
        what: "contact",
        id: id.0,
    }
}
