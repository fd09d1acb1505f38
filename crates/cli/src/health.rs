//! `chancery health`: what a running server says of itself, to its operator.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::arguments::HealthFlags;
use crate::http_client::HttpClient;

/// Prints how each thing stands; an error where the server cannot do its work.
pub(crate) async fn health(flags: &HealthFlags) -> Result<()> {
    let client = HttpClient::new(&flags.url)?;
    let (status, answer) = client.get("/health/ready").await?;
    let health: Value = serde_json::from_slice(&answer)
        .with_context(|| format!("{}/health/ready answers {status} and no JSON", flags.url))?;
    if flags.json {
        println!("{health:#}");
    } else {
        print(&health);
    }
    match status.is_success() {
        true => Ok(()),
        false => bail!("the server cannot do its work"),
    }
}

fn print(health: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    println!("{:<20} {}", "all", text(&health["status"]));
    let Some(checks) = health["checks"].as_array() else {
        println!("The server tells more to the addresses in health.operators only.");
        return;
    };
    for check in checks {
        let [name, status, detail] = ["name", "status", "detail"].map(|key| text(&check[key]));
        println!("{name:<20} {status:<8} {detail}");
    }
}
