//! The outside world of OTE mode: a DNS server, a web server and a mailbox, all on loopback.
//!
//! An integrator rehearses with them, and so do the tests: the platform reaches them over the network through
//! the same code that reaches the real world. What they hold is changed over the control surface and survives a
//! restart. Nothing here is part of a production server.

mod access;
pub mod control;
pub mod dns_server;
mod errors;
mod folders;
mod listening;
pub mod mail_server;
mod mailbox;
mod owner_names;
mod records;
mod web_files;
pub mod web_server;
mod worlds;
mod zones;

pub use access::Access;
pub use errors::OteError;
pub use listening::Listening;
pub use mailbox::{Mailbox, StoredMail};
pub use owner_names::OwnerName;
pub use records::{RecordKind, RecordSetText};
pub use web_files::{PlacedWebFile, WebFile, WebFiles, WebHead};
pub use worlds::OteWorld;
pub use zones::{PlacedRecordSet, RESERVED_ZONES, Zones};
