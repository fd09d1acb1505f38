//! Which errors say that the server is away, or takes no writes for now, and which are faults.

use std::error::Error;
use std::io;

use tokio_postgres::error::SqlState;

/// Whether the same may well succeed later, with nothing changed on our side.
pub(crate) fn is_outage(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => is_outage_code(code),
        None => error.is_closed() || is_of_the_network(error),
    }
}

/// PostgreSQL, appendix A: connections (08), resources such as disk and connections (53), the server's own stops and
/// starts (57P), its system's errors (58), a standby that takes no writes yet (25006), and a database that is closed
/// to everyone for now (55000).
fn is_outage_code(code: &SqlState) -> bool {
    let text = code.code();
    ["08", "53", "57P", "58"]
        .iter()
        .any(|class| text.starts_with(class))
        || [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        ]
        .contains(code)
}

/// Whether a socket failed. A certificate that is not trusted comes as an error of the socket, too.
fn is_of_the_network(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() != io::ErrorKind::InvalidData;
        }
        cause = error.source();
    }
    false
}
