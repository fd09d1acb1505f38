//! Fetches the file of a domain control check (BR 3.2.2.4.18).
//!
//! The applicant decides where the name points and whereto it redirects, so every hop is treated as hostile: only
//! http and https on ports 80 and 443; only redirects by status 301, 302, 307 and 308, ten at most; each host
//! is resolved once, the address is checked, and that very address is connected to; the answer has a size and
//! a time limit. The value looked for never appears in a request, or a server that echoes its URL would
//! prove anything. No cookies, no credentials, no proxy, no connection reuse.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chancery_domain::authorizations::FILE_DIRECTORY;
use chancery_domain::names::DomainName;
use chancery_domain::observations::Outcome;
use http::StatusCode;
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::addresses::{Network, is_special_purpose};
use crate::dns::{DnsAnswer, Resolver};
use crate::excerpts::{EXCERPT_LIMIT, excerpt};
use crate::exchange::{self, Answer, ExchangeError, Scheme};

/// The longest chain of redirects that is followed.
const REDIRECT_LIMIT: usize = 10;

/// How many addresses of a host are tried, per family.
const ADDRESSES_PER_FAMILY: usize = 2;

/// Where a probe may go.
#[derive(Clone, Debug)]
pub struct ProbePolicy {
    /// Special-purpose ranges that may be connected to all the same; none in production.
    pub allowed: Vec<Network>,
    /// The port dialled where the URL says 80.
    pub http_port: u16,
    /// The port dialled where the URL says 443.
    pub https_port: u16,
    /// How long one check may take, redirects included.
    pub timeout: Duration,
}

impl ProbePolicy {
    /// The rules for public names: no special-purpose address, ports as they are, ten seconds.
    pub fn strict() -> Self {
        Self {
            allowed: Vec::new(),
            http_port: 80,
            https_port: 443,
            timeout: Duration::from_secs(10),
        }
    }

    /// The rules of OTE mode: loopback is allowed, and ports 80 and 443 are found at the given ones, which
    /// need no privilege to listen on. Every other rule stays.
    pub fn loopback(http_port: u16, https_port: u16) -> Self {
        Self {
            allowed: vec![Network::LOOPBACK_V4, Network::LOOPBACK_V6],
            http_port,
            https_port,
            ..Self::strict()
        }
    }

    /// Why `address` may not be connected to, if so.
    fn objection(&self, address: IpAddr) -> Option<&'static str> {
        if self.allowed.iter().any(|network| network.contains(address)) {
            return None;
        }
        is_special_purpose(address)
    }

    fn dialled_port(&self, port: u16) -> u16 {
        match port {
            80 => self.http_port,
            443 => self.https_port,
            other => other,
        }
    }
}

/// What one probe saw, ready for an observation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sight {
    /// The URLs asked for, in order; the first alone where none was, because its host has no usable address.
    pub asked: String,
    /// The addresses connected to, in order; empty when none was.
    pub of: String,
    /// What came back.
    pub found: String,
    /// What it came to.
    pub outcome: Outcome,
}

/// An HTTP client that trusts nobody.
#[derive(Clone, Debug)]
pub struct HttpProbe {
    resolver: Resolver,
    policy: ProbePolicy,
}

impl HttpProbe {
    /// Makes a probe that resolves names by `resolver` and goes where `policy` lets it.
    pub fn new(resolver: Resolver, policy: ProbePolicy) -> Self {
        Self { resolver, policy }
    }

    /// The URL at which the file of a challenge is expected.
    pub fn url(name: &DomainName, file_name: &str) -> String {
        format!("http://{}{FILE_DIRECTORY}{file_name}", name.host_str())
    }

