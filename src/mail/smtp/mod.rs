//! The SMTP courier: one kept connection, one letter at a time.
//!
//! ```text
//!   we                              server            loss here means
//!   ── connect, TLS, EHLO, AUTH ──▶                   Deferred, not reached
//!   ◀────────────────────────── 250 ┐
//!   ── MAIL FROM, RCPT TO, DATA ──▶ │ (one write      Deferred; on a kept connection that had
//!   ◀──────────────── 250 250 354 ──┘  if PIPELINING) gone stale: once more, at once
//!        gate: is *started* durable?                  Deferred
//!   ── headers and body ──────────▶ ┐ (one write if   Deferred
//!   ── . CRLF ────────────────────▶ ┘ TCP takes both) Doubt
//!   ◀────────────────────────── 250                   Sent
//!   ── next MAIL FROM, or QUIT ───▶
//! ```
//!
//! Why this is our own: lettre writes body and dot in one call and says no more than that it failed, so a caller
//! cannot know on which side of the dot a connection was lost, and P6 hangs on that. We write them in one call only
//! over plain TCP, where the system says how many bytes it took. lettre also never pipelines, and its pool speaks
//! without TCP_NODELAY (44 ms a letter).
//!
//! Invariant: a connection is in `self` only between letters, in a known state. While a letter is under way it is a
//! local value, so a future that is dropped, or any return that does not put it back, ends it.

mod auth;
mod body;
mod connect;
mod reply;
mod transaction;
mod wire;

use std::fmt;
use std::sync::Arc;

pub(super) use connect::Post;
pub(super) use wire::Stream;

use self::connect::Connection;
use self::transaction::{Open, Refusal};
use super::letter::Packed;
use super::{Gate, Letter, Verdict};

/// Carries letters over one connection, which it opens when needed and replaces by count and age.
pub(super) struct SmtpCourier {
    post: Arc<Post>,
    kept: Option<Connection>,
}

impl SmtpCourier {
    pub(super) fn new(post: Arc<Post>) -> SmtpCourier {
        SmtpCourier { post, kept: None }
    }

    pub(super) async fn deliver(&mut self, packed: Packed, gate: Gate) -> Verdict {
        let verdict = match self.open_for(&packed).await {
            Ok(connection) => self.carry(connection, packed, gate).await,
            Err(verdict) => verdict,
        };
        verdict.reworded(|reply| self.post.hush(reply))
    }

    /// Sends a letter over a connection that waits for its body.
    async fn carry(&mut self, mut connection: Connection, packed: Packed, gate: Gate) -> Verdict {
        if !gate.await {
            // After 354 there is no way back but to hang up.
            return super::mailer::log_lost(true);
        }
        let message = body::stuffed(packed.message);
        let (verdict, healthy) = transaction::finish(&mut connection, &message).await;
        connection.letters += 1;
        self.kept = healthy.then_some(connection);
        verdict
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.kept.take() {
            connection.quit().await;
        }
    }

    /// Brings a connection to the point where the server waits for the body. A kept connection that turns out to
    /// be dead before the server has said anything about this letter is replaced once: nothing was lost.
    async fn open_for(&mut self, packed: &Packed) -> Result<Connection, Verdict> {
        if let Some(connection) = self.take_kept().await {
            match self.try_open(connection, packed).await {
                Ok(connection) => return Ok(connection),
                Err(Refusal { stale: false, verdict }) => return Err(verdict),
                Err(_) => tracing::debug!("a kept mail connection had gone stale, connecting again"),
            }
        }
        let connection = Connection::open(&self.post).await.map_err(|trouble| {
            tracing::warn!(mail.server = %self.post.relay(), mail.reply = %trouble.reply, "no mail connection");
            trouble.into_verdict()
        })?;
        self.try_open(connection, packed).await.map_err(|refusal| refusal.verdict)
    }

    async fn try_open(&mut self, mut connection: Connection, packed: &Packed) -> Result<Connection, Refusal> {
        match transaction::open(&mut connection, packed).await {
            Open::Ready => Ok(connection),
            Open::Refused { refusal, healthy } => {
                if healthy && connection.reset().await {
                    self.kept = Some(connection);
                }
                Err(refusal)
            }
        }
    }

    async fn take_kept(&mut self) -> Option<Connection> {
        let mut connection = self.kept.take()?;
        if connection.is_spent(&self.post) {
            connection.quit().await;
            return None;
        }
        // A server that hung up, or spoke while nobody asked, is not asked again.
        connection.wire.is_quiet().await.then_some(connection)
    }
}

/// Carries letters over a stream that is already there, until the connection is of no more use: what each came to.
/// A connection that is never ready gives one verdict.
pub(super) async fn converse(post: &Arc<Post>, stream: Box<dyn Stream>, letters: &[Letter]) -> Vec<Verdict> {
    let mut courier = SmtpCourier::new(Arc::clone(post));
    match Connection::greet(post, stream, "[127.0.0.1]").await {
        Ok(connection) => courier.kept = Some(connection),
        Err(trouble) => return vec![trouble.into_verdict()],
    }
    let mut verdicts = Vec::new();
    for packed in letters.iter().filter_map(|letter| letter.pack().ok()) {
        let Some(connection) = courier.take_kept().await else { break };
        verdicts.push(match courier.try_open(connection, &packed).await {
            Ok(connection) => courier.carry(connection, packed, Box::pin(async { true })).await,
            Err(refusal) => refusal.verdict,
        });
    }
    courier.close().await;
    verdicts.into_iter().map(|verdict| verdict.reworded(|reply| post.hush(reply))).collect()
}

impl fmt::Debug for SmtpCourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpCourier").field("connected", &self.kept.is_some()).finish_non_exhaustive()
    }
}
