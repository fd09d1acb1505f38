//! The nouns of Chancery and the rules between them.
//!
//! Everything here is pure: it takes facts (the time, a product, what a look at the world found) and
//! returns a value or a refusal. No I/O, no clock, no SQL, no async. A value that exists is valid; callers
//! need not check it again.

pub mod authorizations;
pub mod names;
pub mod observations;

pub use jiff::{SignedDuration, Timestamp};
