//! Starts letters as long as [`may_start`](Scheduler::may_start) lets one go, round-robin over the campaigns, and sees to
//! what those that may not go wait for: their provider, a connection, a time.
//!
//! A letter whose provider is shut is put back to its row number and its campaign joins the provider's queue. When that
//! opens (its time has come, a letter of it has come back), the campaigns of the queue have their first rows fetched
//! anew, as many as there is room for. So neither window nor connections are taken by who cannot go.

use std::collections::BTreeSet;

use super::super::campaign::Campaign;
use super::super::email::Email;
use super::super::ids::CampaignId;
use super::super::shaping::{OTHERS, Shaping, ThrottleDecision, ThrottleId};
use super::super::time::Millis;
use super::connections::Flight;
use super::input::{Effect, Notice, Recipient, Start, Tick};
use super::queues::LOOK_MS;
use super::run::{Run, Template};
use super::start::{Admission, HoldReason, HoldScope};
use super::{CampaignEvent, Scheduler, Stopping};

/// One part of the window in so many is kept for letters that were set aside.
const WINDOW_PARTS: usize = 4;

/// How much of a window the letters may take that were not set aside, when some were.
pub(super) fn common_part(window: usize) -> usize {
    (window - window / WINDOW_PARTS).max(1)
}

impl Scheduler {
    /// Starts what may start.
    pub(super) fn pump(&mut self, now: Tick) {
        if self.stopping == Stopping::No && now.room {
            // First, so that those who waited are not passed by whoever is at hand.
            self.recall(now);
        }
        let mut until: Option<Millis> = None;
        let mut resting = 0;
        while resting < self.ready.len() {
            let Some(id) = self.ready.front().copied() else { break };
            let Some(throttle) = self.lane_of_next(id, now.at) else {
                // Nothing at hand: it stands in line until it was looked after, so that it does so once.
                self.ready.pop_front();
                self.feed(id, now);
                self.leave_line(id);
                continue;
            };
            let Some(next) = self.runs.get(&id).and_then(Run::front) else { break };
            match self.may_start(id, next, throttle, now) {
                Admission::Start(event, email, worker) => {
                    resting = 0;
                    self.ready.rotate_left(1);
                    self.start(id, (event, email, worker), throttle, now);
                }
                Admission::Skip(event) => {
                    self.drop_next(id, now.at);
                    self.record(event, now, false);
                }
                Admission::Gone => self.drop_next(id, now.at),
                Admission::Wait { scope: HoldScope::Provider(gate), reason, .. } => {
                    self.set_aside(id, throttle, gate, reason, now.at);
                }
                Admission::Wait { scope: HoldScope::Campaign, reason, until: then } => {
                    if then.is_some() {
                        until = earliest(until, then);
                        self.ready.rotate_left(1);
                        resting += 1;
                    } else {
                        // It comes back when it goes on, or when its template was tried.
                        self.ready.pop_front();
                        self.leave_line(id);
                        if reason == HoldReason::Template {
                            self.try_template(id);
                        }
                    }
                }
                Admission::Wait { scope: HoldScope::All, reason, until: then } => {
                    until = earliest(until, then);
                    if reason == HoldReason::Connection {
                        self.connect(now.at);
                    }
                    break;
                }
            }
        }
        let all = self.holds_all(now);
        until = earliest(until, all.and_then(|(_, then)| then));
        if all.is_none() && self.connections.has_free() {
            // Whoever was found not to go has let the next one of their provider have a turn.
            self.recall(now);
        }
        if self.stopping == Stopping::No && now.room {
            until = earliest(until, self.queues.soonest());
        }
        self.queues.alarm = until;
    }

    /// The throttle of a campaign's next letter; `None` where nothing is at hand.
    fn lane_of_next(&mut self, id: CampaignId, at: Millis) -> Option<ThrottleId> {
        let next = self.runs.get(&id)?.front()?;
        if let Some(provider) = next.provider {
            return Some(Shaping::named(provider));
        }
        let Some(domain) = next.email.as_ref().map(Email::domain) else { return Some(OTHERS) };
        if let Some(known) = self.queues.find(domain) {
            return Some(known);
        }
        if self.queues.is_tight(at) {
            let held_rows: BTreeSet<ThrottleId> =
                self.runs.values().flat_map(|run| run.held_rows.throttles()).collect();
            self.queues.sweep(&held_rows, at);
        }
        Some(self.queues.open(self.campaigns.shaping(), domain))
    }

