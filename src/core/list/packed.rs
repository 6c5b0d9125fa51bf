//! A list at rest: a few bytes a member, and what the door needs to know without waking it.
//!
//! ```text
//! [seq | event | counts | left since | stock | product | last ordinal | base times | invites | signals | rows | offer, if any]
//! row: person, ordinal - last ordinal, standing and how, event - base, joined - base, changed - joined
//! ```
//!
//! The head counts who is on it and who left, as the rows do: bytes in which the two differ are refused.
//! Bases make the rows small: about a dozen bytes each, by variable-length integers. The same
//! bytes are a list's page in a snapshot.

use serde::{Deserialize, Serialize};

use super::super::ids::{CampaignId, PersonId};
use super::super::offer::Offer;
use super::super::pages::Pages;
use super::super::time::Millis;
use super::{DAY_MS, How, Invite, List, REMEMBER_MS, Row, Signal, Standing};
use crate::codec::{self, CodecError};

/// A list as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedList(Box<[u8]>);

/// What can be told of a list without waking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
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

/// The part before the rows.
#[derive(Serialize, Deserialize)]
struct Head {
    seq: u64,
    event: u64,
    joined: u32,
    left: u32,
    /// The day on which the first of those left who are remembered, counted from 1970.
    left_since: Option<u64>,
    stock: Option<i64>,
    product: Option<String>,
    last_ordinal: u32,
    base_event: u64,
    base_joined: u64,
    invites: Vec<Invite>,
    signals: Vec<(u128, Signal)>,
    rows: u32,
}

/// One row, small.
#[derive(Serialize, Deserialize)]
struct PackedRow(u32, u32, Standing, How, u64, u64, i64);

impl PackedList {
    /// The bytes, for a snapshot.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes bytes from a snapshot; they are checked when they are unpacked.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// What the door needs, without the rows.
    ///
    /// # Errors
    /// When the bytes are not a packed list.
    pub fn summary(&self) -> Result<Summary, CodecError> {
        let (head, _): (Head, _) = codec::decode_prefix(&self.0)?;
        let running = head.invites.iter().filter(|invite| !invite.closed).map(|invite| invite.campaign);
        Ok(Summary {
            seq: head.seq,
            joined: head.joined,
            left: head.left,
            stock: head.stock,
            running: running.collect(),
            product: head.product,
        })
    }

    /// True when it is time to forget somebody who left: that much can be told without the rows.
    #[must_use]
    pub fn forgets(&self, at: Millis) -> bool {
        let head: Result<(Head, _), _> = codec::decode_prefix(&self.0);
        let since = head.ok().and_then(|(head, _)| head.left_since);
        // All of that day is over, so waking it is never in vain.
        since.is_some_and(|day| at.0.saturating_sub(REMEMBER_MS) >= (day + 1) * DAY_MS)
    }

