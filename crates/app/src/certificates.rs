//! Certificates, for download.
//!
//! A subscriber's key passes through, to be packed with its certificate; it is kept nowhere.

use std::fmt;

use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::Reseller;
use chancery_pki::Zeroizing;
use chancery_pki::delivery::{Chain, Form, KeyStore, Password, PasswordError, SubscriberKey};

use crate::{App, AppError, Refusal};

/// A certificate, packed.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The common name, for a file name.
    pub common_name: String,
    /// The file.
    pub content: Vec<u8>,
}

/// What is sent along to be packed with a certificate, as it came. Does not print; clears itself.
#[derive(Default)]
pub struct SentKey {
    /// A file with the subscriber's private key.
    pub private_key: Option<Zeroizing<Vec<u8>>>,
    /// The password that the key store is to open with.
    pub password: Option<Zeroizing<Vec<u8>>>,
}

/// What to do where the certificate is revoked, or the CA that issued it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revoked {
    /// Say so, and deliver nothing.
    Refuse,
    /// Deliver it all the same: that was asked for.
    Deliver,
}

impl App {
    /// The certificate of an order that is in force, without its key.
    pub async fn deliver(
        &self,
        reseller: &Reseller,
        id: OrderId,
        form: Form,
        revoked: Revoked,
    ) -> Result<Delivery, AppError> {
        let (common_name, chain) = self.chain_of(reseller, id, revoked).await?;
        let content = chain
            .pack(form, &common_name, self.clock.now())
            .map_err(AppError::internal)?;
        Ok(Delivery {
            common_name,
            content,
        })
    }

    /// The certificate of an order that is in force, together with its key.
    pub async fn deliver_with_key(
        &self,
        reseller: &Reseller,
        id: OrderId,
        store: KeyStore,
        sent: SentKey,
        revoked: Revoked,
    ) -> Result<Delivery, AppError> {
        let (common_name, chain) = self.chain_of(reseller, id, revoked).await?;
        let now = self.clock.now();
        let name = common_name.clone();
        let packed = self.compute(move || {
            let (key, password) = sent.read(&chain).map_err(AppError::Invalid)?;
            chain
                .pack_with_key(store, &key, &password, &name, now)
                .map_err(AppError::internal)
        });
        Ok(Delivery {
            content: packed.await??,
            common_name,
        })
    }

    /// The common name of an order, and its latest certificate with those above it.
    async fn chain_of(
        &self,
        reseller: &Reseller,
        id: OrderId,
        revoked: Revoked,
    ) -> Result<(String, Chain), AppError> {
        let report = self.order(reseller, Some(id), None).await?;
        let in_force = report.file.order.certificate.ok_or(Refusal::NotIssued)?;
        let found = self.store.certificate(in_force).await?;
        let certificate =
            found.ok_or_else(|| AppError::Internal("a certificate is not there".into()))?;
        let der = certificate.der().ok_or(Refusal::NotIssued)?;
        if let (Revoked::Refuse, Some(revocation)) = (revoked, certificate.revocation()) {
            return Err(Refusal::CertificateRevoked {
                at: revocation.at,
                reason: revocation.reason,
            }
            .into());
        }
        if revoked == Revoked::Refuse
            && let Some(at) = self.ca_revoked_at(&certificate.issuer).await?
        {
            return Err(Refusal::IssuingCaRevoked(at).into());
        }
        let issuer = self.issuing_ca_of(&certificate.issuer).await?;
        let issuer =
            issuer.ok_or_else(|| AppError::Internal("the issuing CA is not there".into()))?;
        let chain = Chain {
            leaf: der.to_vec(),
            intermediates: vec![issuer.issuing_certificate_der().to_vec()],
            root: issuer.root_certificate_der().to_vec(),
        };
        Ok((report.file.order.common_name().to_string(), chain))
    }
}

impl SentKey {
    /// Reads key and password, and holds the key against the certificate; tells all that is wrong.
    fn read(&self, chain: &Chain) -> Result<(SubscriberKey, Password), Vec<FieldError>> {
        match (self.key_of(chain), self.password()) {
            (Ok(key), Ok(password)) => Ok((key, password)),
            (key, password) => Err(key.err().into_iter().chain(password.err()).collect()),
        }
    }

    fn key_of(&self, chain: &Chain) -> Result<SubscriberKey, FieldError> {
        const FIELD: Field = Field::PrivateKey;
        let file = self.private_key.as_ref();
        let file = file.ok_or(FieldError::missing(FIELD))?;
        let key = SubscriberKey::parse(file)
            .map_err(|error| FieldError::invalid(FIELD, error.to_string()))?;
        if !chain.is_for(&key) {
            let text = "the key does not belong to the certificate";
            return Err(FieldError::invalid(FIELD, text));
        }
        Ok(key)
    }

    fn password(&self) -> Result<Password, FieldError> {
        const FIELD: Field = Field::StorePassword;
        let text = self.password.as_ref();
        let text = text.ok_or(FieldError::missing(FIELD))?;
        Password::parse(text).map_err(|error| match error {
            PasswordError::Length => FieldError {
                field: FIELD,
                problem: Problem::Length {
                    min: 1,
                    max: Password::MAX_LENGTH,
                },
            },
            PasswordError::NotText => FieldError::invalid(FIELD, error.to_string()),
        })
    }
}

impl fmt::Debug for SentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentKey(..)")
    }
}
