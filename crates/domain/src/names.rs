//! Host names: what a certificate may carry, and what may be asked to vouch for it.
//!
//! A [`DomainName`] is lower-case ASCII (A-labels), without a trailing dot, with at least two labels, and may
//! start with `*.`. The public suffix rules use the ICANN section of the Public Suffix List only
//! (BR 3.2.2.6); names under a top-level domain the list does not know are *internal*, except the names
//! RFC 2606 reserves for tests.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A host name a certificate may carry: lower-case ASCII, no trailing dot.
///
/// [`DomainName::parse`] is the only way in, so a function that takes one need not check it again.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(String);

/// Which names there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum World {
    /// Those of the public DNS.
    Public,
    /// Those and the names that are reserved for tests: a test environment.
    Tests,
}

/// Why a name is set aside, and not a name that somebody has registered in the public DNS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reservation {
    /// Below `in-addr.arpa` or `ip6.arpa` (BR 4.2.2, SC-086).
    ReverseZone,
    /// Elsewhere below `arpa`: the DNS's own, as `home.arpa` (RFC 8375) and `e164.arpa` (RFC 6116).
    Infrastructure,
    /// `onion` (RFC 7686): not resolved by the DNS.
    Onion,
    /// `localhost`, `local`, `internal`, `invalid`, `alt` (RFC 6761, RFC 6762, RFC 9476): means another host everywhere.
    Local,
    /// For tests and documentation: `test`, `example`, `example.com` and its like (RFC 2606).
    Tests,
    /// Its top-level domain is not a public one (BR 4.2.2).
    Internal,
}

impl Reservation {
    /// Judges a host by its last labels, whatever the others are.
    fn of(host: &str) -> Option<Self> {
        const LOCAL: [&str; 5] = ["localhost", "local", "internal", "invalid", "alt"];
        const TESTS: [&str; 5] = [
            "test",
            "example",
            "example.com",
            "example.net",
            "example.org",
        ];
        let is_below = |zones: &[&str]| {
            zones.iter().any(|zone| {
                let rest = host.strip_suffix(zone);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
        };
        if is_below(&["in-addr.arpa", "ip6.arpa"]) {
            Some(Self::ReverseZone)
        } else if is_below(&["arpa"]) {
            Some(Self::Infrastructure)
        } else if is_below(&["onion"]) {
            Some(Self::Onion)
        } else if is_below(&LOCAL) {
            Some(Self::Local)
        } else if is_below(&TESTS) {
            Some(Self::Tests)
        } else if icann_suffix_len(host).is_none() {
            Some(Self::Internal)
        } else {
            None
        }
    }

    /// What is said of such a name, after the name itself.
    pub fn what(self) -> &'static str {
        match self {
            Self::ReverseZone => "is a reverse-lookup name",
            Self::Infrastructure => "is a name of the DNS's own infrastructure (arpa)",
            Self::Onion => "is a name of the Tor network (onion), which the DNS does not know",
            Self::Local => "is a local name, which means another host everywhere",
            Self::Tests => "is a name reserved for tests and documentation",
            Self::Internal => "is an internal name: its top-level domain is not a public one",
        }
    }
}

/// Whether a host, as it stands in a URL or a DNS record, can be one of the public DNS: not a single label, and under
/// a public top-level domain that is not set aside for anything else.
pub fn is_public_host(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host.contains('.') && Reservation::of(&host).is_none()
}

/// Why a text is not a [`DomainName`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DomainNameError {
    /// Empty, or over 253 octets.
    #[error("a name has 1 to 253 characters")]
    Length,
    /// A label is not letters, digits and inner hyphens, or is over 63 octets.
    #[error("'{0}' is not a valid label")]
    Label(String),
    /// Only one label: not a fully qualified name.
    #[error("a fully qualified name is needed")]
    SingleLabel,
    /// The last label is all digits: an address, not a name.
    #[error("an IP address is not a host name")]
    Address,
    /// A non-ASCII name that IDNA refuses, or an `xn--` label that is not valid Punycode.
    #[error("not a valid internationalized name")]
    Idna,
}

