//! Searching a customer's contacts.

use chancery_domain::customers::CustomerId;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::resellers::Reseller;
use chancery_store::contact_searches::{ContactFilter, ContactPage};

use crate::{App, AppError, Refusal};

impl App {
    /// A page of a customer's contacts that a filter lets through; the first page is 0.
    pub async fn search_contacts(
        &self,
        reseller: &Reseller,
        customer: CustomerId,
        filter: &ContactFilter,
        size: u32,
        page: u64,
    ) -> Result<ContactPage, AppError> {
        self.customer_of(reseller, customer).await?;
        let skip = page.saturating_mul(size.into());
        let found = self
            .store
            .search_contacts(customer, filter, size, skip)
            .await?;
        found.ok_or_else(|| Refusal::SearchTooWide.into())
    }

    /// Makes sure that a customer is the reseller's.
    pub(crate) async fn customer_of(
        &self,
        reseller: &Reseller,
        customer: CustomerId,
    ) -> Result<(), AppError> {
        match self.store.customer(reseller.id, customer).await? {
            Some(_) => Ok(()),
            None => Err(AppError::field(FieldError {
                field: Field::Customer,
                problem: Problem::Unknown(customer.to_string()),
            })),
        }
    }
}
