//! Who asked for a list and has not confirmed yet: the pending half of double opt-in.
//!
//! ```text
//! press ─▶ waits {list, since} ─▶ due ─▶ one mail for all of a person's ─▶ mailed
//!                                           its link confirms what `since` it knew, for 48 h
//! ```
//!
//! Nobody is a member by this, so no campaign sees them. Mails to one person are at least ten
//! minutes apart and at most five in a day, however often anybody presses; what is held back is
//! sent when its time has come. All of it follows from records alone.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ids::PersonId;
use super::super::time::Millis;

/// Mails to one person are this far apart.
const APART_MS: u64 = 600_000;
/// And no more than [`A_DAY`] in this.
const DAY_MS: u64 = 86_400_000;
/// Mails to one person in a day.
const A_DAY: usize = 5;
/// Lists one person may have pending; a press beyond it pushes out the oldest.
const LISTS_MAX: usize = 50;

/// One list that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingConfirmation {
    /// The list's number.
    pub list: u32,
    /// The directory's counter when they asked: a link confirms what is not newer than it.
    pub since: u64,
    /// When they asked.
    pub at: Millis,
    /// The product's name, if the press gave it.
    pub product: Option<Box<str>>,
}

/// What one person has pending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonPending {
    /// The lists, in the order asked.
    pub lists: Vec<PendingConfirmation>,
    /// When they were mailed, within the last day.
    pub mailed: Vec<Millis>,
    /// A mail is to be sent.
    pub due: bool,
}

impl PersonPending {
    /// When the next mail may go.
    fn free_at(&self) -> Millis {
        let apart = self.mailed.last().map_or(Millis(0), |last| last.plus(APART_MS));
        let daily = self.mailed.len().checked_sub(A_DAY).and_then(|at| self.mailed.get(at));
        daily.map_or(apart, |first| apart.max(first.plus(DAY_MS)))
    }
}

/// Everybody who has something pending.
#[derive(Debug, Clone, Default)]
pub struct PendingConfirmations {
    people: BTreeMap<PersonId, PersonPending>,
    /// Who is to be mailed, by when they may be; derived.
    due: BTreeSet<(Millis, PersonId)>,
}

impl PendingConfirmations {
    /// What a person has pending.
    #[must_use]
    pub(crate) fn of(&self, person: PersonId) -> Option<&PersonPending> {
        self.people.get(&person)
    }

