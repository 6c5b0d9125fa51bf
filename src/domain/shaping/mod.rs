//! The pace of each receiving provider: lanes side by side, none of which slows another.
//!
//! ```text
//!                    ┌─ relay      all letters; cut when the relay itself asks for less
//! letter ─ domain ───┼─ others     domains beyond the table's room share one lane
//!                    ├─ google …   named providers, by number
//!                    └─ shop.example …   every other domain, forgotten when long unused
//! ```
//!
//! What must not be granted twice stands in records: starts carry the provider's name where a limit counts them
//! ([`CampaignEvent::StartedFor`]), and each change of a cut is one ([`CampaignEvent::Paced`]). What is in flight
//! and how fast letters went lately is of this run only.
//!
//! Invariants: a lane is forgotten only when a new one would grant nothing more; there are at most
//! [`LANES_MAX`] of them; a lane's number is good as long as it has letters in flight or set aside.
//!
//! [`CampaignEvent::StartedFor`]: super::campaign::CampaignEvent::StartedFor
//! [`CampaignEvent::Paced`]: super::campaign::CampaignEvent::Paced

mod image;
mod lane;
mod limits;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use image::LaneImage;
pub use lane::{Cut, Gate, Lane};
pub use limits::{Limits, Plan};

use super::time::Millis;

/// Lanes at most: some 200 bytes each.
pub const LANES_MAX: usize = 4096;
/// A full table is searched for lanes to forget at most this often.
const SWEEP_MS: u64 = 1000;

/// A lane's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneId(u16);

/// The lane of all letters.
pub const RELAY: LaneId = LaneId(0);
/// The lane of domains for which there was no room.
pub const OTHERS: LaneId = LaneId(1);
/// Named providers follow.
const NAMED: u16 = 2;

/// All lanes.
#[derive(Debug, Clone)]
pub struct Shaping {
    plan: Arc<Plan>,
    lanes: Vec<Lane>,
    /// By name, or by domain.
    numbers: BTreeMap<Box<str>, LaneId>,
    /// Numbers of lanes that were forgotten.
    free: Vec<LaneId>,
    swept: Millis,
    couriers: u32,
}

impl Default for Shaping {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Shaping {
    /// Lanes for all named providers, unused.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let relay = Lane::new("relay", Limits::default());
        let others = Lane::new("others", plan.default.clone());
        let names = plan.providers.names().iter().zip(0u16..);
        let named = names.map(|(name, number)| Lane::new(name, plan.limits(number).clone()));
        let lanes: Vec<Lane> = [relay, others].into_iter().chain(named).collect();
        let numbers = lanes.iter().zip(0u16..).map(|(lane, at)| (lane.name.clone(), LaneId(at))).collect();
        Self { plan, lanes, numbers, free: Vec::new(), swept: Millis(0), couriers: 1 }
    }

    /// How many letters there can be in flight over all lanes.
    pub fn staff(&mut self, couriers: usize) {
        self.couriers = u32::try_from(couriers).unwrap_or(u32::MAX);
    }

    /// The lane of a provider with a name.
    #[must_use]
    pub fn named(provider: u16) -> LaneId {
        LaneId(NAMED + provider)
    }

