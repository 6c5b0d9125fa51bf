//! The promises of the engine, each with tests that fail when it is broken.
#![allow(clippy::unwrap_used, dead_code)]

mod campaigns;
mod consent;
mod erasure;
mod events;
mod everybody;
mod helpers;
mod keys;
mod letters;
mod links;
mod logs;
mod operations;
mod people;
mod power;
mod promises;
mod recovery;
mod relays;
mod restocks;
mod returns;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
