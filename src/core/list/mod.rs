//! The machine of one list: who is on it in join order, which restocks it saw, who was invited.
//!
//! ```text
//! rows      [ordinal 1 | 2 | 3 | … | next-1]   append only; a place is never reused
//!              joined / left; a re-join is a new row at the end, the old one becomes a hole
//! invite    campaign c: everybody up to `upto` who is here; all up to `invited` have been handed
//!              over; `moved` = those of the audience who left (or left and came back further down)
//! signals   restock deliveries seen, with the campaign each led to (7 days)
//! ```
//!
//! Invariants: ordinals rise along the rows; a person has at most one row that counts; an
//! invitation covers a prefix of the audience in join order; a change that names an older event
//! of the directory than the row has seen is ignored, so events may be sent again.

mod apply;
mod audience;
mod decide;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use audience::{Invitation, Invitee};
pub use decide::{ListCommand, ListDecision};
pub use state::{ListState, ListSummary, forgets};

use super::ids::{CampaignId, PersonId};
use super::pages::Pages;
use super::product_details::ProductDetails;
use super::time::{Day, Millis};

/// How a membership changed: the evidence of consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSource {
    /// The bag of an event.
    Event,
    /// The subscribe or unsubscribe call.
    Api,
    /// `PUT /v1/contacts`.
    Contact,
    /// A link in a mail (one click or the page it opens).
    Link,
    /// The preference page.
    Page,
    /// Two contacts became one.
    Merge,
    /// Erasure.
    Erasure,
}

/// Whether a row's person is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipStatus {
    /// On it.
    Joined,
    /// Was on it, or said no to a list that everybody is on.
    Left,
    /// A hole: the person has a newer row, or is erased.
    Gone,
}

/// One place in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Whose place it is.
    pub person: PersonId,
    /// The place: rises with each join, never reused.
    pub ordinal: u32,
    /// Whether it counts.
    pub standing: MembershipStatus,
    /// How it last changed.
    pub how: ChangeSource,
    /// The directory's counter of the event that last changed it.
    pub event: u64,
    /// When the person took the place.
    pub joined: Millis,
    /// When it last changed.
    pub changed: Millis,
}

/// Rows of those who left are kept this long: 400 days.
const REMEMBER_MS: u64 = 400 * DAY_MS;
/// A day.
const DAY_MS: u64 = 86_400_000;

impl Membership {
    /// True when all is forgotten of those who left up to then.
    fn is_forgotten(&self, upto: Millis) -> bool {
        self.standing == MembershipStatus::Left && self.changed <= upto
    }
}

/// A campaign's claim on this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The campaign.
    pub campaign: CampaignId,
    /// The audience is everybody up to this ordinal.
    pub upto: u32,
    /// Everybody up to this ordinal has been handed over.
    pub invited: u32,
    /// The campaign is done (a restock of the same day may open it again).
    pub closed: bool,
    /// The day of a rule campaign.
    pub day: Option<Day>,
    /// Places of the audience that were given up meanwhile, in no order.
    pub moved: Vec<(u32, PersonId)>,
}

/// A restock signal that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// When.
    pub at: Millis,
    /// The campaign it led to, if anybody waited.
    pub campaign: Option<CampaignId>,
}

/// All that can have happened to a list: its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEvent {
    /// Somebody took the next place.
    Joined {
        /// The directory's event.
        event: u64,
        /// Who.
        person: PersonId,
        /// The place.
        ordinal: u32,
        /// When, by the sender's clock if it said so.
        changed: Millis,
        /// How.
        how: ChangeSource,
    },
    /// Somebody left, or said no in advance.
    Left {
        /// The directory's event.
        event: u64,
        /// Who.
        person: PersonId,
        /// When.
        changed: Millis,
        /// How; by erasure the row is forgotten.
        how: ChangeSource,
    },
    /// Two people became one: the earlier place stays.
    Moved {
        /// The directory's event.
        event: u64,
        /// Who is no more.
        from: PersonId,
        /// Who remains.
        to: PersonId,
    },
    /// The product has a new name.
    Named {
        /// All of the directory's events up to this one were heard here before, or with it.
        event: u64,
        /// The name.
        product: String,
    },
    /// A restock signal was counted.
    Restocked {
        /// All of the directory's events up to this one were heard here before, or with it.
        event: u64,
        /// Its delivery id, hashed with source and SKU.
        key: u128,
        /// Units, if said.
        stock: Option<i64>,
        /// The day it counts for.
        day: Day,
        /// The campaign it leads to, if anybody waits.
        campaign: Option<CampaignId>,
        /// The last ordinal of the audience.
        upto: u32,
        /// How many that adds to the campaign.
        added: u32,
        /// What it said of the product beyond its name, if anything.
        details: Option<ProductDetails>,
    },
    /// The stock is known to be this.
    Stock {
        /// All of the directory's events up to this one were heard here before, or with it.
        event: u64,
        /// Units.
        quantity: i64,
    },
    /// A campaign made by hand starts on this list.
    Begun {
        /// The campaign.
        campaign: CampaignId,
        /// The last ordinal of the audience.
        upto: u32,
        /// How many that is.
        added: u32,
    },
    /// A stretch of the audience was handed to the campaign.
    Invited {
        /// The campaign.
        campaign: CampaignId,
        /// The first ordinal of the stretch.
        from: u32,
        /// The last ordinal of the stretch.
        to: u32,
    },
    /// A campaign is done with this list.
    Closed {
        /// The campaign.
        campaign: CampaignId,
    },
    /// Those who left long ago are forgotten.
    Forgotten {
        /// Whose row last changed then or before.
        upto: Millis,
    },
}

