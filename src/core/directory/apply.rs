//! How records change the directory. `apply` cannot fail and is the same function live and at replay.

use super::super::ids::{ListId, PersonId};
use super::super::time::Millis;
use super::person::{Person, PersonStatus};
use super::{
    Accepted, Attested, ChangeSource, Directory, DirectoryEvent, ListTask, OpenEvent, PendingConfirmation,
    PersonFact, Suppression,
};

impl Directory {
    /// Applies an event that was recorded at `at`.
    pub fn apply(&mut self, event: &DirectoryEvent, at: Millis) {
        self.seq += 1;
        match event {
            DirectoryEvent::Event(accepted) => {
                self.accept(accepted, at);
                if let Some(attested) = accepted.attested.as_deref() {
                    self.attest(accepted, attested, at);
                }
            }
            DirectoryEvent::Merged { from, to } => self.merge(*from, *to, at),
            DirectoryEvent::Erased { person, keep } => {
                if let Some((address, suppression_reason)) = keep {
                    // What is known of the address stays, except whose it was.
                    let since = self
                        .suppression_reasons
                        .get(address)
                        .filter(|entry| entry.why == *suppression_reason);
                    let since = since.map_or(Some(at), |entry| entry.at);
                    self.suppression_reasons.insert(*address, Suppression::plain(*suppression_reason, since));
                    self.forget_returns(*address);
                }
                self.erase(*person, at);
            }
            DirectoryEvent::Unsubscribed { person, address, on } => {
                if let Some(row) = self.row_mut(*person) {
                    (row.unsubscribed, row.updated) = (*on, at);
                }
                // A person who wants mail again lifts a suppression of their own making, and no other.
                if let Some(address) = address
                    && !*on
                    && self.suppression_reason(*address) == Some(super::SuppressionReason::Unsubscribed)
                {
                    self.suppression_reasons.remove(address);
                }
            }
            DirectoryEvent::Released { address } => {
                self.suppression_reasons.remove(address);
                self.reset_soft_bounces(*address);
            }
            DirectoryEvent::Suppressed { address, why, person, evidence } => {
                let evidence = evidence.as_str().into();
                let entry = Suppression { why: *why, at: Some(at), person: *person, evidence };
                self.suppression_reasons.insert(*address, entry);
            }
            DirectoryEvent::Returned(returned) => self.returned(returned, at),
            DirectoryEvent::KeyMinted(key) => {
                self.api_keys.insert(key.id.clone(), key.clone());
            }
            DirectoryEvent::KeyRevoked { id } => self.revoke_key(id, at),
            DirectoryEvent::PublicKeyMinted(key) => {
                self.public_keys.insert(key.id.clone(), key.clone());
            }
            DirectoryEvent::ConfirmationMailed { person, round } => {
                let live = self.person(*person).map_or(*person, |(id, _)| id);
                self.unconfirmed.mailed(live, *round, at);
            }
        }
    }

    /// Applies an accepted event: the person, the key, the open tasks.
    fn accept(&mut self, accepted: &Accepted, at: Millis) {
        if let Some(key) = accepted.key {
            self.keys.insert(key, at);
        }
        let person = accepted.person.as_ref().map(|fact| fact.id);
        if let Some(fact) = &accepted.person {
            self.learn(fact, at);
        }
        let told = accepted.timestamp.is_none();
        let mut tasks = Vec::new();
        for (list, join) in &accepted.bag {
            let number = self.number(list);
            if let Some(row) = person.and_then(|id| self.row_mut(id)) {
                row.link(number, told.then_some(*join));
            }
            if let Some(person) = person {
                self.unconfirmed.settle(person, number);
            }
            let named = accepted.product.as_ref().filter(|(of, _)| of == list);
            let product = named.map(|(_, name)| name.clone());
            tasks.push(ListTask::Change { list: list.clone(), join: *join, product });
        }
        tasks.extend(accepted.restock.clone().map(ListTask::Restock));
        self.open_up(person, accepted.source, accepted.timestamp, tasks, at);
    }

