//! Customers: sign up, look up, search, change, delete.
//!
//! A customer who signs up gets a contact of the general type with its details, which is its default in every
//! role. The customer that is the reseller itself is there from the beginning and stays.

use chancery_domain::Timestamp;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Attributes, ContactEventKind, DefaultContacts, Role};
use chancery_domain::customer_profiles::RawCustomer;
use chancery_domain::customers::{
    Customer, CustomerEvent, CustomerEventKind, CustomerField, CustomerId, CustomerProfile,
    Username,
};
use chancery_domain::events::Actor;
use chancery_domain::fields::{Field, FieldError};
use chancery_domain::passwords::Password;
use chancery_domain::resellers::Reseller;
use chancery_store::customer_searches::{CustomerFilter, CustomerPage};
use chancery_store::customers::USERNAME;
use chancery_store::{Change, Sequence, StoreError};

use crate::passwords::password_fault;
use crate::{App, AppError, NewContact, Noun, Refusal, jobs};

/// How many contacts are deleted with a customer at most: they are one change set, which holds up others.
const DELETED_AT_ONCE: usize = 2_000;

impl App {
    /// Makes a customer of the reseller's, with its default contact.
    pub async fn sign_up(
        &self,
        reseller: &Reseller,
        asked: RawCustomer,
        password: Option<Password>,
    ) -> Result<Customer, AppError> {
        let mut faults = Vec::new();
        let username = asked.username.as_deref().and_then(Username::parse);
        if self.is_taken(reseller, username.as_ref(), None).await? {
            faults.push(taken());
        }
        faults.extend(password_fault(password.as_ref()));
        let (profile, password) = match (CustomerProfile::check(asked), password) {
            (Ok(profile), Some(password)) if faults.is_empty() => (profile, password),
            (checked, _) => {
                faults.extend(checked.err().unwrap_or_default());
                return Err(AppError::Invalid(faults));
            }
        };
        let hash = self.hash_password(reseller.id, &password).await?;
        let now = self.clock.now();
        let customer = Customer {
            id: CustomerId(self.store.next_id(Sequence::Customer).await?),
            reseller: reseller.id,
            profile: Some(profile),
            created_at: now,
            modified_at: now,
            deleted_at: None,
            temporary_until: None,
            version: 1,
        };
        let mut change = Change::new();
        change.insert_customer(&customer, Some(&hash));
        let kind = CustomerEventKind::SignedUp;
        self.note_customer(&mut change, customer.id, kind, None)
            .await?;
        self.put_default_contact(&mut change, &customer).await?;
        match self.store.commit(change).await {
            Ok(_) => Ok(customer),
            // Someone else took it since we looked.
            Err(StoreError::Refused(USERNAME)) => Err(AppError::field(taken())),
            Err(other) => Err(other.into()),
        }
    }

    async fn put_default_contact(
        &self,
        change: &mut Change,
        customer: &Customer,
    ) -> Result<(), AppError> {
        let Some(profile) = &customer.profile else {
            return Ok(());
        };
        let kind = ContactType::GENERAL;
        let new = NewContact {
            customer: customer.id,
            role: Role::Administrator,
            kind,
            details: profile.contact_details(),
            attributes: Attributes::new(),
        };
        let contact = self.put_contact(change, customer.reseller, new).await?;
        let defaults = DefaultContacts::all(contact.id);
        change.set_default_contacts(customer.id, kind, &defaults);
        Ok(())
    }

    /// A customer of the reseller's, deleted or not.
    pub async fn customer(
        &self,
        reseller: &Reseller,
        id: CustomerId,
    ) -> Result<Customer, AppError> {
        let found = self.store.customer_or_deleted(reseller.id, id).await?;
        found.ok_or_else(|| missing(id))
    }

    /// A customer of the reseller's that is not deleted.
    pub(crate) async fn living_customer(
        &self,
        reseller: &Reseller,
        id: CustomerId,
    ) -> Result<Customer, AppError> {
        let found = self.store.customer(reseller.id, id).await?;
        found.ok_or_else(|| missing(id))
    }

    /// The reseller's customer of a user name, if it is not deleted.
    pub async fn customer_of_username(
        &self,
        reseller: &Reseller,
        username: &str,
    ) -> Result<Customer, AppError> {
        let found = match Username::parse(username) {
            Some(name) => self.store.customer_of_username(reseller.id, &name).await?,
            None => None,
        };
        found.ok_or_else(|| AppError::NotFound {
            what: Noun::CustomerOfName,
            id: username.trim().chars().take(254).collect(),
        })
    }

    /// So many of the reseller's customers that a filter lets through, after leaving out the first `skip`.
    pub async fn search_customers(
        &self,
        reseller: &Reseller,
        filter: &CustomerFilter,
        limit: u32,
        skip: i64,
    ) -> Result<CustomerPage, AppError> {
        let page = self
            .store
            .search_customers(reseller.id, filter, limit, skip)
            .await?;
        Ok(page.ok_or(Refusal::SearchTooWide)?)
    }

