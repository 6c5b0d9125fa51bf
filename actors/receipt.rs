//! An answer that waits until everything it depends on is durable.
//!
//! ```text
//! Receipt ── part ──▶ directory's ticket ─┐
//!    │   └── part ──▶ list's ticket ──────┤ all parts done ──▶ the answer, once
//!    └ holds the admission permit         │ any part dropped undone ──▶ Lost
//! ```
//!
//! A part travels in a message and ends in a ticket of the log. A part that is dropped on the way
//! (an actor died, the log was poisoned) fails the whole: nothing is acknowledged by accident.
//! The permit that admitted the request is released with the last part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::wal;

/// What is called when the last part is gone: true when all were done.
type Then = Box<dyn FnOnce(bool) + Send>;

/// What all parts share.
struct Join {
    failed: AtomicBool,
    then: Mutex<Option<Then>>,
}

impl Drop for Join {
    fn drop(&mut self) {
        if let Some(then) = self.then.get_mut().take() {
            then(!*self.failed.get_mut());
        }
    }
}

/// One thing that must be durable before an answer may be given.
pub struct Part {
    join: Arc<Join>,
    done: bool,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Part")
    }
}

impl Part {
    /// The first part; `then` runs when it and all parts split from it are gone.
    #[must_use]
    pub fn new(then: impl FnOnce(bool) + Send + 'static) -> Self {
        let join = Join { failed: AtomicBool::new(false), then: Mutex::new(Some(Box::new(then))) };
        Self { join: Arc::new(join), done: false }
    }

    /// One more part of the same answer.
    #[must_use]
    pub fn split(&self) -> Self {
        Self { join: Arc::clone(&self.join), done: false }
    }

    /// This part is durable (or needs nothing).
    pub fn done(mut self) {
        self.done = true;
    }

    /// The log ticket that completes this part.
    #[must_use]
    pub fn ticket(self) -> wal::Ticket {
        Box::new(move |result| {
            if result.is_ok() {
                self.done();
            }
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            self.join.failed.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> (Part, Arc<Mutex<Option<bool>>>) {
        let seen = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&seen);
        (Part::new(move |all| *slot.lock() = Some(all)), seen)
    }

    #[test]
    fn the_answer_waits_for_the_last_part() {
        let (first, seen) = outcome();
        let second = first.split();
        first.done();
        assert_eq!(*seen.lock(), None);
        second.done();
        assert_eq!(*seen.lock(), Some(true));
    }

    #[test]
    fn a_part_dropped_undone_fails_the_whole() {
        let (first, seen) = outcome();
        drop(first.split());
        assert_eq!(*seen.lock(), None);
        first.done();
        assert_eq!(*seen.lock(), Some(false));
    }
}