impl DomainName {
    /// Parses a name as people and CSRs write it: any case, U-labels or A-labels, perhaps a final dot
    /// (BR 7.1.2.7.12; RFC 9525 §6.3 for the wildcard form).
    pub fn parse(text: &str) -> Result<Self, DomainNameError> {
        let text = text.trim();
        let (wildcard, host) = match text.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, text),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let host = if host.is_ascii() && !host.to_ascii_lowercase().contains("xn--") {
            host.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii_strict(host).map_err(|_| DomainNameError::Idna)?
        };
        let name = if wildcard { format!("*.{host}") } else { host };
        if name.is_empty() || name == "*." || name.len() > 253 {
            return Err(DomainNameError::Length);
        }
        let host = name.strip_prefix("*.").unwrap_or(&name);
        if let Some(label) = host.split('.').find(|label| !is_ldh_label(label)) {
            return Err(DomainNameError::Label(label.to_owned()));
        }
        match host.rsplit_once('.') {
            None => Err(DomainNameError::SingleLabel),
            Some((_, last)) if last.bytes().all(|b| b.is_ascii_digit()) => {
                Err(DomainNameError::Address)
            }
            Some(_) => Ok(Self(name)),
        }
    }

    /// The name as text, for example `*.example.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name starts with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name without a leading `*.`.
    pub fn host(&self) -> Self {
        Self(self.host_str().to_owned())
    }

    /// The name without a leading `*.`, borrowed.
    pub fn host_str(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }

    /// Whether the host itself is a public suffix (ICANN section), so that a wildcard over it, or a proof
    /// for it, would span strangers (BR 3.2.2.6).
    pub fn is_public_suffix(&self) -> bool {
        self.base_domain().is_none() && !self.is_internal()
    }

    /// Whether the top-level domain is neither on the Public Suffix List nor reserved for tests: an
    /// internal name (BR 4.2.2).
    pub fn is_internal(&self) -> bool {
        icann_suffix_len(self.host_str()).is_none()
    }

    /// Why the name is no certificate's to carry, if it is set aside.
    pub fn reservation(&self) -> Option<Reservation> {
        Reservation::of(self.host_str())
    }

    /// The Base Domain: public suffix plus one label, or `None` where the host is itself a suffix or the
    /// suffix is unknown (BR 3.2.2.4, "Base Domain Name").
    pub fn base_domain(&self) -> Option<Self> {
        let host = self.host_str();
        let suffix = icann_suffix_len(host)?;
        let rest = host.len().checked_sub(suffix + 1)?;
        let start = host[..rest].rfind('.').map_or(0, |dot| dot + 1);
        Some(Self(host[start..].to_owned()))
    }

    /// The host and its parents down to the Base Domain, longest first; empty for a public suffix.
    pub fn pruned(&self) -> Vec<Self> {
        let Some(base) = self.base_domain() else {
            return Vec::new();
        };
        let mut rest = self.host_str();
        let mut names = vec![Self(rest.to_owned())];
        while rest != base.0 {
            let Some((_, parent)) = rest.split_once('.') else {
                break;
            };
            rest = parent;
            names.push(Self(rest.to_owned()));
        }
        names
    }

    /// Whether this name's host equals `ancestor` or lies below it.
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let host = self.host_str();
        host == ancestor.0
            || host
                .strip_suffix(ancestor.as_str())
                .is_some_and(|rest| rest.ends_with('.'))
    }
}

/// A name, or a part of one, as people read it: U-labels, in lower case, what is not valid left as it is.
pub fn as_read(text: &str) -> String {
    let label = |label: &str| match idna::domain_to_unicode(label) {
        (text, Ok(())) => text,
        (_, Err(_)) => label.to_lowercase(),
    };
    text.split('.').map(label).collect::<Vec<_>>().join(".")
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DomainName {
    type Error = DomainNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.0
    }
}

