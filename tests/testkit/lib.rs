//! What tests and benches share: doubles, engines to talk to, and a shop to fill them with.
//!
//! | part | feature | what it is |
//! |---|---|---|
//! | `dice` | | chance from a seed; sizes from the environment |
//! | `sink` | | a mail server that takes every letter and remembers it |
//! | `disk` | `disk` | a disk in memory that cuts the power, fills up, fails and lies |
//! | `mail_server` | `mail` | a mail server that does what a test tells it to, phase by phase |
//! | `app` | `engine` | an engine in this process, by a clock that the test moves |
//! | `process`, `client` | `engine` | an engine in a process of its own, killed at will, spoken to over HTTP |
//! | `null_engine` | `engine` | an engine without actors and disk, which says yes at once |
//! | `shop`, `lived` | `engine` | shoppers, lists and campaigns made by the machines themselves |
//! | `servers` | `engine` | other programs that a bench compares with |
//!
//! Each feature switches on the test doors (feature `testing`) of the layers it is about, so nothing but a
//! dev-dependency may name this package. A layer's own unit tests may use a part that stands below that layer only:
//! above it there would be two of the layer, the one under test and the one that this package was built with.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and waits for processes in real time"
)]

#[cfg(feature = "engine")]
pub mod app;
#[cfg(feature = "engine")]
pub mod client;
pub mod dice;
#[cfg(feature = "disk")]
pub mod disk;
#[cfg(feature = "engine")]
pub mod lived;
#[cfg(feature = "mail")]
pub mod mail_server;
#[cfg(feature = "engine")]
pub mod null_engine;
#[cfg(feature = "engine")]
pub mod process;
#[cfg(feature = "engine")]
pub mod servers;
#[cfg(feature = "engine")]
pub mod shop;
pub mod sink;

/// The admin key of engines under test.
pub const KEY: &str = "admin-key";
/// The secret of their source `inventory`.
pub const SECRET: &str = "a-secret-of-thirty-two-bytes-now";
/// Where a clock by hand stands at first: 2026-03-02T12:00:00Z, a Monday noon.
#[cfg(feature = "engine")]
pub const NOON: restockd_core::Millis = restockd_core::Millis(1_772_452_800_000);
