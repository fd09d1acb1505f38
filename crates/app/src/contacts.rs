//! Contacts: create, look up, delete.
//!
//! Whoever makes one makes it here, and whoever changes one leaves a line in its history, in the same change
//! set. What a line tells is which parts changed, never what they were.

use chancery_domain::Timestamp;
use chancery_domain::contact_details::{ContactDetails, RawContactDetails};
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{
    Attributes, Contact, ContactEvent, ContactEventKind, ContactField, ContactId, Role,
};
use chancery_domain::customers::CustomerId;
use chancery_domain::events::Actor;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::resellers::{Reseller, ResellerId};
use chancery_store::{Change, Sequence, StoreError};

use crate::jobs::CONFLICT_TRIES;
use crate::{App, AppError, Noun, Refusal};

/// A contact to be created, all of it checked.
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

/// A contact to be created as it came in, nothing checked.
#[derive(Clone, Debug)]
pub struct ContactRequest {
    /// The number of whose it is among the reseller's customers.
    pub customer: Option<String>,
    /// The name of its type.
    pub kind: Option<String>,
    /// Who and where.
    pub details: RawContactDetails,
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

fn not_found(id: ContactId) -> AppError {
    AppError::NotFound {
        what: Noun::Contact,
        id: id.to_string(),
    }
}

/// The name of a part of a contact that was made without a role.
pub(crate) fn field(part: ContactField) -> Field {
    Field::Contact(Role::Administrator, part)
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
            contacts.push(self.put_contact(&mut change, reseller.id, new).await?);
        }
        self.store.commit(change).await?;
        Ok(contacts)
    }

    /// Creates a contact from what came in. All that is wrong with it is reported at once.
    pub async fn add_contact(
        &self,
        reseller: &Reseller,
        asked: ContactRequest,
    ) -> Result<Contact, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let new = self.checked_contact(reseller, &asked).await?;
            let mut change = Change::new();
            let contact = self.put_contact(&mut change, reseller.id, new).await?;
            match self.store.commit(change).await {
                Ok(_) => return Ok(contact),
                // The customer was deleted since we looked.
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    async fn checked_contact(
        &self,
        reseller: &Reseller,
        asked: &ContactRequest,
    ) -> Result<NewContact, AppError> {
        let mut faults = Vec::new();
        let customer = self
            .asked_customer(reseller, asked.customer.as_deref(), &mut faults)
            .await?;
        let kind = asked.kind.as_deref();
        let known = kind.and_then(ContactType::parse);
        match kind {
            None => faults.push(FieldError::missing(Field::ContactType)),
            Some(name) if known.is_none() => faults.push(unknown(Field::ContactType, name)),
            Some(_) => {}
        }
        let checked = match known {
            Some(kind) => kind.check(field, asked.details.clone(), &asked.attributes),
            // Of an unknown type, nobody knows what else it wants to be told.
            None => ContactType::GENERAL.check(field, asked.details.clone(), &Attributes::new()),
        };
        match (customer, known, checked) {
            (Some(customer), Some(kind), Ok((details, attributes))) => Ok(NewContact {
                customer,
                role: Role::Administrator,
                kind,
                details,
                attributes,
            }),
            (_, _, checked) => {
                faults.extend(checked.err().unwrap_or_default());
                Err(AppError::Invalid(faults))
            }
        }
    }

    /// The customer whose number was given, if it is the reseller's; else a fault more.
    pub(crate) async fn asked_customer(
        &self,
        reseller: &Reseller,
        asked: Option<&str>,
        faults: &mut Vec<FieldError>,
    ) -> Result<Option<CustomerId>, AppError> {
        let Some(asked) = asked else {
            faults.push(FieldError::missing(Field::Customer));
            return Ok(None);
        };
        let found = match asked.trim().parse() {
            Ok(id) => self.store.customer(reseller.id, CustomerId(id)).await?,
            Err(_) => None,
        };
        if found.is_none() {
            faults.push(unknown(Field::Customer, &asked));
        }
        Ok(found.map(|customer| customer.id))
    }

    /// Puts the making of a contact into a change set, behind that of its customer if that is new.
    pub(crate) async fn put_contact(
        &self,
        change: &mut Change,
        reseller: ResellerId,
        new: NewContact,
    ) -> Result<Contact, AppError> {
        let id = ContactId(self.store.next_id(Sequence::Contact).await?);
        let now = self.clock.now();
        let contact = Contact {
            id,
            reseller,
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
        change.expect_customer(reseller, contact.customer);
        change.insert_contact(&contact);
        self.note_contact(change, id, now, ContactEventKind::Created, None)
            .await?;
        Ok(contact)
    }

    /// Puts a line of a contact's history into a change set.
    pub(crate) async fn note_contact(
        &self,
        change: &mut Change,
        contact: ContactId,
        at: Timestamp,
        kind: ContactEventKind,
        detail: Option<String>,
    ) -> Result<ContactEvent, AppError> {
        let event = self.contact_event(contact, at, kind, detail).await?;
        change.insert_contact_event(&event);
        Ok(event)
    }

    /// A line of a contact's history, with its number.
    pub(crate) async fn contact_event(
        &self,
        contact: ContactId,
        at: Timestamp,
        kind: ContactEventKind,
        detail: Option<String>,
    ) -> Result<ContactEvent, AppError> {
        Ok(ContactEvent {
            id: self.row_id().await?,
            contact,
            at,
            actor: Actor::Reseller,
            kind,
            detail,
        })
    }

    /// A contact of the reseller's that is not deleted.
    pub async fn contact(&self, reseller: &Reseller, id: ContactId) -> Result<Contact, AppError> {
        let found = self.store.contact(reseller.id, id).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// A contact of the reseller's, deleted or not.
    pub async fn contact_or_deleted(
        &self,
        reseller: &Reseller,
        id: ContactId,
    ) -> Result<Contact, AppError> {
        let found = self.store.contact_or_deleted(reseller.id, id).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Deletes a contact that stands behind no living order and no organization, and is nobody's default.
    pub async fn delete_contact(
        &self,
        reseller: &Reseller,
        id: ContactId,
    ) -> Result<ContactEvent, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let contact = self.contact(reseller, id).await?;
            let now = self.clock.now();
            let placed = self.store.orders_placed(reseller.id).await?;
            if self.is_contact_needed(&contact, now).await? {
                return Err(Refusal::ContactInUse(id).into());
            }
            let mut change = Change::new();
            change.expect_unnamed(&contact, placed);
            change.expect_no_default(&contact);
            change.save_contact(&contact, &contact.deleted(now));
            let kind = ContactEventKind::Deleted;
            let event = self.note_contact(&mut change, id, now, kind, None).await?;
            match self.store.commit(change).await {
                Ok(_) => return Ok(event),
                // It was changed, deleted or named since we looked.
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    async fn is_contact_needed(&self, contact: &Contact, now: Timestamp) -> Result<bool, AppError> {
        let (reseller, id) = (contact.reseller, contact.id);
        Ok(self.store.is_contact_in_use(reseller, id, now).await?
            || self.store.is_contact_of_organization(reseller, id).await?
            || self.store.is_default_contact(contact.customer, id).await?)
    }
}

fn unknown(field: Field, name: &(impl ToString + ?Sized)) -> FieldError {
    FieldError {
        field,
        problem: Problem::Unknown(name.to_string()),
    }
}
