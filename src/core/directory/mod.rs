//! The machine of the directory: people and their addresses, consent, suppression, API keys, and idempotency
//! keys.
//!
//! ```text
//! people   [row 0: ct 1 | row 1: ct 2 | …]   copy-on-write pages; a number is never reused
//!             ▲            ▲
//! by_email, by_user, by_anonymous            row numbers only; rebuilt at start
//! suppression_reasons  address hash ──▶ why it takes no mail; outlives erasure
//! returns  address hash ──▶ bounces and complaints; outlives erasure where they block the address
//! open     event number ──▶ what its lists have still to do
//! ```
//!
//! Invariants: a live address and a live user id belong to one person each; a person who was merged or erased
//! keeps an empty row that says so; an event stays open until each of its lists has answered, and open events
//! are sent again at start.

mod api_key;
mod apply;
mod command;
mod consent;
mod decide;
mod feedback;
mod image;
mod pending;
mod person;
mod suppression;
mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use api_key::{ApiKey, PublicKey};
pub use command::DirectoryCommand;
pub use consent::{
    ConsentEvidence, ConsentRecord, ConsentRecords, ConsentView, WORDING_CHARS_MAX, WORDING_URL_BYTES_MAX,
};
pub use decide::{DirectoryDecision, HashedIdentity, Ingest, IngestOutcome, MembershipProblem};
pub use feedback::{EVIDENCE_MAX, FeedbackDecision, FeedbackRecord};
pub use image::{DirectoryImage, DirectoryPage};
pub use pending::{PendingConfirmation, PendingConfirmations, PersonPending};
pub use person::{Extras, ListLink, Person, PersonStatus, Props, Undeliverable};
pub use suppression::{EVIDENCE_BYTES_MAX, Suppression, SuppressionReason};
pub use task::{ListTask, OpenEvent, RestockFact};

use super::email::Email;
use super::ids::{ListId, PersonId};
use super::index::Index;
use super::keys::KeyWindow;
use super::list::ChangeSource;
use super::pages::Pages;
use super::time::Millis;
use feedback::Returns;

/// What an event changes about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonFact {
    /// The person; a new number creates one.
    pub id: PersonId,
    /// The new address; `None`: no change.
    pub email: Option<Email>,
    /// The new user id; `None`: no change.
    pub user_id: Option<String>,
    /// The new anonymous id; `None`: no change.
    pub anonymous_id: Option<String>,
    /// Properties that change, by name, each as JSON text.
    pub props: Props,
}

/// An accepted event, or a call that changes a person and lists in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The event's name; empty for a call.
    pub name: String,
    /// The idempotency key, hashed with its scope; `None`: no key, or no room to remember it.
    pub key: Option<u128>,
    pub source: ChangeSource,
    /// The person it is about; `None`: a stranger of whom nothing is kept.
    pub person: Option<PersonFact>,
    /// The bag: each list with true to join, false to leave.
    pub bag: Vec<(ListId, bool)>,
    /// When it happened, by the sender's clock.
    pub timestamp: Option<Millis>,
    /// The name of the product, for a SKU list of the bag.
    pub product: Option<(ListId, String)>,
    /// The restock that it reports.
    pub restock: Option<Box<RestockFact>>,
    /// How somebody asked for lists, and which of these wait for a confirmation.
    pub attested: Option<Box<Attested>>,
}

/// How somebody asked for lists, and which of these wait for a confirmation. Lists that wait are not in the
/// bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    pub evidence: ConsentEvidence,
    /// The lists that wait.
    pub asked: Vec<ListId>,
    /// How long the confirmation links work, in milliseconds.
    pub within_ms: u64,
}

