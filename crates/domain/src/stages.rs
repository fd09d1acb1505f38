//! Stages: how far an order has come, in one word, for lists, counters and dialects.
//!
//! A stage follows from the order, its latest run, the certificate in force and the time. It is stored with
//! the order so that orders can be searched and counted by it; what time alone brings about is written down
//! by the job that tends the order, and shows at once where a stage is computed afresh.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::certificates::CertificateSummary;
use crate::issuances::{Issuance, IssuanceState, Purpose};
use crate::orders::{Failure, Order, OrderState};

/// How far an order has come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Charged; nobody has looked for a proof yet.
    Placed,
    /// Control of the names, or the organization, is being proved.
    Validating,
    /// All is proved; the first certificate is being signed.
    Issuing,
    /// A certificate is in force.
    Active,
    /// A certificate is in force, and the reseller has asked for another in its place.
    Reissuing,
    /// The term goes on, but the last certificate has run out.
    Lapsed,
    /// The certificate in force was revoked; the term goes on.
    Revoked,
    /// The term is over.
    Expired,
    /// Control was not shown in time; given back.
    ValidationExpired,
    /// Cancelled before the first certificate; given back.
    Cancelled,
    /// Cancelled after the first certificate; revoked and given back.
    Refunded,
    /// The issuer or the vetting refused; given back.
    Refused,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 12] = [
        Self::Placed,
        Self::Validating,
        Self::Issuing,
        Self::Active,
        Self::Reissuing,
        Self::Lapsed,
        Self::Revoked,
        Self::Expired,
        Self::ValidationExpired,
        Self::Cancelled,
        Self::Refunded,
        Self::Refused,
    ];

    /// The stage of an order at a moment.
    pub fn of(
        order: &Order,
        issuance: &Issuance,
        certificate: Option<&CertificateSummary>,
        now: Timestamp,
    ) -> Self {
        match &order.state {
            OrderState::Open => of_open(issuance),
            OrderState::Cancelled => Self::Cancelled,
            OrderState::Refunded { .. } => Self::Refunded,
            OrderState::Failed(Failure::ValidationExpired) => Self::ValidationExpired,
            OrderState::Failed(Failure::IssuerRefused(_) | Failure::OrganizationRejected(_)) => {
                Self::Refused
            }
            OrderState::Active { expires_at, .. } if now >= *expires_at => Self::Expired,
            // A replacement that the platform has begun by itself is not shown: nothing was asked for.
            OrderState::Active { .. }
                if !issuance.is_settled() && issuance.purpose == Purpose::Reissue =>
            {
                Self::Reissuing
            }
            OrderState::Active { .. } => match certificate {
                Some(certificate) if certificate.revoked_at.is_some() => Self::Revoked,
                Some(certificate) if now > certificate.validity.not_after => Self::Lapsed,
                Some(_) | None => Self::Active,
            },
        }
    }

    /// Whether the order's term has begun and not ended.
    pub fn is_in_term(self) -> bool {
        match self {
            Self::Active | Self::Reissuing | Self::Lapsed | Self::Revoked => true,
            Self::Placed
            | Self::Validating
            | Self::Issuing
            | Self::Expired
            | Self::ValidationExpired
            | Self::Cancelled
            | Self::Refunded
            | Self::Refused => false,
        }
    }

    /// The word under which the stage is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Validating => "validating",
            Self::Issuing => "issuing",
            Self::Active => "active",
            Self::Reissuing => "reissuing",
            Self::Lapsed => "lapsed",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::ValidationExpired => "validation_expired",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::Refused => "refused",
        }
    }

    /// Reads [`Stage::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

fn of_open(issuance: &Issuance) -> Stage {
    match issuance.state {
        IssuanceState::Validating if issuance.looks == 0 => Stage::Placed,
        IssuanceState::Validating => Stage::Validating,
        // An open order whose run is settled is about to be closed by the same hand.
        IssuanceState::Signing { .. }
        | IssuanceState::Issued { .. }
        | IssuanceState::Rejected { .. }
        | IssuanceState::Cancelled => Stage::Issuing,
    }
}
