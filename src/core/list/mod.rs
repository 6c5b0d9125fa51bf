//! The machine of one list: its members in join order, the restocks it counted, and its invitations to
//! campaigns.
//!
//! ```text
//! rows      [ordinal 1 | 2 | 3 | … | next-1]   append only; an ordinal is never reused
//!              joined / left; a re-join is a new row at the end, the old one becomes a hole
//! invite    campaign c: its audience is every member up to `upto`; all up to `invited` have been handed
//!              over; `moved` = those of the audience who left (or left and came back further down)
//! signals   restock deliveries that were counted, with the campaign each led to (7 days)
//! ```
//!
//! Invariants: ordinals rise along the rows; a person has at most one row that is not a hole; an invitation
//! covers a prefix of the audience in join order; a change that comes from an older event of the directory
//! than the row's last one is ignored, so events may be sent again.

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

/// The way by which a membership changed; part of the evidence of consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSource {
    /// An entry in the bag of an event.
    Event,
    /// The subscribe or unsubscribe call of the API.
    Api,
    /// `PUT /v1/contacts`.
    Contact,
    /// A link in a mail, by one click or through the page it opens.
    Link,
    /// The preference page.
    Page,
    /// Two people were merged.
    Merge,
    /// The person was erased.
    Erasure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipStatus {
    /// The person is on the list.
    Joined,
    /// The person was on the list, or opted out of a list that everybody is on.
    Left,
    /// The row is a hole: the person has a newer row, or is erased.
    Gone,
}

/// One place in line on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub person: PersonId,
    /// The place: rises with each join, from 1, and is never reused.
    pub ordinal: u32,
    pub status: MembershipStatus,
    /// The way by which the membership last changed.
    pub source: ChangeSource,
    /// The number of the directory's event that last changed it.
    pub event: u64,
    /// When the person took the place; the sender's time if the event named one.
    pub joined: Millis,
    /// When the status last changed.
    pub changed: Millis,
}

/// How long the row of a person who left is kept: 400 days.
const REMEMBER_MS: u64 = 400 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

impl Membership {
    /// Whether the person left at `upto` or before.
    fn is_forgotten(&self, upto: Millis) -> bool {
        self.status == MembershipStatus::Left && self.changed <= upto
    }
}

/// A campaign's claim on the members of this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    pub campaign: CampaignId,
    /// The audience is every member up to this ordinal.
    pub upto: u32,
    /// Every member up to this ordinal has been handed over.
    pub invited: u32,
    /// The campaign is done; a restock of the same day may open it again.
    pub closed: bool,
    /// The day of a rule campaign; `None`: a campaign made by hand.
    pub day: Option<Day>,
    /// Places of the audience whose person left before being handed over, in no order.
    pub moved: Vec<(u32, PersonId)>,
}

/// A restock that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    pub at: Millis,
    /// The campaign it led to; `None` if nobody was waiting.
    pub campaign: Option<CampaignId>,
}

/// What has happened to a list: the content of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEvent {
    /// A person took the next place.
    Joined {
        /// The number of the directory's event.
        event: u64,
        person: PersonId,
        /// The place that the person took.
        ordinal: u32,
        /// When, by the sender's clock if it named a time.
        changed: Millis,
        source: ChangeSource,
    },
    /// A person left, or opted out of a list that everybody is on.
    Left {
        /// The number of the directory's event.
        event: u64,
        person: PersonId,
        /// When, by the sender's clock if it named a time.
        changed: Millis,
        /// For an erasure the row becomes a hole.
        source: ChangeSource,
    },
    /// Two people were merged; the earlier of their places stays.
    Moved {
        /// The number of the directory's event.
        event: u64,
        /// The person who was merged away.
        from: PersonId,
        /// The person who remains.
        to: PersonId,
    },
    /// The product has a new name.
    Named {
        /// The newest of the directory's events that the list has taken in, this one included.
        event: u64,
        /// The new name.
        product: String,
    },
    /// A restock was counted.
    Restocked {
        /// The newest of the directory's events that the list has taken in, this one included.
        event: u64,
        /// The delivery id, hashed with source and SKU.
        key: u128,
        /// Units in stock, if the restock named them.
        stock: Option<i64>,
        /// The day for which it counts.
        day: Day,
        /// The campaign it leads to; `None` if nobody is waiting.
        campaign: Option<CampaignId>,
        /// The last ordinal of the audience.
        upto: u32,
        /// How many people it adds to the campaign's audience.
        added: u32,
        /// What the restock says of the product beyond its name; `None`: nothing.
        details: Option<ProductDetails>,
    },
    /// The stock was reported without a restock.
    Stock {
        /// The newest of the directory's events that the list has taken in, this one included.
        event: u64,
        /// Units in stock.
        quantity: i64,
    },
    /// A campaign made by hand claims its audience.
    Begun {
        campaign: CampaignId,
        /// The last ordinal of the audience.
        upto: u32,
        /// The size of the audience.
        added: u32,
    },
    /// A stretch of the audience was handed over to the campaign.
    Invited {
        campaign: CampaignId,
        /// The first ordinal of the stretch.
        from: u32,
        /// The last ordinal of the stretch.
        to: u32,
    },
    /// A campaign needs this list no more.
    Closed { campaign: CampaignId },
    /// The rows of people who left long ago are dropped.
    Forgotten {
        /// Rows that last changed at this time or before.
        upto: Millis,
    },
}

