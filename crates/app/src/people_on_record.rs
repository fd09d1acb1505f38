//! Contacts and customers as operators see them: whoever's they are, erased ones among them, with their histories.

use chancery_domain::contacts::{ContactEvent, ContactId};
use chancery_domain::customers::{CustomerEvent, CustomerId};
use chancery_domain::resellers::ResellerId;
use chancery_store::contacts::ContactRecord;
use chancery_store::customers::CustomerRecord;

use crate::{AppError, Noun, Operations};

/// How many are listed at once.
const LISTED: usize = 500;

/// A stretch of a list.
#[derive(Clone, Debug)]
pub struct Stretch<T> {
    /// What is on it.
    pub records: Vec<T>,
    /// Whether there are more behind it.
    pub goes_on: bool,
}

impl<T> Stretch<T> {
    /// How many to ask for: one more than are listed.
    const ASKED: u32 = LISTED as u32 + 1;

    fn of(mut records: Vec<T>) -> Self {
        let goes_on = records.len() > LISTED;
        records.truncate(LISTED);
        Self { records, goes_on }
    }
}

impl Operations {
    /// A contact, erased or not, with its history.
    pub async fn contact(
        &self,
        id: ContactId,
    ) -> Result<(ContactRecord, Vec<ContactEvent>), AppError> {
        let record = self.contact_record(id).await?;
        Ok((record, self.store.contact_events(id).await?))
    }

    pub(crate) async fn contact_record(&self, id: ContactId) -> Result<ContactRecord, AppError> {
        let found = self.store.contact_record(id).await?;
        found.ok_or_else(|| AppError::NotFound {
            what: Noun::Contact,
            id: id.to_string(),
        })
    }

    /// The next contacts of a reseller's behind an id, of one customer or of all, erased ones among them. With
    /// the beginning of an e-mail address, only those that have it.
    pub async fn contacts(
        &self,
        reseller: ResellerId,
        customer: Option<CustomerId>,
        email: Option<&str>,
        after: ContactId,
    ) -> Result<Stretch<ContactRecord>, AppError> {
        const ASKED: u32 = Stretch::<ContactRecord>::ASKED;
        self.reseller(reseller).await?;
        let store = &self.store;
        let found = match email {
            None => {
                let found = store.contact_records(reseller, customer, after, ASKED);
                found.await?
            }
            Some(email) => {
                let found = store.contact_records_by_email(reseller, customer, email, after, ASKED);
                found.await?
            }
        };
        Ok(Stretch::of(found))
    }

    /// A customer, erased or not, with its history.
    pub async fn customer(
        &self,
        id: CustomerId,
    ) -> Result<(CustomerRecord, Vec<CustomerEvent>), AppError> {
        let record = self.customer_record(id).await?;
        Ok((record, self.store.customer_events(id).await?))
    }

    pub(crate) async fn customer_record(&self, id: CustomerId) -> Result<CustomerRecord, AppError> {
        let found = self.store.customer_record(id).await?;
        found.ok_or_else(|| AppError::NotFound {
            what: Noun::Customer,
            id: id.to_string(),
        })
    }

    /// The next customers of a reseller's behind an id, erased ones among them.
    pub async fn customers(
        &self,
        reseller: ResellerId,
        after: CustomerId,
    ) -> Result<Stretch<CustomerRecord>, AppError> {
        self.reseller(reseller).await?;
        let asked = Stretch::<CustomerRecord>::ASKED;
        let found = self.store.customer_records(reseller, after, asked);
        Ok(Stretch::of(found.await?))
    }
}
