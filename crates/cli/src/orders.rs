//! `chancery order`: orders, whosever they are.

use anyhow::Result;
use chancery_app::{JobFilter, ListedOrder, Operations, OrderListFilter};
use chancery_domain::events::Event;
use chancery_domain::issuances::{Issuance, IssuanceState};
use chancery_domain::names::DomainName;
use chancery_domain::observations::Observation;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;
use serde_json::{Value, json};

use crate::arguments::{OrderCommand, OrderListFlags};
use crate::operators::{acting, operations};

/// How many jobs of an order are shown.
const JOBS: u32 = 100;

pub(crate) async fn order(command: OrderCommand) -> Result<()> {
    match command {
        OrderCommand::List(flags) => {
            let operations = operations(&flags.place).await?;
            let found = operations.list_orders(&filter(&flags), flags.limit).await?;
            for order in &found {
                match flags.json {
                    true => println!("{}", line_json(order)),
                    false => println!("{}", line(order)),
                }
            }
        }
        OrderCommand::Show { order, json, place } => {
            let shown = show(&operations(&place).await?, OrderId(order)).await?;
            match json {
                true => println!("{shown}"),
                false => print_value(&shown, 0),
            }
        }
        OrderCommand::Cancel {
            order,
            reason,
            json,
            operator,
            place,
        } => {
            let operations = acting(&place, &operator).await?;
            let ended = operations.cancel_order(OrderId(order), &reason).await?;
            match json {
                true => println!(
                    "{}",
                    json!({ "orderId": ended.id.0, "stage": ended.stage.as_str() })
                ),
                false => println!("order {order} cancelled, its price given back"),
            }
        }
        OrderCommand::Events { order, json, place } => {
            let (operations, id) = (operations(&place).await?, OrderId(order));
            operations.order_file(id).await?;
            for event in operations.order_history(id).await? {
                match json {
                    true => println!("{}", event_json(&event)),
                    false => println!("{}", event_line(&event)),
                }
            }
        }
    }
    Ok(())
}

fn filter(flags: &OrderListFlags) -> OrderListFilter {
    OrderListFilter {
        reseller: flags.reseller.map(ResellerId),
        name: flags.name.clone(),
        stage: flags.stage,
        before: flags.before.map(OrderId),
    }
}

fn line(order: &ListedOrder) -> String {
    let end = order.expires_at.map(|at| format!("  until {at}"));
    format!(
        "{}  reseller {}  {:18}  {}  {}  {}  placed {}{}",
        order.id,
        order.reseller,
        order.stage.as_str(),
        order.common_name,
        order.product_name,
        order.price,
        order.created_at,
        end.unwrap_or_default()
    )
}

fn line_json(order: &ListedOrder) -> Value {
    json!({
        "orderId": order.id.0,
        "resellerId": order.reseller.0,
        "stage": order.stage.as_str(),
        "commonName": order.common_name,
        "product": order.product_name,
        "price": order.price.to_decimal().to_string(),
        "currency": order.price.currency.as_str(),
        "createdAt": order.created_at.to_string(),
        "expiresAt": order.expires_at.map(|at| at.to_string()),
    })
}

async fn show(operations: &Operations, id: OrderId) -> Result<Value> {
    let file = operations.order_file(id).await?;
    let looks = operations.observations(file.issuance.id).await?;
    let jobs = operations.jobs(JobFilter::All, Some(id), JOBS).await?;
    let jobs: Vec<Value> = jobs
        .iter()
        .map(|job| {
            json!({
                "jobId": job.id.0,
                "kind": job.kind,
                "runAt": job.run_at.to_string(),
                "lastError": job.last_error,
            })
        })
        .collect();
    let order = &file.order;
    let certificate = file.certificate.as_ref().map(|certificate| {
        json!({
            "certificateId": certificate.id.0,
            "notBefore": certificate.validity.not_before.to_string(),
            "notAfter": certificate.validity.not_after.to_string(),
            "revokedAt": certificate.revoked_at.map(|at| at.to_string()),
        })
    });
    Ok(json!({
        "orderId": order.id.0,
        "resellerId": order.reseller.0,
        "stage": order.stage.as_str(),
        "product": order.product_name,
        "productKey": order.product_key,
        "term": order.term.0,
        "names": names(&order.names),
        "price": order.price.to_string(),
        "administrator": order.administrator.0,
        "technical": order.technical.0,
        "organizationId": order.organization.map(|id| id.0),
        "renews": order.renews.map(|id| id.0),
        "renewedBy": order.renewed_by.map(|id| id.0),
        "createdAt": order.created_at.to_string(),
        "modifiedAt": order.modified_at.to_string(),
        "run": run(&file.issuance, &looks),
        "certificate": certificate,
        "jobs": jobs,
    }))
}

/// The latest run: how far it is, and what was seen last of each name that is not proved.
fn run(issuance: &Issuance, looks: &[Observation]) -> Value {
    let (state, reason) = match &issuance.state {
        IssuanceState::Validating => ("validating", None),
        IssuanceState::Signing { .. } => ("signing", None),
        IssuanceState::Issued { .. } => ("issued", None),
        IssuanceState::Rejected { reason } => ("rejected", Some(reason)),
        IssuanceState::Cancelled => ("cancelled", None),
    };
    let unproved = issuance
        .names
        .iter()
        .filter(|control| control.proof.is_none());
    let unproved: Vec<Value> = unproved
        .map(|control| {
            let last = looks.iter().find(|look| look.name == control.name);
            json!({
                "name": control.name.as_str(),
                "lookedAt": last.map(|look| look.at.to_string()),
                "outcome": last.map(|look| look.outcome.as_str()),
                "asked": last.map(|look| &look.asked),
                "advice": last.map(|look| &look.advice),
            })
        })
        .collect();
    json!({
        "issuanceId": issuance.id.0,
        "state": state,
        "reason": reason,
        "method": issuance.method.as_str(),
        "looks": issuance.looks,
        "validateBy": issuance.validate_by.to_string(),
        "unproved": unproved,
    })
}

fn names(names: &[DomainName]) -> Vec<&str> {
    names.iter().map(DomainName::as_str).collect()
}

/// Prints what JSON holds, a line for each value; nothing of what is null.
fn print_value(value: &Value, depth: usize) {
    let Value::Object(members) = value else {
        return;
    };
    let indent = "  ".repeat(depth);
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::Object(_) => {
                println!("{indent}{name}");
                print_value(value, depth + 1);
            }
            Value::Array(values) => {
                for value in values {
                    match value {
                        Value::Object(_) => {
                            println!("{indent}{name}");
                            print_value(value, depth + 1);
                        }
                        other => println!("{indent}{name}: {}", plain(other)),
                    }
                }
            }
            other => println!("{indent}{name}: {}", plain(other)),
        }
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn event_json(event: &Event) -> Value {
    json!({
        "id": event.id,
        "at": event.at.to_string(),
        "actor": event.actor.as_str(),
        "event": event.kind.as_str(),
        "issuanceId": event.issuance.map(|id| id.0),
        "detail": event.detail,
    })
}

fn event_line(event: &Event) -> String {
    let detail = event.detail.as_ref().map(|detail| format!("  {detail}"));
    format!(
        "{}  {:8}  {}{}",
        event.at,
        event.actor.as_str(),
        event.kind.as_str(),
        detail.unwrap_or_default()
    )
}
