//! The listener: accepts, bounds, hands over, and stops without dropping open requests.
//!
//! A connection over the limits is told so at once and closed; it never waits in silence. When accepting fails (for lack of
//! descriptors), the loop pauses, at most a second, and goes on. On a stop the listener closes first, so that a load
//! balancer sees it; then open requests are finished, for as long as the settings allow.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use restockd_engine::Engine;
use restockd_render::Templates;

use super::connection::{self, Times};
use super::limits::{BodyMemory, Place, Places};
use super::settings::HttpSettings;
use super::{App, feedback, public, router, webhooks};

/// The first pause after accepting failed; doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Refused connections: how many are waited for at once, for how long in all, and for how long until the client speaks.
const GOODBYES_MAX: usize = 1024;
const GOODBYE: Duration = Duration::from_millis(500);
const FIRST_WORDS: Duration = Duration::from_millis(250);

/// The answer to a connection over the limit of all.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 59\r\n\r\n\
    {\"error\":\"the engine is overloaded; try again in a moment\"}";
/// The answer to a connection over its client's limit.
const CROWDED: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 58\r\n\r\n\
    {\"error\":\"too many connections at once from this address\"}";

/// A bound listener and everything that serves its connections.
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    app: Arc<App>,
    router: Router,
    times: Times,
    connections_max: usize,
    goodbyes: Arc<Semaphore>,
    stop_timeout: Duration,
}

impl Server {
    /// Checks the settings and binds the address.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, a source's header is no header name, two sources share an id, or a relay's secret
    /// has the wrong form.
    pub async fn bind(settings: HttpSettings, engine: Engine, templates: Arc<Templates>) -> io::Result<Self> {
        let sources = webhooks::receivers(settings.sources)?;
        let returns = feedback::FeedbackVerifiers::new(settings.returns)?;
        let listener = TcpListener::bind(settings.listen).await?;
        let app = Arc::new(App {
            engine,
            templates,
            sources,
            batches: BodyMemory::new(settings.batch_bytes_max),
            returns,
            places: Places::new(settings.connections_per_ip),
            trusted: settings.trusted_proxies,
            keep_address: settings.keep_address,
            limits: public::Limits::default(),
            body_timeout: settings.body_timeout,
        });
        Ok(Self {
            addr: listener.local_addr()?,
            listener,
            router: router(Arc::clone(&app)),
            app,
            times: Times {
                header: settings.header_timeout,
                idle: settings.idle_timeout,
                age: settings.connection_max_age,
            },
            connections_max: settings.connections_max,
            goodbyes: Arc::new(Semaphore::new(GOODBYES_MAX)),
            stop_timeout: settings.stop_timeout,
        })
    }

    /// The bound address, with the real port where the settings said 0.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop` is true or its sender is gone, then finishes open requests.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let (open, mut tasks) = (GracefulShutdown::new(), JoinSet::new());
        let mut pause = PAUSE_MIN;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = self.listener.accept() => accepted,
            };
            while tasks.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) => {
                    pause = PAUSE_MIN;
                    self.admit(stream, peer.ip().to_canonical(), &open, &mut tasks);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(error = %error.kind(), "cannot accept connections");
                    #[expect(clippy::disallowed_methods, reason = "sockets come free in real time")]
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        drop(self.listener);
        if tokio::time::timeout(self.stop_timeout, open.shutdown()).await.is_err() {
            tracing::warn!("requests were still open when the time to finish them ran out");
        }
        // Connections that are still open end with their tasks.
        tasks.shutdown().await;
    }

    /// Serves a connection in a task of its own, or refuses it.
    fn admit(&self, stream: TcpStream, peer: IpAddr, open: &GracefulShutdown, tasks: &mut JoinSet<()>) {
        let place = match self.place(peer, open.count()) {
            Ok(place) => place,
            Err(answer) => return self.turn_away(stream, answer),
        };
        if stream.set_nodelay(true).is_err() {
            return; // the client is gone already
        }
        let (app, router) = (Arc::clone(&self.app), self.router.clone());
        let (times, stop) = (self.times, open.watcher());
        tasks.spawn(async move {
            connection::serve(stream, peer, app, router, times, stop).await;
            drop(place);
        });
    }

    /// Says why, and waits a moment for the client to close: closing a socket that has unread bytes resets it, and the reset
    /// would destroy the answer. The client speaks first, because many a client takes an early answer for an error. Only a
    /// bounded number of clients is waited for; others may miss the answer.
    fn turn_away(&self, mut stream: TcpStream, answer: &'static [u8]) {
        let Ok(place) = Arc::clone(&self.goodbyes).try_acquire_owned() else {
            // One attempt, without waiting.
            let _ = stream.into_std().and_then(|mut stream| stream.write(answer));
            return;
        };
        tokio::spawn(async move {
            let gone = async {
                let _ = tokio::time::timeout(FIRST_WORDS, stream.peek(&mut [0])).await;
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
                let mut unread = [0; 2048];
                while matches!(stream.read(&mut unread).await, Ok(read) if read > 0) {}
            };
            let _ = tokio::time::timeout(GOODBYE, gone).await;
            drop(place);
        });
    }

    /// A place among the connections of this client; loopback and trusted proxies need none. Refused also when `open`
    /// connections are the limit of all.
    fn place(&self, peer: IpAddr, open: usize) -> Result<Option<Place>, &'static [u8]> {
        if open >= self.connections_max {
            return Err(OVERLOADED);
        }
        if peer.is_loopback() || self.app.trusted.iter().any(|net| net.contains(&peer)) {
            return Ok(None);
        }
        self.app.places.take(peer).ok_or(CROWDED).map(Some)
    }
}

/// True for a connection that the client closed before it was accepted: no reason to pause.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canned_answers_are_as_long_as_they_say() {
        for canned in [OVERLOADED, CROWDED] {
            let text = std::str::from_utf8(canned).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
            serde_json::from_str::<serde_json::Value>(body).unwrap();
        }
    }
}
