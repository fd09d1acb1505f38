//! Operators: the people who run the platform, by the names they act under.
//!
//! Some things need two of them, so a name has one spelling only: no other case, no look-alike letters and
//! no spaces make one person into two.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::events::Actor;
use crate::resellers::ResellerId;

/// The name an operator acts under.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorName(String);

/// Why a text is no operator's name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "an operator's name has 1 to 64 ASCII letters, digits, points, hyphens, underscores or at signs"
)]
pub struct OperatorNameError;

impl OperatorName {
    /// Reads a name; its case does not matter.
    pub fn parse(text: &str) -> Result<Self, OperatorNameError> {
        let name = text.trim().to_ascii_lowercase();
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte);
        if (1..=64).contains(&name.len()) && name.bytes().all(is_part) {
            Ok(Self(name))
        } else {
            Err(OperatorNameError)
        }
    }

    /// The platform itself, in one of its parts. No person can have such a name.
    pub fn platform(part: &str) -> Self {
        Self(format!("platform:{part}"))
    }

    /// Whether it is the platform, and no person.
    pub fn is_platform(&self) -> bool {
        self.0.contains(':')
    }

    /// As what they stand in a history.
    pub fn actor(&self) -> Actor {
        match self.is_platform() {
            true => Actor::Platform,
            false => Actor::Operator,
        }
    }

    /// Reads back what is on record, the platform's own names among it.
    pub fn restore(text: &str) -> Option<Self> {
        match text.strip_prefix("platform:") {
            Some(part) => Some(Self::platform(part)),
            None => Self::parse(text).ok(),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for OperatorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an operator did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ActKind {
    /// Added a reseller.
    ResellerAdded,
    /// Changed a reseller's name or settings.
    ResellerSet,
    /// Turned a reseller's programs away.
    ResellerSuspended,
    /// Let a suspended reseller's programs in again.
    ResellerResumed,
    /// Made a credential.
    CredentialAdded,
    /// Changed what a credential may be used for.
    CredentialScoped,
    /// Changed from where a credential may be used.
    CredentialAllowed,
    /// Ended a credential.
    CredentialRevoked,
    /// Credited a balance.
    BalanceCredited,
    /// Took money off a balance.
    BalanceDebited,
    /// Corrected a credit or a debit by its counter-entry.
    BalanceCorrected,
    /// Gave a reseller a price of its own.
    PriceSet,
    /// Let the catalogue's price count again.
    PriceEnded,
    /// Put a job that gave up back into the queue.
    JobRetried,
    /// Made a job due at once.
    JobRun,
    /// Cancelled an order.
    OrderCancelled,
    /// Began to seal everything under another master key.
    KeyRotationBegun,
    /// Sealed everything under another master key.
    KeyRotated,
    /// Had a reseller's proof used no more.
    ProofDropped,
    /// Dropped a domain that a reseller had proved ahead of any order.
    DomainDropped,
}

impl ActKind {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::ResellerAdded,
        Self::ResellerSet,
        Self::ResellerSuspended,
        Self::ResellerResumed,
        Self::CredentialAdded,
        Self::CredentialScoped,
        Self::CredentialAllowed,
        Self::CredentialRevoked,
        Self::BalanceCredited,
        Self::BalanceDebited,
        Self::BalanceCorrected,
        Self::PriceSet,
        Self::PriceEnded,
        Self::JobRetried,
        Self::JobRun,
        Self::OrderCancelled,
        Self::KeyRotationBegun,
        Self::KeyRotated,
        Self::ProofDropped,
        Self::DomainDropped,
    ];

    /// The word under which the kind is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ResellerAdded => "reseller_added",
            Self::ResellerSet => "reseller_set",
            Self::ResellerSuspended => "reseller_suspended",
            Self::ResellerResumed => "reseller_resumed",
            Self::CredentialAdded => "credential_added",
            Self::CredentialScoped => "credential_scoped",
            Self::CredentialAllowed => "credential_allowed",
            Self::CredentialRevoked => "credential_revoked",
            Self::BalanceCredited => "balance_credited",
            Self::BalanceDebited => "balance_debited",
            Self::BalanceCorrected => "balance_corrected",
            Self::PriceSet => "price_set",
            Self::PriceEnded => "price_ended",
            Self::JobRetried => "job_retried",
            Self::JobRun => "job_run",
            Self::OrderCancelled => "order_cancelled",
            Self::KeyRotationBegun => "key_rotation_begun",
            Self::KeyRotated => "key_rotated",
            Self::ProofDropped => "proof_dropped",
            Self::DomainDropped => "domain_dropped",
        }
    }

    /// Reads [`ActKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// A line of the history of what operators did. Append-only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperatorAct {
    /// Its place in the history.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub operator: OperatorName,
    /// What.
    pub kind: ActKind,
    /// To what, such as `credential api-…`.
    pub subject: String,
    /// Whose, where it is one reseller's.
    pub reseller: Option<ResellerId>,
    /// More, such as from what to what, and why. Never a secret.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_platform_is_no_operator() {
        assert_eq!(OperatorName::platform("approver").actor(), Actor::Platform);
        assert_eq!(
            OperatorName::parse("anna").unwrap().actor(),
            Actor::Operator
        );
    }

    #[test]
    fn one_person_has_one_name() {
        assert_eq!(
            OperatorName::parse(" Anna@Hosting.example "),
            OperatorName::parse("anna@hosting.EXAMPLE")
        );
        for text in ["", " ", "anna b", "\u{430}nna", "platform:collector", "a\0"] {
            assert!(OperatorName::parse(text).is_err(), "{text:?}");
        }
        assert!(OperatorName::parse(&"x".repeat(65)).is_err());
    }

    #[test]
    fn the_platform_is_nobody() {
        let platform = OperatorName::platform("collector");
        assert_eq!(platform.as_str(), "platform:collector");
        assert!(platform.is_platform());
        assert!(!OperatorName::parse("anna").unwrap().is_platform());
        assert_eq!(OperatorName::restore(platform.as_str()), Some(platform));
    }

    #[test]
    fn every_act_has_a_word_of_its_own() {
        for &kind in ActKind::ALL {
            assert_eq!(ActKind::parse(kind.as_str()), Some(kind));
        }
    }

    proptest! {
        #[test]
        fn what_is_a_name_comes_back(text in ".{0,70}") {
            if let Ok(name) = OperatorName::parse(&text) {
                prop_assert_eq!(OperatorName::restore(name.as_str()), Some(name));
            }
        }
    }
}
