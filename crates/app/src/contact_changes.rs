//! Changing contacts. Whoever changes one at the same time as another does so over what that has left.

use chancery_domain::contact_details::RawContactDetails;
use chancery_domain::contacts::{Attributes, Contact, ContactEvent, ContactEventKind, ContactId};
use chancery_domain::fields::FieldError;
use chancery_domain::resellers::Reseller;
use chancery_store::{Change, StoreError};

use crate::jobs::CONFLICT_TRIES;
use crate::{App, AppError};

impl App {
    /// Gives a contact other details, all of them, and other values to those attributes that are told.
    pub async fn modify_contact(
        &self,
        reseller: &Reseller,
        id: ContactId,
        details: &RawContactDetails,
        attributes: &Attributes,
    ) -> Result<ContactEvent, AppError> {
        self.change_contact(reseller, id, |contact| {
            let mut all = contact.attributes.clone();
            all.extend(attributes.clone());
            let field = |part| contact.field(part);
            let (details, attributes) = contact.kind.check(field, details.clone(), &all)?;
            contact.changed(details, attributes, self.clock.now())
        })
        .await
    }

    /// Tells more of a contact, or otherwise, of some groups of attributes. False, and nothing is changed, if its
    /// type does not have one of them.
    pub async fn tell_attributes(
        &self,
        reseller: &Reseller,
        id: ContactId,
        groups: &[&str],
        attributes: &Attributes,
    ) -> Result<bool, AppError> {
        let kind = self.contact(reseller, id).await?.kind;
        let has = |group: &&str| {
            let mut attributes = kind.attributes().iter();
            attributes.any(|attribute| attribute.group == *group)
        };
        if !groups.iter().all(has) {
            return Ok(false);
        }
        let told = self.change_contact(reseller, id, |contact| {
            let country = &contact.details.country;
            let before = &contact.attributes;
            let all = kind.check_later(groups, country, before, attributes)?;
            contact.changed(contact.details.clone(), all, self.clock.now())
        });
        told.await.map(|_| true)
    }

    /// Reads a contact and saves what becomes of it, again if another was faster.
    async fn change_contact(
        &self,
        reseller: &Reseller,
        id: ContactId,
        change: impl Fn(&Contact) -> Result<Contact, Vec<FieldError>>,
    ) -> Result<ContactEvent, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let before = self.contact(reseller, id).await?;
            let after = change(&before).map_err(AppError::Invalid)?;
            let kind = match after.details == before.details {
                true => ContactEventKind::AttributesChanged,
                false => ContactEventKind::DetailsChanged,
            };
            if after.details == before.details && after.attributes == before.attributes {
                // It is done all the same and has its number, but there is nothing to keep.
                return self.contact_event(id, self.clock.now(), kind, None).await;
            }
            let parts = after.differences(&before).join(", ");
            let detail = (!parts.is_empty()).then_some(parts);
            let mut set = Change::new();
            set.save_contact(&before, &after);
            let at = after.modified_at;
            let event = self.note_contact(&mut set, id, at, kind, detail).await?;
            match self.store.commit(set).await {
                Ok(_) => return Ok(event),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }
}
