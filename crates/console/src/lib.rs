//! Pages for people: rendered here, without scripts, from templates compiled in.
//!
//! So far there is one, where the reader of an approval mail says yes. Pages translate and never decide:
//! what a form does is a use case.

mod approval;
mod page;

pub use approval::router;
