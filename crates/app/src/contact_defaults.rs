//! Default contacts: whom a customer's orders name, by contact type, where they name nobody.

use std::collections::BTreeMap;

use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, ContactId, DefaultContacts};
use chancery_domain::customers::{CustomerEventKind, CustomerId};
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::resellers::Reseller;
use chancery_store::{Change, StoreError};

use crate::jobs::CONFLICT_TRIES;
use crate::{App, AppError};

/// A customer's default contacts of a type, and who they are.
#[derive(Clone, Debug)]
pub struct DefaultsReport {
    /// Of which type.
    pub kind: ContactType,
    /// Who in which role.
    pub defaults: DefaultContacts,
    /// Those of them that are not erased, by id.
    pub contacts: BTreeMap<ContactId, Contact>,
}

impl App {
    /// A customer's default contacts of these types; a type that has none is left out.
    pub async fn default_contacts(
        &self,
        reseller: &Reseller,
        customer: CustomerId,
        kinds: &[ContactType],
    ) -> Result<Vec<DefaultsReport>, AppError> {
        self.customer_of(reseller, customer).await?;
        let mut reports = Vec::new();
        for kind in kinds {
            let Some(defaults) = self.store.default_contacts(customer, *kind).await? else {
                continue;
            };
            let contacts = self.contacts_named(customer, &defaults).await?;
            reports.push(DefaultsReport {
                kind: *kind,
                defaults,
                contacts: contacts
                    .into_iter()
                    .map(|contact| (contact.id, contact))
                    .collect(),
            });
        }
        Ok(reports)
    }

    async fn contacts_named(
        &self,
        customer: CustomerId,
        defaults: &DefaultContacts,
    ) -> Result<Vec<Contact>, AppError> {
        let ids: Vec<i64> = defaults.contacts().iter().map(|id| id.0).collect();
        Ok(self.store.contacts_of(customer, &ids).await?)
    }

    /// Sets a customer's default contacts of these types, all to the same: contacts of its own that are not
    /// deleted, of whatever type.
    pub async fn set_default_contacts(
        &self,
        reseller: &Reseller,
        customer: CustomerId,
        kinds: &[ContactType],
        defaults: DefaultContacts,
    ) -> Result<Vec<DefaultsReport>, AppError> {
        for _ in 0..CONFLICT_TRIES {
            self.check_defaults(reseller, customer, &defaults).await?;
            let mut change = Change::new();
            change.expect_customer(reseller.id, customer);
            change.expect_contacts(reseller.id, defaults.contacts());
            for kind in kinds {
                change.set_default_contacts(customer, *kind, &defaults);
            }
            let types: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            let (event, types) = (CustomerEventKind::DefaultsSet, types.join(", "));
            self.note_customer(&mut change, customer, event, Some(types))
                .await?;
            match self.store.commit(change).await {
                Ok(_) => return self.default_contacts(reseller, customer, kinds).await,
                // The customer or a contact was deleted since we looked.
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    /// Whether a customer can have these default contacts.
    async fn check_defaults(
        &self,
        reseller: &Reseller,
        customer: CustomerId,
        defaults: &DefaultContacts,
    ) -> Result<(), AppError> {
        self.customer_of(reseller, customer).await?;
        let found = self.contacts_named(customer, defaults).await?;
        let is_there = |id: ContactId| {
            let mut living = found.iter().filter(|contact| contact.deleted_at.is_none());
            living.any(|contact| contact.id == id)
        };
        let roles = defaults.roles().into_iter();
        let named = roles.filter_map(|(role, id)| Some((role, id?)));
        let faults: Vec<FieldError> = named
            .filter(|(_, id)| !is_there(*id))
            .map(|(role, id)| FieldError {
                field: Field::DefaultContact(role),
                problem: Problem::Unknown(id.to_string()),
            })
            .collect();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(AppError::Invalid(faults)),
        }
    }
}
