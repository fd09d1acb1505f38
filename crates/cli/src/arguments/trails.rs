//! The part of the command line that is about what was done, and by whom.

use std::net::IpAddr;

use chancery_domain::Timestamp;
use chancery_domain::access_trail::AccessOutcome;
use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// List sign-ins and refusals, those of the last hours first: by user name, address and reason, with a count
    List(AccessFlags),
}

#[derive(Args, Debug)]
pub(crate) struct AccessFlags {
    /// Only those of this reseller's credentials
    #[arg(long, value_name = "ID")]
    pub(crate) reseller: Option<i64>,
    /// Only those of this user name
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// Only those from this address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<IpAddr>,
    /// Only those that ended so, such as `wrong_secret`
    #[arg(long, value_parser = outcome)]
    pub(crate) outcome: Option<AccessOutcome>,
    /// Only refusals
    #[arg(long)]
    pub(crate) refused: bool,
    /// Only those since then, such as 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,
    /// Only those before
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<Timestamp>,
    /// At most so many lines
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub(crate) limit: u32,
    /// Answer in JSON, a line for each
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ActCommand {
    /// List what operators did, the latest first
    List {
        /// Only what concerns this reseller
        #[arg(long, value_name = "ID")]
        reseller: Option<i64>,
        /// Go on before this act: the last of a list before
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
        /// At most so many lines
        #[arg(long, value_name = "LINES", default_value_t = 100)]
        limit: u32,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
}

fn outcome(text: &str) -> Result<AccessOutcome, String> {
    let names = AccessOutcome::ALL.map(AccessOutcome::as_str).join(", ");
    AccessOutcome::parse(text).ok_or_else(|| format!("it is one of: {names}"))
}
