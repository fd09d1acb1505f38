//! The command line.

mod balances;
mod certificates;
mod jobs;
mod keys;
mod orders;
mod people;
mod proofs;
mod resellers;
mod safety;
mod trails;

use std::net::SocketAddr;
use std::path::PathBuf;

use chancery_app::CA_REVOCATION_REASONS;
use chancery_domain::access::{Network, Scope};
use chancery_domain::resellers::CredentialKind;
use chancery_server::config::{Config, ConfigError, Flags, Mode};
use clap::{Args, Parser, Subcommand};

pub(crate) use balances::BalanceCommand;
pub(crate) use certificates::{CertificateCommand, KeyCommand, Which, WhichKey};
pub(crate) use jobs::JobCommand;
pub(crate) use keys::RotateFlags;
pub(crate) use orders::{OrderCommand, OrderListFlags};
pub(crate) use people::{ContactCommand, CustomerCommand};
pub(crate) use proofs::{DomainCommand, ProofCommand};
pub(crate) use resellers::{ResellerCommand, SetFlags, SwitchFlags};
pub(crate) use safety::{ClockCommand, DatabaseCommand, LostCommand, RestoreFlags};
pub(crate) use trails::{AccessCommand, AccessFlags, ActCommand};

/// Orders, validates, issues and delivers TLS certificates.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(ServeFlags),
    /// Say whether the configuration is complete and consistent, and what it means for safety
    CheckConfig(CheckFlags),
    /// Bring the database up to this release
    Migrate(ServeFlags),
    /// Resellers, who order and pay
    #[command(subcommand)]
    Reseller(ResellerCommand),
    /// Credentials that resellers' programs sign in with
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Contacts: the people behind orders
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Customers: resellers' own clients, whom contacts belong to
    #[command(subcommand)]
    Customer(CustomerCommand),
    /// Balances of resellers
    #[command(subcommand)]
    Balance(BalanceCommand),
    /// Finding out whether organizations are what they say
    #[command(subcommand)]
    Vetting(VettingCommand),
    /// Prices that resellers have of their own
    #[command(subcommand)]
    Price(PriceCommand),
    /// Proofs of control on record
    #[command(subcommand)]
    Proof(ProofCommand),
    /// Domains that resellers prove ahead of any order
    #[command(subcommand)]
    Domain(DomainCommand),
    /// The embedded CA
    #[command(subcommand)]
    Ca(CaCommand),
    /// Certificates, to be looked at and revoked
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Keys: those that are never certified again, and the master key
    #[command(subcommand)]
    Key(KeyCommand),
    /// Orders, whosever they are
    #[command(subcommand)]
    Order(OrderCommand),
    /// Jobs: work that is to be done, is tried again, or gave up
    #[command(subcommand)]
    Job(JobCommand),
    /// Who signed in, and who was turned away
    #[command(subcommand)]
    Access(AccessCommand),
    /// What operators did
    #[command(subcommand)]
    Act(ActCommand),
    /// Tell how a running server is, and what is wrong
    Health(HealthFlags),
    /// After a backup was restored: say what is missing, skip numbers, and let the server serve
    RestoreCheck(RestoreFlags),
    /// Certificates that a restored backup did not have
    #[command(subcommand)]
    LostCertificate(LostCommand),
    /// The database
    #[command(subcommand)]
    Database(DatabaseCommand),
    /// The time that certificates are signed by
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Carry an order to a certificate on a running OTE server, step by step
    Demo(DemoFlags),
}

/// Where the settings come from. Each can also be set in the environment, as CHANCERY_…
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeFlags {
    /// A local test environment: built-in DNS, web server and mailbox, and a clock that can be moved
    #[arg(long)]
    ote: bool,
    #[command(flatten)]
    place: Place,
    /// Where to listen for HTTP, as address:port
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CheckFlags {
    #[command(flatten)]
    pub(crate) serve: ServeFlags,
    /// Answer in JSON, a line for each finding
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which installation is meant.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The configuration, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for what is kept in files
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// sqlite://FILE or postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl ServeFlags {
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let flags = Flags {
            mode: self.ote.then_some(Mode::Ote),
            listen: self.listen,
            ..self.place.flags()
        };
        Config::load(self.place.config.as_deref(), &flags)
    }
}

