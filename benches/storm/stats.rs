//! The statistics of a stretch of load: latencies, answers by kind, and which requests were acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Higher latencies are counted as this.
const LATENCY_MAX_US: u64 = 120_000_000;

/// The counts of one worker, or of all.
#[derive(Debug)]
pub(super) struct Tally {
    /// Latencies of good answers, in microseconds from the time when the request was due.
    pub(super) latency: Histogram<u64>,
    pub(super) offered: u64,
    pub(super) done: u64,
    /// Answers 503 or 429 with `Retry-After`.
    pub(super) refused: u64,
    /// All other answers and failures, by kind.
    pub(super) errors: BTreeMap<String, u64>,
    /// The length of the stretch.
    pub(super) span: Duration,
}

impl Tally {
    pub(super) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3)
            .expect("invariant: 1 to two minutes at three digits are bounds that the library takes");
        Self { latency, offered: 0, done: 0, refused: 0, errors: BTreeMap::new(), span: Duration::ZERO }
    }

    /// Counts a good answer.
    pub(super) fn good(&mut self, latency: Duration) {
        self.done += 1;
        self.latency.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LATENCY_MAX_US).max(1));
    }

    /// Counts a failure.
    pub(super) fn bad(&mut self, kind: String) {
        *self.errors.entry(kind).or_default() += 1;
    }

    /// Adds another's counts.
    pub(super) fn add(&mut self, other: &Self) {
        // Both histograms have the same bounds.
        let _ = self.latency.add(&other.latency);
        self.offered += other.offered;
        self.done += other.done;
        self.refused += other.refused;
        other.errors.iter().for_each(|(kind, n)| *self.errors.entry(kind.clone()).or_default() += n);
        self.span = self.span.max(other.span);
    }

    /// Good answers a second.
    pub(super) fn per_second(&self) -> f64 {
        self.done as f64 / self.span.as_secs_f64().max(1e-9)
    }
}

/// The highest number of requests in one storm.
pub(super) const NUMBERS_MAX: u64 = 1 << 27;

/// A set of request numbers, one bit each.
#[derive(Debug)]
pub(super) struct Marks(Vec<AtomicU64>);

impl Marks {
    /// For numbers below `numbers`.
    pub(super) fn new(numbers: u64) -> Self {
        Self((0..=numbers.min(NUMBERS_MAX) / 64).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn set(&self, n: u64) {
        if let Some(word) = self.0.get((n / 64) as usize) {
            word.fetch_or(1 << (n % 64), Ordering::Relaxed);
        }
    }

    pub(super) fn has(&self, n: u64) -> bool {
        self.0.get((n / 64) as usize).is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (n % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_saw_adds_up() {
        let (mut all, mut one) = (Tally::new(), Tally::new());
        one.offered = 3;
        one.good(Duration::from_millis(2));
        one.good(Duration::from_secs(900));
        one.bad("400".to_owned());
        all.add(&one);
        all.add(&one);
        assert_eq!((all.offered, all.done, all.errors["400"]), (6, 4, 2));
        assert_eq!(all.latency.len(), 4);
        assert!(all.latency.max() >= LATENCY_MAX_US);
        assert!((1_990..2_010).contains(&all.latency.min()));
    }

    #[test]
    fn marks_are_what_was_marked() {
        let marks = Marks::new(1000);
        [0, 63, 64, 1000].into_iter().for_each(|n| marks.set(n));
        marks.set(NUMBERS_MAX + 1);
        assert!(marks.has(0) && marks.has(63) && marks.has(64) && marks.has(1000) && !marks.has(65));
    }
}
