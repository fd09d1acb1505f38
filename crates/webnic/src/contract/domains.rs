//! Domains proved ahead of any order, and proofs.

use chancery_domain::fields::Field;
use serde_json::{Value, json};

use super::{Described, Operation, fields};
use crate::domains::{DomainInfoView, DomainView, ProofView, ValidateDomain};

const TAG: &str = "Domains and proofs";

impl Described for ValidateDomain {
    const NAME: &'static str = "ValidateDomain";

    fn schema() -> Value {
        fields::object(&[Field::Domain, Field::Method], &[Field::Approver])
    }
}

fn a_domain() -> Value {
    json!({
        "domainId": "4711",
        "domainStatus": "PENDING",
        "challenge": {
            "name": "shop.example",
            "authType": "dns",
            "value": "k3ju6qhcq4uxbvfyc6n6a5yzm2b7w2yd",
            "recordType": "TXT",
            "host": "_dnsauth.shop.example",
            "status": "PENDING",
        },
        "dtcreate": "2026-12-02T09:42:34Z",
        "dtvalidateBy": "2027-01-01T09:42:34Z",
        "dtvalidate": null,
        "dtexpire": null,
    })
}

fn domain_info() -> Value {
    let mut info = a_domain();
    info["observations"] = json!([]);
    info
}

pub(crate) const VALIDATE: Operation = Operation::new(
    TAG,
    "validateDomain",
    "Validate domain",
    "Asks for control of a domain to be shown ahead of any order, or once more. What is shown serves those orders of \
     the reseller that say `usePrevalidated`. The same again while it is open changes nothing.",
)
.takes::<ValidateDomain>(|| json!({ "domain": "shop.example", "authType": "dns" }))
.answers::<DomainInfoView<'static>>(domain_info);

pub(crate) const LIST: Operation = Operation::new(
    TAG,
    "listDomains",
    "List domains",
    "The domains that were to be shown ahead of any order, the newest first; at most 500, before the domain of a \
     number.",
)
.query(&[("before", false)])
.answers::<Vec<DomainView<'static>>>(|| json!([a_domain()]));

pub(crate) const INFO: Operation = Operation::new(
    TAG,
    "getDomain",
    "Get domain info",
    "What is to be shown, and what the latest look saw. Asking brings the next look forward.",
)
.answers::<DomainInfoView<'static>>(domain_info);

pub(crate) const DROP: Operation = Operation::new(
    TAG,
    "dropDomain",
    "Drop domain",
    "What was shown is not used any more. Certificates stay.",
);

pub(crate) const PROOFS: Operation = Operation::new(
    TAG,
    "listProofs",
    "List proofs",
    "The proofs on record that may be used, the newest first; at most 500: all, those of a domain and the names below \
     it, those of an order, or those before the proof of a number.",
)
.query(&[("domain", false), ("orderId", false), ("before", false)])
.answers::<Vec<ProofView<'static>>>(|| {
    json!([{
        "proofId": "4712",
        "domain": "shop.example",
        "authType": "dns",
        "dtvalidate": "2026-12-02T09:45:02Z",
        "dtexpire": "2027-06-20T09:45:02Z",
        "orderId": "757512302",
        "domainId": null,
    }])
});

pub(crate) const DROP_PROOF: Operation = Operation::new(
    TAG,
    "dropProof",
    "Drop proof",
    "It is not used any more. A certificate that rests on it stays; the next one takes a new proof.",
);