    /// Fetches the file and compares it with `value`, white space at its end aside.
    pub async fn look(&self, name: &DomainName, file_name: &str, value: &str) -> Sight {
        let mut trace = Trace::default();
        let start = Self::url(name, file_name);
        let walk = self.walk(&start, value, &mut trace);
        let end = match tokio::time::timeout(self.policy.timeout, walk).await {
            Ok(Ok(body)) => judge(&body, value),
            Ok(Err(stop)) => stop,
            Err(_) => {
                let seconds = self.policy.timeout.as_secs_f32();
                Stop::new(
                    Outcome::Timeout,
                    format!("no complete answer within {seconds} s"),
                )
            }
        };
        let asked = if trace.urls.is_empty() {
            start
        } else {
            trace.urls.join(" → ")
        };
        Sight {
            asked: excerpt(&asked, 2 * EXCERPT_LIMIT),
            of: trace.peers.join(" → "),
            found: excerpt(&end.found, EXCERPT_LIMIT),
            outcome: end.outcome,
        }
    }

    /// Follows redirects from `start` to a body.
    async fn walk(&self, start: &str, value: &str, trace: &mut Trace) -> Result<Vec<u8>, Stop> {
        let mut url = Url::parse(start)
            .map_err(|error| Stop::forbidden(format!("{start} is not a URL: {error}")))?;
        for hop in 0..=REDIRECT_LIMIT {
            let answer = match self.visit(&url, value, trace).await {
                Ok(answer) => answer,
                Err(stop) if hop > 0 => return Err(stop.after_redirect_to(&url)),
                Err(stop) => return Err(stop),
            };
            match answer.status {
                status if status.is_success() => {
                    return if answer.is_whole {
                        Ok(answer.body)
                    } else {
                        Err(too_large())
                    };
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => url = redirect(&url, &answer)?,
                status => return Err(refuse_status(status, &answer)),
            }
        }
        Err(Stop::forbidden(format!(
            "more than {REDIRECT_LIMIT} redirects"
        )))
    }

    /// One request to one checked address.
    async fn visit(&self, url: &Url, value: &str, trace: &mut Trace) -> Result<Answer, Stop> {
        let target = Target::check(url, value)?;
        let addresses = self.permitted_addresses(&target.host).await?;
        trace.urls.push(url.to_string());
        let stream = self.connect(&addresses, target.port, trace).await?;
        exchange::get(
            stream,
            target.scheme,
            &target.host,
            &target.authority,
            &target.path,
        )
        .await
        .map_err(|error| match error {
            ExchangeError::Request => Stop::forbidden("the redirect target cannot be asked for"),
            ExchangeError::Tls(why) => Stop::new(
                Outcome::Unreachable,
                format!("the TLS handshake failed: {why}"),
            ),
            ExchangeError::Http(why) => Stop::new(
                Outcome::Unreachable,
                format!("not a valid HTTP answer: {why}"),
            ),
        })
    }

    /// The addresses of a host that the policy lets through, at most two of each family.
    async fn permitted_addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Stop> {
        let addresses = match host {
            Host::Ipv4(address) => vec![IpAddr::from(*address)],
            Host::Ipv6(address) => vec![IpAddr::from(*address)],
            Host::Domain(name) => match self.resolver.addresses(name).await {
                DnsAnswer::Found(addresses) => addresses,
                answer => return Err(no_address(name, &answer)),
            },
        };
        let mut objections = Vec::new();
        let mut permitted = Vec::new();
        for address in addresses {
            match self.policy.objection(address) {
                Some(block) => objections.push(format!("{address} is {block}")),
                None => permitted.push(address),
            }
        }
        if permitted.is_empty() {
            let why = objections.join("; ");
            return Err(Stop::forbidden(format!(
                "{host} may not be connected to: {why}"
            )));
        }
        let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = permitted.into_iter().partition(IpAddr::is_ipv6);
        let few = |family: Vec<IpAddr>| family.into_iter().take(ADDRESSES_PER_FAMILY);
        Ok(few(v6).chain(few(v4)).collect())
    }

    /// Connects to the first address that accepts; IPv4 is the fallback of IPv6.
    async fn connect(
        &self,
        addresses: &[IpAddr],
        port: u16,
        trace: &mut Trace,
    ) -> Result<TcpStream, Stop> {
        let port = self.policy.dialled_port(port);
        let patience = self.policy.timeout / 3;
        let mut failures = Vec::new();
        let mut all_silent = true;
        for address in addresses {
            let peer = SocketAddr::new(*address, port);
            trace.peers.push(peer.to_string());
            match tokio::time::timeout(patience, TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    all_silent = false;
                    failures.push(format!("{peer}: {error}"));
                }
                Err(_) => failures.push(format!("{peer}: no answer")),
            }
        }
        let outcome = if all_silent {
            Outcome::Timeout
        } else {
            Outcome::Unreachable
        };
        Err(Stop::new(
            outcome,
            format!("no connection: {}", failures.join("; ")),
        ))
    }
}

