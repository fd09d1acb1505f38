//! The OTE servers and the real clients against each other, over loopback sockets.

mod dns;
mod dns_proofs;
mod file_proofs;
mod fixtures;
mod mail;
mod surface;
