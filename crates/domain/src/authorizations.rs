//! Domain control: methods, challenges, and the authorizations they lead to.
//!
//! A *challenge* is an open offer to prove one name; an *authorization* is the lasting fact that control of an
//! authorization domain name (ADN) was shown for an order, by which method and when. Which ADN may vouch for
//! which name follows BR 3.2.2.4 as amended by SC-101: the method is picked first; aliases are followed
//! before labels are dropped, never after.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::customers::CustomerId;
use crate::names::DomainName;
use crate::orders::OrderId;
use crate::prevalidations::PrevalidationId;
use crate::resellers::ResellerId;

crate::id! {
    /// The id of a [`RecordedProof`].
    ProofId
}

/// How control of a name is shown. The wire words are the dialects' business.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A record in the DNS (BR 3.2.2.4.7).
    Dns,
    /// A file on the web server (BR 3.2.2.4.18).
    File,
    /// A message to a constructed address (BR 3.2.2.4.4).
    Email,
}

impl Method {
    /// The word under which the method is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::File => "file",
            Self::Email => "email",
        }
    }

    /// Reads [`Method::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Dns, Self::File, Self::Email]
            .into_iter()
            .find(|method| method.as_str() == text)
    }

    /// The section of the Baseline Requirements that describes it.
    pub fn section(self) -> &'static str {
        match self {
            Self::Dns => "3.2.2.4.7",
            Self::File => "3.2.2.4.18",
            Self::Email => "3.2.2.4.4",
        }
    }

    /// Whether a proof for a name also covers names below it, wildcards included.
    pub fn covers_subdomains(self) -> bool {
        match self {
            Self::Dns | Self::Email => true,
            Self::File => false,
        }
    }

    /// Whether evidence that was found at a domain vouches for a name.
    pub fn covers(self, domain: &DomainName, name: &DomainName) -> bool {
        if self.covers_subdomains() {
            name.is_at_or_below(domain)
        } else {
            name == domain
        }
    }
}

/// The kind of record a DNS challenge wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// The value is the text.
    Txt,
    /// The value is a label of the target.
    Cname,
}

impl RecordType {
    /// `TXT` or `CNAME`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Txt => "TXT",
            Self::Cname => "CNAME",
        }
    }
}

/// What the applicant has to put where, for one name. Shown to people exactly as looked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Challenge {
    /// A record at `host`, or at the same label under a parent of the name down to its Base Domain.
    Dns {
        /// TXT or CNAME.
        record_type: RecordType,
        /// The record's owner name, for example `_dnsauth.www.example.com`.
        host: String,
        /// The TXT value, or the full CNAME target.
        value: String,
    },
    /// A file below `/.well-known/pki-validation/` at exactly this name.
    File {
        /// The last path segment, for example `fileauth.txt`.
        file_name: String,
        /// The content, compared after trimming white space at the end.
        value: String,
    },
    /// A message to an approver.
    Email {
        /// The address, one of those that [`approver_addresses`](crate::approvers::approver_addresses) lists for
        /// the name.
        approver: String,
    },
}

impl Challenge {
    /// The method the challenge belongs to.
    pub fn method(&self) -> Method {
        match self {
            Self::Dns { .. } => Method::Dns,
            Self::File { .. } => Method::File,
            Self::Email { .. } => Method::Email,
        }
    }
}

/// The directory of [`Challenge::File`] (BR 3.2.2.4.18).
pub const FILE_DIRECTORY: &str = "/.well-known/pki-validation/";

/// The file name of [`Challenge::File`].
pub const FILE_NAME: &str = "fileauth.txt";

/// The label of a [`Challenge::Dns`] record, one below the authorization domain name.
pub const DNS_LABEL: &str = "_dnsauth";

/// The authorization domain names that may vouch for `name` by `method`, best first (SC-101).
///
/// `aliases` is the chain of CNAME targets of the name's host, nearest first, as looked up just now; it is
/// ignored for wildcards and for methods that follow no alias. Empty when the name is a public suffix.
pub fn authorization_domains(
    name: &DomainName,
    method: Method,
    aliases: &[DomainName],
) -> Vec<DomainName> {
    if !method.covers_subdomains() {
        return if name.is_wildcard() || name.base_domain().is_none() {
            Vec::new()
        } else {
            vec![name.clone()]
        };
    }
    let mut domains = name.pruned();
    if !name.is_wildcard() {
        for domain in aliases.iter().flat_map(DomainName::pruned) {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
    }
    domains
}

/// A name proved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authorization {
    /// The authorization domain name the evidence was found at.
    pub domain: DomainName,
    /// How it was proved; decides what it covers.
    pub method: Method,
    /// When the evidence was obtained; its age counts from here (BR 4.2.1).
    pub obtained_at: Timestamp,
}

