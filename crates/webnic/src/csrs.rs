//! CSRs: read one, or make one with its key.

use axum::extract::State;
use chancery_app::{App, Csr, CsrSubject, KeyAlgorithm};
use chancery_domain::fields::{Field, FieldError, Problem, SubjectPart};
use chancery_domain::names::DomainName;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Caller;
use crate::body::{Body, FromMembers, Members, integer, pem, text, texts};
use crate::envelope::Envelope;
use crate::errors::WebnicError;

/// What a CSR is to say, and by which kind of key.
pub(crate) struct GenerateCsr {
    subject: CsrSubject,
    algorithm: KeyAlgorithm,
}

/// The sizes of key that are made, in bits; the last two are elliptic curves.
pub(crate) const KEY_SIZES: [(i64, KeyAlgorithm); 5] = [
    (2048, KeyAlgorithm::Rsa2048),
    (3072, KeyAlgorithm::Rsa3072),
    (4096, KeyAlgorithm::Rsa4096),
    (256, KeyAlgorithm::P256),
    (384, KeyAlgorithm::P384),
];

impl FromMembers for GenerateCsr {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        let common_name = body.require(Field::CommonName, text);
        let common_name = common_name.and_then(|text| name(&mut body, Field::CommonName, &text));
        let further = body.take(Field::Names, texts).unwrap_or_default();
        let names = further
            .iter()
            .filter_map(|text| name(&mut body, Field::Names, text))
            .collect();
        let mut part = |part| body.take(Field::Subject(part), text);
        let (organization, organization_unit) = (
            part(SubjectPart::Organization),
            part(SubjectPart::OrganizationUnit),
        );
        let (city, state) = (part(SubjectPart::City), part(SubjectPart::State));
        let (country, email) = (part(SubjectPart::Country), part(SubjectPart::Email));
        let algorithm = body.take(Field::KeySize, integer).map_or_else(
            || Some(KeyAlgorithm::Rsa2048),
            |bits| {
                let sold = KEY_SIZES.iter().find(|(size, _)| *size == bits);
                if sold.is_none() {
                    let sizes = KEY_SIZES.map(|(size, _)| size.to_string()).to_vec();
                    let problem = Problem::NotOneOf(sizes);
                    body.note(FieldError {
                        field: Field::KeySize,
                        problem,
                    });
                }
                sold.map(|(_, algorithm)| *algorithm)
            },
        );
        let faults = body.into_faults();
        match (common_name, algorithm) {
            (Some(common_name), Some(algorithm)) if faults.is_empty() => Ok(Self {
                subject: CsrSubject {
                    common_name,
                    organization,
                    organization_unit,
                    city,
                    state,
                    country: country.map(|code| code.to_ascii_uppercase()),
                    email,
                    names,
                },
                algorithm,
            }),
            _ => Err(faults.into()),
        }
    }
}

fn name(body: &mut Members, field: Field, text: &str) -> Option<DomainName> {
    let fault = |error| FieldError::invalid(field, format!("{text}: {error}"));
    DomainName::parse(text)
        .map_err(|error| body.note(fault(error)))
        .ok()
}

/// A CSR to be read.
pub(crate) struct DecodeCsr(String);

impl FromMembers for DecodeCsr {
    fn from_members(mut body: Members) -> Result<Self, WebnicError> {
        match body.require(Field::Csr, pem) {
            Some(csr) => Ok(Self(csr)),
            None => Err(body.into_faults().into()),
        }
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "GeneratedCsr")]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeneratedView<'a> {
    /// PEM.
    csr: &'a str,
    /// PEM; not kept.
    private_key: &'a str,
}

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Csr")]
#[serde(rename_all = "camelCase")]
pub(crate) struct CsrView<'a> {
    common_name: Option<&'a str>,
    organization: Option<&'a str>,
    organization_unit: Option<&'a str>,
    city: Option<&'a str>,
    state: Option<&'a str>,
    country_code: Option<&'a str>,
    email: Option<&'a str>,
    /// In bits.
    key_size: usize,
    signature_algorithm: &'a str,
    /// The names it asks for.
    sanfield: &'a [String],
    /// What it asks for in vain, each in a few words.
    ignored: &'a [String],
}

impl<'a> CsrView<'a> {
    fn of(csr: &'a Csr) -> Self {
        Self {
            common_name: csr.common_name.as_deref(),
            organization: csr.organization.as_deref(),
            organization_unit: csr.organization_unit.as_deref(),
            city: csr.city.as_deref(),
            state: csr.state.as_deref(),
            country_code: csr.country.as_deref(),
            email: csr.email.as_deref(),
            key_size: csr.key_bits,
            signature_algorithm: csr.signature_algorithm,
            sanfield: &csr.dns_names,
            ignored: &csr.ignored,
        }
    }
}

/// `POST /ssl/v2/generate-csr`
pub(crate) async fn generate(
    State(app): State<App>,
    Caller(_): Caller,
    Body(asked): Body<GenerateCsr>,
) -> Result<Envelope, WebnicError> {
    let made = app.generate_csr(asked.subject, asked.algorithm).await?;
    let private_key = made.private_key_pem.expose();
    Ok(Envelope::of(&GeneratedView {
        csr: &made.csr_pem,
        private_key,
    }))
}

/// `POST /ssl/v2/decode-csr`
pub(crate) async fn decode(
    State(app): State<App>,
    Caller(_): Caller,
    Body(DecodeCsr(text)): Body<DecodeCsr>,
) -> Result<Envelope, WebnicError> {
    let csr = app.decode_csr(&text).await?;
    Ok(Envelope::of(&CsrView::of(&csr)))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<GenerateCsr, WebnicError> {
        GenerateCsr::from_members(Members::parse(body.to_string().as_bytes())?)
    }

    #[test]
    fn only_the_common_name_is_needed() {
        let asked = read(&json!({"commonName": "Shop.Example"})).unwrap();
        assert_eq!(asked.subject.common_name.as_str(), "shop.example");
        assert_eq!(asked.algorithm, KeyAlgorithm::Rsa2048);
        let body = json!({
            "commonName": "shop.example",
            "countryCode": "my",
            "keySize": "4096",
            "sanfield": ["www.shop.example"]
        });
        let asked = read(&body).unwrap();
        assert_eq!(asked.algorithm, KeyAlgorithm::Rsa4096);
        assert_eq!(asked.subject.country.as_deref(), Some("MY"));
        assert_eq!(asked.subject.names.len(), 1);
    }

    #[tokio::test]
    async fn every_fault_is_told() {
        let body = json!({"keySize": 1024, "sanfield": ["a b"], "city": 5});
        let response = read(&body).err().unwrap().into_response();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let entries = body["validationErrors"].as_array().unwrap();
        let fields: Vec<&str> = entries
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["commonName", "sanfield", "city", "keySize"]);
    }
}
