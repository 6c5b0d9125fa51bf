//! The bodies of the records of lists. Fields mean what they do in [`ListEvent`].

use restockd_core::list::{ChangeSource, ListEvent};
use restockd_core::{CampaignId, Day, Millis, PersonId};
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::codec::{self, CodecError};
use crate::kind::Kind;
use crate::shared::ProductDetailsV2;

#[derive(Serialize, Deserialize)]
struct JoinedV2 {
    event: u64,
    person: u32,
    ordinal: u32,
    changed: u64,
    source: Code<ChangeSource>,
}

#[derive(Serialize, Deserialize)]
struct LeftV2 {
    event: u64,
    person: u32,
    changed: u64,
    source: Code<ChangeSource>,
}

#[derive(Serialize, Deserialize)]
struct MovedV2 {
    event: u64,
    from: u32,
    to: u32,
}

#[derive(Serialize, Deserialize)]
struct NamedV2<'a> {
    event: u64,
    product: &'a str,
}

#[derive(Serialize, Deserialize)]
struct RestockedV2<'a> {
    event: u64,
    key: u128,
    stock: Option<i64>,
    /// Days since 1970 in the shop's time zone.
    day: i32,
    campaign: Option<u128>,
    upto: u32,
    added: u32,
    #[serde(borrow)]
    details: Option<ProductDetailsV2<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StockV2 {
    event: u64,
    quantity: i64,
}

#[derive(Serialize, Deserialize)]
struct BegunV2 {
    campaign: u128,
    upto: u32,
    added: u32,
}

#[derive(Serialize, Deserialize)]
struct InvitedV2 {
    campaign: u128,
    from: u32,
    to: u32,
}

#[derive(Serialize, Deserialize)]
struct ClosedV2 {
    campaign: u128,
}

#[derive(Serialize, Deserialize)]
struct ForgottenV2 {
    upto: u64,
}

/// Appends the body of an event; returns its kind.
pub(crate) fn write(event: &ListEvent, bytes: &mut Vec<u8>) -> Kind {
    match event {
        ListEvent::Joined { event, person, ordinal, changed, source } => {
            let (event, person, ordinal) = (*event, person.0, *ordinal);
            let body = JoinedV2 { event, person, ordinal, changed: changed.0, source: Code(*source) };
            codec::body(Kind::ListJoined, &body, bytes)
        }
        ListEvent::Left { event, person, changed, source } => {
            let body = LeftV2 { event: *event, person: person.0, changed: changed.0, source: Code(*source) };
            codec::body(Kind::ListLeft, &body, bytes)
        }
        ListEvent::Moved { event, from, to } => {
            codec::body(Kind::ListMoved, &MovedV2 { event: *event, from: from.0, to: to.0 }, bytes)
        }
        ListEvent::Named { event, product } => {
            codec::body(Kind::ListNamed, &NamedV2 { event: *event, product }, bytes)
        }
        ListEvent::Restocked { event, key, stock, day, campaign, upto, added, details } => {
            let (event, key, stock, upto, added) = (*event, *key, *stock, *upto, *added);
            let (campaign, details) =
                (campaign.map(|id| id.0), details.as_ref().and_then(ProductDetailsV2::of));
            let body = RestockedV2 { event, key, stock, day: day.0, campaign, upto, added, details };
            codec::body(Kind::ListRestocked, &body, bytes)
        }
        ListEvent::Stock { event, quantity } => {
            codec::body(Kind::ListStock, &StockV2 { event: *event, quantity: *quantity }, bytes)
        }
        ListEvent::Begun { campaign, upto, added } => {
            let body = BegunV2 { campaign: campaign.0, upto: *upto, added: *added };
            codec::body(Kind::ListBegun, &body, bytes)
        }
        ListEvent::Invited { campaign, from, to } => {
            let body = InvitedV2 { campaign: campaign.0, from: *from, to: *to };
            codec::body(Kind::ListInvited, &body, bytes)
        }
        ListEvent::Closed { campaign } => {
            codec::body(Kind::ListClosed, &ClosedV2 { campaign: campaign.0 }, bytes)
        }
        ListEvent::Forgotten { upto } => {
            codec::body(Kind::ListForgotten, &ForgottenV2 { upto: upto.0 }, bytes)
        }
    }
}

