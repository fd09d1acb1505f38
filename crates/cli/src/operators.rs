//! `chancery reseller`, `credential`, `balance` and `job`.

use anyhow::{Context, Result, bail};
use chancery_app::Operations;
use chancery_domain::money::{Currency, Money};
use chancery_domain::resellers::ResellerId;
use serde_json::json;

use crate::arguments::{BalanceCommand, CredentialCommand, JobCommand, Place, ResellerCommand};

async fn operations(place: &Place) -> Result<Operations> {
    Ok(chancery_server::operations(&place.config()?).await?)
}

pub(crate) async fn reseller(command: ResellerCommand) -> Result<()> {
    match command {
        ResellerCommand::Add {
            name,
            currency,
            json,
            place,
        } => {
            let currency = Currency::parse(&currency).context("--currency")?;
            if name.trim().is_empty() {
                bail!("--name: a reseller needs a name");
            }
            let made = operations(&place)
                .await?
                .add_reseller(name.trim(), currency)
                .await?;
            if json {
                println!("{}", json!({ "resellerId": made.id.0 }));
            } else {
                println!("reseller {} added", made.id);
            }
        }
        ResellerCommand::List { json, place } => {
            for reseller in operations(&place).await?.resellers().await? {
                let (id, name) = (reseller.id, &reseller.name);
                let currency = reseller.currency.as_str();
                if json {
                    println!(
                        "{}",
                        json!({ "resellerId": id.0, "name": name, "currency": currency })
                    );
                } else {
                    println!("{id}  {currency}  {name}");
                }
            }
        }
    }
    Ok(())
}

pub(crate) async fn credential(command: CredentialCommand) -> Result<()> {
    match command {
        CredentialCommand::Add {
            reseller,
            json,
            place,
        } => {
            let made = operations(&place)
                .await?
                .add_credential(ResellerId(reseller))
                .await?;
            if json {
                println!(
                    "{}",
                    json!({ "username": made.username, "password": made.password })
                );
            } else {
                println!("username  {}\npassword  {}", made.username, made.password);
                println!("the password is not kept and cannot be shown again");
            }
        }
        CredentialCommand::List {
            reseller,
            json,
            place,
        } => {
            for held in operations(&place)
                .await?
                .credentials(ResellerId(reseller))
                .await?
            {
                let revoked = held.revoked_at.map(|at| at.to_string());
                let (username, created) = (&held.username, held.created_at.to_string());
                if json {
                    let line = json!({
                        "username": username, "createdAt": created, "revokedAt": revoked,
                    });
                    println!("{line}");
                } else {
                    let end = revoked
                        .map(|at| format!("  revoked {at}"))
                        .unwrap_or_default();
                    println!("{username}  created {created}{end}");
                }
            }
        }
        CredentialCommand::Revoke { username, place } => {
            operations(&place)
                .await?
                .revoke_credential(&username)
                .await?;
            println!("credential {username} revoked, its tokens with it");
        }
    }
    Ok(())
}

pub(crate) async fn balance(command: BalanceCommand) -> Result<()> {
    match command {
        BalanceCommand::Credit {
            reseller,
            amount,
            note,
            json,
            place,
        } => {
            let operations = operations(&place).await?;
            let reseller = operations.reseller(ResellerId(reseller)).await?;
            let amount = Money::parse(&amount, reseller.currency).context("--amount")?;
            if amount.minor <= 0 {
                bail!("--amount: a credit is more than zero");
            }
            let credited = operations.credit(reseller.id, amount, note).await?;
            // Credited it is, even where the new balance could not be read.
            let balance = credited.balance;
            if json {
                let line = json!({
                    "resellerId": reseller.id.0,
                    "balance": balance.map(|balance| balance.to_decimal().to_string()),
                    "currency": reseller.currency.as_str(),
                });
                println!("{line}");
            } else {
                match balance {
                    Some(balance) => println!("{amount} credited; the balance is {balance}"),
                    None => println!("{amount} credited; the balance could not be read"),
                }
            }
        }
        BalanceCommand::Audit { place } => {
            let faults = operations(&place).await?.audit().await?;
            if !faults.is_empty() {
                bail!("{}", faults.join("\n"));
            }
            println!("every balance agrees with the ledger, which sums to zero");
        }
    }
    Ok(())
}

pub(crate) async fn job(command: JobCommand) -> Result<()> {
    match command {
        JobCommand::List { place } => {
            for job in operations(&place).await?.parked_jobs().await? {
                let (id, at, error) = (job.id.0, job.parked_at, job.last_error);
                println!("{id}  {} {}  parked {at}  {error}", job.kind, job.subject);
            }
        }
        JobCommand::Retry { id, place } => {
            operations(&place).await?.retry_job(id).await?;
            println!("job {id} is due again");
        }
    }
    Ok(())
}
