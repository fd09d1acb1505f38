//! The part of the command line that is about certificates and keys.

use std::path::PathBuf;

use chancery_domain::revocations::RevocationReason;
use clap::{Args, Subcommand};

use super::{OperatorFlag, Place, RotateFlags};

/// Which certificates are meant.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = true)]
pub(crate) struct Which {
    /// Those of an order
    #[arg(long, value_name = "ID")]
    pub(crate) order: Vec<i64>,
    /// The one with this serial number, hexadecimal
    #[arg(long, value_name = "HEX")]
    pub(crate) serial: Vec<String>,
    /// Those with this key: SHA-256 of its SubjectPublicKeyInfo, hexadecimal
    #[arg(long, value_name = "HEX")]
    pub(crate) key: Vec<String>,
    /// Those that cover this very name; looks at every certificate
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,
    /// Those of a file: a line each, a serial number or `order ID`, `key HEX`, `name NAME`
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

pub(super) fn reason(text: &str) -> Result<RevocationReason, String> {
    RevocationReason::parse(text).ok_or_else(|| {
        let all = RevocationReason::ALL;
        let names = all.map(|reason| format!("{} ({})", reason.name(), reason.code()));
        format!("a reason is one of: {}", names.join(", "))
    })
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// List certificates that were signed, those that ended or were revoked among them
    List {
        #[command(flatten)]
        which: Which,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show certificates with their PEM
    Show {
        #[command(flatten)]
        which: Which,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show which certificates would be revoked, and with --yes revoke them
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

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Show which certificates have a key, and with --yes block it for ever and revoke them
    Block {
        #[command(flatten)]
        key: WhichKey,
        /// Where it is known from that the key is compromised
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
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
    /// Seal everything in the database anew under another master key; stop the servers first
    ///
    /// The configuration names the key of before until this has ended; then put the new one there and start the
    /// servers. Interrupted, it is run again in the same way, and goes on.
    Rotate(RotateFlags),
    /// List the blocked keys
    List {
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
}

/// Which key is meant.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichKey {
    /// That of a certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// That of a CSR, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) csr: Option<PathBuf>,
    /// A public key, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// The one with this SHA-256 of its SubjectPublicKeyInfo, hexadecimal
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<String>,
}
