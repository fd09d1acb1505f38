//! A database that was restored from a backup is not served until an operator has had it looked at: numbers would be
//! handed out again, and certificates that were signed since the backup could not be revoked.

use std::path::Path;

use chancery_app::{RecordStanding, standing};
use chancery_store::{Engine, Store};

use crate::wiring::StartError;

/// What to do about it.
pub(crate) const ADVICE: &str =
    "stop all servers on it, run `chancery restore-check`, and start again";

/// Refuses a database that lacks what the record in the data folder knows. An SQLite database that was served from
/// another folder is refused, too, since only one folder at a time serves it; replicas on PostgreSQL have a folder
/// each, and a new one begins with an empty record.
pub(crate) async fn refuse_restored(records: &Path, store: &Store) -> Result<(), StartError> {
    match standing(store, records).await? {
        RecordStanding::New | RecordStanding::Whole(_) => Ok(()),
        RecordStanding::Behind { signs, .. } => Err(was_restored(&signs)),
        RecordStanding::Unrecorded { elsewhere, .. } => match (elsewhere, store.engine()) {
            (true, Engine::Sqlite) => Err(StartError::Setting(format!(
                "the folder {} has no record of this database, which was served beside another one, so that nobody \
                 can tell whether it was restored from a backup: {ADVICE}",
                records.display()
            ))),
            (true, Engine::Postgres) => {
                tracing::warn!(
                    "the folder of records has none of this database: right for a new replica; if the database was \
                     restored from a backup, stop and run `chancery restore-check` first"
                );
                Ok(())
            }
            (false, _) => Ok(()),
        },
    }
}

/// Refuses a database that lacks what the record knows, and says how that shows.
pub(crate) fn was_restored(signs: &[String]) -> StartError {
    StartError::Restored(signs.join("; "))
}
