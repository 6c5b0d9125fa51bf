//! The bodies of the records of the directory. Fields mean what they do in [`DirectoryEvent`].

use restockd_core::directory::{
    Accepted, Attested, ConsentEvidence, DirectoryEvent, FeedbackRecord, PersonFact, RestockFact,
    SuppressionReason,
};
use restockd_core::list::ChangeSource;
use restockd_core::{Email, ListId, Millis, PersonId};
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::codec::{self, CodecError};
use crate::keys::{ApiKeyV2, PublicKeyV2};
use crate::kind::Kind;
use crate::report::ReportV2;
use crate::shared::{Few, ProductDetailsV2, owned};

/// An accepted event, or a call that changes a person and lists in the same way.
#[derive(Serialize, Deserialize)]
struct EventV2<'a> {
    name: &'a str,
    key: Option<u128>,
    source: Code<ChangeSource>,
    #[serde(borrow)]
    person: Option<PersonFactV2<'a>>,
    #[serde(borrow)]
    bag: Few<(&'a str, bool)>,
    timestamp: Option<u64>,
    product: Option<(&'a str, &'a str)>,
    restock: Option<RestockV2<'a>>,
    attested: Option<AttestedV2<'a>>,
}

#[derive(Serialize, Deserialize)]
struct PersonFactV2<'a> {
    id: u32,
    email: Option<&'a str>,
    user_id: Option<&'a str>,
    anonymous_id: Option<&'a str>,
    /// Name and JSON text.
    #[serde(borrow)]
    props: Few<(&'a str, &'a str)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RestockV2<'a> {
    list: &'a str,
    key: u128,
    product: Option<&'a str>,
    quantity: Option<i64>,
    #[serde(borrow)]
    details: Option<ProductDetailsV2<'a>>,
}

#[derive(Serialize, Deserialize)]
struct AttestedV2<'a> {
    key: &'a str,
    source: &'a str,
    wording: &'a str,
    url: &'a str,
    #[serde(borrow)]
    asked: Few<&'a str>,
    within_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct MergedV2 {
    from: u32,
    to: u32,
}

#[derive(Serialize, Deserialize)]
struct ErasedV2 {
    person: u32,
    /// The hash of the address, and why it must not be mailed.
    keep: Option<(u128, Code<SuppressionReason>)>,
}

#[derive(Serialize, Deserialize)]
struct UnsubscribedV2 {
    person: u32,
    address: Option<u128>,
    on: bool,
}

#[derive(Serialize, Deserialize)]
struct SuppressedV2<'a> {
    address: u128,
    why: Code<SuppressionReason>,
    person: Option<u32>,
    evidence: &'a str,
}

#[derive(Serialize, Deserialize)]
struct ReleasedV2 {
    address: u128,
}

#[derive(Serialize, Deserialize)]
struct KeyRevokedV2<'a> {
    id: &'a str,
}

#[derive(Serialize, Deserialize)]
struct ConfirmationMailedV2 {
    person: u32,
    round: u64,
}

#[derive(Serialize, Deserialize)]
struct FeedbackV2<'a> {
    key: Option<u128>,
    address: u128,
    person: Option<u32>,
    suppression_reason: Option<Code<SuppressionReason>>,
    #[serde(borrow)]
    report: ReportV2<'a>,
}

