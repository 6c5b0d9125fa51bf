//! What the campaign actor holds for a campaign that runs: nothing that could not be asked again.
//!
//! ```text
//! ledger ── fetch ──▶ fetching ── fetched ──▶ ready ── next ──▶ a letter starts
//!                        │ news of the person meanwhile: back to the ledger, asked again
//! ```
//!
//! Invariant: a row is at hand (being fetched, or ready) at most once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::campaign::Prepared;
use super::delivery::Sheet;
use crate::domain::{Millis, PersonId};

/// A running campaign's letters at hand.
#[derive(Debug, Default)]
pub struct Runner {
    /// Fetched and not started.
    ready: VecDeque<Prepared>,
    /// Rows asked of the directory and not answered.
    fetching: BTreeSet<u32>,
    /// Rows in `ready`.
    held: BTreeSet<u32>,
    /// People of whom there was news while rows were being fetched.
    news: Vec<PersonId>,
    /// The list was asked and has not answered.
    pub inviting: bool,
    /// The list has nobody left of the audience.
    pub all_invited: bool,
    /// On a list that everybody is on: the last contact number asked for.
    pub page: u32,
    /// Stands in the line of campaigns that may start a letter.
    pub in_line: bool,
    /// What the list handed over before a restart is known again.
    pub resumed: bool,
    /// When the next deferred letter falls due, or the campaign its time.
    pub wake: Option<Millis>,
    /// The campaign's part of every letter.
    pub sheet: Option<Arc<Sheet>>,
}

impl Runner {
    /// A campaign that was opened in this run: there is nothing to ask again.
    #[must_use]
    pub fn fresh() -> Self {
        Self { resumed: true, ..Self::default() }
    }

    /// A campaign whose letters go again: nobody new is invited.
    #[must_use]
    pub fn again() -> Self {
        Self { all_invited: true, ..Self::fresh() }
    }

    /// How many rows are at hand.
    #[must_use]
    pub fn at_hand(&self) -> usize {
        self.ready.len() + self.fetching.len()
    }

    /// True when a letter may be taken.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Notes that a row is being fetched; false when it is at hand already.
    pub fn fetch(&mut self, row: u32) -> bool {
        !self.held.contains(&row) && self.fetching.insert(row)
    }

    /// Takes in what was fetched; answers the rows that must be asked for again.
    pub fn fetched(&mut self, people: Vec<Prepared>) -> Vec<u32> {
        let mut again = Vec::new();
        for one in people.into_iter().filter(|one| self.fetching.remove(&one.row)) {
            if self.news.contains(&one.live) || self.news.contains(&one.person) {
                again.push(one.row);
            } else {
                self.held.insert(one.row);
                self.ready.push_back(one);
            }
        }
        if self.fetching.is_empty() {
            self.news.clear();
        }
        again
    }

    /// The next letter.
    pub fn next(&mut self) -> Option<Prepared> {
        let next = self.ready.pop_front()?;
        self.held.remove(&next.row);
        Some(next)
    }

    /// Lets go of what was fetched of a person; answers the ledger's rows and numbers for them.
    pub fn forget(&mut self, person: PersonId) -> Vec<(u32, PersonId)> {
        if !self.fetching.is_empty() {
            self.news.push(person);
        }
        let held = &mut self.held;
        let mut forgotten = Vec::new();
        self.ready.retain(|one| {
            let theirs = one.live == person || one.person == person;
            if theirs {
                held.remove(&one.row);
                forgotten.push((one.row, one.person));
            }
            !theirs
        });
        forgotten
    }

    /// Lets go of everything at hand; what is being fetched finds nothing to come to.
    pub fn clear(&mut self) {
        self.ready.clear();
        self.held.clear();
        self.fetching.clear();
        self.news.clear();
    }
}
