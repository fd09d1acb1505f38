//! The CAs the platform can ask for a certificate.
//!
//! There is one so far, the [`EmbeddedCa`], over `chancery-pki`: a root, and issuing CAs that follow each
//! other under it. Issuing has two halves, with a commit of
//! the caller's between them: [`EmbeddedCa::reserve`] fixes the octets to be signed, which go on record,
//! and [`EmbeddedCa::sign`] signs exactly those. After a crash the second half is done again with the
//! recorded octets, so nothing is ever signed that is not on record.
//!
//! Everything here is synchronous and computes; call it off the async runtime.

mod authority;
mod embedded;

pub use authority::{
    CaError, CaRecord, CaSettings, CaUrls, ISSUING_CONTEXT, ISSUING_YEARS, IssuingRecord,
    ROOT_CONTEXT,
};
pub use chancery_pki::crl::{CrlHead, Revoked};
pub use chancery_pki::lint::Finding;
pub use embedded::{EmbeddedCa, IssueError, LeafRequest, Reservation, VALIDITY_CEILING, issuer_id};