    /// A letter goes onto a worker's connection.
    fn start(
        &mut self,
        id: CampaignId,
        (event, email, worker): (CampaignEvent, Email, usize),
        throttle: ThrottleId,
        now: Tick,
    ) {
        let Some(recipient) = self.take_next(id, now.at) else { return };
        let remembers = self.queues.throttle(self.campaigns.shaping(), throttle).remembers();
        let counted = remembers.then(|| self.queues.get(throttle).name.to_string());
        let event = event.counted_by(counted.clone());
        let address = recipient.address;
        self.queues.letter_started(throttle, now.at);
        self.connections.letter_started(worker, Flight { throttle, address, provider: counted, at: now.at });
        self.apply(&event, now);
        let letter = Box::new(Start { campaign: id, worker, recipient, email, date: now.at });
        self.effects.push(Effect::Start { seq: self.campaigns.seq(), event, letter });
        self.low(id, now);
    }

    /// Takes a campaign's next letter: it waits no more, and the next one of its provider may.
    fn take_next(&mut self, id: CampaignId, at: Millis) -> Option<Recipient> {
        let run = self.runs.get_mut(&id)?;
        let next = run.take_front()?;
        if let Some(throttle) = run.held_rows.take(next.row) {
            self.queues.look_at(throttle, at);
        }
        Some(next)
    }

    /// A campaign's next letter is found not to go.
    fn drop_next(&mut self, id: CampaignId, at: Millis) {
        self.take_next(id, at);
    }

