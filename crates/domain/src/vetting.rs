//! Vetting: finding out that an organization is what its reseller says.
//!
//! A *case* is of one edition of an organization and of one kind. Operators record evidence for each item of
//! the kind's checklist; one of them approves, or rejects with a reason that the reseller reads. For EV two
//! people are needed: who approves has collected nothing, and neither has who cross-checks (EV Guidelines
//! 3.2.2.13, 5.2.4). Approval lasts as long as the oldest piece of evidence it rests on may be used, by the
//! dated table; that it has run out is computed, never stored.

use jiff::{SignedDuration, Timestamp};

use crate::TransitionError;
use crate::checklists::{ChecklistItem, Source, VettingKind};
use crate::evidence::{Evidence, FILE_MAX, PIECES_MAX, TEXT_MAX, collectors, used};
use crate::operators::OperatorName;
use crate::organizations::{Organization, OrganizationId};
use crate::registrations::Registration;
use crate::resellers::ResellerId;
use crate::validity::ValidityRules;

crate::id! {
    /// The id of a [`VettingCase`].
    CaseId
}

/// The vetting of one edition of an organization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VettingCase {
    /// Its id.
    pub id: CaseId,
    /// Of which organization.
    pub organization: OrganizationId,
    /// Whose organization that is.
    pub reseller: ResellerId,
    /// Of which edition of its legal facts.
    pub edition: i64,
    /// How thorough.
    pub kind: VettingKind,
    /// How far it has come.
    pub state: CaseState,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Counts the moves, new evidence among them; the store saves a move only over the version it was read at.
    pub version: i64,
}

/// How far a case has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CaseState {
    /// Evidence is being collected.
    Open,
    /// The organization is what it says.
    Approved(Approval),
    /// It is not, or it could not be shown.
    Rejected {
        /// Who decided.
        by: OperatorName,
        /// When.
        at: Timestamp,
        /// Why, for the reseller.
        reason: String,
    },
    /// The legal facts changed: what was looked into is no more.
    Voided {
        /// When.
        at: Timestamp,
    },
}

/// The decision that an organization is what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approval {
    /// Who decided.
    pub by: OperatorName,
    /// When.
    pub at: Timestamp,
    /// When the oldest piece of evidence it rests on was obtained; its age counts from here.
    pub evidence_from: Timestamp,
    /// Where the organization is registered, for EV.
    pub registration: Option<Registration>,
}

/// Who has to be two people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DualControl {
    /// Collector and approver of an EV case.
    Ev,
    /// Those of every case.
    Always,
}

/// How a case stands for whoever needs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It is being worked on.
    Pending,
    /// It was approved, and counts until then.
    Approved {
        /// The last moment.
        until: Timestamp,
    },
    /// It was approved, and the evidence has grown too old.
    Expired {
        /// The last moment it counted.
        until: Timestamp,
    },
    /// It was rejected.
    Rejected {
        /// Why.
        reason: String,
    },
    /// It was of an edition that is no more.
    Voided,
}

/// What an organization's cases say to someone who needs it vetted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// It is vetted.
    Vetted(&'a Approval),
    /// A case is being worked on.
    Pending,
    /// The last word was no, for this reason.
    Rejected(&'a str),
    /// Nobody has looked into it, or what was found has grown too old.
    Unknown,
}

/// How long before an approval runs out the next case may be opened.
const AHEAD: SignedDuration = SignedDuration::from_hours(60 * 24);

/// The case that says how the vetting of an edition stands for one kind, of cases in any order: one whose
/// approval counts, whatever is looked into meanwhile; else the one at work; else the one decided last. A
/// rejection ends every approval of that edition and kind that was decided before it.
pub fn last_word<'a>(
    cases: &'a [VettingCase],
    edition: i64,
    kind: VettingKind,
    rules: &ValidityRules,
    now: Timestamp,
) -> Option<&'a VettingCase> {
    let of_kind = || {
        let is_of = move |case: &&VettingCase| case.edition == edition && case.kind == kind;
        cases.iter().filter(is_of)
    };
    let rejections = of_kind().filter(|case| matches!(case.state, CaseState::Rejected { .. }));
    let rejected = rejections.map(VettingCase::moved).max();
    let counting = of_kind().filter_map(|case| {
        let approval = case.approval_for(edition, kind, rules, now)?;
        (Some(case.moved()) > rejected).then_some((approval.evidence_from, case))
    });
    counting
        .max_by_key(|(evidence_from, case)| (*evidence_from, case.moved()))
        .map(|(_, case)| case)
        .or_else(|| of_kind().find(|case| case.state == CaseState::Open))
        .or_else(|| of_kind().max_by_key(|case| case.moved()))
}

