//! What can go wrong with storage, in storage's words. "None found" is an `Option`, not an error.

use crate::changes::Failure;
use crate::{postgres, sqlite};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Someone else changed the thing first: read it and decide again.
    #[error("{what} {id} was changed by someone else")]
    Conflict {
        /// The noun, for example `order`.
        what: &'static str,
        /// Its id.
        id: i64,
    },
    /// A named expectation of the change set does not hold, for example `balance`.
    #[error("the database does not meet the expectation '{0}'")]
    Refused(&'static str),
    /// A row holds something that its reader cannot understand.
    #[error("column {column} of '{statement}': {why}")]
    Corrupt {
        /// The statement that read it.
        statement: &'static str,
        /// The position in the row, from 0.
        column: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The database is of a newer release than this program, which must not touch it.
    #[error("the database is at migration {found}, this release knows up to {known}")]
    TooNew {
        /// The newest migration in the database.
        found: i64,
        /// The newest migration of this release.
        known: i64,
    },
    /// The database could not do it; nothing of the change set is applied, now or later.
    #[error("the database failed")]
    Database(#[source] BoxedError),
    /// The database is away, or takes no writes for now; nothing of the change set is applied, now or later.
    #[error("the database is away")]
    Unavailable(#[source] BoxedError),
    /// A pool between us and the database gives each transaction another connection.
    #[error(
        "the database URL leads to a pool that gives each transaction another connection (pgbouncer with pool_mode = \
         transaction or statement): use pool_mode = session there, or name the server itself"
    )]
    Pooled,
    /// The connection was lost around a commit and the database stayed away: applied or not, nobody can
    /// tell yet. Look for the effect before trying again.
    #[error("the outcome of a commit is not known")]
    Unknown(#[source] BoxedError),
}

/// Any error of a driver.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// Wraps an error of a driver, or a sentence.
    pub(crate) fn database(source: impl Into<BoxedError>) -> Self {
        let source = source.into();
        match is_outage(&*source) {
            true => Self::Unavailable(source),
            false => Self::Database(source),
        }
    }

    /// The same of this cause: away, or failed.
    pub(crate) fn alike(&self, cause: BoxedError) -> Self {
        match self {
            Self::Unavailable(_) => Self::Unavailable(cause),
            _ => Self::Database(cause),
        }
    }
}

/// Whether an error of a driver says that the database is away or takes no writes for now.
fn is_outage(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
        return postgres::is_outage(error);
    }
    let error = error.downcast_ref::<rusqlite::Error>();
    error.is_some_and(sqlite::is_outage)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::database(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict { what, id } => Self::Conflict { what, id },
            Failure::Refused(name) => Self::Refused(name),
        }
    }
}

/// An error shared by all sets of one group.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Shared(pub(crate) std::sync::Arc<str>);

impl Shared {
    /// Keeps the whole chain of causes as one sentence.
    pub(crate) fn new<E: std::error::Error + ?Sized>(error: &E) -> Self {
        Self(describe(error).into())
    }
}

/// The error and its causes, joined by colons.
pub(crate) fn describe<E: std::error::Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
