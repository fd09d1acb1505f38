//! Asks the DNS, through the configured resolvers, over UDP and, where an answer was cut, TCP.
//!
//! Nothing is remembered between two questions: a domain control check must see the zone as it is now. A
//! server that fails, a server that is silent, a name that does not exist and a name without such a record are four
//! different answers, because people act on them differently. Names are asked as they stand: no search list, no
//! hosts file. This module does not judge what it finds, and validates no DNSSEC: a validating resolver's
//! refusal of a bogus zone arrives as SERVFAIL.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chancery_domain::names::DomainName;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

/// How many CNAME records in a row are followed when looking for aliases.
const ALIAS_LIMIT: usize = 8;

/// Which resolvers to ask, and for how long.
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// Recursive resolvers (in OTE mode, the built-in server); at least one.
    pub servers: Vec<SocketAddr>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often a question is asked before giving up; at least once.
    pub attempts: usize,
}

/// Why a [`Resolver`] cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The list of servers is empty.
    #[error("at least one DNS server is needed")]
    NoServer,
    /// The DNS client refuses the settings.
    #[error("the DNS client cannot be set up")]
    Client(#[source] NetError),
}

/// What the DNS said to one question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DnsAnswer<T> {
    /// There are records; never an empty list.
    Found(Vec<T>),
    /// The name exists, without a record of this type.
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// No server answered in time.
    Timeout,
    /// The server answered with a failure, or could not be reached; says how.
    ServerFailure(String),
}

impl<T> DnsAnswer<T> {
    /// The records found, if any.
    pub fn into_found(self) -> Vec<T> {
        match self {
            Self::Found(values) => values,
            Self::NoData | Self::NoSuchName | Self::Timeout | Self::ServerFailure(_) => Vec::new(),
        }
    }
}

/// A DNS client without memory.
#[derive(Clone)]
pub struct Resolver {
    client: TokioResolver,
    servers: String,
    deadline: Duration,
}

impl Resolver {
    /// Makes a client for these servers. Nothing is sent before the first question.
    pub fn new(settings: &ResolverSettings) -> Result<Self, ResolverError> {
        if settings.servers.is_empty() {
            return Err(ResolverError::NoServer);
        }
        let servers = settings
            .servers
            .iter()
            .map(|server| name_server(*server))
            .collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let attempts = settings.attempts.max(1);
        set_options(builder.options_mut(), settings.timeout, attempts);
        let client = builder.build().map_err(ResolverError::Client)?;
        let servers: Vec<String> = settings.servers.iter().map(SocketAddr::to_string).collect();
        Ok(Self {
            client,
            servers: servers.join(", "),
            // The client has its own time limit per attempt; this one only bounds what it adds between them.
            deadline: settings
                .timeout
                .saturating_mul(u32::try_from(attempts + 1).unwrap_or(u32::MAX)),
        })
    }

