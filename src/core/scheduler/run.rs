//! What the scheduler holds for a campaign that runs: nothing that could not be asked again.
//!
//! ```text
//! backlog ── fetch ──▶ fetching ── fetched ──▶ at hand ── next ──▶ a letter starts
//!                         │   ▲                              └──▶ or is set aside until its provider's
//!                         │   └───────────────── aside ◀───────── queue opens: a row number, no more
//!                         │ news of the person meanwhile: back to the backlog, asked again
//! ```
//!
//! Each piece of news makes the turn one higher, and a row remembers the turn in which it was asked for: news
//! counts for rows asked for before it, never for those asked for because of it.
//!
//! Invariants: a row is at hand (being fetched, or fetched) at most once; news is held only while a row is being
//! fetched that it may concern.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::campaign::Ledger;
use super::super::ids::PersonId;
use super::super::time::Millis;
use super::backlog::Backlog;
use super::held::HeldRows;
use super::input::Recipient;

/// Whether the campaign's template makes letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Template {
    #[default]
    Untried,
    /// It is being tried.
    Asked,
    /// It does.
    Good,
}

/// A running campaign's letters at hand.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Rows that were not taken yet.
    pub(super) backlog: Backlog,
    /// Fetched and not started.
    fetched: VecDeque<Recipient>,
    /// Rows in `fetched`.
    held: BTreeSet<u32>,
    /// Rows asked of the directory and not answered, and the turn in which they were asked for.
    fetching: BTreeMap<u32, u64>,
    /// How much news there was so far.
    turn: u64,
    /// People of whom there was news while rows were being fetched: the turn that it ended.
    news: BTreeMap<PersonId, u64>,
    /// The list was asked and has not answered.
    pub(super) inviting: bool,
    /// The list has nobody left of the audience.
    pub(super) all_invited: bool,
    /// On a list that everybody is on: the last contact number asked for.
    pub(super) page: u32,
    /// Stands in the line of campaigns that may start a letter.
    pub(super) in_line: bool,
    /// What the list handed over before a restart is known again.
    pub(super) resumed: bool,
    /// When the campaign is looked at again by itself.
    pub(super) wake: Option<Millis>,
    /// Whether its template makes letters.
    pub(super) template: Template,
    /// Rows that wait for their provider.
    pub(super) held_rows: HeldRows,
}

impl Run {
    /// A campaign that was opened in this run: there is nothing to ask again.
    pub(super) fn fresh(ledger: &Ledger) -> Self {
        Self { resumed: true, ..Self::resuming(ledger) }
    }

    /// A campaign whose letters go again: nobody new is invited.
    pub(super) fn again(ledger: &Ledger) -> Self {
        Self { all_invited: true, ..Self::fresh(ledger) }
    }

    /// A campaign whose list is asked again for all that it has handed over.
    pub(super) fn resuming(ledger: &Ledger) -> Self {
        Self { backlog: Backlog::of(ledger), ..Self::default() }
    }

    /// How many rows are at hand.
    pub(super) fn at_hand(&self) -> usize {
        self.fetched.len() + self.fetching.len()
    }

    /// How many letters may be taken.
    pub(super) fn fetched_count(&self) -> usize {
        self.fetched.len()
    }

    /// The letter whose turn it is.
    pub(super) fn front(&self) -> Option<&Recipient> {
        self.fetched.front()
    }

    /// Takes it.
    pub(super) fn take_front(&mut self) -> Option<Recipient> {
        let next = self.fetched.pop_front()?;
        self.held.remove(&next.row);
        Some(next)
    }

    /// True when a row is being fetched, or fetched.
    pub(super) fn is_at_hand(&self, row: u32) -> bool {
        self.held.contains(&row) || self.fetching.contains_key(&row)
    }

    /// Notes that a row is being fetched; false when it is at hand already.
    pub(super) fn fetch(&mut self, row: u32) -> bool {
        if self.is_at_hand(row) {
            return false;
        }
        self.fetching.insert(row, self.turn);
        true
    }

    /// Takes in what was fetched; answers the rows that must be asked for again.
    pub(super) fn fetched(&mut self, people: Vec<Recipient>) -> Vec<u32> {
        let mut again = Vec::new();
        for one in people {
            let Some(asked) = self.fetching.remove(&one.row) else { continue };
            let news = |person| self.news.get(person).is_some_and(|turn| *turn >= asked);
            if news(&one.live) || news(&one.person) {
                again.push(one.row);
            } else {
                self.held.insert(one.row);
                // Whoever comes back goes before those who were invited later.
                let place = self.fetched.partition_point(|other| other.row < one.row);
                self.fetched.insert(place, one);
            }
        }
        if !self.news.is_empty() {
            let oldest = self.fetching.values().min().copied().unwrap_or(u64::MAX);
            self.news.retain(|_, turn| *turn >= oldest);
        }
        again
    }

    /// Lets go of what was fetched of a person; answers the ledger's rows and numbers for them.
    pub(super) fn forget(&mut self, person: PersonId) -> Vec<(u32, PersonId)> {
        if !self.fetching.is_empty() {
            self.news.insert(person, self.turn);
            self.turn += 1;
        }
        let held = &mut self.held;
        let mut forgotten = Vec::new();
        self.fetched.retain(|one| {
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
    pub(super) fn clear(&mut self) {
        self.fetched.clear();
        self.held.clear();
        self.fetching.clear();
        self.news.clear();
        self.held_rows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(row: u32, person: u32) -> Recipient {
        let person = PersonId(person);
        let (email, address, provider, undeliverable, props) = (None, 0, None, None, Vec::new());
        Recipient { row, person, live: person, email, address, provider, undeliverable, props }
    }

    fn run() -> Run {
        Run::fresh(&Ledger::default())
    }

    #[test]
    fn news_of_two_people_who_are_fetched_in_turn_is_asked_for_once_each() {
        let mut run = run();
        assert!(run.fetch(3) && run.fetch(4));
        assert!(run.forget(PersonId(30)).is_empty());
        assert!(run.forget(PersonId(40)).is_empty());
        // Each is asked for again before the other's answer is there: something is always being fetched.
        assert_eq!(run.fetched(vec![recipient(3, 30)]), [3]);
        assert!(run.fetch(3));
        assert_eq!(run.fetched(vec![recipient(4, 40)]), [4]);
        assert!(run.fetch(4));
        assert_eq!(run.fetched(vec![recipient(3, 30)]), [0u32; 0]);
        assert_eq!(run.fetched(vec![recipient(4, 40)]), [0u32; 0]);
        assert_eq!(run.take_front().map(|one| one.row), Some(3));
        assert_eq!(run.take_front().map(|one| one.row), Some(4));
        assert!(run.news.is_empty());
    }

    #[test]
    fn news_counts_for_whoever_was_asked_for_before_it() {
        let mut run = run();
        assert!(run.fetch(1));
        run.forget(PersonId(20));
        assert!(run.fetch(2), "asked for after the news");
        assert_eq!(run.fetched(vec![recipient(2, 20)]), [0u32; 0]);
        run.forget(PersonId(10));
        assert_eq!(run.fetched(vec![recipient(1, 10)]), [1]);
        assert!(run.news.is_empty());
    }
}
