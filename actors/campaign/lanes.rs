//! Letters and their providers: who may start, who is set aside, and who is fetched again when a lane opens.
//!
//! A letter whose lane is shut is put back to its row number and its campaign joins the lane's line. When the lane
//! opens (its time has come, a letter of it has come back), the campaigns of the line have their first rows fetched
//! anew, as many as the lane has room for. So neither window nor couriers are taken by who cannot go.

use std::collections::BTreeSet;

use super::super::messages::DirectoryMessage;
use super::super::verbs::ProviderView;
use super::*;
use crate::domain::campaign::Campaign;
use crate::domain::shaping::{Gate, Lane, LaneId, OTHERS, Shaping};

/// A lane whose rows were asked for is looked at again after this much, if nothing of it comes earlier.
const LOOK_MS: u64 = 1000;

/// What is known of a letter on a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    /// Its provider's lane.
    pub(super) lane: LaneId,
    /// The address, hashed.
    pub(super) address: u128,
}

impl Default for Flight {
    fn default() -> Self {
        Self { lane: OTHERS, address: 0 }
    }
}

impl CampaignState {
    /// The lane of a letter.
    pub(super) fn lane_of(&mut self, next: &Prepared, at: Millis) -> LaneId {
        if let Some(provider) = next.provider {
            return Shaping::named(provider);
        }
        let Some(domain) = next.email.as_ref().map(crate::domain::Email::domain) else { return OTHERS };
        let shaping = self.campaigns.shaping_mut();
        if let Some(known) = shaping.find(domain) {
            return known;
        }
        if shaping.is_tight(at) {
            let busy: BTreeSet<LaneId> =
                self.runners.values().flat_map(|runner| runner.aside.lanes()).collect();
            shaping.sweep(&busy, at);
        }
        shaping.open(domain, at)
    }

    /// Sets a letter aside if its lane is shut or an earlier one waits for the lane; true when it did.
    pub(super) fn set_aside(&mut self, id: CampaignId, next: &Prepared, lane: LaneId, at: Millis) -> bool {
        let gate = self.campaigns.shaping().check(lane, at);
        let Some(runner) = self.runners.get_mut(&id) else { return false };
        if gate == Gate::Open && !runner.aside.overtakes(lane, next.row) {
            return false;
        }
        runner.aside.put(next.row, lane);
        self.stand_in_line(id, lane, gate, at);
        true
    }

    /// The campaign stands in a lane's line, and the lane is looked at when that may be worth it.
    fn stand_in_line(&mut self, id: CampaignId, lane: LaneId, gate: Gate, at: Millis) {
        let look = match gate {
            Gate::Open => at,
            Gate::At(then) => then,
            // A letter that comes back has it looked at earlier.
            Gate::Full => at.plus(LOOK_MS),
        };
        if self.runners.get_mut(&id).is_some_and(|runner| runner.aside.joins(lane)) {
            self.lines.join(lane, id, look);
        }
        if gate != Gate::Open {
            self.lines.look_at(lane, look);
        }
    }

    /// The campaign stands in the line of each lane that somebody of it waits for.
    pub(super) fn line_up_aside(&mut self, id: CampaignId, at: Millis) {
        let Some(runner) = self.runners.get(&id).filter(|runner| !runner.aside.is_empty()) else { return };
        let lanes: Vec<LaneId> = runner.aside.lanes().collect();
        for lane in lanes {
            if self.runners.get_mut(&id).is_some_and(|runner| runner.aside.joins(lane)) {
                self.lines.join(lane, id, at);
                self.lines.look_at(lane, at);
            }
        }
    }

    /// A letter has begun, or is found not to go: it waits no more, and the next one of its lane may.
    pub(super) fn waits_no_more(&mut self, id: CampaignId, row: u32, at: Millis) {
        let lane = self.runners.get_mut(&id).and_then(|runner| runner.aside.take(row));
        if let Some(lane) = lane {
            self.lines.look_at(lane, at);
        }
    }

    /// A letter that a throttle sent back keeps its place: it waits for its lane, before all later ones.
    pub(super) fn keeps_place(&mut self, id: CampaignId, row: u32, lane: LaneId, at: Millis) {
        let gate = self.campaigns.shaping().check(lane, at);
        if let Some(runner) = self.runners.get_mut(&id) {
            runner.aside.put(row, lane);
            self.stand_in_line(id, lane, gate, at);
        }
    }

