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
mod image;
mod ledger;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use decide::{CampaignRefusal, NextLetter, Verb};
pub use image::{CampaignImage, CampaignPage, CampaignsImage};
pub use ledger::{Counts, Ledger, LetterRow, LetterState};

use super::ids::{CampaignId, ListId, PersonId};
use super::pace::{Go, Pace, Rate};
use super::retry::Retry;
use super::time::{Day, Millis};

/// Where a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Waits for its time.
    Scheduled,
    /// Waits for its list.
    Queued,
    /// Letters go out.
    Sending,
    /// Nothing more starts until resumed.
    Paused,
    /// Nobody is pending, started or deferred.
    Sent,
    /// Cannot run at all.
    Failed,
    /// Canceled by hand.
    Canceled,
    /// Fell due too long ago.
    Expired,
}

impl Status {
    /// The wire's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// True when nothing more happens by itself.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Canceled | Self::Expired)
    }
}

/// Why somebody was not mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Skip {
    /// Left the list.
    Left,
    /// Wants no mail at all.
    Unsubscribed,
    /// The address bounced, complained or was blocked.
    Suppressed,
    /// Erased.
    Erased,
    /// Has no address.
    NoEmail,
    /// Was mailed for the same SKU a short while ago (or under another name in this campaign).
    RecentlyNotified,
    /// The campaign was canceled.
    Canceled,
    /// Deferred past the maximum age.
    Expired,
    /// The letter cannot be made for this person.
    Invalid,
}

impl Skip {
    /// All reasons, in the order of the wire.
    pub const ALL: [Self; 9] = [
        Self::Left,
        Self::Unsubscribed,
        Self::Suppressed,
        Self::Erased,
        Self::NoEmail,
        Self::RecentlyNotified,
        Self::Canceled,
        Self::Expired,
        Self::Invalid,
    ];

    /// The wire's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Unsubscribed => "unsubscribed",
            Self::Suppressed => "suppressed",
            Self::Erased => "erased",
            Self::NoEmail => "no_email",
            Self::RecentlyNotified => "recently_notified",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
        }
    }

    /// True when a later restock of the day looks at the person again. Who left comes back only
    /// by a new place in line, which is a new invitation.
    #[must_use]
    pub fn may_change(self) -> bool {
        matches!(self, Self::Unsubscribed | Self::Suppressed | Self::NoEmail | Self::RecentlyNotified)
    }
}

/// What becomes of letters in doubt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnDoubt {
    /// Hold and report.
    #[default]
    Hold,
    /// Send again, with the same Message-ID.
    Resend,
}

/// What a campaign is, fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its id.
    pub id: CampaignId,
    /// Its key, the user's or the rule's.
    pub key: Option<String>,
    /// Its name.
    pub name: String,
    /// Whom it reaches.
    pub list: ListId,
    /// True when the restock rule made it (then the re-notify guard holds).
    pub rule: bool,
    /// The day of a rule campaign.
    pub day: Option<Day>,
    /// The template's key.
    pub template: String,
    /// For the template, as JSON text.
    pub props: String,
    /// The subject, if not the template's.
    pub subject: Option<String>,
    /// The sender, if not the configured one.
    pub from: Option<String>,
    /// What becomes of letters in doubt.
    pub on_doubt: OnDoubt,
    /// Its own pace.
    pub rate: Option<Rate>,
    /// When it starts, if not at once.
    pub scheduled: Option<Millis>,
}

/// What a letter came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settlement {
    /// Accepted by a mail server.
    Sent,
    /// Refused for good.
    Failed {
        /// The server's words, without addresses.
        reply: String,
    },
    /// Not mailed.
    Skipped(Skip),
    /// Sent off, outcome unknown.
    Doubt {
        /// What is known.
        reply: String,
    },
}

/// Why closed letters become pending again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Again {
    /// A later restock of the day: `added` more people, and those skipped who may be eligible.
    Restock {
        /// The last ordinal of the audience.
        upto: u32,
        /// How many it adds.
        added: u32,
    },
    /// The failed ones.
    Failed,
    /// Those in doubt.
    Doubt,
}

