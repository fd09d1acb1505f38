//! The sections of the configuration, and their defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use chancery_app::KeyAlgorithm;
use serde::{Deserialize, Serialize};

use super::{Secret, local};

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
    /// The organization in the CA's names. Default in OTE mode: `Chancery`.
    pub organization: Option<String>,
    /// The country in the CA's names, two letters. Default in OTE mode: `US`.
    pub country: Option<String>,
    /// The common name of the CA; `Root` and `Issuing` are added. Default in OTE mode: `Chancery`.
    pub name: Option<String>,
}

/// Domain control validation.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// How many days an applicant has to show control; at most 30.
    pub days: u32,
    /// The domain below which the targets of CNAME challenges lie.
    pub challenge_domain: Option<String>,
    /// The dated limits of certificates and proofs, TOML. Default: the built-in table.
    pub rules: Option<PathBuf>,
    /// Ranges that no check connects to, beside those that are special by themselves: `203.0.113.0/24, 2001:db8::/32`.
    pub deny: Option<String>,
}

/// Orders over their terms.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrdersConfig {
    /// Was the bound of what a renewal takes over of the term before; refused, since it takes over all.
    #[serde(skip_serializing)]
    pub carry_days: Option<u32>,
    /// For how many hours a certificate stays good after a reissue has taken its place.
    pub supersede_hours: u32,
}

/// How long things are kept that would grow for ever.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// For how many days looks at the world that proved nothing are kept, once their run is settled.
    pub failed_looks_days: u32,
    /// For how many days what proved control is kept after no certificate can rely on it any more; at least 730
    /// (BR 5.5.2).
    pub records_days: u32,
    /// For how many days it is kept who signed in and who was turned away.
    pub sign_ins_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            failed_looks_days: 90,
            records_days: 730,
            sign_ins_days: 90,
        }
    }
}

/// Vetting of organizations.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct VettingConfig {
    /// Which cases take two people: `ev`, or `always`.
    pub two_operators: TwoOperators,
}

/// Which vetting cases take two people.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TwoOperators {
    /// Those for EV.
    Ev,
    /// All.
    Always,
}

/// What becomes of vetting cases in OTE mode.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OteVetting {
    /// They are approved by themselves, after a while.
    Automatic,
    /// They wait for operators, as in production.
    ByHand,
}

/// Bounds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once of one client's address.
    pub connections_per_client: usize,
    /// How much the bodies of all requests at once may take, in MiB.
    pub body_mebibytes: usize,
    /// How long a client may take to send a request's head, and to send its body.
    pub request_seconds: u64,
    /// How long requests under way may take after a stop was asked for.
    pub drain_seconds: u64,
    /// Jobs at once that wait for nobody outside; half as many messages are sent at once.
    pub jobs: usize,
    /// Checks of domain control at once; half as many more at servers that were slow before.
    pub looks: usize,
}

/// Who is told how the server is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// The addresses from which `/health` tells what is wrong, and not only whether: addresses and ranges, one text
    /// with commas between.
    pub operators: String,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            operators: "127.0.0.0/8, ::1".to_owned(),
        }
    }
}

/// How often resellers may call. 0 is no limit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RatesConfig {
    /// Whether the other settings here hold. Default: not in OTE mode.
    pub limited: Option<bool>,
    /// Calls of a credential in a day.
    pub credential_per_day: u32,
    /// Calls of a credential in a month.
    pub credential_per_month: u32,
    /// Calls of a credential in a second, in the long run.
    pub credential_per_second: u32,
    /// Calls of a credential at once, after a pause.
    pub credential_burst: u32,
    /// Calls of a reseller in a day, all credentials together.
    pub reseller_per_day: u32,
    /// Calls of a reseller in a month.
    pub reseller_per_month: u32,
    /// Calls of a reseller in a second, in the long run.
    pub reseller_per_second: u32,
    /// Calls of a reseller at once, after a pause.
    pub reseller_burst: u32,
    /// Wrong passwords for one username from one address in a minute.
    pub failed_sign_ins_per_minute: u32,
}

/// The LogicBoxes dialect.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogicBoxesConfig {
    /// Whether a method is answered only by the HTTP method that is documented for it.
    pub strict_methods: bool,
}

/// The built-in outside world.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
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
    /// Whether vetting cases are approved by themselves.
    pub vetting: OteVetting,
    /// After how many seconds.
    pub vetting_seconds: u32,
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
            organization: None,
            country: None,
            name: None,
        }
    }
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self {
            days: 30,
            challenge_domain: None,
            rules: None,
            deny: None,
        }
    }
}

impl Default for OrdersConfig {
    fn default() -> Self {
        Self {
            carry_days: None,
            supersede_hours: 72,
        }
    }
}

impl Default for VettingConfig {
    fn default() -> Self {
        Self {
            two_operators: TwoOperators::Ev,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_client: 1024,
            body_mebibytes: 64,
            request_seconds: 30,
            drain_seconds: 30,
            jobs: 32,
            looks: 256,
        }
    }
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self {
            limited: None,
            credential_per_day: 5_000,
            credential_per_month: 100_000,
            credential_per_second: 50,
            credential_burst: 100,
            reseller_per_day: 5_000,
            reseller_per_month: 100_000,
            reseller_per_second: 50,
            reseller_burst: 100,
            failed_sign_ins_per_minute: 10,
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
            vetting: OteVetting::Automatic,
            vetting_seconds: 5,
        }
    }
}
