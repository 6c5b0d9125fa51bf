//! Lists that people asked for and have not confirmed yet: the pending half of double opt-in.
//!
//! ```text
//! press ─▶ pending {list, since} ─▶ due ─▶ one mail for all of a person's lists ─▶ mailed
//!                                        its link confirms what was asked up to then, for 48 h
//! ```
//!
//! A pending person is no member, so no campaign sees them. Mails to one person are at least ten minutes
//! apart and at most five in a day, however often anybody asks; a mail that has to wait is sent later. All of
//! this follows from records alone.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ids::PersonId;
use super::super::time::Millis;

/// The shortest time between two mails to one person.
const APART_MS: u64 = 600_000;
/// The span in which at most [`A_DAY`] mails go to one person.
const DAY_MS: u64 = 86_400_000;
/// The most mails to one person within [`DAY_MS`].
const A_DAY: usize = 5;
/// The most lists that one person may have pending; one more pushes out the oldest.
const LISTS_MAX: usize = 50;

/// A list that a person asked for and has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingConfirmation {
    /// The list's number.
    pub list: u32,
    /// The number of the directory's record of the request. A link confirms the requests up to the record it
    /// was made at.
    pub since: u64,
    /// When they asked.
    pub at: Millis,
    /// The product's name, if the request gave it.
    pub product: Option<Box<str>>,
}

/// All that one person has not confirmed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonPending {
    /// The lists, in the order of the requests.
    pub lists: Vec<PendingConfirmation>,
    /// When confirmation mails went to the person within the last day.
    pub mailed: Vec<Millis>,
    /// Whether a mail is to be sent.
    pub due: bool,
}

impl PersonPending {
    /// When the next mail may be sent.
    fn free_at(&self) -> Millis {
        let apart = self.mailed.last().map_or(Millis(0), |last| last.plus(APART_MS));
        let daily = self.mailed.len().checked_sub(A_DAY).and_then(|at| self.mailed.get(at));
        daily.map_or(apart, |first| apart.max(first.plus(DAY_MS)))
    }
}

/// All that everybody has not confirmed.
#[derive(Debug, Clone, Default)]
pub struct PendingConfirmations {
    people: BTreeMap<PersonId, PersonPending>,
    /// The people to be mailed, by the time from which on it is allowed. Derived.
    due: BTreeSet<(Millis, PersonId)>,
}

impl PendingConfirmations {
    #[must_use]
    pub(crate) fn of(&self, person: PersonId) -> Option<&PersonPending> {
        self.people.get(&person)
    }

