//! Starts letters as long as [`may_start`](Scheduler::may_start) admits one, in turn over the campaigns, and
//! arranges for the others what they wait for: their provider, a connection, a time.
//!
//! A letter whose provider is shut is reduced to its row number, and its campaign joins the provider's queue.
//! When the queue opens (its time has come, or a letter of it has come back), the first rows of its campaigns
//! are fetched again, as many as there is room for. So letters that cannot go occupy neither window nor
//! connections.

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

/// One in so many parts of the window is kept for letters that were set aside.
const WINDOW_PARTS: usize = 4;

/// How much of a window other letters may take while some are set aside.
pub(super) fn common_part(window: usize) -> usize {
    (window - window / WINDOW_PARTS).max(1)
}

impl Scheduler {
    /// Starts what may start.
    pub(super) fn pump(&mut self, now: Tick) {
        if self.stopping == Stopping::No && now.room {
            // First, so that letters that have waited are not overtaken by those at hand.
            self.recall(now);
        }
        let mut until: Option<Millis> = None;
        let mut resting = 0;
        while resting < self.ready.len() {
            let Some(id) = self.ready.front().copied() else { break };
            let Some(throttle) = self.next_throttle(id, now.at) else {
                // Nothing is at hand. It stays among the ready campaigns until it was fed, so that this
                // happens once.
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
                        // It joins again when it goes on, or when its template was tried.
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
            // A letter that was skipped or dropped has given the next one of its provider a turn.
            self.recall(now);
        }
        if self.stopping == Stopping::No && now.room {
            until = earliest(until, self.queues.soonest());
        }
        self.queues.alarm = until;
    }

    /// The throttle of a campaign's next letter; `None` if nothing is at hand.
    fn next_throttle(&mut self, id: CampaignId, at: Millis) -> Option<ThrottleId> {
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

    /// Starts a letter on a worker's connection.
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

    /// Takes a campaign's next letter; it no longer holds up later ones of its provider.
    fn take_next(&mut self, id: CampaignId, at: Millis) -> Option<Recipient> {
        let run = self.runs.get_mut(&id)?;
        let next = run.take_front()?;
        if let Some(throttle) = run.held_rows.take(next.row) {
            self.queues.look_at(throttle, at);
        }
        Some(next)
    }

    /// Drops a campaign's next letter, which will not be sent.
    fn drop_next(&mut self, id: CampaignId, at: Millis) {
        self.take_next(id, at);
    }

    /// Takes a campaign out of those that may have a letter to start.
    fn leave_line(&mut self, id: CampaignId) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.in_line = false;
        }
    }

    /// Tries a campaign's template with its first letter.
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

    /// Sets a campaign's next letter aside, because its provider is shut or an earlier letter waits for it.
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

    /// Adds the campaign to a provider's queue, and sets when the queue is looked at.
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
            // A letter that comes back has the queue looked at earlier.
            ThrottleDecision::Full => at.plus(LOOK_MS),
        };
        if self.runs.get_mut(&id).is_some_and(|run| run.held_rows.joins(throttle)) {
            self.queues.join(throttle, id, look);
        }
        if gate != ThrottleDecision::Open {
            self.queues.look_at(throttle, look);
        }
    }

    /// Adds the campaign to the queue of each provider for which letters of it wait. A queue is looked at at once
    /// if the campaign joins it, or if its provider is open and the first of the letters is not at hand: the
    /// window was full when that letter's turn came, or what was fetched for it is out of date.
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

    /// A campaign goes no further for now, so the campaigns behind it in the queues get the turn of its letters.
    pub(super) fn yield_queues(&mut self, id: CampaignId, at: Millis) {
        let Some(run) = self.runs.get(&id) else { return };
        run.held_rows.throttles().for_each(|throttle| self.queues.look_at(throttle, at));
    }

    /// Puts a letter that came back in its place before all later ones of its provider.
    pub(super) fn keeps_place(&mut self, id: CampaignId, row: u32, throttle: ThrottleId, at: Millis) {
        let gate = self.queues.check(self.campaigns.shaping(), throttle, at);
        if let Some(run) = self.runs.get_mut(&id) {
            run.held_rows.put(row, throttle);
            self.enqueue_campaign(id, throttle, gate, at);
        }
    }

    /// Looks at the queues that are due and has the letters of those that are open fetched.
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
                        // A paused campaign joins again when it goes on.
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

    /// Fetches a campaign's first letters that wait for a provider; returns how many.
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

/// A provider's name for a log line. A domain becomes `another`, since it may be that of a single person.
pub(super) fn shown(name: &str) -> String {
    if name.contains('.') { "another".to_owned() } else { name.to_owned() }
}
