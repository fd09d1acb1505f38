//! The part of the command line that is about people.

use clap::Subcommand;

use super::{OperatorFlag, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum ContactCommand {
    /// List contacts of a reseller's, deleted and erased ones too, 500 at a time
    List {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// Only those of this customer
        #[arg(long, value_name = "ID")]
        customer: Option<i64>,
        /// Only those whose e-mail address begins so
        #[arg(long, value_name = "TEXT")]
        email: Option<String>,
        /// Only those with larger ids: the last of a list before
        #[arg(long, value_name = "ID", default_value_t = 0)]
        after: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a contact and its history
    Show {
        /// The contact's id
        #[arg(long, value_name = "ID")]
        contact: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove what identifies the person; that it was done, by whom and why stays on record
    Erase {
        /// The contact's id
        #[arg(long, value_name = "ID")]
        contact: i64,
        /// Why; do not name the person here, for it is kept
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
}

#[derive(Debug, Subcommand)]
pub(crate) enum CustomerCommand {
    /// List customers of a reseller's, deleted and erased ones too, 500 at a time
    List {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// Only those with larger ids: the last of a list before
        #[arg(long, value_name = "ID", default_value_t = 0)]
        after: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a customer and its history
    Show {
        /// The customer's id
        #[arg(long, value_name = "ID")]
        customer: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove what identifies the person, from the customer and from all its contacts
    Erase {
        /// The customer's id
        #[arg(long, value_name = "ID")]
        customer: i64,
        /// Why; do not name the person here, for it is kept
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
}
