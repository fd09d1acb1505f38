//! Sponsors: contacts who vouch for others. There is one of a name and company among a customer's.

use chancery_domain::contact_details::RawContactDetails;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Attributes, Contact, ContactId, Role};
use chancery_domain::customers::CustomerId;
use chancery_domain::resellers::Reseller;
use chancery_store::{Change, StoreError};

use crate::contacts::field;
use crate::jobs::CONFLICT_TRIES;
use crate::{App, AppError, NewContact};

impl App {
    /// Adds a sponsor, unless the customer has one of that name and company: then gives that one's id.
    pub async fn add_sponsor(
        &self,
        reseller: &Reseller,
        customer: Option<&str>,
        details: RawContactDetails,
    ) -> Result<ContactId, AppError> {
        let checked = ContactType::SPONSOR.check(field, details, &Attributes::new());
        for _ in 0..CONFLICT_TRIES {
            let mut faults = Vec::new();
            let customer = self.asked_customer(reseller, customer, &mut faults).await?;
            let (Some(customer), Ok((details, attributes))) = (customer, &checked) else {
                faults.extend(checked.err().unwrap_or_default());
                return Err(AppError::Invalid(faults));
            };
            let (name, company) = (details.name.full(), &details.company);
            if let Some(id) = self.store.sponsor(customer, &name, company).await? {
                return Ok(id);
            }
            let new = NewContact {
                customer,
                role: Role::Administrator,
                kind: ContactType::SPONSOR,
                details: details.clone(),
                attributes: attributes.clone(),
            };
            let mut made = Change::new();
            let contact = self.put_contact(&mut made, reseller.id, new).await?;
            let mut change = Change::new();
            change.expect_no_sponsor_like(&contact);
            change.append(made);
            match self.store.commit(change).await {
                Ok(_) => return Ok(contact.id),
                // Someone else has added it, or the customer was deleted since we looked.
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    /// A customer's sponsors.
    pub async fn sponsors(
        &self,
        reseller: &Reseller,
        customer: CustomerId,
    ) -> Result<Vec<Contact>, AppError> {
        self.customer_of(reseller, customer).await?;
        Ok(self.store.sponsors(customer).await?)
    }
}
