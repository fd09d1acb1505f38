//! Vetting in a test environment: approved by itself, some seconds after it was asked for.
//!
//! Nothing is skipped for it: evidence of every item goes on record, as coming from nobody, under one name of the
//! platform's, and is cross-checked and approved under another, so that the rules of two people hold.

use chancery_domain::checklists::{ChecklistItem, Source};
use chancery_domain::operators::OperatorName;
use chancery_domain::organizations::Organization;
use chancery_domain::registrations::{EntityCategory, Registration};
use chancery_domain::vetting::{CaseId, CaseState};
use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError, CaseFile, NewEvidence, Operations};

impl App {
    pub(super) async fn vet_by_itself(&self, job: &ClaimedJob, id: CaseId) -> Result<(), AppError> {
        let operations = self.operations();
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        let file = operations.vetting_case(id).await?;
        let is_on = self.settings.approve_cases_after.is_some();
        if is_on && file.case.state == CaseState::Open {
            approve(&operations, &mut change, file).await?;
        }
        self.store.commit(change).await?;
        Ok(())
    }
}

async fn approve(
    operations: &Operations,
    change: &mut Change,
    mut file: CaseFile,
) -> Result<(), AppError> {
    let collector = OperatorName::platform("collector");
    let approver = OperatorName::platform("approver");
    for row in file.case.kind.checklist() {
        let item = row.item;
        let by = match item {
            ChecklistItem::CrossCheck => &approver,
            _ => &collector,
        };
        let found = nothing_but_a_note(item, &file.organization);
        let evidence = operations.record(change, &file, by, found).await?;
        file.evidence.push(evidence);
    }
    operations.approved(change, file, &approver).await?;
    Ok(())
}

fn nothing_but_a_note(item: ChecklistItem, organization: &Organization) -> NewEvidence {
    let registration = (item == ChecklistItem::Registration).then(|| Registration {
        category: EntityCategory::PrivateOrganization,
        country: organization.details.country.to_ascii_uppercase(),
        state: None,
        locality: None,
        number: format!("OTE-{}", organization.id),
    });
    NewEvidence {
        item,
        source: Source::TestEnvironment,
        reference: None,
        text: Some("approved by itself in a test environment; nobody looked".to_owned()),
        file: None,
        registration,
        obtained_at: None,
    }
}
