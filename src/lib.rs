//! restockd: a back-in-stock engine in one binary and one data directory.
//!
//! ```text
//! roof   main, boot, config, overrides, cli, …     wires everything; imported by nobody
//!  3     http/                                    parse, authenticate, admit, ask, answer
//!  2     actors/                                  ractor lives here and nowhere else
//!  1     wal/  store/  mail/  clock               disk, sled, SMTP, time; strangers to each other
//!       disk/                                    the file system under log and snapshots, real and simulated
//!  0     domain/  codec  token  render  returns   words, machines, bytes, secrets, templates: pure
//! ```
//!
//! Each floor imports only downward; `tests/architecture.rs` reads the sources and holds it.

pub mod codec;
pub mod domain;
pub mod render;
pub mod returns;
pub mod token;

pub mod clock;
pub mod disk;
pub mod mail;
pub mod store;
pub mod wal;

// The user's card wants the actors beside `src/`, not in it; they are a floor, so a module.
#[path = "../actors/mod.rs"]
pub mod actors;

pub mod http;

pub mod boot;
pub mod cli;
pub mod config;
pub mod overrides;
pub mod telemetry;
