//! What is missing, wrong, or contradicts another setting.

use axum::http::Uri;
use chancery_store::DatabaseUrl;

use super::findings::is_local_host;
use super::{Config, ConfigError, OteConfig, TlsMode, setting};

impl Config {
    /// Refuses settings that are missing or contradict each other, naming the first.
    pub fn check(&self) -> Result<(), ConfigError> {
        let faults = [
            self.check_urls(),
            self.check_mail(),
            if self.is_ote() {
                self.check_ote()
            } else {
                self.check_production()
            },
            self.resolvers().map(drop),
            self.denied_networks().map(drop),
            self.trusted_proxies().map(drop),
            self.health_operators().map(drop),
            self.key_algorithm().map(drop),
            self.check_bounds(),
        ];
        faults.into_iter().collect()
    }

    fn check_urls(&self) -> Result<(), ConfigError> {
        let public = self.public_url();
        let parsed = public.parse::<Uri>().ok();
        let host = parsed.as_ref().and_then(Uri::host);
        let has_scheme = public.starts_with("http://") || public.starts_with("https://");
        if !has_scheme || host.is_none() {
            return Err(setting(
                "public_url must begin with http:// or https:// and name a host",
            ));
        }
        let has_port = parsed.as_ref().and_then(Uri::port).is_some();
        if public.starts_with("https://") && has_port && self.pki_url.is_none() {
            return Err(setting(
                "pki_url is not set: public_url names a port for https, and revocation lists are \
                 fetched without TLS",
            ));
        }
        if self.public_url.is_none() && self.listen.ip().is_unspecified() {
            let listen = self.listen;
            return Err(setting(format!(
                "public_url is not set: listen is {listen}, which is no address to be reached at"
            )));
        }
        if !self.pki_url().starts_with("http://") {
            return Err(setting(
                "pki_url must begin with http://: revocation lists are fetched without TLS",
            ));
        }
        if !self.is_ote() && public.starts_with("http://") && !host.is_some_and(is_local_host) {
            return Err(setting(
                "public_url begins with http://: approval links and passwords would cross the network in the \
                 clear; put a proxy that speaks TLS in front, and name it by https://",
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
        if smtp.tls == TlsMode::None && !self.smtp_is_local() {
            return Err(setting(
                "smtp.tls is \"none\", but smtp.host is another machine: approval links, and smtp.password, would \
                 cross the network in the clear",
            ));
        }
        Ok(())
    }

    fn check_ote(&self) -> Result<(), ConfigError> {
        let smtp = &self.smtp;
        let of_the_real_world = [
            (self.dns.resolvers.is_some(), "dns.resolvers"),
            (self.validation.deny.is_some(), "validation.deny"),
            (smtp.host.is_some(), "smtp.host"),
            (smtp.username.is_some(), "smtp.username"),
            (smtp.password.is_some(), "smtp.password"),
        ];
        match of_the_real_world.iter().find(|(is_set, _)| *is_set) {
            Some((_, name)) => Err(setting(format!(
                "{name} is set, but in OTE mode the built-in outside world is used"
            ))),
            None => Ok(()),
        }
    }

    fn check_production(&self) -> Result<(), ConfigError> {
        let has_key = self.master_key.is_some() || self.master_key_file.is_some();
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
                has_key,
                "master_key_file",
                "a file with the key that seals secrets, made with: openssl rand -hex 32",
            ),
            (
                self.ca.organization.is_some(),
                "ca.organization",
                "the organization in the CA's names",
            ),
            (
                self.ca.country.is_some(),
                "ca.country",
                "the country in the CA's names, two letters",
            ),
            (
                self.ca.name.is_some(),
                "ca.name",
                "the common name of the CA",
            ),
        ];
        if let Some((_, name, what)) = needed.iter().find(|(is_set, ..)| !is_set) {
            return Err(setting(format!("{name} is not set: {what}")));
        }
        if self.resolvers()?.is_empty() {
            return Err(setting("dns.resolvers is empty"));
        }
        let database = DatabaseUrl::parse(&self.database_url());
        if database.is_ok_and(|url| url.leaves_encryption_open()) {
            return Err(setting(
                "database: add ?sslmode=require, or ?sslmode=disable if the network between is yours",
            ));
        }
        if self.ote != OteConfig::default() {
            return Err(setting(
                "the section [ote] is set, but the built-in outside world is of OTE mode only",
            ));
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
        if self.orders.carry_days.is_some() {
            return Err(setting(
                "orders.carry_days is no setting any more: a renewal takes over all that is left of the term, \
                 and opens renewal-days of the catalogue before its end; remove it",
            ));
        }
        if self.orders.supersede_hours > 24 * 366 {
            return Err(setting("orders.supersede_hours is 8784 at most"));
        }
        for (name, days, least) in [
            (
                "retention.failed_looks_days",
                self.retention.failed_looks_days,
                30,
            ),
            ("retention.records_days", self.retention.records_days, 730),
            ("retention.sign_ins_days", self.retention.sign_ins_days, 1),
        ] {
            if !(least..=36_500).contains(&days) {
                return Err(setting(format!("{name} lies between {least} and 36500")));
            }
        }
        let [_, country, _] = self.ca_names();
        if !chancery_domain::countries::is_country(country) {
            return Err(setting("ca.country is not a two-letter country code"));
        }
        for (name, value) in [
            ("limits.connections", self.limits.connections as u64),
            (
                "limits.connections_per_client",
                self.limits.connections_per_client as u64,
            ),
            ("limits.body_mebibytes", self.limits.body_mebibytes as u64),
            ("limits.request_seconds", self.limits.request_seconds),
            ("limits.jobs", self.limits.jobs as u64),
            ("limits.looks", self.limits.looks as u64),
        ] {
            if value == 0 {
                return Err(setting(format!("{name} must not be 0")));
            }
        }
        // A check asks for several names in turn, and many checks wait for their turn.
        for (name, value, most) in [
            ("dns.timeout_seconds", self.dns.timeout_seconds, 10),
            ("dns.attempts", self.dns.attempts as u64, 3),
        ] {
            if !(1..=most).contains(&value) {
                return Err(setting(format!("{name} lies between 1 and {most}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use chancery_domain::rates::RateLimits;

    use super::*;
    use crate::config::{CaConfig, DnsConfig, Mode, Secret, SmtpConfig};

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
            ca: CaConfig {
                organization: Some("Reseller Ltd".to_owned()),
                country: Some("MY".to_owned()),
                name: Some("Reseller".to_owned()),
                ..CaConfig::default()
            },
            ..Config::default()
        }
    }

    #[test]
    fn production_names_what_is_missing() {
        production().check().unwrap();
        let missing: [(&str, Change); 9] = [
            ("public_url", |c| c.public_url = None),
            ("catalogue", |c| c.catalogue = None),
            ("master_key_file", |c| c.master_key_file = None),
            ("dns.resolvers", |c| c.dns.resolvers = None),
            ("smtp.host", |c| c.smtp.host = None),
            ("smtp.from", |c| c.smtp.from = None),
            ("ca.organization", |c| c.ca.organization = None),
            ("ca.country", |c| c.ca.country = None),
            ("ca.name", |c| c.ca.name = None),
        ];
        for (name, remove) in missing {
            let mut config = production();
            remove(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }

    fn refused(config: &Config, word: &str) {
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }

    #[test]
    fn contradictions_are_named() {
        let wrong: [(&str, Change); 25] = [
            ("validation.deny", |c| {
                c.validation.deny = Some("203.0.113.0/24, 10.0.0.0".to_owned());
            }),
            ("smtp.username", |c| c.smtp.username = Some("x".to_owned())),
            ("smtp.tls", |c| c.smtp.tls = TlsMode::None),
            ("public_url", |c| {
                c.public_url = Some("http://ssl.reseller.example".to_owned());
            }),
            ("public_url", |c| {
                c.public_url = Some("http://10.0.0.1:8080".to_owned());
            }),
            ("retention.failed_looks_days", |c| {
                c.retention.failed_looks_days = 29;
            }),
            ("retention.records_days", |c| c.retention.records_days = 729),
            ("retention.sign_ins_days", |c| c.retention.sign_ins_days = 0),
            ("smtp.tls", |c| {
                c.smtp.tls = TlsMode::None;
                c.smtp.username = Some("x".to_owned());
                c.smtp.password = Some(Secret("y".to_owned()));
            }),
            ("validation.days", |c| c.validation.days = 31),
            ("orders.carry_days", |c| c.orders.carry_days = Some(90)),
            ("orders.supersede_hours", |c| {
                c.orders.supersede_hours = 9_000;
            }),
            ("public_url", |c| {
                c.public_url = Some("ssl.reseller.example".to_owned());
            }),
            ("public_url", |c| c.public_url = Some("https://".to_owned())),
            ("pki_url", |c| {
                c.pki_url = Some("https://pki.example".to_owned());
            }),
            ("pki_url", |c| {
                c.public_url = Some("https://ssl.reseller.example:8443/x".to_owned());
            }),
            ("ca.key_algorithm", |c| {
                c.ca.key_algorithm = "DSA".to_owned();
            }),
            ("ca.country", |c| c.ca.country = Some("Malaysia".to_owned())),
            ("dns.resolvers", |c| {
                c.dns.resolvers = Some("dns.example".to_owned());
            }),
            ("dns.timeout_seconds", |c| c.dns.timeout_seconds = 11),
            ("dns.attempts", |c| c.dns.attempts = 4),
            ("trusted_proxies", |c| {
                c.trusted_proxies = Some("10.0.0.0/8, proxy".to_owned());
            }),
            ("everyone", |c| {
                c.trusted_proxies = Some("::/0".to_owned());
            }),
            ("sslmode", |c| {
                c.database = Some("postgres://a:b@db.example/x".to_owned());
            }),
            ("[ote]", |c| c.ote.allow_remote = true),
        ];
        for (name, change) in wrong {
            let mut config = production();
            change(&mut config);
            refused(&config, name);
        }
    }

    #[test]
    fn calls_are_limited_in_production_and_elsewhere_on_demand() {
        let config = |mode, limited| {
            let mut config = production();
            config.mode = mode;
            config.rates.limited = limited;
            config.call_limits().reseller
        };
        let unlimited = RateLimits::default();
        let limits = config(Mode::Production, None);
        assert_eq!((limits.per_day, limits.per_month), (5_000, 100_000));
        assert_eq!((limits.per_second, limits.burst), (50, 100));
        assert_eq!(config(Mode::Production, Some(false)), unlimited);
        assert_eq!(config(Mode::Ote, None), unlimited);
        assert_eq!(config(Mode::Ote, Some(true)), limits);
    }

    #[test]
    fn a_test_environment_has_its_own_world() {
        let ote = || Config {
            mode: Mode::Ote,
            ..Config::default()
        };
        ote().check().unwrap();
        let wrong: [(&str, Change); 6] = [
            ("validation.deny", |c| {
                c.validation.deny = Some("203.0.113.0/24".to_owned());
            }),
            ("dns.resolvers", |c| {
                c.dns.resolvers = Some("127.0.0.1:53".to_owned());
            }),
            ("smtp.host", |c| {
                c.smtp.host = Some("mail.example".to_owned());
            }),
            ("smtp.username", |c| {
                c.smtp.username = Some("x".to_owned());
                c.smtp.password = Some(Secret("y".to_owned()));
            }),
            ("public_url", |c| {
                c.listen = "0.0.0.0:8080".parse().unwrap();
            }),
            ("public_url", |c| c.listen = "[::]:8080".parse().unwrap()),
        ];
        for (name, change) in wrong {
            let mut config = ote();
            change(&mut config);
            refused(&config, name);
        }
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
