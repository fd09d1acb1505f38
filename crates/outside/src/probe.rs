//! Fetches the file of a domain control check (BR 3.2.2.4.18).
//!
//! The applicant decides where the name points and whereto it redirects, so every hop is treated as hostile: only
//! http and https on ports 80 and 443; only redirects by status 301, 302, 307 and 308, ten at most; each host
//! is resolved once, its addresses are checked, and one of those very addresses is connected to; the answer has a size
//! and a time limit. The value looked for never appears in a request, or a server that echoes its URL would
//! prove anything. No cookies, no credentials, no proxy, no connection reuse.

use std::net::IpAddr;
use std::time::Duration;

use chancery_domain::authorizations::FILE_DIRECTORY;
use chancery_domain::findings::{Difference, FileFinding, FileWanted, Stage};
use chancery_domain::names::DomainName;
use tokio::time::Instant;
use url::Url;

use crate::addresses::{Network, is_special_purpose, translated};
use crate::answers::{self, Answer, Ending};
use crate::codings::{self, Decoded};
use crate::dialling::Dialling;
use crate::dns::Resolver;
use crate::excerpts::{EXCERPT_LIMIT, excerpt, shown};
use crate::exchange::{self, Question};
use crate::redirects::{self, Target};
use crate::shortages::Shortages;

/// The longest chain of redirects that is followed.
const REDIRECT_LIMIT: usize = 10;

/// How much longer than the connections a check may take, for the DNS to tell the addresses.
const DNS_ALLOWANCE: Duration = Duration::from_secs(16);

/// Where a probe may go.
#[derive(Clone, Debug)]
pub struct ProbePolicy {
    /// What there is to go to.
    pub world: World,
    /// Ranges that are never connected to, whatever the world: the operator's.
    pub denied: Vec<Network>,
    /// The port dialled where the URL says 80.
    pub http_port: u16,
    /// The port dialled where the URL says 443.
    pub https_port: u16,
    /// How long one check may take, redirects included, and the DNS aside.
    pub timeout: Duration,
}

/// What there is to go to.
#[derive(Clone, Debug)]
pub enum World {
    /// The Internet: names of the public DNS, and every address that is not special.
    Public,
    /// A test environment: any name, and the addresses of these ranges only.
    Tests(Vec<Network>),
}

/// Why an address may not be connected to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Objection {
    /// It is special; the block it lies in.
    Special(&'static str),
    /// The operator says so.
    Denied,
    /// It lies outside the test environment.
    OutsideOfTests,
}

impl ProbePolicy {
    /// The rules for public names: no special-purpose address, ports as they are, ten seconds.
    pub fn strict() -> Self {
        Self {
            world: World::Public,
            denied: Vec::new(),
            http_port: 80,
            https_port: 443,
            timeout: Duration::from_secs(10),
        }
    }

    /// The rules of OTE mode: this machine and nothing else, where ports 80 and 443 are found at the given ones,
    /// which need no privilege to listen on. Every other rule stays.
    pub fn loopback(http_port: u16, https_port: u16) -> Self {
        Self {
            world: World::Tests(vec![Network::LOOPBACK_V4, Network::LOOPBACK_V6]),
            http_port,
            https_port,
            ..Self::strict()
        }
    }

    /// Whether there is such a host in the world: its name is not internal, nor reserved for other uses.
    pub(crate) fn has_name(&self, host: &str) -> bool {
        match self.world {
            World::Public => chancery_domain::names::is_public_host(host),
            World::Tests(_) => true,
        }
    }

