//! The machine of all campaigns: their status, ledgers, counters and pace.
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
//! Invariants: `total = pending + started + deferred + sent + failed + skipped + in doubt`, always; within
//! one campaign a second letter to an address is never started, except as a retry of the first; a letter that
//! is *started* when the engine starts is in doubt.

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

#[derive(Debug, Clone)]
pub struct Campaign {
    pub header: Header,
    pub status: CampaignStatus,
    /// The last place (ordinal) on its list that belongs to its audience.
    pub upto: u32,
    /// Members of the audience whom the list has not handed over yet.
    pub uninvited: u32,
    /// Members of the audience whom the list never handed over because the campaign ended first.
    pub unreached: u32,
    /// The list has said that it has handed over the whole audience.
    pub handed_over: bool,
    pub ledger: Ledger,
    /// How its letters used up `header.rate`.
    pub pace: Pace,
    pub created: Millis,
    /// When it first had an audience.
    pub started: Option<Millis>,
    /// When it last became sent; `None` while letters are left.
    pub completed: Option<Millis>,
    pub canceled: Option<Millis>,
    /// Why the campaign failed, in words for the operator.
    pub why: Option<String>,
}

impl Campaign {
    /// The size of its audience.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ledger.counts().total() + u64::from(self.uninvited) + u64::from(self.unreached)
    }

    /// Letters that have not begun, whether or not the list has handed their person over.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.ledger.counts().pending + u64::from(self.uninvited)
    }

    /// How many letters were skipped, by reason, in the order of [`SkipReason::ALL`].
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

    /// Everybody has been handed over and no letter is pending, started or deferred. `uninvited == 0` alone
    /// would not do: a member who left and came back is no longer counted there, but is handed over once
    /// more.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        let counts = self.ledger.counts();
        self.handed_over
            && self.uninvited == 0
            && counts.pending == 0
            && counts.started == 0
            && counts.deferred == 0
    }

    /// Whether letters may start.
    #[must_use]
    pub(crate) fn is_sending(&self) -> bool {
        self.status == CampaignStatus::Sending
    }
}

/// How far housekeeping has come. Each mark names the creation time and id of a campaign; housekeeping has
/// dealt with the closed campaigns up to there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Up to here, ledgers have dropped their index.
    pub folded: Option<(Millis, CampaignId)>,
    /// Up to here, ledgers have dropped their rows.
    pub emptied: Option<(Millis, CampaignId)>,
}

/// The state of all campaigns.
#[derive(Debug, Clone, Default)]
pub struct Campaigns {
    pub(super) seq: u64,
    pub(super) all: BTreeMap<CampaignId, Campaign>,
    /// By creation, for pages of the API: newest last.
    pub(super) by_age: BTreeSet<(Millis, CampaignId)>,
    /// The campaigns of each list, for the re-notify guard.
    pub(super) by_list: BTreeMap<ListId, Vec<CampaignId>>,
    /// How all campaigns together used up `rate`.
    pub(super) pace: Pace,
    /// The rate over all campaigns; `None`: no limit.
    pub(super) rate: Option<Rate>,
    pub(super) swept: Swept,
    /// The schedule on which deferred letters are tried again.
    pub(super) retry: Retry,
    /// The throttle of each receiving provider.
    pub(super) shaping: Shaping,
}

impl Campaigns {
    /// No campaigns yet.
    #[must_use]
    pub fn new(rate: Option<Rate>, retry: Retry) -> Self {
        Self { rate, retry, ..Self::default() }
    }

    /// Sets the limits of receiving providers.
    #[must_use]
    pub fn shaped(self, plan: Arc<Plan>) -> Self {
        Self { shaping: Shaping::new(plan), ..self }
    }

    #[must_use]
    pub(crate) fn shaping(&self) -> &Shaping {
        &self.shaping
    }

    /// The number of records applied so far, which is the number of the last one.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

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

    /// Whether the overall rate allows one more letter at `at`.
    #[must_use]
    pub(crate) fn check_pace(&self, at: Millis) -> RateDecision {
        self.pace.check(self.rate, at)
    }

    /// The first wait before a letter is tried again; also the longest wait between two attempts to reach the
    /// relay.
    #[must_use]
    pub(crate) fn retry_base_ms(&self) -> u64 {
        self.retry.base_ms
    }

    /// The retry schedule of a campaign's letters, with the campaign's own maximum age where it has one.
    #[must_use]
    pub fn retry(&self, campaign: &Campaign) -> Retry {
        let max_age_ms = campaign.header.max_age.map_or(self.retry.max_age_ms, |age| age.0);
        Retry { max_age_ms, ..self.retry }
    }
}
