//! Erasing contacts: what identifies a person is removed, and the trace that it was done is kept.
//!
//! It is refused while the person is needed: an order or an organization names them, they are a customer's
//! default, or the records of how a certificate was validated have to be kept.

use chancery_domain::contacts::{ContactEvent, ContactEventKind, ContactId, Hold};
use chancery_domain::customers::CustomerId;
use chancery_domain::operators::OperatorName;
use chancery_domain::resellers::ResellerId;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::contacts::ContactRecord;
use chancery_store::{Change, Sequence, StoreError};

use crate::jobs::CONFLICT_TRIES;
use crate::{AppError, Noun, Operations, Refusal};

/// How long records of validation are kept after the end of the last certificate that rests on them (BR 5.5.2).
const RECORDS_KEPT: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);

/// How many contacts are listed at once.
const LISTED: u32 = 500;

impl Operations {
    /// A contact, erased or not, with its history.
    pub async fn contact(
        &self,
        id: ContactId,
    ) -> Result<(ContactRecord, Vec<ContactEvent>), AppError> {
        let record = self.contact_record(id).await?;
        Ok((record, self.store.contact_events(id).await?))
    }

    async fn contact_record(&self, id: ContactId) -> Result<ContactRecord, AppError> {
        let found = self.store.contact_record(id).await?;
        found.ok_or_else(|| AppError::NotFound {
            what: Noun::Contact,
            id: id.to_string(),
        })
    }

    /// The next contacts of a reseller's behind an id, of one customer or of all, erased ones among them.
    pub async fn contacts(
        &self,
        reseller: ResellerId,
        customer: Option<CustomerId>,
        after: ContactId,
    ) -> Result<Vec<ContactRecord>, AppError> {
        self.reseller(reseller).await?;
        let found = self
            .store
            .contact_records(reseller, customer, after, LISTED);
        Ok(found.await?)
    }

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
            let now = self.clock.now();
            if let Some(hold) = self.hold(&record, now).await? {
                return Err(Refusal::ContactHeld(id, hold).into());
            }
            let mut change = Change::new();
            let deleted = match contact.deleted_at {
                Some(_) => contact.clone(),
                None => {
                    let deleted = contact.deleted(now);
                    change.expect_no_default(contact);
                    change.save_contact(contact, &deleted);
                    let kind = ContactEventKind::Deleted;
                    self.note_contact(&mut change, id, by, kind, now, None)
                        .await?;
                    deleted
                }
            };
            change.erase_contact(&deleted, now);
            let kind = ContactEventKind::Erased;
            let detail = Some(format!("{}: {}", by.as_str(), reason.trim()));
            self.note_contact(&mut change, id, by, kind, now, detail)
                .await?;
            match self.store.commit(change).await {
                Ok(_) => return self.contact_record(id).await,
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    /// What stands in the way of erasing a contact.
    async fn hold(&self, record: &ContactRecord, now: Timestamp) -> Result<Option<Hold>, AppError> {
        let (reseller, id) = (record.reseller, record.id);
        if self.store.is_contact_in_use(reseller, id, now).await? {
            return Ok(Some(Hold::Order));
        }
        if self.store.is_contact_of_organization(reseller, id).await? {
            return Ok(Some(Hold::Organization));
        }
        if self.store.is_default_contact(record.customer, id).await? {
            return Ok(Some(Hold::Default));
        }
        let end = self.store.last_certificate_of_contact(reseller, id).await?;
        let kept_until = end.map(|end| end + RECORDS_KEPT);
        Ok(kept_until.filter(|until| *until > now).map(Hold::Records))
    }

    async fn note_contact(
        &self,
        change: &mut Change,
        contact: ContactId,
        by: &OperatorName,
        kind: ContactEventKind,
        at: Timestamp,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        change.insert_contact_event(&ContactEvent {
            id: self.store.next_id(Sequence::Row).await?,
            contact,
            at,
            actor: by.actor(),
            kind,
            detail,
        });
        Ok(())
    }
}
