//! Certificates, for download.

use chancery_domain::orders::OrderId;
use chancery_domain::resellers::Reseller;
use chancery_pki::certificate::to_pem;

use crate::{App, AppError, Refusal};

/// A certificate and what it takes to trust it, as PEM (RFC 7468).
#[derive(Clone, Debug)]
pub struct IssuedCertificate {
    /// The common name, for a file name.
    pub common_name: String,
    /// The certificate.
    pub leaf: String,
    /// The issuing CA's certificate. The root is left out: who trusts it has it.
    pub chain: String,
    /// The root's certificate, for those who ask for all there is.
    pub root: String,
}

impl App {
    /// The latest certificate of an order.
    pub async fn certificate(
        &self,
        reseller: &Reseller,
        id: OrderId,
    ) -> Result<IssuedCertificate, AppError> {
        let report = self.order(reseller, Some(id), None).await?;
        let certificates = self.store.certificates_of(id).await?;
        let latest = certificates
            .iter()
            .find_map(|certificate| certificate.der());
        let der = latest.ok_or(Refusal::NotIssued)?;
        Ok(IssuedCertificate {
            common_name: report.file.order.common_name().to_string(),
            leaf: to_pem(der),
            chain: self.authority.chain_pem(),
            root: self.authority.root_pem(),
        })
    }
}
