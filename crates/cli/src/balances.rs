//! `chancery balance`.

use anyhow::{Context, Result, bail};
use chancery_app::{Moved, Operations};
use chancery_domain::ledger::AccountEntry;
use chancery_domain::money::Money;
use chancery_domain::resellers::{Reseller, ResellerId};
use serde_json::{Value, json};

use crate::arguments::BalanceCommand;
use crate::operators::{acting, operations};

pub(crate) async fn balance(command: BalanceCommand) -> Result<()> {
    match command {
        BalanceCommand::Show {
            reseller,
            limit,
            before,
            json,
            place,
        } => {
            let (operations, id) = (operations(&place).await?, ResellerId(reseller));
            let balance = operations.balance(id).await?;
            let entries = operations.account_entries(id, before, limit).await?;
            if json {
                let mut shown = balance_json(id, Some(balance));
                shown["entries"] = entries.iter().map(entry_json).collect();
                println!("{shown}");
            } else {
                println!("{balance}");
                entries.iter().for_each(print_entry);
            }
        }
        BalanceCommand::Credit {
            reseller,
            amount,
            note,
            key,
            json,
            operator,
            place,
        } => {
            let operations = acting(&place, &operator).await?;
            let (id, amount) = read_amount(&operations, reseller, &amount, "credit").await?;
            let credited = match key {
                Some(key) => operations.credit_once(id, amount, note, &key).await?,
                None => operations.credit(id, amount, note).await?,
            };
            // Credited it is, even where the new balance could not be read.
            if json {
                let mut line = balance_json(id, credited.balance);
                line["currency"] = amount.currency.as_str().into();
                line["entry"] = credited.entry.into();
                line["repeated"] = credited.repeated.into();
                println!("{line}");
            } else {
                let was = if credited.repeated { " before" } else { "" };
                println!("{amount} credited{was}; {}", told(credited.balance));
            }
        }
        BalanceCommand::Debit {
            reseller,
            amount,
            reason,
            key,
            json,
            operator,
            place,
        } => {
            let operations = acting(&place, &operator).await?;
            let (id, amount) = read_amount(&operations, reseller, &amount, "debit").await?;
            let moved = match key {
                Some(key) => operations.debit_once(id, amount, &reason, &key).await?,
                None => operations.debit(id, amount, &reason).await?,
            };
            print_moved(id, &moved, "debited", json);
        }
        BalanceCommand::Correct {
            reseller,
            entry,
            reason,
            json,
            operator,
            place,
        } => {
            let operations = acting(&place, &operator).await?;
            let id = ResellerId(reseller);
            let moved = operations.correct(id, entry, &reason).await?;
            print_moved(id, &moved, "corrected", json);
        }
        BalanceCommand::Audit { place } => {
            let faults = operations(&place).await?.audit().await?;
            if !faults.is_empty() {
                bail!("{}", faults.join("\n"));
            }
            println!(
                "every balance agrees with the ledger, which sums to zero; all orders are counted"
            );
        }
    }
    Ok(())
}

async fn read_amount(
    operations: &Operations,
    reseller: i64,
    amount: &str,
    what: &str,
) -> Result<(ResellerId, Money)> {
    let Reseller { id, currency, .. } = operations.reseller(ResellerId(reseller)).await?;
    let amount = Money::parse(amount, currency).context("--amount")?;
    if amount.minor <= 0 {
        bail!("--amount: a {what} is more than zero");
    }
    Ok((id, amount))
}

fn print_moved(id: ResellerId, moved: &Moved, what: &str, json: bool) {
    if json {
        let mut line = balance_json(id, moved.balance);
        line["entry"] = moved.entry.into();
        line["repeated"] = moved.repeated.into();
        line["amount"] = moved.amount.to_decimal().to_string().into();
        println!("{line}");
    } else {
        let was = if moved.repeated { " before" } else { "" };
        println!("{what}{was} by {}; {}", moved.amount, told(moved.balance));
    }
}

fn told(balance: Option<Money>) -> String {
    match balance {
        Some(balance) => format!("the balance is {balance}"),
        None => "the balance could not be read".to_owned(),
    }
}

fn balance_json(id: ResellerId, balance: Option<Money>) -> Value {
    json!({
        "resellerId": id.0,
        "balance": balance.map(|balance| balance.to_decimal().to_string()),
        "currency": balance.map(|balance| balance.currency.as_str().to_owned()),
    })
}

fn entry_json(entry: &AccountEntry) -> Value {
    json!({
        "entry": entry.posting,
        "at": entry.at.to_string(),
        "amount": entry.amount.to_decimal().to_string(),
        "kind": entry.kind.as_str(),
        "orderId": entry.order.map(|order| order.0),
        "corrects": entry.corrects,
        "note": entry.note,
    })
}

fn print_entry(entry: &AccountEntry) {
    let order = entry.order.map(|order| format!("  order {order}"));
    let corrects = entry.corrects.map(|entry| format!("  of entry {entry}"));
    let note = entry.note.as_ref().map(|note| format!("  {note}"));
    let more: String = [order, corrects, note].into_iter().flatten().collect();
    println!(
        "{}  {}  {}  {:10}{more}",
        entry.posting,
        entry.at,
        entry.amount,
        entry.kind.as_str()
    );
}
