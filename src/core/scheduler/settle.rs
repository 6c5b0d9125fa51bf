//! What follows when a letter comes back: its record, and the change to its provider's throttle.
//!
//!  outcome | the letter | the throttle |
//! ---|---|---|
//!  sent | settled | grows by a step, if it was cut |
//!  no server saw it | did not start: keeps its place, goes on the next connection | the counted start is taken back |
//!  throttled | keeps its place and waits for the throttle | cut; the relay's throttle if the letter is not at fault |
//!  deferred | comes back by its own schedule | |
//!  failed, nobody reads it (5.1.1 …) | settled | the address is suppressed |
//!  failed, policy (5.7.x …) | settled | ten in a row cut it |
//!  failed, else | settled | |
//!  failed, no server saw it: it cannot be made | did not start, then settled | the counted start is taken back |
//!  unknown | settled as in doubt, or sent again | |
//! The letter's record is written first, so a crash in between cannot put the letter in doubt.

use super::super::campaign::{CampaignEvent, InDoubtPolicy, LetterState, Settlement};
use super::super::ids::{CampaignId, PersonId};
use super::super::outcome::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource};
use super::super::shaping::{RELAY, RateCut, ThrottleId};
use super::super::status::BounceClass;
use super::super::time::Millis;
use super::Scheduler;
use super::connections::Flight;
use super::input::{Effect, Notice, Tick};
use super::pump::shown;

impl Scheduler {
    /// A worker got no connection. The relay is tried again later, and its throttle cut if it asked for less.
    pub(super) fn unconnected(&mut self, worker: usize, outcome: DeliveryOutcome, now: Tick) {
        let base_ms = self.campaigns.retry_base_ms();
        self.connections.unconnected(worker, &outcome, base_ms, now.at);
        if outcome.end == DeliveryResult::Throttled {
            self.cut(RELAY, &outcome.diagnostic, now);
        }
    }

    pub(super) fn delivered(
        &mut self,
        worker: usize,
        (id, person): (CampaignId, PersonId),
        outcome: DeliveryOutcome,
        connected: bool,
        now: Tick,
    ) {
        let at = now.at;
        let Some((flight, first)) = self.connections.returns(worker, connected, at) else { return };
        // If the connection is still good, the fault is elsewhere and the letter comes back by its schedule.
        let deferred = matches!(outcome.end, DeliveryResult::Deferred | DeliveryResult::Throttled);
        let unseen = deferred && !connected && !outcome.is_seen();
        let unmade = outcome.end == DeliveryResult::Failed && !outcome.is_seen();
        self.queues.returns(
            flight.throttle,
            flight.at,
            outcome.end == DeliveryResult::Sent,
            !(unseen || unmade),
            at,
        );
        self.queues.look_at(flight.throttle, at);
        if outcome.is_seen() {
            self.connections.answered();
        } else if unseen && first {
            // The relay accepted the connection but did not answer the letter.
            let base_ms = self.campaigns.retry_base_ms();
            self.connections.fails(&outcome.diagnostic, base_ms, at);
        }
        let found = self.campaigns.get(id).and_then(|campaign| campaign.ledger.find(person));
        let Some((row, ordinal)) = found.map(|(at_row, row)| (at_row, row.ordinal)) else { return };
        let diagnostic = outcome.diagnostic;
        let settled = |settlement| CampaignEvent::Settled { id, person, ordinal, settlement };
        match outcome.end {
            DeliveryResult::Sent => {
                return self.sent(id, person, settled(Settlement::Sent), flight.throttle, now);
            }
            DeliveryResult::Failed => {
                if unmade {
                    let (started, provider) = (flight.at, flight.provider.clone());
                    let (until, diagnostic) = (at, diagnostic.clone());
                    let none = CampaignEvent::Unstarted {
                        id,
                        person,
                        ordinal,
                        started,
                        provider,
                        until,
                        diagnostic,
                    };
                    self.record(none, now, false);
                    if self.state(id, row) != Some(LetterState::Deferred) {
                        // The person is gone or the campaign is over, so the letter has ended already.
                        return self.goes_on(id, now);
                    }
                }
                let settlement = Settlement::Failed { diagnostic: diagnostic.clone() };
                self.record(settled(settlement), now, false);
                self.refused(person, &flight, diagnostic, now);
            }
            DeliveryResult::Unknown if self.resends(id) => {
                let event = self.campaigns.decide_deferral(id, person, diagnostic, at);
                self.record(event, now, false);
            }
            DeliveryResult::Unknown => self.record(settled(Settlement::Doubt { diagnostic }), now, false),
            DeliveryResult::Deferred | DeliveryResult::Throttled if unseen => {
                if outcome.end == DeliveryResult::Throttled {
                    self.cut(RELAY, &diagnostic, now);
                }
                self.undo_start(id, person, row, flight, diagnostic, now);
            }
            DeliveryResult::Throttled => self.throttled((id, person, row), flight.throttle, diagnostic, now),
            DeliveryResult::Deferred => {
                let event = self.campaigns.decide_deferral(id, person, diagnostic, at);
                self.record(event, now, false);
            }
        }
        self.goes_on(id, now);
    }

