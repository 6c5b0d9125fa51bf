//! Whether a letter may start: all conditions in one place, each with its reason.
//!
//! | what must hold | if not |
//! |---|---|
//!  the engine is not stopping | no letter starts |
//!  the log has room for the record | no letter starts; checked again in a second |
//!  the overall rate allows one more | no letter starts until then |
//!  the relay has not asked for less | no letter starts until then |
//!  a worker is free | no letter starts until one is |
//!  the campaign is sending | its letters wait until it goes on |
//!  the campaign's own rate allows one more | the campaign waits until then |
//!  the row is pending, or deferred and due | the letter is dropped here: it was settled meanwhile |
//!  nothing speaks against the person: left, unsubscribed, suppressed, erased, no address | skipped with that reason |
//!  a deferred letter is within its campaign's maximum age | skipped as expired |
//!  neither the address in this campaign nor the person lately was mailed | skipped as recently notified |
//!  no earlier letter of the campaign waits for the same provider | set aside behind it |
//!  the provider's throttle is open: connections, cut, ceiling, rate | set aside until it opens; if the provider is not known to be slow, it stays at hand for a moment |
//!  the campaign's template renders | the template is tried first |
//!  a connection is past its greeting and has answered within a second | a connection is asked for |
//!
//! The first condition that fails counts. A new condition is one more line here.

use super::super::campaign::{CampaignEvent, NextLetter, SkipReason};
use super::super::email::Email;
use super::super::ids::CampaignId;
use super::super::pace::RateDecision;
use super::super::shaping::{RELAY, ThrottleDecision, ThrottleId};
use super::super::time::Millis;
use super::input::{Recipient, Tick};
use super::run::Template;
use super::{Scheduler, Stopping};

/// Why a letter does not start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// The engine is stopping.
    Stopping,
    /// The disk is full.
    DiskFull,
    /// The overall rate.
    Pace,
    /// The relay has asked for less.
    Relay,
    /// The campaign is paused or over.
    NotSending,
    /// The campaign's own rate.
    CampaignPace,
    /// An earlier letter waits for the same provider.
    Order,
    /// The provider's connections are taken, or its rate or a cut says later.
    Provider,
    /// The provider's ceiling of the day is reached.
    Ceiling,
    /// The template was not tried yet.
    Template,
    /// No connection is past its greeting.
    Connection,
}

impl HoldReason {
    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::DiskFull => "disk_full",
            Self::Pace => "pace",
            Self::Relay => "relay",
            Self::NotSending => "not_sending",
            Self::CampaignPace => "campaign_pace",
            Self::Order => "order",
            Self::Provider => "provider",
            Self::Ceiling => "daily_ceiling",
            Self::Template => "template",
            Self::Connection => "no_connection",
        }
    }
}

/// The letters that a condition keeps from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HoldScope {
    All,
    /// Every letter of the campaign.
    Campaign,
    /// Every letter of the campaign to this provider.
    Provider(ThrottleDecision),
}

/// Whether a letter may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may: with this record, to this address, on the connection of this worker.
    Start(CampaignEvent, Email, usize),
    /// It must not be sent: record this event.
    Skip(CampaignEvent),
    /// It need not be looked at any more: settled or put off meanwhile.
    Gone,
    /// It may not start now.
    Wait {
        /// The letters that have to wait for the same reason.
        scope: HoldScope,
        reason: HoldReason,
        /// When to check again, if that is known.
        until: Option<Millis>,
    },
}

impl Scheduler {
    /// Whether this letter, the campaign's next one, may start. Changes nothing.
    pub(super) fn may_start(
        &self,
        id: CampaignId,
        next: &Recipient,
        throttle: ThrottleId,
        now: Tick,
    ) -> Admission {
        let wait = |scope, reason, until| Admission::Wait { scope, reason, until };
        if let Some((reason, until)) = self.holds_all(now) {
            return wait(HoldScope::All, reason, until);
        }
        if !self.connections.has_free() {
            // The next letter goes as soon as any letter comes back, so none is set aside for this.
            return wait(HoldScope::All, HoldReason::Connection, None);
        }
        let campaign = self.campaigns.get(id).filter(|campaign| campaign.is_sending());
        let (Some(campaign), Some(run)) = (campaign, self.runs.get(&id)) else {
            return wait(HoldScope::Campaign, HoldReason::NotSending, None);
        };
        if let RateDecision::At(then) = campaign.pace.check(campaign.header.rate, now.at) {
            return wait(HoldScope::Campaign, HoldReason::CampaignPace, Some(then));
        }
        let undeliverable =
            next.undeliverable.or_else(|| next.email.is_none().then_some(SkipReason::NoEmail));
        let (address, renotify) = (next.address as u64, self.setup.renotify_ms);
        let event = match self.campaigns.decide_letter(id, next.row, undeliverable, address, renotify, now.at)
        {
            NextLetter::Start(event) => event,
            NextLetter::Skip(event) => return Admission::Skip(event),
            NextLetter::Gone => return Admission::Gone,
        };
        let shaping = self.campaigns.shaping();
        let gate = self.queues.check(shaping, throttle, now.at);
        if run.held_rows.overtakes(throttle, next.row) {
            return wait(HoldScope::Provider(gate), HoldReason::Order, gate.opens());
        }
        match gate {
            ThrottleDecision::Open => {}
            ThrottleDecision::Ceiling(then) => {
                return wait(HoldScope::Provider(gate), HoldReason::Ceiling, Some(then));
            }
            ThrottleDecision::Full if let Some(soon) = self.queues.soon(shaping, throttle, now.at) => {
                return wait(HoldScope::Campaign, HoldReason::Provider, Some(soon));
            }
            ThrottleDecision::At(_) | ThrottleDecision::Full => {
                return wait(HoldScope::Provider(gate), HoldReason::Provider, gate.opens());
            }
        }
        if run.template != Template::Good {
            return wait(HoldScope::Campaign, HoldReason::Template, None);
        }
        match (self.connections.fresh(now.at), next.email.clone()) {
            (Some(worker), Some(email)) => Admission::Start(event, email, worker),
            _ => wait(HoldScope::All, HoldReason::Connection, self.connections.shut_until(now.at)),
        }
    }

    /// The reason that keeps every letter from starting, if there is one, and until when.
    pub(super) fn holds_all(&self, now: Tick) -> Option<(HoldReason, Option<Millis>)> {
        if self.stopping != Stopping::No {
            return Some((HoldReason::Stopping, None));
        }
        if !now.room {
            return Some((HoldReason::DiskFull, Some(now.at.plus(ROOM_LOOK_MS))));
        }
        if let RateDecision::At(then) = self.campaigns.check_pace(now.at) {
            return Some((HoldReason::Pace, Some(then)));
        }
        match self.queues.check(self.campaigns.shaping(), RELAY, now.at) {
            ThrottleDecision::Open => None,
            gate => Some((HoldReason::Relay, gate.opens())),
        }
    }
}

/// How long to wait before checking again whether the disk has room.
const ROOM_LOOK_MS: u64 = 1000;
