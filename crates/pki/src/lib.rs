//! Keys, requests, certificates and revocation lists: bytes in, bytes out.
//!
//! Nothing here opens a socket or a file, reads a clock or waits. ASN.1 and cryptography are libraries':
//! `der` and `x509-cert` write and read, aws-lc signs. What is built is judged before it is signed by
//! [`lint`], which reads it back with another parser. Strangers' bytes come in through [`csr`] and, as
//! keys, through [`delivery`]; neither panics.
//!
//! Random bytes come from the operating system; times are handed in.

pub mod certificate;
pub mod crl;
pub mod csr;
pub mod delivery;
pub mod identities;
pub mod jws;
pub mod keys;
pub mod lint;
pub mod names;
pub mod pem;
pub mod profiles;
pub mod public_keys;
pub mod sealing;
mod structures;

pub use structures::Malformed;
pub use zeroize::Zeroizing;
