//! The CA: made at first start, opened at each; issuing CAs that follow each other under its root.
//!
//! An issuing CA is followed by another while it could still carry a certificate of full length and a margin
//! besides. Whether it is time follows from its end and the clock alone, so every process comes to the same
//! answer when it next signs; the database lets one of them make the successor, and the others find it there.
//! Earlier issuing CAs sign no certificates any more but their revocation lists, to their end ([`crate::crls`]).
//! So does one that was revoked, which is followed at once ([`crate::revoked_cas`]), and one that was made while the clock
//! was ahead and is not valid yet.
//! Nothing is ever shortened to fit: once the root is too short for another issuing CA, making it fails.

use std::collections::HashSet;
use std::sync::Arc;

use chancery_domain::validity::days;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_issuers::{
    CaRecord, CaSettings, CaUrls, EmbeddedCa, IssuingRecord, VALIDITY_CEILING, issuer_id,
};
use chancery_pki::sealing::MasterKey;
use chancery_store::authorities::{AuthorityRow, IssuingCaRow, RevokedCaRow};
use chancery_store::record::{KeptCa, blocking};
use chancery_store::{Change, Store, StoreError};
use parking_lot::RwLock;

use crate::crls::sign_first_crl;
use crate::jobs::hex;
use crate::{App, AppError};

/// How much longer than a certificate of full length an issuing CA must last to be used: half a year in which
/// an operator may see that no successor could be made.
const MARGIN: SignedDuration = SignedDuration::from_hours(24 * 200);

/// The file name, without its ending, under which the first issuing CA and its lists are published. Those that
/// follow have their ids there.
const FIRST: &str = "issuing";

/// What CAs are made from.
#[derive(Clone, Debug)]
pub struct AuthoritySettings {
    /// Names and keys of the CAs that are to be made.
    pub ca: CaSettings,
    /// The base of the URLs inside certificates, without a final slash.
    pub public_url: String,
}

impl AuthoritySettings {
    /// The URLs of an issuing CA that is published under this file name.
    fn urls(&self, file: &str) -> CaUrls {
        let base = &self.public_url;
        CaUrls {
            root_certificate: format!("{base}/pki/root.crt"),
            root_crl: format!("{base}/pki/root.crl"),
            issuing_certificate: format!("{base}/pki/{file}.crt"),
            issuing_crl: format!("{base}/pki/{file}.crl"),
        }
    }
}

/// The issuing CAs that are open in this process.
pub struct Authorities {
    settings: AuthoritySettings,
    first: Arc<EmbeddedCa>,
    /// In the order in which they followed each other; none is ever taken out.
    successors: RwLock<Vec<Arc<EmbeddedCa>>>,
    /// The ids of those that were revoked: they sign nothing but their revocation lists.
    revoked: RwLock<HashSet<String>>,
    /// Held while one is added.
    additions: tokio::sync::Mutex<()>,
}

impl Authorities {
    /// Opens the CAs on record, or makes the first where there is none. Replicas that start together end up
    /// with the same one.
    pub async fn open(
        store: &Store,
        settings: AuthoritySettings,
        master_key: &MasterKey,
        now: Timestamp,
    ) -> Result<Self, AppError> {
        let first = open_first(store, &settings, master_key, now).await?;
        let opened = Self {
            settings,
            first: Arc::new(first),
            successors: RwLock::default(),
            revoked: RwLock::default(),
            additions: tokio::sync::Mutex::default(),
        };
        opened.load(store, master_key).await?;
        Ok(opened)
    }

    /// The one that signs, or is the last to have done so.
    pub(crate) fn latest(&self) -> Arc<EmbeddedCa> {
        let successors = self.successors.read();
        Arc::clone(successors.last().unwrap_or(&self.first))
    }

    /// All of them, from the first on.
    pub(crate) fn all(&self) -> Vec<Arc<EmbeddedCa>> {
        let successors = self.successors.read();
        std::iter::once(&self.first)
            .chain(&*successors)
            .cloned()
            .collect()
    }

