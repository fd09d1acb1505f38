//! The nouns of Chancery and the rules between them.
//!
//! Everything here is pure: it takes facts (the time, a product, what a look at the world found) and
//! returns a value or a refusal. No I/O, no clock, no SQL, no async. A value that exists is valid; callers
//! need not check it again.

pub mod access;
pub mod access_trail;
pub mod approval_mails;
pub mod approvers;
pub mod authorizations;
pub mod catalogue;
pub mod certificates;
pub mod checklists;
pub mod contact_details;
pub mod contact_rules;
pub mod contact_types;
pub mod contacts;
pub mod countries;
pub mod customer_profiles;
pub mod customers;
pub mod eligibility;
pub mod events;
pub mod evidence;
pub mod fields;
pub mod findings;
pub mod issuances;
pub mod ledger;
pub mod looks;
pub mod money;
pub mod months;
pub mod names;
pub mod notices;
pub mod observations;
pub mod operators;
pub mod orders;
pub mod organizations;
pub mod passwords;
pub mod plans;
pub mod postal_codes;
pub mod prevalidations;
pub mod prices;
pub mod products;
pub mod rates;
pub mod registrations;
pub mod reseller_settings;
pub mod resellers;
pub mod revocations;
pub mod stages;
pub mod states;
pub mod telephones;
pub mod texts;
pub mod validations;
pub mod validity;
pub mod vetting;

pub use jiff::{SignedDuration, Timestamp};

/// Declares the id of a noun: a positive integer, minted from the store's sequences.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use id;

/// A move that the present state does not allow.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} that is {state} cannot {verb}")]
pub struct TransitionError {
    /// What was to move, with its article: `an issuance`.
    pub what: &'static str,
    /// The state it is in.
    pub state: &'static str,
    /// What was asked of it.
    pub verb: &'static str,
}
