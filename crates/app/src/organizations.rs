//! Organizations: create, find, change.

use aws_lc_rs::digest;
use chancery_domain::contact_details::ContactDetails;
use chancery_domain::contacts::ContactId;
use chancery_domain::events::Actor;
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::organizations::{
    LegalFacts, Organization, OrganizationEvent, OrganizationEventKind, OrganizationId,
};
use chancery_domain::resellers::{Reseller, ResellerId};
use chancery_domain::vetting::CaseId;
use chancery_store::organizations::{IdentityKey, OrganizationFilter};
use chancery_store::{Change, Sequence, StoreError};

use crate::{App, AppError, Noun, Refusal, jobs};

/// What is told of an organization.
#[derive(Clone, Debug)]
pub struct OrganizationRequest {
    /// Its name and address, and the person to ask.
    pub details: ContactDetails,
    /// The contact for technical matters.
    pub technical: Option<ContactId>,
}

/// Some of the organizations that were looked for, and how many there are.
#[derive(Clone, Debug)]
pub struct OrganizationPage {
    /// Those of the page, the newest first.
    pub organizations: Vec<Organization>,
    /// How many there are on all pages.
    pub total: u64,
}

impl App {
    /// Creates an organization, or gives the one that the reseller has by that name and address already, as
    /// it is. Nothing is vetted for that alone.
    pub async fn create_organization(
        &self,
        reseller: &Reseller,
        asked: OrganizationRequest,
    ) -> Result<Organization, AppError> {
        let identity = identity_key(&asked.details);
        for _ in 0..jobs::CONFLICT_TRIES {
            self.check_technical(reseller, asked.technical).await?;
            let known = self.store.organization_of_identity(reseller.id, identity);
            if let Some(known) = known.await? {
                return Ok(known);
            }
            let now = self.clock.now();
            let organization = Organization {
                id: OrganizationId(self.store.next_id(Sequence::Organization).await?),
                reseller: reseller.id,
                details: asked.details.clone(),
                technical: asked.technical,
                edition: 1,
                created_at: now,
                modified_at: now,
                version: 0,
            };
            let mut change = Change::new();
            change.expect_contacts(reseller.id, asked.technical);
            change.insert_organization(&organization, identity);
            let kind = OrganizationEventKind::Created;
            change.insert_organization_event(&self.event_of(&organization, None, kind).await?);
            match self.store.commit(change).await {
                Ok(_) => return Ok(organization),
                // The same was created at once by another request, or the contact was deleted since we looked.
                Err(StoreError::Refused("organization") | StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(AppError::Busy)
    }

    /// An organization of the reseller's.
    pub async fn organization(
        &self,
        reseller: &Reseller,
        id: OrganizationId,
    ) -> Result<Organization, AppError> {
        self.organization_of(reseller.id, id).await
    }

    /// The same, for whoever knows the reseller by its id only.
    pub(crate) async fn organization_of(
        &self,
        reseller: ResellerId,
        id: OrganizationId,
    ) -> Result<Organization, AppError> {
        let missing = || AppError::NotFound {
            what: Noun::Organization,
            id: id.to_string(),
        };
        let found = self.store.organization(reseller, id).await?;
        found.ok_or_else(missing)
    }

    /// A page, from 1, of the reseller's organizations that a filter lets through.
    pub async fn search_organizations(
        &self,
        reseller: &Reseller,
        filter: &OrganizationFilter,
        page: u32,
        page_size: u32,
    ) -> Result<OrganizationPage, AppError> {
        let skip = i64::from(page.saturating_sub(1)) * i64::from(page_size);
        let limit = i64::from(page_size);
        let organizations = self
            .store
            .search_organizations(reseller.id, filter, limit, skip)
            .await?;
        let total = self.store.count_organizations(reseller.id, filter).await?;
        Ok(OrganizationPage {
            organizations,
            total: total.unsigned_abs(),
        })
    }

    /// Changes what is told of an organization. A changed name or address is a new edition, for which
    /// nothing is vetted.
    pub async fn update_organization(
        &self,
        reseller: &Reseller,
        id: OrganizationId,
        asked: OrganizationRequest,
    ) -> Result<Organization, AppError> {
        let identity = identity_key(&asked.details);
        for _ in 0..jobs::CONFLICT_TRIES {
            let before = self.organization(reseller, id).await?;
            self.check_technical(reseller, asked.technical).await?;
            let twin = self.store.organization_of_identity(reseller.id, identity);
            if let Some(twin) = twin.await?.filter(|twin| twin.id != id) {
                return Err(Refusal::OrganizationExists(twin.id).into());
            }
            let now = self.clock.now();
            let edition = before.edition;
            let after = before.update(asked.details.clone(), asked.technical, now);
            let mut change = Change::new();
            change.expect_contacts(reseller.id, asked.technical);
            change.save_organization(&after, identity);
            let kind = if after.edition == edition {
                OrganizationEventKind::ContactChanged
            } else {
                OrganizationEventKind::FactsChanged
            };
            change.insert_organization_event(&self.event_of(&after, None, kind).await?);
            if after.edition != edition {
                self.void_cases(&mut change, &after).await?;
            }
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => return Ok(after),
            }
        }
        Err(AppError::Busy)
    }

    async fn check_technical(
        &self,
        reseller: &Reseller,
        technical: Option<ContactId>,
    ) -> Result<(), AppError> {
        let Some(id) = technical else { return Ok(()) };
        match self.store.contact(reseller.id, id).await? {
            Some(_) => Ok(()),
            None => Err(AppError::field(FieldError {
                field: Field::Technical,
                problem: Problem::Unknown(id.to_string()),
            })),
        }
    }

    /// A line of an organization's history, about what its reseller did.
    pub(crate) async fn event_of(
        &self,
        organization: &Organization,
        case: Option<CaseId>,
        kind: OrganizationEventKind,
    ) -> Result<OrganizationEvent, AppError> {
        Ok(OrganizationEvent {
            id: self.row_id().await?,
            organization: organization.id,
            case,
            at: self.clock.now(),
            actor: Actor::Reseller,
            operator: None,
            kind,
            detail: None,
        })
    }
}

/// What makes two descriptions those of one organization.
fn identity_key(details: &ContactDetails) -> IdentityKey {
    let identity = LegalFacts::of(details).identity();
    let hash = digest::digest(&digest::SHA256, identity.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
