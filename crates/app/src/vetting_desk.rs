//! Vetting as operators do it: what is to be done, evidence put on record, decisions.
//!
//! Every step is held against the rules of [`chancery_domain::vetting`] over what is on record, saved over
//! the version it was read at, and noted with the operator's name. Who an operator is, is the caller's to
//! make sure of.

use aws_lc_rs::digest;
use chancery_domain::Timestamp;
use chancery_domain::checklists::{ChecklistItem, Source};
use chancery_domain::evidence::{Evidence, EvidenceFile, EvidenceId, record_time};
use chancery_domain::operators::OperatorName;
use chancery_domain::organizations::{Organization, OrganizationEvent, OrganizationEventKind};
use chancery_domain::registrations::Registration;
use chancery_domain::validity::ValidityRules;
use chancery_domain::vetting::{CaseId, DualControl, Standing, VettingCase};
use chancery_store::vetting::CaseSummary;
use chancery_store::{Change, Sequence, StoreError};

use crate::{AppError, Noun, Operations, jobs};

/// How an installation vets.
#[derive(Clone, Debug)]
pub struct VettingPolicy {
    /// How long evidence may be used.
    pub rules: ValidityRules,
    /// Which cases take two people.
    pub dual_control: DualControl,
}

impl Default for VettingPolicy {
    fn default() -> Self {
        Self {
            rules: ValidityRules::default(),
            dual_control: DualControl::Ev,
        }
    }
}

/// A case with all that is on record about it.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// The case.
    pub case: VettingCase,
    /// The organization, as it is now.
    pub organization: Organization,
    /// What was found, in the order it was recorded.
    pub evidence: Vec<Evidence>,
    /// What is still to be shown.
    pub missing: Vec<ChecklistItem>,
    /// How the case stands.
    pub standing: Standing,
}

/// Something found, to be put on record.
#[derive(Clone, Debug)]
pub struct NewEvidence {
    /// What it shows.
    pub item: ChecklistItem,
    /// Where it comes from.
    pub source: Source,
    /// Where exactly.
    pub reference: Option<String>,
    /// What was found, in words.
    pub text: Option<String>,
    /// What was found, as a file: its name and its bytes.
    pub file: Option<(String, Vec<u8>)>,
    /// What was found about the registration.
    pub registration: Option<Registration>,
    /// When; now, unless said.
    pub obtained_at: Option<Timestamp>,
}

/// The most cases of one list.
const LIST_MAX: i64 = 500;

impl Operations {
    /// The cases that are open, or all of them, the newest first; at most 500, before this one if one is
    /// given.
    pub async fn vetting_cases(
        &self,
        only_open: bool,
        before: Option<CaseId>,
    ) -> Result<Vec<CaseSummary>, AppError> {
        let before = before.unwrap_or(CaseId(i64::MAX));
        let found = self.store.vetting_cases(only_open, before, LIST_MAX).await;
        Ok(found?)
    }

    /// A case with all that is on record about it.
    pub async fn vetting_case(&self, id: CaseId) -> Result<CaseFile, AppError> {
        let missing = || AppError::NotFound {
            what: Noun::VettingCase,
            id: id.to_string(),
        };
        let found = self.store.vetting_case(id).await?;
        let case = found.ok_or_else(missing)?.case;
        let organization = self.store.any_organization(case.organization).await?;
        let evidence = self.store.evidence(id).await?;
        Ok(CaseFile {
            organization: organization.ok_or_else(missing)?,
            missing: case.missing(&evidence),
            standing: case.standing(&self.vetting.rules, self.clock.now()),
            case,
            evidence,
        })
    }

    /// The bytes of a file on record.
    pub async fn evidence_file(&self, id: EvidenceId) -> Result<Vec<u8>, AppError> {
        let found = self.store.evidence_file(id).await?;
        found.ok_or_else(|| AppError::NotFound {
            what: Noun::Evidence,
            id: id.to_string(),
        })
    }

