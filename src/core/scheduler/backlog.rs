//! The rows of a ledger to be fetched next: deferred ones that are due, then pending ones in order.
//!
//! Derived from the ledger, and of this run only. Invariants: rows before the cursor are not pending unless
//! they are at hand or set aside; a deferred row that is neither is in `due`.

use std::collections::BTreeSet;

use super::super::campaign::{Ledger, LetterState};
use super::super::time::Millis;

/// The rows of a ledger to be fetched.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    cursor: u32,
    due: BTreeSet<(Millis, u32)>,
}

impl Backlog {
    /// All rows of a ledger.
    pub(crate) fn of(ledger: &Ledger) -> Self {
        Self { cursor: 0, due: ledger.deferred().collect() }
    }

    /// When the next deferred letter is due.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(until, _)| *until)
    }

    /// A row may be tried again at this time.
    pub(crate) fn put_off(&mut self, row: u32, until: Millis) {
        self.due.insert((until, row));
    }

    /// Looks again at all rows from this one on.
    pub(crate) fn rewind(&mut self, row: u32) {
        self.cursor = self.cursor.min(row);
    }

    /// Takes out the next rows, at most `most`, of those that are `wanted`; the others wait elsewhere.
    pub(crate) fn take(
        &mut self,
        ledger: &Ledger,
        now: Millis,
        most: usize,
        wanted: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let mut rows = Vec::new();
        while rows.len() < most {
            let Some((until, row)) = self.due.first().copied().filter(|(until, _)| *until <= now) else {
                break;
            };
            self.due.remove(&(until, row));
            // A row that was settled, or put off again, since it was entered here is skipped.
            let still = ledger.row(row).is_some_and(|row| row.state == LetterState::Deferred)
                && ledger.not_before(row) == Some(until);
            if still && wanted(row) {
                rows.push(row);
            }
        }
        while rows.len() < most && (self.cursor as usize) < ledger.len() {
            let at = self.cursor;
            self.cursor += 1;
            if ledger.row(at).is_some_and(|row| row.state == LetterState::Pending) && wanted(at) {
                rows.push(at);
            }
        }
        rows
    }

    /// Puts back a row that was taken but not started.
    pub(crate) fn put_back(&mut self, ledger: &Ledger, row: u32) {
        match ledger.row(row).map(|row| row.state) {
            Some(LetterState::Pending) => self.rewind(row),
            Some(LetterState::Deferred) => self.due.extend(ledger.not_before(row).map(|until| (until, row))),
            _ => {}
        }
    }

    /// Drops the entries of deferred rows that are settled by now.
    pub(crate) fn tidy(&mut self, ledger: &Ledger) {
        while let Some((until, row)) = self.due.first().copied() {
            let still = ledger.row(row).is_some_and(|row| row.state == LetterState::Deferred)
                && ledger.not_before(row) == Some(until);
            if still {
                return;
            }
            self.due.remove(&(until, row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PersonId;

    fn ledger(people: u32) -> Ledger {
        let mut ledger = Ledger::default();
        (1..=people).for_each(|n| _ = ledger.upsert(PersonId(n), n, 0));
        ledger
    }

    #[test]
    fn rows_are_taken_in_the_order_of_the_line_and_each_once() {
        let ledger = ledger(5);
        let mut backlog = Backlog::of(&ledger);
        assert_eq!(backlog.take(&ledger, Millis(0), 2, |_| true), [0, 1]);
        assert_eq!(backlog.take(&ledger, Millis(0), 9, |row| row != 3), [2, 4]);
        assert!(backlog.take(&ledger, Millis(0), 9, |_| true).is_empty());
        backlog.put_back(&ledger, 3);
        assert_eq!(backlog.take(&ledger, Millis(0), 1, |_| true), [3]);
    }
}
