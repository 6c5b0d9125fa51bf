//! The mail floor: turns a [`Letter`] into bytes on a wire, and reports exactly what became of it.
//!
//! ```text
//!  campaign ──courier()──▶ Courier ──deliver(letter, gate)──▶ Verdict
//!                             │ desk: packed, redirected in a test, signed (dkim/)
//!                             ├─ smtp/    a kept connection, phases known one by one
//!                             ├─ folder   one .eml per letter (development)
//!                             └─ outbox   letters in memory, with scripted answers (tests)
//! ```
//!
//! Why verdicts and not a `Result`: a caller that may never mail a person twice has four futures to tell apart,
//! and "error" is none of them. A letter *was* taken, certainly was *not* taken and may be tried again, never
//! *will be* taken, or nobody can know.
//!
//! Invariants:
//!
//! * the first byte of the final dot leaves only after the [`Gate`] has resolved to `true`;
//! * [`Verdict::Doubt`] is given only when that byte may have left and no reply was read; every loss before it
//!   is [`Verdict::Deferred`];
//! * the shop's own faults (sender refused, wrong password, TLS) defer and say `reached: false`; they never
//!   fail a recipient;
//! * no log line, `Debug` text or verdict holds an address or a password.
//!
//! What it does not do: decide when to send, retry, count, or speak to a recipient's provider directly.

mod address;
mod desk;
mod dkim;
mod error;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod letter;
mod mailer;
mod oauth;
mod outbox;
mod redact;
mod setting;
mod smtp;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use address::Address;
pub use dkim::{Dkim, DkimKey};
pub use error::MailError;
pub use letter::{Complaints, Letter};
pub use mailer::{Courier, Mailer};
pub use oauth::OauthToken;
pub use outbox::{Answer, Mail, Outbox};

/// Resolves to `true` when the letter's *started* record is durable, and to `false` when it never will be: then
/// the letter is not sent.
pub type Gate = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What became of one attempt to deliver one letter.
///
/// `reply` is meant for a person: the server's own words, shortened and without addresses, or a sentence of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The server has taken the letter.
    Sent {
        /// The server's words, usually with its queue id.
        reply: String,
    },
    /// The server certainly has not taken it; it may be tried again.
    Deferred {
        /// Why.
        reply: String,
        /// The server asks for less: slow the whole relay down, not only this letter.
        throttled: bool,
        /// The server answered within the mail transaction; `false` means that the fault is not this letter's.
        reached: bool,
    },
    /// It will never be taken.
    Failed {
        /// Why.
        reply: String,
    },
    /// It may or may not have been taken: nothing was heard after the final dot.
    Doubt {
        /// What happened.
        reply: String,
    },
}

/// A server's words about a letter to `to`, without any address: fit to be recorded.
#[must_use]
pub fn without_address(words: &str, to: &str) -> String {
    redact::redact(words, to)
}

impl Verdict {
    /// The same without the address of the letter it is about, however the server quoted it: fit to be recorded.
    #[must_use]
    pub fn without(self, to: &str) -> Self {
        self.reworded(|reply| redact::redact(&reply, to))
    }

    /// The same in other words.
    fn reworded(self, word: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Sent { reply } => Self::Sent { reply: word(reply) },
            Self::Deferred { reply, throttled, reached } => {
                Self::Deferred { reply: word(reply), throttled, reached }
            }
            Self::Failed { reply } => Self::Failed { reply: word(reply) },
            Self::Doubt { reply } => Self::Doubt { reply: word(reply) },
        }
    }
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
