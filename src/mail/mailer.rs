//! The face of the mail layer: a [`Mailer`] made from one setting, and the [`Courier`]s that carry its letters.
//!
//! A courier owns its connection, so letters of one courier never overtake each other and no lock is held while waiting for
//! a server. The caller decides how many couriers work at once; [`Mailer::connections`] says how many are intended.

use std::fmt;
use std::sync::Arc;

use super::folder::Folder;
use super::pipeline::Pipeline;
use super::smtp::{SmtpClient, SmtpCourier};
use super::transport_url::{self, Target};
use super::{
    DeliveryOutcome, DeliveryResult, Diagnostic, DurabilityGate, FaultSource, Letter, MailError, MailOptions,
    MemoryTransport, SmtpPhase,
};

const SMTP_CONNECTIONS: usize = 10;
const LOCAL_CONNECTIONS: usize = 4;
const DISCARDED: (u16, &str) = (250, "2.0.0 thrown away");
const CONNECTIONS_MAX: usize = 1_000;

/// A transport for letters, cheap to share. `Debug` and [`Mailer::describe`] show no password.
#[derive(Debug)]
pub struct Mailer {
    connections: usize,
    pipeline: Arc<Pipeline>,
    kind: Transport,
}

#[derive(Debug)]
enum Transport {
    Smtp(Arc<SmtpClient>),
    Folder(Arc<Folder>),
    Memory(Arc<MemoryTransport>),
    Discard(Discard),
}

/// How letters are discarded in load tests, which count what the engine recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Discard {
    /// Each letter is rendered and packed first.
    Made,
    /// No letter is rendered.
    Unmade,
}

impl Mailer {
    /// Reads the transport setting (`folder:DIR`, `smtp://…`, `smtps://…`, `smtp+insecure://…`, `memory:`, `discard:`).
    /// Creates the folder; opens no connection.
    pub fn from_url(setting: &str, options: MailOptions) -> Result<Mailer, MailError> {
        if options.connections.is_some_and(|n| n == 0 || n > CONNECTIONS_MAX) {
            return Err(MailError::Option { name: "connections", reason: "it is not between 1 and 1000" });
        }
        if options.letters_per_connection == 0 {
            return Err(MailError::Option { name: "letters_per_connection", reason: "it is 0" });
        }
        let connections = options.connections;
        let pipeline = Arc::new(Pipeline::new(&options));
        let kind = match transport_url::parse(setting)? {
            Target::Folder(dir) => Transport::Folder(Arc::new(Folder::new(dir, options.sync_folder)?)),
            Target::Memory => Transport::Memory(MemoryTransport::new()),
            Target::Discard(how) => Transport::Discard(how),
            Target::Smtp(relay) => Transport::Smtp(Arc::new(SmtpClient::new(relay, options)?)),
        };
        let usual = if matches!(kind, Transport::Smtp(_)) { SMTP_CONNECTIONS } else { LOCAL_CONNECTIONS };
        Ok(Mailer { connections: connections.unwrap_or(usual), pipeline, kind })
    }

    /// How many couriers should work at once.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Tells an operator where letters go, without credentials.
    pub fn describe(&self) -> String {
        let carrier = match &self.kind {
            Transport::Smtp(post) => post.relay().to_string(),
            Transport::Folder(folder) => format!("folder {}", folder.dir().display()),
            Transport::Memory(_) => "memory".to_owned(),
            Transport::Discard(Discard::Made) => "making each letter and throwing it away".to_owned(),
            Transport::Discard(Discard::Unmade) => "counting letters, none is made".to_owned(),
        };
        carrier + &self.pipeline.describe()
    }

    /// A new courier; it connects in [`Courier::ready`].
    pub fn courier(&self) -> Courier {
        let carrier = match &self.kind {
            Transport::Smtp(post) => Carrier::Smtp(Box::new(SmtpCourier::new(Arc::clone(post)))),
            Transport::Folder(folder) => Carrier::Folder(Arc::clone(folder)),
            Transport::Memory(outbox) => Carrier::Memory(Arc::clone(outbox)),
            Transport::Discard(how) => Carrier::Discard(*how),
        };
        Courier { pipeline: Arc::clone(&self.pipeline), carrier }
    }

