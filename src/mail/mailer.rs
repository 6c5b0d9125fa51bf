//! The door to the mail layer: a [`Mailer`] made from one setting, and the [`Courier`]s that carry letters for it.
//!
//! One courier per connection: a courier owns its connection, so letters of one courier never overtake each other
//! and no lock is held while a server thinks. How many couriers work at a time is the caller's business;
//! [`Mailer::connections`] says how many are meant.

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

/// Where letters go. Cheap to share; `Debug` and [`Mailer::describe`] show no password.
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

/// How letters are thrown away: for load tests, which count what the engine recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Discard {
    /// Each is rendered and packed first.
    Made,
    /// None is made at all.
    Unmade,
}

impl Mailer {
    /// Reads the mail setting (`folder:DIR`, `smtp://…`, `smtps://…`, `smtp+insecure://…`, `memory:`,
    /// `discard:`). Makes the folder; opens no connection.
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

    /// How many couriers are meant to work at the same time.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Says for a person where letters go, without credentials.
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

    /// A new courier. It connects when it is to be ready.
    pub fn courier(&self) -> Courier {
        let carrier = match &self.kind {
            Transport::Smtp(post) => Carrier::Smtp(Box::new(SmtpCourier::new(Arc::clone(post)))),
            Transport::Folder(folder) => Carrier::Folder(Arc::clone(folder)),
            Transport::Memory(outbox) => Carrier::Memory(Arc::clone(outbox)),
            Transport::Discard(how) => Carrier::Discard(*how),
        };
        Courier { pipeline: Arc::clone(&self.pipeline), carrier }
    }

    /// The letters of a memory mailer; `None` for the others.
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
    /// False where no letter is looked at: then [`Courier::pass`] takes its place.
    pub fn wants_letters(&self) -> bool {
        !matches!(self.carrier, Carrier::Discard(Discard::Unmade))
    }

    /// Brings the courier to where a letter may start: over SMTP to a connection past its greeting, TLS and sign-in,
    /// the one it holds if that is good, else a new one. One that has rested for a while must answer RSET first.
    ///
    /// Dropping the future gives up what it was bringing about.
    ///
    /// # Errors
    ///
    /// There is no connection now: the outcome of every letter that would need it, in [`SmtpPhase::Connection`].
    pub async fn ready(&mut self) -> Result<(), DeliveryOutcome> {
        let ready = match &mut self.carrier {
            Carrier::Smtp(courier) => courier.ready().await,
            Carrier::Memory(outbox) => outbox.ready().await,
            Carrier::Folder(_) | Carrier::Discard(_) => Ok(()),
        };
        ready.map_err(|outcome| self.pipeline.judged(outcome))
    }

    /// True where a letter may start at once, as far as this side knows. Waits for nothing.
    pub fn is_ready(&self) -> bool {
        match &self.carrier {
            Carrier::Smtp(courier) => courier.is_ready(),
            Carrier::Memory(outbox) => outbox.is_connected(),
            Carrier::Folder(_) | Carrier::Discard(_) => true,
        }
    }

    /// A letter that nobody made is counted as sent once its start is durable.
    pub async fn pass(&mut self, gate: DurabilityGate) -> DeliveryOutcome {
        if !gate.await {
            return log_lost(SmtpPhase::Connection);
        }
        let (code, words) = DISCARDED;
        DeliveryOutcome::new(DeliveryResult::Sent, SmtpPhase::Dot, Diagnostic::of_server(code, words))
    }

    /// Delivers a letter over the connection that [`Courier::ready`] brought about, or says what else became of it.
    /// Nothing that could make a server keep the letter leaves before `gate` resolves to `true`. A letter opens no
    /// connection and is tried on one alone: where there is none, or it is dead, the letter is deferred in
    /// [`SmtpPhase::Connection`].
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

    /// Says goodbye to the server, if there is a connection. The courier may be used again.
    pub async fn close(&mut self) {
        if let Carrier::Smtp(courier) = &mut self.carrier {
            courier.close().await;
        }
    }
}

/// The outcome for a gate that stayed shut.
pub(super) fn log_lost(phase: SmtpPhase) -> DeliveryOutcome {
    let words = "the letter was held back: its start could not be written to the log";
    DeliveryOutcome::new(DeliveryResult::Deferred, phase, Diagnostic::own(words, FaultSource::Shop))
}
