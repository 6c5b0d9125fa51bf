//! What the scheduler says of itself: how fast each provider is mailed, and what a campaign's letters wait for.

use std::collections::BTreeMap;

use super::super::campaign::Campaign;
use super::super::ids::CampaignId;
use super::super::pace::Rate;
use super::super::shaping::{ProviderThrottle, RELAY, ThrottleDecision, ThrottleId};
use super::super::time::Millis;
use super::start::HoldReason;
use super::{Scheduler, Tick};

/// How fast one provider is mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReport {
    /// Its name, the domain, or `relay`.
    pub name: String,
    /// The rate that holds now.
    pub rate: Option<Rate>,
    /// The rate that is set.
    pub set: Option<Rate>,
    /// A throttle has lowered it.
    pub throttled: bool,
    /// Nothing starts before this.
    pub opens_at: Option<Millis>,
    /// Letters in flight that it may have now.
    pub connections: u32,
    /// Letters in flight.
    pub in_flight: u32,
    /// Letters that wait for it.
    pub set_aside: u64,
    /// Letters that receivers saw today.
    pub today: u32,
    /// Letters that may be today.
    pub ceiling: Option<u32>,
    /// True when that many were.
    pub ceiling_reached: bool,
    /// The last words of a throttle, and when.
    pub last: Option<(Millis, String)>,
}

/// Letters of a campaign that wait for one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLetters {
    /// The provider, where it is one.
    pub provider: Option<String>,
    /// What for.
    pub reason: HoldReason,
    /// Until when, where that is known.
    pub until: Option<Millis>,
    /// How many letters.
    pub count: u64,
}

impl Scheduler {
    /// How fast each provider is mailed, by name.
    #[must_use]
    pub fn providers(&self, at: Millis) -> Vec<ProviderReport> {
        let mut waiting: BTreeMap<ThrottleId, u64> = BTreeMap::new();
        for held_rows in self.runs.values().map(|run| &run.held_rows) {
            for throttle in held_rows.throttles() {
                *waiting.entry(throttle).or_default() += held_rows.count(throttle) as u64;
            }
        }
        let shaping = self.campaigns.shaping();
        let mut reports: BTreeMap<String, ProviderReport> = BTreeMap::new();
        for (number, queue) in self.queues.all() {
            let throttle = self.queues.throttle(shaping, number);
            let known = throttle.remembers() || throttle.last_throttle().is_some() || throttle.today(at) > 0;
            if queue.used == Millis(0) && !known && !(number == RELAY && self.connections.trouble().is_some())
            {
                continue;
            }
            let report = ProviderReport {
                connections: throttle
                    .connections(&queue.flow, self.queues.load())
                    .min(self.queues.load().connections),
                in_flight: queue.flow.in_flight(),
                set_aside: waiting.get(&number).copied().unwrap_or_default(),
                today: throttle.today(at).max(queue.today(at)),
                opens_at: self.queues.check(shaping, number, at).opens(),
                ..remembered(&queue.name, throttle, at)
            };
            reports.insert(report.name.clone(), report);
        }
        for throttle in shaping.known() {
            reports
                .entry(throttle.name.to_string())
                .or_insert_with(|| remembered(&throttle.name, throttle, at));
        }
        if let (Some((when, said)), Some(relay)) = (self.connections.trouble(), reports.get_mut("relay")) {
            relay.opens_at = relay.opens_at.max(self.connections.shut_until(at));
            relay.last = Some((when, said.to_string()));
        }
        reports.into_values().collect()
    }

    /// What the letters of a campaign wait for that are not on their way: by provider, and as a whole.
    #[must_use]
    pub fn held(&self, id: CampaignId, now: Tick) -> Vec<HeldLetters> {
        let sends = self.campaigns.get(id).is_some_and(Campaign::is_sending);
        let Some(run) = self.runs.get(&id).filter(|_| sends) else { return Vec::new() };
        let shaping = self.campaigns.shaping();
        let mut held = Vec::new();
        for throttle in run.held_rows.throttles() {
            let gate = self.queues.check(shaping, throttle, now.at);
            let reason = if matches!(gate, ThrottleDecision::Ceiling(_)) {
                HoldReason::Ceiling
            } else {
                HoldReason::Provider
            };
            let provider = Some(self.queues.get(throttle).name.to_string());
            held.push(HeldLetters {
                provider,
                reason,
                until: gate.opens(),
                count: run.held_rows.count(throttle) as u64,
            });
        }
        let at_hand = run.fetched_count() as u64;
        // Without a time one is being made.
        let none = self.connections.fresh(now.at).is_none() && self.connections.in_flight() == 0;
        let none = none.then(|| (HoldReason::Connection, self.connections.shut_until(now.at)));
        if at_hand > 0
            && let Some((reason, until)) = self.holds_all(now).or(none)
        {
            held.push(HeldLetters { provider: None, reason, until, count: at_hand });
        }
        held
    }
}

/// What records say of a provider.
fn remembered(name: &str, throttle: &ProviderThrottle, at: Millis) -> ProviderReport {
    ProviderReport {
        name: name.to_owned(),
        rate: throttle.rate(),
        set: throttle.limits.rate,
        throttled: throttle.shut_until().is_some(),
        opens_at: throttle.check_time(at).opens(),
        connections: 0,
        in_flight: 0,
        set_aside: 0,
        today: throttle.today(at),
        ceiling: throttle.ceiling(at),
        ceiling_reached: matches!(throttle.check_time(at), ThrottleDecision::Ceiling(_)),
        last: throttle.last_throttle().map(|(at, words)| (at, words.to_owned())),
    }
}
