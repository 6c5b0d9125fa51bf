//! A list in its parts, and in short: what a page of a snapshot or a list at rest is made of.
//!
//! [`ListState`] is the whole of a list without what can be derived. Whoever gives one back vouches for nothing: counts
//! are compared with the rows, and a state that no list can be in is refused.

use std::collections::BTreeMap;

use super::super::ids::CampaignId;
use super::super::pages::Pages;
use super::super::product_details::ProductDetails;
use super::super::time::Millis;
use super::{DAY_MS, Invite, List, Membership, MembershipStatus, REMEMBER_MS, Signal};

/// What can be told of a list without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSummary {
    /// The list's own counter.
    pub seq: u64,
    /// How many are on it.
    pub joined: u32,
    /// How many left and are remembered.
    pub left: u32,
    /// Units on hand, as last reported.
    pub stock: Option<i64>,
    /// The product's name, as last given.
    pub product: Option<String>,
    /// The campaigns running on it.
    pub running: Vec<CampaignId>,
}

/// The parts of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListState {
    /// The list's own counter.
    pub seq: u64,
    /// The directory's counter of an event: that one and all before it were heard here.
    pub event: u64,
    /// The product's name, as last given.
    pub product: Option<String>,
    /// What the last restock said of the product, until the campaign it led to is done.
    pub details: Option<Box<ProductDetails>>,
    /// Units on hand, as last reported.
    pub stock: Option<i64>,
    /// The last ordinal that was given.
    pub last_ordinal: u32,
    /// How many are on it.
    pub joined: u32,
    /// How many left and are remembered.
    pub left: u32,
    /// Campaigns with a claim on it.
    pub invites: Vec<Invite>,
    /// Restock signals seen, by key.
    pub signals: BTreeMap<u128, Signal>,
    /// The rows, in the order of their ordinals; no holes.
    pub rows: Pages<Membership>,
}

impl List {
    /// A list from its parts.
    ///
    /// # Errors
    /// When the counts are not those of the rows, or a row is a hole: no list is ever in that state.
    pub fn from_state(state: ListState) -> Result<Self, &'static str> {
        let (mut joined, mut left) = (0, 0);
        for row in state.rows.iter() {
            match row.standing {
                MembershipStatus::Joined => joined += 1,
                MembershipStatus::Left => left += 1,
                MembershipStatus::Gone => return Err("a hole was kept"),
            }
        }
        if (joined, left) != (state.joined, state.left) {
            return Err("its counts are not those of its rows");
        }
        if state.details.as_ref().is_some_and(|details| details.is_empty()) {
            return Err("an offer of nothing was kept");
        }
        let ListState { seq, event, product, details, stock, last_ordinal, joined, left, .. } = state;
        let ListState { invites, signals, rows, .. } = state;
        let mut list = Self {
            seq,
            event,
            product,
            details,
            stock,
            last_ordinal,
            rows,
            joined,
            left,
            invites,
            signals,
            places: None,
        };
        if list.rows.len() >= super::apply::INDEX_FROM {
            list.index();
        }
        Ok(list)
    }

    /// What can be told of it without its rows.
    #[must_use]
    pub fn summary(&self) -> ListSummary {
        ListSummary {
            seq: self.seq,
            joined: self.joined,
            left: self.left,
            stock: self.stock,
            product: self.product.clone(),
            running: self.running().collect(),
        }
    }

    /// A copy for a snapshot that shares all pages: no row is copied, the index is left behind.
    #[must_use]
    pub fn image(&self) -> List {
        List {
            seq: self.seq,
            event: self.event,
            product: self.product.clone(),
            details: self.details.clone(),
            stock: self.stock,
            last_ordinal: self.last_ordinal,
            rows: self.rows.clone(),
            joined: self.joined,
            left: self.left,
            invites: self.invites.clone(),
            signals: self.signals.clone(),
            places: None,
        }
    }

    /// Rows in the order of their ordinals, holes left out.
    pub fn kept(&self) -> impl Iterator<Item = &Membership> {
        self.rows.iter().filter(|row| row.standing != MembershipStatus::Gone)
    }

    /// The directory's counter of an event: that one and all before it were heard here.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.event
    }

    /// The last ordinal that was given.
    #[must_use]
    pub fn last_ordinal(&self) -> u32 {
        self.last_ordinal
    }

    /// Campaigns with a claim on it.
    #[must_use]
    pub fn invites(&self) -> &[Invite] {
        &self.invites
    }

    /// Restock signals seen, by key.
    pub fn signals(&self) -> impl ExactSizeIterator<Item = (u128, &Signal)> {
        self.signals.iter().map(|(key, signal)| (*key, signal))
    }

    /// The day, counted from 1970, of the first leave that is remembered.
    #[must_use]
    pub fn left_since(&self) -> Option<u64> {
        let left = self.rows.iter().filter(|row| row.standing == MembershipStatus::Left);
        left.map(|row| row.changed.0 / DAY_MS).min()
    }
}

/// True when it is time to forget somebody who left on a day, as [`List::left_since`] counts it: all of that day is over,
/// so a look at the list is never in vain.
#[must_use]
pub fn forgets(left_since: Option<u64>, at: Millis) -> bool {
    left_since.is_some_and(|day| at.0.saturating_sub(REMEMBER_MS) >= (day + 1) * DAY_MS)
}
