//! The bodies of the records of campaigns. Fields mean what they do in [`CampaignEvent`].

use restockd_core::campaign::{CampaignEvent, Header, InDoubtPolicy, ReopenReason, Settlement, SkipReason};
use restockd_core::{CampaignId, Day, ListId, Millis, PersonId, Span};
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::codec::{self, CodecError};
use crate::kind::Kind;
use crate::shared::{CutV2, DiagnosticV2, RateV2, owned};

/// The settings of a campaign.
#[derive(Serialize, Deserialize)]
pub(crate) struct HeaderV2<'a> {
    id: u128,
    key: Option<&'a str>,
    name: &'a str,
    list: &'a str,
    rule: bool,
    day: Option<i32>,
    template: &'a str,
    /// JSON text.
    props: &'a str,
    subject: Option<&'a str>,
    from: Option<&'a str>,
    on_doubt: Code<InDoubtPolicy>,
    rate: Option<RateV2>,
    scheduled: Option<u64>,
    max_age_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct OpenedV2<'a> {
    #[serde(borrow)]
    header: Option<HeaderV2<'a>>,
    id: u128,
    upto: u32,
    added: u32,
}

#[derive(Serialize, Deserialize)]
struct ReopenedV2 {
    id: u128,
    reason: ReopenReasonV2,
}

#[derive(Serialize, Deserialize)]
enum ReopenReasonV2 {
    Restock { upto: u32, added: u32 },
    Failed,
    InDoubt,
}

/// A record that only names its campaign.
#[derive(Serialize, Deserialize)]
struct CampaignV2 {
    id: u128,
}

#[derive(Serialize, Deserialize)]
struct FailedV2<'a> {
    id: u128,
    why: &'a str,
}

/// One person's letter of one campaign.
#[derive(Serialize, Deserialize)]
struct LetterV2 {
    id: u128,
    person: u32,
    ordinal: u32,
}

#[derive(Serialize, Deserialize)]
struct StartedV2<'a> {
    letter: LetterV2,
    /// The part of the address's hash that a ledger holds.
    address: u64,
    provider: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct UnstartedV2<'a> {
    letter: LetterV2,
    started: u64,
    provider: Option<&'a str>,
    until: u64,
    #[serde(borrow)]
    diagnostic: DiagnosticV2<'a>,
}

#[derive(Serialize, Deserialize)]
struct SettledV2<'a> {
    letter: LetterV2,
    #[serde(borrow)]
    settlement: SettlementV2<'a>,
}

#[derive(Serialize, Deserialize)]
enum SettlementV2<'a> {
    Sent,
    #[serde(borrow)]
    Failed(DiagnosticV2<'a>),
    Skipped(Code<SkipReason>),
    #[serde(borrow)]
    InDoubt(DiagnosticV2<'a>),
}

#[derive(Serialize, Deserialize)]
struct DeferredV2<'a> {
    letter: LetterV2,
    until: u64,
    #[serde(borrow)]
    diagnostic: DiagnosticV2<'a>,
}

#[derive(Serialize, Deserialize)]
struct NotedV2 {
    letter: LetterV2,
    reason: Code<SkipReason>,
}

#[derive(Serialize, Deserialize)]
struct PacedV2<'a> {
    provider: &'a str,
    cut: Option<CutV2>,
    reply: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct SweptV2;

