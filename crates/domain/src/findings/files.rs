//! Findings of a look for a file (BR 3.2.2.4.18).

use super::{
    Broken, Difference, DnsTrouble, Excerpt, NoConnection, NotHttp, OWN_ADVICE, OWN_SHORTAGE,
    Stage, TlsTrouble,
};
use crate::names::DomainName;
use crate::observations::Outcome;

/// What is to be found where.
#[derive(Clone, Copy, Debug)]
pub struct FileWanted<'a> {
    /// The name to be proved.
    pub name: &'a DomainName,
    /// The URL at which the file is expected.
    pub url: &'a str,
    /// What the file has to hold.
    pub value: &'a str,
    /// The last URL asked, where redirects have led away from the first.
    pub redirected_to: Option<&'a str>,
    /// The host asked last.
    pub host: &'a str,
    /// Whether it was its IPv6 address that answered.
    pub by_ipv6: bool,
}

/// What a look for a file came upon.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FileFinding {
    /// The value is there.
    Proved,
    /// The name is a wildcard, and no file speaks for one.
    Wildcard,
    /// The DNS says that the host does not exist.
    NoSuchName,
    /// The host has neither an A nor an AAAA record.
    NoAddress,
    /// The address of the host could not be learned.
    Dns(DnsTrouble),
    /// The host is none of the public DNS: an internal or reserved name.
    NotPublic,
    /// The host is an alias of a name that is none of the public DNS; which address that has is not told.
    AliasNotPublic,
    /// All addresses of the host are private or otherwise special.
    PrivateAddress,
    /// The operator lets no check connect to the addresses of the host.
    DeniedAddress,
    /// The addresses lie outside the test environment.
    OutsideOfTests,
    /// No connection; says what each address did.
    NoConnection(NoConnection, u16, Excerpt),
    /// No TLS.
    NoTls(TlsTrouble),
    /// No HTTP.
    NotHttp(NotHttp),
    /// A status that proves nothing; with the server's name for itself, if it tells.
    Status(u16, Option<Excerpt>),
    /// A redirect of a kind that the rules do not let us follow.
    RedirectStatus(u16, Option<Excerpt>),
    /// A redirect without a target.
    NoLocation(u16),
    /// A redirect to what is no URL.
    BadLocation(Excerpt, Excerpt),
    /// Two redirect targets in one answer.
    TwoLocations(Excerpt),
    /// A redirect whose target lacks the slash after the host.
    MissingSlash {
        /// The target.
        location: Excerpt,
        /// What it should be.
        meant: Excerpt,
    },
    /// Redirects that lead back to where they began.
    Circle(Excerpt),
    /// More redirects than are followed.
    TooManyRedirects(usize),
    /// A target that is neither http nor https.
    Scheme(Excerpt),
    /// A target at another port than 80 and 443.
    Port(u16),
    /// A target with a user name or a password.
    Credentials,
    /// A target that holds the value.
    HoldsValue,
    /// A target that no request can be made for.
    Unaskable,
    /// A file that is too large.
    TooLarge(usize),
    /// A file that does not hold the value, and its beginning.
    Differs(Difference, Excerpt),
    /// An answer that did not come whole, and is not the value as far as it came.
    Broken(Broken),
    /// The time was up.
    TooSlow(Stage, u64),
    /// We could not look.
    OwnShortage,
}

