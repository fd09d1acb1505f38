//! Events: the lines of an order's history, written in the transaction of the change they tell of.

use jiff::Timestamp;

use crate::issuances::IssuanceId;
use crate::orders::OrderId;

/// Who made a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Actor {
    /// The reseller, by a dialect.
    Reseller,
    /// An approver, on the approval page.
    Approver,
    /// The platform, in a job.
    Platform,
    /// A person who runs the platform.
    Operator,
    /// Somebody who has shown to hold a certificate's private key.
    KeyHolder,
}

impl Actor {
    /// The word under which the actor is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reseller => "reseller",
            Self::Approver => "approver",
            Self::Platform => "platform",
            Self::Operator => "operator",
            Self::KeyHolder => "key_holder",
        }
    }

    /// Reads [`Actor::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Reseller,
            Self::Approver,
            Self::Platform,
            Self::Operator,
            Self::KeyHolder,
        ]
        .into_iter()
        .find(|actor| actor.as_str() == text)
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// The order was placed and charged.
    OrderPlaced,
    /// The order was cancelled and its price given back.
    OrderCancelled,
    /// Control was not shown in time; the price was given back.
    ValidationExpired,
    /// The issuer will not sign; the price was given back.
    IssuerRefused,
    /// The organization was not vetted; the price was given back.
    OrganizationRejected,
    /// The way to show control was changed.
    MethodChanged,
    /// An approver was changed.
    ApproverChanged,
    /// A message was handed to the mail server.
    ApproverMailed,
    /// A name was proved.
    NameProved,
    /// A serial was reserved and the bytes to be signed were stored.
    CertificateReserved,
    /// A name comes along for nothing, since a proof covers it.
    CompanionAdded,
    /// A name that came along before does not any more: no proof covers it.
    CompanionLost,
    /// The certificate was signed and stored.
    CertificateIssued,
    /// Whether the key may be certified again by itself was said.
    KeyReuseSet,
    /// The order was renewed by another.
    OrderRenewed,
    /// The order was cancelled after its first certificate; its price was given back.
    OrderRefunded,
    /// The reseller asked for another certificate.
    ReissueAsked,
    /// The certificate in force grows old; its replacement was begun.
    ReplacementBegun,
    /// A run was stopped for another one.
    IssuanceCancelled,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The certificate's key turned out to be compromised after it was revoked for another reason.
    RevocationAmended,
    /// A person was told by mail what to do.
    PersonTold,
    /// The term is over.
    OrderExpired,
    /// A proof is not to be used any more.
    ProofDropped,
    /// A job gave up and waits for an operator.
    JobParked,
}

impl EventKind {
    /// The word under which the kind is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderPlaced => "order_placed",
            Self::OrderCancelled => "order_cancelled",
            Self::ValidationExpired => "validation_expired",
            Self::IssuerRefused => "issuer_refused",
            Self::OrganizationRejected => "organization_rejected",
            Self::MethodChanged => "method_changed",
            Self::ApproverChanged => "approver_changed",
            Self::ApproverMailed => "approver_mailed",
            Self::NameProved => "name_proved",
            Self::CertificateReserved => "certificate_reserved",
            Self::CompanionAdded => "companion_added",
            Self::CompanionLost => "companion_lost",
            Self::CertificateIssued => "certificate_issued",
            Self::KeyReuseSet => "key_reuse_set",
            Self::OrderRenewed => "order_renewed",
            Self::OrderRefunded => "order_refunded",
            Self::ReissueAsked => "reissue_asked",
            Self::ReplacementBegun => "replacement_begun",
            Self::IssuanceCancelled => "issuance_cancelled",
            Self::CertificateRevoked => "certificate_revoked",
            Self::RevocationAmended => "revocation_amended",
            Self::PersonTold => "person_told",
            Self::OrderExpired => "order_expired",
            Self::ProofDropped => "proof_dropped",
            Self::JobParked => "job_parked",
        }
    }

    /// Reads [`EventKind::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::OrderPlaced,
            Self::OrderCancelled,
            Self::ValidationExpired,
            Self::IssuerRefused,
            Self::OrganizationRejected,
            Self::MethodChanged,
            Self::ApproverChanged,
            Self::ApproverMailed,
            Self::NameProved,
            Self::CertificateReserved,
            Self::CompanionAdded,
            Self::CompanionLost,
            Self::CertificateIssued,
            Self::KeyReuseSet,
            Self::OrderExpired,
            Self::PersonTold,
            Self::CertificateRevoked,
            Self::RevocationAmended,
            Self::IssuanceCancelled,
            Self::ReplacementBegun,
            Self::ReissueAsked,
            Self::OrderRefunded,
            Self::OrderRenewed,
            Self::ProofDropped,
            Self::JobParked,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

/// A line of an order's history. Append-only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its place in the history.
    pub id: i64,
    /// Of which order.
    pub order: OrderId,
    /// Of which run of it, if of one.
    pub issuance: Option<IssuanceId>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub kind: EventKind,
    /// More, for people. Never a secret.
    pub detail: Option<String>,
}