pub(crate) fn read(kind: Kind, version: u8, body: &[u8]) -> Result<ListEvent, CodecError> {
    Ok(match (kind, version) {
        (Kind::ListJoined, 2) => codec::decode::<JoinedV2>(body)?.into(),
        (Kind::ListLeft, 2) => codec::decode::<LeftV2>(body)?.into(),
        (Kind::ListMoved, 2) => codec::decode::<MovedV2>(body)?.into(),
        (Kind::ListNamed, 2) => codec::decode::<NamedV2<'_>>(body)?.into(),
        (Kind::ListRestocked, 2) => codec::decode::<RestockedV2<'_>>(body)?.into(),
        (Kind::ListStock, 2) => codec::decode::<StockV2>(body)?.into(),
        (Kind::ListBegun, 2) => codec::decode::<BegunV2>(body)?.into(),
        (Kind::ListInvited, 2) => codec::decode::<InvitedV2>(body)?.into(),
        (Kind::ListClosed, 2) => codec::decode::<ClosedV2>(body)?.into(),
        (Kind::ListForgotten, 2) => codec::decode::<ForgottenV2>(body)?.into(),
        _ => return Err(codec::no_body(kind, version)),
    })
}

impl From<JoinedV2> for ListEvent {
    fn from(JoinedV2 { event, person, ordinal, changed, source }: JoinedV2) -> Self {
        Self::Joined { event, person: PersonId(person), ordinal, changed: Millis(changed), source: source.0 }
    }
}

impl From<LeftV2> for ListEvent {
    fn from(LeftV2 { event, person, changed, source }: LeftV2) -> Self {
        Self::Left { event, person: PersonId(person), changed: Millis(changed), source: source.0 }
    }
}

impl From<MovedV2> for ListEvent {
    fn from(MovedV2 { event, from, to }: MovedV2) -> Self {
        Self::Moved { event, from: PersonId(from), to: PersonId(to) }
    }
}

impl From<NamedV2<'_>> for ListEvent {
    fn from(NamedV2 { event, product }: NamedV2<'_>) -> Self {
        Self::Named { event, product: product.to_owned() }
    }
}

impl From<RestockedV2<'_>> for ListEvent {
    fn from(body: RestockedV2<'_>) -> Self {
        let RestockedV2 { event, key, stock, day, campaign, upto, added, details } = body;
        let (campaign, details) = (campaign.map(CampaignId), details.map(ProductDetailsV2::details));
        Self::Restocked { event, key, stock, day: Day(day), campaign, upto, added, details }
    }
}

impl From<StockV2> for ListEvent {
    fn from(StockV2 { event, quantity }: StockV2) -> Self {
        Self::Stock { event, quantity }
    }
}

impl From<BegunV2> for ListEvent {
    fn from(BegunV2 { campaign, upto, added }: BegunV2) -> Self {
        Self::Begun { campaign: CampaignId(campaign), upto, added }
    }
}

impl From<InvitedV2> for ListEvent {
    fn from(InvitedV2 { campaign, from, to }: InvitedV2) -> Self {
        Self::Invited { campaign: CampaignId(campaign), from, to }
    }
}

impl From<ClosedV2> for ListEvent {
    fn from(ClosedV2 { campaign }: ClosedV2) -> Self {
        Self::Closed { campaign: CampaignId(campaign) }
    }
}

impl From<ForgottenV2> for ListEvent {
    fn from(ForgottenV2 { upto }: ForgottenV2) -> Self {
        Self::Forgotten { upto: Millis(upto) }
    }
}
