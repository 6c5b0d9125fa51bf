//! The mail layer: turns a [`Letter`] into bytes on a wire, and reports exactly what became of it.
//!
//! ```text
//!  campaign ──courier()──▶ Courier ──ready()──▶ a connection past its greeting
//!                             │     ──deliver(letter, gate)──▶ Outcome
//!                             │ pipeline: packed, redirected in a test, signed (dkim/)
//!                             ├─ smtp/    a kept connection, phases known one by one
//!                             ├─ folder   one .eml per letter (development)
//!                             └─ outbox   letters in memory; in tests with scripted answers
//! ```
//!
//! Why outcomes and not a `Result`: a caller that may never mail a person twice has four futures to tell apart,
//! and "error" is none of them. A letter *was* taken, certainly was *not* taken and may be tried again, never
//! *will be* taken, or nobody can know.
//!
//! Invariants:
//!
//! * the first byte of the final dot leaves only after the [`DurabilityGate`] has resolved to `true`;
//! * a letter never opens a connection: [`Courier::ready`] does, before its letter may start, and a connection that
//!   dies before the server has answered MAIL was no start at a receiver ([`SmtpPhase::Connection`]);
//! * [`DeliveryResult::Unknown`] is given only when that byte may have left and no reply was read; every loss before it
//!   is [`DeliveryResult::Deferred`];
//! * the shop's own faults (sender refused, wrong password, TLS) defer and are [`FaultSource::Shop`]; they never
//!   fail a recipient. What the test inbox says is [`FaultSource::TestInbox`] and nobody's;
//! * no log line, `Debug` text or outcome holds an address or a password.
//!
//! What it does not do: decide when to send, retry, count, or speak to a recipient's provider directly.

mod address;
mod dkim;
mod error;
mod folder;
#[cfg(feature = "testing")]
pub mod fuzzing;
mod letter;
mod mailer;
mod memory_transport;
mod oauth;
mod pipeline;
mod redact;
mod smtp;
mod transport_url;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use address::Address;
pub use dkim::{Dkim, DkimKey};
pub use error::MailError;
pub use letter::{Complaints, Letter};
pub use mailer::{Courier, Mailer};
#[cfg(feature = "testing")]
pub use memory_transport::ScriptedReply;
pub use memory_transport::{CapturedMail, MemoryTransport};
pub use oauth::OauthToken;
pub use restockd_core::outcome::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, SmtpPhase};

/// Resolves to `true` when the letter's *started* record is durable, and to `false` when it never will be: then
/// the letter is not sent.
pub type DurabilityGate = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A server's words about a letter to `to`, without any address: fit to be recorded.
#[must_use]
pub fn without_address(words: &str, to: &str) -> String {
    redact::redact(words, to)
}

/// An outcome without the address of the letter it is about, however the server quoted it: fit to be recorded.
#[must_use]
pub fn outcome_without(outcome: DeliveryOutcome, to: &str) -> DeliveryOutcome {
    outcome.reworded(|words| redact::redact(&words, to))
}

/// How a [`Mailer`] behaves; [`MailOptions::default`] is right for a real relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailOptions {
    /// How many couriers there should be; `None` takes 10 over SMTP and 4 for folder and memory.
    pub connections: Option<usize>,
    /// Letters before a kept connection is replaced.
    pub letters_per_connection: u32,
    /// Age at which a kept connection is replaced.
    pub connection_age: Duration,
    /// How long a kept connection may rest before it must answer RSET to be used again.
    pub connection_idle: Duration,
    /// Time to reach the server, over all its addresses.
    pub connect_timeout: Duration,
    /// Time for each command, and for writing a body.
    pub command_timeout: Duration,
    /// Time for the reply to the final dot. Short values make doubles (RFC 5321, 4.5.3.2.6).
    pub dot_timeout: Duration,
    /// The name this machine greets with; `None` sends its address.
    pub hello_name: Option<String>,
    /// A PEM file with certificate authorities to trust besides the public ones, for a relay of one's own.
    pub ca_file: Option<std::path::PathBuf>,
    /// Whether the folder mailer waits for the disk.
    pub sync_folder: bool,
    /// What every letter is signed with.
    pub dkim: Option<Dkim>,
    /// The one inbox that every letter goes to instead of its recipient's, to try a shop out.
    pub redirect_to: Option<Address>,
    /// Signs in with this token in place of a password.
    pub oauth: Option<OauthToken>,
}

impl Default for MailOptions {
    fn default() -> MailOptions {
        MailOptions {
            connections: None,
            letters_per_connection: 100,
            connection_age: Duration::from_secs(300),
            connection_idle: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(30),
            command_timeout: Duration::from_secs(300),
            dot_timeout: Duration::from_secs(600),
            hello_name: None,
            ca_file: None,
            sync_folder: false,
            dkim: None,
            redirect_to: None,
            oauth: None,
        }
    }
}
