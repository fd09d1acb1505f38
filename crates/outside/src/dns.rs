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

use chancery_domain::findings::DnsTrouble;
use chancery_domain::names::DomainName;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::resolvers::{Answered, Resolvers};

/// How many CNAME records in a row are followed when looking for aliases.
const ALIAS_LIMIT: usize = 8;

/// How long the other family of addresses is waited for once one is there (RFC 8305 §3, "Resolution Delay").
const OTHER_FAMILY: Duration = Duration::from_millis(50);

/// Which resolvers to ask, and for how long.
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// Recursive resolvers (in OTE mode, the built-in server); at least one.
    pub servers: Vec<SocketAddr>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often a question is asked before giving up; at least once.
    pub attempts: usize,
    /// Whether they are recursive, and so have no reason to refuse a question but that they are not for us. In OTE
    /// mode the built-in server is not: it refuses what lies outside its zones.
    pub recursive: bool,
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
    /// No resolver had an answer.
    Trouble(DnsTrouble),
}

impl<T> DnsAnswer<T> {
    /// The records found, if any.
    pub fn into_found(self) -> Vec<T> {
        match self {
            Self::Found(values) => values,
            Self::NoData | Self::NoSuchName | Self::Trouble(_) => Vec::new(),
        }
    }
}

/// The texts found at a name, and the aliases that led to them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Texts {
    /// One text for each record, its strings joined, nothing trimmed.
    pub answer: DnsAnswer<String>,
    /// The targets of the CNAME records on the way, nearest first.
    pub aliases: Vec<String>,
}

/// The aliases of a host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AliasChain {
    /// The targets, nearest first.
    pub names: Vec<DomainName>,
    /// Whether it goes on at a name that is none of the public DNS.
    pub leads_inside: bool,
}

/// A DNS client without memory.
#[derive(Clone)]
pub struct Resolver {
    resolvers: Resolvers,
}

impl Resolver {
    /// Makes a client for these servers. Nothing is sent before the first question.
    pub fn new(settings: &ResolverSettings) -> Result<Self, ResolverError> {
        Ok(Self {
            resolvers: Resolvers::new(settings)?,
        })
    }

    /// The servers asked, as text for an observation.
    pub fn servers(&self) -> &str {
        self.resolvers.told()
    }