/// Appends the body of an event; returns its kind.
pub(crate) fn write(event: &DirectoryEvent, bytes: &mut Vec<u8>) -> Kind {
    match event {
        DirectoryEvent::Event(event) => codec::body(Kind::DirectoryEvent, &EventV2::from(event), bytes),
        DirectoryEvent::Merged { from, to } => {
            codec::body(Kind::DirectoryMerged, &MergedV2 { from: from.0, to: to.0 }, bytes)
        }
        DirectoryEvent::Erased { person, keep } => {
            let keep = keep.map(|(address, why)| (address, Code(why)));
            codec::body(Kind::DirectoryErased, &ErasedV2 { person: person.0, keep }, bytes)
        }
        DirectoryEvent::Unsubscribed { person, address, on } => {
            let body = UnsubscribedV2 { person: person.0, address: *address, on: *on };
            codec::body(Kind::DirectoryUnsubscribed, &body, bytes)
        }
        DirectoryEvent::Suppressed { address, why, person, evidence } => {
            let person = person.map(|person| person.0);
            let body = SuppressedV2 { address: *address, why: Code(*why), person, evidence };
            codec::body(Kind::DirectorySuppressed, &body, bytes)
        }
        DirectoryEvent::Released { address } => {
            codec::body(Kind::DirectoryReleased, &ReleasedV2 { address: *address }, bytes)
        }
        DirectoryEvent::KeyMinted(key) => codec::body(Kind::DirectoryKeyMinted, &ApiKeyV2::from(key), bytes),
        DirectoryEvent::KeyRevoked { id } => {
            codec::body(Kind::DirectoryKeyRevoked, &KeyRevokedV2 { id }, bytes)
        }
        DirectoryEvent::PublicKeyMinted(key) => {
            codec::body(Kind::DirectoryPublicKeyMinted, &PublicKeyV2::from(key), bytes)
        }
        DirectoryEvent::ConfirmationMailed { person, round } => {
            let body = ConfirmationMailedV2 { person: person.0, round: *round };
            codec::body(Kind::DirectoryConfirmationMailed, &body, bytes)
        }
        DirectoryEvent::Returned(returned) => {
            let FeedbackRecord { key, address, person, suppression_reason, evidence } = returned;
            let (person, suppression_reason) = (person.map(|person| person.0), suppression_reason.map(Code));
            let body = FeedbackV2 {
                key: *key,
                address: *address,
                person,
                suppression_reason,
                report: evidence.into(),
            };
            codec::body(Kind::DirectoryFeedback, &body, bytes)
        }
    }
}

pub(crate) fn read(kind: Kind, version: u8, body: &[u8]) -> Result<DirectoryEvent, CodecError> {
    Ok(match (kind, version) {
        (Kind::DirectoryEvent, 2) => DirectoryEvent::Event(codec::decode::<EventV2<'_>>(body)?.into()),
        (Kind::DirectoryMerged, 2) => codec::decode::<MergedV2>(body)?.into(),
        (Kind::DirectoryErased, 2) => codec::decode::<ErasedV2>(body)?.into(),
        (Kind::DirectoryUnsubscribed, 2) => codec::decode::<UnsubscribedV2>(body)?.into(),
        (Kind::DirectorySuppressed, 2) => codec::decode::<SuppressedV2<'_>>(body)?.into(),
        (Kind::DirectoryReleased, 2) => {
            DirectoryEvent::Released { address: codec::decode::<ReleasedV2>(body)?.address }
        }
        (Kind::DirectoryKeyMinted, 2) => {
            DirectoryEvent::KeyMinted(codec::decode::<ApiKeyV2<'_>>(body)?.into())
        }
        (Kind::DirectoryKeyRevoked, 2) => {
            DirectoryEvent::KeyRevoked { id: codec::decode::<KeyRevokedV2<'_>>(body)?.id.to_owned() }
        }
        (Kind::DirectoryPublicKeyMinted, 2) => {
            DirectoryEvent::PublicKeyMinted(codec::decode::<PublicKeyV2<'_>>(body)?.into())
        }
        (Kind::DirectoryConfirmationMailed, 2) => codec::decode::<ConfirmationMailedV2>(body)?.into(),
        (Kind::DirectoryFeedback, 2) => codec::decode::<FeedbackV2<'_>>(body)?.into(),
        _ => return Err(codec::no_body(kind, version)),
    })
}

impl<'a> From<&'a Accepted> for EventV2<'a> {
    fn from(event: &'a Accepted) -> Self {
        let Accepted { name, key, source, person, bag, timestamp, product, restock, attested } = event;
        Self {
            name,
            key: *key,
            source: Code(*source),
            person: person.as_ref().map(PersonFactV2::from),
            bag: bag.iter().map(|(list, join)| (list.as_str(), *join)).collect(),
            timestamp: timestamp.map(|at| at.0),
            product: product.as_ref().map(|(list, name)| (list.as_str(), name.as_str())),
            restock: restock.as_deref().map(RestockV2::from),
            attested: attested.as_deref().map(AttestedV2::from),
        }
    }
}

impl From<EventV2<'_>> for Accepted {
    fn from(body: EventV2<'_>) -> Self {
        Self {
            name: body.name.to_owned(),
            key: body.key,
            source: body.source.0,
            person: body.person.map(PersonFact::from),
            bag: body.bag.into_iter().map(|(list, join)| (ListId::stored(list), join)).collect(),
            timestamp: body.timestamp.map(Millis),
            product: body.product.map(|(list, name)| (ListId::stored(list), name.to_owned())),
            restock: body.restock.map(|restock| Box::new(restock.into())),
            attested: body.attested.map(|attested| Box::new(attested.into())),
        }
    }
}

impl<'a> From<&'a PersonFact> for PersonFactV2<'a> {
    fn from(fact: &'a PersonFact) -> Self {
        let PersonFact { id, email, user_id, anonymous_id, props } = fact;
        Self {
            id: id.0,
            email: email.as_ref().map(Email::as_str),
            user_id: user_id.as_deref(),
            anonymous_id: anonymous_id.as_deref(),
            props: props.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }
}

impl From<PersonFactV2<'_>> for PersonFact {
    fn from(body: PersonFactV2<'_>) -> Self {
        Self {
            id: PersonId(body.id),
            email: body.email.map(Email::stored),
            user_id: owned(body.user_id),
            anonymous_id: owned(body.anonymous_id),
            props: body.props.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

impl<'a> From<&'a RestockFact> for RestockV2<'a> {
    fn from(fact: &'a RestockFact) -> Self {
        let RestockFact { list, key, product, quantity, details } = fact;
        Self {
            list: list.as_str(),
            key: *key,
            product: product.as_deref(),
            quantity: *quantity,
            details: ProductDetailsV2::of(details),
        }
    }
}

impl From<RestockV2<'_>> for RestockFact {
    fn from(body: RestockV2<'_>) -> Self {
        Self {
            list: ListId::stored(body.list),
            key: body.key,
            product: owned(body.product),
            quantity: body.quantity,
            details: body.details.map(ProductDetailsV2::details).unwrap_or_default(),
        }
    }
}

impl<'a> From<&'a Attested> for AttestedV2<'a> {
    fn from(Attested { evidence, asked, within_ms }: &'a Attested) -> Self {
        let ConsentEvidence { key, source, wording, url } = evidence;
        let asked = asked.iter().map(ListId::as_str).collect();
        Self { key, source, wording, url, asked, within_ms: *within_ms }
    }
}

impl From<AttestedV2<'_>> for Attested {
    fn from(body: AttestedV2<'_>) -> Self {
        let [key, source, wording, url] = [body.key, body.source, body.wording, body.url].map(str::to_owned);
        let asked = body.asked.into_iter().map(ListId::stored).collect();
        Self { evidence: ConsentEvidence { key, source, wording, url }, asked, within_ms: body.within_ms }
    }
}

