//! What comes of a letter that left: its record, and what its provider's throttle learns from it.
//!
//! | outcome | the letter | the throttle |
//! |---|---|---|
//! | sent | settled | grows back by a step, if it was cut |
//! | no receiver saw it | it was no start: keeps its place, goes on the next connection | what was counted is given back |
//! | throttled | keeps its place and waits for the throttle | cut; the relay's own throttle where the fault is not the letter's |
//! | deferred | comes back by its own schedule | |
//! | failed, nobody reads it (5.1.1 …) | settled | the address is suppressed |
//! | failed, policy (5.7.x …) | settled | ten in a row count as a throttle |
//! | failed, else | settled | |
//! | failed, no receiver saw it: it cannot be made | it was no start, then settled | what was counted is given back |
//! | unknown | settled as doubt, or sent again | |
//!
//! The letter's record is written first: whatever a crash cuts off, the letter's end is not in doubt for it.

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
    /// A worker got no connection: the relay is tried again later, and slowed if it asked for that.
    pub(super) fn unconnected(&mut self, worker: usize, outcome: DeliveryOutcome, now: Tick) {
        let base_ms = self.campaigns.retry_base_ms();
        self.connections.unconnected(worker, &outcome, base_ms, now.at);
        if outcome.end == DeliveryResult::Throttled {
            self.cut(RELAY, &outcome.diagnostic, now);
        }
    }

    /// A letter came back.
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
        // On a connection that is still good the fault is elsewhere: the letter comes back by its schedule.
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
            // The relay let us in and said nothing to the letter.
            let base_ms = self.campaigns.retry_base_ms();
            self.connections.fails(&outcome.diagnostic, base_ms, at);
        }
        let held = self.campaigns.get(id).and_then(|campaign| campaign.ledger.find(person));
        let Some((row, ordinal)) = held.map(|(at_row, row)| (at_row, row.ordinal)) else { return };
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
                        // Whoever it was for is gone, or the campaign is over: that is its end.
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

    /// A letter was taken: its throttle may grow back by a step, and the next one goes.
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

    /// A letter came back before any receiver had seen it.
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

    /// A letter was sent back because somebody asks for less: its throttle, or the relay's.
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

    /// A letter was refused for good. Where nobody reads the address it takes no more mail; where the shop's own
    /// mail is refused the person is not held to it, and many such in a row slow the throttle.
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

    /// What a throttle now makes of a throttle.
    fn decide_cut(&self, throttle: ThrottleId, at: Millis) -> Option<RateCut> {
        let flow = &self.queues.get(throttle).flow;
        self.queues.throttle(self.campaigns.shaping(), throttle).decide_cut(flow, at)
    }

    /// Cuts a throttle, unless it is cut already for what was in flight.
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

    /// A letter was accepted: a throttle that was cut may grow back by a step.
    fn grow(&mut self, throttle: ThrottleId, now: Tick) {
        let grown = self.queues.throttle(self.campaigns.shaping(), throttle).decide_growth(now.at);
        if let Some(cut) = grown {
            self.pace(throttle, cut, None, now);
        }
    }

    /// A campaign that is done, or has letters that fall due, is looked at.
    fn goes_on(&mut self, id: CampaignId, now: Tick) {
        let done = self.campaigns.get(id).is_some_and(super::super::campaign::Campaign::is_done);
        let due = || self.runs.get(&id).is_some_and(|run| run.backlog.next_due().is_some());
        if done || due() {
            self.feed(id, now);
        }
    }

    /// True when the campaign sends letters in doubt again.
    fn resends(&self, id: CampaignId) -> bool {
        self.campaigns.get(id).is_some_and(|campaign| campaign.header.on_doubt == InDoubtPolicy::Resend)
    }

    /// Where a letter is.
    fn state(&self, id: CampaignId, row: u32) -> Option<LetterState> {
        self.campaigns.get(id)?.ledger.row(row).map(|row| row.state)
    }
}