    /// Why `address` may not be connected to, if so.
    pub(crate) fn objection(&self, address: IpAddr) -> Option<Objection> {
        let is_in = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
        let inner = match address {
            IpAddr::V6(address) => translated(address).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        let is_denied = |address| self.denied.iter().any(|range| range.contains(address));
        if is_denied(address) || inner.is_some_and(is_denied) {
            return Some(Objection::Denied);
        }
        match &self.world {
            World::Public => is_special_purpose(address).map(Objection::Special),
            World::Tests(networks) if is_in(networks) => None,
            World::Tests(_) => match is_special_purpose(address) {
                Some(block) => Some(Objection::Special(block)),
                None => Some(Objection::OutsideOfTests),
            },
        }
    }

    pub(crate) fn dialled_port(&self, port: u16) -> u16 {
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
    /// What it came upon.
    pub finding: FileFinding,
    /// The last URL, where redirects have led away from the first.
    redirected_to: Option<String>,
    /// The host asked last.
    host: String,
    /// Whether it was an IPv6 address that answered last.
    by_ipv6: bool,
}

impl Sight {
    /// The finding's circumstances, for its words.
    pub(crate) fn wanted<'a>(
        &'a self,
        name: &'a DomainName,
        url: &'a str,
        value: &'a str,
    ) -> FileWanted<'a> {
        FileWanted {
            name,
            url,
            value,
            redirected_to: self.redirected_to.as_deref(),
            host: &self.host,
            by_ipv6: self.by_ipv6,
        }
    }
}

/// An HTTP client that trusts nobody.
#[derive(Clone, Debug)]
pub struct HttpProbe {
    pub(crate) resolver: Resolver,
    pub(crate) policy: ProbePolicy,
    pub(crate) shortages: std::sync::Arc<Shortages>,
}

impl HttpProbe {
    /// Makes a probe that resolves names by `resolver` and goes where `policy` lets it.
    pub fn new(resolver: Resolver, policy: ProbePolicy) -> Self {
        Self {
            resolver,
            policy,
            shortages: std::sync::Arc::default(),
        }
    }

    /// The URL at which the file of a challenge is expected.
    pub fn url(name: &DomainName, file_name: &str) -> String {
        format!("http://{}{FILE_DIRECTORY}{file_name}", name.host_str())
    }

    /// Fetches the file and compares it with `value`, white space at its end aside.
    pub async fn look(&self, name: &DomainName, file_name: &str, value: &str) -> Sight {
        let start = Self::url(name, file_name);
        let mut trace = Trace::new(name.host_str());
        let limit = self.policy.timeout + DNS_ALLOWANCE;
        let walk = self.walk(&start, value, &mut trace);
        let finding = match tokio::time::timeout(limit, walk).await {
            Ok(Ok(answer)) => judge(&answer, value),
            Ok(Err(finding)) => finding,
            Err(_) => FileFinding::TooSlow(trace.stage.clone(), limit.as_secs()),
        };
        let asked = if trace.urls.is_empty() {
            start
        } else {
            trace.urls.join(" → ")
        };
        let by_ipv6 = trace.peers.last().is_some_and(|peer| peer.starts_with('['));
        Sight {
            asked: excerpt(&asked, 2 * EXCERPT_LIMIT),
            of: trace.peers.join(" → "),
            finding,
            redirected_to: (trace.redirected_to).map(|url| excerpt(&url, EXCERPT_LIMIT / 2)),
            host: excerpt(&trace.host, EXCERPT_LIMIT),
            by_ipv6,
        }
    }

    /// Follows redirects from `start` to a content.
    async fn walk(
        &self,
        start: &str,
        value: &str,
        trace: &mut Trace,
    ) -> Result<Answer, FileFinding> {
        let mut url = Url::parse(start)
            .map_err(|error| FileFinding::BadLocation(shown(start), shown(&error.to_string())))?;
        let mut was_seen = false;
        for _ in 0..=REDIRECT_LIMIT {
            let answer = self.visit(&url, value, trace).await?;
            match answer.status {
                200..=299 => return Ok(answer),
                301 | 302 | 307 | 308 => url = redirects::follow(&url, &answer)?,
                status => return Err(refuse_status(status, &answer)),
            }
            was_seen = trace.urls.iter().any(|seen| seen == url.as_str());
            trace.redirected_to = Some(url.to_string());
            trace.host = url.host_str().unwrap_or_default().to_owned();
        }
        // A server may redirect to itself once, to set a cookie or to wake up; so circles end here and not before.
        Err(match was_seen {
            true => FileFinding::Circle(shown(url.as_str())),
            false => FileFinding::TooManyRedirects(REDIRECT_LIMIT),
        })
    }

