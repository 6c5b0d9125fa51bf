//! The promises of the engine, each with tests that fail when it is broken.
#![allow(clippy::unwrap_used, dead_code)]

mod consent;
mod everybody;
mod helpers;
mod letters;
mod people;
mod promises;
mod recovery;
mod restocks;
#[path = "../support/mod.rs"]
mod support;
