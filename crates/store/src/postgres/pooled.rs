//! A pool of statements between us and the server: pgbouncer with `pool_mode = transaction` or `statement`, and its like.
//!
//! Such a pool gives each transaction whatever connection to the server is free. What is prepared on a connection is then
//! not there the next time, or is somebody else's. It shows when one of our connections is idle and another one is in a
//! transaction: both are with the same process of the server, or the idle one is with another than before.

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use super::connection::{Connection, Trouble};

/// How often the idle connection is asked: some pools take turns.
const TIMES: usize = 4;

/// Whether two connections of ours share processes of the server.
pub(super) async fn are_pooled(idle: &Connection, other: &Connection) -> Result<bool, Trouble> {
    let before = process(idle, "").await?;
    let within = match process(other, "begin; ").await {
        // A pool of single statements knows no transactions.
        Err(trouble) if is_of_a_pool(&trouble) => return Ok(true),
        within => within?,
    };
    // Of a pool with one connection the idle one would wait for the other.
    let mut is_pooled = within == before;
    for _ in 0..TIMES {
        is_pooled = is_pooled || process(idle, "").await? != before;
    }
    process(other, "rollback; ").await?;
    Ok(is_pooled)
}

fn is_of_a_pool(trouble: &Trouble) -> bool {
    let error = match trouble {
        Trouble::Refused(error) => Some(error),
        Trouble::Lost(error) => error.downcast_ref(),
        Trouble::Unfit(_) => None,
    };
    error.and_then(tokio_postgres::Error::code) == Some(&SqlState::PROTOCOL_VIOLATION)
}

/// The number of the server's process that answers. Asked without preparing anything.
async fn process(connection: &Connection, first: &str) -> Result<Option<String>, Trouble> {
    let script = format!("{first}select pg_backend_pid()");
    let answers = connection.ask(&script).await?;
    Ok(answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
