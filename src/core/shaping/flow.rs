//! What is known of a provider's letters in this run only: how many are in flight, how fast they start and
//! how long they take.
//!
//! ```text
//! letters that may be in flight      all ─┐        ┌──── one more with each letter that came back quickly
//! (where the shop has set none)           │   ┌────┘
//!                                   fair ─┴───┘ ◀── back to the fair share by a letter that took long
//! ```
//!
//! The fair share is a dynamic threshold, like that of a switch whose ports share a buffer: twice the number
//! of free connections, but never the last free one if another letter of the same provider is in flight. A
//! slow provider alone gets two thirds of all connections, three slow ones get a quarter each, and the next
//! provider still finds one. A provider that was quick may get all of them, since its letters delay nobody.

use super::super::time::Millis;

/// The length of one bucket of the meter.
pub(super) const METER_MS: u64 = 10_000;
/// How many policy refusals in a row count as a request to slow down.
pub const POLICY_ROW: u32 = 10;
/// A letter that comes back within this time was quick.
pub const QUICK_MS: u64 = 250;
/// A letter that takes longer than this was slow.
pub const SLOW_MS: u64 = 750;

/// Counts how many letters started in this and the last bucket.
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
            // The next bucket begins where the last one ended, or now if nothing started for long.
            self.from = if since < 2 * METER_MS { self.from.plus(METER_MS) } else { at };
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
    }

    /// Letters a minute, averaged over the last one or two buckets; 0 if unknown.
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

/// The connections of all workers, over all providers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerLoad {
    /// How many connections there are.
    pub connections: u32,
    /// How many letters are in flight.
    pub in_flight: u32,
}

/// The letters of one provider in this run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flow {
    in_flight: u32,
    meter: Meter,
    /// Policy refusals since a letter was last accepted.
    refused: u32,
    /// How many letters in flight the provider has earned by coming back quickly.
    earned: u32,
    /// When a letter last came back quickly, or when the first of those in flight started.
    moved: Millis,
}

impl Flow {
    #[must_use]
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many letters may be in flight at once if the shop has set no number.
    #[must_use]
    pub(crate) fn concurrency(&self, load: WorkerLoad) -> u32 {
        let free = load.connections.saturating_sub(load.in_flight);
        let fair = if free > 1 { free.saturating_mul(2) } else { 1 };
        self.earned.max(fair).min(load.connections)
    }

    /// Until when the provider cannot be called slow yet, because a letter started or came back quickly just
    /// before `at`.
    #[must_use]
    pub(crate) fn unknown_until(&self, at: Millis) -> Option<Millis> {
        let until = self.moved.plus(QUICK_MS);
        (until > at).then_some(until)
    }

    /// Letters started a minute, averaged over the last seconds; 0 if unknown.
    #[must_use]
    pub(crate) fn per_minute(&self, at: Millis) -> u32 {
        self.meter.per_minute(at)
    }

    /// A letter started at `at`.
    pub(crate) fn letter_started(&mut self, at: Millis) {
        if self.in_flight == 0 {
            self.moved = at;
        }
        self.in_flight += 1;
        self.meter.count(at);
    }

    /// A letter came back at `at` after `took_ms`; `accepted` says how, and `connections` is the most that
    /// can be earned.
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

    /// A letter was refused as policy. True if it completes a row of [`POLICY_ROW`], which counts as a
    /// request to slow down.
    pub(crate) fn refuses(&mut self) -> bool {
        self.refused += 1;
        let many = self.refused >= POLICY_ROW;
        if many {
            self.refused = 0;
        }
        many
    }
}
