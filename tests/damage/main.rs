//! Damage, exhaustively: every bit and every length of a log, every file of a snapshot; never a silent loss.
//!
//! The short form runs in `cargo test`: all bits of every head, and places that a printed seed picks of the rest. The
//! complete form is `RESTOCKD_DAMAGE=all cargo test --release --test damage -- --nocapture`. Both end with a table of
//! outcomes; `RESTOCKD_SEED=n` picks other places.

#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod bits;
mod boot;
mod cases;
mod generations;
mod last_frame;
mod lengths;
mod sample;