impl Place {
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), &self.flags())
    }

    fn flags(&self) -> Flags {
        Flags {
            data: self.data.clone(),
            database: self.database.clone(),
            ..Flags::default()
        }
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    let names = Scope::ALL.map(Scope::as_str).join(", ");
    Scope::parse(text).ok_or_else(|| format!("a scope is one of: {names}"))
}

fn kind(text: &str) -> Result<CredentialKind, String> {
    CredentialKind::parse(text).ok_or_else(|| "a kind is one of: webnic, logicboxes".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Make a credential; its password is shown now and never again
    Add {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// For programs that speak which dialect: `webnic` or `logicboxes`, whose username is a number
        #[arg(long, default_value_t = CredentialKind::Webnic, value_parser = kind)]
        kind: CredentialKind,
        /// What it may be used for: `read` looks, `orders` also changes what costs nothing, `money` also spends
        #[arg(long, default_value_t, value_parser = scope)]
        scope: Scope,
        /// An address or range it may be used from, such as 203.0.113.0/24; can be repeated. None: everywhere
        #[arg(long, value_name = "CIDR", value_delimiter = ',')]
        allow: Vec<Network>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// Change what a credential may be used for, at once
    Scope {
        /// The username of the credential
        #[arg(long)]
        username: String,
        /// `read` looks, `orders` also changes what costs nothing, `money` also spends
        #[arg(long, value_parser = scope)]
        scope: Scope,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// Change from where a credential may be used, at once
    Allow {
        /// The username of the credential
        #[arg(long)]
        username: String,
        /// From here and nowhere else: addresses and ranges such as 203.0.113.7 2001:db8::/32
        #[arg(
            value_name = "CIDR",
            value_delimiter = ',',
            required_unless_present = "everywhere"
        )]
        networks: Vec<Network>,
        /// From everywhere
        #[arg(long, conflicts_with = "networks")]
        everywhere: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// List a reseller's credentials
    List {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// End a credential, and its tokens, at once
    Revoke {
        /// The username of the credential
        #[arg(long)]
        username: String,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum VettingCommand {
    /// List the open cases, the newest first
    List {
        /// Those that are decided, too
        #[arg(long)]
        all: bool,
        /// Go on before this case; a list has at most 500
        #[arg(long, value_name = "CASE")]
        before: Option<i64>,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a case: the organization, what is still to be shown and by what, what is on record
    Show {
        /// The case's id
        #[arg(long, value_name = "ID")]
        case: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Write a file on record to standard output
    File {
        /// The id of the piece of evidence
        #[arg(long, value_name = "ID")]
        evidence: i64,
        #[command(flatten)]
        place: Place,
    },
    /// Put a piece of evidence on record
    Record(Box<RecordFlags>),
    /// Decide that the organization is what it says
    Approve {
        /// The case's id
        #[arg(long, value_name = "ID")]
        case: i64,
        /// For EV: the discrepancies found, and how they were resolved; recorded as your cross-check first
        #[arg(long, value_name = "TEXT")]
        cross_check: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// Decide against it, or take an approval back
    Reject {
        /// The case's id
        #[arg(long, value_name = "ID")]
        case: i64,
        /// Why; the reseller reads it
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

/// Who acts.
#[derive(Args, Clone, Debug)]
pub(crate) struct OperatorFlag {
    /// Who you are; in a test environment, unless said, the name of the account you are signed in with
    #[arg(long, value_name = "NAME", env = "CHANCERY_OPERATOR")]
    pub(crate) operator: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RecordFlags {
    /// The case's id
    #[arg(long, value_name = "ID")]
    pub(crate) case: i64,
    /// What it shows, such as legal-existence; `show` lists what is missing
    #[arg(long)]
    pub(crate) item: String,
    /// Where it comes from, such as government-register; `show` lists what counts
    #[arg(long)]
    pub(crate) source: String,
    /// Where exactly: a URL, an entry's number
    #[arg(long)]
    pub(crate) reference: Option<String>,
    /// What was found
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// What was found, as a file of at most 5 MiB
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// When it was found, such as 2026-11-22T10:00:00Z; now, unless said
    #[arg(long, value_name = "TIME")]
    pub(crate) obtained_at: Option<chancery_domain::Timestamp>,
    /// With the item registration: private-organization, government-entity, business-entity or
    /// non-commercial-entity
    #[arg(long, requires = "country", requires = "number")]
    pub(crate) category: Option<String>,
    /// The country of registration, two letters
    #[arg(long, requires = "category")]
    pub(crate) country: Option<String>,
    /// The state of registration, where the register is the state's
    #[arg(long, requires = "category")]
    pub(crate) state: Option<String>,
    /// The place of registration, where the register is the place's
    #[arg(long, requires = "category")]
    pub(crate) locality: Option<String>,
    /// The registration number, or the day it was registered
    #[arg(long, requires = "category")]
    pub(crate) number: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorFlag,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PriceCommand {
    /// Give a reseller a price of its own, in its currency
    Set {
        #[command(flatten)]
        of: PriceOf,
        /// The first name, and those included, such as 8.00
        #[arg(long, value_name = "AMOUNT")]
        base: String,
        /// Each further ordinary name, where the product sells such
        #[arg(long, value_name = "AMOUNT")]
        name: Option<String>,
        /// Each further wildcard name, where the product sells such
        #[arg(long, value_name = "AMOUNT")]
        wildcard: Option<String>,
    },
    /// List all prices a reseller has, had and will have of its own
    List {
        /// The reseller's id
        #[arg(long, value_name = "ID")]
        reseller: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Let the catalogue's price count for a reseller again
    End {
        #[command(flatten)]
        of: PriceOf,
    },
}

/// Which price is meant, and from when on.
#[derive(Args, Clone, Debug)]
pub(crate) struct PriceOf {
    /// The reseller's id
    #[arg(long, value_name = "ID")]
    pub(crate) reseller: i64,
    /// The product's key
    #[arg(long, value_name = "KEY")]
    pub(crate) product: String,
    /// For so many years
    #[arg(long, value_name = "YEARS")]
    pub(crate) term: u8,
    /// From this day or time on, UTC, instead of from now
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) operator: OperatorFlag,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Show the certificates of the root and of every issuing CA
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// List the certificates in force of an issuing CA
    Certificates {
        /// The issuing CA, by its id or its number in `show`
        #[arg(long, value_name = "CA")]
        ca: String,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke an issuing CA: another one signs from then on, and its certificates are replaced
    Revoke(CaRevokeFlags),
    /// Write the root certificate, PEM, to standard output
    ExportRoot {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args, Debug)]
pub(crate) struct HealthFlags {
    /// The server's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// Print the server's JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CaRevokeFlags {
    /// The issuing CA, by its id or its number in `show`
    #[arg(long, value_name = "CA")]
    pub(crate) ca: String,
    /// key-compromise, ca-compromise, affiliation-changed, superseded, cessation-of-operation or privilege-withdrawn
    #[arg(long, value_parser = ca_reason)]
    pub(crate) reason: u8,
    /// Do it; without it, only say what would be done
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) operator: OperatorFlag,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn ca_reason(text: &str) -> Result<u8, String> {
    let found = CA_REVOCATION_REASONS.iter().find(|(name, _)| *name == text);
    let names = || CA_REVOCATION_REASONS.map(|(name, _)| name).join(", ");
    found
        .map(|(_, number)| *number)
        .ok_or_else(|| format!("a reason is one of: {}", names()))
}

#[derive(Args, Debug)]
pub(crate) struct DemoFlags {
    /// The server's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The data folder of that server, for its first credential
    #[arg(long, value_name = "DIR", default_value = "./chancery-data")]
    pub(crate) data: PathBuf,
    /// Sign in with this name instead
    #[arg(long, requires = "password")]
    pub(crate) username: Option<String>,
    /// The password of that name
    #[arg(long, env = "DEMO_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// The name to order a certificate for; a reserved one, so that the OTE world answers for it
    #[arg(long, default_value = "shop.example")]
    pub(crate) name: String,
}
