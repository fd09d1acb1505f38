//! Runs of showing control: what looks, messages and proofs on record are of.

use crate::issuances::IssuanceId;

crate::id! {
    /// The id of a run of showing control of names. An issuance is one; ids of all kinds of runs come from one
    /// sequence.
    ValidationId
}

impl From<IssuanceId> for ValidationId {
    fn from(id: IssuanceId) -> Self {
        Self(id.0)
    }
}
