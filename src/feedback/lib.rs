//! Reports that come back about letters, read: bytes in, what they say out.
//!
//! ```text
//! message ── multipart/report ─┬─ delivery-status (RFC 3464) ── dsn ──┐
//!                              └─ feedback-report (RFC 5965) ── arf ──┼──▶ Reading
//! a relay's JSON ────────────────────────────────────────── relay ────┘
//! ```
//!
//! Pure, and open to all layers that read. Nothing is guessed: what is no report in one of these
//! forms is *nothing*, with the reason. Nothing is believed either: a reading holds what the report
//! claims; whose letter it is about is proved above, by a token, our Message-ID or a link of ours,
//! or by the signature of the relay that says so. Work is bounded by the size of the message, and
//! nothing that is fed in here panics.

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

/// Claims of one sort that are looked at in one report.
const CLAIMS_MAX: usize = 16;
/// Reports that one delivery may hold.
const REPORTS_MAX: usize = 1000;
/// Bytes of a name that a report has for itself or its letter.
const NAME_BYTES_MAX: usize = 255;
/// Characters of a server's words that are kept.
const DIAGNOSTIC_CHARS_MAX: usize = 512;

/// What was read.
#[derive(Debug)]
pub enum ParsedMessage {
    /// At least one report.
    Reports(Vec<UnverifiedReport>),
    /// No report, and why.
    Nothing(&'static str),
}

/// What a report says about one letter, unproved.
#[derive(Clone)]
pub struct UnverifiedReport {
    /// What became of the letter.
    pub kind: FeedbackKind,
    /// The status code.
    pub status: Option<Enhanced>,
    /// The server's words, as they came: they may hold addresses.
    pub diagnostic: Option<String>,
    /// The addresses it names, the likeliest first.
    pub addresses: Vec<Email>,
    /// What may be bounce tokens of ours.
    pub tokens: Vec<String>,
    /// What may be tokens of our unsubscribe links.
    pub links: Vec<String>,
    /// The Message-ID of the letter without brackets, or the relay's own name for it.
    pub message_id: Option<String>,
    /// The report's own name: the same report again has the same.
    pub name: String,
}

impl UnverifiedReport {
    /// A claim of this kind, with nothing else known.
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

    /// Adds the server's words, shortened.
    fn words(&mut self, text: &str) {
        let text: String = fields::one_line(text).chars().take(DIAGNOSTIC_CHARS_MAX).collect();
        self.diagnostic = Some(text).filter(|text| !text.is_empty());
    }
}

/// Addresses and tokens never reach a log by way of `{:?}`.
impl fmt::Debug for UnverifiedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, status) = (self.kind, self.status);
        f.debug_struct("UnverifiedReport")
            .field("kind", &kind)
            .field("status", &status)
            .finish_non_exhaustive()
    }
}
