//! Pages of the campaigns. Fields mean what they do in [`CampaignPage`].

use restockd_core::campaign::{
    CampaignHead, CampaignPage, CampaignStatus, Deferral, LetterRow, LetterState, SkipReason, Swept,
};
use restockd_core::shaping::ThrottleImage;
use restockd_core::{CampaignId, Millis, Pace, PersonId};
use serde::{Deserialize, Serialize};

use super::begin;
use crate::campaign::HeaderV2;
use crate::code::Code;
use crate::codec::{self, CodecError};
use crate::kind::Kind;
use crate::shared::{CutV2, DiagnosticV2, owned};

#[derive(Serialize, Deserialize)]
struct HeadV2 {
    seq: u64,
    pace_ns: u64,
    /// Up to which campaign ledgers have dropped their index: its creation time and id.
    folded: Option<(u64, u128)>,
    emptied: Option<(u64, u128)>,
}

#[derive(Serialize, Deserialize)]
struct CampaignV2<'a> {
    #[serde(borrow)]
    header: HeaderV2<'a>,
    status: Code<CampaignStatus>,
    upto: u32,
    uninvited: u32,
    unreached: u32,
    handed_over: bool,
    pace_ns: u64,
    created: u64,
    started: Option<u64>,
    completed: Option<u64>,
    canceled: Option<u64>,
    why: Option<&'a str>,
    /// Row, first attempt, next attempt.
    deferrals: Vec<(u32, u64, u64)>,
    /// The hash of the address, and the row.
    addresses: Vec<(u64, u32)>,
    #[serde(borrow)]
    diagnostics: Vec<(u32, DiagnosticV2<'a>)>,
    gone: Vec<(u32, Code<SkipReason>)>,
    counts: Option<Vec<(Code<LetterState>, u64)>>,
}

/// Person, ordinal, state, attempts, seconds since the campaign was made.
#[derive(Serialize, Deserialize)]
struct LetterV2(u32, u32, Code<LetterState>, u16, u32);

#[derive(Serialize, Deserialize)]
struct ProviderV2<'a> {
    name: &'a str,
    pace_ns: u64,
    day: u32,
    today: u32,
    first_day: Option<u32>,
    cut: Option<CutV2>,
    last: Option<(u64, &'a str)>,
    used: u64,
}

pub(super) fn write(page: &CampaignPage) -> Vec<u8> {
    match page {
        CampaignPage::Totals { seq, pace, swept } => {
            let at = |to: Option<(Millis, CampaignId)>| to.map(|(made, id)| (made.0, id.0));
            let (folded, emptied) = (at(swept.folded), at(swept.emptied));
            made(Kind::PageCampaigns, &HeadV2 { seq: *seq, pace_ns: pace.next_ns, folded, emptied })
        }
        CampaignPage::Head(head) => made(Kind::PageCampaign, &CampaignV2::from(&**head)),
        CampaignPage::Rows(rows) => {
            let letter = |row: &LetterRow| {
                LetterV2(row.person.0, row.ordinal, Code(row.state), row.attempts, row.at_s)
            };
            made(Kind::PageLetters, &rows.iter().map(letter).collect::<Vec<_>>())
        }
        CampaignPage::Throttles(throttles) => {
            made(Kind::PageProviders, &throttles.iter().map(ProviderV2::from).collect::<Vec<_>>())
        }
    }
}

fn made<T: Serialize>(kind: Kind, body: &T) -> Vec<u8> {
    let mut bytes = begin(kind);
    codec::encode_into(body, &mut bytes);
    bytes
}

