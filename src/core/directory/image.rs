//! The directory as a snapshot takes it: shared pages, handed over without copying a row.
//!
//! ```text
//! image ──▶ pages: Head (seq, lists' count) · Lists · People (1,024 a page) · Keys (a shard run)
//!                  Suppressed · ApiKeys · Open · Words · Proofs
//!                  Waiting · PublicKeys · Returns
//! ```
//!
//! Indexes, counts and what is busy are derived again when the pages are read back.

use std::sync::Arc;

use super::super::feedback::FeedbackEvidence;
use super::super::index::Index;
use super::super::keys::{KeyWindow, Seen};
use super::super::pages::Pages;
use super::person::{Person, PersonStatus};
use super::{ApiKey, ConsentRecord, Directory, OpenEvent, PersonPending, PublicKey, Suppression};
use crate::ids::{ListId, PersonId};

/// Rows in a page of a snapshot.
const ROWS: usize = 512;

/// A directory held still.
#[derive(Debug, Clone)]
pub struct DirectoryImage {
    seq: u64,
    people: Pages<Person>,
    lists: Pages<ListId>,
    keys: KeyWindow,
    suppression_reasons: Vec<(u128, Suppression)>,
    api_keys: Vec<ApiKey>,
    open: Vec<(u64, OpenEvent)>,
    consent_records: Pages<ConsentRecord>,
    words: Pages<Box<str>>,
    waiting: Vec<(PersonId, PersonPending)>,
    public_keys: Vec<PublicKey>,
    returns: Vec<(u128, Arc<Vec<FeedbackEvidence>>)>,
}

/// One page of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryPage {
    /// The counter.
    Head {
        /// Records written.
        seq: u64,
    },
    /// Lists in the order of their numbers, from the first given.
    Lists(u32, Vec<ListId>),
    /// People in the order of their numbers, from the first row given.
    People(u32, Vec<Person>),
    /// Keys seen.
    Keys(Vec<Seen>),
    /// API keys.
    ApiKeys(Vec<ApiKey>),
    /// Open events.
    Open(Vec<(u64, OpenEvent)>),
    /// Addresses that take no mail.
    Suppressed(Vec<(u128, Suppression)>),
    /// Words of evidence in the order of their numbers, from the first given.
    Words(u32, Vec<Box<str>>),
    /// Evidence of consent in the order of its rows, from the first given.
    Proofs(u32, Vec<ConsentRecord>),
    /// What people have pending.
    Waiting(Vec<(PersonId, PersonPending)>),
    /// Publishable keys.
    PublicKeys(Vec<PublicKey>),
    /// What came back about addresses.
    Returns(Vec<(u128, Arc<Vec<FeedbackEvidence>>)>),
}

impl DirectoryImage {
    /// How many live people are in it.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.people.iter().filter(|person| person.fate == PersonStatus::Live).count() as u64
    }

    /// All pages, in an order that [`Directory::restore`] takes.
    pub fn pages(&self) -> impl Iterator<Item = DirectoryPage> + '_ {
        let head = std::iter::once(DirectoryPage::Head { seq: self.seq });
        let lists = (0..self.lists.len()).step_by(ROWS).map(|first| {
            let rows = self.lists.iter_from(first).take(ROWS).map(|(_, list)| list.clone());
            DirectoryPage::Lists(first as u32, rows.collect())
        });
        let people = (0..self.people.len()).step_by(ROWS).map(|first| {
            let rows = self.people.iter_from(first).take(ROWS).map(|(_, person)| person.clone());
            DirectoryPage::People(first as u32, rows.collect())
        });
        let keys = self.keys.shards().chunks(16).filter(|run| run.iter().any(|shard| !shard.is_empty()));
        let keys = keys.flat_map(|run| {
            let seen: Vec<Seen> = run.iter().flat_map(|shard| shard.iter().copied()).collect();
            seen.chunks(ROWS * 4).map(|chunk| DirectoryPage::Keys(chunk.to_vec())).collect::<Vec<_>>()
        });
        let suppression_reasons =
            self.suppression_reasons.chunks(ROWS * 4).map(|chunk| DirectoryPage::Suppressed(chunk.to_vec()));
        let api_keys = self.api_keys.chunks(ROWS).map(|chunk| DirectoryPage::ApiKeys(chunk.to_vec()));
        let open = self.open.chunks(32).map(|chunk| DirectoryPage::Open(chunk.to_vec()));
        let words = (0..self.words.len()).step_by(ROWS).map(|first| {
            let rows = self.words.iter_from(first).take(ROWS).map(|(_, word)| word.clone());
            DirectoryPage::Words(first as u32, rows.collect())
        });
        let consent_records = (0..self.consent_records.len()).step_by(ROWS).map(|first| {
            let rows = self.consent_records.iter_from(first).take(ROWS).map(|(_, row)| row.clone());
            DirectoryPage::Proofs(first as u32, rows.collect())
        });
        let waiting = self.waiting.chunks(ROWS).map(|chunk| DirectoryPage::Waiting(chunk.to_vec()));
        let public = self.public_keys.chunks(ROWS).map(|chunk| DirectoryPage::PublicKeys(chunk.to_vec()));
        let returns = self.returns.chunks(ROWS).map(|chunk| DirectoryPage::Returns(chunk.to_vec()));
        let older = head
            .chain(lists)
            .chain(people)
            .chain(keys)
            .chain(suppression_reasons)
            .chain(api_keys)
            .chain(open);
        older.chain(words).chain(consent_records).chain(waiting).chain(public).chain(returns)
    }
}

