//! The threads, locks, queues and atomics of the log: the standard ones, or those of a scheduler that tries
//! different orders.
//!
//! With the feature `shuttle` the log runs only inside that scheduler, as in `tests/concurrency.rs`. There a
//! timeout never expires, so a wait ends only when it is notified.

#[cfg(feature = "shuttle")]
pub(super) use shuttle::{sync, thread};
#[cfg(not(feature = "shuttle"))]
pub(super) use std::{sync, thread};
