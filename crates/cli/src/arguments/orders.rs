//! The part of the command line that is about orders.

use chancery_domain::names::DomainName;
use chancery_domain::stages::Stage;
use clap::{Args, Subcommand};

use super::{OperatorFlag, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// List orders, the newest first
    List(OrderListFlags),
    /// Show an order: its names, its latest run and what is still to be proved, its certificate, its jobs
    Show {
        /// The order's id
        #[arg(long, value_name = "ID")]
        order: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Cancel an order that has no certificate yet, and give its price back
    Cancel {
        /// The order's id
        #[arg(long, value_name = "ID")]
        order: i64,
        /// Why; it goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// Show an order's history
    Events {
        /// The order's id
        #[arg(long, value_name = "ID")]
        order: i64,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args, Debug)]
pub(crate) struct OrderListFlags {
    /// Only those of this reseller
    #[arg(long, value_name = "ID")]
    pub(crate) reseller: Option<i64>,
    /// Only those with this name among theirs
    #[arg(long, value_parser = name)]
    pub(crate) name: Option<DomainName>,
    /// Only those in this stage, such as `validating`
    #[arg(long, value_parser = stage)]
    pub(crate) stage: Option<Stage>,
    /// Go on before this order: the last of a list before
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<i64>,
    /// At most so many lines
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub(crate) limit: u32,
    /// Answer in JSON, a line for each
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn name(text: &str) -> Result<DomainName, String> {
    DomainName::parse(text).map_err(|error| error.to_string())
}

fn stage(text: &str) -> Result<Stage, String> {
    let names = Stage::ALL.map(Stage::as_str).join(", ");
    Stage::parse(text).ok_or_else(|| format!("it is one of: {names}"))
}
