//! Who was invited in a campaign and what came of each letter: 16 bytes a row.
//!
//! ```text
//! [person 4 | ordinal 4 | state 1 | reason 1 | attempts 2 | seconds since the campaign began 4]
//! ```
//!
//! Deferred letters have a second entry with their times; addresses started (hashed) are kept
//! while the campaign may still start one. Counters follow every change of a row, in one place.

use std::collections::BTreeMap;

use super::super::ids::PersonId;
use super::super::outcome::Diagnostic;
use super::super::pages::Pages;
use super::super::time::Millis;
use super::SkipReason;

/// Where a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterState {
    /// Not begun.
    Pending,
    /// On a connection.
    Started,
    /// Tried again later.
    Deferred,
    /// Accepted.
    Sent,
    /// Refused for good.
    Failed,
    /// Not mailed.
    Skipped(SkipReason),
    /// Outcome unknown.
    Doubt,
    /// Was in doubt and was given up: counted as failed, but it may have arrived, so it is not tried again.
    Dropped,
}

impl LetterState {
    /// The wire's words for a letter's status.
    pub const STATUSES: [&str; 7] =
        ["pending", "started", "deferred", "sent", "failed", "skipped", "in_doubt"];

    /// The wire's word.
    #[must_use]
    pub fn status(self) -> &'static str {
        let [pending, started, deferred, sent, failed, skipped, in_doubt] = Self::STATUSES;
        match self {
            Self::Pending => pending,
            Self::Started => started,
            Self::Deferred => deferred,
            Self::Sent => sent,
            Self::Failed | Self::Dropped => failed,
            Self::Skipped(_) => skipped,
            Self::Doubt => in_doubt,
        }
    }

    /// Why, where the status alone does not say it.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Skipped(reason) => Some(reason.as_str()),
            Self::Dropped => Some("dropped"),
            _ => None,
        }
    }
}

/// A row of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterRow {
    /// Whose letter.
    pub person: PersonId,
    /// The place by which they were last invited.
    pub ordinal: u32,
    /// Where it is.
    pub state: LetterState,
    /// How often it was started.
    pub attempts: u16,
    /// Seconds from the campaign's creation to the last change.
    pub at_s: u32,
}

/// How many letters are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not begun (of those handed over).
    pub pending: u64,
    /// On a connection.
    pub started: u64,
    /// Tried again later.
    pub deferred: u64,
    /// Accepted.
    pub sent: u64,
    /// Refused for good.
    pub failed: u64,
    /// Outcome unknown.
    pub doubt: u64,
    /// Not mailed, by reason, in the order of [`SkipReason::ALL`].
    pub skipped: [u64; 9],
}

impl Counts {
    /// The counter of a state.
    pub(super) fn of(&mut self, state: LetterState) -> &mut u64 {
        match state {
            LetterState::Pending => &mut self.pending,
            LetterState::Started => &mut self.started,
            LetterState::Deferred => &mut self.deferred,
            LetterState::Sent => &mut self.sent,
            LetterState::Failed | LetterState::Dropped => &mut self.failed,
            LetterState::Doubt => &mut self.doubt,
            LetterState::Skipped(reason) => {
                let [a, b, c, d, e, f, g, h, i] = &mut self.skipped;
                match reason {
                    SkipReason::Left => a,
                    SkipReason::Unsubscribed => b,
                    SkipReason::Suppressed => c,
                    SkipReason::Erased => d,
                    SkipReason::NoEmail => e,
                    SkipReason::RecentlyNotified => f,
                    SkipReason::Canceled => g,
                    SkipReason::Expired => h,
                    SkipReason::Invalid => i,
                }
            }
        }
    }

    /// All letters.
    #[must_use]
    pub(crate) fn total(&self) -> u64 {
        let open = self.pending + self.started + self.deferred;
        open + self.sent + self.failed + self.doubt + self.skipped_total()
    }