    /// Changes what a customer says of itself. Its contacts stay as they are.
    pub async fn change_customer(
        &self,
        reseller: &Reseller,
        id: CustomerId,
        asked: RawCustomer,
    ) -> Result<(), AppError> {
        let checked = CustomerProfile::check(asked.clone());
        let username = asked.username.as_deref().and_then(Username::parse);
        for _ in 0..jobs::CONFLICT_TRIES {
            let read = self.living_customer(reseller, id).await?;
            let mut faults = Vec::new();
            if self.is_taken(reseller, username.as_ref(), Some(id)).await? {
                faults.push(taken());
            }
            let profile = match &checked {
                Ok(profile) if faults.is_empty() => profile,
                Ok(_) => return Err(AppError::Invalid(faults)),
                Err(more) => {
                    faults.extend_from_slice(more);
                    return Err(AppError::Invalid(faults));
                }
            };
            if read.profile.as_ref() == Some(profile) {
                return Ok(());
            }
            let changed = match &read.profile {
                Some(before) => profile.changes_since(before).join(", "),
                None => "everything".to_owned(),
            };
            let customer = Customer {
                profile: Some(profile.clone()),
                modified_at: self.clock.now(),
                ..read.clone()
            };
            let mut change = Change::new();
            change.save_customer(&read, &customer);
            let kind = CustomerEventKind::ProfileChanged;
            self.note_customer(&mut change, id, kind, Some(changed))
                .await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                other => return other.map(drop).map_err(AppError::from),
            }
        }
        Err(AppError::Busy)
    }

    /// Deletes a customer and its contacts, unless one of them is still needed. The reseller itself stays.
    pub async fn delete_customer(
        &self,
        reseller: &Reseller,
        id: CustomerId,
    ) -> Result<(), AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let customer = self.living_customer(reseller, id).await?;
            if customer.is_reseller() {
                return Err(Refusal::CustomerIsReseller.into());
            }
            let now = self.clock.now();
            let mut change = Change::new();
            change.delete_customer(&customer, now);
            change.end_customer_tokens(id);
            change.void_password_mails(id);
            self.delete_contacts(&mut change, &customer, now).await?;
            change.expect_no_contacts(&customer);
            let kind = CustomerEventKind::Deleted;
            self.note_customer(&mut change, id, kind, None).await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                other => return other.map(drop).map_err(AppError::from),
            }
        }
        Err(AppError::Busy)
    }

    /// Deletes a customer's contacts.
    async fn delete_contacts(
        &self,
        change: &mut Change,
        customer: &Customer,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let placed = self.store.orders_placed(customer.reseller).await?;
        let ids = self.store.contact_ids_of_customer(customer.id).await?;
        if ids.len() > DELETED_AT_ONCE {
            return Err(Refusal::TooManyContacts(DELETED_AT_ONCE).into());
        }
        if let Some(used) = self.store.contact_of_customer_in_use(customer, now).await? {
            return Err(Refusal::CustomerInUse(used).into());
        }
        let ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
        let contacts = self.store.contacts_of(customer.id, &ids).await?;
        // One that is gone meanwhile needs no deleting.
        for contact in contacts.iter().filter(|one| one.deleted_at.is_none()) {
            change.expect_unnamed(contact, placed);
            change.save_contact(contact, &contact.deleted(now));
            let (kind, detail) = (ContactEventKind::Deleted, "with its customer".to_owned());
            self.note_contact(change, contact.id, now, kind, Some(detail))
                .await?;
        }
        Ok(())
    }

    /// Adds a line to a customer's history.
    pub(crate) async fn note_customer(
        &self,
        change: &mut Change,
        customer: CustomerId,
        kind: CustomerEventKind,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        change.insert_customer_event(&CustomerEvent {
            id: self.row_id().await?,
            customer,
            at: self.clock.now(),
            actor: Actor::Reseller,
            kind,
            detail,
        });
        Ok(())
    }

    /// Whether another customer of the reseller's than this one has a user name.
    async fn is_taken(
        &self,
        reseller: &Reseller,
        username: Option<&Username>,
        by_other_than: Option<CustomerId>,
    ) -> Result<bool, AppError> {
        let Some(username) = username else {
            return Ok(false);
        };
        let holder = self
            .store
            .customer_of_username(reseller.id, username)
            .await?;
        Ok(holder.is_some_and(|holder| Some(holder.id) != by_other_than))
    }
}

fn missing(id: CustomerId) -> AppError {
    AppError::NotFound {
        what: Noun::Customer,
        id: id.to_string(),
    }
}

fn taken() -> FieldError {
    let field = Field::CustomerPart(CustomerField::Username);
    FieldError::invalid(field, "Username is already taken")
}
