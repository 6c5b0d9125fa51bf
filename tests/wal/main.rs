//! The write-ahead log, by theme. Tickets and channels are the only fences; nothing sleeps.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod basic;
mod corruption;
mod crashes;
mod faulty_disk;
mod real_disk;
mod repair;
mod support;
mod torn_tail;
