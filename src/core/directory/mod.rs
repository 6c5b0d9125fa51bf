//! The machine of the directory: who a person is, what they consent to, which keys were seen.
//!
//! ```text
//! people   [row 0: ct 1 | row 1: ct 2 | …]   copy-on-write pages; a number is never reused
//!             ▲            ▲
//! by_email, by_user, by_anonymous            row numbers only; rebuilt at start
//! blocks   address hash ──▶ why it takes no mail; outlives erasure
//! returns  address hash ──▶ what came back about it; outlives erasure where it blocks
//! open     event counter ──▶ what its lists have still to do
//! ```
//!
//! Invariants: a live email and a live user id belong to one person each; a person who was merged
//! or erased keeps an empty row that says so; an event stays open until each of its lists has
//! answered, and open events are sent again at start.

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

/// What an event does to a person's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonFact {
    /// Who; a new number creates the person.
    pub id: PersonId,
    /// The address the person has from now on, if it changes.
    pub email: Option<Email>,
    /// The user id the person has from now on, if it changes.
    pub user_id: Option<String>,
    /// The anonymous id the person has from now on, if it changes.
    pub anonymous_id: Option<String>,
    /// Properties that change, each as JSON text.
    pub props: Props,
}

/// One accepted event (or a call that changes a person and lists in the same way).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The event's name; empty for calls that are not events.
    pub name: String,
    /// Its idempotency key, hashed with its scope, when seen for the first time.
    pub key: Option<u128>,
    /// How it came.
    pub how: ChangeSource,
    /// Whom it is about.
    pub person: Option<PersonFact>,
    /// The bag: what each list has to do.
    pub bag: Vec<(ListId, bool)>,
    /// When, by the sender's clock.
    pub timestamp: Option<Millis>,
    /// The product's name for a SKU list of the bag.
    pub product: Option<(ListId, String)>,
    /// The restock it carries.
    pub restock: Option<Box<RestockFact>>,
    /// How it was asked for, and what waits for a confirmation.
    pub attested: Option<Box<Attested>>,
}

/// How somebody asked for lists, and which of these wait for a confirmation: they are not in the event's bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// What is known of it.
    pub evidence: ConsentEvidence,
    /// The lists that wait.
    pub asked: Vec<ListId>,
    /// How long the links that confirm them work, in milliseconds.
    pub within_ms: u64,
}

/// All that can have happened to the directory: its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryEvent {
    /// An event with its whole bag.
    Event(Accepted),
    /// Two people became one.
    Merged {
        /// Who is no more.
        from: PersonId,
        /// Who remains.
        to: PersonId,
    },
    /// A person and what is held on them are no more; holds a hash, no address.
    Erased {
        /// Who.
        person: PersonId,
        /// The address, hashed, with why it must stay unmailed.
        keep: Option<(u128, SuppressionReason)>,
    },
    /// No mail at all, or mail again.
    Unsubscribed {
        /// Who.
        person: PersonId,
        /// The address, hashed.
        address: Option<u128>,
        /// True for no mail at all.
        on: bool,
    },
    /// An address may be mailed again.
    Released {
        /// The address, hashed.
        address: u128,
    },
    /// An API key was made.
    KeyMinted(ApiKey),
    /// An API key stops at once.
    KeyRevoked {
        /// Its public id.
        id: String,
    },
    /// An address takes no mail; who had it then, and how that is known.
    Suppressed {
        /// The address, hashed.
        address: u128,
        /// Why.
        why: SuppressionReason,
        /// Whose it was.
        person: Option<PersonId>,
        /// How it is known, in words without an address.
        evidence: String,
    },
    /// A mail that asks for a confirmation went out, or was given up.
    Mailed {
        /// To whom.
        person: PersonId,
        /// The directory's counter that the mail knew of: who asked later is mailed again.
        round: u64,
    },
    /// A publishable key was made.
    PublicKeyMinted(PublicKey),
    /// A report about an address came back.
    Returned(FeedbackRecord),
}

impl DirectoryEvent {
    /// What it says of a person, if it does.
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
    /// List to number; derived.
    pub(super) list_numbers: Index,
    pub(super) keys: KeyWindow,
    pub(super) suppression_reasons: BTreeMap<u128, Suppression>,
    pub(super) returns: Returns,
    pub(super) api_keys: BTreeMap<String, ApiKey>,
    pub(super) public_keys: BTreeMap<String, PublicKey>,
    pub(super) consent_records: ConsentRecords,
    pub(super) unconfirmed: PendingConfirmations,
    pub(super) open: BTreeMap<u64, OpenEvent>,
    /// How many open events each person has; derived.
    pub(super) busy: BTreeMap<PersonId, u32>,
    /// How many live people have an address; derived.
    pub(super) mailable: u32,
}

