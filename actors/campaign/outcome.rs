//! What comes of a letter that left: its record, and what its provider's lane learns from it.
//!
//! | end | the letter | the lane |
//! |---|---|---|
//! | sent | settled | grows back by a step, if it was cut |
//! | throttled | keeps its place and waits for the lane | cut; the relay's own lane where no receiver saw the letter |
//! | deferred | comes back by its own schedule | |
//! | failed, nobody reads it (5.1.1 …) | settled | the address is suppressed |
//! | failed, policy (5.7.x …) | settled | ten in a row count as a throttle |
//! | failed, else | settled | |
//! | unknown | in doubt, or sent again | |
//!
//! The letter's record is written first: whatever a crash cuts off, the letter's end is not in doubt for it.

use super::super::directory::DirectoryMessage;
use super::lanes::Flight;
use super::*;
use crate::domain::campaign::{LetterState, OnDoubt, Settlement};
use crate::domain::directory::Ask;
use crate::domain::outcome::{Diagnostic, End, Outcome};
use crate::domain::shaping::{Cut, Lane, LaneId, RELAY};
use crate::domain::status::Class;

impl CampaignState {
    /// A letter goes onto a connection: its record, with the provider where a limit counts it.
    pub(super) fn departs(
        &mut self,
        event: CampaignEvent,
        courier: usize,
        flight: Flight,
        at: Millis,
    ) -> CampaignEvent {
        let shaping = self.campaigns.shaping_mut();
        let counted = shaping.lane(flight.lane).filter(|lane| lane.remembers());
        let (event, counted) = match counted {
            Some(lane) => (event.counted_by(&lane.name), true),
            None => (event, false),
        };
        shaping.departs(flight.lane, counted, at);
        if let Some(slot) = self.flights.get_mut(courier) {
            *slot = flight;
        }
        event
    }

    /// A letter came back.
    pub(super) fn delivered(&mut self, context: &Context, back: Delivered) {
        let at = context.clock.now();
        self.idle.push(back.courier);
        let flight = self.flights.get(back.courier).copied().unwrap_or_default();
        let sent = back.outcome.end == End::Sent;
        self.campaigns.shaping_mut().returns(flight.lane, sent);
        self.lines.look_at(flight.lane, at);
        let (id, person) = (back.campaign, back.person);
        let Some((at_row, row)) = self.campaigns.get(id).and_then(|c| c.ledger.find(person)) else { return };
        let ordinal = row.ordinal;
        let settled = |settlement| CampaignEvent::Settled { id, person, ordinal, settlement };
        let seen = back.outcome.is_seen();
        let Outcome { end, diagnostic, .. } = back.outcome;
        let event = match end {
            End::Sent => {
                return self.sent(context, (id, person), &settled(Settlement::Sent), flight.lane, at);
            }
            End::Failed => {
                let failed = Settlement::Failed { diagnostic: diagnostic.clone() };
                self.write(context, &settled(failed), at, None);
                self.refused(context, person, flight, diagnostic, at);
                return self.goes_on(context, id);
            }
            End::Unknown if self.resends(id) => self.campaigns.decide_deferral(id, person, diagnostic, at),
            End::Unknown => settled(Settlement::Doubt { diagnostic }),
            End::Throttled => {
                let asks = if seen { flight.lane } else { RELAY };
                self.throttled(context, (id, person, at_row), flight.lane, asks, diagnostic, at);
                return self.goes_on(context, id);
            }
            End::Deferred => self.campaigns.decide_deferral(id, person, diagnostic, at),
        };
        self.write(context, &event, at, None);
        self.goes_on(context, id);
    }

    /// A letter was taken: its lane may grow back by a step, and the next one goes.
    fn sent(
        &mut self,
        context: &Context,
        (id, person): (CampaignId, PersonId),
        event: &CampaignEvent,
        lane: LaneId,
        at: Millis,
    ) {
        if context.settings.leave_after_send {
            self.write(context, event, at, None);
            self.leave_list(context, id, person);
        } else {
            self.write_along(context, event, at);
        }
        self.grow(context, lane, at);
        self.grow(context, RELAY, at);
        self.goes_on(context, id);
    }