/// Appends the body of an event; returns its kind.
pub(crate) fn write(event: &CampaignEvent, bytes: &mut Vec<u8>) -> Kind {
    let letter = |id: &CampaignId, person: &PersonId, ordinal: &u32| LetterV2 {
        id: id.0,
        person: person.0,
        ordinal: *ordinal,
    };
    match event {
        CampaignEvent::Scheduled(header) => {
            codec::body(Kind::CampaignScheduled, &HeaderV2::from(header), bytes)
        }
        CampaignEvent::Opened { header, id, upto, added } => {
            let header = header.as_ref().map(HeaderV2::from);
            let body = OpenedV2 { header, id: id.0, upto: *upto, added: *added };
            codec::body(Kind::CampaignOpened, &body, bytes)
        }
        CampaignEvent::Reopened { id, reason } => {
            let body = ReopenedV2 { id: id.0, reason: (*reason).into() };
            codec::body(Kind::CampaignReopened, &body, bytes)
        }
        CampaignEvent::Failed { id, why } => {
            codec::body(Kind::CampaignFailed, &FailedV2 { id: id.0, why }, bytes)
        }
        CampaignEvent::Started { id, person, ordinal, address, provider } => {
            let (letter, provider) = (letter(id, person, ordinal), provider.as_deref());
            let body = StartedV2 { letter, address: *address, provider };
            codec::body(Kind::CampaignStarted, &body, bytes)
        }
        CampaignEvent::Unstarted { id, person, ordinal, started, provider, until, diagnostic } => {
            let body = UnstartedV2 {
                letter: letter(id, person, ordinal),
                started: started.0,
                provider: provider.as_deref(),
                until: until.0,
                diagnostic: diagnostic.into(),
            };
            codec::body(Kind::CampaignUnstarted, &body, bytes)
        }
        CampaignEvent::Settled { id, person, ordinal, settlement } => {
            let body = SettledV2 { letter: letter(id, person, ordinal), settlement: settlement.into() };
            codec::body(Kind::CampaignSettled, &body, bytes)
        }
        CampaignEvent::Deferred { id, person, ordinal, until, diagnostic } => {
            let letter = letter(id, person, ordinal);
            let body = DeferredV2 { letter, until: until.0, diagnostic: diagnostic.into() };
            codec::body(Kind::CampaignDeferred, &body, bytes)
        }
        CampaignEvent::RecipientExcluded { id, person, ordinal, reason } => {
            let body = NotedV2 { letter: letter(id, person, ordinal), reason: Code(*reason) };
            codec::body(Kind::CampaignNoted, &body, bytes)
        }
        CampaignEvent::Paced { provider, cut, reply } => {
            let (cut, reply) = (cut.map(CutV2::from), reply.as_deref());
            codec::body(Kind::CampaignPaced, &PacedV2 { provider, cut, reply }, bytes)
        }
        CampaignEvent::Paused(id) => of_campaign(Kind::CampaignPaused, *id, bytes),
        CampaignEvent::Resumed(id) => of_campaign(Kind::CampaignResumed, *id, bytes),
        CampaignEvent::Canceled(id) => of_campaign(Kind::CampaignCanceled, *id, bytes),
        CampaignEvent::Expired(id) => of_campaign(Kind::CampaignExpired, *id, bytes),
        CampaignEvent::Dropped(id) => of_campaign(Kind::CampaignDropped, *id, bytes),
        CampaignEvent::Closed { id } => of_campaign(Kind::CampaignClosed, *id, bytes),
        CampaignEvent::Swept => codec::body(Kind::CampaignSwept, &SweptV2, bytes),
    }
}

fn of_campaign(kind: Kind, id: CampaignId, bytes: &mut Vec<u8>) -> Kind {
    codec::body(kind, &CampaignV2 { id: id.0 }, bytes)
}

pub(crate) fn read(kind: Kind, version: u8, body: &[u8]) -> Result<CampaignEvent, CodecError> {
    let campaign = || Ok(CampaignId(codec::decode::<CampaignV2>(body)?.id));
    Ok(match (kind, version) {
        (Kind::CampaignScheduled, 2) => CampaignEvent::Scheduled(codec::decode::<HeaderV2<'_>>(body)?.into()),
        (Kind::CampaignOpened, 2) => codec::decode::<OpenedV2<'_>>(body)?.into(),
        (Kind::CampaignReopened, 2) => codec::decode::<ReopenedV2>(body)?.into(),
        (Kind::CampaignFailed, 2) => codec::decode::<FailedV2<'_>>(body)?.into(),
        (Kind::CampaignStarted, 2) => codec::decode::<StartedV2<'_>>(body)?.into(),
        (Kind::CampaignUnstarted, 2) => codec::decode::<UnstartedV2<'_>>(body)?.into(),
        (Kind::CampaignSettled, 2) => codec::decode::<SettledV2<'_>>(body)?.into(),
        (Kind::CampaignDeferred, 2) => codec::decode::<DeferredV2<'_>>(body)?.into(),
        (Kind::CampaignNoted, 2) => codec::decode::<NotedV2>(body)?.into(),
        (Kind::CampaignPaced, 2) => codec::decode::<PacedV2<'_>>(body)?.into(),
        (Kind::CampaignPaused, 2) => CampaignEvent::Paused(campaign()?),
        (Kind::CampaignResumed, 2) => CampaignEvent::Resumed(campaign()?),
        (Kind::CampaignCanceled, 2) => CampaignEvent::Canceled(campaign()?),
        (Kind::CampaignExpired, 2) => CampaignEvent::Expired(campaign()?),
        (Kind::CampaignDropped, 2) => CampaignEvent::Dropped(campaign()?),
        (Kind::CampaignClosed, 2) => CampaignEvent::Closed { id: campaign()? },
        (Kind::CampaignSwept, 2) => {
            codec::decode::<SweptV2>(body)?;
            CampaignEvent::Swept
        }
        _ => return Err(codec::no_body(kind, version)),
    })
}

impl<'a> From<&'a Header> for HeaderV2<'a> {
    fn from(header: &'a Header) -> Self {
        Self {
            id: header.id.0,
            key: header.key.as_deref(),
            name: &header.name,
            list: header.list.as_str(),
            rule: header.rule,
            day: header.day.map(|day| day.0),
            template: &header.template,
            props: &header.props,
            subject: header.subject.as_deref(),
            from: header.from.as_deref(),
            on_doubt: Code(header.on_doubt),
            rate: header.rate.map(RateV2::from),
            scheduled: header.scheduled.map(|at| at.0),
            max_age_ms: header.max_age.map(|age| age.0),
        }
    }
}

