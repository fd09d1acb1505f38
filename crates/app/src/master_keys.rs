//! The master key a database belongs to, the key that signs tokens, and how everything is sealed anew.
//!
//! Which key things are sealed under is on record by its id. A rotation first puts the new key's id there, so
//! that nothing more is sealed under the key of before; then it seals what there is under the new key, some rows
//! at a time; then it makes another key for tokens, and is over. Killed anywhere, it goes on where it was: what
//! opens under the new key is done. Servers do not start while one is under way.

use chancery_domain::Timestamp;
use chancery_domain::operators::ActKind;
use chancery_issuers::{ISSUING_CONTEXT, ROOT_CONTEXT};
use chancery_pki::sealing::{MasterKey, SealError};
use chancery_store::sealed::{SealedPlace, SealedRow};
use chancery_store::{Change, Store, StoreError};
use zeroize::Zeroizing;

use crate::approvals::APPROVAL_CONTEXT;
use crate::authorities::keep_ca;
use crate::passwords::PASSWORD_CONTEXT;
use crate::{AppError, Operations};

/// Under which name the key that signs tokens is kept, and what it is sealed for.
const TOKEN_KEY: &str = "token key";

/// How many rows are sealed anew in one change set.
const AT_ONCE: i64 = 100;

/// The key that signs tokens: drawn for that and nothing else. Does not print.
pub struct TokenKey(pub(crate) Zeroizing<Vec<u8>>);

/// Why a master key is not taken.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The database belongs to another.
    #[error(
        "the database is sealed under the master key {on_record}, and this is {given}: use that key"
    )]
    Other {
        /// The id of the one it belongs to.
        on_record: String,
        /// The id of the one that was given.
        given: String,
    },
    /// Not everything is sealed under the new key yet.
    #[error(
        "the master key is being changed from {from} to {to}: run chancery key rotate with both to its end"
    )]
    Rotating {
        /// The id of the key of before.
        from: String,
        /// The id of the new one.
        to: String,
    },
    /// It is changed to itself.
    #[error("both are the same master key")]
    Same,
    /// Something does not open.
    #[error("{0:?} does not open under the master key, nor under the new one")]
    Unopened(SealedPlace),
    /// Sealing failed, or the key is not the right one.
    #[error("the master key does not open what is sealed in the database")]
    Seal(#[from] SealError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// Something else failed.
    #[error(transparent)]
    App(#[from] AppError),
}

/// What a rotation came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rotated {
    /// How many things were sealed anew.
    pub resealed: u64,
    /// Whether it went on with one that had been interrupted.
    pub resumed: bool,
}

/// Refuses a master key that is not the database's. One that has none yet takes any.
pub async fn check_master_key(store: &Store, key: &MasterKey) -> Result<(), MasterKeyError> {
    let record = store.master_key_record().await?;
    if let Some((from, to)) = record.rotation {
        return Err(MasterKeyError::Rotating { from, to });
    }
    let given = key.id();
    match record.id {
        Some(on_record) if on_record != given => Err(MasterKeyError::Other { on_record, given }),
        _ => Ok(()),
    }
}

/// Opens the key that signs tokens, or makes it at first start, and puts on record that the database belongs to
/// this master key. The CA was opened with it before.
pub async fn open_token_key(
    store: &Store,
    key: &MasterKey,
    now: Timestamp,
) -> Result<TokenKey, MasterKeyError> {
    if store.master_key_record().await?.id.is_none() {
        let mut change = Change::new();
        change.name_master_key(&key.id());
        match store.commit(change).await {
            // Another process was first.
            Err(StoreError::Refused(_) | StoreError::Conflict { .. }) => {
                check_master_key(store, key).await?;
            }
            other => drop(other?),
        }
    }
    if store.secret(TOKEN_KEY).await?.is_none() {
        let mut change = Change::new();
        change.expect_master_key(&key.id());
        change.put_first_secret(TOKEN_KEY, &new_token_key(key)?, now);
        store.commit(change).await?;
    }
    let sealed = store.secret(TOKEN_KEY).await?.unwrap_or_default();
    Ok(TokenKey(key.open(TOKEN_KEY, &sealed)?))
}

fn new_token_key(key: &MasterKey) -> Result<Vec<u8>, SealError> {
    key.seal(TOKEN_KEY, &MasterKey::generate()?.derive(TOKEN_KEY)[..])
}