    /// Keeps how somebody asked for lists, and which wait for a confirmation.
    fn attest(&mut self, event: &Accepted, attested: &Attested, at: Millis) {
        let Attested { evidence, asked, within_ms } = attested;
        let Some(person) = event.person.as_ref().map(|fact| fact.id) else { return };
        for (list, _) in event.bag.iter().filter(|(_, join)| *join) {
            let number = self.number(list);
            self.consent_records.note(person, number, event.source, at, evidence);
        }
        for list in asked {
            let number = self.number(list);
            self.consent_records.note(person, number, event.source, at, evidence);
            let named = event.product.as_ref().filter(|(of, _)| of == list);
            let product = named.map(|(_, name)| name.as_str().into());
            self.unconfirmed.ask(
                person,
                PendingConfirmation { list: number, since: self.seq, at, product },
                *within_ms,
            );
        }
    }

    /// Applies the changes to a person, who may be new.
    fn learn(&mut self, fact: &PersonFact, at: Millis) {
        let row = fact.id.0.saturating_sub(1);
        if row as usize >= self.people.len() {
            self.people.push(Person::new(at));
        }
        let changed = fact.email.is_some()
            || fact.user_id.is_some()
            || fact.anonymous_id.is_some()
            || !fact.props.is_empty();
        if let Some(email) = &fact.email {
            self.set_email(row, Some(email.clone()));
        }
        if let Some(user) = &fact.user_id {
            if let Some(person) = self.people.get_mut(row as usize) {
                person.user_id = Some(user.as_str().into());
            }
            let people = &self.people;
            self.by_user.insert(user.as_str(), row, |r, h| {
                h.of(people.get(r as usize).and_then(|p| p.user_id.as_deref()).unwrap_or(""))
            });
        }
        if let Some(anonymous) = &fact.anonymous_id {
            self.set_anonymous(row, anonymous);
        }
        if let Some(person) = self.people.get_mut(row as usize) {
            person.set_props(&fact.props);
            person.seen = at;
            if changed {
                person.updated = at;
            }
        }
    }

    /// Merges `from` into `to`: names, lists, properties and the wish for no mail of either hold.
    fn merge(&mut self, from: PersonId, to: PersonId, at: Millis) {
        let from_row = from.0.saturating_sub(1);
        let Some(old) = self.people.get(from_row as usize).cloned() else { return };
        self.unname(from_row);
        if let Some(person) = self.people.get_mut(from_row as usize) {
            *person = Person { status: PersonStatus::Merged(to), ..Person::new(at) };
        }
        self.consent_records.merge(from, to);
        self.unconfirmed.merge(from, to);
        let mut tasks = Vec::new();
        for link in &old.links {
            if let Some(list) = self.lists.get(link.list() as usize) {
                tasks.push(ListTask::Move { list: list.clone(), from });
            }
        }
        let to_row = to.0.saturating_sub(1);
        if to_row as usize >= self.people.len() {
            self.people.push(Person::new(at));
        }
        if let Some(email) = &old.email {
            self.set_email(to_row, Some(email.clone()));
        }
        let browser = self.people.get(to_row as usize).is_some_and(|person| person.anonymous_id().is_some());
        if let Some(anonymous) = old.anonymous_id().filter(|_| !browser) {
            self.set_anonymous(to_row, anonymous);
        }
        if let Some(person) = self.people.get_mut(to_row as usize) {
            let known: Vec<(String, String)> =
                old.props().iter().filter(|(name, _)| person.prop(name).is_none()).cloned().collect();
            person.set_props(&known);
            person.unsubscribed |= old.unsubscribed;
            person.created = person.created.min(old.created);
            person.updated = at;
            old.links.iter().for_each(|link| person.link(link.list(), None));
        }
        self.open_up(Some(to), ChangeSource::Merge, None, tasks, at);
    }