    /// The one with this id, if it is open here.
    pub(crate) fn find(&self, issuer: &str) -> Option<Arc<EmbeddedCa>> {
        self.all().into_iter().find(|ca| ca.issuer_id() == issuer)
    }

    /// Whether an issuing CA was revoked, as far as this process knows.
    pub(crate) fn is_revoked(&self, issuer: &str) -> bool {
        self.revoked.read().contains(issuer)
    }

    /// Whether any issuing CA was revoked.
    pub(crate) fn is_any_revoked(&self) -> bool {
        !self.revoked.read().is_empty()
    }

    /// Takes up which were revoked.
    pub(crate) fn learn_revoked(&self, rows: Vec<RevokedCaRow>) {
        if rows.is_empty() && self.revoked.read().is_empty() {
            return;
        }
        *self.revoked.write() = rows.into_iter().map(|row| row.issuer).collect();
    }

    /// Opens what other processes have added, and learns what was revoked.
    async fn load(&self, store: &Store, master_key: &MasterKey) -> Result<(), AppError> {
        self.learn_revoked(store.revoked_cas().await?);
        for row in store.issuing_cas_after(self.last_number()).await? {
            // On record before it signs anything here.
            keep_ca(store, &row, &master_key.id()).await?;
            let urls = self.settings.urls(&row.issuer);
            let record = IssuingRecord {
                certificate_der: row.certificate,
                key_sealed: row.key,
            };
            let opened = self.first.open_successor(&record, &urls, master_key);
            let opened = Arc::new(opened.map_err(AppError::internal)?);
            let mut successors = self.successors.write();
            // Two loads may run at once, and read the same rows.
            if row.number == number_after(&successors) {
                successors.push(opened);
            }
        }
        Ok(())
    }

    fn last_number(&self) -> i64 {
        number_after(&self.successors.read()) - 1
    }
}

/// Keeps an issuing CA after the first in the record beside the database; its key is sealed under this master key.
pub(crate) async fn keep_ca(
    store: &Store,
    row: &IssuingCaRow,
    master_key: &str,
) -> Result<(), StoreError> {
    let Some(record) = store.record() else {
        return Ok(());
    };
    let kept = KeptCa {
        number: row.number,
        issuer: row.issuer.clone(),
        certificate: hex(&row.certificate),
        key: hex(&row.key),
        master_key: master_key.to_owned(),
        created_at: row.created_at,
    };
    blocking(move || record.keep_ca(&kept)).await
}

/// The number of the next issuing CA; the first has 1.
fn number_after(successors: &[Arc<EmbeddedCa>]) -> i64 {
    i64::try_from(successors.len()).map_or(i64::MAX, |count| count + 2)
}

