//! A passivated list, packed: a few bytes a member, and a head that can be read alone.
//!
//! ```text
//! [ seq | event | counts | left since | stock | product | details | last ordinal | base times | invites | signals | rows ]
//! row: person, ordinal - last ordinal, status, how, event - base, joined - base, changed - joined
//! ```
//!
//! A page of lists ([`Kind::PageLists`]) holds the same bytes, so their layout has that kind's version. The
//! head counts members and people who left; bytes whose rows give other counts are refused. Times and event
//! numbers are differences to a base and written as variable-length integers, which makes a row about a dozen
//! bytes long.
//!
//! [`Kind::PageLists`]: crate::Kind::PageLists

use restockd_core::list::{
    ChangeSource, Invite, List, ListState, ListSummary, Membership, MembershipStatus, Signal, forgets,
};
use restockd_core::{CampaignId, Day, Millis, PersonId};
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::codec::{self, CodecError};
use crate::error::RecordError;
use crate::kind::Kind;
use crate::shared::{Few, ProductDetailsV2, owned};

/// A packed list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedList(Box<[u8]>);

/// The part before the rows.
#[derive(Serialize, Deserialize)]
struct HeadV2<'a> {
    seq: u64,
    event: u64,
    joined: u32,
    left: u32,
    /// The day on which the first of the remembered people left, in days since 1970.
    left_since: Option<u64>,
    stock: Option<i64>,
    product: Option<&'a str>,
    #[serde(borrow)]
    details: Option<ProductDetailsV2<'a>>,
    last_ordinal: u32,
    base_event: u64,
    base_joined: u64,
    invites: Few<InviteV2>,
    /// Key, time, and the campaign it led to.
    signals: Vec<(u128, u64, Option<u128>)>,
    rows: u32,
}

#[derive(Serialize, Deserialize)]
struct InviteV2 {
    campaign: u128,
    upto: u32,
    invited: u32,
    closed: bool,
    day: Option<i32>,
    /// Ordinal and person.
    moved: Vec<(u32, u32)>,
}

/// Person, step of the ordinal, status, source, and the event number and the two times as differences.
#[derive(Serialize, Deserialize)]
struct RowV2(u32, u32, Code<MembershipStatus>, Code<ChangeSource>, u64, u64, i64);

impl PackedList {
    /// Packs a list, without its holes.
    #[must_use]
    pub fn of(list: &List) -> Self {
        let base_event = list.kept().map(|row| row.event).min().unwrap_or(0);
        let base_joined = list.kept().map(|row| row.joined.0).min().unwrap_or(0);
        let rows = list.joined() + list.left();
        let head = HeadV2 {
            seq: list.seq(),
            event: list.heard(),
            joined: list.joined(),
            left: list.left(),
            left_since: list.left_since(),
            stock: list.stock(),
            product: list.product(),
            details: list.details().and_then(ProductDetailsV2::of),
            last_ordinal: list.last_ordinal(),
            base_event,
            base_joined,
            invites: list.invites().iter().map(InviteV2::from).collect(),
            signals: list
                .signals()
                .map(|(key, signal)| (key, signal.at.0, signal.campaign.map(|id| id.0)))
                .collect(),
            rows,
        };
        let mut bytes = Vec::with_capacity(64 + rows as usize * 16);
        codec::encode_into(&head, &mut bytes);
        let mut ordinal = 0;
        for row in list.kept() {
            let changed = row.changed.0.wrapping_sub(row.joined.0) as i64;
            let (event, joined) = (row.event - base_event, row.joined.0 - base_joined);
            let (step, status, source) = (row.ordinal - ordinal, Code(row.status), Code(row.source));
            ordinal = row.ordinal;
            codec::encode_into(
                &RowV2(row.person.0, step, status, source, event, joined, changed),
                &mut bytes,
            );
        }
        // Copied, since an allocator may leave bytes that only shrink in the larger room they had.
        Self(bytes.as_slice().into())
    }

