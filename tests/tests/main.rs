//! End to end: the real server, spoken to over its wire, on both databases.
//!
//! `scripts/with-postgres.sh --fast cargo test -p chancery-tests`. Each module is one promise of the product;
//! what a single crate promises is tested there.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod access;
mod access_trail;
mod architecture;
mod authority;
mod catalogue;
mod conformance;
mod conformance_answers;
mod conformance_clients;
mod contacts;
mod contract;
mod crls;
mod csrs;
mod database;
mod dependencies;
mod documented;
mod downloads;
mod examples;
mod failing_jobs;
mod foreign;
mod free_names;
mod key_holders;
mod lives;
mod logicboxes_contact_changes;
mod logicboxes_contact_types;
mod logicboxes_contacts;
mod logicboxes_customer_access;
mod logicboxes_customer_searches;
mod logicboxes_customers;
mod logicboxes_examples;
mod logicboxes_goldens;
mod logicboxes_matrix;
mod logicboxes_missing;
mod logicboxes_panels;
mod logicboxes_senders;
mod logicboxes_transport;
mod looks;
mod master_keys;
mod matrix;
mod money;
mod orders;
mod organizations;
mod outages;
mod prices;
mod production;
mod races;
mod rates;
mod reference_data;
mod regressions;
mod renewals;
mod repeats;
mod retention;
mod revocations;
mod searches;
mod strangers;
mod suspension;
mod time;
mod transport;
mod validation;
mod vetted_orders;
mod vetting;
mod walk;
