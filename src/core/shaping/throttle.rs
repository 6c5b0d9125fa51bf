//! The throttle of one provider: how fast its letters may start now, and what a throttle makes of that. All of it comes from
//! records, so a restart grants nothing twice; what is known of this run only is its [`Flow`].
//!
//! ```text
//! rate │──────┐ setting, or what was achieved                       ┌──── lifted
//!      │      │ 421: half of it, after a pause            ┌────┐────┘
//!      │      └─┐ 421: half again, a pause twice as long  │ steps, one in 10 s of success
//!      │        └──────────────────────────────────┌──────┘
//!      └─────────────────────────────────────────────────────────────▶ time
//! ```
//!
//! Invariants: a cut is never below one letter a minute and never above the setting; within the pause after a cut
//! there is no second one, however many letters were in flight; a day's count never goes over its ceiling.

use super::super::pace::{Pace, Rate, RateDecision};
use super::super::time::Millis;
use super::flow::{Flow, METER_MS, WorkerLoad};
use super::limits::Limits;

/// The first pause after a throttle; it doubles with each one that follows without a success.
pub(crate) const PAUSE_MS: u32 = 5_000;
/// The longest pause.
const PAUSE_MS_MAX: u32 = 60_000;
/// Time of success between two steps back.
pub(crate) const STEP_MS: u64 = 10_000;
/// Steps from nothing to where the cut began.
const STEPS: u32 = 40;
/// A day.
const DAY_MS: u64 = 86_400_000;

/// A rate that a provider's throttle has lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateCut {
    /// Letters a minute, at least 1.
    pub rate: u32,
    /// Where the cut is lifted.
    pub target: u32,
    /// Nothing starts before this.
    pub until: Millis,
    /// How long the last pause was.
    pub pause_ms: u32,
    /// When the rate last changed.
    pub stepped: Millis,
}

impl RateCut {
    /// As a rate; its burst is a tenth of a second's worth, at least 1. Without one, waits of whole milliseconds would
    /// have it fall well short of two hundred letters a second.
    #[must_use]
    pub(crate) fn as_rate(&self) -> Rate {
        Rate { letters: self.rate.max(1), period_ms: 60_000, burst: (self.rate / 600).max(1) }
    }
}

/// What a throttle says of one more letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleDecision {
    /// Now.
    Open,
    /// Not before this instant.
    At(Millis),
    /// Today's ceiling is reached: not before this instant, the next midnight (UTC).
    Ceiling(Millis),
    /// Not before one of its letters has come back.
    Full,
}

impl ThrottleDecision {
    /// The instant it names.
    #[must_use]
    pub(crate) fn opens(self) -> Option<Millis> {
        match self {
            Self::At(then) | Self::Ceiling(then) => Some(then),
            Self::Open | Self::Full => None,
        }
    }
}

/// A provider's throttle.
#[derive(Debug, Clone)]
pub struct ProviderThrottle {
    /// The provider's name, or the domain.
    pub name: Box<str>,
    /// What is set.
    pub limits: Limits,
    pub(super) pace: Pace,
    pub(super) day: u32,
    pub(super) today: u32,
    pub(super) first_day: Option<u32>,
    pub(super) cut: Option<RateCut>,
    /// The last words of a throttle, and when.
    pub(super) last: Option<(Millis, Box<str>)>,
    pub(super) used: Millis,
}

impl ProviderThrottle {
    /// A throttle of which nothing is known.
    #[must_use]
    pub(crate) fn new(name: &str, limits: Limits) -> Self {
        Self {
            name: name.into(),
            limits,
            pace: Pace::default(),
            day: 0,
            today: 0,
            first_day: None,
            cut: None,
            last: None,
            used: Millis(0),
        }
    }

    /// True when starts must stand in the log with the provider's name, so that a restart grants nothing twice.
    #[must_use]
    pub(crate) fn remembers(&self) -> bool {
        self.cut.is_some() || self.limits.rate.is_some() || self.limits.counts_days()
    }

