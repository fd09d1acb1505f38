//! Observations: what one look at the outside world saw.
//!
//! Every look is kept, so that people learn why a name is not validated yet, and auditors how it was
//! (BR 5.4.1). An observation never holds a secret: challenge values are public by design.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authorizations::Method;
use crate::names::DomainName;

/// What a look came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The expected value was there.
    Proved,
    /// The name exists, but not the record or file.
    NotFound,
    /// The DNS says that the name does not exist (NXDOMAIN).
    NoSuchName,
    /// Something was there, but not the expected value.
    WrongValue,
    /// No answer in time.
    Timeout,
    /// The DNS server failed or refused (SERVFAIL, REFUSED).
    ServerFailure,
    /// The web server could not be reached.
    Unreachable,
    /// The web server answered with a status that proves nothing.
    BadStatus,
    /// A rule forbids going on: a port, an address, a redirect, a size (BR 3.2.2.4.18).
    Forbidden,
    /// A message was sent and waits for its reader.
    Waiting,
    /// We could not look, for a reason of our own; nothing is said about the world.
    OwnFailure,
}

impl Outcome {
    /// The word under which the outcome is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::NotFound => "not_found",
            Self::NoSuchName => "no_such_name",
            Self::WrongValue => "wrong_value",
            Self::Timeout => "timeout",
            Self::ServerFailure => "server_failure",
            Self::Unreachable => "unreachable",
            Self::BadStatus => "bad_status",
            Self::Forbidden => "forbidden",
            Self::Waiting => "waiting",
            Self::OwnFailure => "own_failure",
        }
    }

    /// Reads [`Outcome::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Proved,
            Self::NotFound,
            Self::NoSuchName,
            Self::WrongValue,
            Self::Timeout,
            Self::ServerFailure,
            Self::Unreachable,
            Self::BadStatus,
            Self::Forbidden,
            Self::Waiting,
            Self::OwnFailure,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == text)
    }
}

/// One look at the world, for one name.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The name to be proved.
    pub name: DomainName,
    /// By which method.
    pub method: Method,
    /// When the answer was in.
    pub at: Timestamp,
    /// What was asked, for example `TXT _dnsauth.shop.example`, or a URL.
    pub asked: String,
    /// Of whom: the resolver, or the address and port connected to.
    pub of: String,
    /// What came back, shortened to what a person needs.
    pub found: String,
    /// What it came to.
    pub outcome: Outcome,
    /// What to change, as a sentence for the applicant; empty when proved.
    pub advice: String,
    /// Where the evidence was found, when proved: the authorization domain name.
    pub proved_domain: Option<DomainName>,
}