    /// The servers asked, as text for an observation.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// The TXT records at `name`, aliases followed: one text per record, its strings joined, nothing trimmed.
    pub async fn txt(&self, name: &str) -> DnsAnswer<String> {
        self.ask(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        })
        .await
    }

    /// The target of the CNAME record at `name`, without a final dot; the chain is not followed.
    pub async fn cname(&self, name: &str) -> DnsAnswer<String> {
        self.ask(name, RecordType::CNAME, |data| match data {
            RData::CNAME(target) => Some(without_final_dot(&target.0)),
            _ => None,
        })
        .await
    }

    /// The addresses of `name`, aliases followed, IPv6 before IPv4.
    pub async fn addresses(&self, name: &str) -> DnsAnswer<IpAddr> {
        let v6 = self.ask(name, RecordType::AAAA, |data| match data {
            RData::AAAA(address) => Some(IpAddr::from(address.0)),
            _ => None,
        });
        let v4 = self.ask(name, RecordType::A, |data| match data {
            RData::A(address) => Some(IpAddr::from(address.0)),
            _ => None,
        });
        let (v6, v4) = tokio::join!(v6, v4);
        either(v6, v4)
    }

    /// The chain of CNAME targets that starts at `name`, nearest first, at most eight long.
    ///
    /// A target that is no host name (an underscore label, for example) is followed but left out. The chain ends
    /// silently at a failure: an alias that cannot be seen vouches for nothing.
    pub async fn cname_chain(&self, name: &DomainName) -> Vec<DomainName> {
        let mut at = name.host_str().to_owned();
        let mut seen = vec![at.clone()];
        let mut chain = Vec::new();
        for _ in 0..ALIAS_LIMIT {
            let Some(target) = self.cname(&at).await.into_found().into_iter().next() else {
                break;
            };
            let target = target.to_ascii_lowercase();
            if seen.contains(&target) {
                break;
            }
            chain.extend(
                DomainName::parse(&target)
                    .ok()
                    .filter(|name| !name.is_wildcard()),
            );
            seen.push(target.clone());
            at = target;
        }
        chain
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        value: impl Fn(&RData) -> Option<T>,
    ) -> DnsAnswer<T> {
        let Ok(mut name) = Name::from_ascii(name) else {
            // Too long, or with a label that is: such a name cannot be in any zone.
            return DnsAnswer::NoSuchName;
        };
        name.set_fqdn(true);
        let lookup = self.client.lookup(name.clone(), kind);
        match tokio::time::timeout(self.deadline, lookup).await {
            Ok(Ok(found)) => {
                let values = values_along_aliases(&name, &found, value);
                if values.is_empty() {
                    DnsAnswer::NoData
                } else {
                    DnsAnswer::Found(values)
                }
            }
            Ok(Err(error)) => failure(&error),
            Err(_) => DnsAnswer::Timeout,
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp]
        .map(|protocol| {
            let mut connection = ConnectionConfig::new(protocol);
            connection.port = address.port();
            connection
        })
        .to_vec();
    // "No such name" is an answer like any other: asking the next server would only hide it.
    NameServerConfig::new(address.ip(), true, connections)
}

fn set_options(options: &mut ResolverOpts, timeout: Duration, attempts: usize) {
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.ndots = 0;
    options.timeout = timeout;
    options.attempts = attempts - 1;
    options.case_randomization = false;
}

/// The values of the records that belong to `name` or to one of its aliases in the answer.
///
/// Anything else in the answer section was not asked for, and proves nothing.
fn values_along_aliases<T>(
    name: &Name,
    found: &Lookup,
    value: impl Fn(&RData) -> Option<T>,
) -> Vec<T> {
    let mut owners = vec![name];
    for record in found.answers() {
        if let RData::CNAME(target) = &record.data
            && owners.contains(&&record.name)
        {
            owners.push(&target.0);
        }
    }
    let answers = found.answers().iter();
    answers
        .filter(|record| owners.contains(&&record.name))
        .filter_map(|record| value(&record.data))
        .collect()
}

fn failure<T>(error: &NetError) -> DnsAnswer<T> {
    match error {
        NetError::Timeout => DnsAnswer::Timeout,
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => DnsAnswer::NoSuchName,
            ResponseCode::NoError => DnsAnswer::NoData,
            code => DnsAnswer::ServerFailure(code_name(code)),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => DnsAnswer::ServerFailure(code_name(*code)),
        other => DnsAnswer::ServerFailure(other.to_string()),
    }
}

/// The mnemonic that `dig` shows too, so that people can compare.
fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::NotAuth => "NOTAUTH".to_owned(),
        other => format!("{other} ({})", u16::from(other)),
    }
}

fn without_final_dot(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// Both families in one answer: what was found of either, else the answer that says most about why not.
fn either(v6: DnsAnswer<IpAddr>, v4: DnsAnswer<IpAddr>) -> DnsAnswer<IpAddr> {
    match (v6, v4) {
        (DnsAnswer::Found(mut first), second) => {
            first.extend(second.into_found());
            DnsAnswer::Found(first)
        }
        (_, DnsAnswer::Found(second)) => DnsAnswer::Found(second),
        (DnsAnswer::ServerFailure(why), _) | (_, DnsAnswer::ServerFailure(why)) => {
            DnsAnswer::ServerFailure(why)
        }
        (DnsAnswer::Timeout, _) | (_, DnsAnswer::Timeout) => DnsAnswer::Timeout,
        (DnsAnswer::NoData, _) | (_, DnsAnswer::NoData) => DnsAnswer::NoData,
        (DnsAnswer::NoSuchName, DnsAnswer::NoSuchName) => DnsAnswer::NoSuchName,
    }
}