/// What the cases of an organization, in any order, say about an edition of it to someone who asked at
/// `asked_at`: a rejection before that was the answer to another.
pub fn verdict<'a>(
    cases: &'a [VettingCase],
    edition: i64,
    needed: VettingKind,
    asked_at: Timestamp,
    rules: &ValidityRules,
    now: Timestamp,
) -> Verdict<'a> {
    let approvals = VettingKind::ALL
        .into_iter()
        .filter_map(|kind| last_word(cases, edition, kind, rules, now))
        .filter_map(|case| case.approval_for(edition, needed, rules, now));
    if let Some(approval) = approvals.max_by_key(|approval| approval.evidence_from) {
        return Verdict::Vetted(approval);
    }
    // That EV could not be shown says nothing about less.
    match last_word(cases, edition, needed, rules, now).map(|case| &case.state) {
        Some(CaseState::Open) => Verdict::Pending,
        Some(CaseState::Rejected { reason, at, .. }) if *at >= asked_at => {
            Verdict::Rejected(reason)
        }
        _ => Verdict::Unknown,
    }
}

/// Whether a new case has a purpose for someone who asks for one now: there is none at work, and no approval
/// that lasts a while yet.
pub fn wants_case(
    cases: &[VettingCase],
    edition: i64,
    needed: VettingKind,
    rules: &ValidityRules,
    now: Timestamp,
) -> bool {
    let is_open = |case: &VettingCase| {
        case.edition == edition && case.kind == needed && case.state == CaseState::Open
    };
    if cases.iter().any(is_open) {
        return false;
    }
    match verdict(cases, edition, needed, now, rules, now) {
        Verdict::Vetted(approval) => {
            let until = rules.identity_end(approval.evidence_from, now);
            until.duration_since(now) <= AHEAD
        }
        Verdict::Pending | Verdict::Rejected(_) | Verdict::Unknown => true,
    }
}

/// Why a step in a case is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VettingError {
    /// The case is decided.
    #[error(transparent)]
    State(#[from] TransitionError),
    /// The item is not on the checklist.
    #[error("{item} is not on the checklist: {}", words(.kind.checklist().map(|row| row.item.as_str())))]
    Item {
        /// The item.
        item: ChecklistItem,
        /// The kind of the case.
        kind: VettingKind,
    },
    /// Such a source does not count for the item.
    #[error("{source_given} does not show {item}; what counts is {}", words(.accepted.iter().map(|one| one.as_str())))]
    Source {
        /// The item.
        item: ChecklistItem,
        /// What was given.
        source_given: Source,
        /// What counts.
        accepted: &'static [Source],
    },
    /// There is nothing in it.
    #[error("evidence is a text, a file or both")]
    Empty,
    /// There is too much of it.
    #[error(
        "evidence has at most {TEXT_MAX} characters and {FILE_MAX} octets, and a case {PIECES_MAX} pieces of it"
    )]
    TooLarge,
    /// The registration goes with its item, and only with that.
    #[error(
        "what the registration is goes with {}, and only with that",
        ChecklistItem::Registration
    )]
    Registration,
    /// It was obtained later than now.
    #[error("evidence is not obtained in the future")]
    Future,
    /// It is too old to be used today.
    #[error("evidence of {0} is too old to be used")]
    TooOld(Timestamp),
    /// Items without evidence, or without a cross-check after the last piece of it.
    #[error("evidence is missing for {}", words(.0.iter().map(|item| item.as_str())))]
    Missing(Vec<ChecklistItem>),
    /// One person would be both.
    #[error("{0} collected evidence for this case; somebody else has to {1}")]
    OnePerson(OperatorName, &'static str),
    /// A rejection needs a reason that the reseller can read.
    #[error("a rejection needs a reason of 1 to 1000 characters")]
    Reason,
}

fn words<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

