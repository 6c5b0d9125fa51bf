//! The throttle of one provider: how fast its letters may start, and how a server's request to slow down
//! changes that. All of it comes from records, so a restart grants nothing twice. What is known of this run
//! only is in the provider's [`Flow`].
//!
//! ```text
//! rate │──────┐ setting, or what was achieved                       ┌──── lifted
//!      │      │ 421: half of it, after a pause            ┌────┐────┘
//!      │      └─┐ 421: half again, a pause twice as long  │ steps, one in 10 s of success
//!      │        └──────────────────────────────────┌──────┘
//!      └─────────────────────────────────────────────────────────────▶ time
//! ```
//!
//! Invariants: a cut is never below one letter a minute and never above the setting; during the pause after a
//! cut there is no second cut, however many letters were in flight; a day's count never exceeds its ceiling.

use super::super::pace::{Pace, Rate, RateDecision};
use super::super::time::Millis;
use super::flow::{Flow, METER_MS, WorkerLoad};
use super::limits::Limits;

/// The first pause after a server asks for less; it doubles with each further request that no success
/// precedes.
pub(crate) const PAUSE_MS: u32 = 5_000;
const PAUSE_MS_MAX: u32 = 60_000;
/// How long letters must succeed between two steps of growth.
pub(crate) const STEP_MS: u64 = 10_000;
/// The number of growth steps from zero to the rate before the cut.
const STEPS: u32 = 40;
const DAY_MS: u64 = 86_400_000;

/// A rate that was lowered because a server asked for less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateCut {
    /// Letters a minute, at least 1.
    pub rate: u32,
    /// Letters a minute at which the cut is lifted.
    pub target: u32,
    /// No letter starts before this.
    pub until: Millis,
    /// The length of the last pause, in milliseconds.
    pub pause_ms: u32,
    pub stepped: Millis,
}

impl RateCut {
    /// The cut as a rate. Its burst is a tenth of a second's worth of letters, at least 1: waits are whole
    /// milliseconds, and without a burst they would keep the rate well below two hundred letters a second.
    #[must_use]
    pub(crate) fn as_rate(&self) -> Rate {
        Rate { letters: self.rate.max(1), period_ms: 60_000, burst: (self.rate / 600).max(1) }
    }
}

/// Whether a throttle allows one more letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleDecision {
    /// It may start now.
    Open,
    /// It may not start before this time.
    At(Millis),
    /// The ceiling of the day is reached; it may not start before this time, the next midnight (UTC).
    Ceiling(Millis),
    /// It may not start before another letter of the provider has come back.
    Full,
}

impl ThrottleDecision {
    /// The time in the answer, if it names one.
    #[must_use]
    pub(crate) fn opens(self) -> Option<Millis> {
        match self {
            Self::At(then) | Self::Ceiling(then) => Some(then),
            Self::Open | Self::Full => None,
        }
    }
}

/// The limits of one provider and how far they are used up.
#[derive(Debug, Clone)]
pub struct ProviderThrottle {
    /// The provider's name, or the domain.
    pub name: Box<str>,
    /// The shop's settings.
    pub limits: Limits,
    pub(super) pace: Pace,
    pub(super) day: u32,
    pub(super) today: u32,
    pub(super) first_day: Option<u32>,
    pub(super) cut: Option<RateCut>,
    /// The server's last reply that asked for less, and when it came.
    pub(super) last: Option<(Millis, Box<str>)>,
    pub(super) used: Millis,
}

impl ProviderThrottle {
    /// A throttle that was never used.
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

    /// Whether starts must be recorded with the provider's name, so that a restart grants nothing twice.
    #[must_use]
    pub(crate) fn remembers(&self) -> bool {
        self.cut.is_some() || self.limits.rate.is_some() || self.limits.counts_days()
    }

    /// The rate in force, from the setting and the cut; `None`: no limit.
    #[must_use]
    pub(crate) fn rate(&self) -> Option<Rate> {
        match (self.limits.rate, self.cut.map(|cut| cut.as_rate())) {
            (Some(set), Some(cut)) => Some(set.slower(Rate { burst: cut.burst.min(set.burst), ..cut })),
            (set, cut) => set.or(cut),
        }
    }

    /// How many letters may be in flight at once: the setting, or else what [`Flow::concurrency`] allows.
    /// With a cut it is at most a quarter of all connections.
    #[must_use]
    pub(crate) fn connections(&self, flow: &Flow, load: WorkerLoad) -> u32 {
        let set = self.limits.connections.unwrap_or_else(|| flow.concurrency(load));
        if self.cut.is_some() { set.min((load.connections / 4).max(1)) } else { set }
    }

    /// Whether only the fair share of connections bounds the letters in flight.
    #[must_use]
    pub(crate) fn is_adaptive(&self) -> bool {
        self.limits.connections.is_none() && self.cut.is_none()
    }

    /// When the pause of the last cut ends.
    #[must_use]
    pub(crate) fn shut_until(&self) -> Option<Millis> {
        self.cut.map(|cut| cut.until)
    }

    /// Whether a letter may start at `at`.
    #[must_use]
    pub(crate) fn check(&self, flow: &Flow, load: WorkerLoad, at: Millis) -> ThrottleDecision {
        if flow.in_flight() >= self.connections(flow, load) {
            return ThrottleDecision::Full;
        }
        self.check_time(at)
    }

    /// Like [`check`](Self::check), but without regard to the letters in flight.
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