    /// The lane of a domain that is its own provider (or, in records, of any name), if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<LaneId> {
        self.numbers.get(name).copied()
    }

    /// True when a new domain finds no room, and it is worth looking for some.
    #[must_use]
    pub fn is_tight(&self, at: Millis) -> bool {
        self.lanes.len() >= LANES_MAX && self.free.is_empty() && at.since(self.swept) >= SWEEP_MS
    }

    /// Forgets the half of the lanes that may go which was used least recently; none of those that are busy.
    pub fn sweep(&mut self, busy: &BTreeSet<LaneId>, at: Millis) {
        self.swept = at;
        let first = NAMED as usize + self.plan.providers.names().len();
        let numbers = self.lanes.iter().zip(0u16..).skip(first);
        let may_go = numbers.filter(|(lane, number)| lane.may_go(at) && !busy.contains(&LaneId(*number)));
        let mut going: Vec<(Millis, LaneId)> =
            may_go.map(|(lane, number)| (lane.used, LaneId(number))).collect();
        going.sort_unstable();
        going.truncate(going.len().div_ceil(2));
        for (_, number) in going {
            let name = self.lane(number).map(|lane| lane.name.clone()).unwrap_or_default();
            if self.numbers.remove(&name).is_some() {
                self.free.push(number);
            }
        }
    }

    /// Opens a lane for a domain; without room it is the one that all such domains share.
    pub fn open(&mut self, domain: &str, at: Millis) -> LaneId {
        if let Some(known) = self.find(domain) {
            return known;
        }
        let mut lane = Lane::new(domain, self.plan.default.clone());
        lane.used = at;
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(slot) = self.lane_mut(number) {
                    *slot = lane;
                }
                number
            }
            None if self.lanes.len() < LANES_MAX => {
                self.lanes.push(lane);
                LaneId(u16::try_from(self.lanes.len() - 1).unwrap_or(OTHERS.0))
            }
            None => return OTHERS,
        };
        self.numbers.insert(domain.into(), number);
        number
    }

    /// The lane that a record names.
    fn of_record(&mut self, name: &str, at: Millis) -> LaneId {
        if self.is_tight(at) && self.find(name).is_none() {
            self.sweep(&BTreeSet::new(), at);
        }
        self.open(name, at)
    }

    /// A lane.
    #[must_use]
    pub fn lane(&self, number: LaneId) -> Option<&Lane> {
        self.lanes.get(usize::from(number.0))
    }

    /// A lane, for marks that are no records.
    pub fn lane_mut(&mut self, number: LaneId) -> Option<&mut Lane> {
        self.lanes.get_mut(usize::from(number.0))
    }

    /// May a letter of this lane start at `at`? The relay's own lane is not looked at.
    #[must_use]
    pub fn check(&self, number: LaneId, at: Millis) -> Gate {
        self.lane(number).map_or(Gate::Open, |lane| lane.check(self.couriers, at))
    }

    /// How many letters of a lane that is open are worth fetching.
    #[must_use]
    pub fn room(&self, number: LaneId) -> usize {
        self.lane(number).map_or(1, |lane| lane.room(self.couriers))
    }

    /// A letter of this lane is on the wire; `counted` when its record named the lane.
    pub fn departs(&mut self, number: LaneId, counted: bool, at: Millis) {
        if let Some(lane) = self.lane_mut(number) {
            lane.departs(at);
            if !counted {
                lane.see(at);
            }
        }
        if let Some(relay) = self.lane_mut(RELAY) {
            relay.departs(at);
        }
    }

    /// It came back.
    pub fn returns(&mut self, number: LaneId, accepted: bool) {
        for number in [number, RELAY] {
            if let Some(lane) = self.lane_mut(number) {
                lane.returns();
                if accepted {
                    lane.accepts();
                }
            }
        }
    }

    /// Any start, for the relay's lane.
    pub(super) fn started(&mut self, at: Millis) {
        if let Some(relay) = self.lane_mut(RELAY).filter(|relay| relay.cut.is_some()) {
            relay.take(at);
        }
    }

    /// A start whose record names its provider.
    pub(super) fn started_for(&mut self, name: &str, at: Millis) {
        let number = self.of_record(name, at);
        if let Some(lane) = self.lane_mut(number) {
            lane.count(at);
        }
    }

    /// A change of a cut.
    pub(super) fn paced(&mut self, name: &str, cut: Option<Cut>, reply: Option<&str>, at: Millis) {
        let number = self.of_record(name, at);
        if let Some(lane) = self.lane_mut(number) {
            lane.set_cut(cut);
            if let Some(reply) = reply {
                lane.last = Some((at, reply.into()));
            }
        }
    }

    /// All lanes that were ever used, and those with limits.
    pub fn lanes(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        let live = |(lane, number): (_, u16)| (LaneId(number), lane);
        let all = self.lanes.iter().zip(0u16..).map(live);
        all.filter(|(number, lane): &(LaneId, &Lane)| {
            let known = self.numbers.get(&lane.name) == Some(number);
            known && (lane.used > Millis(0) || lane.last.is_some() || lane.remembers())
        })
    }

    /// Letters in flight that a lane may have now.
    #[must_use]
    pub fn connections(&self, lane: &Lane) -> u32 {
        lane.connections(self.couriers).min(self.couriers)
    }
}