    /// The bytes, for a page.
    #[must_use]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes bytes from a page of the version that this build writes. They are checked when they are
    /// unpacked.
    #[must_use]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The list's summary, read from the head alone.
    ///
    /// # Errors
    /// If the head does not decode.
    pub fn summary(&self) -> Result<ListSummary, RecordError> {
        let (head, _) = self.head().map_err(malformed)?;
        let running = head.invites.iter().filter(|invite| !invite.closed);
        Ok(ListSummary {
            seq: head.seq,
            joined: head.joined,
            left: head.left,
            stock: head.stock,
            running: running.map(|invite| CampaignId(invite.campaign)).collect(),
            product: owned(head.product),
        })
    }

    /// Whether it is time to forget people who left; the head alone tells.
    #[must_use]
    pub fn forgets(&self, at: Millis) -> bool {
        forgets(self.head().ok().and_then(|(head, _)| head.left_since), at)
    }

    /// Unpacks the list.
    ///
    /// # Errors
    /// If the bytes do not decode, or give a state that no list can be in.
    pub fn unpack(&self) -> Result<List, RecordError> {
        self.read().map_err(malformed)
    }

    fn head(&self) -> Result<(HeadV2<'_>, &[u8]), CodecError> {
        codec::decode_borrowed_prefix(&self.0)
    }

    fn read(&self) -> Result<List, CodecError> {
        let (head, mut rest) = self.head()?;
        let mut ordinal = 0_u32;
        let mut rows = Vec::new();
        for _ in 0..head.rows {
            let (row, after) = codec::decode_borrowed_prefix::<RowV2>(rest)?;
            rest = after;
            let RowV2(person, step, status, source, event, joined, changed) = row;
            ordinal = ordinal.checked_add(step).ok_or_else(|| odd("an ordinal is too large"))?;
            let joined = head.base_joined.wrapping_add(joined);
            rows.push(Membership {
                person: PersonId(person),
                ordinal,
                status: status.0,
                source: source.0,
                event: head.base_event.wrapping_add(event),
                joined: Millis(joined),
                changed: Millis(joined.wrapping_add_signed(changed)),
            });
        }
        if !rest.is_empty() {
            return Err(CodecError::Trailing(rest.len()));
        }
        let left_since = head.left_since;
        let signals = head
            .signals
            .into_iter()
            .map(|(key, at, campaign)| (key, Signal { at: Millis(at), campaign: campaign.map(CampaignId) }));
        let list = List::from_state(ListState {
            seq: head.seq,
            event: head.event,
            product: owned(head.product),
            details: head.details.map(|details| Box::new(details.details())),
            stock: head.stock,
            last_ordinal: head.last_ordinal,
            joined: head.joined,
            left: head.left,
            invites: head.invites.into_iter().map(Invite::from).collect(),
            signals: signals.collect(),
            rows: rows.into_iter().collect(),
        })
        .map_err(odd)?;
        if list.left_since() != left_since {
            return Err(odd("its first leave is not that of its rows"));
        }
        Ok(list)
    }
}

impl From<&Invite> for InviteV2 {
    fn from(invite: &Invite) -> Self {
        Self {
            campaign: invite.campaign.0,
            upto: invite.upto,
            invited: invite.invited,
            closed: invite.closed,
            day: invite.day.map(|day| day.0),
            moved: invite.moved.iter().map(|(ordinal, person)| (*ordinal, person.0)).collect(),
        }
    }
}

impl From<InviteV2> for Invite {
    fn from(body: InviteV2) -> Self {
        Self {
            campaign: CampaignId(body.campaign),
            upto: body.upto,
            invited: body.invited,
            closed: body.closed,
            day: body.day.map(Day),
            moved: body.moved.into_iter().map(|(ordinal, person)| (ordinal, PersonId(person))).collect(),
        }
    }
}

/// The error for bytes that decode into something that is no packed list.
fn odd(why: &str) -> CodecError {
    CodecError::Malformed(why.to_owned())
}

fn malformed(source: CodecError) -> RecordError {
    RecordError::Malformed { what: Kind::PageLists.name(), source }
}
