//! `chancery contact`.

use anyhow::{Result, bail};
use chancery_app::ContactRecord;
use chancery_domain::Timestamp;
use chancery_domain::contact_details::ContactDetails;
use chancery_domain::contacts::{ContactEvent, ContactId};
use chancery_domain::customers::CustomerId;
use chancery_domain::events::Actor;
use chancery_domain::resellers::ResellerId;
use serde_json::{Value, json};

use crate::arguments::ContactCommand;

pub(crate) async fn contact(command: ContactCommand) -> Result<()> {
    match command {
        ContactCommand::List {
            reseller,
            customer,
            email,
            after,
            json,
            place,
        } => {
            let operations = chancery_server::operations(&place.config()?).await?;
            let customer = customer.map(CustomerId);
            let (reseller, after) = (ResellerId(reseller), ContactId(after));
            let found = operations
                .contacts(reseller, customer, email.as_deref(), after)
                .await?;
            for record in &found.records {
                match json {
                    true => println!("{}", record_json(record)),
                    false => println!("{}", line(record)),
                }
            }
            let last = found.records.last().map(|record| record.id.0);
            tell_of_more(found.goes_on, last);
        }
        ContactCommand::Show {
            contact,
            json,
            place,
        } => {
            let operations = chancery_server::operations(&place.config()?).await?;
            let (record, events) = operations.contact(ContactId(contact)).await?;
            if json {
                let mut shown = record_json(&record);
                shown["history"] = events.iter().map(event_json).collect();
                println!("{shown}");
            } else {
                print_record(&record);
                events.iter().for_each(print_event);
            }
        }
        ContactCommand::Erase {
            contact,
            reason,
            json,
            operator,
            place,
        } => {
            if reason.trim().is_empty() {
                bail!("--reason: why is it erased?");
            }
            let operations = chancery_server::operations(&place.config()?).await?;
            let by = operator.name_on(&operations).await?;
            let erased = operations
                .erase_contact(ContactId(contact), &by, &reason)
                .await?;
            match json {
                true => println!("{}", record_json(&erased)),
                false => println!("contact {contact} erased"),
            }
        }
    }
    Ok(())
}

/// Says how a list that was cut short goes on, apart from what is on it.
pub(crate) fn tell_of_more(goes_on: bool, last: Option<i64>) {
    if let (true, Some(last)) = (goes_on, last) {
        eprintln!("there are more: --after {last}");
    }
}

/// What has become of a person on record.
pub(crate) fn state(erased_at: Option<Timestamp>, deleted_at: Option<Timestamp>) -> &'static str {
    match (erased_at, deleted_at) {
        (Some(_), _) => "erased",
        (None, Some(_)) => "deleted",
        (None, None) => "active",
    }
}

fn line(record: &ContactRecord) -> String {
    let details = record.contact.as_ref().map(|contact| &contact.details);
    let who = details.map(|details| format!("  {}, {}", details.name.full(), details.company));
    format!(
        "{}  customer {}  {}  {}{}",
        record.id,
        record.customer,
        record.kind.as_str(),
        state(record.erased_at, record.deleted_at),
        who.unwrap_or_default()
    )
}

fn record_json(record: &ContactRecord) -> Value {
    let contact = record.contact.as_ref();
    json!({
        "contactId": record.id.0,
        "resellerId": record.reseller.0,
        "customerId": record.customer.0,
        "type": record.kind.as_str(),
        "state": state(record.erased_at, record.deleted_at),
        "createdAt": record.created_at.to_string(),
        "deletedAt": record.deleted_at.map(|at| at.to_string()),
        "erasedAt": record.erased_at.map(|at| at.to_string()),
        "details": contact.map(|contact| &contact.details),
        "attributes": contact.map(|contact| &contact.attributes),
    })
}

fn event_json(event: &ContactEvent) -> Value {
    happening_json(event.at, event.actor, event.kind.as_str(), &event.detail)
}

fn print_record(record: &ContactRecord) {
    println!("{}", line(record));
    let Some(contact) = &record.contact else {
        return;
    };
    print_details(&contact.details);
    for (name, value) in &contact.attributes {
        println!("{name}: {value}");
    }
}

/// Where somebody is and how they are reached, for people to read.
pub(crate) fn print_details(details: &ContactDetails) {
    let lines = [
        Some(&details.address1),
        details.address2.as_ref(),
        details.address3.as_ref(),
    ];
    for text in lines.into_iter().flatten() {
        println!("{text}");
    }
    let places = [
        &details.zip,
        &details.city,
        &details.state,
        &details.country,
    ];
    let places: Vec<&str> = places
        .into_iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    println!("{}", places.join(", "));
    println!("{}  {}", details.email, details.phone);
    if let Some(fax) = &details.fax {
        println!("fax: {fax}");
    }
    if let Some(title) = &details.job_title {
        println!("job title: {title}");
    }
}

fn print_event(event: &ContactEvent) {
    print_happening(event.at, event.actor, event.kind.as_str(), &event.detail);
}

/// A line of somebody's history.
pub(crate) fn print_happening(at: Timestamp, actor: Actor, kind: &str, detail: &Option<String>) {
    let detail = detail.as_deref().map(|detail| format!("  {detail}"));
    let (actor, detail) = (actor.as_str(), detail.unwrap_or_default());
    println!("{at}  {actor}  {kind}{detail}");
}

/// The same in JSON.
pub(crate) fn happening_json(
    at: Timestamp,
    actor: Actor,
    kind: &str,
    detail: &Option<String>,
) -> Value {
    json!({
        "at": at.to_string(),
        "actor": actor.as_str(),
        "kind": kind,
        "detail": detail,
    })
}
