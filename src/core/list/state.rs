//! A list as its parts, for snapshots and packed lists, and its summary.
//!
//! [`ListState`] holds a list without what can be derived. [`List::from_state`] trusts no one: it compares
//! the counts with the rows and refuses a state that no list can be in.

use std::collections::BTreeMap;

use super::super::ids::CampaignId;
use super::super::pages::Pages;
use super::super::product_details::ProductDetails;
use super::super::time::Millis;
use super::{DAY_MS, Invite, List, Membership, MembershipStatus, REMEMBER_MS, Signal};

/// What can be said of a list without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSummary {
    /// How many records it has written.
    pub seq: u64,
    /// How many members it has.
    pub joined: u32,
    /// How many people left and are still remembered.
    pub left: u32,
    /// Units in stock, as last reported.
    pub stock: Option<i64>,
    /// The product's name, as last given.
    pub product: Option<String>,
    /// The campaigns that have a claim on it and are not done.
    pub running: Vec<CampaignId>,
}

/// The parts of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListState {
    /// How many records it has written.
    pub seq: u64,
    /// The newest of the directory's events that it has taken in, with all before it.
    pub event: u64,
    /// The product's name, as last given.
    pub product: Option<String>,
    /// What the last restock said of the product; kept until the campaign it led to is done.
    pub details: Option<Box<ProductDetails>>,
    /// Units in stock, as last reported.
    pub stock: Option<i64>,
    /// The last ordinal that was given to anybody.
    pub last_ordinal: u32,
    /// How many members it has.
    pub joined: u32,
    /// How many people left and are still remembered.
    pub left: u32,
    /// The campaigns' claims on it.
    pub invites: Vec<Invite>,
    /// The restocks that were counted, by key.
    pub signals: BTreeMap<u128, Signal>,
    /// The rows by rising ordinal, without holes.
    pub rows: Pages<Membership>,
}

impl List {
    /// Makes a list of its parts.
    ///
    /// # Errors
    /// If the counts differ from the rows, a row is a hole, or the product details are present but empty.
    pub fn from_state(state: ListState) -> Result<Self, &'static str> {
        let (mut joined, mut left) = (0, 0);
        for row in state.rows.iter() {
            match row.status {
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

    /// Its summary.
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

    /// A copy for a snapshot. It shares all pages and leaves the index behind.
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

    /// The rows by rising ordinal, without holes.
    pub fn kept(&self) -> impl Iterator<Item = &Membership> {
        self.rows.iter().filter(|row| row.status != MembershipStatus::Gone)
    }

    /// The newest of the directory's events that it has taken in, with all before it.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.event
    }

    /// The last ordinal that was given to anybody.
    #[must_use]
    pub fn last_ordinal(&self) -> u32 {
        self.last_ordinal
    }

    /// The campaigns' claims on it.
    #[must_use]
    pub fn invites(&self) -> &[Invite] {
        &self.invites
    }

    /// The restocks that were counted, by key.
    pub fn signals(&self) -> impl ExactSizeIterator<Item = (u128, &Signal)> {
        self.signals.iter().map(|(key, signal)| (*key, signal))
    }

    /// The day on which the first of the remembered people left, in days since 1970 (UTC).
    #[must_use]
    pub fn left_since(&self) -> Option<u64> {
        let left = self.rows.iter().filter(|row| row.status == MembershipStatus::Left);
        left.map(|row| row.changed.0 / DAY_MS).min()
    }
}

/// Whether it is time to forget the people who left on a day, as [`List::left_since`] counts it. True only
/// when that whole day is past, so that every attempt finds somebody to forget.
#[must_use]
pub fn forgets(left_since: Option<u64>, at: Millis) -> bool {
    left_since.is_some_and(|day| at.0.saturating_sub(REMEMBER_MS) >= (day + 1) * DAY_MS)
}
