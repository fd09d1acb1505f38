//! `chancery access` and `act`: who got in, who did not, and what operators did.

use anyhow::Result;
use chancery_app::AccessFilter;
use chancery_domain::access_trail::{AccessLine, network};
use chancery_domain::resellers::ResellerId;
use serde_json::json;

use crate::arguments::{AccessCommand, AccessFlags, ActCommand};
use crate::operators::operations;
use crate::resellers::{act_json, act_line};

pub(crate) async fn access(command: AccessCommand) -> Result<()> {
    let AccessCommand::List(flags) = command;
    let lines = operations(&flags.place)
        .await?
        .access_trail(&filter(&flags), flags.limit.into())
        .await?;
    for line in &lines {
        match flags.json {
            true => println!("{}", line_json(line)),
            false => println!("{}", line_text(line)),
        }
    }
    Ok(())
}

pub(crate) async fn act(command: ActCommand) -> Result<()> {
    let ActCommand::List {
        reseller,
        before,
        limit,
        json,
        place,
    } = command;
    let operations = operations(&place).await?;
    let reseller = reseller.map(ResellerId);
    for act in operations.acts(reseller, before, limit).await? {
        match json {
            true => println!("{}", act_json(&act)),
            false => println!("{}  {}", act.id, act_line(&act)),
        }
    }
    Ok(())
}

fn filter(flags: &AccessFlags) -> AccessFilter {
    AccessFilter {
        reseller: flags.reseller.map(ResellerId),
        username: flags.username.clone(),
        address: flags.address.map(network),
        outcome: flags.outcome,
        only_refusals: flags.refused,
        since: flags.since,
        before: flags.before,
    }
}

fn line_json(line: &AccessLine) -> serde_json::Value {
    let key = &line.key;
    json!({
        "period": key.period.to_string(),
        "lastAt": line.last_at.to_string(),
        "outcome": key.outcome.as_str(),
        "username": key.username,
        "address": key.address,
        "resellerId": line.reseller.map(|reseller| reseller.0),
        "times": line.times,
    })
}

fn line_text(line: &AccessLine) -> String {
    let key = &line.key;
    let reseller = line
        .reseller
        .map(|reseller| format!("  reseller {reseller}"));
    let times = match line.times {
        1 => String::new(),
        times => format!("  {times} times"),
    };
    format!(
        "{}  {:19}  {:?}  from {}{}{times}",
        line.last_at,
        key.outcome.as_str(),
        key.username,
        key.address,
        reseller.unwrap_or_default(),
    )
}
