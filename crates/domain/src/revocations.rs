//! Revocation: why a certificate is revoked, who may say so, and by when it has to be done.
//!
//! A certificate in force can be revoked at any time, whatever the state of its order, term or money. A key that is
//! told to be compromised is blocked for ever, and all certificates with it are revoked (BR 4.9.1.1, 6.1.1.3).

use jiff::{SignedDuration, Timestamp};

use crate::events::Actor;
use crate::operators::OperatorName;

/// Why a certificate is revoked: the CRLReasons of BR 7.2.2 that may stand for a subscriber's certificate. There is no
/// *certificateHold*: nothing is suspended (BR 4.9.13).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RevocationReason {
    /// No reason is given.
    Unspecified,
    /// The private key is known to somebody else.
    KeyCompromise,
    /// The names or other facts about the subscriber have changed.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// The names are not used any more.
    CessationOfOperation,
    /// The subscriber has broken its obligations, or the request was not authorized.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// Those that a subscriber, or whoever holds the key, may give (BR 7.2.2).
    pub const OF_SUBSCRIBERS: [Self; 5] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// The CRLReason (RFC 5280 §5.3.1).
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }

    /// The reason with a CRLReason.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The code in an entry of a revocation list: *unspecified* is told by leaving it out (BR 7.2.2).
    pub fn entry_code(self) -> Option<u8> {
        Some(self.code()).filter(|code| *code != 0)
    }

    /// The name (RFC 5280 §5.3.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        }
    }

    /// Reads a reason by its name, in any case and with or without hyphens, underscores or spaces between the words,
    /// or by its number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(code) = text.parse() {
            return Self::from_code(code);
        }
        let letters = text.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
        let name: String = letters.collect();
        let mut all = Self::ALL.into_iter();
        all.find(|reason| reason.name().eq_ignore_ascii_case(&name))
    }

    /// Whether the key must never be certified again.
    pub fn blocks_key(self) -> bool {
        self == Self::KeyCompromise
    }
}

impl std::fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// At whose wish something is revoked, or a key is blocked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Requester {
    /// The reseller, for the subscriber.
    Reseller,
    /// Somebody who has shown to hold the private key.
    KeyHolder,
    /// A person who runs the platform.
    Operator(OperatorName),
    /// The platform, as a consequence of something else.
    Platform,
}

impl Requester {
    /// The reasons it may give (BR 7.2.2).
    pub fn reasons(&self) -> &'static [RevocationReason] {
        match self {
            Self::Reseller | Self::KeyHolder => &RevocationReason::OF_SUBSCRIBERS,
            Self::Operator(_) | Self::Platform => &RevocationReason::ALL,
        }
    }

    /// How long revoking may take (BR 4.9.1.1): a day where the subscriber or the key's holder asks, and where the
    /// reason may stand for a compromised key, a proof not to be relied on or a request that was not authorized; else
    /// five days. Of several cases that a reason stands for, the strictest counts.
    pub fn time_limit(&self, reason: RevocationReason) -> SignedDuration {
        const DAY: SignedDuration = SignedDuration::from_hours(24);
        match (self, reason) {
            (Self::Reseller | Self::KeyHolder, _) => DAY,
            (
                _,
                RevocationReason::KeyCompromise
                | RevocationReason::Superseded
                | RevocationReason::PrivilegeWithdrawn,
            ) => DAY,
            (
                _,
                RevocationReason::Unspecified
                | RevocationReason::AffiliationChanged
                | RevocationReason::CessationOfOperation,
            ) => DAY * 5,
        }
    }

    /// As what it stands in a history.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Reseller => Actor::Reseller,
            Self::KeyHolder => Actor::KeyHolder,
            Self::Operator(name) => name.actor(),
            Self::Platform => Actor::Platform,
        }
    }

    /// Reads back what [`Requester`] is written as.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "reseller" => Some(Self::Reseller),
            "key holder" => Some(Self::KeyHolder),
            "platform" => Some(Self::Platform),
            _ => OperatorName::parse(text.strip_prefix("operator ")?)
                .ok()
                .map(Self::Operator),
        }
    }
}