    /// A letter was sent back because somebody asks for less: its lane, or the relay's.
    fn throttled(
        &mut self,
        context: &Context,
        (id, person, row): (CampaignId, PersonId, u32),
        lane: LaneId,
        asks: LaneId,
        diagnostic: Diagnostic,
        at: Millis,
    ) {
        let shaping = self.campaigns.shaping();
        let cut = shaping.lane(asks).and_then(|lane| lane.decide_cut(at));
        let shut = [lane, RELAY].into_iter().filter_map(|lane| shaping.lane(lane)?.shut_until());
        let opens = shut.chain(cut.map(|cut| cut.until)).max().unwrap_or(at).max(at);
        let words = diagnostic.to_string();
        let event = self.campaigns.decide_throttled(id, person, diagnostic, opens, at);
        let keeps = matches!(&event, CampaignEvent::Deferred { until, .. } if *until == opens);
        self.write(context, &event, at, None);
        if let Some(cut) = cut {
            self.pace(context, asks, Some(cut), Some(words), at);
        }
        let state = self.campaigns.get(id).and_then(|campaign| campaign.ledger.row(row)).map(|row| row.state);
        if keeps && state == Some(LetterState::Deferred) {
            self.keeps_place(id, row, lane, at);
        }
    }

    /// A letter was refused for good. Where nobody reads the address it takes no more mail; where the shop's own
    /// mail is refused the person is not held to it, and many such in a row slow the lane.
    fn refused(
        &mut self,
        context: &Context,
        person: PersonId,
        flight: Flight,
        diagnostic: Diagnostic,
        at: Millis,
    ) {
        match diagnostic.class() {
            Some(Class::HardBounce) if flight.address != 0 => {
                let ask = Ask::Bounced(person, flight.address, diagnostic);
                // Nobody waits for it; after a crash the next letter to the address says it again.
                context.tell(DirectoryMessage::Ask(vec![ask], Arc::default(), Part::new(|_| ())));
            }
            Some(Class::Policy) => {
                let lane = self.campaigns.shaping_mut().lane_mut(flight.lane);
                let many = lane.is_some_and(Lane::refuses);
                let cut = self.campaigns.shaping().lane(flight.lane).and_then(|lane| lane.decide_cut(at));
                if let Some(cut) = cut.filter(|_| many) {
                    self.pace(context, flight.lane, Some(cut), Some(diagnostic.to_string()), at);
                }
            }
            _ => {}
        }
    }

    /// Records and applies a change of a lane's cut.
    fn pace(&mut self, context: &Context, lane: LaneId, cut: Option<Cut>, reply: Option<String>, at: Millis) {
        let Some(lane) = self.campaigns.shaping().lane(lane) else { return };
        let provider = lane.name.to_string();
        if reply.is_some() {
            let per_minute = cut.map(|cut| cut.rate);
            // A domain may be one person's.
            let shown = if provider.contains('.') { "another" } else { &provider };
            tracing::warn!(mail.provider = shown, per_minute, "a provider asks for less; its mail is slowed");
        }
        self.write(context, &CampaignEvent::Paced { provider, cut, reply }, at, None);
    }

    /// A letter was accepted: a lane that was cut may grow back by a step.
    fn grow(&mut self, context: &Context, lane: LaneId, at: Millis) {
        let grown = self.campaigns.shaping().lane(lane).and_then(|lane| lane.decide_growth(at));
        if let Some(cut) = grown {
            self.pace(context, lane, cut, None, at);
        }
    }

    /// A campaign that is done, or has letters that fall due, is looked at.
    fn goes_on(&mut self, context: &Context, id: CampaignId) {
        let looks = |c: &crate::domain::campaign::Campaign| c.is_done() || c.ledger.next_due().is_some();
        if self.campaigns.get(id).is_some_and(looks) {
            self.feed(context, id);
        }
    }

    /// True when the campaign sends letters in doubt again.
    fn resends(&self, id: CampaignId) -> bool {
        self.campaigns.get(id).is_some_and(|campaign| campaign.header.on_doubt == OnDoubt::Resend)
    }
}
