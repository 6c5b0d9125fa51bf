//! What is known of a provider's letters in this run only: how many are in flight, how fast they went, how long they take.
//!
//! ```text
//! letters that may be in flight      all ─┐        ┌──── one more with each letter that came back quickly
//! (where the shop has set none)           │   ┌────┘
//!                                   fair ─┴───┘ ◀── back to the fair share by a letter that took long
//! ```
//!
//! The fair share is a dynamic threshold, as switches share a buffer: twice what is free, and never the last free
//! connection beside another letter of the same provider. One slow provider alone has two thirds of the connections, three
//! slow ones a quarter each, and whoever comes next finds one. A provider that has shown to be quick may have all: its
//! letters hold nobody up.

use super::super::time::Millis;

/// A bucket of the meter.
pub(super) const METER_MS: u64 = 10_000;
/// Policy refusals in a row that count as a throttle.
pub const POLICY_ROW: u32 = 10;
/// A letter that comes back within this much was quick.
pub const QUICK_MS: u64 = 250;
/// One that takes longer than this was slow.
pub const SLOW_MS: u64 = 750;

/// How many letters started lately.
#[derive(Debug, Clone, Copy, Default)]
struct Meter {
    from: Millis,
    count: u32,
    before: u32,
}

impl Meter {
    fn count(&mut self, at: Millis) {
        let since = at.since(self.from);
        if since >= METER_MS {
            self.before = if since < 2 * METER_MS { self.count } else { 0 };
            // The next bucket begins where the last one ended, or here after a silence.
            self.from = if since < 2 * METER_MS { self.from.plus(METER_MS) } else { at };
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
    }

    /// Letters a minute over the last bucket or two; 0 when nothing is known.
    fn per_minute(&self, at: Millis) -> u32 {
        let since = at.since(self.from);
        if since >= 2 * METER_MS {
            return 0;
        }
        let whole = if self.before > 0 { METER_MS } else { 0 };
        let letters = u64::from(self.before) + u64::from(self.count);
        u32::try_from(letters * 60_000 / (whole + since.max(1000))).unwrap_or(u32::MAX)
    }
}

/// How many letters are in flight over all providers, and how many may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerLoad {
    /// Connections there are.
    pub connections: u32,
    /// Letters in flight.
    pub in_flight: u32,
}

/// The letters of one provider in this run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flow {
    in_flight: u32,
    meter: Meter,
    /// Policy refusals since the last letter that was accepted.
    refused: u32,
    /// Letters in flight that the provider has earned by coming back quickly.
    earned: u32,
    /// When a letter last came back quickly, or the first of those in flight departed.
    moved: Millis,
}

impl Flow {
    /// Letters in flight.
    #[must_use]
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Letters that may be in flight at once where the shop has set no number.
    #[must_use]
    pub(crate) fn concurrency(&self, load: WorkerLoad) -> u32 {
        let free = load.connections.saturating_sub(load.in_flight);
        let fair = if free > 1 { free.saturating_mul(2) } else { 1 };
        self.earned.max(fair).min(load.connections)
    }

    /// Until when it is not yet known to be slow: something came back, or began, just now.
    #[must_use]
    pub(crate) fn unknown_until(&self, at: Millis) -> Option<Millis> {
        let until = self.moved.plus(QUICK_MS);
        (until > at).then_some(until)
    }

    /// Letters started in a minute at the pace of the last seconds; 0 when nothing is known.
    #[must_use]
    pub(crate) fn per_minute(&self, at: Millis) -> u32 {
        self.meter.per_minute(at)
    }

    /// A letter is on the wire.
    pub(crate) fn letter_started(&mut self, at: Millis) {
        if self.in_flight == 0 {
            self.moved = at;
        }
        self.in_flight += 1;
        self.meter.count(at);
    }

    /// It came back after `took_ms` at `at`, accepted or not.
    pub(crate) fn returns(&mut self, took_ms: u64, accepted: bool, connections: u32, at: Millis) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if took_ms <= QUICK_MS {
            self.moved = at;
        }
        if accepted {
            self.refused = 0;
        }
        if took_ms > SLOW_MS {
            self.earned = 0;
        } else if took_ms <= QUICK_MS {
            self.earned = self.earned.saturating_add(1).min(connections);
        }
    }

    /// A letter was refused as policy: true when it is one of so many in a row that it counts as a throttle.
    pub(crate) fn refuses(&mut self) -> bool {
        self.refused += 1;
        let many = self.refused >= POLICY_ROW;
        if many {
            self.refused = 0;
        }
        many
    }
}
