//! The `chancery` program: the server, and the operator's chores.

mod arguments;
mod authority;
mod balances;
mod certificates;
mod contacts;
mod customers;
mod demo;
mod first_steps;
mod health;
mod http_client;
mod jobs;
mod keys;
mod log;
mod log_lines;
mod operators;
mod orders;
mod prices;
mod proofs;
mod resellers;
mod safety;
mod serve;
mod trails;
mod vetting;

use std::process::ExitCode;

use anyhow::Result;
use chancery_server::config::Config;
use clap::Parser;

use crate::arguments::{Arguments, Command};

/// The stack of each thread, in octets: without optimization the futures of a long use case need more than the usual 2 MiB.
const STACK: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chancery: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<()> {
    let arguments = Arguments::parse();
    // One provider for all TLS; a second one in the process would be a mistake.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("a TLS provider is installed already");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK)
        .enable_all()
        .build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Serve(flags) => serve::serve(&flags).await,
        Command::CheckConfig(flags) => check_config(&flags.serve.config()?, flags.json),
        Command::Migrate(flags) => serve::migrate(&flags.config()?).await,
        Command::Reseller(command) => resellers::reseller(command).await,
        Command::Credential(command) => operators::credential(command).await,
        Command::Contact(command) => contacts::contact(command).await,
        Command::Customer(command) => customers::customer(command).await,
        Command::Balance(command) => balances::balance(command).await,
        Command::Price(command) => prices::price(command).await,
        Command::Proof(command) => proofs::proof(command).await,
        Command::Domain(command) => proofs::domain(command).await,
        Command::Order(command) => orders::order(command).await,
        Command::Job(command) => jobs::job(command).await,
        Command::Access(command) => trails::access(command).await,
        Command::Act(command) => trails::act(command).await,
        Command::Vetting(command) => vetting::vetting(command).await,
        Command::Certificate(command) => certificates::certificate(command).await,
        Command::Key(command) => certificates::key(command).await,
        Command::Ca(command) => authority::ca(command).await,
        Command::Health(flags) => health::health(&flags).await,
        Command::RestoreCheck(flags) => safety::restore_check(flags).await,
        Command::LostCertificate(command) => safety::lost_certificate(command).await,
        Command::Database(command) => safety::database(command).await,
        Command::Clock(command) => safety::clock(command).await,
        Command::Demo(asked) => demo::demo(&asked).await,
    }
}

/// Says what the settings mean for safety. What must not be is an error.
fn check_config(config: &Config, json: bool) -> Result<()> {
    let checked = chancery_server::check(config);
    for finding in config.findings() {
        match json {
            true => println!("{}", serde_json::to_string(&finding)?),
            false => println!(
                "{:7}  {}: {}",
                finding.level, finding.setting, finding.meaning
            ),
        }
    }
    checked?;
    if !json {
        println!("the configuration is right");
    }
    Ok(())
}