    /// A campaign stands in line no more.
    fn leave_line(&mut self, id: CampaignId) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.in_line = false;
        }
    }

    /// The campaign's first letter is at hand: its template is tried with it.
    fn try_template(&mut self, id: CampaignId) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| run.template == Template::Untried) else {
            return;
        };
        let Some(first) = run.front().cloned() else { return };
        run.template = Template::Asked;
        self.effects.push(Effect::TryTemplate { campaign: id, first: Box::new(first) });
    }

    /// Asks for as many connections as there are letters that wait for one.
    fn connect(&mut self, at: Millis) {
        let mut wanted = 0;
        for run in self.ready.iter().filter_map(|id| self.runs.get(id)) {
            wanted += run.fetched_count();
            if wanted >= self.setup.connections {
                break;
            }
        }
        for worker in self.connections.take_cold(wanted, at) {
            self.effects.push(Effect::Connect { worker });
        }
    }

    /// Sets a campaign's next letter aside: its provider is shut, or an earlier letter waits for it.
    fn set_aside(
        &mut self,
        id: CampaignId,
        throttle: ThrottleId,
        gate: ThrottleDecision,
        reason: HoldReason,
        at: Millis,
    ) {
        if let (HoldReason::Ceiling, ThrottleDecision::Ceiling(until)) = (reason, gate)
            && self.queues.tells_ceiling(throttle, at)
        {
            let ceiling =
                self.queues.throttle(self.campaigns.shaping(), throttle).ceiling(at).unwrap_or_default();
            let provider = shown(&self.queues.get(throttle).name);
            self.effects.push(Effect::Say(Notice::Ceiling { provider, ceiling, until }));
        }
        let Some(run) = self.runs.get_mut(&id) else { return };
        let Some(next) = run.take_front() else { return };
        run.held_rows.put(next.row, throttle);
        self.enqueue_campaign(id, throttle, gate, at);
    }

    /// The campaign stands in a provider's queue, which is looked at when that may be worth it.
    pub(super) fn enqueue_campaign(
        &mut self,
        id: CampaignId,
        throttle: ThrottleId,
        gate: ThrottleDecision,
        at: Millis,
    ) {
        let look = match gate {
            ThrottleDecision::Open => at,
            ThrottleDecision::At(then) | ThrottleDecision::Ceiling(then) => then,
            // A letter that comes back has it looked at earlier.
            ThrottleDecision::Full => at.plus(LOOK_MS),
        };
        if self.runs.get_mut(&id).is_some_and(|run| run.held_rows.joins(throttle)) {
            self.queues.join(throttle, id, look);
        }
        if gate != ThrottleDecision::Open {
            self.queues.look_at(throttle, look);
        }
    }

    /// The campaign stands in the queue of each provider that its letters wait for. A queue is looked at at once where the
    /// campaign joins it, and where its provider is open and the first of the letters is not at hand: the window was
    /// full when that letter's turn came, or what was fetched for it is out of date.
    pub(super) fn line_up_held(&mut self, id: CampaignId, at: Millis) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| !run.held_rows.is_empty()) else { return };
        let throttles: Vec<(ThrottleId, bool)> =
            run.held_rows.firsts().map(|(throttle, first)| (throttle, !run.is_at_hand(first))).collect();
        for (throttle, is_awaited) in throttles {
            let joins = self.runs.get_mut(&id).is_some_and(|run| run.held_rows.joins(throttle));
            if joins {
                self.queues.join(throttle, id, at);
            }
            let is_open =
                || self.queues.check(self.campaigns.shaping(), throttle, at) == ThrottleDecision::Open;
            if joins || is_awaited && is_open() {
                self.queues.look_at(throttle, at);
            }
        }
    }

    /// A campaign goes no further for now: the turn of its letters at hand is that of who waits behind it.
    pub(super) fn yield_queues(&mut self, id: CampaignId, at: Millis) {
        let Some(run) = self.runs.get(&id) else { return };
        run.held_rows.throttles().for_each(|throttle| self.queues.look_at(throttle, at));
    }

    /// A letter that a throttle, or a dead connection, sent back keeps its place: before all later ones of its provider.
    pub(super) fn keeps_place(&mut self, id: CampaignId, row: u32, throttle: ThrottleId, at: Millis) {
        let gate = self.queues.check(self.campaigns.shaping(), throttle, at);
        if let Some(run) = self.runs.get_mut(&id) {
            run.held_rows.put(row, throttle);
            self.enqueue_campaign(id, throttle, gate, at);
        }
    }

    /// Looks at the queues that are due: those who wait in one that is open are fetched.
    fn recall(&mut self, now: Tick) {
        let at = now.at;
        while let Some((throttle, waiting)) = self.queues.due(at) {
            match self.queues.check(self.campaigns.shaping(), throttle, at) {
                ThrottleDecision::At(then) | ThrottleDecision::Ceiling(then) => {
                    self.queues.look_at(throttle, then.max(at.plus(1)))
                }
                ThrottleDecision::Full => self.queues.look_at(throttle, at.plus(LOOK_MS)),
                ThrottleDecision::Open => {
                    self.queues.look_at(throttle, at.plus(LOOK_MS));
                    let mut room = self.queues.room(self.campaigns.shaping(), throttle);
                    let share = room.div_ceil(waiting.max(1));
                    for _ in 0..waiting {
                        if room == 0 {
                            break;
                        }
                        let Some(id) = self.queues.next(throttle) else { break };
                        room -= self.fetch_held(id, throttle, share.min(room)).min(room);
                        // One that is paused joins again when it goes on.
                        let goes_on = self.campaigns.get(id).is_some_and(Campaign::is_sending);
                        let joins = |run: &mut Run| goes_on && run.held_rows.joins(throttle);
                        if self.runs.get_mut(&id).is_some_and(joins) {
                            self.queues.join(throttle, id, at);
                        }
                    }
                    self.queues.close_empty(throttle);
                }
            }
        }
    }

    /// Asks for the first letters of a campaign that wait for a provider; answers for how many.
    fn fetch_held(&mut self, id: CampaignId, throttle: ThrottleId, most: usize) -> usize {
        let Some(run) = self.runs.get_mut(&id) else { return 0 };
        run.held_rows.leaves_line(throttle);
        let Some(campaign) = self.campaigns.get(id).filter(|campaign| campaign.is_sending()) else {
            return 0;
        };
        let window = self.setup.window.max(WINDOW_PARTS);
        let most = most.min(window.saturating_sub(run.at_hand()));
        let rows: Vec<u32> = run
            .held_rows
            .rows(throttle)
            .take(window)
            .filter(|row| !run.is_at_hand(*row))
            .take(most)
            .collect();
        let people = rows.into_iter().filter_map(|row| Some((row, campaign.ledger.row(row)?.person)));
        let rows: Vec<_> = people.filter(|(row, _)| run.fetch(*row)).collect();
        let asked = rows.len();
        if asked > 0 {
            let list = campaign.header.list.clone();
            self.effects.push(Effect::Fetch { campaign: id, list, rows });
        }
        asked
    }
}

/// The earlier of two times, one of which may be none.
fn earliest(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    [one, other].into_iter().flatten().min()
}

/// A provider's name in a log line: a domain may be one person's.
pub(super) fn shown(name: &str) -> String {
    if name.contains('.') { "another".to_owned() } else { name.to_owned() }
}
