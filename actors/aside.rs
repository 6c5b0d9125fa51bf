//! Letters of one campaign that wait for their provider: row numbers alone, and the lines they stand in.
//!
//! ```text
//!              ┌─ google  rows 3 7 8 12 …  ◀─ set aside when their turn came and google's lane was shut
//!  campaign ───┤
//!              └─ orange  rows 5 6 …       ─▶ fetched again, first row first, when the lane opens
//! ```
//!
//! Nobody's address is held here, so whoever leaves meanwhile is simply found gone when their row is fetched. Room
//! is bounded by the ledger's own rows; the window holds only letters that may still go.
//!
//! Invariants: a row waits in at most one lane; a row stays until its letter has begun or is found not to go, also
//! while it is being fetched: no later row of its lane overtakes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::shaping::LaneId;
use crate::domain::{CampaignId, Millis};

/// One campaign's letters that wait.
#[derive(Debug, Default)]
pub struct Aside {
    lanes: BTreeMap<LaneId, BTreeSet<u32>>,
    rows: BTreeMap<u32, LaneId>,
    /// The lanes in whose line the campaign stands.
    in_line: BTreeSet<LaneId>,
}

impl Aside {
    /// True when nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// True when this row waits.
    #[must_use]
    pub fn holds(&self, row: u32) -> bool {
        self.rows.contains_key(&row)
    }

    /// How many wait for a lane.
    #[must_use]
    pub fn count(&self, lane: LaneId) -> usize {
        self.lanes.get(&lane).map_or(0, BTreeSet::len)
    }

    /// True when an earlier row than this one waits for the lane.
    #[must_use]
    pub fn overtakes(&self, lane: LaneId, row: u32) -> bool {
        self.lanes.get(&lane).and_then(BTreeSet::first).is_some_and(|first| *first < row)
    }

    /// Sets a row aside.
    pub fn put(&mut self, row: u32, lane: LaneId) {
        if self.rows.get(&row) != Some(&lane) {
            self.take(row);
            self.rows.insert(row, lane);
            self.lanes.entry(lane).or_default().insert(row);
        }
    }

    /// A row waits no more; answers for which lane it did.
    pub fn take(&mut self, row: u32) -> Option<LaneId> {
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

    /// The rows that wait for a lane, first one first.
    pub fn rows(&self, lane: LaneId) -> impl Iterator<Item = u32> + '_ {
        self.lanes.get(&lane).into_iter().flatten().copied()
    }

    /// The lanes that somebody waits for.
    pub fn lanes(&self) -> impl Iterator<Item = LaneId> + '_ {
        self.lanes.keys().copied()
    }

    /// True when the campaign must join the line of a lane; from here on it stands there.
    pub fn joins(&mut self, lane: LaneId) -> bool {
        self.lanes.contains_key(&lane) && self.in_line.insert(lane)
    }

    /// The campaign's turn in a line has come: it stands there no more.
    pub fn leaves_line(&mut self, lane: LaneId) {
        self.in_line.remove(&lane);
    }

    /// Forgets all rows; where the campaign stands in a line it does so still.
    pub fn clear(&mut self) {
        self.lanes.clear();
        self.rows.clear();
    }
}

/// The lines of campaigns before lanes, and when each lane is worth another look.
#[derive(Debug, Default)]
pub struct Lines {
    lines: BTreeMap<LaneId, Line>,
    looks: BTreeSet<(Millis, LaneId)>,
}

#[derive(Debug)]
struct Line {
    look: Millis,
    campaigns: VecDeque<CampaignId>,
}

impl Lines {
    /// A campaign joins the line of a lane; a lane without a line is looked at at `look`.
    pub fn join(&mut self, lane: LaneId, campaign: CampaignId, look: Millis) {
        let looks = &mut self.looks;
        let line = self.lines.entry(lane).or_insert_with(|| {
            looks.insert((look, lane));
            Line { look, campaigns: VecDeque::new() }
        });
        line.campaigns.push_back(campaign);
    }

    /// The lane, if anybody waits for it, is looked at at `look`.
    pub fn look_at(&mut self, lane: LaneId, look: Millis) {
        if let Some(line) = self.lines.get_mut(&lane) {
            self.looks.remove(&(line.look, lane));
            self.looks.insert((look, lane));
            line.look = look;
        }
    }

    /// A lane that is to be looked at by now, and how many campaigns wait for it.
    #[must_use]
    pub fn due(&self, at: Millis) -> Option<(LaneId, usize)> {
        let (_, lane) = self.looks.first().filter(|(look, _)| *look <= at)?;
        Some((*lane, self.lines.get(lane).map_or(0, |line| line.campaigns.len())))
    }

    /// When a lane is next to be looked at.
    #[must_use]
    pub fn soonest(&self) -> Option<Millis> {
        self.looks.first().map(|(look, _)| *look)
    }

    /// Takes the campaign whose turn it is.
    pub fn next(&mut self, lane: LaneId) -> Option<CampaignId> {
        self.lines.get_mut(&lane)?.campaigns.pop_front()
    }

    /// A line in which nobody stands is no line.
    pub fn close_empty(&mut self, lane: LaneId) {
        if let Some(line) = self.lines.get(&lane).filter(|line| line.campaigns.is_empty()) {
            self.looks.remove(&(line.look, lane));
            self.lines.remove(&lane);
        }
    }
}
