//! Letters of one campaign that wait for their provider, as row numbers alone.
//!
//! ```text
//!              ┌─ google  rows 3 7 8 12 …  ◀─ set aside when their turn came and google's queue was shut
//!  campaign ───┤
//!              └─ orange  rows 5 6 …       ─▶ fetched again, first row first, when the queue opens
//! ```
//!
//! No address is kept here, so a person who leaves meanwhile is noticed when their row is fetched. The size
//! is bounded by the ledger's rows; the window holds only letters that may still go.
//!
//! Invariants: a row waits for at most one provider; a row stays, also while it is being fetched, until its
//! letter has started or will not be sent, so no later row for that provider overtakes it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::shaping::ThrottleId;

/// The waiting letters of one campaign.
#[derive(Debug, Default)]
pub(super) struct HeldRows {
    throttles: BTreeMap<ThrottleId, BTreeSet<u32>>,
    rows: BTreeMap<u32, ThrottleId>,
    /// The queues that the campaign is in.
    in_line: BTreeSet<ThrottleId>,
}

impl HeldRows {
    /// Whether no letter waits.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the letter in this row waits.
    pub(super) fn holds(&self, row: u32) -> bool {
        self.rows.contains_key(&row)
    }

    /// How many letters wait for a provider.
    pub(super) fn count(&self, throttle: ThrottleId) -> usize {
        self.throttles.get(&throttle).map_or(0, BTreeSet::len)
    }

    /// Whether a row before this one waits for the provider.
    pub(super) fn overtakes(&self, throttle: ThrottleId, row: u32) -> bool {
        self.throttles.get(&throttle).and_then(BTreeSet::first).is_some_and(|first| *first < row)
    }

    /// Sets a row aside.
    pub(super) fn put(&mut self, row: u32, throttle: ThrottleId) {
        if self.rows.get(&row) != Some(&throttle) {
            self.take(row);
            self.rows.insert(row, throttle);
            self.throttles.entry(throttle).or_default().insert(row);
        }
    }

    /// Removes a row; returns the provider it waited for.
    pub(super) fn take(&mut self, row: u32) -> Option<ThrottleId> {
        if self.rows.is_empty() {
            return None;
        }
        let throttle = self.rows.remove(&row)?;
        if let Some(rows) = self.throttles.get_mut(&throttle) {
            rows.remove(&row);
            if rows.is_empty() {
                self.throttles.remove(&throttle);
            }
        }
        Some(throttle)
    }

    /// The rows that wait for a provider, first one first.
    pub(super) fn rows(&self, throttle: ThrottleId) -> impl Iterator<Item = u32> + '_ {
        self.throttles.get(&throttle).into_iter().flatten().copied()
    }

    /// The first row that waits for each provider.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (ThrottleId, u32)> + '_ {
        self.throttles.iter().filter_map(|(throttle, rows)| Some((*throttle, *rows.first()?)))
    }

    /// The providers for which letters wait.
    pub(super) fn throttles(&self) -> impl Iterator<Item = ThrottleId> + '_ {
        self.throttles.keys().copied()
    }

    /// Whether the campaign must join the queue of a provider; from now on it counts as being in it.
    pub(super) fn joins(&mut self, throttle: ThrottleId) -> bool {
        self.throttles.contains_key(&throttle) && self.in_line.insert(throttle)
    }

    /// The campaign's turn has come, and it is no longer in the queue.
    pub(super) fn leaves_line(&mut self, throttle: ThrottleId) {
        self.in_line.remove(&throttle);
    }

    /// Removes all rows; the campaign stays in the queues it is in.
    pub(super) fn clear(&mut self) {
        self.throttles.clear();
        self.rows.clear();
    }
}
