//! What Chancery reaches by network: the DNS, web servers to be checked, and the mail relay.
//!
//! A stranger may answer anything, so whatever the world says becomes a value ([`dns::DnsAnswer`], an
//! [`Observation`](chancery_domain::observations::Observation)); an error means that *we* failed. Every wait has an
//! end and every answer a size limit. Nothing here decides what a proof is good for: that is `domain`'s.

pub mod addresses;
pub mod dcv;
pub mod dns;
mod excerpts;
mod exchange;
pub mod mail;
pub mod probe;
