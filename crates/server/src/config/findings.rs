//! What the settings mean for safety, for whoever checks them before a start.

use std::fmt;
use std::net::IpAddr;

use chancery_store::DatabaseUrl;
use serde::Serialize;

use super::{Config, TlsMode, TwoOperators};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is as it should be, and this is what it means.
    Note,
    /// It is allowed, and something is given up by it.
    Warning,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
        })
    }
}

/// What a setting means for safety.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// The setting.
    pub setting: &'static str,
    /// What follows from it, as a sentence.
    pub meaning: String,
}

fn note(setting: &'static str, meaning: impl Into<String>) -> Finding {
    Finding {
        level: Level::Note,
        setting,
        meaning: meaning.into(),
    }
}

fn warning(setting: &'static str, meaning: impl Into<String>) -> Finding {
    Finding {
        level: Level::Warning,
        ..note(setting, meaning)
    }
}

impl Config {
    /// What the settings mean for safety, the warnings first. What must not be is refused elsewhere.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = [
            self.of_mode(),
            self.of_listener(),
            self.of_secrets(),
            self.of_connections(),
            self.of_people(),
            self.of_the_rest(),
        ]
        .into_iter()
        .flatten()
        .collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        findings
    }

    fn of_mode(&self) -> Vec<Finding> {
        if !self.is_ote() {
            return vec![note(
                "mode",
                "production: names are checked in the real world, and operators say who they are",
            )];
        }
        let mut findings = vec![warning(
            "mode",
            "a test environment: its own outside world proves names to whoever reaches its control surface, so \
             its CA must not be trusted anywhere",
        )];
        if self.ote.allow_remote {
            findings.push(warning(
                "ote.allow_remote",
                "other machines may move the clock and prove names",
            ));
        }
        findings
    }

    fn of_listener(&self) -> Vec<Finding> {
        let listen = self.listen;
        let mut findings = Vec::new();
        findings.push(match listen.ip().is_loopback() {
            true => note("listen", "only this machine reaches the listener, which speaks plain HTTP"),
            false => warning(
                "listen",
                format!("whoever reaches {listen} speaks plain HTTP with it, passwords and keys included: \
                    let only the proxy that speaks TLS reach it"),
            ),
        });
        let public = self.public_url();
        findings.push(match public.starts_with("https://") {
            true => note("public_url", "approval links are opened over TLS"),
            false => warning(
                "public_url",
                "approval links are opened over plain HTTP: whoever sees one on its way can approve",
            ),
        });
        if let Ok(proxies) = self.trusted_proxies() {
            if proxies.is_empty() && public.starts_with("https://") {
                findings.push(warning(
                    "trusted_proxies",
                    "nobody is believed about where a client is: behind a proxy all clients are where it is, \
                     for lists of addresses, for limits and in the trail",
                ));
            } else if !proxies.is_empty() {
                findings.push(note(
                    "trusted_proxies",
                    "they are believed about where a client is",
                ));
            }
        }
        findings
    }

    fn of_secrets(&self) -> Vec<Finding> {
        let mut findings = vec![match (&self.master_key, &self.master_key_file) {
            (Some(_), _) => warning(
                "master_key",
                "it stands in the configuration or the environment, which more programs and people read than a \
                 file of its own: prefer master_key_file",
            ),
            (None, Some(_)) => note(
                "master_key_file",
                "it opens the CA's keys in the database: keep a copy away from backups of the database",
            ),
            (None, None) => warning(
                "master_key_file",
                "the key is made at first start and lies beside the database",
            ),
        }];
        findings.push(match self.generate_keys.unwrap_or(self.is_ote()) {
            true => warning(
                "generate_keys",
                "subscribers' private keys are made here and cross the network",
            ),
            false => note(
                "generate_keys",
                "no private key of a subscriber's is made here",
            ),
        });
        findings
    }

    fn of_connections(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.is_ote() {
            findings.push(match self.smtp.tls {
                TlsMode::None => note(
                    "smtp.tls",
                    "mail is handed over without TLS, within this machine",
                ),
                TlsMode::Starttls | TlsMode::Implicit => note(
                    "smtp.tls",
                    "mail is handed over by TLS, and the relay's certificate is verified",
                ),
            });
        }
        if let Ok(url) = DatabaseUrl::parse(&self.database_url()) {
            findings.push(
                match (url.is_plaintext_to_another_host(), url.leaves_encryption_open()) {
                    (true, _) => warning(
                        "database",
                        "rows cross the network in the clear (sslmode=disable): right only where that network is \
                         yours",
                    ),
                    (false, true) => warning(
                        "database",
                        "rows cross the network in the clear where the server offers no TLS: add ?sslmode=require",
                    ),
                    (false, false) => note("database", "rows do not cross a network in the clear"),
                },
            );
        }
        findings
    }

    fn of_people(&self) -> Vec<Finding> {
        let limits = self.call_limits();
        let mut findings = Vec::new();
        findings.push(match limits.failed_sign_ins_per_minute {
            0 => warning(
                "rates.failed_sign_ins_per_minute",
                "secrets may be guessed without end",
            ),
            times => note(
                "rates.failed_sign_ins_per_minute",
                format!("{times} wrong secrets a minute for a user name from an address"),
            ),
        });
        if !(limits.credential.exist() || limits.reseller.exist()) {
            findings.push(warning(
                "rates",
                "resellers may call as often as they like, so one can slow the others down",
            ));
        }
        findings.push(match self.vetting.two_operators {
            TwoOperators::Ev => note(
                "vetting.two_operators",
                "one operator alone can vet an organization for OV",
            ),
            TwoOperators::Always => {
                note("vetting.two_operators", "every vetting takes two operators")
            }
        });
        if !self.logicboxes.strict_methods {
            findings.push(note(
                "logicboxes.strict_methods",
                "keys may come in query strings: see that the proxy does not log those of /api/",
            ));
        }
        findings
    }

    fn of_the_rest(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Ok(networks) = self.health_operators() {
            let is_all = networks
                .iter()
                .any(chancery_domain::access::Network::is_everything);
            findings.push(match is_all {
                true => warning(
                    "health.operators",
                    "everybody is told what is wrong with the server, and with what it depends on",
                ),
                false => note(
                    "health.operators",
                    "clients there are told what is wrong with the server, others one word",
                ),
            });
        }
        if !self.is_ote() {
            findings.push(match self.validation.deny.is_some() {
                true => note("validation.deny", "checks connect to no address in these ranges"),
                false => note(
                    "validation.deny",
                    "checks connect to any public address: name ranges of yours that strangers should not have \
                     reached from here",
                ),
            });
        }
        let retention = &self.retention;
        findings.push(note(
            "retention.sign_ins_days",
            format!(
                "who signed in and who was turned away is on record for {} days",
                retention.sign_ins_days
            ),
        ));
        findings
    }

    /// Whether the mail relay is this machine.
    pub(super) fn smtp_is_local(&self) -> bool {
        self.smtp.host.as_deref().is_none_or(is_local_host)
    }
}

