//! What can stop a change of the OTE world.

use std::io;

/// Why something was not done. The messages are shown to whoever called the control surface.
#[derive(Debug, thiserror::Error)]
pub enum OteError {
    /// The caller asked for something that makes no sense; says what.
    #[error("{0}")]
    Refused(String),
    /// There is no such record, file or message.
    #[error("{0}")]
    NotFound(String),
    /// A file cannot be read or written, or an address cannot be listened on.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl OteError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