async fn open_first(
    store: &Store,
    settings: &AuthoritySettings,
    master_key: &MasterKey,
    now: Timestamp,
) -> Result<EmbeddedCa, AppError> {
    let urls = settings.urls(FIRST);
    if let Some(row) = store.authority().await? {
        let first =
            EmbeddedCa::open(&record(row), &urls, master_key).map_err(AppError::internal)?;
        let begin = first.root_not_before();
        if now < begin {
            let text = format!(
                "the root CA is valid from {begin} on, and the clock shows {now}: set the clock right; if the root was \
                 made while the clock was ahead, begin anew with an empty database"
            );
            return Err(AppError::Internal(text.into()));
        }
        return Ok(first);
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
        self.authorities.first.root_certificate_der().to_vec()
    }

    /// An issuing CA's certificate, DER, by the name of its file without the ending.
    pub async fn issuing_certificate(&self, file: &str) -> Result<Option<Vec<u8>>, AppError> {
        let ca = self.published(file).await?;
        Ok(ca.map(|ca| ca.issuing_certificate_der().to_vec()))
    }

    /// The issuing CA that is published under this file name.
    pub(crate) async fn published(&self, file: &str) -> Result<Option<Arc<EmbeddedCa>>, AppError> {
        match file {
            FIRST => Ok(Some(Arc::clone(&self.authorities.first))),
            // Anyone may ask for anything: only what can be an id is looked for in the database.
            _ if file.len() == 16 => self.issuing_ca_of(file).await,
            _ => Ok(None),
        }
    }

    /// The issuing CA with this id, whichever process made it.
    pub(crate) async fn issuing_ca_of(
        &self,
        issuer: &str,
    ) -> Result<Option<Arc<EmbeddedCa>>, AppError> {
        if let Some(known) = self.authorities.find(issuer) {
            return Ok(Some(known));
        }
        self.load_authorities().await?;
        Ok(self.authorities.find(issuer))
    }

    /// Opens what other processes have added.
    pub(crate) async fn load_authorities(&self) -> Result<(), AppError> {
        self.authorities.load(&self.store, &self.master_key).await
    }

    /// The issuing CA for what is signed now: one that outlives it. Where the latest is too short, for
    /// example because the clock was moved by years, another is made first.
    pub(crate) async fn issuing_ca(&self, now: Timestamp) -> Result<Arc<EmbeddedCa>, AppError> {
        let latest = self.authorities.latest();
        if self.lasts(&latest, now, MARGIN) {
            return Ok(latest);
        }
        let followed = self.follow_issuing_ca(now).await;
        let latest = self.authorities.latest();
        match followed {
            _ if self.lasts(&latest, now, SignedDuration::ZERO) => Ok(latest),
            // The daily job is loud about what stands in the way; until then the margin is used up.
            Err(error) => Err(error),
            Ok(()) => Err(AppError::Busy),
        }
    }

    /// Makes the issuing CA that follows the latest, if it is time for it.
    pub(crate) async fn follow_issuing_ca(&self, now: Timestamp) -> Result<(), AppError> {
        let _alone = self.authorities.additions.lock().await;
        self.load_authorities().await?;
        if self.lasts(&self.authorities.latest(), now, MARGIN) {
            return Ok(());
        }
        let app = self.clone();
        let making = tokio::task::spawn_blocking(move || app.make_successor(now));
        let change = making.await.map_err(AppError::internal)??;
        let committed = self.store.commit(change).await;
        self.load_authorities().await?;
        let latest = self.authorities.latest();
        match committed {
            // Another process was first, or the answer was lost: what counts is what is there.
            Err(error) if !self.lasts(&latest, now, MARGIN) => Err(error.into()),
            _ => {
                let (issuer, until) = (latest.issuer_id(), latest.not_after());
                tracing::info!(issuer, %until, "another issuing CA signs from now on");
                Ok(())
            }
        }
    }

    /// The change set of a new issuing CA, its first revocation list with it. Computes.
    fn make_successor(&self, now: Timestamp) -> Result<Change, AppError> {
        let (latest, settings) = (self.authorities.latest(), &self.authorities.settings);
        let made = latest.create_successor(&settings.ca, &self.master_key, now);
        let made = made.map_err(AppError::internal)?;
        let issuer = issuer_id(&made.certificate_der).map_err(AppError::internal)?;
        let opened = latest
            .open_successor(&made, &settings.urls(&issuer), &self.master_key)
            .map_err(AppError::internal)?;
        let mut change = Change::new();
        change.expect_master_key(&self.master_key_id);
        change.insert_issuing_ca(&IssuingCaRow {
            number: self.authorities.last_number() + 1,
            issuer,
            certificate: made.certificate_der,
            key: made.key_sealed,
            created_at: now,
        });
        sign_first_crl(&mut change, &opened, now)?;
        Ok(change)
    }

    /// Whether an issuing CA lasts for so much longer than a certificate of full length signed now. One that was
    /// revoked does not last, nor does one that is not valid yet: it was made while the clock was ahead.
    fn lasts(&self, ca: &EmbeddedCa, now: Timestamp, margin: SignedDuration) -> bool {
        if self.authorities.is_revoked(ca.issuer_id()) || now < ca.not_before() {
            return false;
        }
        let full_length = days(self.rules.at(now).validity_days).min(VALIDITY_CEILING);
        ca.not_after().duration_since(now) >= full_length + margin
    }
}
