//! Connecting to a host by the first of its addresses that answers (RFC 8305, "Happy Eyeballs").
//!
//! The addresses of both families are asked for at once, and whichever is there is used without waiting for the other
//! beyond a moment: many name servers never answer for AAAA (RFC 4074 §4.1). Attempts follow each other at a quarter
//! of a second, families in turn, and the first to be accepted ends the others. Every address is checked before.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chancery_domain::findings::{FileFinding, NoConnection};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use url::Host;

use crate::dns::{AddressLookup, DnsAnswer};
use crate::excerpts::shown;
use crate::probe::{HttpProbe, Objection};
use crate::shortages;

/// How many addresses of a host are tried, per family.
const ADDRESSES_PER_FAMILY: usize = 2;

/// How long an attempt is alone (RFC 8305 §5, "Connection Attempt Delay").
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// How long the other family is waited for where none of the addresses that are known will do.
const LAST_HOPE: Duration = Duration::from_secs(1);

/// A host whose first addresses are known.
pub(crate) struct Dialling<'a> {
    probe: &'a HttpProbe,
    host: &'a Host,
    lookup: Option<AddressLookup>,
    v6: VecDeque<IpAddr>,
    v4: VecDeque<IpAddr>,
    taken: [usize; 2],
    was_v6: bool,
    objections: Vec<(IpAddr, Objection)>,
}

impl<'a> Dialling<'a> {
    /// Learns the first addresses of a host.
    pub(crate) async fn begin(probe: &'a HttpProbe, host: &'a Host) -> Result<Self, FileFinding> {
        let mut dialling = Self {
            probe,
            host,
            lookup: None,
            v6: VecDeque::new(),
            v4: VecDeque::new(),
            taken: [0, 0],
            was_v6: false,
            objections: Vec::new(),
        };
        match host {
            Host::Ipv4(address) => dialling.add([IpAddr::from(*address)]),
            Host::Ipv6(address) => dialling.add([IpAddr::from(*address)]),
            Host::Domain(name) => {
                if !probe.policy.has_name(name) {
                    return Err(FileFinding::NotPublic);
                }
                let mut lookup = probe.resolver.addresses(name);
                let first = match lookup.first().await {
                    Ok(first) => first,
                    Err(answer) => return Err(no_address(probe, name, answer).await),
                };
                dialling.keep_outside(&lookup)?;
                dialling.add(first);
                if !dialling.has_candidate() && lookup.is_open() {
                    let rest = tokio::time::timeout(LAST_HOPE, lookup.more()).await;
                    dialling.keep_outside(&lookup)?;
                    dialling.add(rest.unwrap_or_default());
                }
                dialling.lookup = lookup.is_open().then_some(lookup);
            }
        }
        match dialling.has_candidate() {
            true => Ok(dialling),
            false => Err(dialling.refuse()),
        }
    }

    /// Refuses a host that is an alias of an internal name, whatever addresses that has.
    fn keep_outside(&self, lookup: &AddressLookup) -> Result<(), FileFinding> {
        let is_public = |alias: &String| self.probe.policy.has_name(alias);
        match lookup.aliases().iter().all(is_public) {
            true => Ok(()),
            false => Err(FileFinding::AliasNotPublic),
        }
    }

    /// Takes addresses among the candidates, as far as the policy lets them through.
    fn add(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        for address in addresses {
            let family = usize::from(address.is_ipv6());
            match self.probe.policy.objection(address) {
                Some(objection) => self.objections.push((address, objection)),
                None if self.taken[family] < ADDRESSES_PER_FAMILY => {
                    self.taken[family] += 1;
                    let of_family = if address.is_ipv6() {
                        &mut self.v6
                    } else {
                        &mut self.v4
                    };
                    of_family.push_back(address);
                }
                None => {}
            }
        }
    }

    fn has_candidate(&self) -> bool {
        !self.v6.is_empty() || !self.v4.is_empty()
    }

    /// The next address, of the families in turn, IPv6 first.
    fn next(&mut self) -> Option<IpAddr> {
        let next = match self.was_v6 {
            true => self.v4.pop_front().or_else(|| self.v6.pop_front()),
            false => self.v6.pop_front().or_else(|| self.v4.pop_front()),
        };
        self.was_v6 = next.is_some_and(|address| address.is_ipv6());
        next
    }

    /// Why none of the addresses will do. Which addresses they are is the operator's to know.
    fn refuse(&self) -> FileFinding {
        if self
            .probe
            .shortages
            .is_news(&format!("kept from {}", self.host))
        {
            let (host, addresses) = (self.host.to_string(), &self.objections);
            tracing::info!(%host, ?addresses, "a check was kept from addresses that are not to be connected to");
        }
        let has =
            |objection: Objection| self.objections.iter().any(|(_, other)| *other == objection);
        if has(Objection::Denied) {
            FileFinding::DeniedAddress
        } else if has(Objection::OutsideOfTests) {
            FileFinding::OutsideOfTests
        } else {
            FileFinding::PrivateAddress
        }
    }