    /// The TXT records at `name`, aliases followed.
    pub async fn txt(&self, name: &str) -> Texts {
        let (answer, aliases) = self
            .ask_along_aliases(name, RecordType::TXT, |data| match data {
                RData::TXT(txt) => {
                    Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned())
                }
                _ => None,
            })
            .await;
        Texts { answer, aliases }
    }

    /// The target of the CNAME record at `name`, without a final dot; the chain is not followed.
    pub async fn cname(&self, name: &str) -> DnsAnswer<String> {
        self.ask(name, RecordType::CNAME, |data| match data {
            RData::CNAME(target) => Some(without_final_dot(&target.0)),
            _ => None,
        })
        .await
    }

    /// Whether the DNS knows `name` at all, whatever records it has; `None` where it does not say.
    pub async fn exists(&self, name: &str) -> Option<bool> {
        match self.ask(name, RecordType::SOA, |_| Some(())).await {
            DnsAnswer::Found(_) | DnsAnswer::NoData => Some(true),
            DnsAnswer::NoSuchName => Some(false),
            DnsAnswer::Trouble(_) => None,
        }
    }

    /// Begins to look for the addresses of `name`, aliases followed, both families at once.
    pub fn addresses(&self, name: &str) -> AddressLookup {
        let one = |kind, value: fn(&RData) -> Option<IpAddr>| {
            let (resolver, name) = (self.clone(), name.to_owned());
            let asked = async move { resolver.ask_along_aliases(&name, kind, value).await };
            Family::Asked(asked.boxed())
        };
        AddressLookup {
            aliases: Vec::new(),
            v6: one(RecordType::AAAA, |data| match data {
                RData::AAAA(address) => Some(IpAddr::from(address.0)),
                _ => None,
            }),
            v4: one(RecordType::A, |data| match data {
                RData::A(address) => Some(IpAddr::from(address.0)),
                _ => None,
            }),
        }
    }

    /// The chain of CNAME targets that starts at `host`, nearest first, at most eight long.
    ///
    /// A target that is no host name (an underscore label, for example) is followed but left out. The chain ends
    /// silently at a failure: an alias that cannot be seen vouches for nothing. It ends before the first target that is
    /// not to be spoken of, too.
    pub async fn cname_chain(&self, host: &str, is_public: impl Fn(&str) -> bool) -> AliasChain {
        let mut at = host.to_owned();
        let mut seen = vec![at.clone()];
        let mut chain = AliasChain::default();
        for _ in 0..ALIAS_LIMIT {
            let Some(target) = self.cname(&at).await.into_found().into_iter().next() else {
                break;
            };
            let target = target.to_ascii_lowercase();
            if seen.contains(&target) {
                break;
            }
            if !is_public(&target) {
                chain.leads_inside = true;
                break;
            }
            chain.names.extend(
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
        self.ask_along_aliases(name, kind, value).await.0
    }

    async fn ask_along_aliases<T>(
        &self,
        name: &str,
        kind: RecordType,
        value: impl Fn(&RData) -> Option<T>,
    ) -> (DnsAnswer<T>, Vec<String>) {
        let Ok(mut name) = Name::from_ascii(name) else {
            // Too long, or with a label that is: such a name cannot be in any zone.
            return (DnsAnswer::NoSuchName, Vec::new());
        };
        name.set_fqdn(true);
        match self.resolvers.ask(&name, kind).await {
            Answered::Records(records) => {
                let (values, aliases) = values_along_aliases(&name, &records, value);
                let answer = match values.is_empty() {
                    true => DnsAnswer::NoData,
                    false => DnsAnswer::Found(values),
                };
                (answer, aliases)
            }
            Answered::NoData => (DnsAnswer::NoData, Vec::new()),
            Answered::NoSuchName => (DnsAnswer::NoSuchName, Vec::new()),
            Answered::Not(trouble) => (DnsAnswer::Trouble(trouble), Vec::new()),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("servers", &self.servers())
            .finish_non_exhaustive()
    }
}

/// The addresses of a host, as they become known: whoever has one need not wait for the other family (RFC 8305 §3).
pub struct AddressLookup {
    v6: Family,
    v4: Family,
    /// The aliases that led to what was taken so far.
    aliases: Vec<String>,
}

enum Family {
    Asked(BoxFuture<'static, (DnsAnswer<IpAddr>, Vec<String>)>),
    Answered(DnsAnswer<IpAddr>, Vec<String>),
    Taken,
}

impl Family {
    /// Waits for the answer, if it has not been taken; may be dropped and called again.
    async fn answered(&mut self) {
        if let Self::Asked(asked) = self {
            let (answer, aliases) = asked.await;
            *self = Self::Answered(answer, aliases);
        }
    }

    fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }

    fn has_addresses(&self) -> bool {
        matches!(self, Self::Answered(DnsAnswer::Found(_), _))
    }

    /// The addresses, once, and the aliases that led to them.
    fn take(&mut self) -> (Vec<IpAddr>, Vec<String>) {
        match self {
            Self::Answered(DnsAnswer::Found(addresses), aliases) => {
                let taken = (std::mem::take(addresses), std::mem::take(aliases));
                *self = Self::Taken;
                taken
            }
            Self::Asked(_) | Self::Answered(..) | Self::Taken => (Vec::new(), Vec::new()),
        }
    }
}

impl AddressLookup {
    /// The first addresses, IPv6 before IPv4, or why there are none. IPv6 is begun with at once; where only IPv4
    /// has been told, IPv6 is waited for a moment.
    pub async fn first(&mut self) -> Result<Vec<IpAddr>, DnsAnswer<IpAddr>> {
        tokio::select! {
            () = self.v6.answered() => {}
            () = self.v4.answered() => {}
        }
        if self.v4.has_addresses() {
            let _ = tokio::time::timeout(OTHER_FAMILY, self.v6.answered()).await;
        }
        if !self.v6.has_addresses() && !self.v4.has_addresses() {
            tokio::join!(self.v6.answered(), self.v4.answered());
        }
        let found = self.take();
        match found.is_empty() {
            false => Ok(found),
            true => Err(self.why_none()),
        }
    }

    /// Whether an answer is still to come.
    pub fn is_open(&self) -> bool {
        self.v6.is_asked() || self.v4.is_asked()
    }

    /// Waits for the answer that is still to come; its addresses, which may be none.
    pub async fn more(&mut self) -> Vec<IpAddr> {
        tokio::select! {
            () = self.v6.answered(), if self.v6.is_asked() => {}
            () = self.v4.answered(), if self.v4.is_asked() => {}
            else => {}
        }
        self.take()
    }

    /// The aliases that led to the addresses told so far, or to there being none.
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn take(&mut self) -> Vec<IpAddr> {
        let (mut found, of_v6) = self.v6.take();
        let (more, of_v4) = self.v4.take();
        found.extend(more);
        self.aliases.extend(of_v6.into_iter().chain(of_v4));
        found
    }

    /// Of two answers without addresses, the one that says most about why.
    fn why_none(&mut self) -> DnsAnswer<IpAddr> {
        let mut answers = Vec::new();
        for family in [&mut self.v6, &mut self.v4] {
            if let Family::Answered(answer, aliases) = std::mem::replace(family, Family::Taken) {
                answers.push(answer);
                self.aliases.extend(aliases);
            }
        }
        let telling = |answer: &DnsAnswer<IpAddr>| match answer {
            DnsAnswer::Trouble(DnsTrouble::Failed(_)) => 5,
            DnsAnswer::Trouble(DnsTrouble::Silent(_)) => 4,
            DnsAnswer::Trouble(DnsTrouble::NotAsked) => 3,
            DnsAnswer::NoData => 2,
            DnsAnswer::NoSuchName => 1,
            DnsAnswer::Found(_) => 0,
        };
        let best = answers.into_iter().max_by_key(telling);
        best.unwrap_or(DnsAnswer::NoData)
    }
}

/// The values of the records that belong to `name` or to one of its aliases in the answer, and those aliases.
///
/// Anything else in the answer section was not asked for, and proves nothing.
fn values_along_aliases<T>(
    name: &Name,
    found: &[Record],
    value: impl Fn(&RData) -> Option<T>,
) -> (Vec<T>, Vec<String>) {
    let mut owners = vec![name];
    for record in found {
        if let RData::CNAME(target) = &record.data
            && owners.contains(&&record.name)
        {
            owners.push(&target.0);
        }
    }
    let values = found
        .iter()
        .filter(|record| owners.contains(&&record.name))
        .filter_map(|record| value(&record.data))
        .collect();
    let aliases = owners[1..].iter().map(|owner| without_final_dot(owner));
    (values, aliases.collect())
}

fn without_final_dot(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}
