//! What PostgreSQL is sent for a portable statement, and the values that go with it.
//!
//! An expected number of rows must be checked by the server, because `commit` is on its way before the
//! first answer is in. The check divides by zero when the number is wrong, which aborts the transaction.

use bytes::BytesMut;
use futures_util::TryStreamExt;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, RowStream, Statement};

use crate::changes::Expectation;
use crate::errors::BoxedError;
use crate::values::{Row, Value};

/// The text to send.
pub(super) fn text(sql: &str, expect: Expectation) -> String {
    match expect {
        Expectation::Rows(rows, _) if !(rows == 1 && inserts_one_row(sql)) => format!(
            "with changed as ({sql} returning 1)
             select 1 / (case when count(*) = {rows} then 1 else 0 end) from changed"
        ),
        Expectation::Found(rows, _) => {
            format!("select 1 / (case when count(*) = {rows} then 1 else 0 end) from ({sql}) found")
        }
        Expectation::Rows(..) | Expectation::Any | Expectation::Answer => sql.to_owned(),
    }
}

/// Whether the statement inserts one row or fails, so that there is nothing to count.
fn inserts_one_row(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let Some((_, rows)) = sql
        .split_once(" values")
        .or_else(|| sql.split_once("\nvalues"))
    else {
        return false;
    };
    let rows = rows.trim();
    sql.trim_start().starts_with("insert ")
        && rows.ends_with(')')
        && !rows.contains(" on conflict")
        && parentheses_close_once(rows)
}

/// Whether the text is one pair of parentheses with all else inside.
fn parentheses_close_once(text: &str) -> bool {
    let mut depth = 0_i32;
    let closed = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    closed == Some(text.len() - 1)
}

/// Checks everything that could fail on our side: once the first statement of a group is sent, all of them
/// must be.
pub(super) fn check(statement: &Statement, values: &[Value]) -> Result<(), BoxedError> {
    let wanted = statement.params();
    if wanted.len() != values.len() {
        return Err(format!(
            "the statement takes {} values, {} were given",
            wanted.len(),
            values.len()
        )
        .into());
    }
    for (at, (value, wanted)) in values.iter().zip(wanted).enumerate() {
        if !fits(value, wanted) {
            return Err(format!(
                "${} is {}, the statement takes {wanted}",
                at + 1,
                value.kind()
            )
            .into());
        }
    }
    match statement
        .columns()
        .iter()
        .find(|column| !is_readable(column.type_()))
    {
        Some(column) => {
            Err(format!("column {} is {}: cast it", column.name(), column.type_()).into())
        }
        None => Ok(()),
    }
}

fn fits(value: &Value, wanted: &Type) -> bool {
    match value {
        Value::Int(number) => match *wanted {
            Type::INT8 => true,
            Type::INT4 => i32::try_from(*number).is_ok(),
            Type::INT2 => i16::try_from(*number).is_ok(),
            _ => false,
        },
        // A text for `json_each` goes as it is.
        Value::Text(_) => {
            matches!(
                *wanted,
                Type::TEXT | Type::VARCHAR | Type::NAME | Type::JSON
            )
        }
        Value::Bytes(_) => *wanted == Type::BYTEA,
        Value::Null => true,
    }
}

fn is_readable(found: &Type) -> bool {
    matches!(
        *found,
        Type::INT8
            | Type::INT4
            | Type::INT2
            | Type::TEXT
            | Type::VARCHAR
            | Type::NAME
            | Type::BYTEA
    )
}

impl ToSql for Value {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        match self {
            Self::Int(number) => match *wanted {
                Type::INT4 => i32::try_from(*number)?.to_sql(wanted, out),
                Type::INT2 => i16::try_from(*number)?.to_sql(wanted, out),
                _ => number.to_sql(wanted, out),
            },
            Self::Text(text) => text.to_sql(wanted, out),
            Self::Bytes(bytes) => bytes.to_sql(wanted, out),
            Self::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Sends a query and gathers its rows.
pub(super) async fn query(
    client: &Client,
    sql: &'static str,
    statement: &Statement,
    values: &[Value],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let stream: RowStream = client.query_raw(statement, values).await?;
    let mut stream = std::pin::pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        let values = row
            .columns()
            .iter()
            .enumerate()
            .map(|(at, column)| value(&row, at, column));
        rows.push(Row::new(sql, values.collect::<Result<_, _>>()?));
    }
    Ok(rows)
}

fn value(
    row: &tokio_postgres::Row,
    at: usize,
    column: &tokio_postgres::Column,
) -> Result<Value, tokio_postgres::Error> {
    Ok(match *column.type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(at)?.into(),
        Type::INT4 => row.try_get::<_, Option<i32>>(at)?.into(),
        Type::INT2 => row.try_get::<_, Option<i16>>(at)?.map(i64::from).into(),
        Type::BYTEA => row.try_get::<_, Option<&[u8]>>(at)?.into(),
        _ => row.try_get::<_, Option<&str>>(at)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::Failure;

    const ONE: Expectation = Expectation::Rows(1, Failure::Refused("test"));

    #[test]
    fn only_what_can_miss_is_counted() {
        assert_eq!(
            text("insert into t (a) values ($1, cast($2 as bigint))", ONE),
            "insert into t (a) values ($1, cast($2 as bigint))"
        );
        for sql in [
            "update t set a = $1",
            "insert into t (a) values ($1), ($2)",
            "insert into t (a) values ($1) on conflict (a) do nothing",
            "insert into t (a) select $1",
        ] {
            assert!(text(sql, ONE).contains("count(*) = 1"), "{sql}");
        }
        let several = Expectation::Rows(2, Failure::Refused("test"));
        assert!(text("insert into t (a) values ($1), ($2)", several).contains("count(*) = 2"));
    }
}