impl Directory {
    /// Holds the directory still for a snapshot; copies pointers, not rows.
    #[must_use]
    pub fn image(&self) -> DirectoryImage {
        let (consent_records, words) = self.consent_records.parts();
        DirectoryImage {
            consent_records,
            words,
            waiting: self.unconfirmed.iter().map(|(person, held)| (person, held.clone())).collect(),
            public_keys: self.public_keys.values().cloned().collect(),
            seq: self.seq,
            people: self.people.clone(),
            lists: self.lists.clone(),
            keys: self.keys.clone(),
            suppression_reasons: self
                .suppression_reasons
                .iter()
                .map(|(address, held)| (*address, held.clone()))
                .collect(),
            api_keys: self.api_keys.values().cloned().collect(),
            open: self.open.iter().map(|(event, open)| (*event, open.clone())).collect(),
            returns: self.returns.iter().map(|(address, held)| (*address, Arc::clone(held))).collect(),
        }
    }

    /// Takes one page back. Pages come in key order, so rows of one kind come in theirs.
    ///
    /// # Errors
    /// When rows are missing: a page out of turn.
    pub fn restore(&mut self, page: DirectoryPage) -> Result<(), String> {
        match page {
            DirectoryPage::Head { seq } => self.seq = seq,
            DirectoryPage::Lists(first, lists) => {
                if first as usize != self.lists.len() {
                    return Err(format!("list page {first} came after {} lists", self.lists.len()));
                }
                for list in lists {
                    self.give_number(list);
                }
            }
            DirectoryPage::People(first, people) => {
                if first as usize != self.people.len() {
                    return Err(format!("people page {first} came after {} people", self.people.len()));
                }
                people.into_iter().for_each(|person| {
                    self.people.push(person);
                });
            }
            DirectoryPage::Keys(seen) => self.keys.restore(seen),
            DirectoryPage::Suppressed(suppression_reasons) => {
                self.suppression_reasons.extend(suppression_reasons)
            }
            DirectoryPage::ApiKeys(keys) => {
                self.api_keys.extend(keys.into_iter().map(|key| (key.id.clone(), key)));
            }
            DirectoryPage::Open(open) => self.open.extend(open),
            DirectoryPage::Words(first, words) => self.consent_records.restore_words(first, words)?,
            DirectoryPage::Proofs(first, rows) => self.consent_records.restore_rows(first, rows)?,
            DirectoryPage::Waiting(waiting) => {
                waiting.into_iter().for_each(|(person, held)| self.unconfirmed.restore(person, held));
            }
            DirectoryPage::PublicKeys(keys) => {
                self.public_keys.extend(keys.into_iter().map(|key| (key.id.clone(), key)));
            }
            DirectoryPage::Returns(returns) => self.returns.extend(returns),
        }
        Ok(())
    }

    /// Derives indexes and counts once all pages are back.
    pub fn restored(&mut self) {
        let people = &self.people;
        for (row, person) in people.iter().enumerate() {
            let row = row as u32;
            if let Some(email) = &person.email {
                self.mailable += 1;
                insert(&mut self.by_email, people, email.as_str(), row, |p| {
                    p.email.as_ref().map(|email| email.as_str())
                });
            }
            if let Some(user) = &person.user_id {
                insert(&mut self.by_user, people, user, row, |p| p.user_id.as_deref());
            }
            if let Some(anonymous) = person.anonymous_id() {
                insert(&mut self.by_anonymous, people, anonymous, row, Person::anonymous_id);
            }
        }
        self.consent_records.restored();
        for person in self.open.values().filter_map(|open| open.person) {
            *self.busy.entry(person).or_default() += 1;
        }
    }
}

/// Puts a row into an index under `name`.
fn insert(
    index: &mut Index,
    people: &Pages<Person>,
    name: &str,
    row: u32,
    name_of: impl Fn(&Person) -> Option<&str>,
) {
    index.insert(name, row, |r, h| h.of(people.get(r as usize).and_then(&name_of).unwrap_or("")));
}