    /// Looks at the lanes that are due: those who wait for one that is open are fetched.
    pub(super) fn recall(&mut self, context: &Context, at: Millis) {
        while let Some((lane, waiting)) = self.lines.due(at) {
            match self.campaigns.shaping().check(lane, at) {
                Gate::At(then) => self.lines.look_at(lane, then.max(at.plus(1))),
                Gate::Full => self.lines.look_at(lane, at.plus(LOOK_MS)),
                Gate::Open => {
                    self.lines.look_at(lane, at.plus(LOOK_MS));
                    let mut room = self.campaigns.shaping().room(lane);
                    let share = room.div_ceil(waiting.max(1));
                    for _ in 0..waiting {
                        if room == 0 {
                            break;
                        }
                        let Some(id) = self.lines.next(lane) else { break };
                        room -= self.fetch_aside(context, id, lane, share.min(room)).min(room);
                        // One that is paused joins again when it goes on.
                        let goes_on = self.campaigns.get(id).is_some_and(Campaign::is_sending);
                        let joins = |runner: &mut Runner| goes_on && runner.aside.joins(lane);
                        if self.runners.get_mut(&id).is_some_and(joins) {
                            self.lines.join(lane, id, at);
                        }
                    }
                    self.lines.close_empty(lane);
                }
            }
        }
    }

    /// Asks for the first letters of a campaign that wait for a lane; answers for how many.
    fn fetch_aside(&mut self, context: &Context, id: CampaignId, lane: LaneId, most: usize) -> usize {
        let Some(runner) = self.runners.get_mut(&id) else { return 0 };
        runner.aside.leaves_line(lane);
        let Some(campaign) = self.campaigns.get(id) else { return 0 };
        if !campaign.is_sending() {
            return 0;
        }
        let window = context.settings.window.max(WINDOW_PARTS);
        let most = most.min(window.saturating_sub(runner.at_hand()));
        let rows: Vec<u32> =
            runner.aside.rows(lane).take(window).filter(|row| !runner.is_at_hand(*row)).take(most).collect();
        let people = rows.into_iter().filter_map(|row| Some((row, campaign.ledger.row(row)?.person)));
        let people: Vec<_> = people.filter(|(row, _)| runner.fetch(*row)).collect();
        let asked = people.len();
        if asked > 0 {
            let list = campaign.header.list.clone();
            context.mailboxes.directory.send(DirectoryMessage::LookUp(id, list, people));
        }
        asked
    }

    /// How fast each receiving provider is mailed, by name.
    pub(super) fn providers(&self, at: Millis) -> Vec<ProviderView> {
        let mut waiting: BTreeMap<LaneId, u64> = BTreeMap::new();
        for aside in self.runners.values().map(|runner| &runner.aside) {
            for lane in aside.lanes() {
                *waiting.entry(lane).or_default() += aside.count(lane) as u64;
            }
        }
        let shaping = self.campaigns.shaping();
        let view = |(number, lane): (LaneId, &Lane)| {
            let last = lane.last_throttle();
            ProviderView {
                name: lane.name.to_string(),
                rate: lane.rate().map(|rate| rate.to_string()),
                set: lane.limits.rate.map(|rate| rate.to_string()),
                throttled: lane.shut_until().is_some(),
                opens_at: match shaping.check(number, at) {
                    Gate::At(then) => Some(then),
                    Gate::Open | Gate::Full => None,
                },
                connections: shaping.connections(lane),
                in_flight: lane.in_flight(),
                set_aside: waiting.get(&number).copied().unwrap_or_default(),
                today: lane.today(at),
                ceiling: lane.ceiling(at),
                last_reply: last.map(|(_, words)| words.to_owned()),
                last_at: last.map(|(at, _)| at),
            }
        };
        let mut views: Vec<ProviderView> = shaping.lanes().map(view).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }
}

/// One part of the window in so many is kept for letters that were set aside.
const WINDOW_PARTS: usize = 4;

/// How much of a window the letters may take that were not set aside, when some were.
pub(super) fn common_part(window: usize) -> usize {
    (window - window / WINDOW_PARTS).max(1)
}