impl From<MergedV2> for DirectoryEvent {
    fn from(MergedV2 { from, to }: MergedV2) -> Self {
        Self::Merged { from: PersonId(from), to: PersonId(to) }
    }
}

impl From<ErasedV2> for DirectoryEvent {
    fn from(ErasedV2 { person, keep }: ErasedV2) -> Self {
        Self::Erased { person: PersonId(person), keep: keep.map(|(address, why)| (address, why.0)) }
    }
}

impl From<UnsubscribedV2> for DirectoryEvent {
    fn from(UnsubscribedV2 { person, address, on }: UnsubscribedV2) -> Self {
        Self::Unsubscribed { person: PersonId(person), address, on }
    }
}

impl From<SuppressedV2<'_>> for DirectoryEvent {
    fn from(SuppressedV2 { address, why, person, evidence }: SuppressedV2<'_>) -> Self {
        Self::Suppressed { address, why: why.0, person: person.map(PersonId), evidence: evidence.to_owned() }
    }
}

impl From<ConfirmationMailedV2> for DirectoryEvent {
    fn from(ConfirmationMailedV2 { person, round }: ConfirmationMailedV2) -> Self {
        Self::ConfirmationMailed { person: PersonId(person), round }
    }
}

impl From<FeedbackV2<'_>> for DirectoryEvent {
    fn from(body: FeedbackV2<'_>) -> Self {
        let FeedbackV2 { key, address, person, suppression_reason, report } = body;
        let (person, suppression_reason) = (person.map(PersonId), suppression_reason.map(|code| code.0));
        Self::Returned(FeedbackRecord { key, address, person, suppression_reason, evidence: report.into() })
    }
}
