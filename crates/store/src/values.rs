//! What goes to the database and what comes back: four kinds of value, and rows of them.
//!
//! Both engines understand a 64-bit integer, a text, bytes and null, and nothing else is sent: times are
//! microseconds since 1970, money is minor units, truth is 0 or 1, structure is JSON in a text. So one
//! statement and one list of values serve either driver, and a row read from one equals a row read from
//! the other.

use jiff::Timestamp;

use crate::errors::StoreError;

/// One value of a statement or of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A `bigint`.
    Int(i64),
    /// A `text`.
    Text(String),
    /// A `blob` or `bytea`.
    Bytes(Vec<u8>),
    /// No value.
    Null,
}

impl Value {
    /// The kind of value, for messages; never the content.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "an integer",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::Null => "null",
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.as_microsecond())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Makes a `Vec<Value>` of anything that has a [`Value`] form.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::Value::from($value)),*]
    };
}

/// One row of an answer. Columns are read by position, in the order the statement lists them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    sql: &'static str,
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn new(sql: &'static str, values: Vec<Value>) -> Self {
        Self { sql, values }
    }

    /// All columns.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// An integer.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        match self.value(column)? {
            Value::Int(value) => Ok(*value),
            other => Err(self.mismatch(column, "an integer", other)),
        }
    }

    /// An integer or null.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.optional(column, Self::int)
    }

    /// A text, borrowed.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self.value(column)? {
            Value::Text(value) => Ok(value),
            other => Err(self.mismatch(column, "a text", other)),
        }
    }

    /// A text or null, borrowed.
    pub fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        self.optional(column, Self::text)
    }

    /// A text, owned.
    pub fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column).map(str::to_owned)
    }

    /// A text or null, owned.
    pub fn opt_string(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.optional(column, Self::string)
    }

    /// Bytes, borrowed.
    pub fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        match self.value(column)? {
            Value::Bytes(value) => Ok(value),
            other => Err(self.mismatch(column, "bytes", other)),
        }
    }

    /// Bytes or null, borrowed.
    pub fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        self.optional(column, Self::bytes)
    }

    /// Bytes of a fixed length, for example a digest.
    pub fn array<const N: usize>(&self, column: usize) -> Result<[u8; N], StoreError> {
        self.bytes(column)?
            .try_into()
            .map_err(|_| self.corrupt(column, format!("expected {N} bytes")))
    }

    /// A truth: 0 or 1.
    pub fn truth(&self, column: usize) -> Result<bool, StoreError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.corrupt(column, format!("expected 0 or 1, found {other}"))),
        }
    }

    /// A time, kept as microseconds since 1970.
    pub fn timestamp(&self, column: usize) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.int(column)?)
            .map_err(|error| self.corrupt(column, error.to_string()))
    }

    /// A time or null.
    pub fn opt_timestamp(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        self.optional(column, Self::timestamp)
    }

    /// The error for a column whose content makes no sense to its reader.
    pub fn corrupt(&self, column: usize, why: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            statement: self.sql,
            column,
            why: why.into(),
        }
    }

    fn optional<'a, T>(
        &'a self,
        column: usize,
        read: impl FnOnce(&'a Self, usize) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Int(_) | Value::Text(_) | Value::Bytes(_) => read(self, column).map(Some),
        }
    }

    fn value(&self, column: usize) -> Result<&Value, StoreError> {
        self.values
            .get(column)
            .ok_or_else(|| self.corrupt(column, "there is no such column"))
    }

    fn mismatch(&self, column: usize, expected: &str, found: &Value) -> StoreError {
        self.corrupt(
            column,
            format!("expected {expected}, found {}", found.kind()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_the_statement_and_the_column_but_no_content() {
        let row = Row::new("select secret from things", values!["hunter2"]);
        let error = row.int(0).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { column: 0, .. }));
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("select secret from things") && !text.contains("hunter2"),
            "{text}"
        );
        assert!(row.text(1).is_err());
    }

    #[test]
    fn times_are_cut_to_the_microsecond() {
        let time: Timestamp = "2026-11-22T10:00:00.123456789Z".parse().unwrap();
        let row = Row::new("", values![time, None::<i64>, true]);
        assert_eq!(
            row.timestamp(0).unwrap().to_string(),
            "2026-11-22T10:00:00.123456Z"
        );
        assert_eq!(row.opt_timestamp(1).unwrap(), None);
        assert!(row.truth(2).unwrap());
    }
}
