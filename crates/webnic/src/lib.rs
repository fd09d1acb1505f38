//! The WebNIC RESTful v2 SSL dialect: its paths, names and error shapes on one side, use cases on the other.
//!
//! This crate translates and never decides: a request becomes domain types or a refusal in the dialect's
//! own words, and what a use case returns is said with its key names, in its key order. Where the contract
//! is silent, what we chose is written down in `docs/api/webnic.md`. No database, no clock, no rule of
//! business is here.

mod auth;
mod balance;
mod body;
mod contacts;
mod contract;
mod csrs;
mod domains;
mod downloads;
mod envelope;
mod errors;
mod order_searches;
mod order_statistics;
mod orders;
mod organizations;
mod plans;
mod products;
mod query;
mod revocations;
mod routes;
mod scalars;
mod search;
mod status;
mod strangers;
mod tokens;
mod validations;
mod words;

pub use contract::openapi;
pub use errors::overloaded;
pub use routes::{Route, router, routes};
pub use strangers::{read_bodies, read_form};
