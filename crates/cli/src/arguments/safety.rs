//! Commands for when something went wrong: restored backups, damage, a clock that went back.

use chancery_domain::revocations::RevocationReason;
use clap::{Args, Subcommand};

use super::certificates::reason;
use super::{OperatorFlag, Place, Which};

#[derive(Args, Debug)]
pub(crate) struct RestoreFlags {
    /// How far beyond what is known to be used numbers go on; without it, as far as seems safe
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
    pub(crate) skip: Option<i64>,
    /// Do it; without it, only say what would be done
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorFlag,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Look for damage: files, references, balances, states, certificates, sealed secrets
    Check {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClockCommand {
    /// Show the time, and the latest that a server has seen
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// Take the time for right, so that certificates and revocation lists are signed again
    Accept {
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LostCommand {
    /// List the certificates that a restored backup did not have and that have not expired
    List {
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show which of them would be revoked, and with --yes revoke them
    Revoke {
        #[command(flatten)]
        which: Which,
        /// Why: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn, or
        /// the number. With keyCompromise the key is blocked and all certificates with it go
        #[arg(long, value_parser = reason)]
        reason: RevocationReason,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
}