/// What has happened to the directory: the content of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryEvent {
    Event(Accepted),
    /// Two people were merged.
    Merged {
        /// The person who was merged away.
        from: PersonId,
        /// The person who remains.
        to: PersonId,
    },
    /// A person was erased. The record holds no address.
    Erased {
        person: PersonId,
        /// The hash of the address, and the reason for which it must not be mailed later either.
        keep: Option<(u128, SuppressionReason)>,
    },
    /// A person wants no mail at all, or wants mail again.
    Unsubscribed {
        person: PersonId,
        /// The hash of the person's address, if there is one.
        address: Option<u128>,
        /// True for no mail at all.
        on: bool,
    },
    /// An address may be mailed again.
    Released {
        /// The hash of the address.
        address: u128,
    },
    KeyMinted(ApiKey),
    /// An API key or publishable key is void from now on.
    KeyRevoked {
        /// The key's public id.
        id: String,
    },
    /// An address is put on the suppression list.
    Suppressed {
        /// The hash of the address.
        address: u128,
        why: SuppressionReason,
        /// The person who has the address at this time.
        person: Option<PersonId>,
        /// How it is known, in words without an address.
        evidence: String,
    },
    /// A mail that asks for a confirmation went out, or was given up.
    ConfirmationMailed {
        /// The person who got it.
        person: PersonId,
        /// The number of the directory's last record when the mail was made. Lists that were asked for later
        /// need another mail.
        round: u64,
    },
    PublicKeyMinted(PublicKey),
    /// A bounce or complaint was taken in.
    Returned(FeedbackRecord),
}

impl DirectoryEvent {
    /// What the event changes about a person, if anything.
    fn fact(&self) -> Option<&PersonFact> {
        match self {
            Self::Event(event) => event.person.as_ref(),
            _ => None,
        }
    }
}

/// The state of the directory.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(super) seq: u64,
    pub(super) people: Pages<Person>,
    pub(super) by_email: Index,
    pub(super) by_user: Index,
    pub(super) by_anonymous: Index,
    pub(super) lists: Pages<ListId>,
    /// From list to its number. Derived.
    pub(super) list_numbers: Index,
    pub(super) keys: KeyWindow,
    pub(super) suppression_reasons: BTreeMap<u128, Suppression>,
    pub(super) returns: Returns,
    pub(super) api_keys: BTreeMap<String, ApiKey>,
    pub(super) public_keys: BTreeMap<String, PublicKey>,
    pub(super) consent_records: ConsentRecords,
    pub(super) unconfirmed: PendingConfirmations,
    pub(super) open: BTreeMap<u64, OpenEvent>,
    /// How many open events each person has. Derived.
    pub(super) busy: BTreeMap<PersonId, u32>,
    /// How many live people have an address. Derived.
    pub(super) mailable: u32,
}

impl Directory {
    /// The people whose prepared letters are out of date once `event` is applied: a person whose address
    /// changes, and both of two people who are merged, since the one who remains may get the other's address.
    #[must_use]
    pub fn moves(&self, event: &DirectoryEvent) -> Vec<PersonId> {
        if let DirectoryEvent::Merged { from, to, .. } = event {
            return vec![*from, *to];
        }
        let moved = || {
            let fact = event.fact()?;
            let email = fact.email.as_ref()?;
            let (id, row) = self.person(fact.id)?;
            row.email.as_ref().filter(|known| *known != email).map(|_| id)
        };
        moved().into_iter().collect()
    }

    /// An empty directory. `seed` makes the hashes of its indexes unpredictable; `keys_max` is the most
    /// idempotency keys it remembers.
    #[must_use]
    pub fn new(seed: u64, keys_max: usize) -> Self {
        Self {
            seq: 0,
            people: Pages::default(),
            by_email: Index::new(seed),
            by_user: Index::new(seed ^ 1),
            by_anonymous: Index::new(seed ^ 2),
            lists: Pages::default(),
            list_numbers: Index::new(seed ^ 3),
            keys: KeyWindow::new(keys_max),
            suppression_reasons: BTreeMap::new(),
            returns: Returns::new(),
            api_keys: BTreeMap::new(),
            public_keys: BTreeMap::new(),
            consent_records: ConsentRecords::new(seed ^ 4),
            unconfirmed: PendingConfirmations::default(),
            open: BTreeMap::new(),
            busy: BTreeMap::new(),
            mailable: 0,
        }
    }

    /// How many records were applied.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The highest contact number that was given out.
    #[must_use]
    pub fn last_person(&self) -> u32 {
        self.people.len() as u32
    }

    /// How many live people have an address.
    #[must_use]
    pub fn mailable(&self) -> u32 {
        self.mailable
    }

    /// The live person with a number and that person's own number, which is another one after a merge. `None`
    /// if the person was erased or the number was never given out.
    #[must_use]
    pub fn person(&self, id: PersonId) -> Option<(PersonId, &Person)> {
        let mut id = id;
        for _ in 0..=self.people.len() {
            let person = self.people.get((id.0 as usize).checked_sub(1)?)?;
            match person.status {
                PersonStatus::Live => return Some((id, person)),
                PersonStatus::Merged(into) => id = into,
                PersonStatus::Erased => return None,
            }
        }
        None
    }

