//! Configuration: a TOML file, environment variables, flags; the later wins.
//!
//! Every setting has a variable: `CHANCERY_` and its name in capitals, with the section before it, such as
//! `CHANCERY_SMTP_HOST` for `host` in `[smtp]`. [`Config::check`] refuses what is missing or contradictory,
//! naming the setting.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use chancery_app::KeyAlgorithm;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

/// All settings, as read; [`Config::check`] makes sure of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether this is a test environment or the real thing.
    pub mode: Mode,
    /// The folder for everything that is kept in files.
    pub data: PathBuf,
    /// Where to listen for HTTP.
    pub listen: SocketAddr,
    /// The database: `sqlite://FILE` or `postgres://…`. Default: `chancery.db` in the data folder.
    pub database: Option<String>,
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
    /// Bounds.
    pub limits: LimitsConfig,
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

/// Resolvers for domain control checks.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsConfig {
    /// Recursive resolvers, `address:port`, one text with commas between.
    pub resolvers: Option<String>,
    /// How long one question may take.
    pub timeout_seconds: u64,
    /// How often one is asked.
    pub attempts: usize,
}

/// The mail relay.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpConfig {
    /// Its host name or address.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// The name to sign in with.
    pub username: Option<String>,
    /// The password to sign in with.
    pub password: Option<Secret>,
    /// The sender of all mails.
    pub from: Option<String>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Not at all.
    None,
    /// By STARTTLS, which must succeed.
    Starttls,
    /// From the first byte.
    Implicit,
}

/// The embedded CA; used when it is made, at first start.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaConfig {
    /// `P-256`, `P-384`, `RSA-2048`, `RSA-3072` or `RSA-4096`.
    pub key_algorithm: String,
    /// The organization in the CA's names.
    pub organization: String,
    /// The country in the CA's names, two letters.
    pub country: String,
    /// The common name of the CA; `Root` and `Issuing` are added.
    pub name: String,
}

/// Domain control validation.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// How many days an applicant has to show control; at most 30.
    pub days: u32,
    /// The domain below which the targets of CNAME challenges lie.
    pub challenge_domain: Option<String>,
}

/// Bounds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections at once.
    pub connections: usize,
    /// How long a client may take to send a request's head, and to send its body.
    pub request_seconds: u64,
    /// How long requests under way may take after a stop was asked for.
    pub drain_seconds: u64,
    /// Jobs at once.
    pub jobs: usize,
}

/// The built-in outside world.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OteConfig {
    /// Where the DNS server listens, UDP and TCP.
    pub dns_listen: SocketAddr,
    /// Where the web server listens.
    pub web_listen: SocketAddr,
    /// Where the mailbox listens for SMTP.
    pub smtp_listen: SocketAddr,
    /// Whether the control surface may be reached from other machines.
    pub allow_remote: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Production,
            data: PathBuf::from("./chancery-data"),
            listen: local(8080),
            database: None,
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
            limits: LimitsConfig::default(),
            ote: OteConfig::default(),
        }
    }
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            resolvers: None,
            timeout_seconds: 5,
            attempts: 2,
        }
    }
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: 587,
            tls: TlsMode::Starttls,
            username: None,
            password: None,
            from: None,
        }
    }
}

impl Default for CaConfig {
    fn default() -> Self {
        Self {
            key_algorithm: KeyAlgorithm::P256.as_str().to_owned(),
            organization: "Chancery".to_owned(),
            country: "US".to_owned(),
            name: "Chancery".to_owned(),
        }
    }
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self {
            days: 30,
            challenge_domain: None,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 4096,
            request_seconds: 30,
            drain_seconds: 30,
            jobs: 32,
        }
    }
}

