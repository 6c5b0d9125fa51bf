//! The door as seen from outside: raw sockets against a real listener.
#![allow(clippy::unwrap_used)]

mod bad_deliveries;
mod bad_events;
mod bad_inputs;
mod bad_resources;
mod connections;
mod contract_campaigns;
mod contract_contacts;
mod contract_events;
mod contract_limits;
mod contract_lists;
mod contract_operations;
mod contract_public;
mod contract_suppressions;
mod framing;
mod good_inputs;
mod harness;
mod links;
mod logs;
mod webhooks;
