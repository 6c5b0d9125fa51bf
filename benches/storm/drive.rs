//! The load itself: many connections, closed loop or open loop, for a time or for a count.
//!
//! ```text
//! closed   each connection sends, waits, sends again             what the engine can take
//! open     request k is due at start + k / rate, and any free connection sends it;
//!          its latency counts from when it was due               what a shopper sees
//! ```
//!
//! So a stall of the engine shows in every request that was due meanwhile: none is omitted. Requests are numbered, and the
//! content of the nth follows from n alone, so that it can be verified afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::stats::{NUMBERS_MAX, Tally};
use super::wire::{Call, Endpoint, HttpReply, Wire};

/// The requests of a load, and how their answers are judged.
pub(super) trait Load: Send + Sync {
    /// The nth request.
    fn call(&self, n: u64) -> Call;

    /// Judges a 2xx answer and remembers what it acknowledged.
    ///
    /// # Errors
    /// What is wrong with the answer.
    fn took(&self, n: u64, answer: &HttpReply) -> Result<(), &'static str>;
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) connections: usize,
    /// Requests a second in an open loop; `None` for a closed loop.
    pub(super) rate: Option<f64>,
    /// The number of the first request.
    pub(super) from: u64,
    /// How many requests; `None` when the time decides.
    pub(super) count: Option<u64>,
    /// No request is due later than this.
    pub(super) span: Duration,
}

/// The longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// A request of an open loop that is still unsent this long after the end of its stretch is not sent at all: so a load that
/// engine or harness cannot take ends too.
const LATE_MOST: Duration = Duration::from_secs(10);
/// How long a connection pauses after it was refused or broke.
const BROKEN_PAUSE: Duration = Duration::from_millis(20);

struct Shared {
    load: Arc<dyn Load>,
    next: AtomicU64,
    order: Order,
    begin: Instant,
    bar: ProgressBar,
}

/// Drives a load; returns the counts, and a number from which on none was used.
pub(super) async fn drive(
    endpoint: &Endpoint,
    load: Arc<dyn Load>,
    order: Order,
    bar: &ProgressBar,
) -> (Tally, u64) {
    let begin = Instant::now();
    let next = AtomicU64::new(order.from);
    let shared = Arc::new(Shared { load, next, order, begin, bar: bar.clone() });
    let workers: Vec<_> = (0..order.connections.max(1))
        .map(|_| tokio::spawn(worker(Arc::clone(&shared), Wire::new(endpoint))))
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
    /// The next number, and in an open loop the time when it is due. A number taken after the end is never used: giving it
    /// back could hand another one out twice.
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
