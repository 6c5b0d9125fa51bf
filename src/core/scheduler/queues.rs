//! The providers' queues: which campaigns wait for each provider, when it is worth another look, and how its
//! letters go.
//!
//! The limits that follow from records (rate, ceiling, cut) are in the throttle in [`Shaping`]; here is only
//! what is of this run. A queue has the number of its throttle: relay, others and named providers have fixed
//! numbers, and a domain that is a provider of its own gets one with its first letter.
//!
//! Invariants: a number stays valid as long as letters of its provider are in flight or set aside; a campaign
//! is in a queue once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::ids::CampaignId;
use super::super::shaping::{
    Flow, OTHERS, ProviderThrottle, RELAY, Shaping, THROTTLES_MAX, ThrottleDecision, ThrottleId, WorkerLoad,
};
use super::super::time::Millis;

/// When a queue is looked at again after its rows were asked for, if nothing happens earlier.
pub(super) const LOOK_MS: u64 = 1000;
/// A full table is searched for queues to forget at most this often.
const SWEEP_MS: u64 = 1000;
const DAY_MS: u64 = 86_400_000;

/// The queue of one provider.
#[derive(Debug)]
pub(super) struct Queue {
    /// The provider's name, or the domain.
    pub(super) name: Box<str>,
    /// How its letters go in this run.
    pub(super) flow: Flow,
    /// When a letter was last started.
    pub(super) used: Millis,
    /// Letters that a server saw on the day of `used`, in this run.
    seen: u32,
    /// The day for which its ceiling was last reported.
    told: Option<u64>,
    /// The campaigns that wait, in turn, and when to look at them; `None` if there are none.
    line: Option<CampaignQueue>,
}

#[derive(Debug)]
struct CampaignQueue {
    look: Millis,
    campaigns: VecDeque<CampaignId>,
}

impl Queue {
    fn new(name: &str) -> Self {
        Self { name: name.into(), flow: Flow::default(), used: Millis(0), seen: 0, told: None, line: None }
    }

    /// Letters that a server saw today, in this run.
    pub(super) fn today(&self, at: Millis) -> u32 {
        if self.used.0 / DAY_MS == at.0 / DAY_MS { self.seen } else { 0 }
    }
}

/// All queues.
#[derive(Debug)]
pub(super) struct Queues {
    queues: Vec<Queue>,
    /// The number of each domain.
    numbers: BTreeMap<Box<str>, ThrottleId>,
    /// Numbers of domains that were forgotten.
    free: Vec<ThrottleId>,
    fixed: usize,
    looks: BTreeSet<(Millis, ThrottleId)>,
    swept: Millis,
    connections: u32,
    /// When a queue with waiting letters is next worth a look.
    pub(super) alarm: Option<Millis>,
}

impl Queues {
    /// Queues for the throttles with fixed numbers.
    pub(super) fn new(shaping: &Shaping, connections: usize) -> Self {
        let queues: Vec<Queue> = shaping.fixed().iter().map(|throttle| Queue::new(&throttle.name)).collect();
        Self {
            fixed: queues.len(),
            queues,
            numbers: BTreeMap::new(),
            free: Vec::new(),
            looks: BTreeSet::new(),
            swept: Millis(0),
            connections: u32::try_from(connections).unwrap_or(u32::MAX),
            alarm: None,
        }
    }

    /// The queue with a number; the shared one if the number is not in use.
    pub(super) fn get(&self, throttle: ThrottleId) -> &Queue {
        let fallback = usize::from(OTHERS.0);
        self.queues.get(usize::from(throttle.0)).unwrap_or(&self.queues[fallback])
    }

    fn get_mut(&mut self, throttle: ThrottleId) -> &mut Queue {
        let at = usize::from(throttle.0);
        let at = if at < self.queues.len() { at } else { usize::from(OTHERS.0) };
        &mut self.queues[at]
    }

    /// How many letters are in flight, and how many may be.
    pub(super) fn load(&self) -> WorkerLoad {
        WorkerLoad { connections: self.connections, in_flight: self.get(RELAY).flow.in_flight() }
    }

