//! Showing control of names.

use chancery_domain::fields::Field;
use serde_json::{Value, json};

use super::{Described, Operation, fields};
use crate::validations::{AuthInfoView, ChangeApprovers, ChangeMethod, StatusView};

const TAG: &str = "Domain validations";

impl Described for ChangeMethod {
    const NAME: &'static str = "ChangeAuthType";

    fn schema() -> Value {
        fields::object(&[Field::Method], &[Field::Approver])
    }
}

impl Described for ChangeApprovers {
    const NAME: &'static str = "ChangeApprovers";

    fn schema() -> Value {
        fields::object(&[Field::Approver], &[])
    }
}

/// What is asked for the names of an order.
pub(super) fn controls() -> Value {
    json!({
        "orderId": "757512302",
        "commonName": {
            "name": "shop.example",
            "authType": "dns",
            "value": "k3ju6qhcq4uxbvfyc6n6a5yzm2b7w2yd",
            "recordType": "TXT",
            "host": "_dnsauth.shop.example",
            "status": "PENDING",
        },
        "san": [{
            "name": "www.shop.example",
            "authType": "file",
            "value": "x7pl2mvhs5ytz4gnw3cqk6jdra2f5u7e",
            "path": "/.well-known/pki-validation/",
            "fileName": "fileauth.txt",
            "status": "VALIDATED",
        }],
    })
}

fn auth_info() -> Value {
    let mut info = controls();
    info["observations"] = json!([{
        "name": "shop.example",
        "authType": "dns",
        "at": "2026-12-02T09:43:34Z",
        "asked": "_dnsauth.shop.example TXT",
        "of": "192.0.2.53",
        "found": "",
        "outcome": "not_found",
        "advice": "publish the record and wait until it can be seen",
    }]);
    info
}

pub(crate) const STATUS: Operation = Operation::new(
    TAG,
    "checkDcvStatus",
    "Check DCV status",
    "How the order stands. Asking brings the next look at the names forward.",
)
.answers::<StatusView>(
    || json!({ "orderId": "757512302", "orderStatus": "IN_PROCESS", "certStatus": "INITIAL" }),
);

pub(crate) const INFO: Operation = Operation::new(
    TAG,
    "getAuthInfo",
    "Get auth info",
    "What is to be shown for each name, and what the latest look at each has seen.",
)
.answers::<AuthInfoView<'static>>(auth_info);

pub(crate) const CHANGE: Operation = Operation::new(
    TAG,
    "changeAuthType",
    "Change auth type",
    "Gives every name that is not proved yet a new value, also when the type stays the same; old values are void.",
)
.takes::<ChangeMethod>(|| json!({ "authType": "file" }))
.answers::<AuthInfoView<'static>>(auth_info);

pub(crate) const CHANGE_APPROVERS: Operation = Operation::new(
    TAG,
    "updateApprovers",
    "Update email approver",
    "For orders that are validated by email.",
)
.takes::<ChangeApprovers>(|| json!({ "approverEmail": ["hostmaster@shop.example"] }))
.answers::<AuthInfoView<'static>>(auth_info);

pub(crate) const RESEND: Operation = Operation::new(
    TAG,
    "sendApproverEmail",
    "Send email approver",
    "Sends the messages again, within bounds.",
);

pub(crate) const APPROVERS: Operation = Operation::new(
    TAG,
    "listApprovers",
    "Approver list",
    "The addresses that may approve a name.",
)
.query(&[("commonName", true)])
.answers::<Vec<String>>(|| json!(["admin@shop.example", "administrator@shop.example"]));