    /// Puts a piece of evidence on record.
    pub async fn record_evidence(
        &self,
        id: CaseId,
        by: &OperatorName,
        found: NewEvidence,
    ) -> Result<Evidence, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let file = self.vetting_case(id).await?;
            let mut change = Change::new();
            let evidence = self.record(&mut change, &file, by, found.clone()).await?;
            change.save_case(&file.case);
            if self.committed(change).await? {
                return Ok(evidence);
            }
        }
        Err(AppError::Busy)
    }

    /// Decides that an organization is what it says. With a text, that is first put on record as the
    /// approver's cross-check: the discrepancies found, and how they were resolved.
    pub async fn approve_case(
        &self,
        id: CaseId,
        by: &OperatorName,
        cross_check: Option<&str>,
    ) -> Result<CaseFile, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let mut file = self.vetting_case(id).await?;
            let mut change = Change::new();
            if let Some(text) = cross_check {
                let found = NewEvidence::review(text);
                let evidence = self.record(&mut change, &file, by, found).await?;
                file.evidence.push(evidence);
            }
            let approved = self.approved(&mut change, file, by).await?;
            if self.committed(change).await? {
                return Ok(approved);
            }
        }
        Err(AppError::Busy)
    }

    /// Decides against it, or takes an approval back, for a reason that the reseller reads.
    pub async fn reject_case(
        &self,
        id: CaseId,
        by: &OperatorName,
        reason: &str,
    ) -> Result<CaseFile, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let file = self.vetting_case(id).await?;
            let case = file
                .case
                .clone()
                .reject(by.clone(), reason, self.clock.now())?;
            let mut change = Change::new();
            change.save_case(&case);
            wake_orders(&mut change, &case, self.clock.now());
            let detail = Some(reason.trim().to_owned());
            let kind = OrganizationEventKind::CaseRejected;
            self.note(&mut change, &case, by, kind, detail).await?;
            if self.committed(change).await? {
                let standing = case.standing(&self.vetting.rules, self.clock.now());
                return Ok(CaseFile {
                    case,
                    standing,
                    ..file
                });
            }
        }
        Err(AppError::Busy)
    }

    /// Adds a piece of evidence to a change set, if it may go on record. The caller saves the case.
    pub(crate) async fn record(
        &self,
        change: &mut Change,
        file: &CaseFile,
        by: &OperatorName,
        found: NewEvidence,
    ) -> Result<Evidence, AppError> {
        let now = self.clock.now();
        let (told, bytes) = found
            .file
            .map(|(name, bytes)| {
                let told = EvidenceFile {
                    name,
                    size: bytes.len() as u64,
                    sha256: sha256(&bytes),
                };
                (told, bytes)
            })
            .unzip();
        let evidence = Evidence {
            id: EvidenceId(self.store.next_id(Sequence::Row).await?),
            case: file.case.id,
            item: found.item,
            source: found.source,
            reference: some_text(found.reference),
            text: some_text(found.text),
            file: told,
            registration: found.registration,
            collected_by: by.clone(),
            obtained_at: found.obtained_at.unwrap_or(now),
            recorded_at: record_time(&file.evidence, now),
        };
        let (held, rules) = (&file.evidence, &self.vetting.rules);
        file.case.accept(&evidence, held, rules, now)?;
        change.insert_evidence(&evidence, bytes);
        let detail = Some(format!("{} by {}", evidence.item, evidence.source));
        let kind = OrganizationEventKind::EvidenceRecorded;
        self.note(change, &file.case, by, kind, detail).await?;
        Ok(evidence)
    }

    /// Adds an approval to a change set, if what the file holds allows it.
    pub(crate) async fn approved(
        &self,
        change: &mut Change,
        file: CaseFile,
        by: &OperatorName,
    ) -> Result<CaseFile, AppError> {
        let now = self.clock.now();
        let VettingPolicy {
            rules,
            dual_control,
        } = &self.vetting;
        let CaseFile { case, evidence, .. } = file;
        let case = case.approve(&evidence, by.clone(), *dual_control, rules, now)?;
        change.save_case(&case);
        wake_orders(change, &case, now);
        let kind = OrganizationEventKind::CaseApproved;
        self.note(change, &case, by, kind, None).await?;
        Ok(CaseFile {
            missing: case.missing(&evidence),
            standing: case.standing(rules, now),
            case,
            evidence,
            organization: file.organization,
        })
    }

    /// Whether a change set went through; not, where another was faster.
    async fn committed(&self, change: Change) -> Result<bool, AppError> {
        match self.store.commit(change).await {
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(other) => Err(other.into()),
            Ok(_) => Ok(true),
        }
    }

    async fn note(
        &self,
        change: &mut Change,
        case: &VettingCase,
        by: &OperatorName,
        kind: OrganizationEventKind,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        change.insert_organization_event(&OrganizationEvent {
            id: self.store.next_id(Sequence::Row).await?,
            organization: case.organization,
            case: Some(case.id),
            at: self.clock.now(),
            actor: by.actor(),
            operator: Some(by.clone()),
            kind,
            detail,
        });
        Ok(())
    }
}

impl NewEvidence {
    /// A cross-check in words.
    fn review(text: &str) -> Self {
        Self {
            item: ChecklistItem::CrossCheck,
            source: Source::Review,
            reference: None,
            text: Some(text.to_owned()),
            file: None,
            registration: None,
            obtained_at: None,
        }
    }
}

/// Has every order that waits for a decision look at it at once.
fn wake_orders(change: &mut Change, case: &VettingCase, now: Timestamp) {
    for kind in jobs::vetting_kinds() {
        change.have_orders_look(case.organization, kind, now);
    }
}

/// A text with something in it.
fn some_text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