impl ListEvent {
    /// The directory's event up to which the list has heard everything when it writes this.
    fn heard(&self) -> Option<u64> {
        match self {
            Self::Named { event, .. } | Self::Restocked { event, .. } | Self::Stock { event, .. } => {
                Some(*event)
            }
            _ => self.answers(),
        }
    }

    /// The directory's event that the list answers with this.
    #[must_use]
    pub fn answers(&self) -> Option<u64> {
        match self {
            Self::Joined { event, .. } | Self::Left { event, .. } | Self::Moved { event, .. } => Some(*event),
            _ => None,
        }
    }
}

/// The state of one list.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// The list's own counter: how many records it has written.
    pub(super) seq: u64,
    /// The directory's counter of an event: that one and all before it were heard here.
    pub(super) event: u64,
    pub(super) product: Option<String>,
    /// What the last restock said of the product, until the campaign it led to is done.
    pub(super) details: Option<Box<ProductDetails>>,
    pub(super) stock: Option<i64>,
    pub(super) last_ordinal: u32,
    pub(super) rows: Pages<Membership>,
    pub(super) joined: u32,
    pub(super) left: u32,
    pub(super) invites: Vec<Invite>,
    pub(super) signals: BTreeMap<u128, Signal>,
    /// Person to row position; derived, made once a list is long.
    pub(super) places: Option<BTreeMap<PersonId, u32>>,
}

impl List {
    /// The counter of its last record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The product's name, as last given.
    #[must_use]
    pub fn product(&self) -> Option<&str> {
        self.product.as_deref()
    }

    /// What the last restock said of the product, while the campaign it led to runs.
    #[must_use]
    pub fn details(&self) -> Option<&ProductDetails> {
        self.details.as_deref()
    }

    /// Units on hand, as last reported.
    #[must_use]
    pub fn stock(&self) -> Option<i64> {
        self.stock
    }

    /// How many are on it.
    #[must_use]
    pub fn joined(&self) -> u32 {
        self.joined
    }

    /// How many left and are remembered.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left
    }

    /// The campaigns that run on it.
    pub(crate) fn running(&self) -> impl Iterator<Item = CampaignId> {
        self.invites.iter().filter(|invite| !invite.closed).map(|invite| invite.campaign)
    }

    /// The row that counts for a person, if any.
    #[must_use]
    pub fn row(&self, person: PersonId) -> Option<&Membership> {
        self.place(person).and_then(|at| self.rows.get(at))
    }

    /// Whether a person is on the list; `None` where the list never heard of them. Preference
    /// page, broadcast and wire all answer from here.
    #[must_use]
    pub fn subscribed(&self, person: PersonId) -> Option<bool> {
        self.row(person).map(|row| row.standing == MembershipStatus::Joined)
    }

    /// A member's place in line (1-based) and when it was taken.
    #[must_use]
    pub fn position(&self, person: PersonId) -> Option<(u64, Millis)> {
        let row = self.row(person).filter(|row| row.standing == MembershipStatus::Joined)?;
        let ahead = self.rows.iter().take_while(|other| other.ordinal < row.ordinal);
        let ahead = ahead.filter(|other| other.standing == MembershipStatus::Joined).count();
        Some((ahead as u64 + 1, row.joined))
    }

    /// Members in join order after place `after`: ordinal, person, when joined.
    pub fn members(&self, after: u32) -> impl Iterator<Item = &Membership> {
        let from = self.rows.partition_point(|row| row.ordinal <= after);
        self.rows.iter_from(from).map(|(_, row)| row).filter(|row| row.standing == MembershipStatus::Joined)
    }

    /// True when `event` of the directory is in the state: then it must not be sent again at start. Events come in
    /// order, so all before the newest recorded here were heard; what they changed may be gone since (a merge, an
    /// erasure), so rows cannot tell. A restock by webhook comes between two events and says which.
    ///
    /// An event that changed nothing leaves no record, and is sent again at start unless something was recorded behind
    /// it. Then the list is as it left it, and it changes nothing once more.
    #[must_use]
    pub fn passed(&self, event: u64) -> bool {
        event <= self.event
    }

    /// True when the restock signal was counted.
    #[must_use]
    pub fn has_signal(&self, key: u128) -> bool {
        self.signals.contains_key(&key)
    }

    /// Where a person's row that counts stands.
    fn place(&self, person: PersonId) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&person).map(|at| *at as usize),
            None => self
                .rows
                .iter()
                .position(|row| row.person == person && row.standing != MembershipStatus::Gone),
        }
    }
}
