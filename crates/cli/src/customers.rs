//! `chancery customer`.

use anyhow::{Result, bail};
use chancery_app::CustomerRecord;
use chancery_domain::customers::{CustomerEvent, CustomerId};
use chancery_domain::resellers::ResellerId;
use serde_json::{Value, json};

use crate::arguments::CustomerCommand;
use crate::contacts::{happening_json, print_details, print_happening, state, tell_of_more};

pub(crate) async fn customer(command: CustomerCommand) -> Result<()> {
    match command {
        CustomerCommand::List {
            reseller,
            after,
            json,
            place,
        } => {
            let operations = chancery_server::operations(&place.config()?).await?;
            let found = operations
                .customers(ResellerId(reseller), CustomerId(after))
                .await?;
            for record in &found.records {
                match json {
                    true => println!("{}", record_json(record)),
                    false => println!("{}", line(record)),
                }
            }
            let last = found.records.last().map(|record| record.customer.id.0);
            tell_of_more(found.goes_on, last);
        }
        CustomerCommand::Show {
            customer,
            json,
            place,
        } => {
            let operations = chancery_server::operations(&place.config()?).await?;
            let (record, events) = operations.customer(CustomerId(customer)).await?;
            if json {
                let mut shown = record_json(&record);
                shown["history"] = events.iter().map(event_json).collect();
                println!("{shown}");
            } else {
                print_record(&record);
                events.iter().for_each(print_event);
            }
        }
        CustomerCommand::Erase {
            customer,
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
                .erase_customer(CustomerId(customer), &by, &reason)
                .await?;
            match json {
                true => println!("{}", record_json(&erased)),
                false => println!("customer {customer} erased, and all its contacts"),
            }
        }
    }
    Ok(())
}

fn line(record: &CustomerRecord) -> String {
    let customer = &record.customer;
    let state = state(record.erased_at, customer.deleted_at);
    let who = match &customer.profile {
        Some(profile) => {
            let details = &profile.details;
            let (name, company) = (details.name.full(), &details.company);
            format!("  {}  {name}, {company}", profile.username.as_str())
        }
        None if customer.is_reseller() => "  the reseller itself".to_owned(),
        None => String::new(),
    };
    format!(
        "{}  reseller {}  {state}{who}",
        customer.id, customer.reseller
    )
}

fn record_json(record: &CustomerRecord) -> Value {
    let customer = &record.customer;
    json!({
        "customerId": customer.id.0,
        "resellerId": customer.reseller.0,
        "state": state(record.erased_at, customer.deleted_at),
        "createdAt": customer.created_at.to_string(),
        "deletedAt": customer.deleted_at.map(|at| at.to_string()),
        "erasedAt": record.erased_at.map(|at| at.to_string()),
        "profile": customer.profile,
    })
}

fn event_json(event: &CustomerEvent) -> Value {
    happening_json(event.at, event.actor, event.kind.as_str(), &event.detail)
}

fn print_record(record: &CustomerRecord) {
    println!("{}", line(record));
    let Some(profile) = &record.customer.profile else {
        return;
    };
    print_details(&profile.details);
    let more = [
        ("other state", profile.other_state.clone()),
        (
            "other telephone",
            profile.other_phone.as_ref().map(ToString::to_string),
        ),
        (
            "mobile telephone",
            profile.mobile.as_ref().map(ToString::to_string),
        ),
        ("VAT number", profile.vat_id.clone()),
        ("language", Some(profile.language.clone())),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            println!("{name}: {value}");
        }
    }
    println!("takes text messages: {}", profile.takes_text_messages);
    println!("takes advertising: {}", profile.takes_advertising);
}

fn print_event(event: &CustomerEvent) {
    print_happening(event.at, event.actor, event.kind.as_str(), &event.detail);
}