impl Authorization {
    /// Whether this vouches for `name`, its age aside.
    pub fn covers(&self, name: &DomainName) -> bool {
        self.method.covers(&self.domain, name)
    }
}

/// Puts first what serves most: first what covers a name that would come along for nothing, then what covers names
/// below its own, then the latest.
pub fn put_most_useful_first(held: &mut [Authorization], companion: Option<&DomainName>) {
    held.sort_by_cached_key(|held| {
        let covers_companion = companion.is_some_and(|name| held.covers(name));
        Reverse((
            covers_companion,
            held.method.covers_subdomains(),
            held.obtained_at,
        ))
    });
}

/// An authorization on record, and whose it is.
///
/// It serves the order it was obtained for, that order's later certificates, and its renewals; which other orders
/// it serves is the [`ProofScope`](crate::resellers::ProofScope) of the reseller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordedProof {
    /// Its id.
    pub id: ProofId,
    /// Whose order it was obtained for.
    pub reseller: ResellerId,
    /// The order it was obtained for.
    pub order: Option<OrderId>,
    /// The customer whom that order's administrator contact belongs to; none where that is the reseller itself.
    pub customer: Option<CustomerId>,
    /// The domain it was obtained for, ahead of any order.
    pub prevalidation: Option<PrevalidationId>,
    /// What was proved, how and when.
    pub proved: Authorization,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn domains(text: &str, method: Method, aliases: &[&str]) -> Vec<String> {
        let aliases: Vec<_> = aliases.iter().map(|text| name(text)).collect();
        authorization_domains(&name(text), method, &aliases)
            .into_iter()
            .map(String::from)
            .collect()
    }

    #[test]
    fn dns_prunes_and_follows_aliases_before_pruning_only() {
        assert_eq!(
            domains("www.shop.example", Method::Dns, &["edge.cdn.test"]),
            [
                "www.shop.example",
                "shop.example",
                "edge.cdn.test",
                "cdn.test"
            ],
        );
        // An alias of the parent (prune, then CNAME) is never asked for: only the host's own chain counts.
        assert_eq!(
            domains("*.shop.example", Method::Dns, &["edge.cdn.test"]),
            ["shop.example"]
        );
    }

    #[test]
    fn a_file_proves_exactly_its_name() {
        assert_eq!(
            domains("www.shop.example", Method::File, &["cdn.test"]),
            ["www.shop.example"]
        );
        assert!(domains("*.shop.example", Method::File, &[]).is_empty());
        let proved = Authorization {
            domain: name("shop.example"),
            method: Method::File,
            obtained_at: Timestamp::UNIX_EPOCH,
        };
        assert!(proved.covers(&name("shop.example")));
        assert!(!proved.covers(&name("www.shop.example")));
        assert!(!proved.covers(&name("*.shop.example")));
    }

    #[test]
    fn the_proof_that_covers_a_companion_is_preferred() {
        let proved = |domain: &str, method, second| Authorization {
            domain: name(domain),
            method,
            obtained_at: Timestamp::from_second(second).unwrap(),
        };
        let of_parent = proved("shop.example", Method::Dns, 1);
        let of_host = proved("www.shop.example", Method::Dns, 2);
        let by_file = proved("www.shop.example", Method::File, 3);
        let all = [by_file.clone(), of_host.clone(), of_parent.clone()];
        let mut held = all.clone();
        put_most_useful_first(&mut held, Some(&name("shop.example")));
        assert_eq!(held, [of_parent.clone(), of_host.clone(), by_file.clone()]);
        let mut held = all;
        put_most_useful_first(&mut held, None);
        assert_eq!(held, [of_host, of_parent, by_file]);
    }

    #[test]
    fn a_dns_proof_covers_what_lies_below() {
        let proved = Authorization {
            domain: name("shop.example"),
            method: Method::Dns,
            obtained_at: Timestamp::UNIX_EPOCH,
        };
        assert!(proved.covers(&name("*.shop.example")));
        assert!(proved.covers(&name("a.b.shop.example")));
        assert!(!proved.covers(&name("workshop.example")));
    }
}
