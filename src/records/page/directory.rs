//! Pages of the directory. Fields mean what they do in [`DirectoryPage`].

use std::sync::Arc;

use restockd_core::directory::{
    ApiKey, ConsentRecord, DirectoryPage, Extras, ListLink, ListTask, OpenEvent, Person, PersonStatus,
    PublicKey, RestockFact, Suppression, SuppressionReason,
};
use restockd_core::keys::Seen;
use restockd_core::list::ChangeSource;
use restockd_core::{Email, ListId, Millis, PersonId};
use serde::{Deserialize, Serialize};

use super::begin;
use super::consent::{ConfirmationsV2, ConsentV2};
use crate::code::Code;
use crate::codec::{self, CodecError};
use crate::directory::RestockV2;
use crate::keys::{ApiKeyV2, PublicKeyV2};
use crate::kind::Kind;
use crate::report::ReportV2;
use crate::shared::{Few, owned};

#[derive(Serialize, Deserialize)]
struct HeadV2 {
    seq: u64,
}

/// Consecutive rows, with the number of the first (0-based).
#[derive(Serialize, Deserialize)]
struct RowsV2<T> {
    first: u32,
    rows: Vec<T>,
}

#[derive(Serialize, Deserialize)]
struct PersonV2<'a> {
    status: PersonStatusV2,
    email: Option<&'a str>,
    user_id: Option<&'a str>,
    #[serde(borrow)]
    extras: Option<ExtrasV2<'a>>,
    /// The list's number, shifted by two bits, and what the list was told.
    links: Few<u32>,
    unsubscribed: bool,
    created: u64,
    updated: u64,
    seen: u64,
}

#[derive(Serialize, Deserialize)]
enum PersonStatusV2 {
    Live,
    Merged(u32),
    Erased,
}

#[derive(Serialize, Deserialize)]
struct ExtrasV2<'a> {
    anonymous_id: Option<&'a str>,
    #[serde(borrow)]
    props: Few<(&'a str, &'a str)>,
}

/// A key as 32-bit words, and the minute in which it was accepted.
#[derive(Serialize, Deserialize)]
struct SeenV2([u32; 4], u32);

#[derive(Serialize, Deserialize)]
struct OpenV2<'a> {
    person: Option<u32>,
    source: Code<ChangeSource>,
    timestamp: Option<u64>,
    at: u64,
    #[serde(borrow)]
    tasks: Vec<TaskV2<'a>>,
}

#[derive(Serialize, Deserialize)]
enum TaskV2<'a> {
    Change {
        list: &'a str,
        join: bool,
        product: Option<&'a str>,
    },
    Move {
        list: &'a str,
        from: u32,
    },
    #[serde(borrow)]
    Restock(RestockV2<'a>),
}

#[derive(Serialize, Deserialize)]
struct SuppressionV2<'a> {
    why: Code<SuppressionReason>,
    at: Option<u64>,
    person: Option<u32>,
    evidence: &'a str,
}

pub(super) fn write(page: &DirectoryPage) -> Vec<u8> {
    match page {
        DirectoryPage::Head { seq } => made(Kind::PageDirectory, &HeadV2 { seq: *seq }),
        DirectoryPage::Lists(first, lists) => {
            rows(Kind::PageListNames, *first, lists.iter().map(ListId::as_str))
        }
        DirectoryPage::People(first, people) => {
            rows(Kind::PageContacts, *first, people.iter().map(PersonV2::from))
        }
        DirectoryPage::Keys(seen) => {
            made(Kind::PageEventKeys, &all(seen.iter().map(|seen| SeenV2(seen.key, seen.minutes))))
        }
        DirectoryPage::ApiKeys(keys) => made(Kind::PageApiKeys, &all(keys.iter().map(ApiKeyV2::from))),
        DirectoryPage::Open(open) => {
            made(Kind::PageOpenEvents, &all(open.iter().map(|(event, open)| (*event, OpenV2::from(open)))))
        }
        DirectoryPage::Suppressed(blocks) => {
            let rows = blocks.iter().map(|(address, entry)| (*address, SuppressionV2::from(entry)));
            made(Kind::PageSuppressed, &all(rows))
        }
        DirectoryPage::Words(first, words) => {
            rows(Kind::PageConsentWords, *first, words.iter().map(|word| &**word))
        }
        DirectoryPage::Proofs(first, proofs) => {
            rows(Kind::PageConsent, *first, proofs.iter().map(ConsentV2::from))
        }
        DirectoryPage::Waiting(waiting) => {
            let rows = waiting.iter().map(|(person, pending)| (person.0, ConfirmationsV2::from(pending)));
            made(Kind::PageConfirmations, &all(rows))
        }
        DirectoryPage::PublicKeys(keys) => {
            made(Kind::PagePublicKeys, &all(keys.iter().map(PublicKeyV2::from)))
        }
        DirectoryPage::Returns(returns) => {
            let rows =
                returns.iter().map(|(address, reports)| (*address, all(reports.iter().map(ReportV2::from))));
            made(Kind::PageFeedback, &all(rows))
        }
    }
}

