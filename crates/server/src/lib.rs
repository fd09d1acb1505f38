//! The server: configuration, wiring, listeners, shutdown.
//!
//! [`config`] turns files, environment and flags into settings that make sense together; [`Server`] makes
//! the use cases from them, runs the worker, and serves every dialect on one listener until told to stop.
//! In OTE mode it also runs the built-in outside world; the use cases do not know the difference.

mod clients;
mod complaints;
pub mod config;
mod continues;
mod contract;
mod descriptors;
mod dialects;
mod first_start;
mod health;
pub mod listener;
mod ote;
mod places;
mod public_contract;
mod reloads;
mod repository;
mod requests;
mod restored;
mod revocations;
mod secrets;
mod wiring;
mod write_deadline;

pub use contract::openapi;
pub use first_start::{OteAccount, OteCredential};
pub use reloads::Reloadable;
pub use secrets::master_key_if_there;
pub use wiring::{
    Server, StartError, catalogue, check, lock_file, open_store, operations,
    operations_after_restore, operations_to_rotate, rotate_master_key,
};