impl std::fmt::Display for Requester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reseller => f.write_str("reseller"),
            Self::KeyHolder => f.write_str("key holder"),
            Self::Operator(name) => write!(f, "operator {name}"),
            Self::Platform => f.write_str("platform"),
        }
    }
}

/// That a certificate is revoked, as it is on record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocation {
    /// When it was revoked.
    pub at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
    /// At whose wish.
    pub by: Requester,
    /// When that was told.
    pub asked_at: Timestamp,
    /// By when it had to be done.
    pub due_at: Timestamp,
}

impl Revocation {
    /// A revocation that is done at `now`, and was asked for at `asked_at`.
    pub fn new(
        reason: RevocationReason,
        by: Requester,
        asked_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            at: now,
            reason,
            due_at: asked_at + by.time_limit(reason),
            by,
            asked_at,
        }
    }
}

crate::id! {
    /// The id of a [`BlockedKey`].
    BlockedKeyId
}

/// A key that is never certified again (BR 6.1.1.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlockedKey {
    /// Its id.
    pub id: BlockedKeyId,
    /// SHA-256 of its `SubjectPublicKeyInfo` in canonical form.
    pub spki_sha256: [u8; 32],
    /// At whose wish.
    pub by: Requester,
    /// Where that is known from, for people.
    pub note: Option<String>,
    /// Since when.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn an_operator() -> Requester {
        Requester::Operator(OperatorName::parse("anna").unwrap())
    }

    #[test]
    fn reasons_are_read_by_name_and_by_number() {
        for reason in RevocationReason::ALL {
            assert_eq!(RevocationReason::parse(reason.name()), Some(reason));
            assert_eq!(
                RevocationReason::parse(&reason.code().to_string()),
                Some(reason)
            );
        }
        let compromised = Some(RevocationReason::KeyCompromise);
        for text in ["key-compromise", "KEY_COMPROMISE", " Key Compromise ", "01"] {
            assert_eq!(RevocationReason::parse(text), compromised, "{text}");
        }
        // cACompromise, certificateHold, a number nobody has, removeFromCRL, aACompromise.
        for text in ["2", "6", "7", "8", "10", "256", "-1", "", "certificateHold"] {
            assert_eq!(RevocationReason::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_reason_is_told_by_leaving_it_out() {
        assert_eq!(RevocationReason::Unspecified.entry_code(), None);
        assert_eq!(RevocationReason::KeyCompromise.entry_code(), Some(1));
    }

    #[test]
    fn only_operators_withdraw_privileges() {
        let withdrawn = RevocationReason::PrivilegeWithdrawn;
        assert!(an_operator().reasons().contains(&withdrawn));
        for who in [Requester::Reseller, Requester::KeyHolder] {
            assert!(!who.reasons().contains(&withdrawn), "{who}");
        }
    }

    #[test]
    fn a_subscriber_is_served_within_a_day_and_nobody_waits_longer_than_five() {
        let hours = |who: &Requester, reason| who.time_limit(reason).as_hours();
        for reason in RevocationReason::ALL {
            assert_eq!(hours(&Requester::Reseller, reason), 24);
            assert_eq!(hours(&Requester::KeyHolder, reason), 24);
        }
        let operator = an_operator();
        assert_eq!(hours(&operator, RevocationReason::KeyCompromise), 24);
        assert_eq!(hours(&operator, RevocationReason::PrivilegeWithdrawn), 24);
        assert_eq!(
            hours(&operator, RevocationReason::CessationOfOperation),
            120
        );
    }

    #[test]
    fn who_asked_is_read_back() {
        for who in [
            Requester::Reseller,
            Requester::KeyHolder,
            Requester::Platform,
            an_operator(),
        ] {
            assert_eq!(Requester::parse(&who.to_string()), Some(who));
        }
        assert_eq!(Requester::parse("operator "), None);
        assert_eq!(Requester::parse("somebody"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_a_reason_or_none(text in ".{0,30}") {
            if let Some(reason) = RevocationReason::parse(&text) {
                prop_assert!(RevocationReason::ALL.contains(&reason));
            }
        }

        #[test]
        fn only_known_codes_are_reasons(code in any::<u8>()) {
            let known = [0, 1, 3, 4, 5, 9].contains(&code);
            prop_assert_eq!(RevocationReason::from_code(code).is_some(), known);
        }
    }
}
