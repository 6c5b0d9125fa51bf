//! The vocabulary of campaigns: statuses, reasons, and the events that records hold.

use super::super::ids::{CampaignId, ListId, PersonId};
use super::super::outcome::Diagnostic;
use super::super::pace::Rate;
use super::super::shaping::RateCut;
use super::super::span::Span;
use super::super::time::{Day, Millis};

/// What a campaign is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignStatus {
    /// Waits for the time in its header.
    Scheduled,
    /// Waits for its list to fix the audience.
    Queued,
    /// Letters are going out.
    Sending,
    /// No letter starts until it is resumed.
    Paused,
    /// Every letter has come to an end. A later restock of the same day, a retry or a resend opens it again.
    Sent,
    /// Cannot run at all.
    Failed,
    /// Canceled by a request.
    Canceled,
    /// Its time passed while the engine was down, too long ago to start it now.
    Expired,
}

impl CampaignStatus {
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

    /// The word for it in JSON.
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

    /// Whether nothing more happens without a request or a restock.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Canceled | Self::Expired)
    }
}

/// Why a letter was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The person left the list.
    Left,
    /// The person wants no mail at all.
    Unsubscribed,
    /// The address is on the suppression list.
    Suppressed,
    /// The person was erased.
    Erased,
    /// The person has no address.
    NoEmail,
    /// The address was mailed by this campaign, or a while ago by another campaign for the same SKU.
    RecentlyNotified,
    /// The campaign was canceled.
    Canceled,
    /// The letter was deferred past its maximum age, or the campaign expired.
    Expired,
    /// No letter can be made for this person.
    Invalid,
}

impl SkipReason {
    /// All reasons, in their order in JSON.
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

    /// The word for it in JSON.
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

    /// Whether a later restock of the same day should look at the person again. Not for [`Left`](Self::Left):
    /// somebody who comes back takes a new place on the list and is invited anew.
    #[must_use]
    pub(crate) fn may_change(self) -> bool {
        matches!(self, Self::Unsubscribed | Self::Suppressed | Self::NoEmail | Self::RecentlyNotified)
    }
}

/// What is done about letters in doubt after a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InDoubtPolicy {
    /// Keep them in doubt and report them.
    #[default]
    Hold,
    /// Send them again, with the same Message-ID.
    Resend,
}

/// The settings of a campaign, fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub id: CampaignId,
    /// The idempotency key: the caller's, or the one that the restock rule makes of SKU and day.
    pub key: Option<String>,
    pub name: String,
    pub list: ListId,
    /// Made by the restock rule; only then the re-notify guard applies.
    pub rule: bool,
    /// The day of a rule campaign (UTC).
    pub day: Option<Day>,
    /// The template's key in the catalog.
    pub template: String,
    /// Properties for the template, as the text of a JSON object.
    pub props: String,
    /// The subject; `None`: the template's.
    pub subject: Option<String>,
    /// The sender; `None`: the configured one.
    pub from: Option<String>,
    pub on_doubt: InDoubtPolicy,
    /// The campaign's own rate, besides the overall one; `None`: no limit.
    pub rate: Option<Rate>,
    /// When it starts; `None`: at once.
    pub scheduled: Option<Millis>,
    /// The maximum age of its letters; `None`: the engine's setting.
    pub max_age: Option<Span>,
}

/// How a letter ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// A mail server accepted it.
    Sent,
    /// A mail server refused it for good.
    Failed { diagnostic: Diagnostic },
    /// It was not sent.
    Skipped(SkipReason),
    /// It was handed to a server, and no answer came.
    Doubt { diagnostic: Diagnostic },
}

/// Which letters of a closed or sent campaign become pending again, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReopenReason {
    /// A later restock on the same day: `added` more people join the audience, and people who were skipped
    /// for a passing reason are looked at again.
    Restock {
        /// The last place (ordinal) of the new audience.
        upto: u32,
        /// How many people it adds to the audience.
        added: u32,
    },
    /// The failed letters, by request.
    Failed,
    /// The letters in doubt, by request.
    Doubt,
}

/// What has happened to a campaign: the content of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignEvent {
    /// A campaign was requested. It waits for its time or, if that is now, for its list.
    Scheduled(Header),
    /// A campaign has its audience; a rule campaign begins with this.
    Opened {
        /// The settings of a rule campaign; `None` where an earlier record made the campaign.
        header: Option<Header>,
        id: CampaignId,
        /// The last place (ordinal) of the audience.
        upto: u32,
        /// How many people are in the audience.
        added: u32,
    },
    /// Letters become pending again.
    Reopened {
        id: CampaignId,
        reason: ReopenReason,
    },
    /// No more letters start.
    Paused(CampaignId),
    Resumed(CampaignId),
    /// Pending and deferred letters become skipped.
    Canceled(CampaignId),
    /// Its time had passed too long ago.
    Expired(CampaignId),
    /// It cannot run.
    Failed {
        id: CampaignId,
        /// Why, in words for the operator.
        why: String,
    },
    /// A letter is handed to a connection.
    Started {
        id: CampaignId,
        person: PersonId,
        /// The place (ordinal) by which the person was invited.
        ordinal: u32,
        /// The address, hashed for this campaign's duplicate check.
        address: u64,
        /// The provider's name, or the domain, if a limit of that provider counts this letter.
        provider: Option<String>,
    },
    /// A started letter came back before any server had seen it, so it does not count as started.
    Unstarted {
        id: CampaignId,
        person: PersonId,
        /// The place (ordinal) by which the person was invited.
        ordinal: u32,
        started: Millis,
        /// The provider that counted the start.
        provider: Option<String>,
        /// When it may be tried again.
        until: Millis,
        /// What happened, for the operator.
        diagnostic: Diagnostic,
    },
    /// A letter ended, or was skipped before it began.
    Settled {
        id: CampaignId,
        person: PersonId,
        /// The place (ordinal) by which the person was invited.
        ordinal: u32,
        settlement: Settlement,
    },
    /// A letter will be tried again later.
    Deferred {
        id: CampaignId,
        person: PersonId,
        /// The place (ordinal) by which the person was invited.
        ordinal: u32,
        /// When it may be tried again.
        until: Millis,
        /// What the server said.
        diagnostic: Diagnostic,
    },
    /// Letters in doubt are given up and count as failed.
    Dropped(CampaignId),
    /// No letter is left to send.
    Closed {
        id: CampaignId,
    },
    /// A person may no longer be mailed although a letter has begun, failed or is in doubt: it must not be
    /// tried again.
    RecipientExcluded {
        id: CampaignId,
        person: PersonId,
        /// The place (ordinal) by which the person was invited.
        ordinal: u32,
        reason: SkipReason,
    },
    /// The rate of a provider was cut, grew back by a step, or is no longer cut.
    Paced {
        /// The provider's name, the domain, or `relay` for the rate over all letters.
        provider: String,
        /// The cut from now on; `None`: the cut is over.
        cut: Option<RateCut>,
        /// The server's reply that led to a cut, with addresses removed.
        reply: Option<String>,
    },
    /// Housekeeping: a few old campaigns drop what is kept no longer.
    Swept,
}

impl CampaignEvent {
    /// Adds to the start of a letter the provider that counts it.
    #[must_use]
    pub(crate) fn counted_by(mut self, counted: Option<String>) -> Self {
        if let Self::Started { provider, .. } = &mut self {
            *provider = counted;
        }
        self
    }

    /// The campaign that the event is about, if it is about one.
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
            | Self::RecipientExcluded { id, .. } => Some(*id),
            Self::Paced { .. } | Self::Swept => None,
        }
    }
}