    /// Every counter that is not zero, by its state.
    pub(super) fn by_state(mut self) -> Vec<(LetterState, u64)> {
        use LetterState::{Deferred, Doubt, Failed, Pending, Sent, Started};
        let skipped = SkipReason::ALL.map(LetterState::Skipped);
        let states = [Pending, Started, Deferred, Sent, Failed, Doubt].into_iter().chain(skipped);
        states.map(|state| (state, *self.of(state))).filter(|(_, count)| *count > 0).collect()
    }

    /// All letters skipped.
    #[must_use]
    pub(crate) fn skipped_total(&self) -> u64 {
        self.skipped.iter().sum()
    }
}

/// When a deferred letter was first tried and may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferral {
    /// The first attempt.
    pub first: Millis,
    /// Not before this.
    pub until: Millis,
}

/// The ledger of one campaign.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub(super) rows: Pages<LetterRow>,
    pub(super) places: Option<BTreeMap<PersonId, u32>>,
    pub(super) counts: Counts,
    /// First attempts and next times of letters that were deferred and not yet settled.
    pub(super) deferrals: BTreeMap<u32, Deferral>,
    /// Addresses started, hashed, and by which row; let go once nothing more can be invited.
    pub(super) addresses: BTreeMap<u64, u32>,
    /// What was last said of letters that were not accepted.
    pub(super) diagnostics: BTreeMap<u32, Box<Diagnostic>>,
    /// Letters that began before their people left: not to be tried again, and why.
    pub(super) gone: BTreeMap<u32, SkipReason>,
}

/// Diagnostics kept in one campaign at most.
const DIAGNOSTICS_MAX: usize = 10_000;

impl Ledger {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many letters are where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// A person's row and its position.
    #[must_use]
    pub fn find(&self, person: PersonId) -> Option<(u32, LetterRow)> {
        let at = match &self.places {
            Some(places) => *places.get(&person)?,
            None => self.rows.iter().position(|row| row.person == person)? as u32,
        };
        Some((at, *self.rows.get(at as usize)?))
    }

    /// The row at a position.
    #[must_use]
    pub fn row(&self, at: u32) -> Option<LetterRow> {
        self.rows.get(at as usize).copied()
    }

    /// All rows in the order of invitation.
    pub fn rows(&self) -> impl Iterator<Item = &LetterRow> {
        self.rows.iter()
    }

    /// What was last said of a letter that was not accepted.
    #[must_use]
    pub fn diagnostic(&self, at: u32) -> Option<&Diagnostic> {
        self.diagnostics.get(&at).map(AsRef::as_ref)
    }

    /// True when a letter to this address was started before, by another row than `at`.
    #[must_use]
    pub(crate) fn address_started(&self, address: u64, at: u32) -> bool {
        self.addresses.get(&address).is_some_and(|row| *row != at)
    }

    /// The row by which a letter to this address was started, as long as the campaign is open.
    #[must_use]
    pub fn started_to(&self, address: u64) -> Option<u32> {
        self.addresses.get(&address).copied()
    }

    /// When a letter that is or was deferred was first tried.
    #[must_use]
    pub(crate) fn first_attempt(&self, at: u32) -> Option<Millis> {
        self.deferrals.get(&at).map(|deferral| deferral.first)
    }

    /// When a deferred letter may be tried again.
    #[must_use]
    pub(crate) fn not_before(&self, at: u32) -> Option<Millis> {
        self.deferrals.get(&at).map(|deferral| deferral.until)
    }

