//! Customers: a reseller's own clients, whom contacts belong to.
//!
//! Each reseller has one customer that is itself, for what it orders without naming a customer. It has the
//! reseller's id, is there from the beginning, and stays.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contact_details::ContactDetails;
use crate::contacts::is_email;
use crate::events::Actor;
use crate::resellers::ResellerId;
use crate::telephones::Telephone;

crate::id! {
    /// The id of a [`Customer`].
    CustomerId
}

impl CustomerId {
    /// The customer that is the reseller itself.
    pub fn itself(reseller: ResellerId) -> Self {
        Self(reseller.0)
    }
}

/// What is told of a customer beside its details.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CustomerField {
    /// The name it signs in with, an e-mail address.
    Username,
    /// Its password.
    Password,
    /// Its state or province, where the country has no list of them.
    OtherState,
    /// Calling code of another telephone.
    OtherPhoneCode,
    /// Another telephone.
    OtherPhone,
    /// Calling code of a mobile telephone.
    MobileCode,
    /// A mobile telephone.
    Mobile,
    /// The language it reads.
    Language,
    /// Its number for value added tax.
    VatId,
    /// Where its user is, an IP address.
    Address,
    /// A token of its user's.
    Token,
}

/// The name a customer signs in with: an e-mail address. Case does not count and is not kept.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Username(String);

impl Username {
    /// Reads a user name; `None` if it is no e-mail address.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        (text.chars().count() <= 254 && is_email(&text)).then_some(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a customer says of itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CustomerProfile {
    /// The name it signs in with.
    pub username: Username,
    /// Who and where; the e-mail address is that for letters.
    pub details: ContactDetails,
    /// State or province, where the country has no list of them.
    pub other_state: Option<String>,
    /// Another telephone.
    pub other_phone: Option<Telephone>,
    /// A mobile telephone.
    pub mobile: Option<Telephone>,
    /// The language it reads, as sent.
    pub language: String,
    /// Its number for value added tax.
    pub vat_id: Option<String>,
    /// Whether it agreed to text messages.
    pub takes_text_messages: bool,
    /// Whether it agreed to advertising by mail.
    pub takes_advertising: bool,
}

/// A reseller's client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Whose client.
    pub reseller: ResellerId,
    /// What it says of itself; the one that is the reseller may never have said anything.
    pub profile: Option<CustomerProfile>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Until when a password serves that it was given for a while.
    pub temporary_until: Option<Timestamp>,
    /// How often it was saved.
    pub version: i64,
}

impl Customer {
    /// Whether it is the reseller itself.
    pub fn is_reseller(&self) -> bool {
        self.id == CustomerId::itself(self.reseller)
    }

    /// Whether it was given a password for a while, and should choose one.
    pub fn should_choose_password(&self, now: Timestamp) -> bool {
        self.temporary_until.is_some_and(|until| now < until)
    }
}

/// What happened to a customer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CustomerEventKind {
    /// It signed up.
    SignedUp,
    /// Its profile was changed.
    ProfileChanged,
    /// Its password was changed.
    PasswordChanged,
    /// It was given a password for a while.
    TemporaryPasswordMade,
    /// Its default contacts of some types were set.
    DefaultsSet,
    /// It was deleted.
    Deleted,
    /// All that identifies a person was removed, its contacts' data too.
    Erased,
}

impl CustomerEventKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::SignedUp,
        Self::ProfileChanged,
        Self::PasswordChanged,
        Self::TemporaryPasswordMade,
        Self::DefaultsSet,
        Self::Deleted,
        Self::Erased,
    ];

    /// The word under which the kind is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "signed_up",
            Self::ProfileChanged => "profile_changed",
            Self::PasswordChanged => "password_changed",
            Self::TemporaryPasswordMade => "temporary_password_made",
            Self::DefaultsSet => "defaults_set",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }

    /// Reads [`CustomerEventKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A line of a customer's history. Append-only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerEvent {
    /// Its place in the history.
    pub id: i64,
    /// Of which customer.
    pub customer: CustomerId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub kind: CustomerEventKind,
    /// More, for people: which parts changed, of which types, why it was erased. Never what they were.
    pub detail: Option<String>,
}
