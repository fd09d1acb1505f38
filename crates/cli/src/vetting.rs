//! `chancery vetting`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use chancery_app::{CaseFile, CaseSummary, NewEvidence, Operations};
use chancery_domain::checklists::{ChecklistItem, ChecklistRow, Source};
use chancery_domain::evidence::{Evidence, EvidenceId, FILE_MAX};
use chancery_domain::registrations::{EntityCategory, Registration};
use chancery_domain::vetting::{CaseId, CaseState, Standing, VettingCase};
use serde_json::{Value, json};

use crate::arguments::{Place, RecordFlags, VettingCommand};

pub(crate) async fn vetting(command: VettingCommand) -> Result<()> {
    match command {
        VettingCommand::List {
            all,
            before,
            json,
            place,
        } => {
            let before = before.map(CaseId);
            for found in operations(&place)
                .await?
                .vetting_cases(!all, before)
                .await?
            {
                print_summary(&found, json);
            }
        }
        VettingCommand::Show { case, json, place } => {
            let file = operations(&place).await?.vetting_case(CaseId(case)).await?;
            if json {
                println!("{}", file_json(&file));
            } else {
                print_file(&file);
            }
        }
        VettingCommand::File { evidence, place } => {
            let operations = operations(&place).await?;
            let bytes = operations.evidence_file(EvidenceId(evidence)).await?;
            std::io::stdout().write_all(&bytes)?;
        }
        VettingCommand::Record(flags) => record(*flags).await?,
        VettingCommand::Approve {
            case,
            cross_check,
            json,
            operator,
            place,
        } => {
            let operations = operations(&place).await?;
            let by = operator.name_on(&operations).await?;
            let file = operations
                .approve_case(CaseId(case), &by, cross_check.as_deref())
                .await?;
            print_decision(&file, json);
        }
        VettingCommand::Reject {
            case,
            reason,
            json,
            operator,
            place,
        } => {
            let operations = operations(&place).await?;
            let by = operator.name_on(&operations).await?;
            let file = operations.reject_case(CaseId(case), &by, &reason).await?;
            print_decision(&file, json);
        }
    }
    Ok(())
}

async fn operations(place: &Place) -> Result<Operations> {
    Ok(chancery_server::operations(&place.config()?).await?)
}

async fn record(flags: RecordFlags) -> Result<()> {
    let item = one_of(
        "--item",
        &flags.item,
        ChecklistItem::ALL,
        ChecklistItem::parse,
    )?;
    let source = one_of("--source", &flags.source, Source::ALL, Source::parse)?;
    let registration = registration(&flags)?;
    let found = NewEvidence {
        item,
        source,
        reference: flags.reference,
        text: flags.text,
        file: flags.file.as_deref().map(read_file).transpose()?,
        registration,
        obtained_at: flags.obtained_at,
    };
    let operations = operations(&flags.place).await?;
    let by = flags.operator.name_on(&operations).await?;
    let id = CaseId(flags.case);
    let evidence = operations.record_evidence(id, &by, found).await?;
    if flags.json {
        println!("{}", evidence_json(&evidence));
    } else {
        println!("evidence {} recorded for {item}", evidence.id);
    }
    Ok(())
}

