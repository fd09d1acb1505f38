//! Reading the settings from where they stand.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::Serialize;

use super::{Config, ConfigError, Mode};

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
}