pub(super) fn read(kind: Kind, version: u8, body: &[u8]) -> Result<CampaignPage, CodecError> {
    Ok(match (kind, version) {
        (Kind::PageCampaigns, 2) => {
            let HeadV2 { seq, pace_ns, folded, emptied } = codec::decode(body)?;
            let to = |at: Option<(u64, u128)>| at.map(|(made, id)| (Millis(made), CampaignId(id)));
            let swept = Swept { folded: to(folded), emptied: to(emptied) };
            CampaignPage::Totals { seq, pace: Pace { next_ns: pace_ns }, swept }
        }
        (Kind::PageCampaign, 2) => {
            CampaignPage::Head(Box::new(codec::decode::<CampaignV2<'_>>(body)?.into()))
        }
        (Kind::PageLetters, 2) => {
            let letter = |LetterV2(person, ordinal, state, attempts, at_s)| LetterRow {
                person: PersonId(person),
                ordinal,
                state: state.0,
                attempts,
                at_s,
            };
            CampaignPage::Rows(codec::decode::<Vec<LetterV2>>(body)?.into_iter().map(letter).collect())
        }
        (Kind::PageProviders, 2) => {
            let throttles = codec::decode::<Vec<ProviderV2<'_>>>(body)?;
            CampaignPage::Throttles(throttles.into_iter().map(ThrottleImage::from).collect())
        }
        _ => return Err(codec::no_body(kind, version)),
    })
}

impl<'a> From<&'a CampaignHead> for CampaignV2<'a> {
    fn from(head: &'a CampaignHead) -> Self {
        let ms = |at: Option<Millis>| at.map(|at| at.0);
        let deferral = |(row, times): &(u32, Deferral)| (*row, times.first.0, times.until.0);
        let counts = |counts: &Vec<(LetterState, u64)>| {
            counts.iter().map(|(state, count)| (Code(*state), *count)).collect()
        };
        Self {
            header: (&head.header).into(),
            status: Code(head.status),
            upto: head.upto,
            uninvited: head.uninvited,
            unreached: head.unreached,
            handed_over: head.handed_over,
            pace_ns: head.pace.next_ns,
            created: head.created.0,
            started: ms(head.started),
            completed: ms(head.completed),
            canceled: ms(head.canceled),
            why: head.why.as_deref(),
            deferrals: head.deferrals.iter().map(deferral).collect(),
            addresses: head.addresses.clone(),
            diagnostics: head.diagnostics.iter().map(|(row, said)| (*row, said.into())).collect(),
            gone: head.gone.iter().map(|(row, reason)| (*row, Code(*reason))).collect(),
            counts: head.counts.as_ref().map(counts),
        }
    }
}

impl From<CampaignV2<'_>> for CampaignHead {
    fn from(body: CampaignV2<'_>) -> Self {
        let deferral = |(row, first, until)| (row, Deferral { first: Millis(first), until: Millis(until) });
        Self {
            header: body.header.into(),
            status: body.status.0,
            upto: body.upto,
            uninvited: body.uninvited,
            unreached: body.unreached,
            handed_over: body.handed_over,
            pace: Pace { next_ns: body.pace_ns },
            created: Millis(body.created),
            started: body.started.map(Millis),
            completed: body.completed.map(Millis),
            canceled: body.canceled.map(Millis),
            why: owned(body.why),
            deferrals: body.deferrals.into_iter().map(deferral).collect(),
            addresses: body.addresses,
            diagnostics: body.diagnostics.into_iter().map(|(row, said)| (row, said.into())).collect(),
            gone: body.gone.into_iter().map(|(row, reason)| (row, reason.0)).collect(),
            counts: body
                .counts
                .map(|counts| counts.into_iter().map(|(state, count)| (state.0, count)).collect()),
        }
    }
}

impl<'a> From<&'a ThrottleImage> for ProviderV2<'a> {
    fn from(throttle: &'a ThrottleImage) -> Self {
        Self {
            name: &throttle.name,
            pace_ns: throttle.pace.next_ns,
            day: throttle.day,
            today: throttle.today,
            first_day: throttle.first_day,
            cut: throttle.cut.map(CutV2::from),
            last: throttle.last.as_ref().map(|(at, words)| (at.0, words.as_str())),
            used: throttle.used.0,
        }
    }
}

impl From<ProviderV2<'_>> for ThrottleImage {
    fn from(body: ProviderV2<'_>) -> Self {
        Self {
            name: body.name.to_owned(),
            pace: Pace { next_ns: body.pace_ns },
            day: body.day,
            today: body.today,
            first_day: body.first_day,
            cut: body.cut.map(Into::into),
            last: body.last.map(|(at, words)| (Millis(at), words.to_owned())),
            used: Millis(body.used),
        }
    }
}
