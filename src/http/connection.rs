//! One connection: HTTP/1.1 with a clock on everything that can be drawn out.
//!
//! ```text
//! accept ── head must be whole ──> serving ── answer written ──> resting ── first byte ──> head ...
//!           header_timeout         (body and Engine have theirs)  idle_timeout             header_timeout
//! ```
//!
//! A reader that takes no bytes is given `idle_timeout` too. hyper times the head from the end of
//! the answer before, so a resting connection and a half-sent head are one thing to it; here they
//! are two, told apart by watching the socket. One timer per connection, not one per request.

use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{App, envelope};

/// The longest request head; also the longest read at once.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// The most headers.
const HEADERS_MAX: usize = 64;

/// What a connection may take its time for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// From the first byte of a head to its last.
    pub(super) header: Duration,
    /// Between requests, and for the client to take bytes.
    pub(super) idle: Duration,
    /// After this, closed behind the request being served.
    pub(super) age: Duration,
}

/// Where the server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Taking requests.
    Open,
    /// Finishing what is open.
    Draining,
    /// Done waiting.
    Closed,
}

/// Serves one connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    app: Arc<App>,
    router: Router,
    times: Times,
    mut phase: watch::Receiver<Phase>,
) {
    let watch = Arc::new(Watch::new());
    let seen = Arc::clone(&watch);
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, router, watch) = (Arc::clone(&app), router.clone(), Arc::clone(&seen));
        watch.serving();
        async move {
            let response = envelope::answer(&app, router, peer, request).await;
            watch.resting();
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let io = Watched { io: TokioIo::new(stream), watch: Arc::clone(&watch) };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(None).half_close(true);
    http.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX).keep_alive(true);
    let mut connection = pin!(http.serve_connection(io, service));
    let mut overdue = pin!(watch.overdue(times));
    #[expect(clippy::disallowed_methods, reason = "a connection grows old in real time")]
    let mut aged = pin!(tokio::time::sleep(times.age));
    let mut leaving = false;
    loop {
        tokio::select! {
            _ended = connection.as_mut() => return,
            () = overdue.as_mut() => return,
            () = aged.as_mut(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            changed = phase.changed() => {
                let now = *phase.borrow_and_update();
                if changed.is_err() || now == Phase::Closed || watch.untouched() {
                    return;
                }
                if now == Phase::Draining && !leaving {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// What the socket was last seen doing. Times are milliseconds since the accept, plus one; zero
/// is "not now".
struct Watch {
    accepted: Instant,
    head_since: AtomicU64,
    rest_since: AtomicU64,
    stalled_since: AtomicU64,
    reads: AtomicU64,
}

impl Watch {
    fn new() -> Self {
        Self {
            accepted: Instant::now(),
            head_since: AtomicU64::new(1),
            rest_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// A head is whole; its request is being served.
    fn serving(&self) {
        self.head_since.store(0, Ordering::Relaxed);
        self.rest_since.store(0, Ordering::Relaxed);
    }

    /// The answer is made.
    fn resting(&self) {
        self.rest_since.store(self.now(), Ordering::Relaxed);
    }

    /// Bytes came: when nothing is being served, a head has begun.
    fn bytes_came(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.rest_since.swap(0, Ordering::Relaxed) != 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// True when the client has not said a word yet.
    fn untouched(&self) -> bool {
        self.reads.load(Ordering::Relaxed) == 0
    }

    /// When this connection is to be closed, if it goes on as it does now.
    fn deadline(&self, times: Times) -> Option<Instant> {
        let running = [
            (&self.head_since, times.header),
            (&self.rest_since, times.idle),
            (&self.stalled_since, times.idle),
        ];
        let ends = running.into_iter().filter_map(|(since, allowed)| {
            let since = since.load(Ordering::Relaxed);
            (since != 0).then(|| self.accepted + Duration::from_millis(since) + allowed)
        });
        ends.min()
    }

    /// Returns when something has taken longer than it may.
    #[expect(clippy::disallowed_methods, reason = "a client is slow in real time")]
    async fn overdue(&self, times: Times) {
        let look = times.header.min(times.idle);
        loop {
            let now = Instant::now();
            match self.deadline(times) {
                Some(deadline) if deadline <= now => return,
                Some(deadline) => tokio::time::sleep_until(deadline.min(now + look)).await,
                None => tokio::time::sleep(look).await,
            }
        }
    }
}

/// A socket that tells [`Watch`] what it does.
struct Watched {
    io: TokioIo<TcpStream>,
    watch: Arc<Watch>,
}

impl Watched {
    /// Notes whether the client takes what is written.
    fn wrote<T>(&self, result: Poll<T>) -> Poll<T> {
        let stalled = &self.watch.stalled_since;
        if result.is_ready() {
            stalled.store(0, Ordering::Relaxed);
        } else {
            let now = self.watch.now();
            let _ = stalled.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
        result
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_read(cx, buf);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.watch.bytes_came();
        }
        result
    }
}

impl Write for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(result)
    }
}
