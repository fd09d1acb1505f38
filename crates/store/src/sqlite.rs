//! The engine over an SQLite file: one thread that writes, a few connections that read.
//!
//! Statements are prepared once per connection and found again by the address of their text. SQLite numbers
//! `$1` by order of first appearance, so a text is turned into the `?1` form, which means the number.

mod readers;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::changes::Change;
use crate::errors::{BoxedError, StoreError};
use crate::store::{Durability, StoreSettings};
use crate::values::{Row, Value};
use readers::Readers;
use writer::Writer;

pub(crate) struct Sqlite {
    writer: Writer,
    readers: Arc<Readers>,
}

impl Sqlite {
    pub(crate) fn open(file: &Path, settings: &StoreSettings) -> Result<Self, StoreError> {
        create_private(file).map_err(StoreError::database)?;
        let connection = connect(file, Access::Write, settings)?;
        Ok(Self {
            writer: Writer::start(connection, settings)?,
            readers: Arc::new(Readers::new(file, settings)),
        })
    }

    pub(crate) async fn commit(&self, change: Change) -> Result<Vec<Vec<Row>>, StoreError> {
        self.writer.commit(change).await
    }

    pub(crate) fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        self.readers.query(sql, values)
    }

    pub(crate) async fn scan(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        Readers::scan(&self.readers, sql, values).await
    }

    /// Runs a script in one transaction on the writing connection.
    pub(crate) async fn run_script(&self, script: String) -> Result<(), StoreError> {
        self.writer.run_script(script).await
    }

    pub(crate) async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}

/// Whether an error says that the file takes no writes for now: held by another process, no room, a disk that fails.
pub(crate) fn is_outage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
        )
    )
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Access {
    Read,
    Write,
}

/// Creates the file for its owner only; SQLite gives its companions the same mode.
fn create_private(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

fn connect(
    file: &Path,
    access: Access,
    settings: &StoreSettings,
) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
    let connection = Connection::open_with_flags(file, flags).map_err(StoreError::database)?;
    connection
        .busy_timeout(settings.busy_timeout)
        .map_err(StoreError::database)?;
    // Plans must not hang on the values bound, or SQLite prepares a statement anew for each new value.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(StoreError::database)?;
    // Memory is bounded on purpose: pages that matter are in the system's cache, a read away. A memory map
    // would count as resident memory and turn a disk error into a signal.
    let common = "pragma foreign_keys = on; pragma temp_store = memory; pragma mmap_size = 0;";
    let own = match (access, settings.durability) {
        (Access::Read, _) => "pragma cache_size = -4096; pragma query_only = on;",
        (Access::Write, Durability::Full) => WRITER_FULL,
        (Access::Write, Durability::ProcessOnly) => WRITER_PROCESS_ONLY,
    };
    connection
        .execute_batch(&format!("{common}{own}"))
        .map_err(StoreError::database)?;
    Ok(connection)
}

// What is deleted is overwritten, on pages that become free as well, which `fast` would leave as they are. It
// costs the writing of those pages, which are few beside the others: jobs come and go, but share their pages.
// The log has older versions of pages until they are written over or the file is closed.
const WRITER_FULL: &str = "
    pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on;
    pragma cache_size = -16384; pragma wal_autocheckpoint = 4000; pragma journal_size_limit = 67108864;";

const WRITER_PROCESS_ONLY: &str = "
    pragma journal_mode = wal; pragma synchronous = off; pragma secure_delete = on;
    pragma cache_size = -16384; pragma wal_autocheckpoint = 4000;";

/// Turns `$1` into `?1`, outside quotes.
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut quote = None;
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '$' && rest.peek().is_some_and(char::is_ascii_digit) => {
                text.push('?');
                continue;
            }
            _ => {}
        }
        text.push(c);
    }
    text
}

/// Binds all values, counted: SQLite would take a forgotten one for null.
fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> Result<(), BoxedError> {
    if statement.parameter_count() != values.len() {
        return Err(format!(
            "the statement takes {} values, {} were given",
            statement.parameter_count(),
            values.len()
        )
        .into());
    }
    for (at, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, value)?;
    }
    Ok(())
}

/// Runs a bound statement and keeps its rows.
fn collect(
    sql: &'static str,
    statement: &mut rusqlite::Statement<'_>,
) -> Result<Vec<Row>, rusqlite::Error> {
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            values.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Int(value),
                ValueRef::Real(_) => {
                    return Err(rusqlite::Error::InvalidColumnType(
                        column,
                        "a number that is not an integer".to_owned(),
                        rusqlite::types::Type::Real,
                    ));
                }
                ValueRef::Text(text) => Value::Text(
                    std::str::from_utf8(text)
                        .map_err(|error| rusqlite::Error::Utf8Error(column, error))?
                        .to_owned(),
                ),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
            });
        }
        found.push(Row::new(sql, values));
    }
    Ok(found)
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Null => ValueRef::Null,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_turned_outside_quotes_only() {
        assert_eq!(
            numbered("select '$1', \"$2\", a$, $$, 'it''s $3' from t where a = $12 and b = $1"),
            "select '$1', \"$2\", a$, $$, 'it''s $3' from t where a = ?12 and b = ?1",
        );
    }

    #[test]
    fn placeholders_mean_their_number_whatever_their_order() {
        let connection = Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare(&numbered("select $2, $1, $2")).unwrap();
        bind(&mut statement, &crate::values!["one", 2_i64]).unwrap();
        let rows = collect("", &mut statement).unwrap();
        assert_eq!(rows[0].values(), crate::values![2_i64, "one", 2_i64]);
        assert!(bind(&mut statement, &crate::values![1_i64]).is_err());
    }
}
