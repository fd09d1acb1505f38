//! The part of the command line that is about resellers.

use chancery_domain::reseller_settings::{NoticeRecipients, ProofScope, ResellerChanges};
use clap::{Args, Subcommand};

use super::{OperatorFlag, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum ResellerCommand {
    /// Add a reseller with an empty balance
    Add {
        /// How you call it
        #[arg(long)]
        name: String,
        /// The currency of its balance and prices, such as USD
        #[arg(long)]
        currency: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// List the resellers
    List {
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a reseller: its settings, its balance, and what operators did to it
    Show {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Change a reseller's name or settings, from its next request on; an empty text takes a setting away
    Set(Box<SetFlags>),
    /// Turn a reseller's programs away, at once; its certificates stay, and what was ordered goes on
    Suspend(SwitchFlags),
    /// Let a suspended reseller's programs in again
    Resume(SwitchFlags),
}

#[derive(Args, Debug)]
pub(crate) struct SetFlags {
    /// The reseller's id
    #[arg(long, value_name = "ID")]
    pub(crate) reseller: i64,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Do it, whatever is given up by it
    #[arg(long)]
    pub(crate) yes: bool,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorFlag,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct Settings {
    /// How you call it
    #[arg(long)]
    name: Option<String>,
    /// Which orders share the proofs of names: those of one `order`, of one `customer`, or all of the `reseller`
    #[arg(long, value_parser = proof_scope)]
    proof_scope: Option<ProofScope>,
    /// Whether automatic replacement may certify the key in use again: `true` or `false`
    #[arg(long, value_name = "BOOL")]
    reuse_keys: Option<bool>,
    /// Who gets the notices about its orders: `reseller`, `administrator`, `both` or `none`
    #[arg(long, value_parser = recipients)]
    notices_to: Option<NoticeRecipients>,
    /// The reseller's own address for mail
    #[arg(long, value_name = "ADDRESS")]
    notice_email: Option<String>,
    /// The sender's name in mails about its orders
    #[arg(long, value_name = "NAME")]
    notice_sender: Option<String>,
    /// What stands below mails about its orders; may have several lines
    #[arg(long, value_name = "TEXT")]
    notice_footer: Option<String>,
    /// Its company, as panels show it
    #[arg(long, value_name = "NAME")]
    company: Option<String>,
    /// The web address its panel is branded with
    #[arg(long, value_name = "URL")]
    branding_url: Option<String>,
}

impl Settings {
    pub(crate) fn changes(&self) -> ResellerChanges {
        ResellerChanges {
            name: self.name.clone(),
            proof_scope: self.proof_scope,
            reuse_keys: self.reuse_keys,
            notices_to: self.notices_to,
            notice_email: self.notice_email.clone(),
            notice_sender: self.notice_sender.clone(),
            notice_footer: self.notice_footer.clone(),
            company: self.company.clone(),
            branding_url: self.branding_url.clone(),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct SwitchFlags {
    /// The reseller's id
    #[arg(long, value_name = "ID")]
    pub(crate) reseller: i64,
    /// Why; it goes on record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorFlag,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn proof_scope(text: &str) -> Result<ProofScope, String> {
    let names = ProofScope::ALL.map(ProofScope::as_str).join(", ");
    ProofScope::parse(text).ok_or_else(|| format!("it is one of: {names}"))
}

fn recipients(text: &str) -> Result<NoticeRecipients, String> {
    let names = NoticeRecipients::ALL
        .map(NoticeRecipients::as_str)
        .join(", ");
    NoticeRecipients::parse(text).ok_or_else(|| format!("it is one of: {names}"))
}
