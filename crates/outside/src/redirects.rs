//! Where a look may go next: the rules for URLs, and what redirects get wrong.

use chancery_domain::findings::FileFinding;
use chancery_domain::names::{DomainName, is_public_host};
use url::{Host, Url};

use crate::answers::Answer;
use crate::excerpts::shown;
use crate::exchange::Scheme;

/// The end of a host name that has swallowed the path after it.
const SWALLOWED: &str = "well-known";

/// A URL that may be asked for.
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Target {
    pub(crate) fn check(url: &Url, value: &str) -> Result<Self, FileFinding> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(FileFinding::Scheme(shown(other))),
        };
        let port = match url.port_or_known_default() {
            Some(port @ (80 | 443)) => port,
            Some(port) => return Err(FileFinding::Port(port)),
            None => return Err(FileFinding::Unaskable),
        };
        let host = url.host().ok_or(FileFinding::Unaskable)?.to_owned();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FileFinding::Credentials);
        }
        if holds(url, value) {
            return Err(FileFinding::HoldsValue);
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

/// The target of a redirect.
pub(crate) fn follow(from: &Url, answer: &Answer) -> Result<Url, FileFinding> {
    let mut locations = answer.locations.clone();
    locations.dedup();
    let location = match locations.as_slice() {
        [location] if !location.is_empty() => location,
        [] | [_] => return Err(FileFinding::NoLocation(answer.status)),
        several => return Err(FileFinding::TwoLocations(shown(&several.join(", ")))),
    };
    if let Some(fault) = fault_of(location, from) {
        return Err(fault);
    }
    let mut url = from
        .join(location)
        .map_err(|error| FileFinding::BadLocation(shown(location), shown(&error.to_string())))?;
    url.set_fragment(None);
    Ok(url)
}

/// What rules of web servers often make of a target, told from its text.
fn fault_of(location: &str, from: &Url) -> Option<FileFinding> {
    if lacks_scheme(location, from) {
        let why = "the scheme is missing";
        return Some(FileFinding::BadLocation(shown(location), shown(why)));
    }
    let (scheme, rest) = location.split_once("://")?;
    let is_web =
        |scheme: &str| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    if !is_web(scheme) {
        return None;
    }
    let bad = |why| Some(FileFinding::BadLocation(shown(location), shown(why)));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    if authority.is_empty() || authority == ":" {
        return bad("the host is missing");
    }
    if is_web(authority.strip_suffix(':').unwrap_or(authority)) && path.starts_with("//") {
        return bad("the scheme stands there twice");
    }
    if authority.contains(['$', '%', '{', '}']) {
        return bad("the host is a variable that the web server has not filled in");
    }
    let lower = authority.to_ascii_lowercase();
    let Some(host) = lower.strip_suffix(SWALLOWED) else {
        let host = before_path_of(authority, path, from)?;
        return Some(FileFinding::MissingSlash {
            location: shown(location),
            meant: shown(&format!("{scheme}://{host}{}", from.path())),
        });
    };
    let host = &authority[..host.len()];
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = host.strip_suffix(':').unwrap_or(host);
    if host.is_empty() {
        return bad("the host is missing");
    }
    Some(FileFinding::MissingSlash {
        location: shown(location),
        meant: shown(&format!("{scheme}://{host}/.{SWALLOWED}{path}")),
    })
}

/// Whether a target is a URL but for its scheme, which makes it a path.
fn lacks_scheme(location: &str, from: &Url) -> bool {
    let first = location.split(['/', '?', '#']).next().unwrap_or_default();
    let rest = &location[first.len()..];
    let is_scheme = ["http", "https"].map(|scheme| first.eq_ignore_ascii_case(scheme));
    if is_scheme.contains(&true) && rest.starts_with("//") {
        return true;
    }
    let base = |host: &str| DomainName::parse(host).ok()?.base_domain();
    let Some(of_target) = base(first) else {
        return false;
    };
    // A file may be called `index.pl` or `page.zip`, which are names, too.
    let is_of_same_domain = from.host_str().and_then(base) == Some(of_target);
    is_of_same_domain || (is_public_host(first) && rest.starts_with('/'))
}

/// The host before what a rule has put behind it without a slash: the end of the path that is redirected, from one of
/// its segments on.
fn before_path_of<'a>(authority: &'a str, path: &str, from: &Url) -> Option<&'a str> {
    if is_public_host(authority) {
        return None;
    }
    let segments: Vec<&str> = from.path().split('/').skip(1).collect();
    let lower = authority.to_ascii_lowercase();
    (0..segments.len()).find_map(|at| {
        let first = segments[at].to_ascii_lowercase();
        let rest: String = segments[at + 1..]
            .iter()
            .map(|segment| format!("/{segment}"))
            .collect();
        let host = lower.strip_suffix(&first).filter(|_| path == rest)?;
        let host = &authority[..host.len()];
        let is_host = host.contains('.') && !host.ends_with(['.', '-', ':']);
        (!first.is_empty() && is_host).then_some(host)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(url: &str) -> Result<Target, FileFinding> {
        Target::check(&Url::parse(url).unwrap(), "5EC2E7")
    }

    fn answer(locations: &[&str]) -> Answer {
        Answer {
            status: 302,
            locations: locations.iter().map(|text| (*text).to_owned()).collect(),
            ..Answer::default()
        }
    }

    fn follow_from_start(locations: &[&str]) -> Result<String, FileFinding> {
        let from = Url::parse("http://a.test/.well-known/pki-validation/f.txt").unwrap();
        follow(&from, &answer(locations)).map(|url| url.to_string())
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
        for (url, finding) in [
            ("http://a.test:8080/", FileFinding::Port(8080)),
            ("https://a.test:8443/", FileFinding::Port(8443)),
            ("http://a.test:22/", FileFinding::Port(22)),
            ("ftp://a.test/", FileFinding::Scheme(shown("ftp"))),
            ("file:///etc/passwd", FileFinding::Scheme(shown("file"))),
            ("http://user@a.test/", FileFinding::Credentials),
            ("http://a.test/5ec2e7", FileFinding::HoldsValue),
            ("http://a.test/?q=%35%65c2e7", FileFinding::HoldsValue),
            ("http://5ec2e7.a.test/", FileFinding::HoldsValue),
        ] {
            assert_eq!(check(url).map(|_| ()).unwrap_err(), finding, "{url}");
        }
    }

    #[test]
    fn the_host_header_names_an_unusual_port() {
        assert_eq!(
            check("http://a.test:443/").ok().unwrap().authority,
            "a.test:443"
        );
        assert_eq!(
            check("https://a.test:443/x").ok().unwrap().authority,
            "a.test"
        );
        assert_eq!(
            check("http://[2606:4700::1]/").ok().unwrap().authority,
            "[2606:4700::1]"
        );
    }

    #[test]
    fn an_empty_value_is_never_looked_for() {
        assert!(Target::check(&Url::parse("http://a.test/").unwrap(), "").is_err());
    }

    #[test]
    fn targets_are_read_as_browsers_read_them() {
        for (location, url) in [
            ("/x", "http://a.test/x"),
            ("x", "http://a.test/.well-known/pki-validation/x"),
            ("//b.test/x", "http://b.test/x"),
            ("HTTPS://B.Test:443/x#y", "https://b.test/x"),
            ("https:\\\\b.test\\x", "https://b.test/x"),
            (" https://b.test/a b ", "https://b.test/a%20b"),
            ("https://bücher.test/ü", "https://xn--bcher-kva.test/%C3%BC"),
            ("?y", "http://a.test/.well-known/pki-validation/f.txt?y"),
            (
                "page.pl",
                "http://a.test/.well-known/pki-validation/page.pl",
            ),
            ("https://b.txt/f.txt", "https://b.txt/f.txt"),
            ("https://f.txt", "https://f.txt/"),
        ] {
            assert_eq!(
                follow_from_start(&[location]).as_deref(),
                Ok(url),
                "{location}"
            );
        }
        assert_eq!(
            follow_from_start(&["/x", "/x"]).as_deref(),
            Ok("http://a.test/x")
        );
    }

    #[test]
    fn what_rules_of_web_servers_get_wrong_is_named() {
        let missing_slash = |location: &str, meant: &str| FileFinding::MissingSlash {
            location: shown(location),
            meant: shown(meant),
        };
        for (location, meant) in [
            (
                "https://www.shop.example.well-known/pki-validation/f.txt",
                "https://www.shop.example/.well-known/pki-validation/f.txt",
            ),
            (
                "https://www.shop.examplewell-known/pki-validation/f.txt",
                "https://www.shop.example/.well-known/pki-validation/f.txt",
            ),
            (
                "http://shop.example:80.well-known/f.txt?x",
                "http://shop.example:80/.well-known/f.txt?x",
            ),
            (
                "https://Shop.Example.Well-Known",
                "https://Shop.Example/.well-known",
            ),
            (
                "https://www.shop.examplepki-validation/f.txt",
                "https://www.shop.example/.well-known/pki-validation/f.txt",
            ),
            (
                "https://www.shop.examplef.txt",
                "https://www.shop.example/.well-known/pki-validation/f.txt",
            ),
        ] {
            assert_eq!(
                follow_from_start(&[location]).unwrap_err(),
                missing_slash(location, meant)
            );
        }
        for (location, why) in [
            ("https:///.well-known/f.txt", "host is missing"),
            ("https://.well-known/f.txt", "host is missing"),
            (
                "http://https://shop.example/f.txt",
                "scheme stands there twice",
            ),
            ("https://$server_name/f.txt", "variable"),
            ("https://%{HTTP_HOST}/f.txt", "variable"),
            ("https://shop.example:port/", "invalid port"),
            ("www.shop.com/.well-known/f.txt", "scheme is missing"),
            ("www.a.test", "scheme is missing"),
            ("https//www.a.test/f.txt", "scheme is missing"),
            ("http//a.test", "scheme is missing"),
        ] {
            match follow_from_start(&[location]).unwrap_err() {
                FileFinding::BadLocation(_, told) => {
                    assert!(told.as_str().contains(why), "{location}: {told}");
                }
                other => panic!("{location}: {other:?}"),
            }
        }
        assert_eq!(
            follow_from_start(&[]).unwrap_err(),
            FileFinding::NoLocation(302)
        );
        assert_eq!(
            follow_from_start(&[""]).unwrap_err(),
            FileFinding::NoLocation(302)
        );
        assert!(matches!(
            follow_from_start(&["/a", "/b"]).unwrap_err(),
            FileFinding::TwoLocations(_)
        ));
    }

    proptest! {
        /// Whatever a server puts into Location, the next hop is refused or obeys the rules.
        #[test]
        fn no_location_leads_past_the_rules(location in "([a-z]{2,6}:)?(//)?[ -~]{0,60}") {
            let from = Url::parse("http://a.test/.well-known/pki-validation/f.txt").unwrap();
            if let Ok(url) = follow(&from, &answer(&[&location]))
                && let Ok(target) = Target::check(&url, "5EC2E7")
            {
                prop_assert!(matches!(target.port, 80 | 443));
                prop_assert!(!target.path.contains("5EC2E7"));
            }
        }
    }
}
