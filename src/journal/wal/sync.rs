//! The threads, locks, queues and atomics of the log: the standard ones, or those of a scheduler that tries their orders.
//!
//! With the feature `shuttle` the log runs only inside that scheduler; `tests/concurrency.rs` does that. A timeout
//! never passes there, so what waits with one waits for its bell.

#[cfg(feature = "shuttle")]
pub(super) use shuttle::{sync, thread};
#[cfg(not(feature = "shuttle"))]
pub(super) use std::{sync, thread};
