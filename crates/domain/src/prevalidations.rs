//! Pre-validations: domains that a reseller proves ahead of any order.
//!
//! One is a run of showing control like an issuance, of one domain and without a certificate at its end. A domain is
//! proved again in the same place, before or after its proof has grown old. What is proved serves those orders of the
//! reseller that ask for it.

use jiff::Timestamp;

use crate::TransitionError;
use crate::authorizations::{Challenge, Method};
use crate::issuances::{NameControl, Proof};
use crate::looks::Pace;
use crate::names::DomainName;
use crate::resellers::ResellerId;
use crate::validations::ValidationId;

crate::id! {
    /// The id of a [`Prevalidation`].
    PrevalidationId
}

impl From<PrevalidationId> for ValidationId {
    fn from(id: PrevalidationId) -> Self {
        Self(id.0)
    }
}

/// A domain that is proved ahead of any order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prevalidation {
    /// Its id.
    pub id: PrevalidationId,
    /// Whose it is.
    pub reseller: ResellerId,
    /// The domain, what is asked for it, and the latest proof. Never a wildcard: names below are covered where the
    /// method covers them.
    pub control: NameControl,
    /// How many looks at the world have been made; paces the next.
    pub looks: u32,
    /// When the last look was made.
    pub looked_at: Option<Timestamp>,
    /// The end of the time to show control.
    pub validate_by: Timestamp,
    /// How far it has come.
    pub state: PrevalidationState,
    /// When the domain was first asked about.
    pub created_at: Timestamp,
    /// When it last moved.
    pub modified_at: Timestamp,
    /// Counts the moves; the store saves a move only over the version it was read at.
    pub version: i64,
}

/// How far a pre-validation has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrevalidationState {
    /// Control is to be shown.
    Validating,
    /// Control was shown.
    Proved,
    /// Control was not shown in time.
    Expired,
    /// The reseller, or an operator, does not want it any more.
    Dropped,
}

impl PrevalidationState {
    const ALL: [Self; 4] = [Self::Validating, Self::Proved, Self::Expired, Self::Dropped];

    /// The word under which the state is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::Proved => "proved",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
        }
    }

    /// Reads [`PrevalidationState::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// How a domain stands for orders that ask for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Control is to be shown, and nothing serves until then.
    Pending,
    /// What was shown serves, whether or not it is to be shown anew.
    Proved,
    /// Nothing serves: control was not shown in time, or too long ago.
    Expired,
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "validating",
            Self::Proved => "proved",
            Self::Expired => "expired",
        }
    }
}

