//! The mail layer: turns a [`Letter`] into bytes on a wire and reports exactly what became of it.
//!
//! A [`Mailer`] is made from one setting ([`Mailer::from_url`]) and gives out [`Courier`]s. A courier is first made ready,
//! which may connect, and then delivers one letter at a time.
//!
//! ```text
//!  campaign ──courier()──▶ Courier ──ready()──▶ a connection past its greeting
//!                         │  ──deliver(letter, gate)──▶ DeliveryOutcome
//!                         │ pipeline: packed, redirected in a test, signed (dkim/)
//!                         ├─ smtp/    a kept connection, each phase known
//!                             ├─ folder   one .eml per letter (development)
//!                         └─ memory   letters in memory; in tests with scripted replies
//! ```
//!
//! Why outcomes and not a `Result`: a caller that may never mail a person twice must tell four cases apart. A letter was
//! certainly taken; it was certainly not taken and may be tried again; it never will be taken; or nobody can know.
//!
//! Invariants:
//!
//! * the first byte of the final dot leaves only after the [`DurabilityGate`] has resolved to `true`;
//! * delivering a letter never opens a connection: [`Courier::ready`] does, before its letter may start; a connection that
//!   dies before the server has answered MAIL does not count as a start at a receiver ([`SmtpPhase::Connection`]);
//! * [`DeliveryResult::Unknown`] is given only when that byte may have left and no reply was read; every loss before that is
//!   [`DeliveryResult::Deferred`];
//! * the shop's own faults (sender refused, wrong password, TLS) defer a letter as [`FaultSource::Shop`]; they never fail a
//!   recipient. Refusals by the test inbox are [`FaultSource::TestInbox`] and count for no recipient;
//! * no log line, `Debug` text or outcome holds an address or a password.
//!
//! This crate does not decide when to send, does not retry or count, and never talks to a recipient's provider directly.

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

/// Resolves to `true` when the letter's *started* record is durable, and to `false` when it never will be; then the letter
/// is not sent.
pub type DurabilityGate = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A server's reply about a letter to `to` without any address, fit to be recorded.
#[must_use]
pub fn without_address(words: &str, to: &str) -> String {
    redact::redact(words, to)
}

/// An outcome without the address of its letter, however the server quoted it, fit to be recorded.
#[must_use]
pub fn outcome_without(outcome: DeliveryOutcome, to: &str) -> DeliveryOutcome {
    outcome.reworded(|words| redact::redact(&words, to))
}

/// Options of a [`Mailer`]; [`MailOptions::default`] suits a real relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailOptions {
    /// How many couriers should work at once; `None`: 10 over SMTP, 4 for folder and memory.
    pub connections: Option<usize>,
    /// Letters after which a kept connection is replaced.
    pub letters_per_connection: u32,
    /// The age after which a kept connection is replaced.
    pub connection_age: Duration,
    /// How long a kept connection may be idle before it must answer RSET to be used again.
    pub connection_idle: Duration,
    /// The time to reach the server, over all its addresses.
    pub connect_timeout: Duration,
    /// The time for each command, and for writing a body.
    pub command_timeout: Duration,
    /// The time for the reply to the final dot. Short values cause letters to be sent twice (RFC 5321, 4.5.3.2.6).
    pub dot_timeout: Duration,
    /// The host name in EHLO; `None`: the machine's address.
    pub hello_name: Option<String>,
    /// A PEM file with certificate authorities to trust besides the public ones, for a relay of one's own.
    pub ca_file: Option<std::path::PathBuf>,
    /// Whether the folder transport waits until a letter is on the disk.
    pub sync_folder: bool,
    /// The signer of all letters; `None`: letters are not signed.
    pub dkim: Option<Dkim>,
    /// A test inbox that gets every letter instead of its recipient.
    pub redirect_to: Option<Address>,
    /// A token to sign in with instead of a password.
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