    /// About how many letters could start at `at`, at least 1; no more need be fetched.
    #[must_use]
    pub(crate) fn room(&self, flow: &Flow, load: WorkerLoad) -> usize {
        let in_flight = self.connections(flow, load).saturating_sub(flow.in_flight());
        let burst = self.rate().map_or(u32::MAX, |rate| rate.burst);
        in_flight.min(burst).max(1) as usize
    }

    /// How many letters the day's ceiling still allows; `None`: no ceiling.
    fn left_today(&self, at: Millis) -> Option<u32> {
        if !self.limits.counts_days() {
            return None;
        }
        Some(self.ceiling(at)?.saturating_sub(self.today(at)))
    }

    /// How many letters may start on the day of `at`; `None`: no ceiling.
    #[must_use]
    pub(crate) fn ceiling(&self, at: Millis) -> Option<u32> {
        let first = self.first_day.unwrap_or(day_of(at));
        self.limits.ceiling(day_of(at).saturating_sub(first))
    }

    /// When a server last asked for less, and its reply.
    #[must_use]
    pub(crate) fn last_throttle(&self) -> Option<(Millis, &str)> {
        self.last.as_ref().map(|(at, words)| (*at, &**words))
    }

    /// Letters counted on the day of `at`.
    #[must_use]
    pub(crate) fn today(&self, at: Millis) -> u32 {
        if self.day == day_of(at) { self.today } else { 0 }
    }

    /// Counts a start whose record names this provider.
    pub(super) fn count(&mut self, at: Millis) {
        let rate = self.rate();
        self.pace.take(rate, at);
        self.first_day.get_or_insert(day_of(at));
        let today = self.today(at);
        (self.day, self.today, self.used) = (day_of(at), today.saturating_add(1), at);
    }

    /// Takes back a counted start, since no server saw the letter. If it was the only one of the first day,
    /// warm-up has not begun.
    pub(super) fn uncount(&mut self, started: Millis) {
        let rate = self.rate();
        self.pace.give_back(rate);
        if self.day == day_of(started) {
            self.today = self.today.saturating_sub(1);
            self.first_day = self.first_day.filter(|first| self.today > 0 || *first != self.day);
        }
    }

    /// Counts a start for its rate only; for the relay, through which all letters go.
    pub(super) fn take(&mut self, at: Millis) {
        let rate = self.rate();
        self.pace.take(rate, at);
        self.used = at;
    }

    /// Takes back one [`take`](Self::take).
    pub(super) fn give_back(&mut self) {
        let rate = self.rate();
        self.pace.give_back(rate);
    }

    /// Whether it holds anything that a restart must know.
    pub(super) fn lasts(&self) -> bool {
        self.first_day.is_some() || self.cut.is_some() || self.last.is_some() || self.pace != Pace::default()
    }

    /// The cut that follows when a server asks for less at `at`: half of the rate lately achieved, or of the
    /// rate in force. `None` during a pause, since the letter was in flight when it began.
    #[must_use]
    pub(crate) fn decide_cut(&self, flow: &Flow, at: Millis) -> Option<RateCut> {
        if self.cut.is_some_and(|cut| cut.until > at) {
            return None;
        }
        // Right after a pause the meter has only seen the few letters that probed whether it is over, which
        // is no rate.
        let tried = self.cut.is_some_and(|cut| at.since(cut.until) < 2 * METER_MS);
        let achieved = Some(flow.per_minute(at)).filter(|letters| *letters > 0 && !tried);
        let current = self.rate().map(Rate::per_minute);
        let known = [achieved, current].into_iter().flatten().min().unwrap_or(2);
        let usual = self.limits.rate.map(Rate::per_minute);
        let usual = usual.unwrap_or_else(|| known.saturating_mul(2));
        let (target, pause_ms) = match self.cut {
            Some(cut) => (cut.target, cut.pause_ms.saturating_mul(2).min(PAUSE_MS_MAX)),
            None => (usual.max(2), PAUSE_MS),
        };
        let until = at.plus(u64::from(pause_ms));
        Some(RateCut { rate: (known / 2).max(1), target, until, pause_ms, stepped: at })
    }

    /// What a letter accepted at `at` changes: `None`: nothing; `Some(None)`: the cut is over; else the cut
    /// has grown by a step.
    #[must_use]
    pub(crate) fn decide_growth(&self, at: Millis) -> Option<Option<RateCut>> {
        let cut = self.cut.filter(|cut| cut.until <= at && at.since(cut.stepped) >= STEP_MS)?;
        let rate = cut.rate.saturating_add((cut.target / STEPS).max(1));
        Some((rate < cut.target).then_some(RateCut { rate, stepped: at, pause_ms: PAUSE_MS / 2, ..cut }))
    }

    /// Replaces or lifts the cut.
    pub(super) fn set_cut(&mut self, cut: Option<RateCut>) {
        let old = self.rate();
        self.cut = cut;
        self.pace.change(self.used, old, self.rate());
    }

    /// Whether a new throttle in its place would grant nothing more than this one.
    pub(super) fn may_go(&self, at: Millis) -> bool {
        let counted = self.limits.counts_days() && self.today(at) > 0;
        // A cut that has not changed for a day is forgotten.
        let cut = self.cut.is_some_and(|cut| at.since(cut.stepped) < DAY_MS);
        !cut && !counted && self.pace.is_over(at)
    }
}

/// The day of `at`, in days since 1970 (UTC).
fn day_of(at: Millis) -> u32 {
    u32::try_from(at.0 / DAY_MS).unwrap_or(u32::MAX)
}