    /// The rate that holds now.
    #[must_use]
    pub(crate) fn rate(&self) -> Option<Rate> {
        match (self.limits.rate, self.cut.map(|cut| cut.as_rate())) {
            (Some(set), Some(cut)) => Some(set.slower(Rate { burst: cut.burst.min(set.burst), ..cut })),
            (set, cut) => set.or(cut),
        }
    }

    /// Letters that may be in flight at once: as the shop has set, else as many as the provider has shown to take
    /// quickly. A throttle that was cut leaves most connections to the others.
    #[must_use]
    pub(crate) fn connections(&self, flow: &Flow, load: WorkerLoad) -> u32 {
        let set = self.limits.connections.unwrap_or_else(|| flow.concurrency(load));
        if self.cut.is_some() { set.min((load.connections / 4).max(1)) } else { set }
    }

    /// True where letters in flight are bounded by a fair share alone.
    #[must_use]
    pub(crate) fn is_adaptive(&self) -> bool {
        self.limits.connections.is_none() && self.cut.is_none()
    }

    /// Until when a throttle has shut it.
    #[must_use]
    pub(crate) fn shut_until(&self) -> Option<Millis> {
        self.cut.map(|cut| cut.until)
    }

    /// May a letter start at `at`? Reads only.
    #[must_use]
    pub(crate) fn check(&self, flow: &Flow, load: WorkerLoad, at: Millis) -> ThrottleDecision {
        if flow.in_flight() >= self.connections(flow, load) {
            return ThrottleDecision::Full;
        }
        self.check_time(at)
    }

    /// The same, whatever is in flight.
    #[must_use]
    pub(crate) fn check_time(&self, at: Millis) -> ThrottleDecision {
        if let Some(cut) = self.cut.filter(|cut| cut.until > at) {
            return ThrottleDecision::At(cut.until);
        }
        if self.left_today(at) == Some(0) {
            return ThrottleDecision::Ceiling(Millis((u64::from(day_of(at)) + 1) * DAY_MS));
        }
        match self.pace.check(self.rate(), at) {
            RateDecision::Now => ThrottleDecision::Open,
            RateDecision::At(then) => ThrottleDecision::At(then),
        }
    }

    /// About how many letters could start at `at`, at least 1: what is worth fetching.
    #[must_use]
    pub(crate) fn room(&self, flow: &Flow, load: WorkerLoad) -> usize {
        let in_flight = self.connections(flow, load).saturating_sub(flow.in_flight());
        let burst = self.rate().map_or(u32::MAX, |rate| rate.burst);
        in_flight.min(burst).max(1) as usize
    }

    /// Letters left of a day's ceiling.
    fn left_today(&self, at: Millis) -> Option<u32> {
        if !self.limits.counts_days() {
            return None;
        }
        Some(self.ceiling(at)?.saturating_sub(self.today(at)))
    }

    /// Letters that may start today.
    #[must_use]
    pub(crate) fn ceiling(&self, at: Millis) -> Option<u32> {
        let first = self.first_day.unwrap_or(day_of(at));
        self.limits.ceiling(day_of(at).saturating_sub(first))
    }

    /// When a server last asked for less, and its words.
    #[must_use]
    pub(crate) fn last_throttle(&self) -> Option<(Millis, &str)> {
        self.last.as_ref().map(|(at, words)| (*at, &**words))
    }

    /// Letters counted today.
    #[must_use]
    pub(crate) fn today(&self, at: Millis) -> u32 {
        if self.day == day_of(at) { self.today } else { 0 }
    }

    /// Counts a start that stands in the log with this provider's name.
    pub(super) fn count(&mut self, at: Millis) {
        let rate = self.rate();
        self.pace.take(rate, at);
        self.first_day.get_or_insert(day_of(at));
        let today = self.today(at);
        (self.day, self.today, self.used) = (day_of(at), today.saturating_add(1), at);
    }