    /// The throttle of a queue.
    pub(super) fn throttle<'a>(&self, shaping: &'a Shaping, throttle: ThrottleId) -> &'a ProviderThrottle {
        shaping.throttle(throttle, &self.get(throttle).name)
    }

    /// Whether a letter of this provider may start at `at`.
    pub(super) fn check(&self, shaping: &Shaping, throttle: ThrottleId, at: Millis) -> ThrottleDecision {
        self.throttle(shaping, throttle).check(&self.get(throttle).flow, self.load(), at)
    }

    /// Until when a provider that has used up its fair share cannot be called slow yet. Until then its next
    /// letter may stay at hand, since a quick provider is open again at once.
    pub(super) fn soon(&self, shaping: &Shaping, throttle: ThrottleId, at: Millis) -> Option<Millis> {
        let adaptive = self.throttle(shaping, throttle).is_adaptive();
        self.get(throttle).flow.unknown_until(at).filter(|_| adaptive)
    }

    /// How many letters of a provider that is open are worth fetching.
    pub(super) fn room(&self, shaping: &Shaping, throttle: ThrottleId) -> usize {
        self.throttle(shaping, throttle).room(&self.get(throttle).flow, self.load())
    }

    /// The queue of a domain, if it has one.
    pub(super) fn find(&self, domain: &str) -> Option<ThrottleId> {
        self.numbers.get(domain).copied()
    }

    /// Whether a new domain would find no number, and a search for unused ones is due.
    pub(super) fn is_tight(&self, at: Millis) -> bool {
        self.queues.len() >= THROTTLES_MAX && self.free.is_empty() && at.since(self.swept) >= SWEEP_MS
    }

    /// Forgets half of the idle domains, those used least recently, but none for which letters are set aside.
    pub(super) fn sweep(&mut self, held_rows: &BTreeSet<ThrottleId>, at: Millis) {
        self.swept = at;
        let idle = self.numbers.values().filter(|throttle| {
            let queue = self.get(**throttle);
            queue.flow.in_flight() == 0 && queue.line.is_none() && !held_rows.contains(*throttle)
        });
        let mut going: Vec<(Millis, ThrottleId)> =
            idle.map(|throttle| (self.get(*throttle).used, *throttle)).collect();
        going.sort_unstable();
        going.truncate(going.len().div_ceil(2));
        for (_, throttle) in going {
            let name = self.get(throttle).name.clone();
            self.numbers.remove(&name);
            self.free.push(throttle);
        }
    }

    /// Gives a domain a queue; if there is no room, the shared one.
    pub(super) fn open(&mut self, shaping: &Shaping, domain: &str) -> ThrottleId {
        if !shaping.has_room(domain) {
            return OTHERS;
        }
        let number = match self.free.pop() {
            Some(number) => {
                *self.get_mut(number) = Queue::new(domain);
                number
            }
            None if self.queues.len() < THROTTLES_MAX => {
                self.queues.push(Queue::new(domain));
                ThrottleId(u16::try_from(self.queues.len() - 1).unwrap_or(OTHERS.0))
            }
            None => return OTHERS,
        };
        self.numbers.insert(domain.into(), number);
        number
    }

    /// A letter started.
    pub(super) fn letter_started(&mut self, throttle: ThrottleId, at: Millis) {
        for number in [throttle, RELAY] {
            let queue = self.get_mut(number);
            queue.flow.letter_started(at);
            let today = queue.today(at);
            (queue.seen, queue.used) = (today.saturating_add(1), at);
        }
    }

    /// A letter came back. One that no server saw does not count for today.
    pub(super) fn returns(
        &mut self,
        throttle: ThrottleId,
        started: Millis,
        accepted: bool,
        is_seen: bool,
        at: Millis,
    ) {
        let connections = self.connections;
        for number in [throttle, RELAY] {
            let queue = self.get_mut(number);
            queue.flow.returns(at.since(started), accepted, connections, at);
            queue.seen = queue.seen.saturating_sub(u32::from(!is_seen));
        }
    }

    /// A letter was refused as policy. True if it completes a row that counts as a request to slow down.
    pub(super) fn refuses(&mut self, throttle: ThrottleId) -> bool {
        self.get_mut(throttle).flow.refuses()
    }

    /// Whether its ceiling has yet to be reported today; true once a day.
    pub(super) fn tells_ceiling(&mut self, throttle: ThrottleId, at: Millis) -> bool {
        let day = at.0 / DAY_MS;
        self.get_mut(throttle).told.replace(day) != Some(day)
    }

    /// Adds a campaign to a queue; a queue that was empty is looked at at `look`.
    pub(super) fn join(&mut self, throttle: ThrottleId, campaign: CampaignId, look: Millis) {
        let line = &mut self.get_mut(throttle).line;
        match line {
            Some(line) => line.campaigns.push_back(campaign),
            None => {
                *line = Some(CampaignQueue { look, campaigns: VecDeque::from([campaign]) });
                self.looks.insert((look, throttle));
            }
        }
    }

    /// Sets when a queue is looked at, unless it is empty.
    pub(super) fn look_at(&mut self, throttle: ThrottleId, look: Millis) {
        if let Some(line) = &mut self.get_mut(throttle).line {
            let before = std::mem::replace(&mut line.look, look);
            self.looks.remove(&(before, throttle));
            self.looks.insert((look, throttle));
        }
    }

    /// A queue that is due to be looked at, and how many campaigns are in it.
    pub(super) fn due(&self, at: Millis) -> Option<(ThrottleId, usize)> {
        let (_, throttle) = self.looks.first().filter(|(look, _)| *look <= at)?;
        Some((*throttle, self.get(*throttle).line.as_ref().map_or(0, |line| line.campaigns.len())))
    }

    /// When a queue is next due.
    pub(super) fn soonest(&self) -> Option<Millis> {
        self.looks.first().map(|(look, _)| *look)
    }

    /// Takes the campaign whose turn it is.
    pub(super) fn next(&mut self, throttle: ThrottleId) -> Option<CampaignId> {
        self.get_mut(throttle).line.as_mut()?.campaigns.pop_front()
    }

    /// An empty queue is not looked at.
    pub(super) fn close_empty(&mut self, throttle: ThrottleId) {
        let queue = self.get_mut(throttle);
        if let Some(line) = queue.line.take_if(|line| line.campaigns.is_empty()) {
            self.looks.remove(&(line.look, throttle));
        }
    }

    /// Every queue: those with fixed numbers, and the domains.
    pub(super) fn all(&self) -> impl Iterator<Item = (ThrottleId, &Queue)> {
        let fixed =
            self.queues.iter().take(self.fixed).zip(0u16..).map(|(queue, at)| (ThrottleId(at), queue));
        fixed.chain(self.numbers.values().map(|throttle| (*throttle, self.get(*throttle))))
    }
}