impl Prevalidation {
    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.control.name
    }

    /// How control is to be shown.
    pub fn method(&self) -> Method {
        self.control.challenge.method()
    }

    /// Whether control is to be shown, and there is time for it.
    pub fn waits(&self, now: Timestamp) -> bool {
        self.state == PrevalidationState::Validating && now < self.validate_by
    }

    /// Asks for control to be shown, anew or in another way. Old challenges are void from here on; what was proved
    /// before is on record elsewhere, and stays.
    pub fn ask(
        self,
        challenge: Challenge,
        validate_by: Timestamp,
        now: Timestamp,
    ) -> Result<Self, TransitionError> {
        if self.state == PrevalidationState::Dropped {
            return Err(self.cannot("be asked for"));
        }
        Ok(Self {
            control: NameControl {
                name: self.control.name,
                challenge,
                proof: None,
            },
            looks: 0,
            looked_at: None,
            validate_by,
            state: PrevalidationState::Validating,
            modified_at: now,
            ..self
        })
    }

    /// Whether someone who asks may have a look made now, rather than when it is due.
    pub fn may_look(&self, now: Timestamp) -> bool {
        self.waits(now) && self.pace().may_look(now)
    }

    /// How far its looks have come, at the pace of an order's.
    pub fn pace(&self) -> Pace {
        Pace {
            looks: self.looks,
            looked_at: self.looked_at,
            challenged_at: self.modified_at,
        }
    }

    /// How the domain stands for orders, given until when what was shown of it may be used.
    pub fn standing(&self, valid_until: Option<Timestamp>, now: Timestamp) -> Standing {
        match valid_until {
            Some(until) if now < until => Standing::Proved,
            _ if self.state == PrevalidationState::Validating => Standing::Pending,
            _ => Standing::Expired,
        }
    }

    /// Notes that a look at the world was made.
    pub fn looked(&mut self, now: Timestamp) {
        self.looks = self.looks.saturating_add(1);
        self.looked_at = Some(now);
    }

    /// Notes that control was shown.
    pub fn prove(self, proof: Proof, now: Timestamp) -> Result<Self, TransitionError> {
        if self.state != PrevalidationState::Validating {
            return Err(self.cannot("be proved"));
        }
        Ok(Self {
            control: NameControl {
                proof: Some(proof),
                ..self.control
            },
            state: PrevalidationState::Proved,
            modified_at: now,
            ..self
        })
    }

    /// Notes that the time to show control is over.
    pub fn expire(self, now: Timestamp) -> Result<Self, TransitionError> {
        if self.state != PrevalidationState::Validating {
            return Err(self.cannot("expire"));
        }
        Ok(Self {
            state: PrevalidationState::Expired,
            modified_at: now,
            ..self
        })
    }

    /// Ends it: what was proved is not used any more.
    pub fn discard(self, now: Timestamp) -> Result<Self, TransitionError> {
        if self.state == PrevalidationState::Dropped {
            return Err(self.cannot("be dropped"));
        }
        Ok(Self {
            state: PrevalidationState::Dropped,
            modified_at: now,
            ..self
        })
    }

    fn cannot(&self, verb: &'static str) -> TransitionError {
        TransitionError {
            what: "a domain",
            state: self.state.as_str(),
            verb,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn a_challenge() -> Challenge {
        Challenge::Email {
            approver: "admin@shop.example".to_owned(),
        }
    }

    fn a_prevalidation() -> Prevalidation {
        Prevalidation {
            id: PrevalidationId(7),
            reseller: ResellerId(2001),
            control: NameControl {
                name: DomainName::parse("shop.example").unwrap(),
                challenge: a_challenge(),
                proof: None,
            },
            looks: 3,
            looked_at: Some(at(0)),
            validate_by: at(100),
            state: PrevalidationState::Validating,
            created_at: at(0),
            modified_at: at(0),
            version: 0,
        }
    }

    fn a_proof() -> Proof {
        Proof {
            domain: DomainName::parse("shop.example").unwrap(),
            method: Method::Email,
            obtained_at: at(5),
        }
    }

    proptest! {
        /// However it is pushed: proved is what has a proof, and what was dropped never moves again.
        #[test]
        fn a_dropped_domain_never_moves(steps in prop::collection::vec(0..4_u8, 0..12)) {
            let mut held = a_prevalidation();
            for step in steps {
                let before = held.clone();
                let moved = match step {
                    0 => held.clone().ask(a_challenge(), at(200), at(9)),
                    1 => held.clone().prove(a_proof(), at(9)),
                    2 => held.clone().expire(at(9)),
                    _ => held.clone().discard(at(9)),
                };
                held = moved.unwrap_or_else(|_| before.clone());
                let is_proved = held.state == PrevalidationState::Proved;
                prop_assert!(!is_proved || held.control.proof.is_some());
                prop_assert!(before.state != PrevalidationState::Dropped || held == before);
            }
        }
    }

    #[test]
    fn a_domain_serves_as_long_as_a_proof_of_it_does() {
        let open = a_prevalidation();
        assert_eq!(open.standing(None, at(9)), Standing::Pending);
        let proved = open.prove(a_proof(), at(9)).unwrap();
        assert_eq!(proved.standing(Some(at(50)), at(49)), Standing::Proved);
        assert_eq!(proved.standing(Some(at(50)), at(50)), Standing::Expired);
        let again = proved.ask(a_challenge(), at(500), at(10)).unwrap();
        assert_eq!(again.standing(Some(at(50)), at(49)), Standing::Proved);
        assert_eq!(again.standing(Some(at(50)), at(50)), Standing::Pending);
        let expired = again.expire(at(30)).unwrap();
        assert_eq!(expired.standing(Some(at(50)), at(49)), Standing::Proved);
        assert_eq!(expired.standing(None, at(49)), Standing::Expired);
    }

    #[test]
    fn asking_anew_begins_from_the_start() {
        let proved = a_prevalidation().prove(a_proof(), at(9)).unwrap();
        assert!(!proved.waits(at(9)));
        let again = proved.ask(a_challenge(), at(500), at(10)).unwrap();
        assert_eq!((again.looks, again.looked_at), (0, None));
        assert!(again.waits(at(499)) && !again.waits(at(500)));
        assert_eq!(again.control.proof, None);
    }
}