impl ListEvent {
    /// The newest of the directory's events that the list has taken in when it writes this record.
    fn heard(&self) -> Option<u64> {
        match self {
            Self::Named { event, .. } | Self::Restocked { event, .. } | Self::Stock { event, .. } => {
                Some(*event)
            }
            _ => self.answers(),
        }
    }

    /// The directory's event to which this record is the list's answer.
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
    /// How many records the list has written.
    pub(super) seq: u64,
    /// The newest of the directory's events that the list has taken in; it has taken in all before it, too.
    pub(super) event: u64,
    pub(super) product: Option<String>,
    /// What the last restock said of the product; kept until the campaign it led to is done.
    pub(super) details: Option<Box<ProductDetails>>,
    pub(super) stock: Option<i64>,
    pub(super) last_ordinal: u32,
    pub(super) rows: Pages<Membership>,
    pub(super) joined: u32,
    pub(super) left: u32,
    pub(super) invites: Vec<Invite>,
    pub(super) signals: BTreeMap<u128, Signal>,
    /// From person to row position. Derived; only a long list has it.
    pub(super) places: Option<BTreeMap<PersonId, u32>>,
}

impl List {
    /// How many records the list has written.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The product's name, as last given.
    #[must_use]
    pub fn product(&self) -> Option<&str> {
        self.product.as_deref()
    }

    /// What the last restock said of the product, while the campaign it led to is running.
    #[must_use]
    pub fn details(&self) -> Option<&ProductDetails> {
        self.details.as_deref()
    }

    /// Units in stock, as last reported.
    #[must_use]
    pub fn stock(&self) -> Option<i64> {
        self.stock
    }

    /// How many members it has.
    #[must_use]
    pub fn joined(&self) -> u32 {
        self.joined
    }

    /// How many people left and are still remembered.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left
    }

    /// The campaigns that have a claim on it and are not done.
    pub(crate) fn running(&self) -> impl Iterator<Item = CampaignId> {
        self.invites.iter().filter(|invite| !invite.closed).map(|invite| invite.campaign)
    }

    /// A person's row; never a hole.
    #[must_use]
    pub fn row(&self, person: PersonId) -> Option<&Membership> {
        self.place(person).and_then(|at| self.rows.get(at))
    }

    /// Whether a person is on the list; `None` if the list does not know them. The preference page,
    /// broadcasts and the API all ask here.
    #[must_use]
    pub fn subscribed(&self, person: PersonId) -> Option<bool> {
        self.row(person).map(|row| row.status == MembershipStatus::Joined)
    }

    /// A member's place among the members (1-based), and when they took it.
    #[must_use]
    pub fn position(&self, person: PersonId) -> Option<(u64, Millis)> {
        let row = self.row(person).filter(|row| row.status == MembershipStatus::Joined)?;
        let ahead = self.rows.iter().take_while(|other| other.ordinal < row.ordinal);
        let ahead = ahead.filter(|other| other.status == MembershipStatus::Joined).count();
        Some((ahead as u64 + 1, row.joined))
    }

    /// The members after ordinal `after`, in join order.
    pub fn members(&self, after: u32) -> impl Iterator<Item = &Membership> {
        let from = self.rows.partition_point(|row| row.ordinal <= after);
        self.rows.iter_from(from).map(|(_, row)| row).filter(|row| row.status == MembershipStatus::Joined)
    }

    /// Whether the list has taken in the directory's event number `event`, which then must not be sent again
    /// at start. Events come in order, so a list that has recorded one has taken in all before it. The rows
    /// could not tell: a merge or an erasure may have removed what an event changed.
    ///
    /// An event that changed nothing leaves no record. It is sent again at start unless a later one was
    /// recorded, and then changes nothing once more.
    #[must_use]
    pub fn passed(&self, event: u64) -> bool {
        event <= self.event
    }

    /// Whether a restock with this key was counted in the last days.
    #[must_use]
    pub fn has_signal(&self, key: u128) -> bool {
        self.signals.contains_key(&key)
    }

    /// The position of a person's row; never that of a hole.
    fn place(&self, person: PersonId) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&person).map(|at| *at as usize),
            None => {
                self.rows.iter().position(|row| row.person == person && row.status != MembershipStatus::Gone)
            }
        }
    }
}
