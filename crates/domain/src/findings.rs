//! Findings: what a look at the outside world came upon, and what the applicant is told.
//!
//! A look ends in one finding, which carries the facts: a file that differs by a byte order mark, a redirect whose
//! target lacks a slash, a resolver that refuses. Outcome, account and advice are functions of it and stand here, so
//! that advice names the cause and not the class of failure. Whatever a stranger said arrives shortened and escaped
//! already ([`Excerpt`]); nothing here may name an address that is not public.

mod differences;
mod dns;
mod files;
mod links;

pub use differences::Difference;
pub use dns::{DnsFinding, DnsWanted, End};
pub use files::{FileFinding, FileWanted};
pub use links::{Broken, NoConnection, NotHttp, Stage, TlsTrouble};

use std::fmt;

/// What a stranger said, fit to be shown: on one line, nothing unprintable, shortened.
///
/// Making one is the business of whoever reads the network; the rules only pass it on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Excerpt(String);

impl Excerpt {
    /// Takes a text over that is fit to be shown.
    pub fn new(shown: String) -> Self {
        Self(shown)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a question to the DNS has no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DnsTrouble {
    /// Nothing came back in time; says of which resolver.
    Silent(Excerpt),
    /// A resolver says that the domain's name servers fail; says which and how.
    Failed(Excerpt),
    /// No resolver would or could be asked: our own shortage, which says nothing about the domain.
    NotAsked,
}

/// What every observation of a shortage of our own says. The operator's log has the cause.
pub(crate) const OWN_SHORTAGE: &str =
    "the look could not be made, for a reason on our side that says nothing about the domain";

/// What an applicant has to do about a shortage of ours.
pub(crate) const OWN_ADVICE: &str =
    "Nothing needs to be changed for this: the look is repeated soon.";
