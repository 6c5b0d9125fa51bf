//! The promises of the engine, each with tests that fail when it is broken.
#![allow(clippy::unwrap_used, dead_code)]

mod ages;
mod campaigns;
mod consent;
mod double_opt_in;
mod endings;
mod envelopes;
mod erasure;
mod events;
mod everybody;
mod evidence;
mod helpers;
mod hostile;
mod keys;
mod letters;
mod links;
mod logs;
mod looks;
mod newest_word;
mod offers;
mod operations;
mod people;
mod power;
mod promises;
mod providers;
mod recovery;
mod relays;
mod replies;
mod resting;
mod restocks;
mod returns;
#[path = "../mail/server.rs"]
mod server;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
mod suppressions;
