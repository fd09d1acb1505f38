//! `chancery reseller`.

use anyhow::{Context, Result, bail};
use chancery_app::Operations;
use chancery_domain::money::{Currency, Money};
use chancery_domain::operators::OperatorAct;
use chancery_domain::reseller_settings::ProofScope;
use chancery_domain::resellers::{Reseller, ResellerId};
use serde_json::{Value, json};

use crate::arguments::{ResellerCommand, SetFlags, SwitchFlags};
use crate::operators::{acting, operations};

pub(crate) async fn reseller(command: ResellerCommand) -> Result<()> {
    match command {
        ResellerCommand::Add {
            name,
            currency,
            json,
            operator,
            place,
        } => {
            let currency = Currency::parse(&currency).context("--currency")?;
            if name.trim().is_empty() {
                bail!("--name: a reseller needs a name");
            }
            let operations = acting(&place, &operator).await?;
            let made = operations.add_reseller(name.trim(), currency).await?;
            if json {
                println!("{}", json!({ "resellerId": made.id.0 }));
            } else {
                println!("reseller {} added", made.id);
            }
        }
        ResellerCommand::List { json, place } => {
            for reseller in operations(&place).await?.resellers().await? {
                match json {
                    true => println!("{}", summary_json(&reseller)),
                    false => println!("{}", line(&reseller)),
                }
            }
        }
        ResellerCommand::Show {
            reseller,
            json,
            place,
        } => show(&operations(&place).await?, ResellerId(reseller), json).await?,
        ResellerCommand::Set(flags) => set(&flags).await?,
        ResellerCommand::Suspend(flags) => {
            let operations = acting(&flags.place, &flags.operator).await?;
            let id = ResellerId(flags.reseller);
            let reseller = operations.suspend_reseller(id, &flags.reason).await?;
            print_switched(&reseller, &flags);
        }
        ResellerCommand::Resume(flags) => {
            let operations = acting(&flags.place, &flags.operator).await?;
            let id = ResellerId(flags.reseller);
            let reseller = operations.resume_reseller(id, &flags.reason).await?;
            print_switched(&reseller, &flags);
        }
    }
    Ok(())
}

async fn show(operations: &Operations, id: ResellerId, json: bool) -> Result<()> {
    let reseller = operations.reseller(id).await?;
    let balance = operations.balance(id).await?;
    let history = operations.reseller_history(id).await?;
    if json {
        let mut shown = reseller_json(&reseller);
        shown["balance"] = balance.to_decimal().to_string().into();
        shown["history"] = history.iter().map(act_json).collect();
        println!("{shown}");
    } else {
        print_reseller(&reseller, balance);
        for act in history.iter().rev() {
            println!("{}", act_line(act));
        }
    }
    Ok(())
}

async fn set(flags: &SetFlags) -> Result<()> {
    let operations = acting(&flags.place, &flags.operator).await?;
    let id = ResellerId(flags.reseller);
    let changes = flags.settings.changes();
    let before = operations.reseller(id).await?.settings.proof_scope;
    let wider = changes.proof_scope.filter(|scope| *scope != before);
    if let Some(warning) = wider.and_then(ProofScope::warning) {
        eprintln!("warning: {warning}.");
        if !flags.yes {
            bail!("--proof-scope: nothing was changed; add --yes if this is what you want");
        }
    }
    let reseller = operations.set_reseller(id, &changes).await?;
    match flags.json {
        true => println!("{}", reseller_json(&reseller)),
        false => print_settings(&reseller),
    }
    Ok(())
}

fn print_switched(reseller: &Reseller, flags: &SwitchFlags) {
    if flags.json {
        println!("{}", reseller_json(reseller));
    } else if reseller.is_suspended() {
        println!("reseller {} is suspended", reseller.id);
    } else {
        println!("reseller {} is let in again", reseller.id);
    }
}

fn line(reseller: &Reseller) -> String {
    let Reseller {
        id, name, currency, ..
    } = reseller;
    let suspended = reseller.settings.suspended_at;
    let suspended = suspended.map(|at| format!("  suspended {at}"));
    let suspended = suspended.unwrap_or_default();
    format!("{id}  {}  {name}{suspended}", currency.as_str())
}

fn summary_json(reseller: &Reseller) -> Value {
    let suspended = reseller.settings.suspended_at;
    json!({
        "resellerId": reseller.id.0,
        "name": reseller.name,
        "currency": reseller.currency.as_str(),
        "suspendedAt": suspended.map(|at| at.to_string()),
    })
}

fn reseller_json(reseller: &Reseller) -> Value {
    let settings = &reseller.settings;
    json!({
        "resellerId": reseller.id.0,
        "name": reseller.name,
        "currency": reseller.currency.as_str(),
        "createdAt": reseller.created_at.to_string(),
        "suspendedAt": settings.suspended_at.map(|at| at.to_string()),
        "proofScope": settings.proof_scope,
        "reuseKeys": settings.reuse_keys,
        "noticesTo": settings.notices_to,
        "noticeEmail": settings.notice_email,
        "noticeSender": settings.notice_sender,
        "noticeFooter": settings.notice_footer,
        "company": settings.company,
        "brandingUrl": settings.branding_url,
    })
}

fn print_reseller(reseller: &Reseller, balance: Money) {
    println!("{}", line(reseller));
    println!("added         {}", reseller.created_at);
    println!("balance       {balance}");
    print_settings(reseller);
}

fn print_settings(reseller: &Reseller) {
    let settings = &reseller.settings;
    println!("name          {}", reseller.name);
    println!("proof scope   {}", settings.proof_scope);
    println!("reuse keys    {}", settings.reuse_keys);
    println!("notices to    {}", settings.notices_to);
    for (name, value) in [
        ("notice email", &settings.notice_email),
        ("notice sender", &settings.notice_sender),
        ("notice footer", &settings.notice_footer),
        ("company", &settings.company),
        ("branding URL", &settings.branding_url),
    ] {
        if let Some(value) = value {
            println!("{name:13} {}", value.replace('\n', "\n              "));
        }
    }
}

pub(crate) fn act_json(act: &OperatorAct) -> Value {
    json!({
        "id": act.id,
        "at": act.at.to_string(),
        "operator": act.operator.as_str(),
        "act": act.kind.as_str(),
        "subject": act.subject,
        "resellerId": act.reseller.map(|reseller| reseller.0),
        "detail": act.detail,
    })
}

pub(crate) fn act_line(act: &OperatorAct) -> String {
    let detail = act.detail.as_deref().map(|detail| format!("  {detail}"));
    format!(
        "{}  {}  {}  {}{}",
        act.at,
        act.operator,
        act.kind.as_str(),
        act.subject,
        detail.unwrap_or_default()
    )
}
