//! CSRs: read one, or make one with its key.

use chancery_domain::fields::{Field, FieldError};
use chancery_pki::csr::{self, Csr, CsrSubject, GeneratedCsr};
use chancery_pki::keys::KeyAlgorithm;

use crate::{App, AppError, Refusal};

impl App {
    /// Reads a CSR, its signature and key checked.
    pub fn decode_csr(&self, text: &str) -> Result<Csr, AppError> {
        Csr::parse(text)
            .map_err(|error| AppError::field(FieldError::invalid(Field::Csr, error.to_string())))
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
        let _permit = self.0.key_makers.acquire().await.map_err(AppError::internal)?;
        tokio::task::spawn_blocking(move || csr::generate_csr(&subject, algorithm))
            .await
            .map_err(AppError::internal)?
            .map_err(AppError::internal)
    }
}
