//! One HTTP/1.1 connection, with a deadline for everything a client can delay.
//!
//! ```text
//! accept ── head must be whole ──> serving ── answer written ──> idle ───── first byte ──> head ...
//!           header_timeout         (body and Engine have theirs)  idle_timeout             header_timeout
//! ```
//!
//! A client that reads no bytes of its answer has `idle_timeout` too. hyper's own `header_read_timeout` is off: it measures
//! the head from the end of the answer before, so it cannot tell an idle connection from one with half a head, and it has
//! no deadline for a client that reads nothing. Here these are three cases, told apart by watching the socket: a load
//! balancer may keep its connections for `idle_timeout`, while nobody holds one with half a head for longer than
//! `header_timeout` (tests/http/connections.rs). One timer per connection, not one per request.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{App, middleware};

/// The limit of a request head, and of one read.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Headers of one request, at most.
const HEADERS_MAX: usize = 64;

#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// From the first byte of a request head to its last.
    pub(super) header: Duration,
    /// Between requests, and for the client to read bytes of an answer.
    pub(super) idle: Duration,
    /// The age after which the connection is closed behind its next answer.
    pub(super) age: Duration,
}

/// Serves one connection to its end; when the server stops, to the end of the open request.
pub(super) async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    app: Arc<App>,
    router: Router,
    times: Times,
    stop: Watcher,
) {
    let watch = Arc::new(Watch::new());
    let seen = Arc::clone(&watch);
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, router, watch) = (Arc::clone(&app), router.clone(), Arc::clone(&seen));
        watch.serving();
        async move {
            let mut response = middleware::answer(&app, router, peer, request).await;
            if watch.accepted.elapsed() >= times.age {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            watch.resting();
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let io = Watched { io: TokioIo::new(stream), watch: Arc::clone(&watch) };
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).half_close(true);
    http.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX).keep_alive(true);
    tokio::select! {
        _ended = stop.watch(http.serve_connection(io, service)) => {}
        () = watch.overdue(times) => {}
    }
}

/// What the socket was last seen doing. Times are milliseconds since the accept, plus one; zero means "not now".
struct Watch {
    accepted: Instant,
    head_since: AtomicU64,
    rest_since: AtomicU64,
    stalled_since: AtomicU64,
}

impl Watch {
    fn new() -> Self {
        Self {
            accepted: Instant::now(),
            head_since: AtomicU64::new(1),
            rest_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// A head is complete; its request is being served.
    fn serving(&self) {
        self.head_since.store(0, Ordering::Relaxed);
        self.rest_since.store(0, Ordering::Relaxed);
    }

    /// The answer is made.
    fn resting(&self) {
        self.rest_since.store(self.now(), Ordering::Relaxed);
    }

    /// Bytes came; when no request is being served, a head has begun.
    fn bytes_came(&self) {
        if self.rest_since.swap(0, Ordering::Relaxed) != 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// When this connection must be closed if nothing changes.
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

    /// Returns when a deadline has passed.
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

/// A socket that reports its reads and writes to [`Watch`].
struct Watched {
    io: TokioIo<TcpStream>,
    watch: Arc<Watch>,
}

impl Watched {
    /// Notes whether the client reads what is written.
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
