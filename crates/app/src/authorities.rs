//! The CA: made at first start, opened at each; its certificates and revocation lists.

use chancery_domain::{SignedDuration, Timestamp};
use chancery_issuers::{CaRecord, CaSettings, CaUrls, EmbeddedCa, Revoked};
use chancery_pki::sealing::MasterKey;
use chancery_store::authorities::{AuthorityRow, CrlRow};
use chancery_store::{Change, Store, StoreError};

use crate::{App, AppError};

/// How long a revocation list may be relied on (BR 7.2: at most ten days).
const CRL_LIFE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// How long the root's list may be relied on (BR 4.9.7: at most twelve months).
const ROOT_CRL_LIFE: SignedDuration = SignedDuration::from_hours(24 * 180);

/// What a new CA is made from.
#[derive(Clone, Debug)]
pub struct AuthoritySettings {
    /// Names and keys of the new CA; unused once there is one.
    pub ca: CaSettings,
    /// The base of the URLs inside certificates, without a final slash.
    pub public_url: String,
}

impl AuthoritySettings {
    fn urls(&self) -> CaUrls {
        let base = &self.public_url;
        CaUrls {
            root_certificate: format!("{base}/pki/root.crt"),
            root_crl: format!("{base}/pki/root.crl"),
            issuing_certificate: format!("{base}/pki/issuing.crt"),
            issuing_crl: format!("{base}/pki/issuing.crl"),
        }
    }
}

/// Opens the CA on record, or makes one where there is none. Replicas that start together end up with the
/// same one.
pub async fn open_authority(
    store: &Store,
    settings: &AuthoritySettings,
    master_key: &MasterKey,
    now: Timestamp,
) -> Result<EmbeddedCa, AppError> {
    let urls = settings.urls();
    if let Some(row) = store.authority().await? {
        return EmbeddedCa::open(&record(row), &urls, master_key).map_err(AppError::internal);
    }
    let made =
        EmbeddedCa::create(&settings.ca, &urls, master_key, now).map_err(AppError::internal)?;
    let authority = EmbeddedCa::open(&made, &urls, master_key).map_err(AppError::internal)?;
    let mut change = Change::new();
    change.insert_authority(&AuthorityRow {
        issuer: authority.issuer_id().to_owned(),
        root_certificate: made.root_certificate_der,
        root_key: made.root_key_sealed,
        issuing_certificate: made.issuing_certificate_der,
        issuing_key: made.issuing_key_sealed,
        created_at: now,
    });
    match store.commit(change).await {
        Ok(_) => Ok(authority),
        Err(StoreError::Conflict { .. } | StoreError::Refused(_)) => {
            let row = store.authority().await?.ok_or(AppError::Busy)?;
            EmbeddedCa::open(&record(row), &urls, master_key).map_err(AppError::internal)
        }
        Err(other) => Err(other.into()),
    }
}

fn record(row: AuthorityRow) -> CaRecord {
    CaRecord {
        root_certificate_der: row.root_certificate,
        root_key_sealed: row.root_key,
        issuing_certificate_der: row.issuing_certificate,
        issuing_key_sealed: row.issuing_key,
    }
}

impl App {
    /// The root's certificate, DER.
    pub fn root_certificate(&self) -> Vec<u8> {
        self.authority.root_certificate_der().to_vec()
    }

    /// The issuing CA's certificate, DER.
    pub fn issuing_certificate(&self) -> Vec<u8> {
        self.authority.issuing_certificate_der().to_vec()
    }

    /// The latest revocation list of the issuing CA, DER.
    pub async fn issuing_crl(&self) -> Result<Option<Vec<u8>>, AppError> {
        let row = self.store.latest_crl(self.authority.issuer_id()).await?;
        Ok(row.map(|row| row.der))
    }

    /// The latest revocation list of the root, DER.
    pub async fn root_crl(&self) -> Result<Option<Vec<u8>>, AppError> {
        let row = self.store.latest_crl(&root_issuer(&self.authority)).await?;
        Ok(row.map(|row| row.der))
    }

    /// Adds fresh revocation lists to a change set: the issuing CA's always, the root's past its half life.
    pub(crate) async fn sign_crls(
        &self,
        change: &mut Change,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let issuer = self.authority.issuer_id().to_owned();
        // An entry stays for one list after its certificate has expired (BR 4.10.1).
        let listed = self
            .store
            .revoked_certificates(&issuer, now - CRL_LIFE)
            .await?;
        let revoked: Vec<Revoked> = listed
            .into_iter()
            .map(|(serial, at, reason)| Revoked { serial, at, reason })
            .collect();
        self.sign_crl(change, issuer, now, CRL_LIFE, revoked)
            .await?;
        let root = root_issuer(&self.authority);
        let last = self.store.latest_crl(&root).await?;
        let half_life = |row: &CrlRow| now > row.this_update + ROOT_CRL_LIFE / 2;
        if last.as_ref().is_none_or(half_life) {
            self.sign_crl(change, root, now, ROOT_CRL_LIFE, Vec::new())
                .await?;
        }
        Ok(())
    }

    async fn sign_crl(
        &self,
        change: &mut Change,
        issuer: String,
        now: Timestamp,
        life: SignedDuration,
        revoked: Vec<Revoked>,
    ) -> Result<(), AppError> {
        let last = self.store.latest_crl(&issuer).await?;
        let number = last.map_or(1, |row| row.number + 1);
        let next_update = now + life;
        let app = self.clone();
        let of_root = issuer == root_issuer(&self.authority);
        let sign = move || {
            let (number, from, to) = (number.unsigned_abs(), now, next_update);
            if of_root {
                app.authority.root_crl(number, from, to, &revoked)
            } else {
                app.authority.issuing_crl(number, from, to, &revoked)
            }
        };
        let signed = tokio::task::spawn_blocking(sign)
            .await
            .map_err(AppError::internal)?;
        let der = signed.map_err(AppError::internal)?;
        change.insert_crl(&CrlRow {
            issuer,
            number,
            this_update: now,
            next_update,
            der,
        });
        Ok(())
    }
}

/// The id under which the root's lists are kept.
fn root_issuer(authority: &EmbeddedCa) -> String {
    format!("{}-root", authority.issuer_id())
}
