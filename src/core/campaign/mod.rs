//! The machine of all campaigns: status, ledger, counters, pace.
//!
//! ```text
//!            ┌─ scheduled ─┐                        ┌─ paused ─┐
//! created ───┤             ├──▶ queued ──▶ sending ─┤          ├─▶ sending ──▶ sent
//!            └─────────────┘                        └──────────┘      ▲          │ restock of the day,
//!                 any of them ──▶ canceled · expired · failed         └──────────┘ retry-failed, resend
//!
//! letter:   pending ──▶ started ──▶ sent · failed · in doubt
//!              ▲            └──▶ deferred ──▶ started …
//!              └── skipped (a later restock of the day looks again)
//! ```
//!
//! Invariants: `total = pending + started + deferred + sent + failed + skipped + in doubt`, always;
//! an address is started at most once in a campaign but for retries of its own letter; a letter
//! found *started* after a restart is in doubt.

mod apply;
mod decide;
mod event;
mod image;
mod ledger;
#[cfg(any(test, feature = "testing"))]
mod sample;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use decide::{CampaignCommand, CampaignRefusal, KEEPS_PLACE, NextLetter};
pub use event::{CampaignEvent, CampaignStatus, Header, InDoubtPolicy, ReopenReason, Settlement, SkipReason};
pub use image::{CampaignHead, CampaignPage, CampaignsImage};
pub use ledger::{Counts, Deferral, Ledger, LetterRow, LetterState};

use super::ids::{CampaignId, ListId};
use super::pace::{Pace, Rate, RateDecision};
use super::retry::Retry;
use super::shaping::{Plan, Shaping};
use super::time::Millis;

/// A campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// What it is.
    pub header: Header,
    /// Where it is.
    pub status: CampaignStatus,
    /// The last ordinal of its audience.
    pub upto: u32,
    /// People of the audience whom the list has not handed over yet.
    pub uninvited: u32,
    /// People of the audience whom the list never handed over because the campaign ended first.
    pub unreached: u32,
    /// The list has said that nobody of the audience is left to hand over.
    pub handed_over: bool,
    /// Who was invited and what came of it.
    pub ledger: Ledger,
    /// Its own pace.
    pub pace: Pace,
    /// When it was made.
    pub created: Millis,
    /// When it first had an audience.
    pub started: Option<Millis>,
    /// When it was done.
    pub completed: Option<Millis>,
    /// When it was canceled.
    pub canceled: Option<Millis>,
    /// Why it cannot run.
    pub why: Option<String>,
}

impl Campaign {
    /// Everybody it is for.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ledger.counts().total() + u64::from(self.uninvited) + u64::from(self.unreached)
    }

    /// Letters not begun, handed over or not.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.ledger.counts().pending + u64::from(self.uninvited)
    }

    /// Letters not mailed, by reason, in the order of [`SkipReason::ALL`].
    #[must_use]
    pub fn skipped(&self) -> [u64; 9] {
        let mut skipped = self.ledger.counts().skipped;
        let ended =
            if self.status == CampaignStatus::Expired { SkipReason::Expired } else { SkipReason::Canceled };
        for (reason, count) in SkipReason::ALL.iter().zip(&mut skipped) {
            if *reason == ended {
                *count += u64::from(self.unreached);
            }
        }
        skipped
    }

    /// Nobody is left to mail and nobody is on the wire. The count of those not handed over is not
    /// enough: who left and came back is in it no more, and yet is handed over once more.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        let counts = self.ledger.counts();
        self.handed_over
            && self.uninvited == 0
            && counts.pending == 0
            && counts.started == 0
            && counts.deferred == 0
    }

    /// True while letters may start.
    #[must_use]
    pub(crate) fn is_sending(&self) -> bool {
        self.status == CampaignStatus::Sending
    }
}

/// How far housekeeping has come: of the campaigns made up to here, those that were closed when
/// it came by have let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Of their ledger's index.
    pub folded: Option<(Millis, CampaignId)>,
    /// Of their ledger's rows.
    pub emptied: Option<(Millis, CampaignId)>,
}

/// The state of all campaigns.
#[derive(Debug, Clone, Default)]
pub struct Campaigns {
    pub(super) seq: u64,
    pub(super) all: BTreeMap<CampaignId, Campaign>,
    /// By creation, for pages: newest last.
    pub(super) by_age: BTreeSet<(Millis, CampaignId)>,
    /// Campaigns of a list, for the re-notify guard.
    pub(super) by_list: BTreeMap<ListId, Vec<CampaignId>>,
    /// The pace over all campaigns.
    pub(super) pace: Pace,
    /// The pace's setting.
    pub(super) rate: Option<Rate>,
    /// How far housekeeping has come.
    pub(super) swept: Swept,
    /// How deferred letters come back.
    pub(super) retry: Retry,
    /// The pace of each receiving provider.
    pub(super) shaping: Shaping,
}

impl Campaigns {
    /// No campaigns, with an overall rate and a retry schedule.
    #[must_use]
    pub fn new(rate: Option<Rate>, retry: Retry) -> Self {
        Self { rate, retry, ..Self::default() }
    }

    /// The same with limits for providers.
    #[must_use]
    pub fn shaped(self, plan: Arc<Plan>) -> Self {
        Self { shaping: Shaping::new(plan), ..self }
    }

    /// The pace of each receiving provider.
    #[must_use]
    pub(crate) fn shaping(&self) -> &Shaping {
        &self.shaping
    }

    /// The counter of the last record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// How many campaigns are held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// True when none is held.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A campaign.
    #[must_use]
    pub fn get(&self, id: CampaignId) -> Option<&Campaign> {
        self.all.get(&id)
    }

    /// All campaigns, newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Campaign> {
        self.by_age.iter().rev().filter_map(|(_, id)| self.all.get(id))
    }

    /// All campaigns that are not closed.
    pub fn open(&self) -> impl Iterator<Item = &Campaign> {
        self.all.values().filter(|campaign| !campaign.status.is_closed())
    }

    /// The campaigns of a list that are not closed.
    pub(crate) fn open_on(&self, list: &ListId) -> impl Iterator<Item = &Campaign> {
        let of_list = self.by_list.get(list).map(Vec::as_slice).unwrap_or_default();
        of_list.iter().filter_map(|id| self.all.get(id)).filter(|campaign| !campaign.status.is_closed())
    }

    /// What the overall pace says of one more letter.
    #[must_use]
    pub(crate) fn check_pace(&self, at: Millis) -> RateDecision {
        self.pace.check(self.rate, at)
    }

    /// The first wait before a letter is tried again, which is the longest between two tries to reach the relay.
    #[must_use]
    pub(crate) fn retry_base_ms(&self) -> u64 {
        self.retry.base_ms
    }

    /// How deferred letters of a campaign come back, and how old they may become.
    #[must_use]
    pub fn retry(&self, campaign: &Campaign) -> Retry {
        let max_age_ms = campaign.header.max_age.map_or(self.retry.max_age_ms, |age| age.0);
        Retry { max_age_ms, ..self.retry }
    }
}
