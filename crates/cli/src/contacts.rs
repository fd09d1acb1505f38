//! `chancery contact`.

use anyhow::{Result, bail};
use chancery_app::ContactRecord;
use chancery_domain::contacts::{ContactEvent, ContactId};
use chancery_domain::customers::CustomerId;
use chancery_domain::resellers::ResellerId;
use serde_json::{Value, json};

use crate::arguments::ContactCommand;

pub(crate) async fn contact(command: ContactCommand) -> Result<()> {
    match command {
        ContactCommand::List {
            reseller,
            customer,
            after,
            json,
            place,
        } => {
            let operations = chancery_server::operations(&place.config()?).await?;
            let customer = customer.map(CustomerId);
            let found = operations
                .contacts(ResellerId(reseller), customer, ContactId(after))
                .await?;
            for record in found {
                match json {
                    true => println!("{}", record_json(&record)),
                    false => println!("{}", line(&record)),
                }
            }
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
            let by = operator.name()?;
            if reason.trim().is_empty() {
                bail!("--reason: why is it erased?");
            }
            let operations = chancery_server::operations(&place.config()?).await?;
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

fn state(record: &ContactRecord) -> &'static str {
    match (record.erased_at, record.deleted_at) {
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
        state(record),
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
        "state": state(record),
        "createdAt": record.created_at.to_string(),
        "deletedAt": record.deleted_at.map(|at| at.to_string()),
        "erasedAt": record.erased_at.map(|at| at.to_string()),
        "details": contact.map(|contact| &contact.details),
        "attributes": contact.map(|contact| &contact.attributes),
    })
}

fn event_json(event: &ContactEvent) -> Value {
    json!({
        "at": event.at.to_string(),
        "actor": event.actor.as_str(),
        "kind": event.kind.as_str(),
        "detail": event.detail,
    })
}

fn print_record(record: &ContactRecord) {
    println!("{}", line(record));
    let Some(contact) = &record.contact else {
        return;
    };
    let details = &contact.details;
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
    for (name, value) in &contact.attributes {
        println!("{name}: {value}");
    }
}

fn print_event(event: &ContactEvent) {
    let detail = event.detail.as_deref().map(|detail| format!("  {detail}"));
    println!(
        "{}  {}  {}{}",
        event.at,
        event.actor.as_str(),
        event.kind.as_str(),
        detail.unwrap_or_default()
    );
}