/// Where a walk has been.
#[derive(Default)]
struct Trace {
    urls: Vec<String>,
    peers: Vec<String>,
}

/// The end of a walk.
struct Stop {
    outcome: Outcome,
    found: String,
}

impl Stop {
    fn new(outcome: Outcome, found: impl Into<String>) -> Self {
        Self {
            outcome,
            found: found.into(),
        }
    }

    fn forbidden(found: impl Into<String>) -> Self {
        Self::new(Outcome::Forbidden, found)
    }

    /// Says where the trouble is, for it is not at the URL people know.
    fn after_redirect_to(self, url: &Url) -> Self {
        let Self { outcome, found } = self;
        let url = excerpt(url.as_str(), EXCERPT_LIMIT / 2);
        Self {
            outcome,
            found: format!("redirected to {url}: {found}"),
        }
    }
}

/// A URL that may be asked for.
struct Target {
    scheme: Scheme,
    host: Host,
    port: u16,
    authority: String,
    path: String,
}

impl Target {
    fn check(url: &Url, value: &str) -> Result<Self, Stop> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                return Err(Stop::forbidden(format!(
                    "the scheme '{other}' is not allowed"
                )));
            }
        };
        let port = match url.port_or_known_default() {
            Some(port @ (80 | 443)) => port,
            Some(port) => {
                return Err(Stop::forbidden(format!(
                    "port {port} is not allowed, only 80 and 443"
                )));
            }
            None => return Err(Stop::forbidden("the URL has no port")),
        };
        let host = match url.host() {
            Some(host) => host.to_owned(),
            None => return Err(Stop::forbidden("the URL has no host")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Stop::forbidden("a URL with credentials is not followed"));
        }
        if holds(url, value) {
            return Err(Stop::forbidden(
                "the URL holds the value that the file should hold",
            ));
        }
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            scheme,
            host,
            port,
            authority,
            path,
        })
    }
}

/// Whether the value is anywhere in the URL, percent-encoded or not, in any case.
fn holds(url: &Url, value: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(url.as_str()).decode_utf8_lossy();
    decoded
        .to_ascii_lowercase()
        .contains(&value.to_ascii_lowercase())
}

fn redirect(from: &Url, answer: &Answer) -> Result<Url, Stop> {
    let status = answer.status.as_u16();
    let Some(location) = &answer.location else {
        return Err(Stop::new(
            Outcome::BadStatus,
            format!("status {status} without a Location header"),
        ));
    };
    let mut url = from.join(location).map_err(|error| {
        Stop::forbidden(format!(
            "status {status} redirects to '{location}': {error}"
        ))
    })?;
    url.set_fragment(None);
    Ok(url)
}

fn refuse_status(status: StatusCode, answer: &Answer) -> Stop {
    let mut found = format!("status {}", status.as_u16());
    if let Some(location) = &answer.location {
        found = format!("{found}, Location {location}");
    }
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Stop::new(Outcome::NotFound, found),
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            Stop::forbidden(format!("{found}; only 301, 302, 307 and 308 are followed"))
        }
        _ => Stop::new(Outcome::BadStatus, found),
    }
}

fn no_address(name: &str, answer: &DnsAnswer<IpAddr>) -> Stop {
    match answer {
        DnsAnswer::NoSuchName => Stop::new(
            Outcome::NoSuchName,
            format!("{name} does not exist (NXDOMAIN)"),
        ),
        DnsAnswer::Found(_) | DnsAnswer::NoData => Stop::new(
            Outcome::Unreachable,
            format!("{name} has no A or AAAA record"),
        ),
        DnsAnswer::Timeout => Stop::new(
            Outcome::Timeout,
            format!("no DNS answer for the address of {name}"),
        ),
        DnsAnswer::ServerFailure(why) => Stop::new(
            Outcome::ServerFailure,
            format!("the DNS failed for the address of {name}: {why}"),
        ),
    }
}