    /// One request to one checked address.
    async fn visit(
        &self,
        url: &Url,
        value: &str,
        trace: &mut Trace,
    ) -> Result<Answer, FileFinding> {
        let target = Target::check(url, value)?;
        trace.stage = Stage::Resolving;
        let mut dialling = Dialling::begin(self, &target.host).await?;
        trace.urls.push(url.to_string());
        let began = Instant::now();
        let left = self.policy.timeout.saturating_sub(trace.spent);
        let mut answer = Answer::default();
        let exchange = async {
            trace.stage = Stage::Connecting;
            let stream = dialling.connect(target.port, &mut trace.peers).await?;
            let question = Question {
                scheme: target.scheme,
                host: &target.host,
                authority: &target.authority,
                path: &target.path,
            };
            exchange::get(stream, &question, &mut trace.stage, &mut answer).await
        };
        let outcome = tokio::time::timeout(left, exchange).await;
        trace.spent += began.elapsed();
        let seconds = self.policy.timeout.as_secs().max(1);
        match outcome {
            Ok(outcome) => outcome.map(|()| answer),
            // A server may announce more than it sends, and keep the connection open.
            Err(_) if judge(&answer, value) == FileFinding::Proved => Ok(answer),
            Err(_) => Err(FileFinding::TooSlow(trace.stage.clone(), seconds)),
        }
    }
}

/// Where a walk has been.
struct Trace {
    urls: Vec<String>,
    peers: Vec<String>,
    redirected_to: Option<String>,
    host: String,
    stage: Stage,
    /// How much of its time is used up.
    spent: Duration,
}

impl Trace {
    fn new(host: &str) -> Self {
        Self {
            urls: Vec::new(),
            peers: Vec::new(),
            redirected_to: None,
            host: host.to_owned(),
            stage: Stage::default(),
            spent: Duration::ZERO,
        }
    }
}

fn refuse_status(status: u16, answer: &Answer) -> FileFinding {
    let location = answer.locations.first().map(|location| shown(location));
    match status {
        300..=399 if status != 304 => FileFinding::RedirectStatus(status, location),
        _ => FileFinding::Status(status, answer.server.as_deref().map(shown)),
    }
}

/// Holds a content against the value. The value proves, however the answer around it was framed or coded: nobody has
/// it who was not told it.
fn judge(answer: &Answer, value: &str) -> FileFinding {
    if answer.end == Ending::TooLarge {
        return FileFinding::TooLarge(answers::BODY_LIMIT);
    }
    let is_value =
        |content: &[u8]| !value.is_empty() && content.trim_ascii_end() == value.as_bytes();
    let decoded = codings::decode(&answer.codings, &answer.body);
    // Some servers name a coding that they have not applied.
    let is_proved =
        is_value(&answer.body) || matches!(&decoded, Decoded::Plain(content) if is_value(content));
    if is_proved {
        return FileFinding::Proved;
    }
    match (decoded, &answer.end) {
        (Decoded::TooLarge, _) => FileFinding::TooLarge(answers::BODY_LIMIT),
        // What came too short cannot be decoded either.
        (_, Ending::Broken(broken)) => FileFinding::Broken(broken.clone()),
        (Decoded::Not(broken), _) => FileFinding::Broken(broken),
        (Decoded::Plain(content), _) => differs(&content, value),
    }
}

fn differs(content: &[u8], value: &str) -> FileFinding {
    let quoted = shown(&String::from_utf8_lossy(content.trim_ascii_end()));
    FileFinding::Differs(Difference::between(content.trim_ascii_end(), value), quoted)
}

