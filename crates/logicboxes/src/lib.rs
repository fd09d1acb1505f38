//! The LogicBoxes dialect: `/api/{resource}/{method}.json` and `.xml` on one side, use cases on the other.
//!
//! Every call goes one way (`routes.rs`): parameters of query and body become one, the credential among them is
//! proved and let in, the method's handler turns parameters into domain types and what comes back into a
//! [`values::Value`], and that is written as the path's extension says.
//!
//! To add a method: write `async fn` of [`routes::Call`] that returns [`routes::Answer`] in the file of its noun,
//! tell what it takes and gives as an [`contract::Operation`] in `contract/`, and add a row to the table. A use
//! case's `AppError` becomes a refusal by `?`; so does what [`parameters::Parameters`] says is wrong.
//!
//! This crate translates and never decides. Where the contract is silent, what we chose is written down in
//! `docs/api/logicboxes.md`. No database, no clock, no rule of business is here.

mod agreements;
mod auth;
mod contact_changes;
mod contact_defaults;
mod contact_searches;
mod contacts;
mod contract;
mod customer_access;
mod customers;
mod details;
mod eligibility;
mod errors;
mod hashtable;
mod parameters;
mod resellers;
mod routes;
mod sponsors;
mod values;
mod words;

pub use contract::openapi;
pub use parameters::{read_attributes, read_parameters};
pub use routes::{Route, Settings, overloaded, router, routes};
