//! Reports about sending: how fast each provider is mailed, and what a campaign's letters wait for.

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
    /// The provider's name, the domain, or `relay`.
    pub name: String,
    /// The rate in force; `None`: no limit.
    pub rate: Option<Rate>,
    /// The rate in the settings.
    pub set: Option<Rate>,
    /// Whether a cut has lowered the rate.
    pub throttled: bool,
    /// When the pause of a cut ends.
    pub opens_at: Option<Millis>,
    /// How many letters may be in flight at the moment.
    pub connections: u32,
    pub in_flight: u32,
    /// Letters that wait for the provider.
    pub set_aside: u64,
    /// Letters that a server has seen today (UTC).
    pub today: u32,
    /// How many letters the day allows; `None`: no ceiling.
    pub ceiling: Option<u32>,
    pub ceiling_reached: bool,
    /// The server's last reply that asked for less, and when it came.
    pub last: Option<(Millis, String)>,
}

/// Letters of a campaign that wait for the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLetters {
    /// The provider, if they wait for one.
    pub provider: Option<String>,
    pub reason: HoldReason,
    /// Until when, if that is known.
    pub until: Option<Millis>,
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
            if queue.used == Millis(0)
                && !known
                && !(number == RELAY && self.connections.last_failure().is_some())
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
        if let (Some((when, said)), Some(relay)) = (self.connections.last_failure(), reports.get_mut("relay"))
        {
            relay.opens_at = relay.opens_at.max(self.connections.shut_until(at));
            relay.last = Some((when, said.to_string()));
        }
        reports.into_values().collect()
    }

    /// What a campaign's letters wait for that are not on their way: by provider, then as a whole.
    #[must_use]
    pub fn held(&self, id: CampaignId, now: Tick) -> Vec<HeldLetters> {
        let sends = self.campaigns.get(id).is_some_and(Campaign::is_sending);
        let Some(run) = self.runs.get(&id).filter(|_| sends) else { return Vec::new() };
        let shaping = self.campaigns.shaping();
        let mut letters = Vec::new();
        for throttle in run.held_rows.throttles() {
            let decision = self.queues.check(shaping, throttle, now.at);
            let reason = if matches!(decision, ThrottleDecision::Ceiling(_)) {
                HoldReason::Ceiling
            } else {
                HoldReason::Provider
            };
            let provider = Some(self.queues.get(throttle).name.to_string());
            letters.push(HeldLetters {
                provider,
                reason,
                until: decision.opens(),
                count: run.held_rows.count(throttle) as u64,
            });
        }
        let at_hand = run.fetched_count() as u64;
        // Without a time a connection is being made.
        let none = self.connections.fresh(now.at).is_none() && self.connections.in_flight() == 0;
        let none = none.then(|| (HoldReason::Connection, self.connections.shut_until(now.at)));
        if at_hand > 0
            && let Some((reason, until)) = self.holds_all(now).or(none)
        {
            letters.push(HeldLetters { provider: None, reason, until, count: at_hand });
        }
        letters
    }
}

/// The part of a report that comes from records.
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