    /// Deferred letters: when each falls due, and its row.
    pub(crate) fn deferred(&self) -> impl Iterator<Item = (Millis, u32)> + '_ {
        let is_deferred = |at: &u32| self.row(*at).is_some_and(|row| row.state == LetterState::Deferred);
        let all = self.deferrals.iter().filter(move |(at, _)| is_deferred(at));
        all.map(|(at, deferral)| (deferral.until, *at))
    }

    /// Takes up somebody a list handed over: a new row, or a skipped one that came back by a new
    /// place. Answers whether a row was added.
    pub(crate) fn upsert(&mut self, person: PersonId, ordinal: u32, at_s: u32) -> bool {
        match self.find(person) {
            None => {
                self.add(person, ordinal, at_s);
                true
            }
            Some((at, row)) => {
                if self.change_place(at, ordinal) {
                    let back =
                        matches!(row.state, LetterState::Skipped(reason) if reason != SkipReason::Canceled);
                    if back {
                        self.set(at, LetterState::Pending, at_s);
                    }
                }
                false
            }
        }
    }

    /// A row's person has a new place (who had left is back); false for one they had before.
    pub(super) fn change_place(&mut self, at: u32, ordinal: u32) -> bool {
        let Some(row) = self.rows.get_mut(at as usize).filter(|row| ordinal > row.ordinal) else {
            return false;
        };
        row.ordinal = ordinal;
        self.gone.remove(&at);
        true
    }

    /// Adds a pending row.
    pub(super) fn add(&mut self, person: PersonId, ordinal: u32, at_s: u32) -> u32 {
        let state = LetterState::Pending;
        let at = self.rows.push(LetterRow { person, ordinal, state, attempts: 0, at_s }) as u32;
        if self.places.is_none() {
            self.index();
        }
        if let Some(places) = &mut self.places {
            places.insert(person, at);
        }
        self.counts.pending += 1;
        at
    }

    /// Changes a row's state, with its counters. Who is gone is skipped instead of tried again.
    pub(super) fn set(&mut self, at: u32, state: LetterState, at_s: u32) {
        let state = match self.gone.get(&at) {
            Some(reason) if matches!(state, LetterState::Pending | LetterState::Deferred) => {
                LetterState::Skipped(*reason)
            }
            _ => state,
        };
        let Some(row) = self.rows.get_mut(at as usize) else { return };
        let old = row.state;
        row.state = state;
        row.at_s = at_s;
        if state == LetterState::Started {
            row.attempts = row.attempts.saturating_add(1);
        }
        *self.counts.of(old) -= 1;
        *self.counts.of(state) += 1;
        if !matches!(state, LetterState::Started | LetterState::Deferred) {
            self.deferrals.remove(&at);
        }
        if matches!(state, LetterState::Sent | LetterState::Pending) {
            self.diagnostics.remove(&at);
        }
    }

    /// Makes the index of rows by person.
    pub(super) fn index(&mut self) {
        self.places = Some(self.rows.iter().zip(0u32..).map(|(row, at)| (row.person, at)).collect());
    }

    /// Lets go of what only a campaign that runs (or ran lately) needs: 16 bytes a row stay.
    pub(super) fn fold(&mut self) {
        self.places = None;
        self.addresses.clear();
    }

    /// Lets go of the rows; the counters stay.
    pub(super) fn forget(&mut self) {
        *self = Self { counts: self.counts, ..Self::default() };
    }

    /// Remembers what was said of a row.
    pub(super) fn set_diagnostic(&mut self, at: u32, said: &Diagnostic) {
        let known = self.diagnostics.contains_key(&at);
        if !said.is_empty() && (self.diagnostics.len() < DIAGNOSTICS_MAX || known) {
            self.diagnostics.insert(at, Box::new(said.clone()));
        }
    }

    /// Makes every row that `which` likes pending again.
    pub(super) fn reopen(&mut self, which: impl Fn(LetterState) -> bool, at_s: u32) {
        let rows: Vec<u32> =
            (0u32..).zip(self.rows.iter()).filter(|(_, row)| which(row.state)).map(|(at, _)| at).collect();
        rows.into_iter().for_each(|at| self.set(at, LetterState::Pending, at_s));
    }

    /// Turns every row in one of the given states into another state.
    pub(super) fn turn(&mut self, from: &[LetterState], to: LetterState, at_s: u32) {
        let rows: Vec<u32> = (0u32..)
            .zip(self.rows.iter())
            .filter(|(_, row)| from.contains(&row.state))
            .map(|(at, _)| at)
            .collect();
        rows.into_iter().for_each(|at| self.set(at, to, at_s));
    }
}
