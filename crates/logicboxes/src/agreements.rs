//! What registrants have to agree to.

use crate::hashtable::Hashtable;
use crate::routes::{Answer, Call};

/// The version of the .ca agreement that clients send back as the attribute `AgreementVersion`.
pub(crate) const DOTCA_VERSION: &str = "2.0";

const DOTCA: &str = include_str!("../assets/dotca_agreement.html");

/// `contacts/dotca/registrantagreement`
pub(crate) async fn dotca(_: Call) -> Answer {
    let mut agreement = Hashtable::new();
    agreement.put("version", DOTCA_VERSION);
    agreement.put("agreement", DOTCA.trim_end());
    Ok(agreement.into())
}
