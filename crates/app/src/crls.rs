//! Revocation lists: the root's and those of every issuing CA that has not ended. None outlives its issuer.
//!
//! Lists are signed daily and after revocations, many of which share one list: a run that was asked for is followed
//! by a rest ([`REST`]). The last few of each issuer are kept in the database; the current one is in the memory of
//! every process, which serves it from there whether or not the database is away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::{SignedDuration, Timestamp};
use chancery_issuers::{EmbeddedCa, IssueError, Revoked};
use chancery_pki::crl::read_crl;
use chancery_pki::public_keys::sha256;
use chancery_store::Change;
use chancery_store::authorities::{CrlHead, CrlRow};
use chancery_store::record::blocking;
use parking_lot::RwLock;

use crate::holds::TOLERANCE;
use crate::jobs::hex;
use crate::{App, AppError};

/// How long a revocation list may be relied on (BR 7.2: at most ten days).
pub(crate) const CRL_LIFE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// An issuer that ends within this time has a list that lasts to its end.
const SHORTEST_LIFE: SignedDuration = SignedDuration::from_mins(1);

/// How long the root's list may be relied on (BR 4.9.7: at most twelve months).
const ROOT_CRL_LIFE: SignedDuration = SignedDuration::from_hours(24 * 180);

/// How long after lists that a revocation has asked for no others are signed: a third of the minute within which a
/// revocation is to be published.
pub(crate) const REST: SignedDuration = SignedDuration::from_secs(20);

/// How many lists of each issuer are kept in the database.
const KEPT: i64 = 3;

/// How many older ones are dropped in one go: each may be of megabytes.
const PRUNED_AT_ONCE: i64 = 20;

/// How often a process looks for lists that another has signed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The file name, without its ending, under which the root and its list are published.
const ROOT: &str = "root";

/// A revocation list as it is served.
#[derive(Debug)]
pub struct PublishedCrl {
    /// The list, DER.
    pub der: Vec<u8>,
    /// When it was made.
    pub this_update: Timestamp,
    /// Tells it from every other list: hexadecimal digits.
    pub digest: String,
    number: i64,
}

impl From<CrlRow> for PublishedCrl {
    fn from(row: CrlRow) -> Self {
        Self {
            digest: hex(&sha256(&row.der)[..16]),
            der: row.der,
            this_update: row.this_update,
            number: row.number,
        }
    }
}

/// The current list of each issuer.
#[derive(Default)]
pub(crate) struct CurrentCrls(RwLock<HashMap<String, Arc<PublishedCrl>>>);

impl CurrentCrls {
    /// Takes the place of older lists; those in memory that are newer stay.
    pub(crate) fn publish(&self, signed: Vec<CrlRow>) {
        let mut current = self.0.write();
        for row in signed {
            let is_newer = |known: &Arc<PublishedCrl>| row.number > known.number;
            if current.get(&row.issuer).is_none_or(is_newer) {
                current.insert(row.issuer.clone(), Arc::new(row.into()));
            }
        }
    }

    fn find(&self, issuer: &str) -> Option<Arc<PublishedCrl>> {
        self.0.read().get(issuer).cloned()
    }
}

impl App {
    /// The current revocation list of the root or an issuing CA, by the name of its file without the ending. One
    /// that this process knows comes from memory, and is at most some seconds behind what another has signed.
    pub async fn crl(&self, file: &str) -> Result<Option<Arc<PublishedCrl>>, AppError> {
        let issuer = match file {
            ROOT => root_issuer(&self.authorities.all()[0]),
            _ => match self.published(file).await? {
                Some(ca) => ca.issuer_id().to_owned(),
                None => return Ok(None),
            },
        };
        if let Some(known) = self.crls.find(&issuer) {
            return Ok(Some(known));
        }
        self.load_crl(&issuer).await?;
        Ok(self.crls.find(&issuer))
    }

