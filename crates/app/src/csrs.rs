//! CSRs: read one, or make one with its key.

use chancery_domain::fields::{Field, FieldError, SubjectPart};
use chancery_pki::csr::{self, Csr, CsrSubject, GeneratedCsr};
use chancery_pki::keys::KeyAlgorithm;
use chancery_pki::names::{Attributes, encode_name};

use crate::{App, AppError, Refusal};

impl App {
    /// Reads a CSR, its signature and key checked.
    pub async fn decode_csr(&self, text: &str) -> Result<Csr, AppError> {
        let invalid = |text: String| AppError::field(FieldError::invalid(Field::Csr, text));
        let csr = Csr::parse(text).map_err(|error| invalid(error.to_string()))?;
        match self.key_fault(&csr).await? {
            Some(fault) => Err(AppError::field(fault)),
            None => Ok(csr),
        }
    }

    /// Makes a key and a CSR for it. The key is returned once and kept nowhere.
    pub async fn generate_csr(
        &self,
        subject: CsrSubject,
        algorithm: KeyAlgorithm,
    ) -> Result<GeneratedCsr, AppError> {
        if !self.settings.generate_keys {
            return Err(Refusal::KeyGenerationOff.into());
        }
        let faults = subject_faults(&subject);
        if !faults.is_empty() {
            return Err(AppError::Invalid(faults));
        }
        self.compute(move || csr::generate_csr(&subject, algorithm))
            .await?
            .map_err(AppError::internal)
    }
}

/// What is wrong with the parts of a subject, each judged by itself so that all is told at once.
fn subject_faults(subject: &CsrSubject) -> Vec<FieldError> {
    let none = Attributes::default();
    let (organization, unit) = (
        subject.organization.as_deref(),
        subject.organization_unit.as_deref(),
    );
    let parts = [
        (
            SubjectPart::Organization,
            Attributes {
                organization,
                ..none
            },
        ),
        (
            SubjectPart::OrganizationUnit,
            Attributes {
                organization_unit: unit,
                ..none
            },
        ),
        (
            SubjectPart::City,
            Attributes {
                locality: subject.city.as_deref(),
                ..none
            },
        ),
        (
            SubjectPart::State,
            Attributes {
                state: subject.state.as_deref(),
                ..none
            },
        ),
        (
            SubjectPart::Country,
            Attributes {
                country: subject.country.as_deref(),
                ..none
            },
        ),
        (
            SubjectPart::Email,
            Attributes {
                email: subject.email.as_deref(),
                ..none
            },
        ),
    ];
    let fault = |(part, attributes): &(SubjectPart, Attributes<'_>)| {
        let error = encode_name(attributes).err()?;
        Some(FieldError::invalid(
            Field::Subject(*part),
            error.to_string(),
        ))
    };
    parts.iter().filter_map(fault).collect()
}
