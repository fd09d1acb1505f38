//! What the store promises, checked on both engines with the same words.
//!
//! The PostgreSQL half needs a server: `scripts/with-postgres.sh --fast cargo test -p chancery-store`.
//! Without one it fails; nothing is skipped.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod bed;
mod call_counts;
mod changes;
mod contacts;
mod control;
mod customers;
mod desks;
mod guards;
mod jobs;
mod lifecycle;
mod long_lists;
mod losses;
mod orders;
mod organizations;
mod people;
mod pools;
mod prices;
mod proxy;
mod restores;
mod revocations;
mod searches;
mod sequences;
mod things;
mod trails;
mod upgrades;
mod vetting;
