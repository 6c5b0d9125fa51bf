//! The suppression list: addresses that take no mail, by their keyed hash.
//!
//! ```text
//! address hash ──▶ reason · since when · whose it was then · how it is known
//! ```
//!
//! The list holds no address, so an erasure has nothing to remove from it; an address is shown only if the
//! person of the entry still has it. A weaker reason never replaces a stronger one: a person who complained
//! stays on the list as such when they also unsubscribe, and only a request of the shop takes them off.
//! *Erased* is the weakest: it keeps imports and old events from bringing the person back, and a new request
//! of the person lifts it.

use super::super::email::Email;
use super::super::ids::PersonId;
use super::super::time::Millis;
use super::{Directory, DirectoryEvent};

/// The longest text about how a suppression is known, in bytes.
pub const EVIDENCE_BYTES_MAX: usize = 200;

/// Why an address takes no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuppressionReason {
    /// The person wants no mail at all.
    Unsubscribed,
    /// The address does not exist or keeps bouncing.
    Bounced,
    /// The person complained about a mail.
    Complained,
    /// The shop put it on the list.
    Manual,
    /// The person was erased: imports must not bring them back, but they may ask anew.
    Erased,
}

impl SuppressionReason {
    /// Every reason, the weakest first.
    pub(crate) const ALL: [Self; 5] =
        [Self::Erased, Self::Unsubscribed, Self::Bounced, Self::Manual, Self::Complained];

    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "hard_bounce",
            Self::Complained => "complaint",
            Self::Manual => "manual",
            Self::Erased => "erased",
        }
    }

    /// Reads a reason that a request may give. `erased` is refused, since only an erasure writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .filter(|suppression_reason| *suppression_reason != Self::Erased)
            .find(|suppression_reason| suppression_reason.as_str() == text)
    }

    /// The strength of the reason; higher is stronger.
    fn rank(self) -> usize {
        Self::ALL.iter().position(|suppression_reason| *suppression_reason == self).unwrap_or_default()
    }
}

/// An entry of the suppression list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    pub why: SuppressionReason,
    /// When it was put on the list; `None` for an entry from a snapshot of an older version, which did not
    /// keep it.
    pub at: Option<Millis>,
    /// The person who had the address then.
    pub person: Option<PersonId>,
    /// How it is known, in words without an address; may be empty.
    pub evidence: Box<str>,
}

impl Suppression {
    /// An entry with nothing but a reason and a time.
    pub(super) fn plain(why: SuppressionReason, at: Option<Millis>) -> Self {
        Self { why, at, person: None, evidence: "".into() }
    }
}

impl Directory {
    /// Why an address takes no mail; `None`: it may be mailed. An erasure alone stops no mail.
    #[must_use]
    pub fn suppression_reason(&self, address: u128) -> Option<SuppressionReason> {
        self.suppression_reasons
            .get(&address)
            .map(|entry| entry.why)
            .filter(|why| *why != SuppressionReason::Erased)
    }

    /// The entry of an address.
    #[must_use]
    pub fn suppression(&self, address: u128) -> Option<&Suppression> {
        self.suppression_reasons.get(&address)
    }

    /// The entries after an address, in the order of the hashes; from the first for `None`.
    pub fn suppressions(&self, after: Option<u128>) -> impl Iterator<Item = (u128, &Suppression)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.suppression_reasons.range((from, Unbounded)).map(|(address, entry)| (*address, entry))
    }

    /// The reason of every entry.
    pub fn suppression_reasons(&self) -> impl Iterator<Item = SuppressionReason> + '_ {
        self.suppression_reasons.values().map(|entry| entry.why)
    }

    /// The address of an entry, if the entry's person still has it; `hash` is the keyed hash function.
    #[must_use]
    pub fn suppressed_email(
        &self,
        address: u128,
        entry: &Suppression,
        hash: impl Fn(&Email) -> u128,
    ) -> Option<&Email> {
        let (_, person) = self.person(entry.person?)?;
        person.email.as_ref().filter(|email| hash(email) == address)
    }

    /// Decides to put an address on the list; `None` if it is there for a reason that is as strong.
    pub(super) fn decide_suppress(
        &self,
        person: Option<PersonId>,
        address: u128,
        why: SuppressionReason,
        evidence: &str,
    ) -> Option<DirectoryEvent> {
        let weaker = self.suppression_reasons.get(&address).is_none_or(|entry| entry.why.rank() < why.rank());
        let mut evidence = evidence.to_owned();
        evidence.truncate(evidence.floor_char_boundary(EVIDENCE_BYTES_MAX));
        weaker.then_some(DirectoryEvent::Suppressed { address, why, person, evidence })
    }

    /// Decides that an address may be mailed again, whoever put it on the list.
    pub(super) fn decide_release(&self, email: &Email, address: u128) -> Vec<DirectoryEvent> {
        let mut events = Vec::new();
        if self.suppression_reasons.contains_key(&address) {
            events.push(DirectoryEvent::Released { address });
        }
        if let Some((person, _)) =
            self.by_email(email).and_then(|id| self.person(id)).filter(|(_, entry)| entry.unsubscribed)
        {
            events.push(DirectoryEvent::Unsubscribed { person, address: Some(address), on: false });
        }
        events
    }
}
