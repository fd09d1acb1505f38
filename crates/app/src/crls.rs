//! Revocation lists: the root's and those of every issuing CA that has not ended. None outlives its issuer.

use std::sync::Arc;

use chancery_domain::{SignedDuration, Timestamp};
use chancery_issuers::{EmbeddedCa, IssueError, Revoked};
use chancery_store::Change;
use chancery_store::authorities::CrlRow;

use crate::{App, AppError};

/// How long a revocation list may be relied on (BR 7.2: at most ten days).
const CRL_LIFE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// An issuer that ends within this time has a list that lasts to its end.
const SHORTEST_LIFE: SignedDuration = SignedDuration::from_mins(1);

/// How long the root's list may be relied on (BR 4.9.7: at most twelve months).
const ROOT_CRL_LIFE: SignedDuration = SignedDuration::from_hours(24 * 180);

impl App {
    /// The latest revocation list of the root, DER.
    pub async fn root_crl(&self) -> Result<Option<Vec<u8>>, AppError> {
        let root = root_issuer(&self.authorities.all()[0]);
        self.latest_crl(&root).await
    }

    /// The latest revocation list of an issuer, DER.
    pub(crate) async fn latest_crl(&self, issuer: &str) -> Result<Option<Vec<u8>>, AppError> {
        let row = self.store.latest_crl(issuer).await?;
        Ok(row.map(|row| row.der))
    }

    /// Adds fresh revocation lists to a change set: the root's past its half life, and one of each issuing CA
    /// until it ends, and with it the last certificate it signed.
    pub(crate) async fn sign_crls(
        &self,
        change: &mut Change,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.load_authorities().await?;
        let issuing = self.authorities.all();
        let lives = |end: Timestamp| now + SHORTEST_LIFE < end;
        for ca in issuing.iter().filter(|ca| lives(ca.not_after())) {
            self.sign_issuing_crl(change, ca, now).await?;
        }
        if lives(issuing[0].root_not_after()) {
            self.sign_root_crl(change, &issuing[0], now).await?;
        }
        Ok(())
    }

    async fn sign_issuing_crl(
        &self,
        change: &mut Change,
        ca: &Arc<EmbeddedCa>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let issuer = ca.issuer_id().to_owned();
        // An entry stays for one list after its certificate has expired (BR 4.10.1).
        let listed = self
            .store
            .revoked_certificates(&issuer, now - CRL_LIFE)
            .await?;
        let revoked: Vec<Revoked> = listed
            .into_iter()
            .map(|(serial, at, reason)| Revoked { serial, at, reason })
            .collect();
        let last = self.store.latest_crl(&issuer).await?;
        let head = Head::after(
            last.as_ref(),
            issuer,
            now,
            (now + CRL_LIFE).min(ca.not_after()),
        );
        let ca = Arc::clone(ca);
        sign(change, head, move |head| {
            ca.issuing_crl(head.number(), head.this_update, head.next_update, &revoked)
        })
        .await
    }

    async fn sign_root_crl(
        &self,
        change: &mut Change,
        first: &Arc<EmbeddedCa>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let issuer = root_issuer(first);
        let last = self.store.latest_crl(&issuer).await?;
        let is_young = |row: &CrlRow| now <= row.this_update + ROOT_CRL_LIFE / 2;
        if last.as_ref().is_some_and(is_young) {
            return Ok(());
        }
        let head = Head::after(
            last.as_ref(),
            issuer,
            now,
            (now + ROOT_CRL_LIFE).min(first.root_not_after()),
        );
        let ca = Arc::clone(first);
        sign(change, head, move |head| {
            ca.root_crl(head.number(), head.this_update, head.next_update, &[])
        })
        .await
    }
}

/// Adds the first, empty list of a new issuing CA to a change set. Computes.
pub(crate) fn sign_first_crl(
    change: &mut Change,
    ca: &EmbeddedCa,
    now: Timestamp,
) -> Result<(), AppError> {
    let head = Head::after(None, ca.issuer_id().to_owned(), now, now + CRL_LIFE);
    let signed = ca.issuing_crl(head.number(), head.this_update, head.next_update, &[]);
    change.insert_crl(&head.with(signed.map_err(AppError::internal)?));
    Ok(())
}

/// Signs a list, off the async runtime, and adds it to a change set.
async fn sign(
    change: &mut Change,
    head: Head,
    signer: impl FnOnce(&Head) -> Result<Vec<u8>, IssueError> + Send + 'static,
) -> Result<(), AppError> {
    let signing = tokio::task::spawn_blocking(move || signer(&head).map(|der| head.with(der)));
    let row = signing.await.map_err(AppError::internal)?;
    change.insert_crl(&row.map_err(AppError::internal)?);
    Ok(())
}

/// A list before it is signed.
struct Head {
    issuer: String,
    number: i64,
    this_update: Timestamp,
    next_update: Timestamp,
}

impl Head {
    fn after(
        last: Option<&CrlRow>,
        issuer: String,
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Self {
        Self {
            issuer,
            number: last.map_or(1, |row| row.number + 1),
            this_update,
            next_update,
        }
    }

    fn number(&self) -> u64 {
        self.number.unsigned_abs()
    }

    fn with(self, der: Vec<u8>) -> CrlRow {
        CrlRow {
            issuer: self.issuer,
            number: self.number,
            this_update: self.this_update,
            next_update: self.next_update,
            der,
        }
    }
}

/// The id under which the root's lists are kept: that of the first issuing CA, marked.
fn root_issuer(first: &EmbeddedCa) -> String {
    format!("{}-root", first.issuer_id())
}
