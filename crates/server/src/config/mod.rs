//! Configuration: a TOML file, environment variables, flags; the later wins.
//!
//! Every setting has a variable: `CHANCERY_` and its name in capitals, with the section before it, such as
//! `CHANCERY_SMTP_HOST` for `host` in `[smtp]`. [`Config::check`] refuses what is missing or contradictory,
//! naming the setting.

mod checks;
mod findings;
mod reading;
mod sections;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use chancery_app::{CallLimits, KeyAlgorithm};
use chancery_domain::access::Networks;
use chancery_domain::rates::RateLimits;
use chancery_outside::addresses::Network;
use serde::{Deserialize, Serialize};

pub use findings::{Finding, Level};
pub use reading::Flags;
pub(crate) use reading::is_shown;
pub use sections::{
    CaConfig, DnsConfig, HealthConfig, LimitsConfig, LogicBoxesConfig, OrdersConfig, OteConfig,
    OteVetting, RatesConfig, RetentionConfig, SmtpConfig, TlsMode, TwoOperators, ValidationConfig,
    VettingConfig,
};

/// All settings, as read; [`Config::check`] makes sure of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether this is a test environment or the real thing.
    pub mode: Mode,
    /// The folder for everything that is kept in files.
    pub data: PathBuf,
    /// The folder for what must be known of the database after a backup was restored. Default: `record` in the data
    /// folder.
    pub record: Option<PathBuf>,
    /// Where to listen for HTTP.
    pub listen: SocketAddr,
    /// The proxies that are believed where they say whom they ask for: addresses and ranges, one text with
    /// commas between.
    pub trusted_proxies: Option<String>,
    /// The database: `sqlite://FILE` or `postgres://…`. Default: `chancery.db` in the data folder.
    pub database: Option<String>,
    /// For how long a start waits for a database that is away.
    pub database_wait_seconds: u64,
    /// The base of the URLs in mails. Default in OTE mode: the listener's.
    pub public_url: Option<String>,
    /// The base of the URLs inside certificates; plain `http`. Default: `public_url` over http.
    pub pki_url: Option<String>,
    /// The product catalogue, TOML. Default in OTE mode: the built-in one.
    pub catalogue: Option<PathBuf>,
    /// The key that seals secrets in the database: 32 bytes as hex or Base64.
    pub master_key: Option<Secret>,
    /// A file with that key. Default in OTE mode: `master.key` in the data folder, made at first start.
    pub master_key_file: Option<PathBuf>,
    /// Whether keys may be generated for subscribers. Default: only in OTE mode.
    pub generate_keys: Option<bool>,
    /// What is logged: `error`, `warn`, `info`, `debug`, or a filter of the form `module=level,…`.
    pub log: String,
    /// How lines of the log look.
    pub log_format: LogFormat,
    /// Resolvers for domain control checks.
    pub dns: DnsConfig,
    /// The mail relay.
    pub smtp: SmtpConfig,
    /// The embedded CA; used when it is made, at first start.
    pub ca: CaConfig,
    /// Domain control validation.
    pub validation: ValidationConfig,
    /// Orders over their terms.
    pub orders: OrdersConfig,
    /// Vetting of organizations.
    pub vetting: VettingConfig,
    /// Bounds.
    pub limits: LimitsConfig,
    /// Who is told how the server is.
    pub health: HealthConfig,
    /// How often resellers may call.
    pub rates: RatesConfig,
    /// How long things are kept.
    pub retention: RetentionConfig,
    /// The LogicBoxes dialect.
    pub logicboxes: LogicBoxesConfig,
    /// The built-in outside world; OTE mode only.
    pub ote: OteConfig,
}

/// Whether this is a test environment or the real thing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A local test environment with its own outside world and a clock that can be moved.
    Ote,
    /// The real thing.
    Production,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs, one JSON object a line.
    Json,
}

/// A text that is never printed, not even when it is of the wrong type.
#[derive(Clone, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The value's own error would show what it found.
        let text = String::deserialize(deserializer);
        text.map(Self)
            .map_err(|_| serde::de::Error::custom("a secret is a text, in quotes"))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Production,
            data: PathBuf::from("./chancery-data"),
            record: None,
            listen: local(8080),
            trusted_proxies: None,
            database: None,
            database_wait_seconds: 60,
            public_url: None,
            pki_url: None,
            catalogue: None,
            master_key: None,
            master_key_file: None,
            generate_keys: None,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            dns: DnsConfig::default(),
            smtp: SmtpConfig::default(),
            ca: CaConfig::default(),
            validation: ValidationConfig::default(),
            orders: OrdersConfig::default(),
            vetting: VettingConfig::default(),
            limits: LimitsConfig::default(),
            health: HealthConfig::default(),
            rates: RatesConfig::default(),
            retention: RetentionConfig::default(),
            logicboxes: LogicBoxesConfig::default(),
            ote: OteConfig::default(),
        }
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// What is wrong with the settings, as a sentence that names them.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file or a variable cannot be read.
    #[error("the configuration cannot be read")]
    Read(#[from] Box<figment::Error>),
    /// A setting is missing, wrong, or contradicts another.
    #[error("{0}")]
    Setting(String),
}

