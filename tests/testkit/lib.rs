//! What tests and benches share: test doubles, engines to call, and a shop that fills them.
//!
//! | part | feature | what it is |
//! |---|---|---|
//! | `dice` | | chance from a seed; sizes from the environment |
//! | `sink` | | a mail server that takes every letter and remembers it |
//! | `disk` | `disk` | a disk in memory that cuts the power, fills up, fails and lies |
//! | `mail_server` | `mail` | a mail server that does what a test tells it to, phase by phase |
//! | `app` | `engine` | an engine in this process, with a clock that the test moves |
//! | `process`, `client` | `engine` | an engine in a process of its own, killed at will, called over HTTP |
//! | `null_engine` | `engine` | an engine without actors and disk, which confirms everything at once |
//! | `shop`, `lived` | `engine` | shoppers, lists and campaigns made by the machines themselves |
//! | `servers` | `engine` | other programs that a bench compares with |
//!
//! Each feature switches on the feature `testing` of the layers it needs, so only dev-dependencies may name this package. A
//! layer's own unit tests may use only the parts that stand below that layer: with a part above it there would be two copies
//! of the layer, the one under test and the one that this package was built with.
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
/// The secret of their webhook source `inventory`.
pub const SECRET: &str = "a-secret-of-thirty-two-bytes-now";
/// The time at which a manual clock starts: 2026-03-02T12:00:00Z, a Monday.
#[cfg(feature = "engine")]
pub const NOON: restockd_core::Millis = restockd_core::Millis(1_772_452_800_000);
