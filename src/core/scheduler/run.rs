//! What the scheduler holds for a running campaign. All of it could be asked for again.
//!
//! ```text
//! backlog ── fetch ──▶ fetching ── fetched ──▶ at hand ── next ──▶ a letter starts
//!                         │   ▲                              └──▶ or is set aside until its provider's
//!                         │   └──────────────── set aside ◀────── queue opens: only its row number stays
//!                         │ its person changed meanwhile: back to the backlog, fetched again
//! ```
//!
//! Every change of a person raises the turn by one, and a row remembers the turn in which it was asked for.
//! So a change counts for rows that were asked for before it, and not for those asked for because of it.
//!
//! Invariants: a row is at hand (being fetched, or fetched) at most once; a change is remembered only while a
//! row is being fetched that it may concern.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::campaign::Ledger;
use super::super::ids::PersonId;
use super::super::time::Millis;
use super::backlog::Backlog;
use super::held::HeldRows;
use super::input::Recipient;

/// Whether the campaign's template renders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Template {
    #[default]
    Untried,
    /// It is being tried.
    Asked,
    /// It renders.
    Good,
}

/// A running campaign's letters at hand.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The rows that were not taken yet.
    pub(super) backlog: Backlog,
    /// Fetched but not started, by row.
    fetched: VecDeque<Recipient>,
    /// Rows in `fetched`.
    fetched_rows: BTreeSet<u32>,
    /// Rows that the directory was asked for, with the turn of the question.
    fetching: BTreeMap<u32, u64>,
    /// How many changes of people there were so far.
    turn: u64,
    /// People who changed while rows were being fetched, with the turn that the change ended.
    news: BTreeMap<PersonId, u64>,
    /// The list was asked and has not answered.
    pub(super) inviting: bool,
    /// The list has handed over the whole audience.
    pub(super) all_invited: bool,
    /// On a list that everybody is on: the last contact number asked for.
    pub(super) page: u32,
    /// It is among the campaigns that may have a letter to start.
    pub(super) in_line: bool,
    /// The list has told again what it handed over before a restart.
    pub(super) resumed: bool,
    /// When the campaign is to be looked at again.
    pub(super) wake: Option<Millis>,
    /// Whether its template renders.
    pub(super) template: Template,
    /// Rows that wait for their provider.
    pub(super) held_rows: HeldRows,
}

impl Run {
    /// For a campaign that was opened in this run, so there is nothing to ask again.
    pub(super) fn fresh(ledger: &Ledger) -> Self {
        Self { resumed: true, ..Self::resuming(ledger) }
    }

    /// For a campaign whose letters are sent again and that invites nobody new.
    pub(super) fn again(ledger: &Ledger) -> Self {
        Self { all_invited: true, ..Self::fresh(ledger) }
    }

    /// For a campaign whose list is asked again for everybody it has handed over.
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

    /// The next letter.
    pub(super) fn front(&self) -> Option<&Recipient> {
        self.fetched.front()
    }

    /// Takes the next letter.
    pub(super) fn take_front(&mut self) -> Option<Recipient> {
        let next = self.fetched.pop_front()?;
        self.fetched_rows.remove(&next.row);
        Some(next)
    }

    /// Whether a row is being fetched, or fetched.
    pub(super) fn is_at_hand(&self, row: u32) -> bool {
        self.fetched_rows.contains(&row) || self.fetching.contains_key(&row)
    }

    /// Notes that a row is being fetched; false if it is at hand already.
    pub(super) fn fetch(&mut self, row: u32) -> bool {
        if self.is_at_hand(row) {
            return false;
        }
        self.fetching.insert(row, self.turn);
        true
    }

    /// Takes in recipients; returns the rows that must be asked for again.
    pub(super) fn fetched(&mut self, people: Vec<Recipient>) -> Vec<u32> {
        let mut again = Vec::new();
        for one in people {
            let Some(asked) = self.fetching.remove(&one.row) else { continue };
            let news = |person| self.news.get(person).is_some_and(|turn| *turn >= asked);
            if news(&one.live) || news(&one.person) {
                again.push(one.row);
            } else {
                self.fetched_rows.insert(one.row);
                // A row that comes back goes before later ones.
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

    /// Drops what was fetched of a person; returns their rows, with the person's number in each.
    pub(super) fn forget(&mut self, person: PersonId) -> Vec<(u32, PersonId)> {
        if !self.fetching.is_empty() {
            self.news.insert(person, self.turn);
            self.turn += 1;
        }
        let fetched_rows = &mut self.fetched_rows;
        let mut forgotten = Vec::new();
        self.fetched.retain(|one| {
            let theirs = one.live == person || one.person == person;
            if theirs {
                fetched_rows.remove(&one.row);
                forgotten.push((one.row, one.person));
            }
            !theirs
        });
        forgotten
    }

    /// Drops all that is at hand; an answer to what is being fetched will be ignored.
    pub(super) fn clear(&mut self) {
        self.fetched.clear();
        self.fetched_rows.clear();
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