impl VettingCase {
    /// Opens a case of an organization as it is now.
    pub fn open(
        id: CaseId,
        organization: &Organization,
        kind: VettingKind,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            organization: organization.id,
            reseller: organization.reseller,
            edition: organization.edition,
            kind,
            state: CaseState::Open,
            opened_at: now,
            version: 0,
        }
    }

    /// Whether a piece of evidence may go on record, beside what is held already.
    pub fn accept(
        &self,
        evidence: &Evidence,
        held: &[Evidence],
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Result<(), VettingError> {
        self.must_be_open("take evidence")?;
        let (item, kind) = (evidence.item, self.kind);
        let row = kind.row(item).ok_or(VettingError::Item { item, kind })?;
        // What a test environment says to itself is nobody's finding.
        let of_itself =
            evidence.source == Source::TestEnvironment && evidence.collected_by.is_platform();
        if !row.takes(evidence.source) && !of_itself {
            return Err(VettingError::Source {
                item,
                source_given: evidence.source,
                accepted: row.sources,
            });
        }
        if evidence.text.is_none() && evidence.file.is_none() {
            return Err(VettingError::Empty);
        }
        if evidence.is_too_large() || held.len() >= PIECES_MAX {
            return Err(VettingError::TooLarge);
        }
        if evidence.registration.is_some() != (item == ChecklistItem::Registration) {
            return Err(VettingError::Registration);
        }
        if evidence.obtained_at > now {
            return Err(VettingError::Future);
        }
        if !rules.is_identity_fresh(evidence.obtained_at, now) {
            return Err(VettingError::TooOld(evidence.obtained_at));
        }
        let by = &evidence.collected_by;
        if item == ChecklistItem::CrossCheck && collectors(held).contains(by) {
            return Err(VettingError::OnePerson(by.clone(), "cross-check it"));
        }
        Ok(())
    }

    /// The items that lack evidence: those never shown, and the cross-check where it is not the last word.
    pub fn missing(&self, held: &[Evidence]) -> Vec<ChecklistItem> {
        let items = self.kind.checklist().map(|row| row.item);
        items.filter(|item| used(*item, held).is_none()).collect()
    }

    /// Decides that the organization is what it says.
    pub fn approve(
        self,
        held: &[Evidence],
        by: OperatorName,
        control: DualControl,
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Result<Self, VettingError> {
        self.must_be_open("be approved")?;
        let missing = self.missing(held);
        if !missing.is_empty() {
            return Err(VettingError::Missing(missing));
        }
        let needs_two = self.kind == VettingKind::Ev || control == DualControl::Always;
        if needs_two && collectors(held).contains(&by) {
            return Err(VettingError::OnePerson(by, "approve it"));
        }
        let items = self.kind.checklist().map(|row| row.item);
        let basis: Vec<&Evidence> = items.filter_map(|item| used(item, held)).collect();
        let oldest = basis.iter().map(|evidence| evidence.obtained_at).min();
        let evidence_from = oldest.unwrap_or(now);
        if !rules.is_identity_fresh(evidence_from, now) {
            return Err(VettingError::TooOld(evidence_from));
        }
        let registration = basis.iter().find_map(|held| held.registration.clone());
        let approval = Approval {
            by,
            at: now,
            evidence_from,
            registration,
        };
        Ok(Self {
            state: CaseState::Approved(approval),
            ..self
        })
    }

    /// Decides against it, or takes an approval back.
    pub fn reject(
        self,
        by: OperatorName,
        reason: &str,
        now: Timestamp,
    ) -> Result<Self, VettingError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > 1000 {
            return Err(VettingError::Reason);
        }
        match self.state {
            CaseState::Open | CaseState::Approved(_) => Ok(Self {
                state: CaseState::Rejected {
                    by,
                    at: now,
                    reason: reason.to_owned(),
                },
                ..self
            }),
            CaseState::Rejected { .. } | CaseState::Voided { .. } => {
                Err(self.cannot("be rejected").into())
            }
        }
    }

    /// Ends a case whose edition is no more.
    pub fn void(self, now: Timestamp) -> Result<Self, TransitionError> {
        match self.state {
            CaseState::Open | CaseState::Approved(_) => Ok(Self {
                state: CaseState::Voided { at: now },
                ..self
            }),
            CaseState::Rejected { .. } | CaseState::Voided { .. } => Err(self.cannot("be voided")),
        }
    }

    /// How the case stands.
    pub fn standing(&self, rules: &ValidityRules, now: Timestamp) -> Standing {
        match &self.state {
            CaseState::Open => Standing::Pending,
            CaseState::Approved(approval) => {
                let until = rules.identity_end(approval.evidence_from, now);
                match rules.is_identity_fresh(approval.evidence_from, now) {
                    true => Standing::Approved { until },
                    false => Standing::Expired { until },
                }
            }
            CaseState::Rejected { reason, .. } => Standing::Rejected {
                reason: reason.clone(),
            },
            CaseState::Voided { .. } => Standing::Voided,
        }
    }

    /// When the case came to where it is, and its id, for two of the same moment.
    fn moved(&self) -> (Timestamp, CaseId) {
        let at = match &self.state {
            CaseState::Open => self.opened_at,
            CaseState::Approved(approval) => approval.at,
            CaseState::Rejected { at, .. } | CaseState::Voided { at } => *at,
        };
        (at, self.id)
    }

    /// The approval, if nothing but its age, its edition and its kind could keep it from counting on that
    /// day. What other cases say, [`last_word`] tells.
    fn approval_for(
        &self,
        edition: i64,
        needed: VettingKind,
        rules: &ValidityRules,
        now: Timestamp,
    ) -> Option<&Approval> {
        match &self.state {
            CaseState::Approved(approval)
                if self.edition == edition
                    && self.kind.serves(needed)
                    && rules.is_identity_fresh(approval.evidence_from, now) =>
            {
                Some(approval)
            }
            _ => None,
        }
    }

    fn must_be_open(&self, verb: &'static str) -> Result<(), TransitionError> {
        match self.state {
            CaseState::Open => Ok(()),
            _ => Err(self.cannot(verb)),
        }
    }

    fn cannot(&self, verb: &'static str) -> TransitionError {
        let state = match self.state {
            CaseState::Open => "open",
            CaseState::Approved(_) => "approved",
            CaseState::Rejected { .. } => "rejected",
            CaseState::Voided { .. } => "voided",
        };
        TransitionError {
            what: "a vetting case",
            state,
            verb,
        }
    }
}

#[cfg(test)]
mod tests;
