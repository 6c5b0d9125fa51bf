//! The load itself: many connections, closed loop or open loop, for a time or for a count.
//!
//! ```text
//! closed   each connection asks, waits, asks again                      what the engine can take
//! open     request k is due at start + k / rate, whoever is free sends it;
//!          its latency counts from when it was due, not from when it went  what a shopper sees
//! ```
//!
//! So a stall of the engine is felt by every request that should have gone meanwhile: nothing is omitted.
//! Requests are numbered; what the nth asks follows from n alone, so that it can be asked back afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::stats::{NUMBERS_MAX, Tally};
use super::wire::{Call, Endpoint, HttpReply, Wire};

/// What is asked, and what a good answer is.
pub(super) trait Load: Send + Sync {
    /// The nth request.
    fn call(&self, n: u64) -> Call;

    /// Judges an answer with a status of 2xx and remembers what it acknowledged.
    ///
    /// # Errors
    /// What is wrong with it.
    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str>;
}

/// How the load is driven.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) connections: usize,
    /// Requests a second in an open loop; a closed loop otherwise.
    pub(super) rate: Option<f64>,
    /// The first number.
    pub(super) from: u64,
    /// So many requests, where it is not for a time.
    pub(super) count: Option<u64>,
    /// No request is due later than this.
    pub(super) span: Duration,
}

/// Longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// A request of an open loop that could not go this long after the end of its stretch does not go at all: so a load that
/// neither engine nor harness can take ends too.
const LATE_MOST: Duration = Duration::from_secs(10);
/// A connection that was refused or broke pauses for this long.
const BROKEN_PAUSE: Duration = Duration::from_millis(20);

struct Shared {
    load: Arc<dyn Load>,
    next: AtomicU64,
    order: Order,
    begin: Instant,
    bar: ProgressBar,
}

/// Drives a load and says what was seen, and a number from which on none was used.
pub(super) async fn drive(
    door: &Endpoint,
    load: Arc<dyn Load>,
    order: Order,
    bar: &ProgressBar,
) -> (Tally, u64) {
    let begin = Instant::now();
    let next = AtomicU64::new(order.from);
    let shared = Arc::new(Shared { load, next, order, begin, bar: bar.clone() });
    let workers: Vec<_> = (0..order.connections.max(1))
        .map(|_| tokio::spawn(worker(Arc::clone(&shared), Wire::new(door))))
        .collect();
    let mut all = Tally::new();
    for worker in workers {
        match worker.await {
            Ok(tally) => all.add(&tally),
            Err(_) => all.bad("a worker died".to_owned()),
        }
    }
    all.span = begin.elapsed();
    (all, shared.next.load(Ordering::Relaxed))
}

async fn worker(shared: Arc<Shared>, mut wire: Wire) -> Tally {
    let mut tally = Tally::new();
    while let Some((n, due)) = shared.take() {
        tally.offered += 1;
        if shared.begin.elapsed() > shared.order.span + LATE_MOST {
            tally.bad("not sent: its turn came more than ten seconds after the end".to_owned());
            continue;
        }
        let sent = match due {
            Some(due) => {
                tokio::time::sleep_until(due.into()).await;
                due
            }
            None => Instant::now(),
        };
        let call = shared.load.call(n);
        let answer = tokio::time::timeout(ANSWER_WAIT, wire.ask(call)).await;
        shared.bar.inc(1);
        match answer {
            Ok(Ok(answer)) if answer.is_ok() => match shared.load.took(n, &answer) {
                Ok(()) => tally.good(sent.elapsed()),
                Err(what) => tally.bad(what.to_owned()),
            },
            Ok(Ok(answer)) if answer.retry_after && matches!(answer.status, 429 | 503) => tally.refused += 1,
            Ok(Ok(answer)) => tally.bad(format!("answered {}", answer.status)),
            Ok(Err(broken)) => {
                tally.bad(broken.to_string());
                tokio::time::sleep(BROKEN_PAUSE).await;
            }
            Err(_) => {
                tally.bad("no answer within a minute".to_owned());
                return tally;
            }
        }
    }
    tally
}

impl Shared {
    /// The next number, and when it is due in an open loop. A number taken when all is over is never used: to give
    /// it back could give another one twice.
    fn take(&self) -> Option<(u64, Option<Instant>)> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let step = n - self.order.from;
        if n >= NUMBERS_MAX || self.order.count.is_some_and(|count| step >= count) {
            return None;
        }
        let Some(rate) = self.order.rate else {
            return (self.begin.elapsed() < self.order.span).then_some((n, None));
        };
        let after = Duration::from_secs_f64(step as f64 / rate);
        (after < self.order.span).then(|| (n, Some(self.begin + after)))
    }
}
