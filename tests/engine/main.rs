//! The promises of the engine, each with tests that fail when it is broken.
#![allow(clippy::unwrap_used, dead_code)]

mod helpers;
mod promises;
mod recovery;
#[path = "../support/mod.rs"]
mod support;