    /// The letters of a memory transport; `None` for the others.
    pub fn outbox(&self) -> Option<Arc<MemoryTransport>> {
        match &self.kind {
            Transport::Memory(outbox) => Some(Arc::clone(outbox)),
            _ => None,
        }
    }
}

impl fmt::Display for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Carries one letter at a time.
#[derive(Debug)]
pub struct Courier {
    pipeline: Arc<Pipeline>,
    carrier: Carrier,
}

#[derive(Debug)]
enum Carrier {
    Smtp(Box<SmtpCourier>),
    Folder(Arc<Folder>),
    Memory(Arc<MemoryTransport>),
    Discard(Discard),
}

impl Courier {
    /// False when letters are discarded without being rendered; then [`Courier::pass`] stands in for [`Courier::deliver`].
    pub fn wants_letters(&self) -> bool {
        !matches!(self.carrier, Carrier::Discard(Discard::Unmade))
    }

    /// Gets ready for a letter: over SMTP that is a connection with greeting, TLS and sign-in done. A kept connection is used
    /// if it is good; one that has been idle for a while must answer RSET first.
    ///
    /// Dropping the future gives up the connection being opened.
    ///
    /// # Errors
    ///
    /// When there is no connection now: the outcome of every letter that would need it, in [`SmtpPhase::Connection`].
    pub async fn ready(&mut self) -> Result<(), DeliveryOutcome> {
        let ready = match &mut self.carrier {
            Carrier::Smtp(courier) => courier.ready().await,
            Carrier::Memory(outbox) => outbox.ready().await,
            Carrier::Folder(_) | Carrier::Discard(_) => Ok(()),
        };
        ready.map_err(|outcome| self.pipeline.judged(outcome))
    }

    /// Whether a letter may start at once, as far as this side knows. Does not wait.
    pub fn is_ready(&self) -> bool {
        match &self.carrier {
            Carrier::Smtp(courier) => courier.is_ready(),
            Carrier::Memory(outbox) => outbox.is_connected(),
            Carrier::Folder(_) | Carrier::Discard(_) => true,
        }
    }

    /// Counts a letter that was not rendered as sent, once its start is durable.
    pub async fn pass(&mut self, gate: DurabilityGate) -> DeliveryOutcome {
        if !gate.await {
            return log_lost(SmtpPhase::Connection);
        }
        let (code, words) = DISCARDED;
        DeliveryOutcome::new(DeliveryResult::Sent, SmtpPhase::Dot, Diagnostic::of_server(code, words))
    }

    /// Delivers a letter over the connection that [`Courier::ready`] opened. Nothing that could make a server keep the letter
    /// leaves before `gate` resolves to `true`. A letter never opens a connection and is tried on one connection only: when
    /// there is none, or it is dead, the letter is deferred in [`SmtpPhase::Connection`].
    ///
    /// Dropping the future ends the connection; whether the letter went out is then as unknown as after a crash.
    pub async fn deliver(&mut self, letter: &Letter, gate: DurabilityGate) -> DeliveryOutcome {
        let packed = match self.pipeline.pack(letter).await {
            Ok(packed) => packed,
            Err(outcome) => return outcome,
        };
        let outcome = match &mut self.carrier {
            Carrier::Smtp(courier) => courier.deliver(packed, gate).await,
            Carrier::Folder(folder) => folder.deliver(&letter.message_id, packed.message, gate).await,
            Carrier::Memory(outbox) => outbox.deliver(letter, packed.message, gate).await,
            Carrier::Discard(_) => self.pass(gate).await,
        };
        self.pipeline.judged(outcome)
    }

    /// Says goodbye to the server, if connected. The courier may be used again.
    pub async fn close(&mut self) {
        if let Carrier::Smtp(courier) = &mut self.carrier {
            courier.close().await;
        }
    }
}

/// The outcome of a letter whose gate resolved to `false`.
pub(super) fn log_lost(phase: SmtpPhase) -> DeliveryOutcome {
    let words = "the letter was held back: its start could not be written to the log";
    DeliveryOutcome::new(DeliveryResult::Deferred, phase, Diagnostic::own(words, FaultSource::Shop))
}
