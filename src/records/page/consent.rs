//! Pages of the directory about consent: evidence, and what waits for a confirmation.

use restockd_core::Millis;
use restockd_core::directory::{ConsentRecord, PendingConfirmation, PersonPending};
use restockd_core::list::ChangeSource;
use serde::{Deserialize, Serialize};

use crate::code::Code;

#[derive(Serialize, Deserialize)]
pub(super) struct ConsentV2<'a> {
    person: u32,
    list: u32,
    before: u32,
    how: Code<ChangeSource>,
    at: u64,
    source: &'a str,
    words: [u32; 3],
}

#[derive(Serialize, Deserialize)]
pub(super) struct ConfirmationsV2<'a> {
    #[serde(borrow)]
    lists: Vec<PendingV2<'a>>,
    mailed: Vec<u64>,
    due: bool,
}

#[derive(Serialize, Deserialize)]
struct PendingV2<'a> {
    list: u32,
    since: u64,
    at: u64,
    product: Option<&'a str>,
}

impl<'a> From<&'a ConsentRecord> for ConsentV2<'a> {
    fn from(row: &'a ConsentRecord) -> Self {
        let ConsentRecord { person, list, before, how, at, source, words } = row;
        let (person, list, before, words) = (*person, *list, *before, *words);
        Self { person, list, before, how: Code(*how), at: at.0, source, words }
    }
}

impl From<ConsentV2<'_>> for ConsentRecord {
    fn from(body: ConsentV2<'_>) -> Self {
        let ConsentV2 { person, list, before, how, at, source, words } = body;
        Self { person, list, before, how: how.0, at: Millis(at), source: source.into(), words }
    }
}

impl<'a> From<&'a PersonPending> for ConfirmationsV2<'a> {
    fn from(pending: &'a PersonPending) -> Self {
        let request = |wait: &'a PendingConfirmation| PendingV2 {
            list: wait.list,
            since: wait.since,
            at: wait.at.0,
            product: wait.product.as_deref(),
        };
        Self {
            lists: pending.lists.iter().map(request).collect(),
            mailed: pending.mailed.iter().map(|at| at.0).collect(),
            due: pending.due,
        }
    }
}

impl From<ConfirmationsV2<'_>> for PersonPending {
    fn from(body: ConfirmationsV2<'_>) -> Self {
        let wait = |pending: PendingV2<'_>| PendingConfirmation {
            list: pending.list,
            since: pending.since,
            at: Millis(pending.at),
            product: pending.product.map(Into::into),
        };
        Self {
            lists: body.lists.into_iter().map(wait).collect(),
            mailed: body.mailed.into_iter().map(Millis).collect(),
            due: body.due,
        }
    }
}
