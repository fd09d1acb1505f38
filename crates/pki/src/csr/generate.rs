//! Requests made for people who asked for one, with a fresh key.
//!
//! The private key is returned once, in a buffer that clears itself, and kept nowhere.

use chancery_domain::names::DomainName;
use der::asn1::SetOfVec;
use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::attr::Attribute;
use x509_cert::name::Name;
use x509_cert::request::{CertReqInfo, ExtensionReq, Version};
use zeroize::Zeroizing;

use crate::certificate::assemble;
use crate::keys::{KeyAlgorithm, SigningKey, SigningKeyError};
use crate::names::{Attributes, NameError, encode_name};
use crate::pem;
use crate::profiles::alternative_names;
use crate::structures::Malformed;

/// What a request is to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CsrSubject {
    /// The first name; left out of the subject where it exceeds X.520's 64 characters.
    pub common_name: DomainName,
    /// Legal name.
    pub organization: Option<String>,
    /// Part of the organization.
    pub organization_unit: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Further names; the common name need not be repeated.
    pub names: Vec<DomainName>,
}

/// A request and its key.
#[derive(Debug)]
pub struct GeneratedCsr {
    /// The request.
    pub csr_pem: String,
    /// The private key, PKCS#8, unencrypted.
    pub private_key_pem: PrivateKeyPem,
}

/// A private key as PEM. Does not print; clears itself.
pub struct PrivateKeyPem(Zeroizing<String>);

impl PrivateKeyPem {
    /// The PEM, to be handed to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKeyPem(..)")
    }
}

/// Why no request was made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GenerateCsrError {
    /// The subject cannot be written.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// What it is to say has no encoding.
    #[error("the CSR cannot be encoded")]
    Encoding(#[from] Malformed),
}

/// Makes a key and a request for it. RSA takes its time: keep it off the async runtime.
pub fn generate_csr(
    subject: &CsrSubject,
    algorithm: KeyAlgorithm,
) -> Result<GeneratedCsr, GenerateCsrError> {
    let common_name = Some(subject.common_name.as_str()).filter(|name| name.len() <= 64);
    let name = encode_name(&Attributes {
        country: subject.country.as_deref(),
        state: subject.state.as_deref(),
        locality: subject.city.as_deref(),
        organization: subject.organization.as_deref(),
        organization_unit: subject.organization_unit.as_deref(),
        common_name,
        email: subject.email.as_deref(),
    })?;
    let mut names = vec![&subject.common_name];
    for name in &subject.names {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let key = SigningKey::generate(algorithm)?;
    let info = write_info(&name, key.spki_der(), &names, common_name.is_none())?;
    let der = assemble(
        &info,
        algorithm.signature_algorithm_der(),
        &key.sign(&info)?,
    )?;
    let private_key_pem = Zeroizing::new(pem::encode("PRIVATE KEY", &key.to_pkcs8()?));
    Ok(GeneratedCsr {
        csr_pem: pem::encode("CERTIFICATE REQUEST", &der),
        private_key_pem: PrivateKeyPem(private_key_pem),
    })
}

fn write_info(
    name: &[u8],
    spki: &[u8],
    names: &[&DomainName],
    critical: bool,
) -> Result<Vec<u8>, Malformed> {
    let extensions = ExtensionReq(vec![alternative_names(names.iter().copied(), critical)?]);
    let info = CertReqInfo {
        version: Version::V1,
        subject: Name::from_der(name)?,
        public_key: SubjectPublicKeyInfoOwned::from_der(spki)?,
        attributes: SetOfVec::try_from(vec![Attribute::try_from(extensions)?])?,
    };
    Ok(info.to_der()?)
}
