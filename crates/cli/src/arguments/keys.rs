//! The part of the command line that is about the master key.

use std::path::PathBuf;

use clap::Args;

use super::{OperatorFlag, Place};

#[derive(Args, Debug)]
pub(crate) struct RotateFlags {
    /// The new key: 32 bytes as hex or Base64, made with: openssl rand -hex 32; chmod 600
    #[arg(long, value_name = "FILE")]
    pub(crate) new_master_key_file: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorFlag,
    #[command(flatten)]
    pub(crate) place: Place,
}
