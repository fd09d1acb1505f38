//! Keys, requests, certificates and revocation lists: bytes in, bytes out.
//!
//! Nothing here opens a socket or a file, reads a clock or waits. What is built is written by a small DER
//! writer of our own ([`encoding`], so that a certificate costs microseconds and every byte of it is
//! ours) and judged before it is signed by [`lint`], which reads it back with another parser and knows
//! nothing of the builder. Strangers' bytes come in through [`csr`] only, which never panics.
//!
//! Random bytes come from the operating system; times are handed in.

pub mod certificate;
pub mod crl;
pub mod csr;
pub mod encoding;
pub mod keys;
pub mod lint;
pub mod names;
pub mod oid;
pub mod pem;
pub mod profiles;
pub mod public_keys;
pub mod sealing;

pub use zeroize::Zeroizing;
