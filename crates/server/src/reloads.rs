//! Settings that are read again while the server runs, and those that count from the next start.

use std::sync::{PoisonError, RwLock};

use chancery_domain::access::Networks;
use serde_json::Value;

use crate::config::Config;
use crate::wiring::{self, Server, StartError};

/// What is changed by reading the settings again; a section by its name and a dot. Of `catalogue`, the file is read.
const RELOADED: [&str; 5] = ["log", "trusted_proxies", "catalogue", "rates.", "health."];

/// Networks that may be others from one moment to the next.
#[derive(Default)]
pub struct Reloadable(RwLock<Networks>);

impl Reloadable {
    /// These, for now.
    pub fn new(networks: Networks) -> Self {
        Self(RwLock::new(networks))
    }

    pub(crate) fn replace(&self, networks: Networks) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = networks;
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Networks) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Server {
    /// Takes over what these settings change and can be changed while the server runs: trusted proxies, operators,
    /// the catalogue, limits on calls. Names the other settings that differ from those of the start. Where anything
    /// cannot be used, nothing is changed.
    pub fn reload(&self, config: &Config) -> Result<Vec<String>, StartError> {
        wiring::check(config)?;
        let catalogue = wiring::catalogue(config)?;
        let proxies = config.trusted_proxies()?;
        let operators = config.health_operators()?;
        self.trusted_proxies.replace(proxies);
        self.operators.replace(operators);
        self.app.replace_catalogue(catalogue);
        self.app.replace_call_limits(config.call_limits());
        Ok(kept(&self.config, config))
    }
}

/// The names of settings that differ and count from the next start only.
fn kept(before: &Config, after: &Config) -> Vec<String> {
    let [before, after] = [before, after].map(|config| {
        let mut settings = Vec::new();
        if let Ok(value) = serde_json::to_value(config) {
            flatten("", &value, &mut settings);
        }
        settings
    });
    let differs = after.iter().filter(|setting| !before.contains(setting));
    let is_reloaded = |name: &str| {
        RELOADED
            .iter()
            .any(|reloaded| match reloaded.ends_with('.') {
                true => name.starts_with(reloaded),
                false => name == *reloaded,
            })
    };
    let names = differs.map(|(name, _)| name.clone());
    names.filter(|name| !is_reloaded(name)).collect()
}

fn flatten(prefix: &str, value: &Value, settings: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = match prefix {
                    "" => name.clone(),
                    section => format!("{section}.{name}"),
                };
                flatten(&name, value, settings);
            }
        }
        value => settings.push((prefix.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_from_the_next_start_is_named_and_no_value_shown() {
        let before = Config::default();
        let mut after = before.clone();
        after.log = "debug".to_owned();
        after.trusted_proxies = Some("10.0.0.0/8".to_owned());
        after.rates.credential_per_day = 7;
        after.health.operators = "10.0.0.1".to_owned();
        assert_eq!(kept(&before, &after), [""; 0]);
        after.smtp.password = Some(crate::config::Secret("s3cret".to_owned()));
        after.limits.jobs = 5;
        after.listen = ([127, 0, 0, 1], 9).into();
        let mut names = kept(&before, &after);
        names.sort();
        assert_eq!(names, ["limits.jobs", "listen", "smtp.password"]);
    }
}
