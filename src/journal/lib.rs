//! Durable storage: a file system behind a trait, the write-ahead log and the snapshots.
//!
//! ```text
//! wal         the log: every record in order, durable before anybody is told of it
//! snapshots   generations of the whole state, each written once and verified
//! disk        the file system below both, real or simulated
//! quarantine  damaged files of either, kept for seven days
//! ```
//!
//! This crate stores bytes and gives them back; only the layers above know what a record or a page means.
//! [`wal::recover`] opens a log: it cuts off what a power cut left half written and hands over every record
//! that is kept. [`wal::Log::start`] then appends. [`snapshots::Generations`] writes and loads generations.
//! Failures are a [`wal::WalError`] or a [`snapshots::StoreError`]: each names the file and what to do.

pub mod disk;
pub mod quarantine;
pub mod snapshots;
pub mod wal;
