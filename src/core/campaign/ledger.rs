//! The ledger of a campaign: one row of 16 bytes for each letter, in the order of invitation.
//!
//! ```text
//! [person 4 | ordinal 4 | state 1 | reason 1 | attempts 2 | seconds since the campaign began 4]
//! ```
//!
//! Deferred letters have a second entry with their times. The hashes of addresses to which a letter was
//! started are kept as long as the campaign may start another. Each change of a row goes through `set`, which
//! also changes the counters.

use std::collections::BTreeMap;

use super::super::ids::PersonId;
use super::super::outcome::Diagnostic;
use super::super::pages::Pages;
use super::super::time::Millis;
use super::SkipReason;

/// The state of one letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterState {
    /// It has not begun.
    Pending,
    /// It is being sent.
    Started,
    /// It will be tried again later.
    Deferred,
    /// A mail server accepted it.
    Sent,
    /// A mail server refused it for good.
    Failed,
    /// It was not sent.
    Skipped(SkipReason),
    /// It was handed to a server, and no answer came.
    Doubt,
    /// It was in doubt and was given up. It counts as failed, but is not tried again, since it may have
    /// arrived.
    Dropped,
}

impl LetterState {
    /// The words for a letter's status in JSON.
    pub const STATUSES: [&str; 7] =
        ["pending", "started", "deferred", "sent", "failed", "skipped", "in_doubt"];

    /// The word for its status in JSON.
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

    /// The reason, where the status alone does not say it.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Skipped(reason) => Some(reason.as_str()),
            Self::Dropped => Some("dropped"),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterRow {
    pub person: PersonId,
    /// The place (ordinal) on the list by which the person was last invited.
    pub ordinal: u32,
    pub state: LetterState,
    /// How many times it was started.
    pub attempts: u16,
    /// Seconds from the campaign's creation to the row's last change.
    pub at_s: u32,
}

/// How many letters are in each state. People whom the list has not handed over yet have no letter here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub pending: u64,
    pub started: u64,
    pub deferred: u64,
    pub sent: u64,
    /// Refused for good, or given up after they were in doubt.
    pub failed: u64,
    /// In doubt.
    pub doubt: u64,
    /// By reason, in the order of [`SkipReason::ALL`].
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

    #[must_use]
    pub(crate) fn total(&self) -> u64 {
        let open = self.pending + self.started + self.deferred;
        open + self.sent + self.failed + self.doubt + self.skipped_total()
    }

    /// Every counter that is not zero, with its state.
    pub(super) fn by_state(mut self) -> Vec<(LetterState, u64)> {
        use LetterState::{Deferred, Doubt, Failed, Pending, Sent, Started};
        let skipped = SkipReason::ALL.map(LetterState::Skipped);
        let states = [Pending, Started, Deferred, Sent, Failed, Doubt].into_iter().chain(skipped);
        states.map(|state| (state, *self.of(state))).filter(|(_, count)| *count > 0).collect()
    }

    #[must_use]
    pub(crate) fn skipped_total(&self) -> u64 {
        self.skipped.iter().sum()
    }
}

/// The times of a deferred letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferral {
    /// When it was first tried.
    pub first: Millis,
    /// When it may be tried again.
    pub until: Millis,
}

#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub(super) rows: Pages<LetterRow>,
    pub(super) places: Option<BTreeMap<PersonId, u32>>,
    pub(super) counts: Counts,
    /// The times of letters that were deferred and have not ended, by row.
    pub(super) deferrals: BTreeMap<u32, Deferral>,
    /// The hash of each address to which a letter was started, and the row of that letter; dropped when the
    /// campaign is closed and old.
    pub(super) addresses: BTreeMap<u64, u32>,
    /// The last server reply to a letter that was not accepted, by row.
    pub(super) diagnostics: BTreeMap<u32, Box<Diagnostic>>,
    /// Letters that began before their person became unmailable, by row: they must not be tried again.
    pub(super) gone: BTreeMap<u32, SkipReason>,
}

/// The most diagnostics that one campaign keeps.
const DIAGNOSTICS_MAX: usize = 10_000;

impl Ledger {
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

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

    #[must_use]
    pub fn row(&self, at: u32) -> Option<LetterRow> {
        self.rows.get(at as usize).copied()
    }