    /// A letter was taken: its throttle may grow by a step, and the next letter may go.
    fn sent(
        &mut self,
        id: CampaignId,
        person: PersonId,
        event: CampaignEvent,
        throttle: ThrottleId,
        now: Tick,
    ) {
        let rule = self.campaigns.get(id).filter(|campaign| campaign.header.rule);
        let leaves =
            rule.filter(|_| self.setup.leave_after_send).map(|campaign| campaign.header.list.clone());
        self.record_along(event, now);
        if let Some(list) = leaves {
            self.effects.push(Effect::Leave { person, list });
        }
        self.grow(throttle, now);
        self.grow(RELAY, now);
        self.goes_on(id, now);
    }

    /// A letter came back before any server had seen it.
    fn undo_start(
        &mut self,
        id: CampaignId,
        person: PersonId,
        row: u32,
        flight: Flight,
        diagnostic: Diagnostic,
        now: Tick,
    ) {
        let event =
            self.campaigns.decide_unstarted(id, person, (flight.at, flight.provider), diagnostic, now.at);
        let at_once = matches!(&event, CampaignEvent::Unstarted { until, .. } if *until <= now.at);
        self.record(event, now, false);
        if at_once && self.state(id, row) == Some(LetterState::Deferred) {
            self.keeps_place(id, row, flight.throttle, now.at);
        }
    }

    /// A letter came back because a server asks for less: cuts its provider's throttle, or the relay's.
    fn throttled(
        &mut self,
        (id, person, row): (CampaignId, PersonId, u32),
        throttle: ThrottleId,
        diagnostic: Diagnostic,
        now: Tick,
    ) {
        let at = now.at;
        let asks = if diagnostic.fault == FaultSource::Letter { throttle } else { RELAY };
        let cut = self.decide_cut(asks, at);
        let shut = [throttle, RELAY]
            .map(|throttle| self.queues.throttle(self.campaigns.shaping(), throttle).shut_until());
        let opens = shut.into_iter().flatten().chain(cut.map(|cut| cut.until)).max().unwrap_or(at).max(at);
        let words = diagnostic.to_string();
        let event = self.campaigns.decide_throttled(id, person, diagnostic, opens, at);
        let keeps = matches!(&event, CampaignEvent::Deferred { until, .. } if *until == opens);
        self.record(event, now, false);
        if let Some(cut) = cut {
            self.pace(asks, Some(cut), Some(words), now);
        }
        if keeps && self.state(id, row) == Some(LetterState::Deferred) {
            self.keeps_place(id, row, throttle, at);
        }
    }

    /// A letter was refused for good. If nobody reads the address, it is suppressed. If the shop's mail as
    /// such is refused, that is not held against the person, and ten in a row cut the throttle.
    fn refused(&mut self, person: PersonId, flight: &Flight, diagnostic: Diagnostic, now: Tick) {
        match diagnostic.class() {
            Some(BounceClass::HardBounce) if flight.address != 0 => {
                self.effects.push(Effect::Bounced { person, address: flight.address, diagnostic });
            }
            Some(BounceClass::Policy) if self.queues.refuses(flight.throttle) => {
                self.cut(flight.throttle, &diagnostic, now);
            }
            _ => {}
        }
    }

    /// The cut that follows from a request for less; `None` during a pause.
    fn decide_cut(&self, throttle: ThrottleId, at: Millis) -> Option<RateCut> {
        let flow = &self.queues.get(throttle).flow;
        self.queues.throttle(self.campaigns.shaping(), throttle).decide_cut(flow, at)
    }

    /// Cuts a throttle, unless it is in a pause already.
    fn cut(&mut self, throttle: ThrottleId, said: &Diagnostic, now: Tick) {
        if let Some(cut) = self.decide_cut(throttle, now.at) {
            self.pace(throttle, Some(cut), Some(said.to_string()), now);
        }
    }

    /// Records a change of a throttle's cut.
    fn pace(&mut self, throttle: ThrottleId, cut: Option<RateCut>, reply: Option<String>, now: Tick) {
        let provider = self.queues.get(throttle).name.to_string();
        if reply.is_some() {
            let per_minute = cut.map(|cut| cut.rate);
            self.effects.push(Effect::Say(Notice::Slowed { provider: shown(&provider), per_minute }));
        }
        self.record(CampaignEvent::Paced { provider, cut, reply }, now, false);
    }

    /// A letter was accepted: a throttle that was cut may grow by a step.
    fn grow(&mut self, throttle: ThrottleId, now: Tick) {
        let grown = self.queues.throttle(self.campaigns.shaping(), throttle).decide_growth(now.at);
        if let Some(cut) = grown {
            self.pace(throttle, cut, None, now);
        }
    }

    /// Has a campaign looked at that may be done or has letters due.
    fn goes_on(&mut self, id: CampaignId, now: Tick) {
        let done = self.campaigns.get(id).is_some_and(super::super::campaign::Campaign::is_done);
        let due = || self.runs.get(&id).is_some_and(|run| run.backlog.next_due().is_some());
        if done || due() {
            self.feed(id, now);
        }
    }

    /// Whether the campaign sends letters in doubt again.
    fn resends(&self, id: CampaignId) -> bool {
        self.campaigns.get(id).is_some_and(|campaign| campaign.header.on_doubt == InDoubtPolicy::Resend)
    }

    /// The state of a letter.
    fn state(&self, id: CampaignId, row: u32) -> Option<LetterState> {
        self.campaigns.get(id)?.ledger.row(row).map(|row| row.state)
    }
}
