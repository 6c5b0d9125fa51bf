//! The words of campaigns: statuses, reasons, and all that can have happened to them.

use super::super::ids::{CampaignId, ListId, PersonId};
use super::super::outcome::Diagnostic;
use super::super::pace::Rate;
use super::super::shaping::RateCut;
use super::super::span::Span;
use super::super::time::{Day, Millis};

/// Where a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignStatus {
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

impl CampaignStatus {
    /// All statuses.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Queued,
        Self::Sending,
        Self::Paused,
        Self::Sent,
        Self::Failed,
        Self::Canceled,
        Self::Expired,
    ];

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
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

impl SkipReason {
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
    pub(crate) fn may_change(self) -> bool {
        matches!(self, Self::Unsubscribed | Self::Suppressed | Self::NoEmail | Self::RecentlyNotified)
    }
}

/// What becomes of letters in doubt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InDoubtPolicy {
    /// Hold and report.
    #[default]
    Hold,
    /// Send again, with the same Message-ID.
    Resend,
}

/// What a campaign is, fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub on_doubt: InDoubtPolicy,
    /// Its own pace.
    pub rate: Option<Rate>,
    /// When it starts, if not at once.
    pub scheduled: Option<Millis>,
    /// How old its letters may become, if not as old as any.
    pub max_age: Option<Span>,
}

/// What a letter came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Accepted by a mail server.
    Sent,
    /// Refused for good.
    Failed {
        /// What was said.
        diagnostic: Diagnostic,
    },
    /// Not mailed.
    Skipped(SkipReason),
    /// Sent off, outcome unknown.
    Doubt {
        /// What is known.
        diagnostic: Diagnostic,
    },
}

/// Why closed letters become pending again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReopenReason {
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
        again: ReopenReason,
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
        /// The provider's name, or the domain, where a limit of it counts the letter.
        provider: Option<String>,
    },
    /// A letter that was started came back before any receiver had seen it: it was no start.
    Unstarted {
        /// The campaign.
        id: CampaignId,
        /// Whose letter.
        person: PersonId,
        /// The place by which they were invited.
        ordinal: u32,
        /// When it was started.
        started: Millis,
        /// The provider that its start was counted against.
        provider: Option<String>,
        /// Not before this.
        until: Millis,
        /// What happened.
        diagnostic: Diagnostic,
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
        /// What was said.
        diagnostic: Diagnostic,
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
        reason: SkipReason,
    },
    /// A provider's rate was cut, grew back by a step, or is as it was.
    Paced {
        /// The provider's name, the domain, or `relay` for all letters.
        provider: String,
        /// The rate from now on; `None` for no cut any more.
        cut: Option<RateCut>,
        /// The server's words that led to it, without addresses.
        reply: Option<String>,
    },
    /// Housekeeping came by: what is older than is kept is let go, a few campaigns at a time.
    Swept,
}

impl CampaignEvent {
    /// The start of a letter, with the provider that counts it.
    #[must_use]
    pub(crate) fn counted_by(mut self, counted: Option<String>) -> Self {
        if let Self::Started { provider, .. } = &mut self {
            *provider = counted;
        }
        self
    }

    /// The campaign that it is about, if it is about one.
    #[must_use]
    pub(crate) fn campaign(&self) -> Option<CampaignId> {
        match self {
            Self::Scheduled(header) => Some(header.id),
            Self::Paused(id)
            | Self::Resumed(id)
            | Self::Canceled(id)
            | Self::Expired(id)
            | Self::Dropped(id)
            | Self::Opened { id, .. }
            | Self::Reopened { id, .. }
            | Self::Failed { id, .. }
            | Self::Started { id, .. }
            | Self::Unstarted { id, .. }
            | Self::Settled { id, .. }
            | Self::Deferred { id, .. }
            | Self::Closed { id }
            | Self::Noted { id, .. } => Some(*id),
            Self::Paced { .. } | Self::Swept => None,
        }
    }
}