    /// Whether a person's number is live, merged or erased; `None` if it was never given out.
    #[must_use]
    pub fn status(&self, id: PersonId) -> Option<PersonStatus> {
        Some(self.people.get((id.0 as usize).checked_sub(1)?)?.status)
    }

    /// The live person with this address.
    #[must_use]
    pub fn by_email(&self, email: &Email) -> Option<PersonId> {
        let is = |row| self.row(row).and_then(|p| p.email.as_ref()).is_some_and(|e| e == email);
        self.by_email.find(email.as_str(), is).map(|row| PersonId(row + 1))
    }

    #[must_use]
    pub(crate) fn by_user(&self, user: &str) -> Option<PersonId> {
        let is = |row| self.row(row).and_then(|p| p.user_id.as_deref()).is_some_and(|u| u == user);
        self.by_user.find(user, is).map(|row| PersonId(row + 1))
    }

    #[must_use]
    pub(crate) fn by_anonymous(&self, id: &str) -> Option<PersonId> {
        let is = |row| self.row(row).and_then(|p| p.anonymous_id()).is_some_and(|a| a == id);
        self.by_anonymous.find(id, is).map(|row| PersonId(row + 1))
    }

    /// The lists a person is or was on, in the order of first mention.
    pub fn lists_of(&self, person: PersonId) -> impl Iterator<Item = &ListId> {
        let links = self.person(person).map(|(_, row)| row.links.as_slice()).unwrap_or_default();
        links.iter().filter_map(|link| self.lists.get(link.list() as usize))
    }

    /// The lists that a person asked for and has not confirmed.
    #[must_use]
    pub fn waiting(&self, person: PersonId) -> Option<&PersonPending> {
        self.unconfirmed.of(person)
    }

    /// The people to whom a confirmation mail may be sent at `at`.
    pub fn due(&self, at: Millis) -> impl Iterator<Item = PersonId> + '_ {
        self.unconfirmed.due(at)
    }

    #[must_use]
    pub fn list_at(&self, number: u32) -> Option<&ListId> {
        self.lists.get(number as usize)
    }

    /// How a live person asked for lists, as far as evidence was given.
    pub fn consent_records(&self, person: PersonId) -> impl Iterator<Item = ConsentView> + '_ {
        self.consent_records.of(person)
    }

    /// The events whose lists have not all answered, by number.
    pub fn open(&self) -> impl Iterator<Item = (u64, &OpenEvent)> {
        self.open.iter().map(|(event, open)| (*event, open))
    }

    /// An event whose lists have not all answered.
    #[must_use]
    pub fn open_event(&self, event: u64) -> Option<(u64, &OpenEvent)> {
        self.open.get(&event).map(|open| (event, open))
    }

    /// Closes an event whose lists have all answered. Open events are derived from the lists' records too, so
    /// this needs no record.
    pub fn close(&mut self, event: u64) {
        if let Some(open) = self.open.remove(&event)
            && let Some(person) = open.person
            && let Some(count) = self.busy.get_mut(&person)
        {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&person);
            }
        }
    }

    /// Keeps only the tasks at the positions `left` of an open event, and closes it if none is left. Needs no
    /// record, like [`close`](Self::close).
    pub fn leave_open(&mut self, event: u64, left: &[usize]) {
        if left.is_empty() {
            return self.close(event);
        }
        if let Some(open) = self.open.get_mut(&event) {
            let mut at = 0..;
            open.tasks.retain(|_| at.next().is_some_and(|at| left.contains(&at)));
        }
    }

    /// How many idempotency keys are remembered.
    #[must_use]
    pub fn keys_held(&self) -> usize {
        self.keys.len()
    }

    /// The number of a list, if it was ever mentioned.
    fn list_number(&self, list: &ListId) -> Option<u32> {
        let is = |number| self.lists.get(number as usize).is_some_and(|other| other == list);
        self.list_numbers.find(list.as_str(), is)
    }

    /// The person in a row (0-based).
    fn row(&self, row: u32) -> Option<&Person> {
        self.people.get(row as usize)
    }
}
