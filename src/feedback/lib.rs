//! Reads feedback on letters: bytes of a bounce, a complaint or a relay's event in, plain data out.
//!
//! [`read`] takes a message apart, [`Relay::read`](relay::Relay::read) an event of a relay. Both return a [`ParsedMessage`]: the reports, or why
//! there is none.
//!
//! ```text
//! message ── multipart/report ─┬─ delivery-status (RFC 3464) ── dsn ──┐
//!                         └─ feedback-report (RFC 5965) ── arf ──┼──▶ ParsedMessage
//! a relay's JSON ────────────────────────────────────────── relay ────┘
//! ```
//!
//! Pure: no clock and no I/O. Nothing is guessed: a message in none of these forms is *nothing*, with the reason. Nothing is
//! believed either: a report holds what the message claims. The layers above prove whose letter it is about, by a token, our
//! Message-ID or a link of ours, or by the relay's signature. Work is bounded by the size of the message, and no input makes
//! this code panic.

mod arf;
mod dsn;
mod fields;
mod message;
pub mod relay;

use std::fmt;

use restockd_core::Email;
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::Enhanced;

pub use message::{MESSAGE_BYTES_MAX, read};

/// Addresses, tokens or links that are kept of one report, each.
const CLAIMS_MAX: usize = 16;
/// Reports in one delivery.
const REPORTS_MAX: usize = 1000;
/// Bytes of the name of a report or a letter.
const NAME_BYTES_MAX: usize = 255;
/// Characters that are kept of a server's reply.
const DIAGNOSTIC_CHARS_MAX: usize = 512;

#[derive(Debug)]
pub enum ParsedMessage {
    /// At least one report.
    Reports(Vec<UnverifiedReport>),
    /// There is no report; the text says why.
    Nothing(&'static str),
}

/// What a message claims about one letter, before any proof.
#[derive(Clone)]
pub struct UnverifiedReport {
    pub kind: FeedbackKind,
    pub status: Option<Enhanced>,
    /// The server's reply as it came; it may hold addresses.
    pub diagnostic: Option<String>,
    /// The addresses that it names, the most likely first.
    pub addresses: Vec<Email>,
    /// Possible bounce tokens of ours.
    pub tokens: Vec<String>,
    /// Possible tokens of our unsubscribe links.
    pub links: Vec<String>,
    /// The letter's Message-ID without brackets, or the relay's own name for the letter.
    pub message_id: Option<String>,
    /// The report's own name, the same in every repeat of it.
    pub name: String,
}

impl UnverifiedReport {
    /// A report of this kind with nothing else known.
    #[must_use]
    pub(crate) fn of(kind: FeedbackKind, name: String) -> Self {
        let (status, diagnostic, message_id) = (None, None, None);
        let (addresses, tokens, links) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, status, diagnostic, addresses, tokens, links, message_id, name }
    }

    /// Adds an address, once.
    fn address(&mut self, text: &str) {
        if let Some(email) = fields::address(text)
            && self.addresses.len() < CLAIMS_MAX
            && !self.addresses.contains(&email)
        {
            self.addresses.push(email);
        }
    }

    /// Adds the server's reply, shortened.
    fn words(&mut self, text: &str) {
        let text: String = fields::one_line(text).chars().take(DIAGNOSTIC_CHARS_MAX).collect();
        self.diagnostic = Some(text).filter(|text| !text.is_empty());
    }
}

/// Shows no address and no token.
impl fmt::Debug for UnverifiedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, status) = (self.kind, self.status);
        f.debug_struct("UnverifiedReport")
            .field("kind", &kind)
            .field("status", &status)
            .finish_non_exhaustive()
    }
}