    /// All rows in the order of invitation.
    pub fn rows(&self) -> impl Iterator<Item = &LetterRow> {
        self.rows.iter()
    }

    /// The last server reply to the letter in a row, if it was not accepted.
    #[must_use]
    pub fn diagnostic(&self, at: u32) -> Option<&Diagnostic> {
        self.diagnostics.get(&at).map(AsRef::as_ref)
    }

    /// Whether a letter to this address was started by a row other than `at`.
    #[must_use]
    pub(crate) fn address_started(&self, address: u64, at: u32) -> bool {
        self.addresses.get(&address).is_some_and(|row| *row != at)
    }

    /// The row whose letter was started to this address; `None` also when the campaign is closed and old.
    #[must_use]
    pub fn started_to(&self, address: u64) -> Option<u32> {
        self.addresses.get(&address).copied()
    }

    /// When a letter that is or was deferred was first tried.
    #[must_use]
    pub(crate) fn first_attempt(&self, at: u32) -> Option<Millis> {
        self.deferrals.get(&at).map(|deferral| deferral.first)
    }

    #[must_use]
    pub(crate) fn not_before(&self, at: u32) -> Option<Millis> {
        self.deferrals.get(&at).map(|deferral| deferral.until)
    }

    /// When each deferred letter is due, and its row.
    pub(crate) fn deferred(&self) -> impl Iterator<Item = (Millis, u32)> + '_ {
        let is_deferred = |at: &u32| self.row(*at).is_some_and(|row| row.state == LetterState::Deferred);
        let all = self.deferrals.iter().filter(move |(at, _)| is_deferred(at));
        all.map(|(at, deferral)| (deferral.until, *at))
    }

    /// Takes in a person whom the list handed over: adds a row, or makes a skipped one pending if the person
    /// took a new place on the list. Answers whether a row was added.
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

    /// Moves a row to a newer place (ordinal) of its person, who had left and came back. False if the place
    /// is not newer.
    pub(super) fn change_place(&mut self, at: u32, ordinal: u32) -> bool {
        let Some(row) = self.rows.get_mut(at as usize).filter(|row| ordinal > row.ordinal) else {
            return false;
        };
        row.ordinal = ordinal;
        self.gone.remove(&at);
        true
    }

    /// Adds a pending row and returns its position.
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

    /// Changes a row's state and the counters. A letter that must not be tried again is skipped instead of
    /// becoming pending or deferred.
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

    /// Builds the index from person to row.
    pub(super) fn index(&mut self) {
        self.places = Some(self.rows.iter().zip(0u32..).map(|(row, at)| (row.person, at)).collect());
    }

    /// Drops what only a running or recent campaign needs. The rows stay, at 16 bytes each.
    pub(super) fn fold(&mut self) {
        self.places = None;
        self.addresses.clear();
    }

    /// Drops the rows; the counters stay.
    pub(super) fn forget(&mut self) {
        *self = Self { counts: self.counts, ..Self::default() };
    }

    /// Keeps the server's reply to a letter, as long as there are at most [`DIAGNOSTICS_MAX`].
    pub(super) fn set_diagnostic(&mut self, at: u32, said: &Diagnostic) {
        let known = self.diagnostics.contains_key(&at);
        if !said.is_empty() && (self.diagnostics.len() < DIAGNOSTICS_MAX || known) {
            self.diagnostics.insert(at, Box::new(said.clone()));
        }
    }

    /// Makes every row whose state `which` accepts pending again.
    pub(super) fn reopen(&mut self, which: impl Fn(LetterState) -> bool, at_s: u32) {
        let rows: Vec<u32> =
            (0u32..).zip(self.rows.iter()).filter(|(_, row)| which(row.state)).map(|(at, _)| at).collect();
        rows.into_iter().for_each(|at| self.set(at, LetterState::Pending, at_s));
    }

    /// Changes every row in one of the states `from` to `to`.
    pub(super) fn turn(&mut self, from: &[LetterState], to: LetterState, at_s: u32) {
        let rows: Vec<u32> = (0u32..)
            .zip(self.rows.iter())
            .filter(|(_, row)| from.contains(&row.state))
            .map(|(at, _)| at)
            .collect();
        rows.into_iter().for_each(|at| self.set(at, to, at_s));
    }
}
