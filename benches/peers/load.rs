//! The load: how clients are driven, how their answers are checked, and the result.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::future::Future;
use std::time::{Duration, Instant};

use restockd_testkit::servers;
use tokio::runtime::Runtime;
use tokio::time::sleep_until;

use crate::shopper::{Act, Shopper, What};

/// One connection to a peer.
pub trait Client: Send + 'static {
    /// Sends a request, waits until it is durable, and returns whether its key was new.
    fn act(&mut self, act: &Act) -> impl Future<Output = bool> + Send;
}

/// What was acknowledged, from the first request to the last.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    pub joins: u64,
    pub leaves: u64,
}

impl Tally {
    /// People who are on a list now.
    pub fn members(self) -> u64 {
        self.joins - self.leaves
    }

    /// Keys that were used.
    pub fn keys(self) -> u64 {
        self.joins + self.leaves
    }
}

/// The result of one stretch.
#[derive(Clone, Copy)]
pub struct Stretch {
    pub joins: f64,
    pub all: f64,
    /// Milliseconds from request to answer, of all kinds: the median.
    pub p50: f64,
    pub p99: f64,
    /// Processor time of the server for each request, in microseconds.
    pub server: f64,
    pub client: f64,
}

/// The size of the load.
pub struct Load {
    pub clients: usize,
    pub lists: usize,
    pub warm: Duration,
    pub span: Duration,
}

impl Load {
    /// Drives the clients against the server with this process id.
    pub fn run<C: Client>(&self, runtime: &Runtime, clients: Vec<C>, id: u32) -> (Stretch, Tally) {
        runtime.block_on(async {
            let start = Instant::now() + self.warm;
            let end = start + self.span;
            let pressing = clients.into_iter().enumerate();
            let pressing: Vec<_> = pressing
                .map(|(n, client)| tokio::spawn(press(client, Shopper::new(n, self.lists), start, end)))
                .collect();
            sleep_until(start.into()).await;
            let (server, client) = (servers::processor_time(id), servers::processor_time(std::process::id()));
            sleep_until(end.into()).await;
            let server = servers::processor_time(id) - server;
            let client = servers::processor_time(std::process::id()) - client;
            // Connections stay open until here, so that the processes that served them can be asked for their time.
            let mut done = Vec::new();
            for one in pressing {
                done.push(one.await.unwrap());
            }
            let tally = done.iter().fold(Tally::default(), |sum, one| Tally {
                joins: sum.joins + one.shopper.joined,
                leaves: sum.leaves + one.shopper.left,
            });
            let joins: u64 = done.iter().map(|one| one.joins).sum();
            let mut spans: Vec<u32> = done.iter().flat_map(|one| one.spans.iter().copied()).collect();
            assert!(!spans.is_empty(), "no answer within {:?}", self.span);
            spans.sort_unstable();
            let at = |part: usize| f64::from(spans[(spans.len() * part / 100).min(spans.len() - 1)]) / 1000.0;
            let each = |time: Duration| time.as_secs_f64() * 1e6 / spans.len() as f64;
            let stretch = Stretch {
                joins: joins as f64 / self.span.as_secs_f64(),
                all: spans.len() as f64 / self.span.as_secs_f64(),
                p50: at(50),
                p99: at(99),
                server: each(server),
                client: each(client),
            };
            (stretch, tally)
        })
    }
}

/// A client at its end.
struct Done<C> {
    _client: C,
    shopper: Shopper,
    /// New joins within the stretch.
    joins: u64,
    spans: Vec<u32>,
}

/// Presses until the end; answers between start and end count.
async fn press<C: Client>(mut client: C, mut shopper: Shopper, start: Instant, end: Instant) -> Done<C> {
    let (mut joins, mut spans) = (0, Vec::new());
    loop {
        let act = shopper.next();
        let sent = Instant::now();
        if sent >= end {
            shopper.unsent(&act);
            return Done { _client: client, shopper, joins, spans };
        }
        let fresh = client.act(&act).await;
        assert_eq!(fresh, act.what != What::Again, "{} of {}: new or a repeat?", act.key, act.email);
        let now = Instant::now();
        if now >= start && now < end {
            joins += u64::from(act.what == What::Join);
            spans.push(now.duration_since(sent).as_micros() as u32);
        }
    }
}
