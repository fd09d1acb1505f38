//! The part of the command line that is about proofs, and about domains proved ahead of any order.

use clap::Subcommand;

use super::{OperatorFlag, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum ProofCommand {
    /// List a reseller's proofs that may be used, the newest first, at most 500
    List {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// Those of names at or below the registered domain of this name alone
        #[arg(long, value_name = "NAME")]
        domain: Option<String>,
        /// Those of an order alone
        #[arg(long, value_name = "ID")]
        order: Option<i64>,
        /// Those before a proof alone
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Have a proof used no more; certificates that rest on it stay
    Drop {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// The proof's id, as `list` tells it
        #[arg(long, value_name = "ID")]
        proof: i64,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// List the domains that a reseller proves ahead of any order, the newest first, at most 500
    List {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// Those before a domain alone
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a domain and what the latest look saw
    Show {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// The domain's id, as `list` tells it
        #[arg(long, value_name = "ID")]
        domain: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Drop a domain, its proofs with it; certificates that rest on them stay
    Drop {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// The domain's id, as `list` tells it
        #[arg(long, value_name = "ID")]
        domain: i64,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
}
