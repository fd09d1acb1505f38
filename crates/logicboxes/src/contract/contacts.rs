//! Contacts.

use serde_json::json;

use super::{Operation, texts};
use crate::agreements::DOTCA_VERSION;

const TAG: &str = "LogicBoxes: contacts";

pub(crate) const REGISTRANT_AGREEMENT: Operation = Operation::new(
    TAG,
    "logicboxesContactsRegistrantAgreement",
    "Registrant agreement of .ca",
    "What registrants of .ca agree to; `version` is for the attribute `AgreementVersion`.",
    || texts(&["version", "agreement"], &[]),
    || json!({ "version": DOTCA_VERSION, "agreement": "<h1>Registrant agreement</h1>" }),
);