    /// Connects; `peers` gets every address that was tried, the one that was accepted last.
    pub(crate) async fn connect(
        &mut self,
        port: u16,
        peers: &mut Vec<String>,
    ) -> Result<TcpStream, FileFinding> {
        let dialled = self.probe.policy.dialled_port(port);
        let patience = self.probe.policy.timeout / 3;
        let mut attempts: FuturesUnordered<BoxFuture<'_, (SocketAddr, io::Result<TcpStream>)>> =
            FuturesUnordered::new();
        let mut failures = Vec::new();
        let mut is_next_due = true;
        loop {
            if is_next_due && let Some(address) = self.next() {
                let peer = SocketAddr::new(address, dialled);
                peers.push(peer.to_string());
                attempts.push(Box::pin(attempt(peer, patience)));
                is_next_due = false;
            }
            let (is_idle, has_more) = (attempts.is_empty(), self.has_candidate());
            let is_open = self.lookup.is_some();
            if is_idle && !has_more && !is_open {
                return Err(self.give_up(port, &failures));
            }
            let pause = if has_more { NEXT_AFTER } else { LAST_HOPE };
            tokio::select! {
                Some((peer, connected)) = attempts.next() => match connected {
                    Ok(stream) => {
                        let accepted = peer.to_string();
                        peers.retain(|other| *other != accepted);
                        peers.push(accepted);
                        return Ok(stream);
                    }
                    Err(error) => {
                        failures.push((peer, error));
                        is_next_due = true;
                    }
                },
                more = rest_of(self.lookup.as_mut()), if is_open => {
                    if let Some(lookup) = &self.lookup {
                        self.keep_outside(lookup)?;
                    }
                    self.lookup.take_if(|lookup| !lookup.is_open());
                    self.add(more);
                    is_next_due |= is_idle;
                }
                () = tokio::time::sleep(pause), if has_more || is_idle => {
                    is_next_due = true;
                    if !has_more {
                        // Nothing is left to be tried, and the other family keeps silent.
                        self.lookup = None;
                    }
                }
            }
        }
    }

    fn give_up(&self, port: u16, failures: &[(SocketAddr, io::Error)]) -> FileFinding {
        let (ours, theirs): (Vec<_>, Vec<_>) = failures
            .iter()
            .partition(|(_, error)| shortages::is_ours(error));
        for (peer, error) in ours {
            if self.probe.shortages.is_news(&error.to_string()) {
                tracing::error!(%peer, %error, "a check could not connect, for want of something on this machine");
            }
        }
        let Some(how) = theirs
            .iter()
            .map(|(_, error)| how(error))
            .max_by_key(|how| weight(*how))
        else {
            return FileFinding::OwnShortage;
        };
        let told: Vec<String> = (theirs.iter())
            .map(|(peer, error)| format!("{peer}: {}", words(error)))
            .collect();
        FileFinding::NoConnection(how, port, shown(&told.join("; ")))
    }
}

async fn rest_of(lookup: Option<&mut AddressLookup>) -> Vec<IpAddr> {
    match lookup {
        Some(lookup) => lookup.more().await,
        None => std::future::pending().await,
    }
}

async fn attempt(peer: SocketAddr, patience: Duration) -> (SocketAddr, io::Result<TcpStream>) {
    let connected = match tokio::time::timeout(patience, TcpStream::connect(peer)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    (peer, connected)
}

fn how(error: &io::Error) -> NoConnection {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => NoConnection::Refused,
        io::ErrorKind::TimedOut => NoConnection::Silent,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => NoConnection::Reset,
        _ => NoConnection::Unreachable,
    }
}

/// Of several addresses, the one that did most gives the finding.
fn weight(how: NoConnection) -> u8 {
    match how {
        NoConnection::Refused => 3,
        NoConnection::Reset => 2,
        NoConnection::Unreachable => 1,
        NoConnection::Silent => 0,
    }
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to the host".to_owned(),
        _ => error.to_string(),
    }
}

/// Why there is no address. Whether an internal name has any is not told either.
async fn no_address(probe: &HttpProbe, name: &str, answer: DnsAnswer<IpAddr>) -> FileFinding {
    if let DnsAnswer::Trouble(trouble) = answer {
        return FileFinding::Dns(trouble);
    }
    let is_public = |alias: &str| probe.policy.has_name(alias);
    let chain = probe.resolver.cname_chain(name, is_public).await;
    match answer {
        _ if chain.leads_inside => FileFinding::AliasNotPublic,
        DnsAnswer::NoSuchName => FileFinding::NoSuchName,
        _ => FileFinding::NoAddress,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Resolver, ResolverSettings};
    use crate::probe::ProbePolicy;

    #[tokio::test]
    async fn what_this_machine_lacks_is_not_held_against_a_host() {
        let settings = ResolverSettings {
            servers: vec!["127.0.0.1:1".parse().unwrap()],
            timeout: Duration::from_secs(1),
            attempts: 1,
            recursive: true,
        };
        let probe = HttpProbe::new(Resolver::new(&settings).unwrap(), ProbePolicy::strict());
        let host = Host::parse("1.1.1.1").unwrap();
        let dialling = Dialling::begin(&probe, &host).await.unwrap();
        let v6: SocketAddr = "[2606:4700::1111]:80".parse().unwrap();
        let v4: SocketAddr = "1.1.1.1:80".parse().unwrap();
        let error = io::Error::from_raw_os_error;
        let (no_descriptor, no_route, refused) = (24, 101, 111);
        for lack in [no_descriptor, no_route] {
            let failures = [(v6, error(lack)), (v4, error(lack))];
            assert_eq!(dialling.give_up(80, &failures), FileFinding::OwnShortage);
        }
        // Without IPv6 of our own, what IPv4 does counts.
        let failures = [(v6, error(no_route)), (v4, error(refused))];
        let told = shown("1.1.1.1:80: connection refused");
        let finding = FileFinding::NoConnection(NoConnection::Refused, 80, told);
        assert_eq!(dialling.give_up(80, &failures), finding);
    }
}