fn is_ldh_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let reserved = bytes.len() >= 4 && &bytes[2..4] == b"--" && !label.starts_with("xn--");
    !bytes.is_empty()
        && bytes.len() <= 63
        && !reserved
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// The length of the ICANN public suffix of a host, or `None` for an unknown top-level domain.
///
/// The list has a private section too (`github.io`); for the Baseline Requirements those are ordinary
/// names, so the suffix is then the one of the rule above it.
fn icann_suffix_len(host: &str) -> Option<usize> {
    let last = host.rsplit_once('.').map_or(host, |(_, last)| last);
    if matches!(last, "test" | "example") {
        return Some(last.len());
    }
    let mut rest = host;
    loop {
        let suffix = psl::suffix(rest.as_bytes())?;
        match suffix.typ() {
            Some(psl::Type::Icann) => return Some(suffix.as_bytes().len()),
            Some(psl::Type::Private) => {
                let start = rest.len() - suffix.as_bytes().len();
                rest = rest[start..].split_once('.')?.1;
            }
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn names_are_normalized() {
        assert_eq!(name(" WWW.Example.COM. ").as_str(), "www.example.com");
        assert_eq!(name("*.Bücher.example").as_str(), "*.xn--bcher-kva.example");
    }

    #[test]
    fn names_and_parts_of_them_are_read_in_their_own_letters() {
        assert_eq!(as_read("www.xn--mller-kva.example"), "www.müller.example");
        assert_eq!(as_read("MÜLLER"), "müller");
        assert_eq!(as_read("mu\u{308}ll"), "müll");
        assert_eq!(as_read("xn--"), "xn--");
    }

    #[test]
    fn bad_names_are_refused() {
        for text in [
            "",
            "*.",
            "localhost",
            "a..example",
            "-a.example",
            "a-.example",
            "a_b.example",
            "ab--cd.example",
            "xn--a.example",
            "*.*.example.com",
            "a.*.example",
            "192.0.2.1",
            "exa mple.com",
            "☃_.net",
            "*",
            ".",
            "example.com/path",
        ] {
            assert!(DomainName::parse(text).is_err(), "{text:?} was accepted");
        }
        let long = format!("{}.example", "a".repeat(64));
        assert!(matches!(
            DomainName::parse(&long),
            Err(DomainNameError::Label(_))
        ));
    }

    #[test]
    fn the_base_domain_is_one_label_above_the_icann_suffix() {
        for (text, base) in [
            ("a.b.example.co.uk", Some("example.co.uk")),
            ("*.example.com", Some("example.com")),
            ("example.com", Some("example.com")),
            ("shop.example", Some("shop.example")),
            ("foo.github.io", Some("github.io")),
            ("co.uk", None),
            ("*.co.uk", None),
            ("server.internal", None),
        ] {
            assert_eq!(
                name(text).base_domain().as_ref().map(DomainName::as_str),
                base,
                "{text}"
            );
        }
        assert!(name("*.co.uk").is_public_suffix());
        assert!(!name("server.internal").is_public_suffix());
        assert!(name("server.internal").is_internal());
        assert!(!name("a.test").is_internal());
    }

    #[test]
    fn pruning_stops_at_the_base_domain() {
        let names: Vec<String> = name("*.a.b.example.co.uk")
            .pruned()
            .into_iter()
            .map(String::from)
            .collect();
        assert_eq!(
            names,
            ["a.b.example.co.uk", "b.example.co.uk", "example.co.uk"]
        );
        assert!(name("*.co.uk").pruned().is_empty());
    }

    #[test]
    fn names_that_are_set_aside_are_told() {
        for (text, reservation) in [
            ("1.0.0.127.in-addr.arpa", Reservation::ReverseZone),
            ("*.8.b.d.0.1.0.0.2.ip6.arpa", Reservation::ReverseZone),
            ("notin-addr.arpa", Reservation::Infrastructure),
            ("router.home.arpa", Reservation::Infrastructure),
            ("4.3.2.1.e164.arpa", Reservation::Infrastructure),
            ("www.facebookcorewwwi.onion", Reservation::Onion),
            ("printer.local", Reservation::Local),
            ("app.internal", Reservation::Local),
            ("a.localhost", Reservation::Local),
            ("a.invalid", Reservation::Local),
            ("a.alt", Reservation::Local),
            ("shop.test", Reservation::Tests),
            ("*.shop.example", Reservation::Tests),
            ("www.example.com", Reservation::Tests),
            ("server.corp", Reservation::Internal),
        ] {
            assert_eq!(name(text).reservation(), Some(reservation), "{text}");
        }
        for text in [
            "shop.com",
            "*.shop.co.uk",
            "foo.github.io",
            "myexample.com",
            "latest.org",
            "xn--bcher-kva.de",
        ] {
            assert_eq!(name(text).reservation(), None, "{text}");
        }
        assert!(is_public_host("_dnsauth.Shop.COM."));
        assert!(!is_public_host("com"));
    }

    proptest! {
        /// Whatever parses is stable under parsing again, and its parts obey the rules.
        #[test]
        fn parsing_is_idempotent(text in "(\\*\\.)?[a-zA-Z0-9üß_.-]{1,40}") {
            if let Ok(once) = DomainName::parse(&text) {
                prop_assert_eq!(DomainName::parse(once.as_str()), Ok(once.clone()));
                for parent in once.pruned() {
                    prop_assert!(once.is_at_or_below(&parent));
                }
            }
        }

        #[test]
        fn parsing_never_panics(text in ".{0,300}") {
            let _ = DomainName::parse(&text);
        }
    }
}
