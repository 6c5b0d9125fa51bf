//! What outlives the process: the file system behind a trait, the write-ahead log and the snapshots.
//!
//! ```text
//! wal        the log: every record, in order, durable before its answer
//! snapshots  the snapshots: whole generations of all state, written once
//! disk       the file system under both
//! quarantine   damaged files of either, which stay for a while
//! ```
//!
//! Bytes in, bytes out: what stands in a record or a page is the business of the layers above.

pub mod disk;
pub mod quarantine;
pub mod snapshots;
pub mod wal;
