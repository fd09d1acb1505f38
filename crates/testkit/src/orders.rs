//! Valid things to begin with: CSRs and the body of an order.

use chancery_domain::names::DomainName;
use chancery_pki::csr::{CsrSubject, GeneratedCsr, generate_csr};
pub use chancery_pki::keys::KeyAlgorithm as Key;
use chancery_pki::pem;
use serde_json::{Value, json};

/// A CSR for these names, PEM; the first is the common one.
pub fn csr(names: &[&str]) -> String {
    csr_with_key(names, Key::P256).csr_pem
}

/// The same, DER.
pub fn csr_der(names: &[&str]) -> Vec<u8> {
    pem::decode(&csr(names), &["CERTIFICATE REQUEST"]).unwrap()
}

/// A CSR with its key, which is of this kind.
pub fn csr_with_key(names: &[&str], key: Key) -> GeneratedCsr {
    let parsed = |name: &&str| DomainName::parse(name).unwrap();
    let subject = CsrSubject {
        common_name: parsed(&names[0]),
        organization: None,
        organization_unit: None,
        city: None,
        state: None,
        country: None,
        email: None,
        names: names[1..].iter().map(parsed).collect(),
    };
    generate_csr(&subject, key).unwrap()
}

/// The body of an order of one year; the first name is the common one.
pub fn order_for(
    product: &str,
    method: &str,
    names: &[&str],
    administrator: &str,
    technical: &str,
) -> Value {
    let mut order = json!({
        "productKey": product, "term": 1, "csr": csr(&names[..1]), "authType": method,
        "administratorContactId": administrator, "technicalContactId": technical,
    });
    if names.len() > 1 {
        order["sanfield"] = json!(names[1..]);
    }
    order
}
