//! Resellers, who order and pay, and the credentials their programs sign in with.

use std::fmt;

use jiff::Timestamp;

use crate::access::Access;
use crate::money::Currency;

pub use crate::reseller_settings::{NoticeRecipients, ProofScope, ResellerSettings};

crate::id! {
    /// The id of a [`Reseller`].
    ResellerId
}

/// The account that orders and pays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reseller {
    /// Its id.
    pub id: ResellerId,
    /// How the operator calls it.
    pub name: String,
    /// The one currency of its balance and prices.
    pub currency: Currency,
    /// When it was added.
    pub created_at: Timestamp,
    /// What the operator has set for it.
    pub settings: ResellerSettings,
    /// Counts the changes of its name and settings, so that none is lost to another.
    pub version: i64,
}

impl Reseller {
    /// Whether its programs are turned away.
    pub fn is_suspended(&self) -> bool {
        self.settings.suspended_at.is_some()
    }
}

/// For which programs a credential is. One for one kind is nothing to the others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CredentialKind {
    /// Programs that speak the WebNIC dialect: a name and a password, traded for tokens.
    Webnic,
    /// Programs that speak the LogicBoxes dialect: a number and a key, sent with every call.
    LogicBoxes,
}

impl CredentialKind {
    /// The word under which the kind is stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webnic => "webnic",
            Self::LogicBoxes => "logicboxes",
        }
    }

    /// Reads [`CredentialKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Webnic, Self::LogicBoxes]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A way for a reseller's program to sign in. The secret itself is never kept.
#[derive(Clone, Eq, PartialEq)]
pub struct Credential {
    /// The public half, unique across resellers and kinds.
    pub username: String,
    /// For which programs it is.
    pub kind: CredentialKind,
    /// Whose it is.
    pub reseller: ResellerId,
    /// SHA-256 of the secret, which is 256 random bits and so needs no slow hash.
    pub secret_hash: [u8; 32],
    /// What it may do, and from where.
    pub access: Access,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, its tokens with it.
    pub revoked_at: Option<Timestamp>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
