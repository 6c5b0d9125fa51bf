//! What the campaign actor holds for a campaign that runs: nothing that could not be asked again.
//!
//! ```text
//! ledger ── fetch ──▶ fetching ── fetched ──▶ ready ── next ──▶ a letter starts
//!                        │   ▲                              └──▶ or is set aside until its provider's
//!                        │   └───────────────── aside ◀───────── lane opens: a row number, no more
//!                        │ news of the person meanwhile: back to the ledger, asked again
//! ```
//!
//! Each piece of news makes the turn one higher, and a row remembers the turn in which it was asked for: news
//! counts for rows asked for before it, never for those asked for because of it.
//!
//! Invariants: a row is at hand (being fetched, or ready) at most once; news is held only while a row is being
//! fetched that it may concern.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::aside::Aside;
use super::delivery::Sheet;
use super::messages::Prepared;
use crate::domain::{Millis, PersonId};

/// A running campaign's letters at hand.
#[derive(Debug, Default)]
pub struct Runner {
    /// Fetched and not started.
    ready: VecDeque<Prepared>,
    /// Rows asked of the directory and not answered, and the turn in which they were asked for.
    fetching: BTreeMap<u32, u64>,
    /// How much news there was so far.
    turn: u64,
    /// Rows in `ready`.
    held: BTreeSet<u32>,
    /// People of whom there was news while rows were being fetched: the turn that it ended.
    news: BTreeMap<PersonId, u64>,
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
    /// Rows that wait for their provider.
    pub aside: Aside,
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

    /// True when a row is being fetched, or ready.
    #[must_use]
    pub fn is_at_hand(&self, row: u32) -> bool {
        self.held.contains(&row) || self.fetching.contains_key(&row)
    }

    /// Notes that a row is being fetched; false when it is at hand already.
    pub fn fetch(&mut self, row: u32) -> bool {
        if self.is_at_hand(row) {
            return false;
        }
        self.fetching.insert(row, self.turn);
        true
    }

    /// Takes in what was fetched; answers the rows that must be asked for again.
    pub fn fetched(&mut self, people: Vec<Prepared>) -> Vec<u32> {
        let mut again = Vec::new();
        for one in people {
            let Some(asked) = self.fetching.remove(&one.row) else { continue };
            let news = |person| self.news.get(person).is_some_and(|turn| *turn >= asked);
            if news(&one.live) || news(&one.person) {
                again.push(one.row);
            } else {
                self.held.insert(one.row);
                // Whoever comes back goes before those who were invited later.
                let place = self.ready.partition_point(|other| other.row < one.row);
                self.ready.insert(place, one);
            }
        }
        if !self.news.is_empty() {
            let oldest = self.fetching.values().min().copied().unwrap_or(u64::MAX);
            self.news.retain(|_, turn| *turn >= oldest);
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
            self.news.insert(person, self.turn);
            self.turn += 1;
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
        self.aside.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(row: u32, person: u32) -> Prepared {
        let person = PersonId(person);
        let (email, address, provider, away, props) = (None, 0, None, None, Vec::new());
        Prepared { row, person, live: person, email, address, provider, away, props }
    }

    #[test]
    fn news_of_two_people_who_are_fetched_in_turn_is_asked_for_once_each() {
        let mut runner = Runner::fresh();
        assert!(runner.fetch(3) && runner.fetch(4));
        assert!(runner.forget(PersonId(30)).is_empty());
        assert!(runner.forget(PersonId(40)).is_empty());
        // Each is asked for again before the other's answer is there: something is always being fetched.
        assert_eq!(runner.fetched(vec![prepared(3, 30)]), [3]);
        assert!(runner.fetch(3));
        assert_eq!(runner.fetched(vec![prepared(4, 40)]), [4]);
        assert!(runner.fetch(4));
        assert_eq!(runner.fetched(vec![prepared(3, 30)]), [0u32; 0]);
        assert_eq!(runner.fetched(vec![prepared(4, 40)]), [0u32; 0]);
        assert_eq!(runner.next().map(|one| one.row), Some(3));
        assert_eq!(runner.next().map(|one| one.row), Some(4));
        assert!(runner.news.is_empty());
    }

    #[test]
    fn news_counts_for_whoever_was_asked_for_before_it() {
        let mut runner = Runner::fresh();
        assert!(runner.fetch(1));
        runner.forget(PersonId(20));
        assert!(runner.fetch(2), "asked for after the news");
        assert_eq!(runner.fetched(vec![prepared(2, 20)]), [0u32; 0]);
        runner.forget(PersonId(10));
        assert_eq!(runner.fetched(vec![prepared(1, 10)]), [1]);
        assert!(runner.news.is_empty());
    }
}