    /// A start that was counted was none, since no receiver has seen the letter: it counts for its day no more, and a
    /// warm-up does not begin with a day of which no other is left.
    pub(super) fn uncount(&mut self, started: Millis) {
        let rate = self.rate();
        self.pace.give_back(rate);
        if self.day == day_of(started) {
            self.today = self.today.saturating_sub(1);
            self.first_day = self.first_day.filter(|first| self.today > 0 || *first != self.day);
        }
    }

    /// Takes up a pace, for a throttle through which all letters go.
    pub(super) fn take(&mut self, at: Millis) {
        let rate = self.rate();
        self.pace.take(rate, at);
        self.used = at;
    }

    /// Gives a place in the pace back.
    pub(super) fn give_back(&mut self) {
        let rate = self.rate();
        self.pace.give_back(rate);
    }

    /// Holds something that a restart must know.
    pub(super) fn lasts(&self) -> bool {
        self.first_day.is_some() || self.cut.is_some() || self.last.is_some() || self.pace != Pace::default()
    }

    /// What a throttle at `at` makes of the rate: half of what was lately achieved, or of what it was cut to. `None`
    /// within a pause: those letters were in flight already.
    #[must_use]
    pub(crate) fn decide_cut(&self, flow: &Flow, at: Millis) -> Option<RateCut> {
        if self.cut.is_some_and(|cut| cut.until > at) {
            return None;
        }
        // Right after a pause the meter has seen the few letters that tried whether it is over, and no rate.
        let tried = self.cut.is_some_and(|cut| at.since(cut.until) < 2 * METER_MS);
        let achieved = Some(flow.per_minute(at)).filter(|letters| *letters > 0 && !tried);
        let held = self.rate().map(Rate::per_minute);
        let known = [achieved, held].into_iter().flatten().min().unwrap_or(2);
        let usual = self.limits.rate.map(Rate::per_minute);
        let usual = usual.unwrap_or_else(|| known.saturating_mul(2));
        let (target, pause_ms) = match self.cut {
            Some(cut) => (cut.target, cut.pause_ms.saturating_mul(2).min(PAUSE_MS_MAX)),
            None => (usual.max(2), PAUSE_MS),
        };
        let until = at.plus(u64::from(pause_ms));
        Some(RateCut { rate: (known / 2).max(1), target, until, pause_ms, stepped: at })
    }

    /// What a letter accepted at `at` makes of the rate: `None` for no change, `Some(None)` for a cut that is over.
    #[must_use]
    pub(crate) fn decide_growth(&self, at: Millis) -> Option<Option<RateCut>> {
        let cut = self.cut.filter(|cut| cut.until <= at && at.since(cut.stepped) >= STEP_MS)?;
        let rate = cut.rate.saturating_add((cut.target / STEPS).max(1));
        Some((rate < cut.target).then_some(RateCut { rate, stepped: at, pause_ms: PAUSE_MS / 2, ..cut }))
    }

    /// The cut is another one, or over.
    pub(super) fn set_cut(&mut self, cut: Option<RateCut>) {
        let old = self.rate();
        self.cut = cut;
        self.pace.change(self.used, old, self.rate());
    }

    /// True when a new throttle in its place would grant nothing that this one does not.
    pub(super) fn may_go(&self, at: Millis) -> bool {
        let counted = self.limits.counts_days() && self.today(at) > 0;
        // A cut that nothing has touched for a day is no news of today.
        let cut = self.cut.is_some_and(|cut| at.since(cut.stepped) < DAY_MS);
        !cut && !counted && self.pace.is_over(at)
    }
}

/// The number of a day, UTC.
fn day_of(at: Millis) -> u32 {
    u32::try_from(at.0 / DAY_MS).unwrap_or(u32::MAX)
}
