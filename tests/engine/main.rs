//! The promises of the engine, each with tests that fail when it is broken.
#![allow(clippy::unwrap_used, dead_code)]

mod campaigns;
mod consent;
mod events;
mod everybody;
mod helpers;
mod letters;
mod people;
mod promises;
mod recovery;
mod restocks;
#[path = "../support/mod.rs"]
mod support;
