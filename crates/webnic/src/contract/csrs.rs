//! CSRs.

use chancery_domain::fields::{Field, SubjectPart};
use serde_json::{Value, json};

use super::{Described, Operation, fields};
use crate::csrs::{CsrView, DecodeCsr, GenerateCsr, GeneratedView};

const TAG: &str = "CSR";

/// A CSR for `shop.example`.
pub(super) const A_CSR: &str = "-----BEGIN CERTIFICATE REQUEST-----
MIHSMHkCAQAwFzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEKMktKI8PPUo9zkclSMH1Hd/GNZtcKDkjecJdr8TfBblSKGRf
MfmILVhXBOUfdJRl4/VJEVWz/GfUrXq4fEl0+KAAMAoGCCqGSM49BAMCA0kAMEYC
IQC5WxpsrLofWtx2Cnn1rxhqJMen3OS+kzefWNsXGaQLdwIhAKTNQ566aKysgidt
r4MdbEMaT8b46xT8m4Ou46/HuFZA
-----END CERTIFICATE REQUEST-----
";

impl Described for GenerateCsr {
    const NAME: &'static str = "GenerateCsr";

    fn schema() -> Value {
        let subject = [
            SubjectPart::Organization,
            SubjectPart::OrganizationUnit,
            SubjectPart::City,
            SubjectPart::State,
            SubjectPart::Country,
            SubjectPart::Email,
        ];
        let mut optional = subject.map(Field::Subject).to_vec();
        optional.extend([Field::Names, Field::KeySize]);
        fields::object(&[Field::CommonName], &optional)
    }
}

impl Described for DecodeCsr {
    const NAME: &'static str = "DecodeCsr";

    fn schema() -> Value {
        fields::object(&[Field::Csr], &[])
    }
}

pub(crate) const GENERATE: Operation = Operation::new(
    TAG,
    "generateCsr",
    "Generate CSR",
    "Makes a key and a CSR for it. The key is not kept. An operator may have switched this off.",
)
.takes::<GenerateCsr>(|| {
    json!({
        "commonName": "shop.example",
        "organization": "Shop Ltd",
        "organizationUnit": "IT",
        "city": "Kuala Lumpur",
        "state": "Selangor",
        "countryCode": "MY",
        "email": "ann@shop.example",
        "sanfield": ["www.shop.example"],
        "keySize": 256,
    })
})
.answers::<GeneratedView<'static>>(
    || json!({ "csr": A_CSR, "privateKey": "-----BEGIN PRIVATE KEY-----\n…" }),
);

pub(crate) const DECODE: Operation =
    Operation::new(TAG, "decodeCsr", "Decode CSR", "What a CSR says.")
        .takes::<DecodeCsr>(|| json!({ "csr": A_CSR }))
        .answers::<CsrView<'static>>(|| {
            json!({
                "commonName": "shop.example",
                "organization": null,
                "organizationUnit": null,
                "city": null,
                "state": null,
                "countryCode": null,
                "email": null,
                "keySize": 256,
                "signatureAlgorithm": "ecdsa-with-SHA256",
                "sanfield": [],
                "ignored": [],
            })
        });
