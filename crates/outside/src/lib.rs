//! What Chancery reaches by network: the DNS, web servers to be checked, and the mail relay.
//!
//! A stranger may answer anything, so whatever the world says becomes a value ([`dns::DnsAnswer`], an
//! [`Observation`](chancery_domain::observations::Observation)); an error means that *we* failed. Every wait has an
//! end and every answer a size limit. Nothing here decides what a proof is good for: that is `domain`'s.

pub mod addresses;
pub mod answers;
pub mod codings;
pub mod dcv;
mod dialling;
pub mod dns;
mod dns_looks;
mod dns_sockets;
mod excerpts;
mod exchange;
mod legacy_suites;
pub mod mail;
pub mod probe;
mod redirects;
mod resolvers;
mod shortages;
mod tls;
