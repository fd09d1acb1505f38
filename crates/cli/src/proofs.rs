//! `chancery proof` and `chancery domain`.

use anyhow::{Context, Result};
use chancery_app::{DomainReport, ProofAsked, RecordedProof};
use chancery_domain::Timestamp;
use chancery_domain::authorizations::ProofId;
use chancery_domain::orders::OrderId;
use chancery_domain::prevalidations::PrevalidationId;
use chancery_domain::resellers::ResellerId;
use serde_json::{Value, json};

use crate::arguments::{DomainCommand, ProofCommand};
use crate::operators::{acting, operations};

pub(crate) async fn proof(command: ProofCommand) -> Result<()> {
    match command {
        ProofCommand::List {
            reseller,
            domain,
            order,
            before,
            json,
            place,
        } => {
            let asked = ProofAsked {
                domain,
                order: order.map(OrderId),
                before: before.map(ProofId),
            };
            let operations = operations(&place).await?;
            for (proof, until) in operations.proofs(ResellerId(reseller), asked).await? {
                match json {
                    true => println!("{}", proof_json(&proof, until)),
                    false => println!("{}", proof_line(&proof, until)),
                }
            }
        }
        ProofCommand::Drop {
            reseller,
            proof,
            operator,
            place,
        } => {
            let operations = acting(&place, &operator).await?;
            operations
                .drop_proof(ResellerId(reseller), ProofId(proof))
                .await?;
            println!("proof {proof} is not used any more");
        }
    }
    Ok(())
}

pub(crate) async fn domain(command: DomainCommand) -> Result<()> {
    match command {
        DomainCommand::List {
            reseller,
            before,
            json,
            place,
        } => {
            let before = before.map(PrevalidationId);
            let operations = operations(&place).await?;
            for report in operations.domains(ResellerId(reseller), before).await? {
                match json {
                    true => println!("{}", domain_json(&report)),
                    false => println!("{}", domain_line(&report)),
                }
            }
        }
        DomainCommand::Show {
            reseller,
            domain,
            json,
            place,
        } => {
            let operations = operations(&place).await?;
            let id = PrevalidationId(domain);
            let report = operations.domain(ResellerId(reseller), id).await?;
            if json {
                let mut shown = domain_json(&report);
                let seen = serde_json::to_value(&report.observations).context("observations")?;
                shown["observations"] = seen;
                println!("{shown}");
                return Ok(());
            }
            println!("{}", domain_line(&report));
            for seen in &report.observations {
                let (asked, found) = (&seen.asked, &seen.found);
                println!("{}  {}  {asked}: {found}", seen.at, seen.outcome.as_str());
            }
        }
        DomainCommand::Drop {
            reseller,
            domain,
            operator,
            place,
        } => {
            let operations = acting(&place, &operator).await?;
            let id = PrevalidationId(domain);
            operations.drop_domain(ResellerId(reseller), id).await?;
            println!("domain {domain} is dropped, its proofs with it");
        }
    }
    Ok(())
}

fn proof_json(proof: &RecordedProof, until: Timestamp) -> Value {
    json!({
        "proofId": proof.id.0,
        "domain": proof.proved.domain.as_str(),
        "method": proof.proved.method.as_str(),
        "obtainedAt": proof.proved.obtained_at.to_string(),
        "usableUntil": until.to_string(),
        "orderId": proof.order.map(|id| id.0),
        "customerId": proof.customer.map(|id| id.0),
        "domainId": proof.prevalidation.map(|id| id.0),
    })
}

fn proof_line(proof: &RecordedProof, until: Timestamp) -> String {
    let whose = match (proof.order, proof.prevalidation) {
        (Some(order), _) => format!("order {order}"),
        (None, Some(domain)) => format!("domain {domain}"),
        (None, None) => "no order".to_owned(),
    };
    let (domain, method) = (&proof.proved.domain, proof.proved.method.as_str());
    format!("{}  {domain}  {method}  {whose}  until {until}", proof.id)
}

fn domain_json(report: &DomainReport) -> Value {
    let held = &report.domain;
    json!({
        "domainId": held.id.0,
        "domain": held.domain().as_str(),
        "method": held.method().as_str(),
        "state": report.standing.as_str(),
        "validateBy": held.validate_by.to_string(),
        "usableUntil": report.valid_until.map(|until| until.to_string()),
    })
}

fn domain_line(report: &DomainReport) -> String {
    let held = &report.domain;
    let until = report.valid_until.map(|until| format!("  until {until}"));
    let (domain, method, state) = (
        held.domain(),
        held.method().as_str(),
        report.standing.as_str(),
    );
    format!(
        "{}  {domain}  {method}  {state}{}",
        held.id,
        until.unwrap_or_default()
    )
}