    /// Takes up the lists that other processes sign, for as long as it is polled. Before the first look, and while
    /// the database is away, the lists in memory are served.
    pub(crate) async fn follow_crls(self) {
        let mut failed = false;
        loop {
            let looked = self.look_for_crls().await;
            match &looked {
                Err(error) if !failed => {
                    let what = "looking for new revocation lists failed; the last known are served";
                    tracing::warn!(%error, "{what}");
                }
                _ => {}
            }
            failed = looked.is_err();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look_for_crls(&self) -> Result<(), AppError> {
        let all = self.authorities.all();
        let issuing = all.iter().map(|ca| ca.issuer_id().to_owned());
        self.authorities
            .learn_revoked(self.store.revoked_cas().await?);
        for issuer in std::iter::once(root_issuer(&all[0])).chain(issuing) {
            // First what is known: another list may come meanwhile.
            let known = self.crls.find(&issuer).map(|known| known.number);
            let last = self.store.crl_head(&issuer).await?;
            self.refuse_older(&issuer, known, last.map(|last| last.number))
                .await?;
            if last.is_some_and(|last| known.is_none_or(|known| last.number > known)) {
                self.load_crl(&issuer).await?;
            }
        }
        Ok(())
    }

    /// Refuses a database whose last list is older than one that this process knows: it has gone back, and a list
    /// signed from it would lack what was revoked.
    async fn refuse_older(
        &self,
        issuer: &str,
        known: Option<i64>,
        stored: Option<i64>,
    ) -> Result<(), AppError> {
        if stored >= known {
            return Ok(());
        }
        let (known, stored) = (known.unwrap_or_default(), stored.unwrap_or_default());
        let why = format!(
            "the last revocation list of {issuer} had the number {known}, the database knows {stored}"
        );
        self.store.declare_behind(&why).await;
        Err(AppError::Busy)
    }

    async fn load_crl(&self, issuer: &str) -> Result<(), AppError> {
        let row = self.store.latest_crl(issuer).await?;
        self.publish_crls(row.into_iter().collect()).await;
        Ok(())
    }

    /// Serves lists from now on, and keeps them beside the database.
    pub(crate) async fn publish_crls(&self, signed: Vec<CrlRow>) {
        self.crls.publish(signed.clone());
        let Some(record) = self.store.record() else {
            return;
        };
        let keeping = blocking(move || {
            let mut lists = signed.iter();
            lists.try_for_each(|row| record.keep_crl(&row.issuer, row.number, &row.der))
        });
        if let Err(error) = keeping.await {
            tracing::warn!(%error, "a revocation list could not be kept beside the database");
        }
    }

    /// Drops all but the last lists of each issuer, in small steps.
    pub(crate) async fn prune_crls(&self) -> Result<(), AppError> {
        while self.store.prune_crls(KEPT, PRUNED_AT_ONCE).await? > 0 {}
        Ok(())
    }

    /// Adds fresh revocation lists to a change set: the root's past its half life or after an issuing CA was
    /// revoked, and one of each issuing CA
    /// until it ends, and with it the last certificate it signed. Answers what is to be published once it is on
    /// disk.
    pub(crate) async fn sign_crls(
        &self,
        change: &mut Change,
        now: Timestamp,
    ) -> Result<Vec<CrlRow>, AppError> {
        self.load_authorities().await?;
        let issuing = self.authorities.all();
        let lives = |end: Timestamp| now + SHORTEST_LIFE < end;
        let mut signed = Vec::new();
        for ca in issuing.iter().filter(|ca| lives(ca.not_after())) {
            signed.push(self.sign_issuing_crl(ca, now).await?);
        }
        if lives(issuing[0].root_not_after()) {
            signed.extend(self.sign_root_crl(&issuing[0], now).await?);
        }
        for row in &signed {
            change.insert_crl(row);
        }
        Ok(signed)
    }

    async fn sign_issuing_crl(
        &self,
        ca: &Arc<EmbeddedCa>,
        now: Timestamp,
    ) -> Result<CrlRow, AppError> {
        let issuer = ca.issuer_id().to_owned();
        // First what is known, then the last list, then what is revoked: others may sign meanwhile.
        let known = self.crls.find(&issuer).map(|known| known.number);
        let last = self.store.crl_head(&issuer).await?;
        self.refuse_older(&issuer, known, last.map(|last| last.number))
            .await?;
        // An entry stays for one list after its certificate has expired (BR 4.10.1).
        let listed = self
            .store
            .revoked_certificates(&issuer, now - CRL_LIFE)
            .await?;
        let lost = self
            .store
            .revoked_lost_certificates(&issuer, now - CRL_LIFE);
        let lost = lost.await?;
        let revoked: Vec<Revoked> = listed
            .into_iter()
            .chain(lost)
            .map(|(serial, at, reason)| Revoked {
                serial,
                at: at.min(now),
                reason,
            })
            .collect();
        let head = Head::after(last, issuer, now, (now + CRL_LIFE).min(ca.not_after()));
        let ca = Arc::clone(ca);
        sign(head, move |head| {
            ca.issuing_crl(head.number(), head.this_update, head.next_update, &revoked)
        })
        .await
    }

    async fn sign_root_crl(
        &self,
        first: &Arc<EmbeddedCa>,
        now: Timestamp,
    ) -> Result<Option<CrlRow>, AppError> {
        let issuer = root_issuer(first);
        let known = self.crls.find(&issuer).map(|known| known.number);
        let last = self.store.latest_crl(&issuer).await?;
        self.refuse_older(&issuer, known, last.as_ref().map(|last| last.number))
            .await?;
        let listed = last.as_ref().map(|row| read_crl(&row.der));
        let listed = listed.and_then(Result::ok).map(|list| list.revoked);
        let revoked = self.store.revoked_cas().await?.into_iter();
        let mut revoked: Vec<Revoked> = revoked
            .map(|ca| Revoked {
                serial: ca.serial,
                at: ca.revoked_at.min(now),
                reason: Some(ca.reason),
            })
            .collect();
        // What is listed stays so, even where a restored database does not know the CA.
        for entry in listed.iter().flatten() {
            if revoked.iter().all(|known| known.serial != entry.serial) {
                revoked.push(entry.clone());
            }
        }
        let count = listed.map(|listed| listed.len());
        let is_current = |row: &CrlRow| {
            let is_dated_ahead = row.this_update > now + TOLERANCE;
            !is_dated_ahead
                && now <= row.this_update + ROOT_CRL_LIFE / 2
                && count == Some(revoked.len())
        };
        if last.as_ref().is_some_and(is_current) {
            return Ok(None);
        }
        let last = last.map(|row| CrlHead {
            number: row.number,
            this_update: row.this_update,
            next_update: row.next_update,
        });
        let end = (now + ROOT_CRL_LIFE).min(first.root_not_after());
        let head = Head::after(last, issuer, now, end);
        let ca = Arc::clone(first);
        let signed = sign(head, move |head| {
            ca.root_crl(head.number(), head.this_update, head.next_update, &revoked)
        });
        signed.await.map(Some)
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

/// Signs a list, off the async runtime.
async fn sign(
    head: Head,
    signer: impl FnOnce(&Head) -> Result<Vec<u8>, IssueError> + Send + 'static,
) -> Result<CrlRow, AppError> {
    let signing = tokio::task::spawn_blocking(move || signer(&head).map(|der| head.with(der)));
    let row = signing.await.map_err(AppError::internal)?;
    row.map_err(AppError::internal)
}

/// A list before it is signed.
struct Head {
    issuer: String,
    number: i64,
    this_update: Timestamp,
    next_update: Timestamp,
}

impl Head {
    /// The number is the second in which the list is made, or the one after the last: it goes on rising after
    /// a backup was restored that has not seen the last lists (RFC 5280 §5.2.3).
    fn after(
        last: Option<CrlHead>,
        issuer: String,
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Self {
        let after_last = last.map_or(1, |last| last.number + 1);
        Self {
            issuer,
            number: after_last.max(this_update.as_second()),
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
