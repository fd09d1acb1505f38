//! Contacts: create, look up, delete.

use chancery_domain::contact_details::ContactDetails;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Attributes, Contact, ContactId, Role};
use chancery_domain::customers::CustomerId;
use chancery_domain::resellers::Reseller;
use chancery_store::{Change, Sequence, StoreError};

use crate::{App, AppError, Noun, Refusal};

/// A contact to be created.
#[derive(Clone, Debug)]
pub struct NewContact {
    /// Whose among the reseller's customers.
    pub customer: CustomerId,
    /// In what role.
    pub role: Role,
    /// Of what type.
    pub kind: ContactType,
    /// Who and where.
    pub details: ContactDetails,
    /// What its type wants to know beside.
    pub attributes: Attributes,
}

impl NewContact {
    /// One behind orders for certificates, of the reseller itself.
    pub fn of_reseller(reseller: &Reseller, role: Role, details: ContactDetails) -> Self {
        Self {
            customer: CustomerId::itself(reseller.id),
            role,
            kind: ContactType::GENERAL,
            details,
            attributes: Attributes::new(),
        }
    }
}

impl App {
    /// Creates contacts, all or none, in the order given.
    pub async fn create_contacts(
        &self,
        reseller: &Reseller,
        asked: Vec<NewContact>,
    ) -> Result<Vec<Contact>, AppError> {
        let mut contacts = Vec::with_capacity(asked.len());
        let mut change = Change::new();
        for new in asked {
            let id = ContactId(self.store.next_id(Sequence::Contact).await?);
            let now = self.clock.now();
            let contact = Contact {
                id,
                reseller: reseller.id,
                customer: new.customer,
                role: new.role,
                kind: new.kind,
                details: new.details,
                attributes: new.attributes,
                created_at: now,
                modified_at: now,
                deleted_at: None,
                version: 1,
            };
            change.insert_contact(&contact);
            contacts.push(contact);
        }
        self.store.commit(change).await?;
        Ok(contacts)
    }

    /// A contact of the reseller's.
    pub async fn contact(&self, reseller: &Reseller, id: ContactId) -> Result<Contact, AppError> {
        let missing = || AppError::NotFound {
            what: Noun::Contact,
            id: id.to_string(),
        };
        self.store
            .contact(reseller.id, id)
            .await?
            .ok_or_else(missing)
    }

    /// Deletes a contact that stands behind no living order and no organization.
    pub async fn delete_contact(&self, reseller: &Reseller, id: ContactId) -> Result<(), AppError> {
        let contact = self.contact(reseller, id).await?;
        let now = self.clock.now();
        if self
            .store
            .is_contact_in_use(reseller.id, contact.id, now)
            .await?
        {
            return Err(Refusal::ContactInUse(contact.id).into());
        }
        if self
            .store
            .is_contact_of_organization(reseller.id, contact.id)
            .await?
        {
            return Err(Refusal::ContactInUse(contact.id).into());
        }
        let mut change = Change::new();
        change.delete_contact(reseller.id, contact.id, now);
        match self.store.commit(change).await {
            Ok(_) => Ok(()),
            // Someone else deleted it since we looked.
            Err(StoreError::Conflict { .. }) => Err(AppError::NotFound {
                what: Noun::Contact,
                id: id.to_string(),
            }),
            Err(other) => Err(other.into()),
        }
    }
}
