//! The workers and their connections: on which of them a letter may start, and when the relay is tried again.
//!
//! ```text
//!          Connect                Connected              start
//!  cold ───────────▶ connecting ───────────▶ connected ─────────▶ in flight ── Delivered ─▶ connected, or cold
//!   ▲                     │                      │ nothing for a second: it must answer first
//!   └──── Unconnected ────┘                      └──────▶ stale ── Connect ─▶ connecting
//! ```
//!
//! A letter starts only on a connection that is past its greeting. A started letter may have left, so after a
//! crash it is in doubt, and its person gets it even if they unsubscribe meanwhile. A relay that accepts
//! connections but does not speak must not cause this.
//!
//! A relay that refuses connections is tried by one worker at a time, at growing intervals. As soon as it
//! answers a letter, the other workers connect.

use super::super::outcome::{DeliveryOutcome, Diagnostic};
use super::super::shaping::{OTHERS, ThrottleId};
use super::super::time::Millis;

/// How long a connection may be idle before it must answer again, prior to the next letter.
pub(super) const IDLE_MS: u64 = 1000;
/// The wait after the first failed connection; it doubles with each further one.
const FIRST_WAIT_MS: u64 = 1000;
/// The longest wait between two attempts to connect.
const LONGEST_WAIT_MS: u64 = 60_000;

/// A letter in flight.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// The throttle of its provider.
    pub(super) throttle: ThrottleId,
    /// The hash of the address.
    pub(super) address: u128,
    /// The provider that counts it, if its record names one.
    pub(super) provider: Option<String>,
    /// When it started.
    pub(super) at: Millis,
}

impl Default for Flight {
    fn default() -> Self {
        Self { throttle: OTHERS, address: 0, provider: None, at: Millis(0) }
    }
}

#[derive(Debug, Clone, Default)]
struct Worker {
    /// When its connection last answered; `None`: no connection.
    alive: Option<Millis>,
    /// Letters since it was connected.
    letters: u32,
    connecting: bool,
    flight: Option<Flight>,
}

#[derive(Debug)]
pub(super) struct Connections {
    workers: Vec<Worker>,
    /// Workers that neither connect nor carry a letter, by last use; the most recent is at the end.
    free: Vec<usize>,
    connecting: usize,
    in_flight: usize,
    /// Failed connections in a row.
    failures: u32,
    /// No connection is tried before this.
    until: Option<Millis>,
    /// The last failed connection: when, and why.
    last: Option<(Millis, Diagnostic)>,
}

impl Connections {
    /// Workers without connections.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            workers: vec![Worker::default(); workers],
            free: (0..workers).rev().collect(),
            connecting: 0,
            in_flight: 0,
            failures: 0,
            until: None,
            last: None,
        }
    }

    /// How many letters are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a worker neither connects nor carries a letter.
    pub(super) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// A worker on whose connection a letter may start at `at`.
    pub(super) fn fresh(&self, at: Millis) -> Option<usize> {
        let worker = *self.free.last()?;
        let alive = self.workers.get(worker)?.alive?;
        (at.since(alive) <= IDLE_MS).then_some(worker)
    }

    /// When the relay may be tried again; `None`: now.
    pub(super) fn shut_until(&self, at: Millis) -> Option<Millis> {
        self.until.filter(|until| *until > at)
    }

    /// The last failed connection, as long as none has succeeded since.
    pub(super) fn last_failure(&self) -> Option<(Millis, &Diagnostic)> {
        self.last.as_ref().filter(|_| self.failures > 0).map(|(at, said)| (*at, said))
    }

    /// A letter starts on a worker's connection.
    pub(super) fn letter_started(&mut self, worker: usize, flight: Flight) {
        if self.free.last() == Some(&worker) {
            self.free.pop();
        } else {
            self.free.retain(|other| *other != worker);
        }
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.flight = Some(flight);
            self.in_flight += 1;
        }
    }

    /// Takes the workers to be connected now, so that `wanted` letters may start.
    pub(super) fn take_cold(&mut self, wanted: usize, at: Millis) -> Vec<usize> {
        let most = if self.failures > 0 { 1 } else { wanted };
        let mut workers = Vec::new();
        while self.shut_until(at).is_none()
            && self.connecting < most
            && let Some(worker) = self.free.pop()
        {
            if let Some(worker) = self.workers.get_mut(worker) {
                worker.connecting = true;
            }
            self.connecting += 1;
            workers.push(worker);
        }
        workers
    }

    /// A worker has a connection.
    pub(super) fn connected(&mut self, worker: usize, at: Millis) {
        if let Some(slot) = self.settled(worker) {
            (slot.alive, slot.letters) = (Some(at), 0);
            self.free.push(worker);
            self.until = None;
        }
    }

    /// A worker got no connection. Returns when the next one may be tried.
    pub(super) fn unconnected(
        &mut self,
        worker: usize,
        outcome: &DeliveryOutcome,
        base_ms: u64,
        at: Millis,
    ) -> Millis {
        if let Some(slot) = self.settled(worker) {
            slot.alive = None;
            // Behind the workers that are connected.
            self.free.insert(0, worker);
        }
        self.fails(&outcome.diagnostic, base_ms, at)
    }

    /// A letter came back. Returns what is known of it, and whether it was the first on its connection.
    pub(super) fn returns(&mut self, worker: usize, connected: bool, at: Millis) -> Option<(Flight, bool)> {
        let slot = self.workers.get_mut(worker)?;
        let flight = slot.flight.take()?;
        let first = slot.letters == 0;
        slot.letters = slot.letters.saturating_add(1);
        slot.alive = connected.then_some(at);
        self.in_flight -= 1;
        if connected {
            self.free.push(worker);
        } else {
            // Behind the workers that are connected.
            self.free.insert(0, worker);
        }
        Some((flight, first))
    }

    /// The relay has answered a letter.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
    }

    /// A connection failed. Returns when the next one may be tried.
    pub(super) fn fails(&mut self, said: &Diagnostic, base_ms: u64, at: Millis) -> Millis {
        self.last = Some((at, said.clone()));
        // Several that were under way at once failed for the same reason, which counts once.
        if let Some(until) = self.shut_until(at) {
            return until;
        }
        let first = FIRST_WAIT_MS.min(base_ms.max(1));
        let longest = LONGEST_WAIT_MS.min(base_ms).max(first);
        let wait = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let next = at.plus(wait);
        self.until = Some(next);
        next
    }

    /// A worker no longer connects; `None` if it did not.
    fn settled(&mut self, worker: usize) -> Option<&mut Worker> {
        let slot = self.workers.get_mut(worker).filter(|slot| slot.connecting)?;
        slot.connecting = false;
        self.connecting -= 1;
        Some(slot)
    }
}
