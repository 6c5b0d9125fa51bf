//! The directory as a snapshot takes it. The image shares the directory's pages, so no row is copied.
//!
//! ```text
//! image ──▶ pages: Head (seq, lists' count) · Lists · People (1,024 a page) · Keys (a shard run)
//!                  Suppressed · ApiKeys · Open · Words · Proofs
//!                  Waiting · PublicKeys · Returns
//! ```
//!
//! Indexes, counts and the people with open events are derived when the pages are read back.

use std::sync::Arc;

use super::super::feedback::FeedbackEvidence;
use super::super::index::Index;
use super::super::keys::{KeyWindow, Seen};
use super::super::pages::Pages;
use super::person::{Person, PersonStatus};
use super::{ApiKey, ConsentRecord, Directory, OpenEvent, PersonPending, PublicKey, Suppression};
use crate::ids::{ListId, PersonId};

/// The most rows in one page of a snapshot.
const ROWS: usize = 512;

/// The directory at one moment, for a snapshot.
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

/// One page of a snapshot of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryPage {
    /// The first page.
    Head {
        /// How many records were applied.
        seq: u64,
    },
    /// Lists, in the order of their numbers; the number of the first (0-based).
    Lists(u32, Vec<ListId>),
    /// People, in the order of their rows; the first row (0-based).
    People(u32, Vec<Person>),
    /// Idempotency keys that were seen.
    Keys(Vec<Seen>),
    ApiKeys(Vec<ApiKey>),
    /// Open events, by number.
    Open(Vec<(u64, OpenEvent)>),
    /// Entries of the suppression list, by address hash.
    Suppressed(Vec<(u128, Suppression)>),
    /// Texts of consent evidence, in the order of their numbers; the number of the first (0-based).
    Words(u32, Vec<Box<str>>),
    /// Rows of consent evidence, in order; the number of the first (0-based).
    Proofs(u32, Vec<ConsentRecord>),
    /// Lists that people have not confirmed.
    Waiting(Vec<(PersonId, PersonPending)>),
    PublicKeys(Vec<PublicKey>),
    /// Bounces and complaints, by address hash.
    Returns(Vec<(u128, Arc<Vec<FeedbackEvidence>>)>),
}

impl DirectoryImage {
    /// How many live people are in it.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.people.iter().filter(|person| person.status == PersonStatus::Live).count() as u64
    }

    /// All pages, in the order in which [`Directory::restore`] takes them.
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
    /// The state at this moment, for a snapshot. Copies pointers, not rows.
    #[must_use]
    pub fn image(&self) -> DirectoryImage {
        let (consent_records, words) = self.consent_records.parts();
        DirectoryImage {
            consent_records,
            words,
            waiting: self.unconfirmed.iter().map(|(person, pending)| (person, pending.clone())).collect(),
            public_keys: self.public_keys.values().cloned().collect(),
            seq: self.seq,
            people: self.people.clone(),
            lists: self.lists.clone(),
            keys: self.keys.clone(),
            suppression_reasons: self
                .suppression_reasons
                .iter()
                .map(|(address, entry)| (*address, entry.clone()))
                .collect(),
            api_keys: self.api_keys.values().cloned().collect(),
            open: self.open.iter().map(|(event, open)| (*event, open.clone())).collect(),
            returns: self.returns.iter().map(|(address, reports)| (*address, Arc::clone(reports))).collect(),
        }
    }

    /// Takes in one page. Pages of one kind come in the order in which [`DirectoryImage::pages`] gave them.
    ///
    /// # Errors
    /// If a page comes out of turn, so that rows before it are missing.
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
                waiting.into_iter().for_each(|(person, pending)| self.unconfirmed.restore(person, pending));
            }
            DirectoryPage::PublicKeys(keys) => {
                self.public_keys.extend(keys.into_iter().map(|key| (key.id.clone(), key)));
            }
            DirectoryPage::Returns(returns) => self.returns.extend(returns),
        }
        Ok(())
    }

    /// Derives indexes and counts; call it after the last page.
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

/// Adds a row to an index under `name`; `name_of` reads the names of other rows.
fn insert(
    index: &mut Index,
    people: &Pages<Person>,
    name: &str,
    row: u32,
    name_of: impl Fn(&Person) -> Option<&str>,
) {
    index.insert(name, row, |r, h| h.of(people.get(r as usize).and_then(&name_of).unwrap_or("")));
}