#[cfg(test)]
mod tests {
    use chancery_domain::findings::Broken;
    use chancery_domain::observations::Outcome;

    use super::*;

    fn judged(body: &[u8], value: &str) -> Outcome {
        let answer = Answer {
            status: 200,
            body: body.to_vec(),
            ..Answer::default()
        };
        judge(&answer, value).outcome()
    }

    #[test]
    fn white_space_is_trimmed_at_the_end_only() {
        assert_eq!(judged(b"abc \r\n", "abc"), Outcome::Proved);
        assert_eq!(judged(b" abc", "abc"), Outcome::WrongValue);
        assert_eq!(judged(b"\xef\xbb\xbfabc", "abc"), Outcome::WrongValue);
        assert_eq!(judged(b"abcd", "abc"), Outcome::WrongValue);
        assert_eq!(judged(b"", ""), Outcome::WrongValue);
    }

    #[test]
    fn the_value_proves_however_the_answer_was_framed() {
        let answer = |codings: &[&str], end| Answer {
            status: 200,
            body: b"abc".to_vec(),
            codings: codings.iter().map(|coding| (*coding).to_owned()).collect(),
            end,
            ..Answer::default()
        };
        let short = Ending::Broken(Broken::Short {
            came: 3,
            announced: 5,
        });
        for framed in [
            answer(&["gzip"], Ending::Whole),
            answer(&["br"], Ending::Whole),
            answer(&[], short.clone()),
            answer(&[], Ending::Broken(Broken::ChunksCutOff)),
        ] {
            assert_eq!(judge(&framed, "abc"), FileFinding::Proved);
            assert!(matches!(judge(&framed, "abx"), FileFinding::Broken(_)));
        }
        let large = answer(&[], Ending::TooLarge);
        assert_eq!(
            judge(&large, "abc"),
            FileFinding::TooLarge(answers::BODY_LIMIT)
        );
    }

    #[test]
    fn the_policy_lets_through_its_own_world_and_nothing_else() {
        let objection =
            |policy: &ProbePolicy, address: &str| policy.objection(address.parse().unwrap());
        let loopback = ProbePolicy::loopback(8080, 8443);
        assert_eq!(objection(&loopback, "127.0.0.1"), None);
        assert!(matches!(
            objection(&loopback, "10.0.0.1"),
            Some(Objection::Special(_))
        ));
        for public in ["93.184.215.14", "2606:4700::1111"] {
            assert_eq!(
                objection(&loopback, public),
                Some(Objection::OutsideOfTests)
            );
            assert_eq!(objection(&ProbePolicy::strict(), public), None);
        }
        assert!(objection(&ProbePolicy::strict(), "127.0.0.1").is_some());
        let denying = ProbePolicy {
            denied: vec!["93.184.0.0/16".parse().unwrap()],
            ..ProbePolicy::strict()
        };
        assert_eq!(
            objection(&denying, "93.184.215.14"),
            Some(Objection::Denied)
        );
        assert_eq!(objection(&denying, "93.185.0.1"), None);
        // The same host by way of NAT64.
        assert_eq!(
            objection(&denying, "64:ff9b::93.184.215.14"),
            Some(Objection::Denied)
        );
        assert_eq!(objection(&denying, "64:ff9b::93.185.0.1"), None);
    }

    #[test]
    fn the_public_world_has_public_names_only() {
        let public = ProbePolicy::strict();
        for name in ["shop.com", "my_host.shop.co.uk", "shop.com."] {
            assert!(public.has_name(name), "{name}");
        }
        for name in [
            "intranet",
            "intranet.corp",
            "printer.local",
            "a.onion",
            "a.home.arpa",
            "shop.test",
            "localhost",
        ] {
            assert!(!public.has_name(name), "{name}");
            assert!(ProbePolicy::loopback(1, 1).has_name(name), "{name}");
        }
    }
}
