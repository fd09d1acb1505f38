//! Erasing contacts and customers: what identifies a person is removed, and the trace that it was done is kept.
//!
//! It is refused while the person is needed: an order or an organization names them, they are a default of a
//! customer that is there, or the records of how a certificate was validated have to be kept. A customer goes with
//! all its contacts, or not at all.

use chancery_domain::contacts::{Contact, ContactEvent, ContactEventKind, ContactId, Hold};
use chancery_domain::customers::{Customer, CustomerEvent, CustomerEventKind, CustomerId};
use chancery_domain::operators::OperatorName;
use chancery_domain::resellers::ResellerId;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::contacts::ContactRecord;
use chancery_store::customers::CustomerRecord;
use chancery_store::{Change, Sequence, StoreError};

use crate::jobs::CONFLICT_TRIES;
use crate::{AppError, Operations, Refusal};

/// How long records of validation are kept after the end of the last certificate that rests on them (BR 5.5.2).
const RECORDS_KEPT: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);

/// Who erases, when, and what is to be on record about it.
struct Erasure<'a> {
    by: &'a OperatorName,
    now: Timestamp,
    /// How many orders the reseller had placed then.
    placed: i64,
    detail: String,
}

impl Operations {
    /// Removes what identifies the person; deletes the contact, if it is not deleted.
    pub async fn erase_contact(
        &self,
        id: ContactId,
        by: &OperatorName,
        reason: &str,
    ) -> Result<ContactRecord, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let record = self.contact_record(id).await?;
            let Some(contact) = &record.contact else {
                return Err(Refusal::ContactErased(id).into());
            };
            let erasure = self.erasure(record.reseller, by, reason).await?;
            let hold = self.hold(contact, erasure.now).await?;
            if let Some(hold) = hold {
                return Err(Refusal::ContactHeld(id, hold).into());
            }
            let mut change = Change::new();
            if contact.deleted_at.is_none() {
                change.expect_no_default(contact);
            }
            let deleted = self
                .put_contact_erasure(&mut change, contact, &erasure)
                .await?;
            change.erase_contact(&deleted, erasure.now);
            match self.store.commit(change).await {
                Ok(_) => return self.contact_record(id).await,
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    /// Made before anything is looked at that it rests on.
    async fn erasure<'a>(
        &self,
        reseller: ResellerId,
        by: &'a OperatorName,
        reason: &str,
    ) -> Result<Erasure<'a>, AppError> {
        Ok(Erasure {
            by,
            now: self.clock.now(),
            placed: self.store.orders_placed(reseller).await?,
            detail: format!("{}: {}", by.as_str(), reason.trim()),
        })
    }

    /// Puts what leads to a contact's erasure into a change set, its history with it; the contact as it is then.
    async fn put_contact_erasure(
        &self,
        change: &mut Change,
        contact: &Contact,
        erasure: &Erasure<'_>,
    ) -> Result<Contact, AppError> {
        let (id, now) = (contact.id, erasure.now);
        let deleted = match contact.deleted_at {
            Some(_) => contact.clone(),
            None => {
                let deleted = contact.deleted(now);
                change.expect_unnamed(contact, erasure.placed);
                change.save_contact(contact, &deleted);
                let kind = ContactEventKind::Deleted;
                self.note_contact(change, id, erasure, kind, None).await?;
                deleted
            }
        };
        let (kind, detail) = (ContactEventKind::Erased, erasure.detail.clone());
        self.note_contact(change, id, erasure, kind, Some(detail))
            .await?;
        Ok(deleted)
    }

    /// Removes what identifies the person from a customer and from all its contacts; deletes what is not deleted.
    pub async fn erase_customer(
        &self,
        id: CustomerId,
        by: &OperatorName,
        reason: &str,
    ) -> Result<CustomerRecord, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let record = self.customer_record(id).await?;
            if record.erased_at.is_some() {
                return Err(Refusal::CustomerErased(id).into());
            }
            if record.customer.is_reseller() {
                return Err(Refusal::CustomerIsReseller.into());
            }
            let reseller = record.customer.reseller;
            let erasure = self.erasure(reseller, by, reason).await?;
            let mut change = Change::new();
            let gone = self
                .put_deletion(&mut change, &record.customer, &erasure)
                .await?;
            let mut holds = Vec::new();
            for record in self.store.records_of_customer(id).await? {
                let Some(contact) = &record.contact else {
                    continue;
                };
                match self.hold_beside_defaults(contact, erasure.now).await? {
                    Some(hold) => holds.push((contact.id, hold)),
                    None => {
                        let deleted = self
                            .put_contact_erasure(&mut change, contact, &erasure)
                            .await?;
                        change.erase_contact_with_customer(&deleted, erasure.now);
                    }
                }
            }
            if !holds.is_empty() {
                return Err(Refusal::CustomerHeld(id, holds).into());
            }
            if let Some(profile) = &gone.profile {
                change.forget_access(reseller, profile.username.as_str());
            }
            change.erase_customer(&gone, erasure.now);
            let (kind, detail) = (CustomerEventKind::Erased, erasure.detail.clone());
            self.note_customer(&mut change, id, &erasure, kind, Some(detail))
                .await?;
            match self.store.commit(change).await {
                Ok(_) => return self.customer_record(id).await,
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    async fn put_deletion(
        &self,
        change: &mut Change,
        customer: &Customer,
        erasure: &Erasure<'_>,
    ) -> Result<Customer, AppError> {
        if customer.deleted_at.is_some() {
            return Ok(customer.clone());
        }
        change.delete_customer(customer, erasure.now);
        let kind = CustomerEventKind::Deleted;
        self.note_customer(change, customer.id, erasure, kind, None)
            .await?;
        Ok(Customer {
            deleted_at: Some(erasure.now),
            version: customer.version + 1,
            ..customer.clone()
        })
    }

    /// What stands in the way of erasing a contact.
    async fn hold(&self, contact: &Contact, now: Timestamp) -> Result<Option<Hold>, AppError> {
        let (customer, id) = (contact.customer, contact.id);
        if self.store.is_default_contact(customer, id).await? {
            return Ok(Some(Hold::Default));
        }
        self.hold_beside_defaults(contact, now).await
    }

    /// The same where the customer goes, and its defaults with it.
    async fn hold_beside_defaults(
        &self,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<Option<Hold>, AppError> {
        let (reseller, id) = (contact.reseller, contact.id);
        if self.store.is_contact_in_use(reseller, id, now).await? {
            return Ok(Some(Hold::Order));
        }
        if self.store.is_contact_of_organization(reseller, id).await? {
            return Ok(Some(Hold::Organization));
        }
        let end = self.store.last_certificate_of_contact(reseller, id).await?;
        let kept_until = end.map(|end| end + RECORDS_KEPT);
        Ok(kept_until.filter(|until| *until > now).map(Hold::Records))
    }

    async fn note_contact(
        &self,
        change: &mut Change,
        contact: ContactId,
        erasure: &Erasure<'_>,
        kind: ContactEventKind,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        change.insert_contact_event(&ContactEvent {
            id: self.store.next_id(Sequence::Row).await?,
            contact,
            at: erasure.now,
            actor: erasure.by.actor(),
            kind,
            detail,
        });
        Ok(())
    }

    async fn note_customer(
        &self,
        change: &mut Change,
        customer: CustomerId,
        erasure: &Erasure<'_>,
        kind: CustomerEventKind,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        change.insert_customer_event(&CustomerEvent {
            id: self.store.next_id(Sequence::Row).await?,
            customer,
            at: erasure.now,
            actor: erasure.by.actor(),
            kind,
            detail,
        });
        Ok(())
    }
}