fn made<T: Serialize>(kind: Kind, body: &T) -> Vec<u8> {
    let mut bytes = begin(kind);
    codec::encode_into(body, &mut bytes);
    bytes
}

fn rows<T: Serialize>(kind: Kind, first: u32, rows: impl Iterator<Item = T>) -> Vec<u8> {
    made(kind, &RowsV2 { first, rows: rows.collect() })
}

fn all<T>(rows: impl Iterator<Item = T>) -> Vec<T> {
    rows.collect()
}

pub(super) fn read(kind: Kind, version: u8, body: &[u8]) -> Result<DirectoryPage, CodecError> {
    Ok(match (kind, version) {
        (Kind::PageDirectory, 2) => DirectoryPage::Head { seq: codec::decode::<HeadV2>(body)?.seq },
        (Kind::PageListNames, 2) => {
            let page = codec::decode::<RowsV2<&str>>(body)?;
            DirectoryPage::Lists(page.first, page.rows.into_iter().map(ListId::stored).collect())
        }
        (Kind::PageContacts, 2) => {
            let page = codec::decode::<RowsV2<PersonV2<'_>>>(body)?;
            DirectoryPage::People(page.first, page.rows.into_iter().map(Person::from).collect())
        }
        (Kind::PageEventKeys, 2) => {
            let seen = codec::decode::<Vec<SeenV2>>(body)?;
            DirectoryPage::Keys(seen.into_iter().map(|SeenV2(key, minutes)| Seen { key, minutes }).collect())
        }
        (Kind::PageApiKeys, 2) => {
            let keys = codec::decode::<Vec<ApiKeyV2<'_>>>(body)?;
            DirectoryPage::ApiKeys(keys.into_iter().map(ApiKey::from).collect())
        }
        (Kind::PageOpenEvents, 2) => {
            let open = codec::decode::<Vec<(u64, OpenV2<'_>)>>(body)?;
            DirectoryPage::Open(open.into_iter().map(|(event, open)| (event, open.into())).collect())
        }
        (Kind::PageSuppressed, 2) => {
            let rows = codec::decode::<Vec<(u128, SuppressionV2<'_>)>>(body)?;
            DirectoryPage::Suppressed(
                rows.into_iter().map(|(address, entry)| (address, entry.into())).collect(),
            )
        }
        (Kind::PageConsentWords, 2) => {
            let page = codec::decode::<RowsV2<&str>>(body)?;
            DirectoryPage::Words(page.first, page.rows.into_iter().map(Into::into).collect())
        }
        (Kind::PageConsent, 2) => {
            let page = codec::decode::<RowsV2<ConsentV2<'_>>>(body)?;
            DirectoryPage::Proofs(page.first, page.rows.into_iter().map(ConsentRecord::from).collect())
        }
        (Kind::PageConfirmations, 2) => {
            let rows = codec::decode::<Vec<(u32, ConfirmationsV2<'_>)>>(body)?;
            let pending = |(person, row): (u32, ConfirmationsV2<'_>)| (PersonId(person), row.into());
            DirectoryPage::Waiting(rows.into_iter().map(pending).collect())
        }
        (Kind::PagePublicKeys, 2) => {
            let keys = codec::decode::<Vec<PublicKeyV2<'_>>>(body)?;
            DirectoryPage::PublicKeys(keys.into_iter().map(PublicKey::from).collect())
        }
        (Kind::PageFeedback, 2) => {
            let rows = codec::decode::<Vec<(u128, Vec<ReportV2<'_>>)>>(body)?;
            let reports = |rows: Vec<ReportV2<'_>>| Arc::new(rows.into_iter().map(Into::into).collect());
            DirectoryPage::Returns(rows.into_iter().map(|(address, rows)| (address, reports(rows))).collect())
        }
        _ => return Err(codec::no_body(kind, version)),
    })
}

impl<'a> From<&'a Person> for PersonV2<'a> {
    fn from(person: &'a Person) -> Self {
        Self {
            status: match person.status {
                PersonStatus::Live => PersonStatusV2::Live,
                PersonStatus::Merged(into) => PersonStatusV2::Merged(into.0),
                PersonStatus::Erased => PersonStatusV2::Erased,
            },
            email: person.email.as_ref().map(Email::as_str),
            user_id: person.user_id.as_deref(),
            extras: person.extras.as_deref().map(ExtrasV2::from),
            links: person.links.iter().map(|link| link.raw()).collect(),
            unsubscribed: person.unsubscribed,
            created: person.created.0,
            updated: person.updated.0,
            seen: person.seen.0,
        }
    }
}

impl From<PersonV2<'_>> for Person {
    fn from(body: PersonV2<'_>) -> Self {
        Self {
            status: match body.status {
                PersonStatusV2::Live => PersonStatus::Live,
                PersonStatusV2::Merged(into) => PersonStatus::Merged(PersonId(into)),
                PersonStatusV2::Erased => PersonStatus::Erased,
            },
            email: body.email.map(Email::stored),
            user_id: body.user_id.map(Into::into),
            extras: body.extras.map(|extras| Box::new(extras.into())),
            links: body.links.into_iter().map(ListLink::of_raw).collect(),
            unsubscribed: body.unsubscribed,
            created: Millis(body.created),
            updated: Millis(body.updated),
            seen: Millis(body.seen),
        }
    }
}

impl<'a> From<&'a Extras> for ExtrasV2<'a> {
    fn from(extras: &'a Extras) -> Self {
        Self {
            anonymous_id: extras.anonymous_id.as_deref(),
            props: extras.props.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }
}

impl From<ExtrasV2<'_>> for Extras {
    fn from(body: ExtrasV2<'_>) -> Self {
        Self {
            anonymous_id: body.anonymous_id.map(Into::into),
            props: body.props.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

impl<'a> From<&'a OpenEvent> for OpenV2<'a> {
    fn from(open: &'a OpenEvent) -> Self {
        Self {
            person: open.person.map(|person| person.0),
            source: Code(open.source),
            timestamp: open.timestamp.map(|at| at.0),
            at: open.at.0,
            tasks: open.tasks.iter().map(TaskV2::from).collect(),
        }
    }
}

impl From<OpenV2<'_>> for OpenEvent {
    fn from(body: OpenV2<'_>) -> Self {
        Self {
            person: body.person.map(PersonId),
            source: body.source.0,
            timestamp: body.timestamp.map(Millis),
            at: Millis(body.at),
            tasks: body.tasks.into_iter().map(ListTask::from).collect(),
        }
    }
}

impl<'a> From<&'a ListTask> for TaskV2<'a> {
    fn from(task: &'a ListTask) -> Self {
        match task {
            ListTask::Change { list, join, product } => {
                Self::Change { list: list.as_str(), join: *join, product: product.as_deref() }
            }
            ListTask::Move { list, from } => Self::Move { list: list.as_str(), from: from.0 },
            ListTask::Restock(fact) => Self::Restock((&**fact).into()),
        }
    }
}

impl From<TaskV2<'_>> for ListTask {
    fn from(body: TaskV2<'_>) -> Self {
        match body {
            TaskV2::Change { list, join, product } => {
                Self::Change { list: ListId::stored(list), join, product: owned(product) }
            }
            TaskV2::Move { list, from } => Self::Move { list: ListId::stored(list), from: PersonId(from) },
            TaskV2::Restock(fact) => Self::Restock(Box::new(RestockFact::from(fact))),
        }
    }
}

impl<'a> From<&'a Suppression> for SuppressionV2<'a> {
    fn from(entry: &'a Suppression) -> Self {
        Self {
            why: Code(entry.why),
            at: entry.at.map(|at| at.0),
            person: entry.person.map(|person| person.0),
            evidence: &entry.evidence,
        }
    }
}

impl From<SuppressionV2<'_>> for Suppression {
    fn from(body: SuppressionV2<'_>) -> Self {
        Self {
            why: body.why.0,
            at: body.at.map(Millis),
            person: body.person.map(PersonId),
            evidence: body.evidence.into(),
        }
    }
}
