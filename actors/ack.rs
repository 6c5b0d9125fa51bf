//! What an answer waits for: one guard for each thing that must be durable first.
//!
//! ```text
//! reply ── guard ──▶ directory's ticket ─┐
//!      └── guard ──▶ list's ticket ──────┤ all guards done ──▶ the answer, once
//!                                        │ any guard dropped undone ──▶ lost
//! ```
//!
//! A guard travels in a message and ends in a ticket of the log. If a guard is dropped on the way (because an actor died
//! or the log was poisoned), the whole answer fails: nothing is acknowledged by accident. The answer's value is held by
//! `Reply`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use restockd_journal::wal;

/// Called when the last guard is gone, with true when all were done.
type Then = Box<dyn FnOnce(bool) + Send>;

/// Shared by all guards of one answer.
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
    /// The first guard of an answer; `then` runs when it and all guards split from it are gone.
    #[must_use]
    pub fn new(then: impl FnOnce(bool) + Send + 'static) -> Self {
        Self::of(Some(Box::new(then)))
    }

    /// The first guard of an answer whose `then` is not known yet; [`AckGuard::done_then`] gives it.
    #[must_use]
    pub(super) fn without_end() -> Self {
        Self::of(None)
    }

    fn of(then: Option<Then>) -> Self {
        let join = Join { failed: AtomicBool::new(false), then: Mutex::new(then) };
        Self { join: Arc::new(join), done: false }
    }

    /// One more guard of the same answer.
    #[must_use]
    pub(crate) fn split(&self) -> Self {
        Self { join: Arc::clone(&self.join), done: false }
    }

    /// What this guard stands for is durable, or needs nothing.
    pub(crate) fn done(mut self) {
        self.done = true;
    }

    /// This guard is done; `then` runs when all guards are gone.
    pub(super) fn done_then(self, then: impl FnOnce(bool) + Send + 'static) {
        *self.join.then.lock() = Some(Box::new(then));
        self.done();
    }

    /// The log ticket that completes this guard.
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