    /// Erases a person: they leave all lists, their names are free again, and open tasks about them are
    /// dropped.
    fn erase(&mut self, person: PersonId, at: Millis) {
        let row = person.0.saturating_sub(1);
        let links = self.people.get(row as usize).map(|person| person.links.clone()).unwrap_or_default();
        self.unname(row);
        self.consent_records.erase(person);
        self.unconfirmed.take(person);
        if let Some(person) = self.people.get_mut(row as usize) {
            *person = Person { status: PersonStatus::Erased, ..Person::new(at) };
        }
        let moot: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| open.person == Some(person))
            .map(|(event, _)| *event)
            .collect();
        for event in moot {
            if let Some(open) = self.open.get_mut(&event) {
                // A restock is about nobody. A list that has not taken in a merge yet still holds the other
                // half of this person under the old number, so the merge must reach it first.
                open.tasks.retain(|task| !matches!(task, ListTask::Change { .. }));
                if open.tasks.is_empty() {
                    self.close(event);
                }
            }
        }
        let lists = links.iter().filter_map(|link| self.lists.get(link.list() as usize));
        let tasks =
            lists.map(|list| ListTask::Change { list: list.clone(), join: false, product: None }).collect();
        self.open_up(Some(person), ChangeSource::Erasure, None, tasks, at);
    }

    /// Keeps an event open until its lists have answered.
    fn open_up(
        &mut self,
        person: Option<PersonId>,
        source: ChangeSource,
        timestamp: Option<Millis>,
        tasks: Vec<ListTask>,
        at: Millis,
    ) {
        if tasks.is_empty() {
            return;
        }
        if let Some(person) = person {
            *self.busy.entry(person).or_default() += 1;
        }
        self.open.insert(self.seq, OpenEvent { person, source, timestamp, at, tasks });
    }

    /// Sets or removes the address in a row and in its index.
    fn set_email(&mut self, row: u32, email: Option<super::Email>) {
        let old = self.people.get_mut(row as usize).and_then(|person| person.email.take());
        if let Some(old) = old {
            self.by_email.remove(old.as_str(), row);
            self.mailable -= 1;
        }
        if let Some(email) = email {
            if let Some(person) = self.people.get_mut(row as usize) {
                person.email = Some(email.clone());
            }
            let people = &self.people;
            self.by_email.insert(email.as_str(), row, |r, h| {
                let email = people.get(r as usize).and_then(|p| p.email.as_ref());
                h.of(email.map_or("", |email| email.as_str()))
            });
            self.mailable += 1;
        }
    }

    /// Sets the anonymous id of a row that has none, and its index.
    fn set_anonymous(&mut self, row: u32, anonymous: &str) {
        if let Some(person) = self.people.get_mut(row as usize) {
            person.extras.get_or_insert_default().anonymous_id = Some(anonymous.into());
        }
        let people = &self.people;
        self.by_anonymous.insert(anonymous, row, |r, h| {
            h.of(people.get(r as usize).and_then(Person::anonymous_id).unwrap_or(""))
        });
    }

    /// Removes a row from every index by name.
    fn unname(&mut self, row: u32) {
        self.set_email(row, None);
        let Some(person) = self.people.get(row as usize) else { return };
        if let Some(user) = &person.user_id {
            self.by_user.remove(&**user, row);
        }
        if let Some(anonymous) = person.anonymous_id() {
            self.by_anonymous.remove(anonymous, row);
        }
    }

    /// The number of a list; the first mention gives it one.
    fn number(&mut self, list: &ListId) -> u32 {
        self.list_number(list).unwrap_or_else(|| self.give_number(list.clone()))
    }

    /// Gives a list the next number.
    pub(super) fn give_number(&mut self, list: ListId) -> u32 {
        let number = self.lists.len() as u32;
        let lists = &self.lists;
        self.list_numbers.insert(list.as_str(), number, |n, h| {
            h.of(lists.get(n as usize).map_or("", |list| list.as_str()))
        });
        self.lists.push(list);
        number
    }

    fn row_mut(&mut self, person: PersonId) -> Option<&mut Person> {
        self.people.get_mut((person.0 as usize).checked_sub(1)?)
    }
}
