//! Reading the settings from where they stand.

use std::fmt::Display;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chancery_store::DatabaseUrl;
use figment::providers::{Format, Serialized};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Config, ConfigError, Mode, setting};

/// The sections of the file; the first part of a variable's name.
const SECTIONS: [&str; 12] = [
    "dns",
    "smtp",
    "ca",
    "validation",
    "vetting",
    "orders",
    "limits",
    "health",
    "rates",
    "retention",
    "logicboxes",
    "ote",
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
        Self::read(file, &Variables::of_process(), flags)
    }

    fn read(
        file: Option<&Path>,
        variables: &Variables,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            refuse_shown_secrets(file)?;
            figment = figment.merge(QuietToml::file_exact(file));
        }
        figment = figment.merge(variables);
        figment = figment.merge(Serialized::defaults(flags));
        // Lossy: a number or a yes may stand in a text, as it does in a variable.
        Ok(figment.extract_lossy().map_err(Box::new)?)
    }
}

/// Refuses a file that holds a secret and that others can read.
fn refuse_shown_secrets(file: &Path) -> Result<(), ConfigError> {
    // What cannot be read is said when it is read.
    if !is_shown(file).unwrap_or(false) {
        return Ok(());
    }
    let read = Figment::from(QuietToml::file_exact(file));
    let database = read.extract_inner::<String>("database");
    let holds = [
        ("master_key", read.contains("master_key")),
        ("smtp.password", read.contains("smtp.password")),
        (
            "the password of database",
            database.is_ok_and(|url| has_password(&url)),
        ),
    ];
    match holds.iter().find(|(_, is_held)| *is_held) {
        Some((what, _)) => {
            let name = file.display();
            Err(setting(format!(
                "{name} holds {what} and can be read by others: chmod 600 {name}"
            )))
        }
        None => Ok(()),
    }
}

/// Whether anyone but the owner can read or write a file.
pub(crate) fn is_shown(file: &Path) -> std::io::Result<bool> {
    Ok(std::fs::metadata(file)?.permissions().mode() & 0o077 != 0)
}

/// Whether a database's URL holds a password. One that is no URL is refused elsewhere.
fn has_password(url: &str) -> bool {
    DatabaseUrl::parse(url).is_ok_and(|url| url.has_password())
}

/// TOML whose errors name the place and do not show the line, which may hold a password.
struct QuietToml;

impl Format for QuietToml {
    type Error = figment::Error;

    const NAME: &'static str = "TOML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, figment::Error> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let place = before.map(place_after).unwrap_or_default();
            figment::Error::from(format!("{place}{}", error.message()))
        })
    }
}

/// Where a text goes on, for people.
fn place_after(before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("line {line}, column {column}: ")
}

/// Variables of the environment, without the prefix. Their values are texts, also those that look like
/// numbers; a setting that is a number reads it from the text.
#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn of_process() -> Self {
        let own = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.to_str()?.strip_prefix("CHANCERY_")?;
            // Who acts on the command line is no setting.
            if name == "OPERATOR" {
                return None;
            }
            let value = value.to_string_lossy().into_owned();
            Some((name.to_ascii_lowercase(), value))
        };
        Self(std::env::vars_os().filter_map(own).collect())
    }
}

impl Provider for &Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment").interpolater(|_, keys| variable(keys))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut settings = Dict::new();
        for (name, value) in &self.0 {
            let value = Value::from(value.clone());
            let in_section = SECTIONS.iter().find_map(|section| {
                let rest = name.strip_prefix(section)?.strip_prefix('_')?;
                Some((*section, rest))
            });
            let Some((section, rest)) = in_section else {
                settings.insert(name.clone(), value);
                continue;
            };
            let held = settings
                .entry(section.to_owned())
                .or_insert_with(|| Dict::new().into());
            // Not a section where a variable has a section's own name, which no setting has.
            if let Value::Dict(_, held) = held {
                held.insert(rest.to_owned(), value);
            }
        }
        Ok(Profile::Default.collect(settings))
    }
}

/// The name of a setting's variable.
fn variable(keys: &[impl Display]) -> String {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    format!("CHANCERY_{}", keys.join("_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn with_variables(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = Variables(variables.iter().map(own).collect());
        Config::read(None, &variables, &Flags::default())
    }

    fn with_file(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chancery.toml");
        std::fs::write(&file, text).unwrap();
        Config::read(Some(&file), &Variables::default(), &Flags::default())
    }

    fn said(error: &ConfigError) -> String {
        let source = std::error::Error::source(error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    }

    #[test]
    fn a_variable_is_a_text_whatever_it_looks_like() {
        let config = with_variables(&[
            ("ca_organization", "1984"),
            ("smtp_username", "5"),
            ("smtp_password", "[1, 2"),
            ("master_key", "true"),
            ("smtp_port", "2525"),
            ("generate_keys", "true"),
            ("dns_timeout_seconds", "3"),
            ("listen", "127.0.0.1:0"),
            ("ote_allow_remote", "false"),
            ("rates_limited", "true"),
            ("rates_reseller_per_day", "0"),
            ("trusted_proxies", "10"),
        ])
        .unwrap();
        assert_eq!(config.ca.organization.as_deref(), Some("1984"));
        assert_eq!(config.smtp.username.as_deref(), Some("5"));
        assert_eq!(config.smtp.password, Some(Secret("[1, 2".to_owned())));
        assert_eq!(config.master_key, Some(Secret("true".to_owned())));
        assert_eq!((config.smtp.port, config.dns.timeout_seconds), (2525, 3));
        assert_eq!(config.generate_keys, Some(true));
        let rates = (config.rates.limited, config.rates.reseller_per_day);
        assert_eq!(rates, (Some(true), 0));
        assert_eq!(config.trusted_proxies.as_deref(), Some("10"));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let error = with_variables(&[("smtp_port", "many")]).unwrap_err();
        assert!(
            said(&error).contains("CHANCERY_SMTP_PORT"),
            "{}",
            said(&error)
        );
        let error = with_variables(&[("smtp_hots", "x")]).unwrap_err();
        assert!(said(&error).contains("hots"), "{}", said(&error));
    }

    #[test]
    fn a_file_with_a_secret_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chancery.toml");
        let read = |text: &str, mode| {
            std::fs::write(&file, text).unwrap();
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, mode).unwrap();
            Config::read(Some(&file), &Variables::default(), &Flags::default())
        };
        for (text, what) in [
            ("master_key = \"00\"", "master_key"),
            ("[smtp]\npassword = \"x\"", "smtp.password"),
            ("database = \"postgres://a:b@db.example/x\"", "database"),
        ] {
            let error = read(text, 0o640).unwrap_err().to_string();
            assert!(
                error.contains(what) && error.contains("chmod 600"),
                "{error}"
            );
            read(text, 0o600).unwrap();
        }
        read("database = \"postgres://a@db.example/x\"", 0o644).unwrap();
    }

    #[test]
    fn an_error_in_the_file_names_the_place_and_shows_nothing_of_the_line() {
        for line in [
            "password = hunter2",
            "password = \"hunter2",
            "password = \"hunter2\" \"hunter2\"",
            "password \"hunter2\"",
            "password = [\"hunter2\"]",
            "password = 1hunter2",
        ] {
            let error = said(&with_file(&format!("[smtp]\nport = 25\n{line}\n")).unwrap_err());
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("chancery.toml"), "{error}");
            assert!(
                error.contains("line 3, column") || error.contains("smtp.password"),
                "{error}"
            );
        }
    }
}