/// All that can have happened to campaigns: their records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CampaignEvent {
    /// A campaign was asked for: scheduled, or queued for its list.
    Scheduled(Header),
    /// A campaign has its audience.
    Opened {
        /// The campaign, where no earlier record made it.
        header: Option<Header>,
        /// Its id.
        id: CampaignId,
        /// The last ordinal of the audience.
        upto: u32,
        /// How many that is.
        added: u32,
    },
    /// Letters become pending again.
    Reopened {
        /// The campaign.
        id: CampaignId,
        /// Which.
        again: Again,
    },
    /// Nothing more starts.
    Paused(CampaignId),
    /// Goes on.
    Resumed(CampaignId),
    /// Pending and deferred become skipped.
    Canceled(CampaignId),
    /// Fell due too long ago.
    Expired(CampaignId),
    /// Cannot run.
    Failed {
        /// The campaign.
        id: CampaignId,
        /// Why.
        why: String,
    },
    /// A letter goes onto a connection.
    Started {
        /// The campaign.
        id: CampaignId,
        /// Whose letter.
        person: PersonId,
        /// The place by which they were invited.
        ordinal: u32,
        /// The address, hashed.
        address: u64,
    },
    /// A letter came to an end (or never began).
    Settled {
        /// The campaign.
        id: CampaignId,
        /// Whose letter.
        person: PersonId,
        /// The place by which they were invited.
        ordinal: u32,
        /// What it came to.
        settlement: Settlement,
    },
    /// A letter is tried again later.
    Deferred {
        /// The campaign.
        id: CampaignId,
        /// Whose letter.
        person: PersonId,
        /// The place by which they were invited.
        ordinal: u32,
        /// Not before this.
        until: Millis,
        /// The server's words, without addresses.
        reply: String,
    },
    /// Letters in doubt are given up.
    Dropped(CampaignId),
    /// Nobody is pending, started or deferred.
    Closed {
        /// The campaign.
        id: CampaignId,
    },
    /// Somebody whose letter has begun (or failed, or is in doubt) may not be mailed again.
    Noted {
        /// The campaign.
        id: CampaignId,
        /// Whose letter.
        person: PersonId,
        /// The place by which they were invited.
        ordinal: u32,
        /// Why.
        reason: Skip,
    },
}

/// A campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// What it is.
    pub header: Header,
    /// Where it is.
    pub status: Status,
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

    /// Letters not mailed, by reason, in the order of [`Skip::ALL`].
    #[must_use]
    pub fn skipped(&self) -> [u64; 9] {
        let mut skipped = self.ledger.counts().skipped;
        let ended = if self.status == Status::Expired { Skip::Expired } else { Skip::Canceled };
        for (reason, count) in Skip::ALL.iter().zip(&mut skipped) {
            if *reason == ended {
                *count += u64::from(self.unreached);
            }
        }
        skipped
    }

    /// Nobody is left to mail and nobody is on the wire. The count of those not handed over is not
    /// enough: who left and came back is in it no more, and yet is handed over once more.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let counts = self.ledger.counts();
        self.handed_over
            && self.uninvited == 0
            && counts.pending == 0
            && counts.started == 0
            && counts.deferred == 0
    }

    /// True while letters may start.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.status == Status::Sending
    }
}

/// How far housekeeping has come: of the campaigns made up to here, those that were closed when
/// it came by have let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// Of their ledger's index.
    folded: Option<(Millis, CampaignId)>,
    /// Of their ledger's rows.
    emptied: Option<(Millis, CampaignId)>,
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
}

impl Campaigns {
    /// No campaigns, with an overall rate and a retry schedule.
    #[must_use]
    pub fn new(rate: Option<Rate>, retry: Retry) -> Self {
        Self { rate, retry, ..Self::default() }
    }

    /// The counter of the last record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// How many campaigns are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True when none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A campaign.
    #[must_use]
    pub fn get(&self, id: CampaignId) -> Option<&Campaign> {
        self.all.get(&id)
    }

    /// A campaign, for the marks that are no records (cursors, invitations taken up).
    pub fn get_mut(&mut self, id: CampaignId) -> Option<&mut Campaign> {
        self.all.get_mut(&id)
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
    pub fn open_on(&self, list: &ListId) -> impl Iterator<Item = &Campaign> {
        let of_list = self.by_list.get(list).map(Vec::as_slice).unwrap_or_default();
        of_list.iter().filter_map(|id| self.all.get(id)).filter(|campaign| !campaign.status.is_closed())
    }

    /// What the overall pace says of one more letter.
    #[must_use]
    pub fn check_pace(&self, at: Millis) -> Go {
        self.pace.check(self.rate, at)
    }

    /// How deferred letters come back.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.retry
    }
}