    /// Everybody with something pending, for a snapshot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PersonId, &PersonPending)> {
        self.people.iter().map(|(person, pending)| (*person, pending))
    }

    /// The people who may be mailed at `at`, those who have waited longest first.
    pub(crate) fn due(&self, at: Millis) -> impl Iterator<Item = PersonId> + '_ {
        self.due.iter().take_while(move |(free, _)| *free <= at).map(|(_, person)| *person)
    }

    /// A person asks for a list. A request that is pending already keeps its time, unless its links have
    /// expired (after `ttl_ms`).
    pub(super) fn ask(&mut self, person: PersonId, request: PendingConfirmation, ttl_ms: u64) {
        let at = request.at;
        self.change(person, |pending| {
            pending.mailed.retain(|mail| at.since(*mail) < DAY_MS);
            pending.lists.retain(|request| at.since(request.at) < ttl_ms);
            if pending.lists.iter().all(|known| known.list != request.list) {
                if pending.lists.len() >= LISTS_MAX {
                    pending.lists.remove(0);
                }
                pending.lists.push(request);
            }
            pending.due = true;
        });
    }

    /// A mail went out or was given up. Lists that were asked for after record `round` need another mail.
    pub(super) fn mailed(&mut self, person: PersonId, round: u64, at: Millis) {
        if self.people.contains_key(&person) {
            self.change(person, |pending| {
                pending.mailed.retain(|mail| at.since(*mail) < DAY_MS);
                pending.mailed.push(at);
                pending.due = pending.lists.iter().any(|request| request.since > round);
            });
        }
    }

    /// A person joined or left a list, so it is pending no more.
    pub(super) fn settle(&mut self, person: PersonId, list: u32) {
        if self.people.contains_key(&person) {
            self.change(person, |pending| pending.lists.retain(|request| request.list != list));
        }
    }

    /// Removes all that a person has pending, and returns it.
    pub(super) fn take(&mut self, person: PersonId) -> Option<PersonPending> {
        let pending = self.people.remove(&person)?;
        self.due.remove(&(pending.free_at(), person));
        Some(pending)
    }

    /// Moves what `from` has pending to `to`, after a merge.
    pub(super) fn merge(&mut self, from: PersonId, to: PersonId) {
        let Some(theirs) = self.take(from) else { return };
        self.change(to, |ours| {
            let fresh =
                |request: &PendingConfirmation| ours.lists.iter().all(|known| known.list != request.list);
            let more: Vec<PendingConfirmation> = theirs.lists.into_iter().filter(fresh).collect();
            ours.lists.extend(more);
            ours.lists.sort_by_key(|request| request.since);
            let over = ours.lists.len().saturating_sub(LISTS_MAX);
            ours.lists.drain(..over);
            ours.mailed.extend(theirs.mailed);
            ours.mailed.sort_unstable();
            ours.due |= theirs.due;
        });
    }

    /// Takes one person's back from a snapshot.
    pub(super) fn restore(&mut self, person: PersonId, waiting: PersonPending) {
        self.change(person, |pending| *pending = waiting);
    }

    /// Changes what a person has pending, and keeps `due` in step.
    fn change(&mut self, person: PersonId, change: impl FnOnce(&mut PersonPending)) {
        let pending = self.people.entry(person).or_default();
        self.due.remove(&(pending.free_at(), person));
        change(pending);
        if pending.lists.is_empty() {
            pending.due = false;
        }
        if pending.due {
            self.due.insert((pending.free_at(), person));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: u64 = 172_800_000;

    fn request(list: u32, since: u64, at: u64) -> PendingConfirmation {
        PendingConfirmation { list, since, at: Millis(at), product: None }
    }

    #[test]
    fn mails_are_ten_minutes_apart_and_five_a_day_however_often_somebody_presses() {
        let (mut unconfirmed, ann) = (PendingConfirmations::default(), PersonId(1));
        let (mut mails, start) = (Vec::new(), 1_000_000_000);
        for second in 0..86_400 {
            let at = Millis(start + second * 1000);
            unconfirmed.ask(ann, request((second % 3) as u32, second + 1, at.0), TTL);
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
        unconfirmed.ask(ann, request(7, 1, 0), TTL);
        unconfirmed.ask(ann, request(8, 2, 10), TTL);
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
        unconfirmed.ask(ann, request(7, 1, 0), TTL);
        unconfirmed.ask(ann, request(7, 2, 1000), TTL);
        assert_eq!(unconfirmed.of(ann).unwrap().lists[0].since, 1);
        unconfirmed.ask(ann, request(7, 3, TTL), TTL);
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
        unconfirmed.ask(PersonId(1), request(7, 1, 0), TTL);
        unconfirmed.mailed(PersonId(1), u64::MAX, Millis(0));
        unconfirmed.ask(PersonId(2), request(8, 2, 10), TTL);
        unconfirmed.merge(PersonId(2), PersonId(1));
        assert!(unconfirmed.of(PersonId(2)).is_none());
        let pending = unconfirmed.of(PersonId(1)).unwrap();
        assert_eq!((pending.lists.len(), pending.due), (2, true));
        assert_eq!(unconfirmed.due(Millis(599_999)).count(), 0);
        assert_eq!(unconfirmed.due(Millis(600_000)).count(), 1);
    }
}
