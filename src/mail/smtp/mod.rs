//! The SMTP courier: one kept connection, one letter at a time.
//!
//! ```text
//!   we                              server            loss here means
//!   ── connect, TLS, EHLO, AUTH ──▶                   there is no connection: no letter starts
//!   ◀────────────────────────── 250
//!     idle for a second?
//!   ── RSET ──────────────────────▶                   another connection
//!   ◀────────────────────────── 250
//!        ready: a letter may start
//!   ── MAIL FROM, RCPT TO, DATA ──▶ ┐ (one write      deferred; before the reply to MAIL it was
//!   ◀──────────────── 250 250 354 ──┘  if PIPELINING) no start at a receiver
//!        gate: is *started* durable?                  deferred
//!   ── headers and body ──────────▶ ┐ (one write if   deferred
//!   ── . CRLF ────────────────────▶ ┘ TCP takes both) unknown
//!   ◀────────────────────────── 250                   sent
//!   ── next MAIL FROM, or QUIT ───▶
//! ```
//!
//! [`SmtpCourier::ready`] does what is above *ready*, and [`SmtpCourier::deliver`] what is below, over that one connection: an
//! outcome never combines two connections.
//!
//! This is our own because lettre writes body and dot in one call and reports only that it failed, so a caller cannot know on
//! which side of the dot the connection was lost; the promise of at most one mail depends on that. Here the two are written
//! in one call only over plain TCP, where the system says how many bytes it took. lettre also never pipelines, and its pool
//! does not set TCP_NODELAY (44 ms a letter).
//!
//! Invariant: a connection is in `self` only between letters, in a known state. While a letter is under way, or the server is
//! asked whether it is still there, the connection is a local value: a dropped future, or any return that does not put it
//! back, closes it.

mod auth;
mod body;
mod connect;
#[cfg(feature = "testing")]
mod converse;
mod reply;
mod transaction;
mod wire;

use std::fmt;
use std::sync::Arc;

pub(super) use connect::SmtpClient;
#[cfg(feature = "testing")]
pub(super) use converse::converse;

use self::connect::Connection;
use self::transaction::DataResponse;
use super::letter::Packed;
use super::{DeliveryOutcome, DeliveryResult, Diagnostic, DurabilityGate, FaultSource, SmtpPhase};

pub(super) struct SmtpCourier {
    post: Arc<SmtpClient>,
    kept: Option<Connection>,
}

impl SmtpCourier {
    pub(super) fn new(post: Arc<SmtpClient>) -> SmtpCourier {
        SmtpCourier { post, kept: None }
    }

    /// Makes sure that there is a good connection: the kept one, or a new one.
    pub(super) async fn ready(&mut self) -> Result<(), DeliveryOutcome> {
        self.kept = self.still_good().await;
        if self.kept.is_none() {
            let connection = Connection::open(&self.post).await.inspect_err(|outcome| {
                let (server, reply) = (self.post.relay(), &outcome.diagnostic);
                tracing::warn!(mail.server = %server, mail.reply = %reply, "no mail connection");
            });
            self.kept = Some(connection?);
        }
        Ok(())
    }

    pub(super) fn is_ready(&self) -> bool {
        self.kept.as_ref().is_some_and(|connection| connection.is_good(&self.post))
    }

    /// The kept connection, if another letter may start on it. One that was idle is checked first; one that has carried its
    /// number of letters, or is too old, is closed.
    async fn still_good(&mut self) -> Option<Connection> {
        let mut connection = self.kept.take()?;
        if connection.is_spent(&self.post) {
            connection.quit().await;
            return None;
        }
        // A server that hung up, or spoke without being asked, is not used again.
        let quiet = connection.wire.is_quiet().await;
        (quiet && (!connection.is_rested(&self.post) || connection.reset().await)).then_some(connection)
    }

    /// Delivers a letter over the kept connection, and never over another.
    pub(super) async fn deliver(&mut self, packed: Packed, gate: DurabilityGate) -> DeliveryOutcome {
        let outcome = match self.open_for(&packed).await {
            Ok(connection) => self.carry(connection, packed, gate).await,
            Err(outcome) => outcome,
        };
        self.post.without_secret(outcome)
    }

    /// Takes the kept connection to the point where the server waits for the body.
    async fn open_for(&mut self, packed: &Packed) -> Result<Connection, DeliveryOutcome> {
        let Some(mut connection) = self.kept.take() else {
            return Err(no_connection("there is no connection to the mail server"));
        };
        if !connection.wire.is_quiet().await {
            return Err(no_connection("the mail server has given the connection up"));
        }
        match transaction::open(&mut connection, packed).await {
            DataResponse::Ready => Ok(connection),
            DataResponse::Refused { outcome, healthy } => {
                if healthy && connection.reset().await {
                    self.kept = Some(connection);
                }
                Err(outcome)
            }
        }
    }

    /// Sends a letter's body over a connection that waits for it.
    async fn carry(
        &mut self,
        mut connection: Connection,
        packed: Packed,
        gate: DurabilityGate,
    ) -> DeliveryOutcome {
        if !gate.await {
            // After 354 the only way to withdraw the letter is to hang up.
            return super::mailer::log_lost(SmtpPhase::Data);
        }
        let message = body::stuffed(packed.message);
        let (outcome, healthy) = transaction::finish(&mut connection, &message).await;
        connection.letters += 1;
        connection.answered();
        self.kept = healthy.then_some(connection);
        outcome
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.kept.take() {
            connection.quit().await;
        }
    }
}

/// The outcome of a letter that found no connection.
fn no_connection(words: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(
        DeliveryResult::Deferred,
        SmtpPhase::Connection,
        Diagnostic::own(words, FaultSource::Shop),
    )
}

impl fmt::Debug for SmtpCourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpCourier").field("connected", &self.kept.is_some()).finish_non_exhaustive()
    }
}
