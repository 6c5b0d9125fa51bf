//! The limits of each receiving provider: one throttle for each, none of which slows another.
//!
//! ```text
//!                    ┌─ relay      all letters; cut when the relay itself asks for less
//! letter ─ domain ───┼─ others     domains beyond the table's room share one throttle
//!                    ├─ google …   named providers, by number
//!                    └─ shop.example …   every other domain, once a record names it; forgotten when long unused
//! ```
//!
//! What must survive a restart is in records: the start of a letter carries the provider's name if a limit
//! counts it, and each change of a cut is a record ([`CampaignEvent::Paced`]). Only records change anything
//! here. What is in flight and how fast letters went lately belongs to the scheduler, in a [`Flow`] for each
//! provider.
//!
//! Invariants: a throttle is forgotten only if a new one would grant nothing more; there are at most
//! `THROTTLES_MAX` of them.
//!
//! [`CampaignEvent::Paced`]: super::campaign::CampaignEvent::Paced

mod flow;
mod image;
mod limits;
#[cfg(test)]
mod tests;
mod throttle;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use flow::{Flow, POLICY_ROW, QUICK_MS, SLOW_MS, WorkerLoad};
pub use image::ThrottleImage;
pub use limits::{Limits, Plan};
pub use throttle::{ProviderThrottle, RateCut, ThrottleDecision};

use super::time::Millis;

/// The most throttles; each takes some 200 bytes.
pub(crate) const THROTTLES_MAX: usize = 4096;
/// How often at most a full table is searched for throttles to forget.
const SWEEP_MS: u64 = 1000;

/// The number of a throttle, valid within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ThrottleId(pub(super) u16);

/// The throttle that counts all letters.
pub(crate) const RELAY: ThrottleId = ThrottleId(0);
/// The throttle that domains share for which the table has no room.
pub(crate) const OTHERS: ThrottleId = ThrottleId(1);
/// The number of the first named provider.
const NAMED: u16 = 2;

/// The throttles of all providers.
#[derive(Debug, Clone)]
pub(crate) struct Shaping {
    plan: Arc<Plan>,
    /// Relay, others and the named providers, by throttle number.
    fixed: Vec<ProviderThrottle>,
    /// The other domains that a record has named.
    domains: BTreeMap<Box<str>, ProviderThrottle>,
    /// Stands for every domain of which nothing is remembered.
    blank: ProviderThrottle,
    swept: Millis,
}

impl Default for Shaping {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Shaping {
    /// Unused throttles for the relay, the others and all named providers.
    #[must_use]
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        // The relay's connections are bounded by the pool of workers alone.
        let relay =
            ProviderThrottle::new("relay", Limits { connections: Some(u32::MAX), ..Limits::default() });
        let others = ProviderThrottle::new("others", plan.default.clone());
        let names = plan.providers.names().iter().zip(0u16..);
        let named = names.map(|(name, number)| ProviderThrottle::new(name, plan.limits(number).clone()));
        let fixed = [relay, others].into_iter().chain(named).collect();
        let blank = ProviderThrottle::new("", plan.default.clone());
        Self { plan, fixed, domains: BTreeMap::new(), blank, swept: Millis(0) }
    }

    /// The throttle number of a named provider.
    #[must_use]
    pub(crate) fn named(provider: u16) -> ThrottleId {
        ThrottleId(NAMED + provider)
    }

    /// The throttles of relay, others and named providers, by throttle number.
    #[must_use]
    pub(crate) fn fixed(&self) -> &[ProviderThrottle] {
        &self.fixed
    }

    /// The throttle with a number, or of the domain that has this number in this run. A domain of which
    /// nothing is remembered gets an unused one; if the table is full, the shared one.
    #[must_use]
    pub fn throttle(&self, number: ThrottleId, domain: &str) -> &ProviderThrottle {
        let own = self.fixed.get(usize::from(number.0)).or_else(|| self.domains.get(domain));
        own.unwrap_or(if self.is_full() { &self.fixed[usize::from(OTHERS.0)] } else { &self.blank })
    }

    /// Whether a domain can have a throttle of its own, or needs none because nothing would be counted.
    #[must_use]
    pub(crate) fn has_room(&self, domain: &str) -> bool {
        !self.is_full() || self.domains.contains_key(domain) || !self.blank.remembers()
    }

    fn is_full(&self) -> bool {
        self.domains.len() + self.fixed.len() >= THROTTLES_MAX
    }

    /// The throttle that a record names, made if need be; the shared one if the table is full.
    fn of_record(&mut self, name: &str, at: Millis) -> &mut ProviderThrottle {
        if let Some(number) = self.fixed.iter().position(|throttle| &*throttle.name == name) {
            return &mut self.fixed[number];
        }
        if !self.domains.contains_key(name) {
            if self.is_full() && at.since(self.swept) >= SWEEP_MS {
                self.sweep(at);
            }
            if self.is_full() {
                return &mut self.fixed[usize::from(OTHERS.0)];
            }
        }
        let default = &self.plan.default;
        self.domains
            .entry(name.into())
            .or_insert_with(|| ProviderThrottle { used: at, ..ProviderThrottle::new(name, default.clone()) })
    }

    /// Forgets half of the domains that may go, those that were used least recently.
    fn sweep(&mut self, at: Millis) {
        self.swept = at;
        let may_go = self.domains.iter().filter(|(_, throttle)| throttle.may_go(at));
        let mut going: Vec<(Millis, Box<str>)> =
            may_go.map(|(name, throttle)| (throttle.used, name.clone())).collect();
        going.sort_unstable();
        going.truncate(going.len().div_ceil(2));
        for (_, name) in going {
            self.domains.remove(&name);
        }
    }

    /// Counts the start of any letter for the relay, while the relay's rate is cut.
    pub(super) fn started(&mut self, at: Millis) {
        if let Some(relay) = self.fixed.first_mut().filter(|relay| relay.cut.is_some()) {
            relay.take(at);
        }
    }

    /// Counts the start of a letter whose record names this provider.
    pub(super) fn started_for(&mut self, name: &str, at: Millis) {
        self.of_record(name, at).count(at);
    }

    /// Takes back the start of a letter that no server has seen; `name` is the provider that counted it, if
    /// one did.
    pub(super) fn undo_start(&mut self, name: Option<&str>, started: Millis, at: Millis) {
        if let Some(relay) = self.fixed.first_mut().filter(|relay| relay.cut.is_some()) {
            relay.give_back();
        }
        if let Some(name) = name {
            self.of_record(name, at).uncount(started);
        }
    }

    /// Sets or lifts a cut, and keeps the reply that led to it.
    pub(super) fn paced(&mut self, name: &str, cut: Option<RateCut>, reply: Option<&str>, at: Millis) {
        let throttle = self.of_record(name, at);
        throttle.set_cut(cut);
        if let Some(reply) = reply {
            throttle.last = Some((at, reply.into()));
        }
    }

    /// The throttles that a record has used, and those with limits.
    pub(crate) fn known(&self) -> impl Iterator<Item = &ProviderThrottle> {
        let all = self.fixed.iter().chain(self.domains.values());
        all.filter(|throttle| throttle.used > Millis(0) || throttle.last.is_some() || throttle.remembers())
    }
}
