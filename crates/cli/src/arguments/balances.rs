//! The part of the command line that is about money.

use clap::Subcommand;

use super::{OperatorFlag, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum BalanceCommand {
    /// Show a reseller's balance, and the last movements on its account
    Show {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// At most so many movements
        #[arg(long, value_name = "LINES", default_value_t = 20)]
        limit: u32,
        /// Movements before this entry: the last of a list before
        #[arg(long, value_name = "ENTRY")]
        before: Option<i64>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Credit a reseller's balance
    Credit {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// How much, such as 100.00, in the reseller's currency
        #[arg(long)]
        amount: String,
        /// A note for the ledger
        #[arg(long)]
        note: Option<String>,
        /// A key of yours, such as the invoice's number: the same credit under it within thirty days counts once
        #[arg(long)]
        key: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// Take money off a reseller's balance, which does not fall below zero
    Debit {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// How much, such as 100.00, in the reseller's currency
        #[arg(long)]
        amount: String,
        /// Why; it goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// A key of yours, such as the payment's number: the same debit under it within thirty days counts once
        #[arg(long)]
        key: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// Put a credit or a debit right that was a mistake, by its counter-entry
    Correct {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// The entry, as `balance show` lists it
        #[arg(long, value_name = "ENTRY")]
        entry: i64,
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
    /// Hold every balance against the ledger
    Audit {
        #[command(flatten)]
        place: Place,
    },
}
