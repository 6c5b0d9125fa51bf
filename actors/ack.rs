//! The parts of an answer, which waits until everything it depends on is durable.
//!
//! ```text
//! reply ── part ──▶ directory's ticket ─┐
//!      └── part ──▶ list's ticket ──────┤ all parts done ──▶ the answer, once
//!                                       │ any part dropped undone ──▶ lost
//! ```
//!
//! A part travels in a message and ends in a ticket of the log. A part that is dropped on the way
//! (an actor died, the log was poisoned) fails the whole: nothing is acknowledged by accident.
//! The answer's value is a [`Reply`](super::reply::Reply)'s matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use restockd_journal::wal;

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
pub struct AckGuard {
    join: Arc<Join>,
    done: bool,
}

impl std::fmt::Debug for AckGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AckGuard")
    }
}

impl AckGuard {
    /// The first part; `then` runs when it and all parts split from it are gone.
    #[must_use]
    pub fn new(then: impl FnOnce(bool) + Send + 'static) -> Self {
        Self::of(Some(Box::new(then)))
    }

    /// The first part of an answer whose end is still to come, with [`AckGuard::done_then`].
    #[must_use]
    pub(super) fn without_end() -> Self {
        Self::of(None)
    }

    fn of(then: Option<Then>) -> Self {
        let join = Join { failed: AtomicBool::new(false), then: Mutex::new(then) };
        Self { join: Arc::new(join), done: false }
    }

    /// One more part of the same answer.
    #[must_use]
    pub(crate) fn split(&self) -> Self {
        Self { join: Arc::clone(&self.join), done: false }
    }

    /// This part is durable (or needs nothing).
    pub(crate) fn done(mut self) {
        self.done = true;
    }

    /// This part needs nothing more; `then` runs when all parts are gone.
    pub(super) fn done_then(self, then: impl FnOnce(bool) + Send + 'static) {
        *self.join.then.lock() = Some(Box::new(then));
        self.done();
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

impl Drop for AckGuard {
    fn drop(&mut self) {
        if !self.done {
            self.join.failed.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> (AckGuard, Arc<Mutex<Option<bool>>>) {
        let seen = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&seen);
        (AckGuard::new(move |all| *slot.lock() = Some(all)), seen)
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
