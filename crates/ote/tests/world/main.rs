//! The OTE servers and the real clients against each other, over loopback sockets.

mod advice;
mod dns;
mod dns_proofs;
mod file_proofs;
mod fixtures;
mod mail;
mod odd_answers;
mod resolvers;
mod surface;
mod tls_of_yesterday;
