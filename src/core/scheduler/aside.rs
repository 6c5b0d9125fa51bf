//! Letters of one campaign that wait for their provider: row numbers alone.
//!
//! ```text
//!              ┌─ google  rows 3 7 8 12 …  ◀─ set aside when their turn came and google's queue was shut
//!  campaign ───┤
//!              └─ orange  rows 5 6 …       ─▶ fetched again, first row first, when the queue opens
//! ```
//!
//! Nobody's address is held here, so whoever leaves meanwhile is simply found gone when their row is fetched. Room
//! is bounded by the ledger's own rows; the window holds only letters that may still go.
//!
//! Invariants: a row waits for at most one provider; a row stays until its letter has begun or is found not to go, also
//! while it is being fetched: no later row for that provider overtakes it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::shaping::LaneId;

/// One campaign's letters that wait.
#[derive(Debug, Default)]
pub(super) struct Aside {
    lanes: BTreeMap<LaneId, BTreeSet<u32>>,
    rows: BTreeMap<u32, LaneId>,
    /// The queues in which the campaign stands.
    in_line: BTreeSet<LaneId>,
}

impl Aside {
    /// True when nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// True when this row waits.
    pub(super) fn holds(&self, row: u32) -> bool {
        self.rows.contains_key(&row)
    }

    /// How many wait for a provider.
    pub(super) fn count(&self, lane: LaneId) -> usize {
        self.lanes.get(&lane).map_or(0, BTreeSet::len)
    }

    /// True when an earlier row than this one waits for the provider.
    pub(super) fn overtakes(&self, lane: LaneId, row: u32) -> bool {
        self.lanes.get(&lane).and_then(BTreeSet::first).is_some_and(|first| *first < row)
    }

    /// Sets a row aside.
    pub(super) fn put(&mut self, row: u32, lane: LaneId) {
        if self.rows.get(&row) != Some(&lane) {
            self.take(row);
            self.rows.insert(row, lane);
            self.lanes.entry(lane).or_default().insert(row);
        }
    }

    /// A row waits no more; answers for which provider it did.
    pub(super) fn take(&mut self, row: u32) -> Option<LaneId> {
        if self.rows.is_empty() {
            return None;
        }
        let lane = self.rows.remove(&row)?;
        if let Some(rows) = self.lanes.get_mut(&lane) {
            rows.remove(&row);
            if rows.is_empty() {
                self.lanes.remove(&lane);
            }
        }
        Some(lane)
    }

    /// The rows that wait for a provider, first one first.
    pub(super) fn rows(&self, lane: LaneId) -> impl Iterator<Item = u32> + '_ {
        self.lanes.get(&lane).into_iter().flatten().copied()
    }

    /// The providers that somebody waits for.
    pub(super) fn lanes(&self) -> impl Iterator<Item = LaneId> + '_ {
        self.lanes.keys().copied()
    }

    /// True when the campaign must join the queue of a provider; from here on it stands there.
    pub(super) fn joins(&mut self, lane: LaneId) -> bool {
        self.lanes.contains_key(&lane) && self.in_line.insert(lane)
    }

    /// The campaign's turn in a queue has come: it stands there no more.
    pub(super) fn leaves_line(&mut self, lane: LaneId) {
        self.in_line.remove(&lane);
    }

    /// Forgets all rows; where the campaign stands in a queue it does so still.
    pub(super) fn clear(&mut self) {
        self.lanes.clear();
        self.rows.clear();
    }
}