fn one_of<T: std::fmt::Display>(
    flag: &str,
    word: &str,
    all: &[T],
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T> {
    parse(word).ok_or_else(|| {
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        anyhow!("{flag}: '{word}' is none of {}", words.join(", "))
    })
}

fn registration(flags: &RecordFlags) -> Result<Option<Registration>> {
    let (Some(category), Some(country), Some(number)) =
        (&flags.category, &flags.country, &flags.number)
    else {
        return Ok(None);
    };
    let titles = EntityCategory::ALL.map(EntityCategory::title).join(", ");
    let category = EntityCategory::parse(category)
        .with_context(|| format!("--category: '{category}' is none of {titles}"))?;
    let (state, locality) = (flags.state.as_deref(), flags.locality.as_deref());
    Ok(Some(Registration::check(
        category, country, state, locality, number,
    )?))
}

/// A file's name and bytes, one more than may be kept at most.
fn read_file(path: &Path) -> Result<(String, Vec<u8>)> {
    let shown = || format!("--file {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(shown)?;
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok((name.to_string_lossy().into_owned(), bytes))
}

fn state_word(case: &VettingCase) -> &'static str {
    match case.state {
        CaseState::Open => "open",
        CaseState::Approved(_) => "approved",
        CaseState::Rejected { .. } => "rejected",
        CaseState::Voided { .. } => "voided",
    }
}

fn summary_json(case: &VettingCase, company: &str) -> Value {
    let (decided_by, decided_at, reason) = match &case.state {
        CaseState::Open => (None, None, None),
        CaseState::Approved(approval) => (Some(&approval.by), Some(approval.at), None),
        CaseState::Rejected { by, at, reason } => (Some(by), Some(*at), Some(reason)),
        CaseState::Voided { at } => (None, Some(*at), None),
    };
    json!({
        "caseId": case.id, "organizationId": case.organization, "edition": case.edition,
        "company": company, "resellerId": case.reseller, "kind": case.kind,
        "state": state_word(case), "openedAt": case.opened_at.to_string(),
        "decidedBy": decided_by, "decidedAt": decided_at.map(|at| at.to_string()),
        "reason": reason,
    })
}

fn print_summary(found: &CaseSummary, json: bool) {
    let (case, company) = (&found.case, &found.company);
    if json {
        println!("{}", summary_json(case, company));
        return;
    }
    println!(
        "{}  {}  {}  opened {}  organization {} of reseller {}: {company}",
        case.id,
        case.kind.as_str(),
        state_word(case),
        case.opened_at,
        case.organization,
        case.reseller,
    );
}

fn evidence_json(evidence: &Evidence) -> Value {
    let file = evidence
        .file
        .as_ref()
        .map(|file| json!({ "name": file.name, "size": file.size, "sha256": hex(&file.sha256) }));
    json!({
        "evidenceId": evidence.id, "item": evidence.item, "source": evidence.source,
        "reference": evidence.reference, "text": evidence.text, "file": file,
        "registration": evidence.registration, "collectedBy": evidence.collected_by,
        "obtainedAt": evidence.obtained_at.to_string(),
        "recordedAt": evidence.recorded_at.to_string(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file_json(file: &CaseFile) -> Value {
    let mut shown = summary_json(&file.case, &file.organization.details.company);
    let missing: Vec<Value> = missing(file)
        .map(|row| json!({ "item": row.item, "asks": row.asks, "sources": row.sources }))
        .collect();
    let evidence: Vec<Value> = file.evidence.iter().map(evidence_json).collect();
    shown["details"] = json!(file.organization.details);
    shown["missing"] = Value::from(missing);
    shown["evidence"] = Value::from(evidence);
    shown["goodUntil"] = json!(good_until(&file.standing));
    shown
}

fn missing(file: &CaseFile) -> impl Iterator<Item = &'static ChecklistRow> {
    let rows = file.missing.iter();
    rows.filter_map(|item| file.case.kind.row(*item))
}

fn good_until(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Approved { until } | Standing::Expired { until } => Some(until.to_string()),
        Standing::Pending | Standing::Rejected { .. } | Standing::Voided => None,
    }
}

fn print_file(file: &CaseFile) {
    let (case, told) = (&file.case, &file.organization.details);
    println!(
        "case {}  {}  {}",
        case.id,
        case.kind.as_str(),
        state_word(case)
    );
    if let CaseState::Rejected { by, at, reason } = &case.state {
        println!("rejected by {by} at {at}: {reason}");
    }
    if let CaseState::Approved(approval) = &case.state {
        let until = good_until(&file.standing).unwrap_or_default();
        println!(
            "approved by {} at {}, good until {until}",
            approval.by, approval.at
        );
    }
    println!(
        "organization {}, edition {} of {}",
        case.organization, case.edition, file.organization.edition
    );
    let address2 = told.address2.as_deref().unwrap_or_default();
    for line in [&told.company, &told.address1, address2] {
        if !line.is_empty() {
            println!("    {line}");
        }
    }
    println!(
        "    {} {}, {}, {}",
        told.zip, told.city, told.state, told.country
    );
    println!(
        "    {} {}  {}  {}",
        told.job_title.as_deref().unwrap_or_default(),
        told.name.full(),
        told.phone,
        told.email
    );
    for row in missing(file) {
        let sources: Vec<&str> = row.sources.iter().map(|source| source.as_str()).collect();
        println!("missing  {}: {}", row.item, row.asks);
        println!("         by {}", sources.join(", "));
    }
    for piece in &file.evidence {
        println!(
            "evidence {}  {} by {}, found by {} at {}",
            piece.id, piece.item, piece.source, piece.collected_by, piece.obtained_at
        );
        let texts = [&piece.reference, &piece.text];
        for text in texts.into_iter().flatten() {
            println!("         {text}");
        }
        if let Some(told) = &piece.registration {
            let title = told.category.title();
            println!("         {title}, {} {}", told.country, told.number);
        }
        if let Some(kept) = &piece.file {
            let digest = hex(&kept.sha256);
            println!(
                "         {}, {} octets, SHA-256 {digest}",
                kept.name, kept.size
            );
        }
    }
}

fn print_decision(file: &CaseFile, json: bool) {
    let (id, word) = (file.case.id, state_word(&file.case));
    let until = good_until(&file.standing);
    if json {
        println!(
            "{}",
            json!({ "caseId": id, "state": word, "goodUntil": until })
        );
        return;
    }
    match until {
        Some(until) => println!("case {id} is {word}, good until {until}"),
        None => println!("case {id} is {word}"),
    }
}
