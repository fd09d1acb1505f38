//! The program itself, as operators run it and as machines kill it.
//!
//! `scripts/with-postgres.sh --fast cargo test -p chancery`. These tests start the real binary, so they are here,
//! where cargo has just built it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod access;
mod authority;
mod configuration;
mod crash;
mod crash_contacts;
mod crash_safety;
mod erasures;
mod evidence;
mod first_order;
mod hardships;
mod master_keys;
mod operators;
mod orders;
mod passing_keys;
mod programs;
mod proofs;
mod resellers;
mod restores;
mod revocations;
mod shutdown;
mod takeover;
mod trails;
mod vetting;