    /// Everybody, for a snapshot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PersonId, &PersonPending)> {
        self.people.iter().map(|(person, held)| (*person, held))
    }

    /// Who may be mailed now, those who have waited longest first.
    pub(crate) fn due(&self, at: Millis) -> impl Iterator<Item = PersonId> + '_ {
        self.due.iter().take_while(move |(free, _)| *free <= at).map(|(_, person)| *person)
    }

    /// Somebody asks for a list. What is pending keeps its moment, unless its links have expired.
    pub(super) fn ask(&mut self, person: PersonId, wait: PendingConfirmation, ttl_ms: u64) {
        let at = wait.at;
        self.change(person, |held| {
            held.mailed.retain(|mail| at.since(*mail) < DAY_MS);
            held.lists.retain(|held| at.since(held.at) < ttl_ms);
            if held.lists.iter().all(|held| held.list != wait.list) {
                if held.lists.len() >= LISTS_MAX {
                    held.lists.remove(0);
                }
                held.lists.push(wait);
            }
            held.due = true;
        });
    }

    /// A mail went out, or could not; what was asked for after its `round` needs another one.
    pub(super) fn mailed(&mut self, person: PersonId, round: u64, at: Millis) {
        if self.people.contains_key(&person) {
            self.change(person, |held| {
                held.mailed.retain(|mail| at.since(*mail) < DAY_MS);
                held.mailed.push(at);
                held.due = held.lists.iter().any(|wait| wait.since > round);
            });
        }
    }

    /// A list is joined or left: nothing of it is pending.
    pub(super) fn settle(&mut self, person: PersonId, list: u32) {
        if self.people.contains_key(&person) {
            self.change(person, |held| held.lists.retain(|wait| wait.list != list));
        }
    }

    /// A person is no more; what they had pending is handed back.
    pub(super) fn take(&mut self, person: PersonId) -> Option<PersonPending> {
        let held = self.people.remove(&person)?;
        self.due.remove(&(held.free_at(), person));
        Some(held)
    }

    /// Two people become one.
    pub(super) fn merge(&mut self, from: PersonId, to: PersonId) {
        let Some(theirs) = self.take(from) else { return };
        self.change(to, |ours| {
            let fresh = |wait: &PendingConfirmation| ours.lists.iter().all(|held| held.list != wait.list);
            let more: Vec<PendingConfirmation> = theirs.lists.into_iter().filter(fresh).collect();
            ours.lists.extend(more);
            ours.lists.sort_by_key(|wait| wait.since);
            let over = ours.lists.len().saturating_sub(LISTS_MAX);
            ours.lists.drain(..over);
            ours.mailed.extend(theirs.mailed);
            ours.mailed.sort_unstable();
            ours.due |= theirs.due;
        });
    }

    /// Takes a person's back from a snapshot.
    pub(super) fn restore(&mut self, person: PersonId, waiting: PersonPending) {
        self.change(person, |held| *held = waiting);
    }

    /// Changes what a person has pending, with the order of mails.
    fn change(&mut self, person: PersonId, change: impl FnOnce(&mut PersonPending)) {
        let held = self.people.entry(person).or_default();
        self.due.remove(&(held.free_at(), person));
        change(held);
        if held.lists.is_empty() {
            held.due = false;
        }
        if held.due {
            self.due.insert((held.free_at(), person));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: u64 = 172_800_000;

    fn wait(list: u32, since: u64, at: u64) -> PendingConfirmation {
        PendingConfirmation { list, since, at: Millis(at), product: None }
    }

    #[test]
    fn mails_are_ten_minutes_apart_and_five_a_day_however_often_somebody_presses() {
        let (mut unconfirmed, ann) = (PendingConfirmations::default(), PersonId(1));
        let (mut mails, start) = (Vec::new(), 1_000_000_000);
        for second in 0..86_400 {
            let at = Millis(start + second * 1000);
            unconfirmed.ask(ann, wait((second % 3) as u32, second + 1, at.0), TTL);
            if unconfirmed.due(at).next().is_some() {
                unconfirmed.mailed(ann, u64::MAX, at);
                mails.push(second);
            }
        }
        assert_eq!(mails, [0, 600, 1200, 1800, 2400]);
        assert_eq!(unconfirmed.due(Millis(start + 86_400_000)).next(), Some(ann));
    }

    #[test]
    fn what_is_asked_for_while_a_mail_is_on_its_way_gets_a_mail_of_its_own() {
        let (mut unconfirmed, ann) = (PendingConfirmations::default(), PersonId(1));
        unconfirmed.ask(ann, wait(7, 1, 0), TTL);
        unconfirmed.ask(ann, wait(8, 2, 10), TTL);
        unconfirmed.mailed(ann, 1, Millis(20));
        assert_eq!(
            (unconfirmed.due(Millis(600_019)).count(), unconfirmed.due(Millis(600_020)).count()),
            (0, 1)
        );
        unconfirmed.mailed(ann, 2, Millis(600_020));
        assert_eq!(unconfirmed.due(Millis(u64::MAX)).count(), 0);
    }

    #[test]
    fn what_is_pending_keeps_its_moment_until_its_links_expire() {
        let (mut unconfirmed, ann) = (PendingConfirmations::default(), PersonId(1));
        unconfirmed.ask(ann, wait(7, 1, 0), TTL);
        unconfirmed.ask(ann, wait(7, 2, 1000), TTL);
        assert_eq!(unconfirmed.of(ann).unwrap().lists[0].since, 1);
        unconfirmed.ask(ann, wait(7, 3, TTL), TTL);
        assert_eq!(unconfirmed.of(ann).unwrap().lists[0].since, 3);
        unconfirmed.settle(ann, 7);
        assert!(
            unconfirmed.of(ann).unwrap().lists.is_empty()
                && unconfirmed.due(Millis(u64::MAX)).next().is_none()
        );
    }

    #[test]
    fn two_who_become_one_keep_what_either_had_pending() {
        let mut unconfirmed = PendingConfirmations::default();
        unconfirmed.ask(PersonId(1), wait(7, 1, 0), TTL);
        unconfirmed.mailed(PersonId(1), u64::MAX, Millis(0));
        unconfirmed.ask(PersonId(2), wait(8, 2, 10), TTL);
        unconfirmed.merge(PersonId(2), PersonId(1));
        assert!(unconfirmed.of(PersonId(2)).is_none());
        let held = unconfirmed.of(PersonId(1)).unwrap();
        assert_eq!((held.lists.len(), held.due), (2, true));
        assert_eq!(unconfirmed.due(Millis(599_999)).count(), 0);
        assert_eq!(unconfirmed.due(Millis(600_000)).count(), 1);
    }
}