fn too_large() -> Stop {
    Stop::forbidden(format!(
        "the file is larger than {} bytes",
        exchange::BODY_LIMIT
    ))
}

fn judge(body: &[u8], value: &str) -> Stop {
    let body = body.trim_ascii_end();
    if body == value.as_bytes() {
        return Stop::new(Outcome::Proved, value);
    }
    let found = match body {
        [] => "an empty file".to_owned(),
        body => format!("a file with \"{}\"", String::from_utf8_lossy(body)),
    };
    Stop::new(Outcome::WrongValue, found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(url: &str) -> Result<Target, String> {
        Target::check(&Url::parse(url).unwrap(), "5EC2E7").map_err(|stop| stop.found)
    }

    #[test]
    fn only_http_and_https_on_their_ports_pass() {
        for url in [
            "http://a.test/",
            "https://a.test/x?y",
            "http://a.test:443/",
            "http://[::1]/",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
        for (url, why) in [
            ("http://a.test:8080/", "port 8080"),
            ("https://a.test:8443/", "port 8443"),
            ("http://a.test:22/", "port 22"),
            ("ftp://a.test/", "'ftp'"),
            ("file:///etc/passwd", "'file'"),
            ("http://user@a.test/", "credentials"),
            ("http://a.test/5ec2e7", "value"),
            ("http://a.test/?q=%35%65c2e7", "value"),
            ("http://5ec2e7.a.test/", "value"),
        ] {
            let error = check(url).map(|_| ()).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn the_host_header_names_an_unusual_port() {
        assert_eq!(check("http://a.test:443/").unwrap().authority, "a.test:443");
        assert_eq!(check("https://a.test:443/x").unwrap().authority, "a.test");
        assert_eq!(
            check("http://[2606:4700::1]/").unwrap().authority,
            "[2606:4700::1]"
        );
    }

    #[test]
    fn an_empty_value_is_never_proved() {
        assert!(Target::check(&Url::parse("http://a.test/").unwrap(), "").is_err());
    }

    #[test]
    fn white_space_is_trimmed_at_the_end_only() {
        assert_eq!(judge(b"abc \r\n", "abc").outcome, Outcome::Proved);
        assert_eq!(judge(b" abc", "abc").outcome, Outcome::WrongValue);
        assert_eq!(
            judge(b"\xef\xbb\xbfabc", "abc").outcome,
            Outcome::WrongValue
        );
        assert_eq!(judge(b"abcd", "abc").outcome, Outcome::WrongValue);
    }

    #[test]
    fn the_policy_lets_through_what_is_listed_and_nothing_else() {
        let loopback = ProbePolicy::loopback(8080, 8443);
        assert_eq!(loopback.objection("127.0.0.1".parse().unwrap()), None);
        assert!(loopback.objection("10.0.0.1".parse().unwrap()).is_some());
        assert!(
            ProbePolicy::strict()
                .objection("127.0.0.1".parse().unwrap())
                .is_some()
        );
    }

    proptest! {
        /// Whatever a server puts into Location, the next hop is refused or obeys the rules.
        #[test]
        fn no_location_leads_past_the_rules(location in "([a-z]{2,6}:)?(//)?[ -~]{0,60}") {
            let from = Url::parse("http://a.test/.well-known/pki-validation/f.txt").unwrap();
            let answer = Answer {
                status: StatusCode::FOUND,
                location: Some(location),
                body: Vec::new(),
                is_whole: true,
            };
            if let Ok(url) = redirect(&from, &answer)
                && let Ok(target) = Target::check(&url, "5EC2E7")
            {
                prop_assert!(matches!(target.port, 80 | 443));
                prop_assert!(!target.path.contains("5EC2E7"));
            }
        }
    }
}
