//! Vetting cases and their evidence. Files stay in their rows and are read alone.

use chancery_domain::Timestamp;
use chancery_domain::checklists::{ChecklistItem, Source, VettingKind};
use chancery_domain::evidence::{Evidence, EvidenceFile, EvidenceId};
use chancery_domain::operators::OperatorName;
use chancery_domain::organizations::OrganizationId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::vetting::{Approval, CaseId, CaseState, VettingCase};

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// A case in a list, with what tells people whose it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CaseSummary {
    /// The case.
    pub case: VettingCase,
    /// How the organization is called now.
    pub company: String,
}

/// A select of whole cases, with a condition.
macro_rules! case_query {
    ($condition:literal) => {
        concat!(
            "select c.id, c.organization_id, c.reseller_id, c.edition, c.kind, c.state, c.opened_at,
                c.decided_at, c.decided_by, c.evidence_from, c.registration, c.reason, c.version,
                o.details
             from vetting_cases c join organizations o on o.id = c.organization_id where ",
            $condition
        )
    };
}

impl Change {
    /// Inserts a case just opened; refused as `vetting case` where one of its kind is open already.
    pub fn insert_case(&mut self, case: &VettingCase) {
        const SQL: &str = "
            insert into vetting_cases (id, organization_id, reseller_id, edition, kind, state,
                opened_at, decided_at, decided_by, evidence_from, registration, reason, version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        let state = StateColumns::from(&case.state);
        self.expect_one(
            SQL,
            values![
                case.id.0,
                case.organization.0,
                case.reseller.0,
                case.edition,
                case.kind.as_str(),
                state.word,
                case.opened_at,
                state.decided_at,
                state.decided_by,
                state.evidence_from,
                state.registration,
                state.reason,
                case.version,
            ],
            Failure::Refused("vetting case"),
        );
    }

    /// Saves a case that moved, or that got new evidence, unless someone moved it first.
    pub fn save_case(&mut self, case: &VettingCase) {
        const SQL: &str = "
            update vetting_cases
            set state = $1, decided_at = $2, decided_by = $3, evidence_from = $4, registration = $5,
                reason = $6, version = version + 1
            where id = $7 and version = $8";
        let state = StateColumns::from(&case.state);
        self.expect_one(
            SQL,
            values![
                state.word,
                state.decided_at,
                state.decided_by,
                state.evidence_from,
                state.registration,
                state.reason,
                case.id.0,
                case.version,
            ],
            Failure::Conflict {
                what: "vetting case",
                id: case.id.0,
            },
        );
    }

    /// Makes every job of a kind due that looks after a run of an organization's orders. One that is being
    /// worked on loses its claim, since it may have missed what this change set says.
    pub fn have_orders_look(
        &mut self,
        organization: OrganizationId,
        kind: &str,
        run_at: Timestamp,
    ) {
        const SQL: &str = "
            update jobs set run_at = $1, attempt = attempt + 1, tries = 0, last_error = null, holder = null
            where subject in (select issuance_id from orders where organization_id = $2)
                and kind = $3 and run_at > $1 and parked_at is null";
        self.execute(SQL, values![run_at, organization.0, kind]);
    }

    /// Puts a piece of evidence on record, with the bytes of its file if it has one.
    pub fn insert_evidence(&mut self, evidence: &Evidence, file: Option<Vec<u8>>) {
        const SQL: &str = "
            insert into vetting_evidence (id, case_id, item, source, reference, text, registration,
                collected_by, obtained_at, recorded_at, file_name, file_size, file_sha256, file)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let told = evidence.file.as_ref();
        self.execute(
            SQL,
            values![
                evidence.id.0,
                evidence.case.0,
                evidence.item.as_str(),
                evidence.source.as_str(),
                evidence.reference.as_deref(),
                evidence.text.as_deref(),
                evidence.registration.as_ref().map(to_json),
                evidence.collected_by.as_str(),
                evidence.obtained_at,
                evidence.recorded_at,
                told.map(|file| &file.name[..]),
                told.map(|file| i64::try_from(file.size).unwrap_or(i64::MAX)),
                told.map(|file| file.sha256),
                file,
            ],
        );
    }
}

impl Store {
    /// A case, and how its organization is called now.
    pub async fn vetting_case(&self, id: CaseId) -> Result<Option<CaseSummary>, StoreError> {
        const SQL: &str = case_query!("c.id = $1");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read_summary).transpose()
    }

    /// The cases of an organization, the newest first.
    pub async fn cases_of_organization(
        &self,
        id: OrganizationId,
    ) -> Result<Vec<VettingCase>, StoreError> {
        const SQL: &str = case_query!("c.organization_id = $1 order by c.id desc");
        let rows = self.query(SQL, values![id.0]).await?;
        rows.iter().map(read).collect()
    }

