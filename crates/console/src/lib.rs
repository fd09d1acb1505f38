//! Pages for people: rendered here, without scripts, from templates compiled in.
//!
//! There is the front page, and the one where the reader of an approval mail says yes. Pages translate and never decide:
//! what a form does is a use case.

mod approval;
mod front;
mod page;

pub use approval::router;
pub use front::{Front, router as front};
