//! The database: statements, rows, the job queue. The only room that knows SQL.
//!
//! Two engines serve one interface: an SQLite file and PostgreSQL. Reads are single statements. Writes are
//! [`Change`] sets, complete before they are sent; [`Store::commit`] applies one wholly or not at all and
//! answers when it is safe on disk. Many waiting sets share one flush; a set whose expectation fails is
//! taken back alone (`docs/adr/0001-storage-seam.md`).
//!
//! Invariants: no transaction is ever open across a wait of the caller. Correctness comes from conditions
//! in statements (`where version = …`), unique keys and checks, not from locks. The database reads no
//! clock: every time is bound. A statement is one portable text with `$1` placeholders; where the engines
//! truly differ there is one `match` on [`Engine`] and a sentence why.
//!
//! What it does not do: decide anything. Rules are the domain's; a refusal here means that the facts moved
//! since they were read.

pub mod access_trail;
pub mod approvals;
pub mod authorities;
pub mod authorizations;
mod blocked_keys;
pub mod call_counts;
pub mod certificates;
mod changes;
mod clock_steps;
mod contact_defaults;
mod contact_events;
pub mod contact_searches;
pub mod contacts;
pub mod customer_searches;
pub mod customer_tokens;
pub mod customers;
mod errors;
mod events;
mod guards;
pub mod idempotency;
mod inspections;
mod issuances;
mod job_claims;
mod job_desk;
mod jobs;
mod ledger;
mod lists;
pub mod lost_certificates;
mod meta;
mod migrations;
mod name_grams;
mod name_index;
mod name_searches;
mod notices;
mod observations;
mod operator_acts;
pub mod order_counts;
mod order_places;
pub mod order_searches;
mod order_sets;
pub mod orders;
pub mod organizations;
pub mod password_mails;
mod postgres;
mod prevalidations;
mod prices;
mod reading;
pub mod record;
mod resellers;
pub mod restores;
pub mod retention;
pub mod sealed;
mod search_texts;
mod sequences;
mod sqlite;
mod store;
mod url;
mod values;
pub mod vetting;
mod waiting;

pub use changes::{Change, Failure, Told};
pub use errors::{BoxedError, StoreError};
pub use job_claims::{JobCounts, Lease, Turn};
pub use job_desk::{JobFilter, JobSubjects, ListedJob};
pub use jobs::{ClaimedJob, JobId, NewJob, ParkedJob, Queue};
pub use sequences::Sequence;
pub use store::{Durability, Engine, Store, StoreSettings};
pub use url::{DatabaseUrl, DatabaseUrlError};
pub use values::{Row, Value};
