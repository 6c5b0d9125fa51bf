//! The suppression list: addresses that take no mail, by their keyed hash.
//!
//! ```text
//! address hash ──▶ why · since when · whose it was then · how it is known
//! ```
//!
//! No address stands here, so nothing has to be erased with a person; whoever wants to show one
//! takes it from the contact named, if that contact still has it. A weaker word never replaces a
//! stronger one: who complained stays on the list when they also unsubscribe, and only a hand
//! takes them off. *Erased* is the weakest: it holds back imports and old events, and a new word
//! of the person's own lifts it.

use super::super::email::Email;
use super::super::ids::PersonId;
use super::super::time::Millis;
use super::{Directory, DirectoryEvent};

/// The longest text of how a suppression is known, in bytes.
pub const EVIDENCE_BYTES_MAX: usize = 200;

/// Why an address takes no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuppressionReason {
    /// The person wants no mail at all.
    Unsubscribed,
    /// The address does not exist.
    Bounced,
    /// The person complained.
    Complained,
    /// By the shop's hand.
    Manual,
    /// Its person was erased: not imported again, but free to ask anew.
    Erased,
}

impl SuppressionReason {
    /// Every reason, the weakest first.
    pub(crate) const ALL: [Self; 5] =
        [Self::Erased, Self::Unsubscribed, Self::Bounced, Self::Manual, Self::Complained];

    /// The reason's name on the wire.
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

    /// Reads a reason that may be given from outside; `erased` is what an erasure writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .filter(|suppression_reason| *suppression_reason != Self::Erased)
            .find(|suppression_reason| suppression_reason.as_str() == text)
    }

    /// How strong the reason is.
    fn rank(self) -> usize {
        Self::ALL.iter().position(|suppression_reason| *suppression_reason == self).unwrap_or_default()
    }
}

/// An address on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Why.
    pub why: SuppressionReason,
    /// Since when; a snapshot of an older version did not keep it.
    pub at: Option<Millis>,
    /// Whose address it was then.
    pub person: Option<PersonId>,
    /// How it is known, in words without an address; empty where nothing more is.
    pub evidence: Box<str>,
}

impl Suppression {
    /// A bare reason.
    pub(super) fn plain(why: SuppressionReason, at: Option<Millis>) -> Self {
        Self { why, at, person: None, evidence: "".into() }
    }
}

impl Directory {
    /// Why an address takes no mail, by its hash; an erasure alone stops no mail.
    #[must_use]
    pub fn suppression_reason(&self, address: u128) -> Option<SuppressionReason> {
        self.suppression_reasons
            .get(&address)
            .map(|held| held.why)
            .filter(|why| *why != SuppressionReason::Erased)
    }

    /// The entry of an address, by its hash.
    #[must_use]
    pub fn suppression(&self, address: u128) -> Option<&Suppression> {
        self.suppression_reasons.get(&address)
    }

    /// Entries after an address, in the order of the hashes.
    pub fn suppressions(&self, after: Option<u128>) -> impl Iterator<Item = (u128, &Suppression)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.suppression_reasons.range((from, Unbounded)).map(|(address, held)| (*address, held))
    }

    /// Why addresses take no mail, one entry an address.
    pub fn suppression_reasons(&self) -> impl Iterator<Item = SuppressionReason> + '_ {
        self.suppression_reasons.values().map(|held| held.why)
    }

    /// The person whose address an entry is, if they still have it: `hash` hashes an address.
    #[must_use]
    pub fn suppressed_email(
        &self,
        address: u128,
        held: &Suppression,
        hash: impl Fn(&Email) -> u128,
    ) -> Option<&Email> {
        let (_, person) = self.person(held.person?)?;
        person.email.as_ref().filter(|email| hash(email) == address)
    }

    /// Decides that an address takes no mail; nothing where it takes none for as good a reason.
    pub(super) fn decide_suppress(
        &self,
        person: Option<PersonId>,
        address: u128,
        why: SuppressionReason,
        evidence: &str,
    ) -> Option<DirectoryEvent> {
        let weaker = self.suppression_reasons.get(&address).is_none_or(|held| held.why.rank() < why.rank());
        let mut evidence = evidence.to_owned();
        evidence.truncate(evidence.floor_char_boundary(EVIDENCE_BYTES_MAX));
        weaker.then_some(DirectoryEvent::Suppressed { address, why, person, evidence })
    }

    /// Decides that an address may be mailed again, whoever said that it may not.
    pub(super) fn decide_release(&self, email: &Email, address: u128) -> Vec<DirectoryEvent> {
        let mut events = Vec::new();
        if self.suppression_reasons.contains_key(&address) {
            events.push(DirectoryEvent::Released { address });
        }
        if let Some((person, _)) =
            self.by_email(email).and_then(|id| self.person(id)).filter(|(_, held)| held.unsubscribed)
        {
            events.push(DirectoryEvent::Unsubscribed { person, address: Some(address), on: false });
        }
        events
    }
}