impl Operations {
    /// Seals everything anew under another master key, or goes on with doing so. Tokens that are out there end.
    pub async fn rotate_master_key(
        &self,
        old: &MasterKey,
        new: &MasterKey,
    ) -> Result<Rotated, MasterKeyError> {
        let (from, to) = (old.id(), new.id());
        if from == to {
            return Err(MasterKeyError::Same);
        }
        let record = self.store.master_key_record().await?;
        let is_named = record.id.is_some();
        let resumed = match (record.id, record.rotation) {
            (_, Some(begun)) if begun == (from.clone(), to.clone()) => true,
            (_, Some((from, to))) => return Err(MasterKeyError::Rotating { from, to }),
            (Some(id), None) if id == from => false,
            // It had ended, and whoever asked for it did not hear so.
            (Some(id), None) if id == to => {
                self.open_everything(new).await?;
                return Ok(Rotated {
                    resealed: 0,
                    resumed: true,
                });
            }
            (Some(on_record), None) => {
                let given = from;
                return Err(MasterKeyError::Other { on_record, given });
            }
            // An older release did not put it there.
            (None, None) => false,
        };
        if !resumed {
            self.open_everything(old).await?;
            let mut change = Change::new();
            if !is_named {
                change.name_master_key(&from);
            }
            change.begin_rotation(&from, &to);
            self.record_key_act(&mut change, ActKind::KeyRotationBegun, &from, &to)
                .await?;
            self.store.commit(change).await?;
        }
        let mut resealed = 0;
        // What another process was committing as the rotation began is found by the second round.
        loop {
            let done = self.reseal_all(old, new).await?;
            resealed += done;
            if done == 0 {
                break;
            }
        }
        let mut change = Change::new();
        change.put_secret(TOKEN_KEY, &new_token_key(new)?, self.clock.now());
        change.end_rotation();
        self.record_key_act(&mut change, ActKind::KeyRotated, &from, &to)
            .await?;
        self.store.commit(change).await?;
        // Other machines do it when their servers start.
        for row in self.store.issuing_cas_after(1).await? {
            keep_ca(&self.store, &row, &to).await?;
        }
        Ok(Rotated { resealed, resumed })
    }

    /// Makes sure that the key is the right one before anything is changed.
    async fn open_everything(&self, key: &MasterKey) -> Result<(), MasterKeyError> {
        for place in SealedPlace::ALL {
            let mut after = place.first();
            loop {
                let rows = self.store.sealed(place, &after, AT_ONCE).await?;
                let Some(last) = rows.last() else { break };
                after = last.key.clone();
                for row in &rows {
                    key.open(context(place), &row.sealed)
                        .map_err(|_| MasterKeyError::Unopened(place))?;
                }
            }
        }
        Ok(())
    }

    async fn reseal_all(&self, old: &MasterKey, new: &MasterKey) -> Result<u64, MasterKeyError> {
        let mut resealed = 0;
        for place in SealedPlace::ALL {
            let mut after = place.first();
            loop {
                let rows = self.store.sealed(place, &after, AT_ONCE).await?;
                let Some(last) = rows.last() else { break };
                after = last.key.clone();
                let mut change = Change::new();
                for row in &rows {
                    if let Some(anew) = sealed_anew(row, old, new)? {
                        change.reseal(row, &anew);
                        resealed += 1;
                    }
                }
                self.store.commit(change).await?;
            }
        }
        Ok(resealed)
    }

    async fn record_key_act(
        &self,
        change: &mut Change,
        kind: ActKind,
        from: &str,
        to: &str,
    ) -> Result<(), AppError> {
        let subject = format!("master key {to}");
        let detail = Some(format!("from {from} to {to}"));
        self.record_act(change, kind, subject, None, detail).await
    }
}

/// The same under the new key; `None` where it is so already.
fn sealed_anew(
    row: &SealedRow,
    old: &MasterKey,
    new: &MasterKey,
) -> Result<Option<Vec<u8>>, MasterKeyError> {
    let context = context(row.place);
    if new.open(context, &row.sealed).is_ok() {
        return Ok(None);
    }
    let plain = old
        .open(context, &row.sealed)
        .map_err(|_| MasterKeyError::Unopened(row.place))?;
    Ok(Some(new.seal(context, &plain)?))
}

/// What the things of a place are sealed for.
fn context(place: SealedPlace) -> &'static str {
    match place {
        SealedPlace::RootKey => ROOT_CONTEXT,
        SealedPlace::IssuingKey | SealedPlace::SuccessorKey => ISSUING_CONTEXT,
        SealedPlace::Approval => APPROVAL_CONTEXT,
        SealedPlace::PasswordMail => PASSWORD_CONTEXT,
    }
}
