//! Vetting as resellers see it: asked for, and how it stands.

use chancery_domain::checklists::VettingKind;
use chancery_domain::organizations::{Organization, OrganizationEventKind, OrganizationId};
use chancery_domain::resellers::{Reseller, ResellerId};
use chancery_domain::vetting::{CaseId, CaseState, Standing, VettingCase, last_word, wants_case};
use chancery_store::{Change, StoreError};

use crate::jobs::{self, Task};
use crate::{App, AppError};

/// How the vetting of one kind stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValidationStanding {
    /// The kind.
    pub kind: VettingKind,
    /// How it stands.
    pub standing: Standing,
}

impl App {
    /// Asks for an organization to be vetted. What is being looked into, or was found lately, is not asked
    /// for again.
    pub async fn submit_validation(
        &self,
        reseller: &Reseller,
        id: OrganizationId,
        kinds: &[VettingKind],
    ) -> Result<(), AppError> {
        self.ask_for_vetting(reseller.id, id, kinds).await
    }

    /// The same, for whoever needs it.
    pub(crate) async fn ask_for_vetting(
        &self,
        reseller: ResellerId,
        id: OrganizationId,
        kinds: &[VettingKind],
    ) -> Result<(), AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let organization = self.organization_of(reseller, id).await?;
            let mut change = Change::new();
            self.open_wanted_cases(&mut change, &organization, kinds)
                .await?;
            match self.store.commit(change).await {
                // The same was asked for at once, or the organization was changed.
                Err(StoreError::Conflict { .. } | StoreError::Refused("vetting case")) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => return Ok(()),
            }
        }
        Err(AppError::Busy)
    }

    /// How the vetting of an organization, as it is now, stands: each kind that was ever asked for.
    pub async fn validation_status(
        &self,
        reseller: &Reseller,
        id: OrganizationId,
    ) -> Result<Vec<ValidationStanding>, AppError> {
        let organization = self.organization(reseller, id).await?;
        let cases = self.store.cases_of_organization(id).await?;
        let now = self.clock.now();
        let of_kind = |kind| {
            let case = last_word(&cases, organization.edition, kind, &self.rules, now)?;
            let standing = case.standing(&self.rules, now);
            Some(ValidationStanding { kind, standing })
        };
        Ok(VettingKind::ALL.into_iter().filter_map(of_kind).collect())
    }

    /// Opens the cases of an organization that serve a purpose now. The caller commits; if another was
    /// faster, that ends in a conflict or in `vetting case` being refused.
    pub(crate) async fn open_wanted_cases(
        &self,
        change: &mut Change,
        organization: &Organization,
        kinds: &[VettingKind],
    ) -> Result<(), AppError> {
        let cases = self.store.cases_of_organization(organization.id).await?;
        let now = self.clock.now();
        let mut is_held = false;
        for kind in VettingKind::ALL {
            let is_wanted = kinds.contains(&kind)
                && wants_case(&cases, organization.edition, kind, &self.rules, now);
            if is_wanted {
                if !is_held {
                    change.hold_organization(organization);
                    is_held = true;
                }
                self.open_case(change, organization, kind).await?;
            }
        }
        Ok(())
    }

    async fn open_case(
        &self,
        change: &mut Change,
        organization: &Organization,
        kind: VettingKind,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let case = VettingCase::open(CaseId(self.row_id().await?), organization, kind, now);
        change.insert_case(&case);
        let told = OrganizationEventKind::CaseOpened;
        let event = self.event_of(organization, Some(case.id), told).await?;
        change.insert_organization_event(&event);
        if let Some(delay) = self.settings.approve_cases_after {
            let task = Task::VetByItself(case.id);
            self.enqueue(change, task, organization.reseller, now + delay)
                .await?;
        }
        Ok(())
    }

    /// Ends the cases of earlier editions, and opens one of the new edition for each that was open: who
    /// waited for it still does.
    pub(crate) async fn void_cases(
        &self,
        change: &mut Change,
        organization: &Organization,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        for case in self.store.cases_of_organization(organization.id).await? {
            let (id, kind, was_open) = (case.id, case.kind, case.state == CaseState::Open);
            // Those that were rejected stay so.
            let Ok(voided) = case.void(now) else { continue };
            change.save_case(&voided);
            let told = OrganizationEventKind::CaseVoided;
            let event = self.event_of(organization, Some(id), told).await?;
            change.insert_organization_event(&event);
            if was_open {
                self.open_case(change, organization, kind).await?;
            }
        }
        Ok(())
    }
}