impl Default for OteConfig {
    fn default() -> Self {
        Self {
            dns_listen: local(8053),
            web_listen: local(8081),
            smtp_listen: local(8025),
            allow_remote: false,
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

/// The sections of the file; the first part of a variable's name.
const SECTIONS: [&str; 6] = ["dns", "smtp", "ca", "validation", "limits", "ote"];

/// Variables taken as they are: a secret that looks like a number is not one.
const SECRETS: [(&str, &str); 2] = [
    ("CHANCERY_MASTER_KEY", "master_key"),
    ("CHANCERY_SMTP_PASSWORD", "smtp.password"),
];

/// What the flags of the command line say; `None` where they say nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Flags {
    /// `--ote`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// `--data`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// `--listen`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// `--database`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

impl Config {
    /// Reads the settings: defaults, then the file, then the environment, then the flags.
    pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let variables = Env::prefixed("CHANCERY_")
            .filter(|key| {
                let key = key.as_str().to_ascii_lowercase();
                let is_secret = |(_, name): &(&str, &str)| key == name.replace('.', "_");
                !key.starts_with("test_") && !SECRETS.iter().any(is_secret)
            })
            .map(|key| {
                let key = key.as_str().to_ascii_lowercase();
                let in_section = |section: &&str| {
                    let rest = key.strip_prefix(*section)?.strip_prefix('_')?;
                    Some(format!("{section}.{rest}"))
                };
                SECTIONS.iter().find_map(in_section).unwrap_or(key).into()
            });
        figment = figment.merge(variables);
        for (variable, setting) in SECRETS {
            if let Ok(text) = std::env::var(variable) {
                figment = figment.merge(Serialized::default(setting, text));
            }
        }
        figment = figment.merge(Serialized::defaults(flags));
        Ok(figment.extract().map_err(Box::new)?)
    }

    /// Refuses settings that are missing or contradict each other, naming the first.
    pub fn check(&self) -> Result<(), ConfigError> {
        let faults = [
            self.check_urls(),
            self.check_mail(),
            self.check_mode(),
            self.resolvers().map(drop),
            self.key_algorithm().map(drop),
            self.check_bounds(),
        ];
        faults.into_iter().collect()
    }

    /// Whether this is a test environment.
    pub fn is_ote(&self) -> bool {
        self.mode == Mode::Ote
    }

    /// The database's URL.
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.data.join("chancery.db").display());
        self.database.clone().unwrap_or_else(file)
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

    fn check_urls(&self) -> Result<(), ConfigError> {
        let public = self.public_url();
        if !public.starts_with("http://") && !public.starts_with("https://") {
            return Err(setting("public_url must begin with http:// or https://"));
        }
        if !self.pki_url().starts_with("http://") {
            return Err(setting(
                "pki_url must begin with http://: revocation lists are fetched without TLS",
            ));
        }
        let name = self.challenge_domain();
        if chancery_domain::names::DomainName::parse(&name).is_err() {
            return Err(setting("validation.challenge_domain is not a host name"));
        }
        Ok(())
    }

    fn check_mail(&self) -> Result<(), ConfigError> {
        let smtp = &self.smtp;
        if smtp.username.is_some() != smtp.password.is_some() {
            return Err(setting("smtp.username and smtp.password go together"));
        }
        let local = smtp.host.as_deref().is_none_or(|host| {
            host == "localhost"
                || host
                    .parse()
                    .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        });
        if smtp.password.is_some() && smtp.tls == TlsMode::None && !local {
            return Err(setting(
                "smtp.tls is \"none\", but smtp.password would cross the network in the clear",
            ));
        }
        Ok(())
    }

    fn check_mode(&self) -> Result<(), ConfigError> {
        if self.is_ote() {
            let built_in = [
                (self.dns.resolvers.is_some(), "dns.resolvers"),
                (self.smtp.host.is_some(), "smtp.host"),
            ];
            return match built_in.iter().find(|(is_set, _)| *is_set) {
                Some((_, name)) => Err(setting(format!(
                    "{name} is set, but in OTE mode the built-in outside world is used"
                ))),
                None => Ok(()),
            };
        }
        let needed = [
            (
                self.public_url.is_some(),
                "public_url",
                "the address subscribers reach us at",
            ),
            (
                self.catalogue.is_some(),
                "catalogue",
                "the file that says what is sold",
            ),
            (
                self.dns.resolvers.is_some(),
                "dns.resolvers",
                "the resolvers to check domains with",
            ),
            (
                self.smtp.host.is_some(),
                "smtp.host",
                "the relay for approval mails",
            ),
            (
                self.smtp.from.is_some(),
                "smtp.from",
                "the sender of approval mails",
            ),
            (
                self.master_key.is_some() || self.master_key_file.is_some(),
                "master_key_file",
                "a file with the key that seals secrets, made with: openssl rand -hex 32",
            ),
        ];
        if let Some((_, name, what)) = needed.iter().find(|(is_set, ..)| !is_set) {
            return Err(setting(format!("{name} is not set: {what}")));
        }
        if self.resolvers()?.is_empty() {
            return Err(setting("dns.resolvers is empty"));
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), ConfigError> {
        if self.master_key.is_some() && self.master_key_file.is_some() {
            return Err(setting("master_key and master_key_file are both set"));
        }
        if !(1..=chancery_domain::issuances::VALIDATION_TIME_MAX_DAYS)
            .contains(&self.validation.days)
        {
            return Err(setting("validation.days lies between 1 and 30"));
        }
        if !chancery_domain::contacts::is_country(&self.ca.country) {
            return Err(setting("ca.country is not a two-letter country code"));
        }
        for (name, value) in [
            ("limits.connections", self.limits.connections as u64),
            ("limits.request_seconds", self.limits.request_seconds),
            ("limits.jobs", self.limits.jobs as u64),
            ("dns.timeout_seconds", self.dns.timeout_seconds),
            ("dns.attempts", self.dns.attempts as u64),
        ] {
            if value == 0 {
                return Err(setting(format!("{name} must not be 0")));
            }
        }
        Ok(())
    }
}

fn setting(text: impl Into<String>) -> ConfigError {
    ConfigError::Setting(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Config);

    fn production() -> Config {
        Config {
            public_url: Some("https://ssl.reseller.example".to_owned()),
            catalogue: Some(PathBuf::from("catalogue.toml")),
            master_key_file: Some(PathBuf::from("master.key")),
            dns: DnsConfig {
                resolvers: Some("127.0.0.1:53".to_owned()),
                ..DnsConfig::default()
            },
            smtp: SmtpConfig {
                host: Some("mail.reseller.example".to_owned()),
                from: Some("ssl@reseller.example".to_owned()),
                ..SmtpConfig::default()
            },
            ..Config::default()
        }
    }

    #[test]
    fn production_names_what_is_missing() {
        production().check().unwrap();
        let missing: [(&str, Change); 6] = [
            ("public_url", |c| c.public_url = None),
            ("catalogue", |c| c.catalogue = None),
            ("master_key_file", |c| c.master_key_file = None),
            ("dns.resolvers", |c| c.dns.resolvers = None),
            ("smtp.host", |c| c.smtp.host = None),
            ("smtp.from", |c| c.smtp.from = None),
        ];
        for (name, remove) in missing {
            let mut config = production();
            remove(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn contradictions_are_named() {
        let wrong: [(&str, Change); 6] = [
            ("smtp.username", |c| c.smtp.username = Some("x".to_owned())),
            ("smtp.tls", |c| {
                c.smtp.tls = TlsMode::None;
                c.smtp.username = Some("x".to_owned());
                c.smtp.password = Some(Secret("y".to_owned()));
            }),
            ("validation.days", |c| c.validation.days = 31),
            ("pki_url", |c| {
                c.pki_url = Some("https://pki.example".to_owned());
            }),
            ("ca.key_algorithm", |c| {
                c.ca.key_algorithm = "DSA".to_owned();
            }),
            ("dns.resolvers", |c| {
                c.dns.resolvers = Some("dns.example".to_owned());
            }),
        ];
        for (name, change) in wrong {
            let mut config = production();
            change(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
        }
        let ote = Config {
            mode: Mode::Ote,
            ..production()
        };
        assert!(
            ote.check()
                .unwrap_err()
                .to_string()
                .contains("built-in outside world")
        );
        Config {
            mode: Mode::Ote,
            ..Config::default()
        }
        .check()
        .unwrap();
    }

    #[test]
    fn lists_are_served_without_tls_although_the_site_has_it() {
        assert_eq!(production().pki_url(), "http://ssl.reseller.example");
        assert_eq!(production().challenge_domain(), "dcv.ssl.reseller.example");
    }

    #[test]
    fn secrets_do_not_print() {
        let config = Config {
            master_key: Some(Secret("0123".to_owned())),
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("0123"));
    }
}
