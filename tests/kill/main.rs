//! The engine as a real process, killed with `kill -9` while it works, against what it promised.
//!
//! | file | what is killed | what must hold |
//! |---|---|---|
//! | `broadcast` | a broadcast over SMTP, and one into a folder | nobody twice, nobody lost in silence, the doubt bounded |
//! | `order` | the engine, between the directory's record and the list's | the last word counts |
//! | `crowd` | nothing: one webhook thousands of times at once | one signal, one campaign |
//!
//! The short form runs with every `cargo test`. The long form takes its sizes from the environment:
//!
//! ```text
//! RESTOCKD_KILLS=20 RESTOCKD_LETTERS=5000 RESTOCKD_WEBHOOKS=10000 \
//!     cargo test --release --test kill -- --nocapture --test-threads 1
//! ```
//!
//! Kills fall at random points; the seed is printed, and `RESTOCKD_SEED` chooses it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic")]

mod broadcast;
mod crowd;
mod order;

use restockd_testkit::dice::{Dice, size};