impl FileFinding {
    /// The class of outcome.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Proved => Outcome::Proved,
            Self::NoSuchName => Outcome::NoSuchName,
            Self::NoAddress
            | Self::NoTls(_)
            | Self::NotHttp(_)
            | Self::Broken(_)
            | Self::NoConnection(
                NoConnection::Refused | NoConnection::Unreachable | NoConnection::Reset,
                ..,
            ) => Outcome::Unreachable,
            Self::Dns(DnsTrouble::Failed(_)) => Outcome::ServerFailure,
            Self::Dns(DnsTrouble::Silent(_))
            | Self::NoConnection(NoConnection::Silent, ..)
            | Self::TooSlow(..) => Outcome::Timeout,
            Self::Dns(DnsTrouble::NotAsked) | Self::OwnShortage => Outcome::OwnFailure,
            Self::Status(404 | 410, _) => Outcome::NotFound,
            Self::Status(..) | Self::NoLocation(_) => Outcome::BadStatus,
            Self::Differs(..) => Outcome::WrongValue,
            Self::Wildcard
            | Self::NotPublic
            | Self::AliasNotPublic
            | Self::PrivateAddress
            | Self::DeniedAddress
            | Self::OutsideOfTests
            | Self::RedirectStatus(..)
            | Self::BadLocation(..)
            | Self::TwoLocations(_)
            | Self::MissingSlash { .. }
            | Self::Circle(_)
            | Self::TooManyRedirects(_)
            | Self::Scheme(_)
            | Self::Port(_)
            | Self::Credentials
            | Self::HoldsValue
            | Self::Unaskable
            | Self::TooLarge(_) => Outcome::Forbidden,
        }
    }

    /// What was found, in a line.
    pub fn account(&self, wanted: &FileWanted<'_>) -> String {
        let account = self.bare_account(wanted);
        match wanted.redirected_to {
            Some(url) if !matches!(self, Self::Proved) => format!("redirected to {url}: {account}"),
            _ => account,
        }
    }

    fn bare_account(&self, wanted: &FileWanted<'_>) -> String {
        let host = wanted.host;
        match self {
            Self::Proved => wanted.value.to_owned(),
            Self::Wildcard => "a file cannot prove a wildcard name".to_owned(),
            Self::NoSuchName => format!("{host} does not exist (NXDOMAIN)"),
            Self::NoAddress => format!("{host} has no A or AAAA record"),
            Self::Dns(DnsTrouble::Silent(why)) => {
                format!("no DNS answer for the address of {host}: {why}")
            }
            Self::Dns(DnsTrouble::Failed(why)) => {
                format!("the DNS failed for the address of {host}: {why}")
            }
            Self::Dns(DnsTrouble::NotAsked) | Self::OwnShortage => OWN_SHORTAGE.to_owned(),
            Self::NotPublic => {
                format!("{host} may not be connected to: it is not a name of the public DNS")
            }
            Self::AliasNotPublic => format!(
                "{host} may not be connected to: it is an alias of a name that is not of the public DNS"
            ),
            Self::PrivateAddress => {
                format!("{host} may not be connected to: it has a private or reserved address")
            }
            Self::DeniedAddress => format!(
                "{host} may not be connected to: it has an address that no check of this service connects to"
            ),
            Self::OutsideOfTests => {
                format!("{host} may not be connected to: it lies outside the test environment")
            }
            Self::NoConnection(_, _, told) => format!("no connection: {told}"),
            Self::NoTls(trouble) => format!("TLS: {}", trouble.what()),
            Self::NotHttp(trouble) => trouble.what(),
            Self::Status(status, server) => match server {
                Some(server) => format!("status {status} from {server}"),
                None => format!("status {status}"),
            },
            Self::RedirectStatus(status, location) => {
                let to = location.as_ref().map(|to| format!(", Location {to}"));
                format!(
                    "status {status}{}; only 301, 302, 307 and 308 are followed",
                    to.unwrap_or_default()
                )
            }
            Self::NoLocation(status) => format!("status {status} without a Location header"),
            Self::BadLocation(location, why) => format!("redirects to '{location}': {why}"),
            Self::TwoLocations(told) => format!("several Location headers: {told}"),
            Self::MissingSlash { location, .. } => {
                format!("redirects to '{location}': no slash after the host name")
            }
            Self::Circle(url) => format!("redirects in a circle, back to {url}"),
            Self::TooManyRedirects(limit) => format!("more than {limit} redirects"),
            Self::Scheme(scheme) => format!("the scheme '{scheme}' is not allowed"),
            Self::Port(port) => format!("port {port} is not allowed, only 80 and 443"),
            Self::Credentials => "a URL with credentials is not followed".to_owned(),
            Self::HoldsValue => "the URL holds the value that the file should hold".to_owned(),
            Self::Unaskable => "the redirect target cannot be asked for".to_owned(),
            Self::TooLarge(limit) => format!("the file is larger than {limit} bytes"),
            Self::Differs(difference, quoted) => difference.account(quoted),
            Self::Broken(broken) => broken.what(),
            Self::TooSlow(stage, seconds) => {
                format!("no complete answer within {seconds} s: {}", stage.what())
            }
        }
    }

    /// What to change, in sentences for the applicant; empty when there is nothing to.
    pub fn advice(&self, wanted: &FileWanted<'_>) -> String {
        let advice = self.main_advice(wanted);
        let is_of_content = matches!(self, Self::Status(..) | Self::Differs(..));
        let is_of_server =
            is_of_content || matches!(self, Self::NotHttp(_) | Self::NoTls(_) | Self::Broken(_));
        let file_name = wanted.url.rsplit('/').next().unwrap_or_default();
        let lost =
            (wanted.redirected_to).filter(|target| is_of_content && !target.contains(file_name));
        let by_path = lost.map(|target| {
            format!(" The redirect leads to {target}, which does not name the file any more: keep the path in it.")
        });
        let by_family = (wanted.by_ipv6 && is_of_server).then(|| {
            let host = wanted.host;
            format!(" It was the IPv6 address of {host} that answered: make sure that its AAAA record is right.")
        });
        [Some(advice), by_path, by_family]
            .into_iter()
            .flatten()
            .collect()
    }

    fn main_advice(&self, wanted: &FileWanted<'_>) -> String {
        let FileWanted {
            name,
            url,
            value,
            host,
            ..
        } = *wanted;
        let serve = format!("serve a file at {url} that holds {value} and nothing else");
        let instead = format!("correct the redirect, or {serve}, without one");
        match self {
            Self::Proved => String::new(),
            Self::Dns(DnsTrouble::NotAsked) | Self::OwnShortage => OWN_ADVICE.to_owned(),
            Self::Wildcard => {
                format!("Choose another method for {name}, for example a DNS record.")
            }
            Self::NoSuchName | Self::NoAddress if wanted.redirected_to.is_some() => {
                format!("The redirect leads to {host}, which has no address in the DNS: {instead}.")
            }
            Self::NoSuchName | Self::NoAddress => {
                format!("Create an A or AAAA record for {name}, and {serve}.")
            }
            Self::Dns(DnsTrouble::Silent(_)) => {
                format!("Make the name servers of {host} reachable from everywhere, and {serve}.")
            }
            Self::Dns(DnsTrouble::Failed(why)) => format!(
                "Make the name servers of {host} answer ({why}; a broken DNSSEC signature fails this way too), and {serve}."
            ),
            Self::NotPublic
            | Self::AliasNotPublic
            | Self::PrivateAddress
            | Self::DeniedAddress
            | Self::OutsideOfTests => self.advice_on_place(wanted),
            Self::NoConnection(how, port, _) => advice_on_connection(*how, *port, wanted),
            Self::NoTls(trouble) => format!(
                "Port 80 answered, but the redirect leads to https, and there: {}. Mend the https side of {host}, or \
                 {serve}, without a redirect.",
                trouble.what()
            ),
            Self::NotHttp(trouble) => format!("{}, and {serve}.", trouble.advice()),
            Self::Status(status, server) => advice_on_status(*status, server.as_ref(), &serve),
            Self::RedirectStatus(..) => format!(
                "Answer at {url} directly, or redirect with status 301, 302, 307 or 308, and {serve}."
            ),
            Self::NoLocation(_) => {
                format!("The redirect has no target (no Location header): {instead}.")
            }
            Self::BadLocation(location, why) => {
                format!("The redirect's target '{location}' is not a URL ({why}): {instead}.")
            }
            Self::TwoLocations(_) => {
                format!("The answer redirects to several targets at once: {instead}.")
            }
            Self::MissingSlash { meant, .. } => format!(
                "The redirect's target has no slash after the host name: make it {meant}. In the web server's redirect \
                 rule, let the target end as the path that is redirected does, such as / to https://host/."
            ),
            Self::Circle(_) => format!(
                "The redirects lead back to where they began (often between http and https, or between the name with \
                 and without www): {instead}."
            ),
            Self::TooManyRedirects(limit) => {
                format!("Redirect {limit} times at most, or {serve}, without a redirect.")
            }
            Self::Scheme(_)
            | Self::Port(_)
            | Self::Credentials
            | Self::HoldsValue
            | Self::Unaskable => format!(
                "Answer at {url} directly, or redirect with status 301, 302, 307 or 308 to a URL of a public host on port \
                 80 or 443, without user name, password or the value in it, and {serve}."
            ),
            Self::TooLarge(limit) => {
                format!("The answer is larger than {limit} bytes: {serve}.")
            }
            Self::Differs(difference, _) => difference.advice(&file_at(wanted), &serve),
            Self::Broken(broken) => format!("{}, and {serve}.", broken.advice()),
            Self::TooSlow(stage, _) => format!("{}, and {serve}.", stage.advice(host)),
        }
    }

    fn advice_on_place(&self, wanted: &FileWanted<'_>) -> String {
        let FileWanted {
            name,
            url,
            value,
            host,
            redirected_to,
            ..
        } = *wanted;
        let serve = format!("serve a file at {url} that holds {value} and nothing else");
        let fault = match self {
            Self::NotPublic => "is not a name of the public DNS",
            Self::AliasNotPublic => "is an alias of a name that is not of the public DNS",
            Self::DeniedAddress => "has an address that no check of this service connects to",
            Self::OutsideOfTests => "lies outside the test environment",
            _ => "has a private or reserved address, which nobody can reach from the Internet",
        };
        if redirected_to.is_some() {
            format!(
                "The redirect leads to {host}, which {fault}: redirect with status 301, 302, 307 or 308 to a public \
                 host on port 80 or 443, or {serve}, without a redirect."
            )
        } else {
            format!(
                "{name} {fault}: give it a public address in the DNS, and {serve}; or prove it by a DNS record."
            )
        }
    }
}