impl Config {
    /// Whether this is a test environment.
    pub fn is_ote(&self) -> bool {
        self.mode == Mode::Ote
    }

    /// The database's URL.
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.data.join("chancery.db").display());
        self.database.clone().unwrap_or_else(file)
    }

    /// The folder of the record beside the database.
    pub fn record_folder(&self) -> PathBuf {
        let in_data = || self.data.join("record");
        self.record.clone().unwrap_or_else(in_data)
    }

    /// The database's file, if it is one.
    pub(crate) fn sqlite_file(&self) -> Option<PathBuf> {
        let url = self.database_url();
        url.strip_prefix("sqlite://").map(PathBuf::from)
    }

    /// The base of the URLs in mails, without a final slash.
    pub fn public_url(&self) -> String {
        let listener = || format!("http://{}", self.listen);
        let url = self.public_url.clone().unwrap_or_else(listener);
        url.trim_end_matches('/').to_owned()
    }

    /// The base of the URLs inside certificates, without a final slash (RFC 5280 §4.2.1.13: plain http).
    pub fn pki_url(&self) -> String {
        let public = || {
            let url = self.public_url();
            url.strip_prefix("https://")
                .map(|rest| format!("http://{rest}"))
                .unwrap_or(url)
        };
        self.pki_url
            .clone()
            .unwrap_or_else(public)
            .trim_end_matches('/')
            .to_owned()
    }

    /// The organization and the country in the names of a new CA, and its common name.
    pub fn ca_names(&self) -> [&str; 3] {
        let ca = &self.ca;
        [
            ca.organization.as_deref().unwrap_or("Chancery"),
            ca.country.as_deref().unwrap_or("US"),
            ca.name.as_deref().unwrap_or("Chancery"),
        ]
    }

    /// The kind of keys a new CA gets.
    pub fn key_algorithm(&self) -> Result<KeyAlgorithm, ConfigError> {
        KeyAlgorithm::parse(&self.ca.key_algorithm).ok_or_else(|| {
            setting("ca.key_algorithm is not one of P-256, P-384, RSA-2048, RSA-3072, RSA-4096")
        })
    }

    /// The resolvers for domain control checks; in OTE mode none need be named.
    pub fn resolvers(&self) -> Result<Vec<SocketAddr>, ConfigError> {
        let text = self.dns.resolvers.as_deref().unwrap_or("");
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                let fault = || setting(format!("dns.resolvers: '{part}' is not address:port"));
                part.parse().map_err(|_| fault())
            })
            .collect()
    }

    /// Ranges that no check connects to.
    pub(crate) fn denied_networks(&self) -> Result<Vec<Network>, ConfigError> {
        let text = self.validation.deny.as_deref().unwrap_or("");
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts
            .map(|part| {
                let network = part.parse::<Network>();
                network.map_err(|error| setting(format!("validation.deny: {error}")))
            })
            .collect()
    }

    /// The proxies that are believed where they say whom they ask for.
    pub fn trusted_proxies(&self) -> Result<Networks, ConfigError> {
        let text = self.trusted_proxies.as_deref().unwrap_or("");
        let networks =
            Networks::parse(text).map_err(|error| setting(format!("trusted_proxies: {error}")))?;
        let everyone = networks.iter().find(|network| network.is_everything());
        match everyone {
            Some(network) => Err(setting(format!(
                "trusted_proxies: {network} is everyone, who could then claim any address"
            ))),
            None => Ok(networks),
        }
    }

    /// Where operators are, who are told what is wrong.
    pub fn health_operators(&self) -> Result<Networks, ConfigError> {
        Networks::parse(&self.health.operators)
            .map_err(|error| setting(format!("health.operators: {error}")))
    }

    /// How often resellers may call; in OTE mode as often as they like, unless that was said.
    pub(crate) fn call_limits(&self) -> CallLimits {
        let rates = &self.rates;
        if !rates.limited.unwrap_or(!self.is_ote()) {
            return CallLimits::default();
        }
        CallLimits {
            credential: RateLimits {
                per_day: rates.credential_per_day,
                per_month: rates.credential_per_month,
                per_second: rates.credential_per_second,
                burst: rates.credential_burst,
            },
            reseller: RateLimits {
                per_day: rates.reseller_per_day,
                per_month: rates.reseller_per_month,
                per_second: rates.reseller_per_second,
                burst: rates.reseller_burst,
            },
            failed_sign_ins_per_minute: rates.failed_sign_ins_per_minute,
        }
    }

    /// The domain below which the targets of CNAME challenges lie.
    pub fn challenge_domain(&self) -> String {
        let public = || {
            let url = self.public_url();
            let host = url.split_once("://").map_or("", |(_, rest)| rest);
            let host = host.split(['/', ':']).next().unwrap_or("");
            match chancery_domain::names::DomainName::parse(host) {
                Ok(name) => format!("dcv.{name}"),
                Err(_) => "dcv.test".to_owned(),
            }
        };
        self.validation
            .challenge_domain
            .clone()
            .unwrap_or_else(public)
    }
}

fn setting(text: impl Into<String>) -> ConfigError {
    ConfigError::Setting(text.into())
}