    /// The list, awake again.
    ///
    /// # Errors
    /// When the bytes are not a packed list.
    pub fn unpack(&self) -> Result<List, CodecError> {
        let (head, mut rest): (Head, _) = codec::decode_prefix(&self.0)?;
        let mut rows = Pages::default();
        let mut ordinal = 0_u32;
        let (mut joined_rows, mut left_rows) = (0, 0);
        let mut left_since = None;
        for _ in 0..head.rows {
            let (row, after): (PackedRow, _) = codec::decode_prefix(rest)?;
            rest = after;
            let PackedRow(person, step, standing, how, event, joined, changed) = row;
            ordinal = ordinal.checked_add(step).ok_or_else(|| odd("an ordinal is too large"))?;
            match standing {
                Standing::Joined => joined_rows += 1,
                Standing::Left => left_rows += 1,
                Standing::Gone => return Err(odd("a hole was packed")),
            }
            let joined = head.base_joined.wrapping_add(joined);
            let changed = Millis(joined.wrapping_add_signed(changed));
            if standing == Standing::Left {
                left_since = earliest(left_since, changed);
            }
            rows.push(Row {
                person: PersonId(person),
                ordinal,
                standing,
                how,
                event: head.base_event.wrapping_add(event),
                joined: Millis(joined),
                changed,
            });
        }
        // Younger than the rest: lists packed before it was known end with their rows.
        let mut offer = None;
        if !rest.is_empty() {
            let (said, after): (Offer, _) = codec::decode_prefix(rest)?;
            if said.is_empty() {
                return Err(odd("an offer of nothing was packed"));
            }
            (offer, rest) = (Some(Box::new(said)), after);
        }
        if !rest.is_empty() {
            return Err(CodecError::Trailing(rest.len()));
        }
        if (joined_rows, left_rows) != (head.joined, head.left) {
            return Err(odd("its counts are not those of its rows"));
        }
        if left_since != head.left_since {
            return Err(odd("its first leave is not that of its rows"));
        }
        let mut list = List {
            seq: head.seq,
            event: head.event,
            product: head.product,
            offer,
            stock: head.stock,
            last_ordinal: head.last_ordinal,
            joined: head.joined,
            left: head.left,
            invites: head.invites,
            signals: head.signals.into_iter().collect(),
            rows,
            places: None,
        };
        if list.rows.len() >= super::apply::INDEX_FROM {
            list.index();
        }
        Ok(list)
    }
}

/// The earlier of two days, the second told by a time in it.
fn earliest(day: Option<u64>, at: Millis) -> Option<u64> {
    let other = at.0 / DAY_MS;
    Some(day.map_or(other, |day| day.min(other)))
}

/// Bytes that decode, to something that no list packs itself into.
fn odd(why: &str) -> CodecError {
    CodecError::Malformed(why.to_owned())
}

impl List {
    /// What can be told of it, as when at rest.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            seq: self.seq,
            joined: self.joined,
            left: self.left,
            stock: self.stock,
            product: self.product.clone(),
            running: self.running().collect(),
        }
    }

    /// The list as bytes; holes are left out.
    #[must_use]
    pub fn pack(&self) -> PackedList {
        let kept = || self.rows.iter().filter(|row| row.standing != Standing::Gone);
        let base_event = kept().map(|row| row.event).min().unwrap_or(0);
        let base_joined = kept().map(|row| row.joined.0).min().unwrap_or(0);
        let left = kept().filter(|row| row.standing == Standing::Left);
        let head = Head {
            seq: self.seq,
            event: self.event,
            joined: self.joined,
            left: self.left,
            left_since: left.fold(None, |since, row| earliest(since, row.changed)),
            stock: self.stock,
            product: self.product.clone(),
            last_ordinal: self.last_ordinal,
            base_event,
            base_joined,
            invites: self.invites.clone(),
            signals: self.signals.iter().map(|(key, signal)| (*key, signal.clone())).collect(),
            rows: self.joined + self.left,
        };
        let mut bytes = Vec::with_capacity(64 + kept().count() * 16);
        codec::encode_into(&head, &mut bytes);
        let mut ordinal = 0;
        for row in kept() {
            let changed = row.changed.0.wrapping_sub(row.joined.0) as i64;
            let (event, joined) = (row.event - base_event, row.joined.0 - base_joined);
            let small =
                PackedRow(row.person.0, row.ordinal - ordinal, row.standing, row.how, event, joined, changed);
            ordinal = row.ordinal;
            codec::encode_into(&small, &mut bytes);
        }
        if let Some(offer) = self.offer() {
            codec::encode_into(offer, &mut bytes);
        }
        // Copied: an allocator may leave bytes that only shrink in the larger room they had.
        PackedList::from_bytes(&bytes)
    }

    /// A copy for a snapshot that shares all pages: no row is copied, the index is left behind.
    #[must_use]
    pub fn image(&self) -> List {
        List {
            seq: self.seq,
            event: self.event,
            product: self.product.clone(),
            offer: self.offer.clone(),
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
}