/// The file, as the beginning of a sentence.
fn file_at(wanted: &FileWanted<'_>) -> String {
    match wanted.redirected_to {
        Some(url) => format!("The file at {url}, to which the redirect leads,"),
        None => "The file".to_owned(),
    }
}

fn advice_on_connection(how: NoConnection, port: u16, wanted: &FileWanted<'_>) -> String {
    let FileWanted {
        name,
        url,
        value,
        host,
        redirected_to,
        ..
    } = *wanted;
    let serve = format!("serve a file at {url} that holds {value} and nothing else");
    let what = how.what();
    match redirected_to {
        Some(target) => format!(
            "Port 80 answered, but it redirects to {target}, and port {port} of {host} {what}: make that port reachable, \
             or {serve}, without a redirect."
        ),
        None => format!(
            "Port 80 of {name} {what}: make {name} reachable on port 80 from the Internet, and {serve}."
        ),
    }
}

fn advice_on_status(status: u16, server: Option<&Excerpt>, serve: &str) -> String {
    let from_shield = server.is_some_and(|server| {
        let server = server.as_str().to_ascii_lowercase();
        [
            "cloudflare",
            "sucuri",
            "imunify",
            "ddos",
            "akamai",
            "bitninja",
        ]
        .iter()
        .any(|name| server.contains(name))
    });
    let cause = match status {
        401 | 407 => "The web server asks for a password: let this path be read without one",
        403 | 406 | 429 | 503 if from_shield => {
            "A protection against bots in front of the web server turns the check away: let this path pass it"
        }
        403 => {
            "The web server forbids this path (file permissions, a rule for names that begin with a dot, a filter of \
                addresses or of bots): let everybody read it"
        }
        404 | 410 => {
            "There is no file at this path (mind the dot in .well-known, the file's ending, and which virtual host \
                      answers for the name)"
        }
        421 => "The web server says that it does not serve this name: set it up for the name",
        406 | 415 => {
            "The web server turns the request away by its headers: serve the file to every client"
        }
        429 => "The web server turns the check away because it asks too often: let this path pass",
        101 => "The web server switches protocols without being asked: let it answer in HTTP/1.1",
        502 | 504 | 520..=526 => {
            "The proxy in front of the web server does not reach the server behind it: mend that"
        }
        500..=599 => {
            "The web server or its application fails at this path: mend that, or serve the file before the \
                      application is asked"
        }
        _ => "The web server answers with a status that proves nothing: answer with status 200",
    };
    format!("{cause}. With status 200, {serve}.")
}
