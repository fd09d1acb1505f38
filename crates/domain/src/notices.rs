//! Notices: what the people behind an order are told by mail, each thing once.

use jiff::Timestamp;

use crate::certificates::CertificateId;
use crate::issuances::IssuanceId;
use crate::orders::OrderId;

crate::id! {
    /// The id of a [`Notice`].
    NoticeId
}

/// Something that people are, or were, told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// Of which order.
    pub order: OrderId,
    /// The certificate it speaks of, if of one.
    pub certificate: Option<CertificateId>,
    /// What is told.
    pub news: News,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When the message was handed to the mail server.
    pub sent_at: Option<Timestamp>,
}

/// What is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    /// The certificate grows old, and a CSR with a new key is needed to replace it.
    CsrWanted(CertificateId),
    /// Control of names is to be shown again, for this run.
    ControlWanted(IssuanceId),
    /// The certificate ends in so many days, and nothing replaces it by itself.
    CertificateEnding(CertificateId, u32),
    /// The term ends in so many days.
    OrderEnding(u32),
    /// The certificate was revoked.
    CertificateRevoked(CertificateId),
    /// The CA that signed the certificate was revoked: nobody is to rely on the certificate any more.
    CaRevoked(CertificateId),
    /// The certificate lacks the free name that the one before had: no proof covers it any more.
    CompanionLost(CertificateId),
}

impl News {
    /// The word under which the kind is stored.
    pub fn kind(self) -> &'static str {
        match self {
            Self::CsrWanted(_) => "csr_wanted",
            Self::ControlWanted(_) => "control_wanted",
            Self::CertificateEnding(..) => "certificate_ending",
            Self::OrderEnding(_) => "order_ending",
            Self::CertificateRevoked(_) => "certificate_revoked",
            Self::CaRevoked(_) => "ca_revoked",
            Self::CompanionLost(_) => "companion_lost",
        }
    }

    /// Whether it has to reach somebody even where a reseller wants no notices: the subscriber's other ways to learn of
    /// it are not enough. What orders wait for, and what ends, order info shows to every panel.
    pub fn is_duty(self) -> bool {
        match self {
            Self::CsrWanted(_)
            | Self::ControlWanted(_)
            | Self::CertificateEnding(..)
            | Self::OrderEnding(_)
            | Self::CompanionLost(_) => false,
            Self::CertificateRevoked(_) | Self::CaRevoked(_) => true,
        }
    }

    /// The id of what it is about, 0 for the order itself, and the days that are left, 0 where they do not
    /// matter.
    pub fn about(self) -> (i64, u32) {
        match self {
            Self::CsrWanted(id) | Self::CaRevoked(id) | Self::CompanionLost(id) => (id.0, 0),
            Self::ControlWanted(id) => (id.0, 0),
            Self::CertificateEnding(id, days) => (id.0, days),
            Self::OrderEnding(days) => (0, days),
            Self::CertificateRevoked(id) => (id.0, 0),
        }
    }

    /// Reads [`News::kind`] and [`News::about`] back.
    pub fn parse(kind: &str, subject: i64, days: u32) -> Option<Self> {
        [
            Self::CsrWanted(CertificateId(subject)),
            Self::ControlWanted(IssuanceId(subject)),
            Self::CertificateEnding(CertificateId(subject), days),
            Self::OrderEnding(days),
            Self::CertificateRevoked(CertificateId(subject)),
            Self::CaRevoked(CertificateId(subject)),
            Self::CompanionLost(CertificateId(subject)),
        ]
        .into_iter()
        .find(|news| news.kind() == kind)
    }
}