    /// Cases that are open, or all of them, the newest first, before this one.
    pub async fn vetting_cases(
        &self,
        only_open: bool,
        before: CaseId,
        limit: i64,
    ) -> Result<Vec<CaseSummary>, StoreError> {
        const OPEN: &str =
            case_query!("c.state = 'open' and c.id < $1 order by c.id desc limit $2");
        const ALL: &str = case_query!("c.id < $1 order by c.id desc limit $2");
        let sql = if only_open { OPEN } else { ALL };
        let rows = self.scan(sql, values![before.0, limit]).await?;
        rows.iter().map(read_summary).collect()
    }

    /// The evidence of a case, in the order it was recorded.
    pub async fn evidence(&self, case: CaseId) -> Result<Vec<Evidence>, StoreError> {
        const SQL: &str = "
            select id, case_id, item, source, reference, text, registration, collected_by,
                obtained_at, recorded_at, file_name, file_size, file_sha256
            from vetting_evidence where case_id = $1 order by id";
        let rows = self.query(SQL, values![case.0]).await?;
        rows.iter().map(read_evidence).collect()
    }

    /// The bytes of a file on record.
    pub async fn evidence_file(&self, id: EvidenceId) -> Result<Option<Vec<u8>>, StoreError> {
        const SQL: &str = "
            select file from vetting_evidence where id = $1 and file is not null";
        let rows = self.scan(SQL, values![id.0]).await?;
        let bytes = |row: &Row| row.bytes(0).map(<[u8]>::to_vec);
        rows.first().map(bytes).transpose()
    }
}

#[derive(Default)]
struct StateColumns<'a> {
    word: &'static str,
    decided_at: Option<Timestamp>,
    decided_by: Option<&'a str>,
    evidence_from: Option<Timestamp>,
    registration: Option<String>,
    reason: Option<&'a str>,
}

impl<'a> From<&'a CaseState> for StateColumns<'a> {
    fn from(state: &'a CaseState) -> Self {
        match state {
            CaseState::Open => Self {
                word: "open",
                ..Self::default()
            },
            CaseState::Approved(approval) => Self {
                word: "approved",
                decided_at: Some(approval.at),
                decided_by: Some(approval.by.as_str()),
                evidence_from: Some(approval.evidence_from),
                registration: approval.registration.as_ref().map(to_json),
                reason: None,
            },
            CaseState::Rejected { by, at, reason } => Self {
                word: "rejected",
                decided_at: Some(*at),
                decided_by: Some(by.as_str()),
                reason: Some(reason),
                ..Self::default()
            },
            CaseState::Voided { at } => Self {
                word: "voided",
                decided_at: Some(*at),
                ..Self::default()
            },
        }
    }
}

fn read_state(row: &Row) -> Result<CaseState, StoreError> {
    let at = row.opt_timestamp(7)?;
    let by = match row.opt_text(8)? {
        None => None,
        Some(_) => Some(row.parsed(8, OperatorName::restore)?),
    };
    let evidence_from = row.opt_timestamp(9)?;
    let registration = match row.opt_text(10)? {
        None => None,
        Some(_) => Some(row.json(10)?),
    };
    let reason = row.opt_string(11)?;
    Ok(match (row.text(5)?, at, by, evidence_from, reason) {
        ("open", None, None, None, None) => CaseState::Open,
        ("approved", Some(at), Some(by), Some(evidence_from), None) => {
            CaseState::Approved(Approval {
                by,
                at,
                evidence_from,
                registration,
            })
        }
        ("rejected", Some(at), Some(by), None, Some(reason)) => {
            CaseState::Rejected { by, at, reason }
        }
        ("voided", Some(at), None, None, None) => CaseState::Voided { at },
        _ => return Err(row.corrupt(5, "a state that does not fit its columns")),
    })
}

fn read(row: &Row) -> Result<VettingCase, StoreError> {
    Ok(VettingCase {
        id: CaseId(row.int(0)?),
        organization: OrganizationId(row.int(1)?),
        reseller: ResellerId(row.int(2)?),
        edition: row.int(3)?,
        kind: row.parsed(4, VettingKind::parse)?,
        state: read_state(row)?,
        opened_at: row.timestamp(6)?,
        version: row.int(12)?,
    })
}

fn read_summary(row: &Row) -> Result<CaseSummary, StoreError> {
    let details: chancery_domain::contact_details::ContactDetails = row.json(13)?;
    Ok(CaseSummary {
        case: read(row)?,
        company: details.company,
    })
}

fn read_evidence(row: &Row) -> Result<Evidence, StoreError> {
    let file = match row.opt_string(10)? {
        None => None,
        Some(name) => Some(EvidenceFile {
            name,
            size: row.small(11)?,
            sha256: row.array(12)?,
        }),
    };
    Ok(Evidence {
        id: EvidenceId(row.int(0)?),
        case: CaseId(row.int(1)?),
        item: row.parsed(2, ChecklistItem::parse)?,
        source: row.parsed(3, Source::parse)?,
        reference: row.opt_string(4)?,
        text: row.opt_string(5)?,
        registration: match row.opt_text(6)? {
            None => None,
            Some(_) => Some(row.json(6)?),
        },
        collected_by: row.parsed(7, OperatorName::restore)?,
        obtained_at: row.timestamp(8)?,
        recorded_at: row.timestamp(9)?,
        file,
    })
}