impl From<HeaderV2<'_>> for Header {
    fn from(body: HeaderV2<'_>) -> Self {
        Self {
            id: CampaignId(body.id),
            key: owned(body.key),
            name: body.name.to_owned(),
            list: ListId::stored(body.list),
            rule: body.rule,
            day: body.day.map(Day),
            template: body.template.to_owned(),
            props: body.props.to_owned(),
            subject: owned(body.subject),
            from: owned(body.from),
            on_doubt: body.on_doubt.0,
            rate: body.rate.map(Into::into),
            scheduled: body.scheduled.map(Millis),
            max_age: body.max_age_ms.map(Span),
        }
    }
}

impl From<OpenedV2<'_>> for CampaignEvent {
    fn from(OpenedV2 { header, id, upto, added }: OpenedV2<'_>) -> Self {
        Self::Opened { header: header.map(Header::from), id: CampaignId(id), upto, added }
    }
}

impl From<ReopenReason> for ReopenReasonV2 {
    fn from(reason: ReopenReason) -> Self {
        match reason {
            ReopenReason::Restock { upto, added } => Self::Restock { upto, added },
            ReopenReason::Failed => Self::Failed,
            ReopenReason::Doubt => Self::InDoubt,
        }
    }
}

impl From<ReopenedV2> for CampaignEvent {
    fn from(ReopenedV2 { id, reason }: ReopenedV2) -> Self {
        let reason = match reason {
            ReopenReasonV2::Restock { upto, added } => ReopenReason::Restock { upto, added },
            ReopenReasonV2::Failed => ReopenReason::Failed,
            ReopenReasonV2::InDoubt => ReopenReason::Doubt,
        };
        Self::Reopened { id: CampaignId(id), reason }
    }
}

impl From<FailedV2<'_>> for CampaignEvent {
    fn from(FailedV2 { id, why }: FailedV2<'_>) -> Self {
        Self::Failed { id: CampaignId(id), why: why.to_owned() }
    }
}

impl LetterV2 {
    fn parts(self) -> (CampaignId, PersonId, u32) {
        (CampaignId(self.id), PersonId(self.person), self.ordinal)
    }
}

impl From<StartedV2<'_>> for CampaignEvent {
    fn from(StartedV2 { letter, address, provider }: StartedV2<'_>) -> Self {
        let (id, person, ordinal) = letter.parts();
        Self::Started { id, person, ordinal, address, provider: owned(provider) }
    }
}

impl From<UnstartedV2<'_>> for CampaignEvent {
    fn from(body: UnstartedV2<'_>) -> Self {
        let (id, person, ordinal) = body.letter.parts();
        Self::Unstarted {
            id,
            person,
            ordinal,
            started: Millis(body.started),
            provider: owned(body.provider),
            until: Millis(body.until),
            diagnostic: body.diagnostic.into(),
        }
    }
}

impl<'a> From<&'a Settlement> for SettlementV2<'a> {
    fn from(settlement: &'a Settlement) -> Self {
        match settlement {
            Settlement::Sent => Self::Sent,
            Settlement::Failed { diagnostic } => Self::Failed(diagnostic.into()),
            Settlement::Skipped(reason) => Self::Skipped(Code(*reason)),
            Settlement::Doubt { diagnostic } => Self::InDoubt(diagnostic.into()),
        }
    }
}

impl From<SettledV2<'_>> for CampaignEvent {
    fn from(body: SettledV2<'_>) -> Self {
        let (id, person, ordinal) = body.letter.parts();
        let settlement = match body.settlement {
            SettlementV2::Sent => Settlement::Sent,
            SettlementV2::Failed(said) => Settlement::Failed { diagnostic: said.into() },
            SettlementV2::Skipped(reason) => Settlement::Skipped(reason.0),
            SettlementV2::InDoubt(said) => Settlement::Doubt { diagnostic: said.into() },
        };
        Self::Settled { id, person, ordinal, settlement }
    }
}

impl From<DeferredV2<'_>> for CampaignEvent {
    fn from(DeferredV2 { letter, until, diagnostic }: DeferredV2<'_>) -> Self {
        let (id, person, ordinal) = letter.parts();
        Self::Deferred { id, person, ordinal, until: Millis(until), diagnostic: diagnostic.into() }
    }
}

impl From<NotedV2> for CampaignEvent {
    fn from(NotedV2 { letter, reason }: NotedV2) -> Self {
        let (id, person, ordinal) = letter.parts();
        Self::RecipientExcluded { id, person, ordinal, reason: reason.0 }
    }
}

impl From<PacedV2<'_>> for CampaignEvent {
    fn from(PacedV2 { provider, cut, reply }: PacedV2<'_>) -> Self {
        Self::Paced { provider: provider.to_owned(), cut: cut.map(Into::into), reply: owned(reply) }
    }
}
