//! `chancery credential`, and who acts.

use anyhow::{Context, Result, bail};
use chancery_app::{CredentialUse, Operations};
use chancery_domain::access::{Access, Networks};
use chancery_domain::operators::OperatorName;
use chancery_domain::resellers::{Credential, ResellerId};
use serde_json::json;

use crate::arguments::{CredentialCommand, OperatorFlag, Place};

pub(crate) async fn operations(place: &Place) -> Result<Operations> {
    Ok(chancery_server::operations(&place.config()?).await?)
}

/// The same in the name of whoever acts.
pub(crate) async fn acting(place: &Place, operator: &OperatorFlag) -> Result<Operations> {
    let operations = operations(place).await?;
    let name = operator.name_on(&operations).await?;
    Ok(operations.acting_as(name))
}

impl OperatorFlag {
    /// The operator's name. It must be said, unless the database is a test environment's.
    pub(crate) async fn name_on(&self, operations: &Operations) -> Result<OperatorName> {
        let is_test = operations.mode().await?.as_deref() == Some("ote");
        let account = || std::env::var("USER").ok().filter(|_| is_test);
        let Some(name) = self.operator.clone().or_else(account) else {
            bail!("--operator: who are you? What operators change is recorded under their names");
        };
        OperatorName::parse(&name).with_context(|| format!("--operator {name}"))
    }
}

pub(crate) async fn credential(command: CredentialCommand) -> Result<()> {
    match command {
        CredentialCommand::Add {
            reseller,
            kind,
            scope,
            allow,
            json,
            operator,
            place,
        } => {
            let allowed = allow.into_iter().collect();
            let made = acting(&place, &operator)
                .await?
                .add_credential(ResellerId(reseller), kind, Access { scope, allowed })
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
            let operations = operations(&place).await?;
            let uses = operations.credential_uses(ResellerId(reseller)).await?;
            for held in operations.credentials(ResellerId(reseller)).await? {
                let used = uses.iter().find(|used| used.username == held.username);
                println!("{}", credential_line(&held, used, json));
            }
        }
        CredentialCommand::Scope {
            username,
            scope,
            operator,
            place,
        } => {
            acting(&place, &operator)
                .await?
                .set_scope(&username, scope)
                .await?;
            println!("credential {username} has the scope {scope}");
        }
        CredentialCommand::Allow {
            username,
            networks,
            everywhere: _,
            operator,
            place,
        } => {
            let allowed: Networks = networks.into_iter().collect();
            acting(&place, &operator)
                .await?
                .set_allowed(&username, &allowed)
                .await?;
            println!("credential {username} may be used from {}", told(&allowed));
        }
        CredentialCommand::Revoke {
            username,
            operator,
            place,
        } => {
            acting(&place, &operator)
                .await?
                .revoke_credential(&username)
                .await?;
            println!("credential {username} revoked, its tokens with it");
        }
    }
    Ok(())
}

fn credential_line(held: &Credential, used: Option<&CredentialUse>, json: bool) -> String {
    let Credential {
        username,
        kind,
        access,
        ..
    } = held;
    let revoked = held.revoked_at.map(|at| at.to_string());
    let created = held.created_at.to_string();
    if json {
        let line = json!({
            "username": username, "kind": kind.as_str(), "scope": access.scope, "allowed": access.allowed,
            "createdAt": created, "revokedAt": revoked,
            "lastUsedAt": used.map(|used| used.used_at.to_string()),
            "lastUsedFrom": used.map(|used| &used.address),
        });
        return line.to_string();
    }
    let (scope, allowed) = (access.scope, told(&access.allowed));
    let end = revoked.map(|at| format!("  revoked {at}"));
    let end = end.unwrap_or_default();
    let used = match used {
        Some(used) => format!("last used {} from {}", used.used_at, used.address),
        None => "never used".to_owned(),
    };
    format!("{username}  {kind}  created {created}  {scope:6}  from {allowed}  {used}{end}")
}

fn told(allowed: &Networks) -> String {
    let networks: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    match networks.is_empty() {
        true => "everywhere".to_owned(),
        false => networks.join(", "),
    }
}