impl Directory {
    /// Whose letters at hand are out of date once this is applied: somebody whose address becomes another one, and both of
    /// two people who become one (the one who remains may get the other's address).
    #[must_use]
    pub fn moves(&self, event: &DirectoryEvent) -> Vec<PersonId> {
        if let DirectoryEvent::Merged { from, to, .. } = event {
            return vec![*from, *to];
        }
        let moved = || {
            let fact = event.fact()?;
            let email = fact.email.as_ref()?;
            let (id, held) = self.person(fact.id)?;
            held.email.as_ref().filter(|held| *held != email).map(|_| id)
        };
        moved().into_iter().collect()
    }

    /// An empty directory; `seed` keys its indexes, `keys_max` bounds its key window.
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

    /// The counter of its last record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The highest contact number given out.
    #[must_use]
    pub fn last_person(&self) -> u32 {
        self.people.len() as u32
    }

    /// How many live people have an address.
    #[must_use]
    pub fn mailable(&self) -> u32 {
        self.mailable
    }

    /// A live person by number, following merges (each leads to an older or newer live row; at
    /// most as many steps as there are people).
    #[must_use]
    pub fn person(&self, id: PersonId) -> Option<(PersonId, &Person)> {
        let mut id = id;
        for _ in 0..=self.people.len() {
            let person = self.people.get((id.0 as usize).checked_sub(1)?)?;
            match person.fate {
                PersonStatus::Live => return Some((id, person)),
                PersonStatus::Merged(into) => id = into,
                PersonStatus::Erased => return None,
            }
        }
        None
    }

    /// What became of a person's number: live, merged or erased; `None` when never given out.
    #[must_use]
    pub fn fate(&self, id: PersonId) -> Option<PersonStatus> {
        Some(self.people.get((id.0 as usize).checked_sub(1)?)?.fate)
    }

    /// The live person with this address.
    #[must_use]
    pub fn by_email(&self, email: &Email) -> Option<PersonId> {
        let is = |row| self.row(row).and_then(|p| p.email.as_ref()).is_some_and(|e| e == email);
        self.by_email.find(email.as_str(), is).map(|row| PersonId(row + 1))
    }

    /// The live person with this user id.
    #[must_use]
    pub(crate) fn by_user(&self, user: &str) -> Option<PersonId> {
        let is = |row| self.row(row).and_then(|p| p.user_id.as_deref()).is_some_and(|u| u == user);
        self.by_user.find(user, is).map(|row| PersonId(row + 1))
    }

    /// The live person with this anonymous id.
    #[must_use]
    pub(crate) fn by_anonymous(&self, id: &str) -> Option<PersonId> {
        let is = |row| self.row(row).and_then(|p| p.anonymous_id()).is_some_and(|a| a == id);
        self.by_anonymous.find(id, is).map(|row| PersonId(row + 1))
    }

    /// The lists a person is or was on, in the order they came to them.
    pub fn lists_of(&self, person: PersonId) -> impl Iterator<Item = &ListId> {
        let links = self.person(person).map(|(_, held)| held.links.as_slice()).unwrap_or_default();
        links.iter().filter_map(|link| self.lists.get(link.list() as usize))
    }

    /// What a person has pending, and when each list was asked for.
    #[must_use]
    pub fn waiting(&self, person: PersonId) -> Option<&PersonPending> {
        self.unconfirmed.of(person)
    }

    /// Who may be mailed for a confirmation now.
    pub fn due(&self, at: Millis) -> impl Iterator<Item = PersonId> + '_ {
        self.unconfirmed.due(at)
    }

    /// A list by its number.
    #[must_use]
    pub fn list_at(&self, number: u32) -> Option<&ListId> {
        self.lists.get(number as usize)
    }

    /// What is known of how a live person asked for lists.
    pub fn consent_records(&self, person: PersonId) -> impl Iterator<Item = ConsentView> + '_ {
        self.consent_records.of(person)
    }

    /// Events whose lists have not all answered.
    pub fn open(&self) -> impl Iterator<Item = (u64, &OpenEvent)> {
        self.open.iter().map(|(event, open)| (*event, open))
    }

    /// One event whose lists have not all answered.
    #[must_use]
    pub fn open_event(&self, event: u64) -> Option<(u64, &OpenEvent)> {
        self.open.get(&event).map(|open| (event, open))
    }

    /// An event's lists have all answered; derived state, so no record.
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

    /// Of an open event, only these of its tasks are left to do, by position; with none left it is closed. Derived
    /// state, so no record.
    pub fn leave_open(&mut self, event: u64, left: &[usize]) {
        if left.is_empty() {
            return self.close(event);
        }
        if let Some(open) = self.open.get_mut(&event) {
            let mut at = 0..;
            open.tasks.retain(|_| at.next().is_some_and(|at| left.contains(&at)));
        }
    }

    /// How many keys the window holds.
    #[must_use]
    pub fn keys_held(&self) -> usize {
        self.keys.len()
    }

    /// The number of a list that was mentioned before.
    fn list_number(&self, list: &ListId) -> Option<u32> {
        let is = |number| self.lists.get(number as usize).is_some_and(|other| other == list);
        self.list_numbers.find(list.as_str(), is)
    }

    /// A person's row by its position.
    fn row(&self, row: u32) -> Option<&Person> {
        self.people.get(row as usize)
    }
}