/// Whether a host is this machine.
pub(super) fn is_local_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;

    fn levels(config: &Config, setting: &str) -> Vec<Level> {
        let findings = config.findings();
        let of = findings.iter().filter(|finding| finding.setting == setting);
        of.map(|finding| finding.level).collect()
    }

    #[test]
    fn what_is_given_up_is_a_warning() {
        let mut config = Config {
            public_url: Some("https://ssl.example.com".to_owned()),
            master_key_file: Some("master.key".into()),
            ..Config::default()
        };
        assert_eq!(levels(&config, "listen"), [Level::Note]);
        assert_eq!(levels(&config, "trusted_proxies"), [Level::Warning]);
        assert_eq!(levels(&config, "health.operators"), [Level::Note]);
        config.health.operators = "0.0.0.0/0".to_owned();
        assert_eq!(levels(&config, "health.operators"), [Level::Warning]);
        assert!(levels(&config, "rates").is_empty());
        assert_eq!(levels(&config, "database"), [Level::Note]);
        config.listen = "0.0.0.0:80".parse().unwrap();
        config.trusted_proxies = Some("203.0.113.1".to_owned());
        assert_eq!(levels(&config, "trusted_proxies"), [Level::Note]);
        config.generate_keys = Some(true);
        config.rates.limited = Some(false);
        config.database = Some("postgres://x@db.internal/x?sslmode=disable".to_owned());
        for setting in [
            "listen",
            "generate_keys",
            "rates",
            "rates.failed_sign_ins_per_minute",
            "database",
        ] {
            assert_eq!(levels(&config, setting), [Level::Warning], "{setting}");
        }
        let first = config.findings().remove(0);
        assert_eq!(first.level, Level::Warning);
        config.mode = Mode::Ote;
        assert_eq!(levels(&config, "mode"), [Level::Warning]);
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "::1",
            "[::1]",
            "127.8.0.1",
        ] {
            assert!(is_local_host(host), "{host}");
        }
        for host in [
            "mail.example.com",
            "localhost.example.com",
            "10.0.0.1",
            "127.example",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}
