//! Requests made for people who asked for one, with a fresh key.
//!
//! The private key is returned once, in a buffer that clears itself, and kept nowhere.

use chancery_domain::names::DomainName;
use zeroize::Zeroizing;

use crate::certificate::assemble;
use crate::encoding::{encode, tag};
use crate::keys::{KeyAlgorithm, SigningKey, SigningKeyError};
use crate::names::{Attributes, NameError, encode_name};
use crate::oid;
use crate::pem;

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
    let alternative_names = encode(|der| {
        der.sequence(|der| {
            for name in names {
                der.value(tag::context(2), name.as_str().as_bytes());
            }
        });
    });

    let key = SigningKey::generate(algorithm)?;
    let info = encode(|der| {
        der.sequence(|der| {
            der.unsigned(&[0])
                .raw(&name)
                .raw(key.spki_der())
                .nest(tag::constructed(0), |der| {
                    der.sequence(|der| {
                        der.oid(oid::EXTENSION_REQUEST).nest(tag::SET, |der| {
                            der.sequence(|der| {
                                let critical = common_name.is_none();
                                der.extension(oid::SUBJECT_ALT_NAME, critical, &alternative_names);
                            });
                        });
                    });
                });
        });
    });
    let der = assemble(
        &info,
        algorithm.signature_algorithm_der(),
        &key.sign(&info)?,
    );
    let private_key_pem = Zeroizing::new(pem::encode("PRIVATE KEY", &key.to_pkcs8()?));
    Ok(GeneratedCsr {
        csr_pem: pem::encode("CERTIFICATE REQUEST", &der),
        private_key_pem: PrivateKeyPem(private_key_pem),
    })
}
