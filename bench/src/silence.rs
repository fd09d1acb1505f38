//! What silent name servers take from others: another reseller's orders, and a revocation's way to the list, while two
//! thousand names that nobody answers for are looked for.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::chancery::Installation;
use crate::engines::{self, create};
use crate::http::{HttpConnection, request};
use crate::load;
use crate::report::{title, word};
use crate::resellers::{Reseller, csr, text};
use crate::{Engine, Options, say};

/// Names that nobody answers for, and how many an order has.
const SILENT: usize = 2_000;
const NAMES_EACH: usize = 50;

/// Orders that are timed, one after the other, before and meanwhile.
const TIMED: usize = 20;

/// From the moment a proof is to be seen until its order is issued.
const AIM: Duration = Duration::from_secs(2);

/// From the answer to a revocation until the list has it.
const LIST_AIM: Duration = Duration::from_secs(60);

const PATIENCE: Duration = Duration::from_secs(120);

/// What all engines have shown.
pub(crate) struct SilenceReport(Vec<Findings>);

struct Findings {
    engine: Engine,
    before: Vec<Duration>,
    meanwhile: Vec<Duration>,
    listed: Duration,
}

/// Measures on each engine.
pub(crate) fn measure(options: &Options) -> Result<SilenceReport> {
    let on_engine = |engine, folder: &Path| {
        let (database, version) = create(engine, options, folder, "_silence")?;
        let installation = Installation {
            program: options.chancery()?,
            data: folder.to_owned(),
            database: database.url(),
        };
        say(&version);
        let server = installation.start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let resellers = Reseller::add_all(&installation, server.address, 2)?;
        let found = load::block_on(on_server(engine, server.address, &resellers))?;
        server.stop()?;
        database.remove(options)?;
        Ok(found)
    };
    Ok(SilenceReport(engines::on_each(options, on_engine)?))
}

async fn on_server(
    engine: Engine,
    address: SocketAddr,
    resellers: &[Reseller],
) -> Result<Findings> {
    let [flooding, other] = resellers else {
        anyhow::bail!("two resellers are needed");
    };
    let mut connection = HttpConnection::open(address).await?;
    say("orders before");
    let mut before = Vec::new();
    for number in 0..TIMED {
        let name = format!("before-{number}.example");
        before.push(timed(&mut connection, other, &name).await?.1);
    }
    say("silent names");
    let mut silent = String::new();
    for order in 0..SILENT / NAMES_EACH {
        let number = place_silent(&mut connection, flooding, order).await?;
        silent = format!("/ssl/v2/orders/info?orderId={number}");
    }
    // Their first looks are due a few seconds after they were placed.
    tokio::time::sleep(Duration::from_secs(8)).await;
    say("orders meanwhile");
    let (mut meanwhile, mut last) = (Vec::new(), String::new());
    for number in 0..TIMED {
        let name = format!("meanwhile-{number}.example");
        let (order, took) = timed(&mut connection, other, &name).await?;
        meanwhile.push(took);
        last = order;
    }
    let listed = listed(&mut connection, other, &last).await?;
    let silent = connection.json(&flooding.get(&silent)).await?;
    let status = &silent["data"]["orderStatus"];
    ensure!(status == "IN_PROCESS", "silent names are {status}");
    Ok(Findings {
        engine,
        before,
        meanwhile,
        listed,
    })
}

/// Places an order, shows its proof and waits for its certificate: its number, and how long that took from the moment
/// the proof was to be seen.
async fn timed(
    connection: &mut HttpConnection,
    reseller: &Reseller,
    name: &str,
) -> Result<(String, Duration)> {
    let asked = reseller.order_request(&csr(name)?);
    let placed = connection.json(&asked).await?;
    let order = text(&placed, "/data/orderId")?;
    let challenge = &placed["data"]["commonName"];
    let shown = json!({ "values": [text(challenge, "/value")?], "ttl": 60 });
    publish(connection, challenge, &shown).await?;
    let began = Instant::now();
    let path = format!("/ssl/v2/orders/{order}/dcv-status");
    while began.elapsed() < PATIENCE {
        let answer = connection.json(&reseller.get(&path)).await?;
        if answer["data"]["orderStatus"] == "COMPLETED" {
            return Ok((order, began.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    anyhow::bail!("{name} was not issued within {PATIENCE:?}")
}

async fn place_silent(
    connection: &mut HttpConnection,
    reseller: &Reseller,
    order: usize,
) -> Result<String> {
    let names = (0..NAMES_EACH).map(|at| format!("host{at}.silent{order}.example"));
    let names: Vec<String> = names.collect();
    let asked = reseller.order_for_names(&csr(&names[0])?, &names[1..]);
    let placed = connection.json(&asked).await?;
    let further = placed["data"]["san"]
        .as_array()
        .context("no further names")?;
    for challenge in further.iter().chain([&placed["data"]["commonName"]]) {
        publish(connection, challenge, &json!({ "drop": true })).await?;
    }
    text(&placed, "/data/orderId")
}

async fn publish(connection: &mut HttpConnection, challenge: &Value, set: &Value) -> Result<()> {
    let (host, kind) = (text(challenge, "/host")?, text(challenge, "/recordType")?);
    let path = format!("/ote/dns/{host}/{kind}");
    let set = set.to_string().into_bytes();
    connection.json(&request("PUT", &path, "", &set)).await?;
    Ok(())
}

/// How long a revocation takes to be on the list.
async fn listed(
    connection: &mut HttpConnection,
    reseller: &Reseller,
    order: &str,
) -> Result<Duration> {
    let list = request("GET", "/pki/issuing.crl", "", &[]);
    let before = connection.exchange(&list).await?.body.to_vec();
    let path = format!("/ssl/v2/orders/{order}/revoke");
    let revoke = reseller.post(&path, &json!({ "reason": "superseded" }));
    connection.json(&revoke).await?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if connection.exchange(&list).await?.body != before {
            return Ok(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("a revocation was not listed within {PATIENCE:?}")
}

impl SilenceReport {
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text)
            .expect("a String takes all that is written");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "{SILENT} names without an answer; {TIMED} orders of another reseller before, and {TIMED} meanwhile, in \
             milliseconds.\n"
        )?;
        writeln!(
            out,
            "| from | engine | median before | median meanwhile | ratio | longest meanwhile | aim | met |"
        )?;
        writeln!(out, "|---|---|--:|--:|--:|--:|--:|---|")?;
        for found in &self.0 {
            let [before, meanwhile] = [&found.before, &found.meanwhile].map(|took| median(took));
            let longest = found.meanwhile.iter().max().copied().unwrap_or_default();
            writeln!(
                out,
                "| proof shown to certificate | {} | {} | {} | {:.1} | {} | < {} | {} |",
                title(found.engine),
                before.as_millis(),
                meanwhile.as_millis(),
                meanwhile.as_secs_f64() / before.as_secs_f64(),
                longest.as_millis(),
                AIM.as_millis(),
                word(longest < AIM)
            )?;
            writeln!(
                out,
                "| revocation to list | {} | | | | {} | < {} | {} |",
                title(found.engine),
                found.listed.as_millis(),
                LIST_AIM.as_millis(),
                word(found.listed < LIST_AIM)
            )?;
        }
        Ok(())
    }
}

fn median(took: &[Duration]) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    took[took.len() / 2]
}
