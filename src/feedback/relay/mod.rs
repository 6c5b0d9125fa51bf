//! Reports of relays about letters, in JSON of their own; one file per relay.
//!
//! The signature is verified before anything here runs, and covers these fields: so an event is about the address that it
//! names. Where a relay passes on the server's status, the same table decides as for SMTP replies and reports; the relay's
//! own word counts only where no status tells anything.

mod mailgun;
mod postmark;
mod resend;
mod sendgrid;
mod ses;

use serde_json::Value;

use super::{NAME_BYTES_MAX, ParsedMessage, REPORTS_MAX, UnverifiedReport};
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::{Enhanced, class_of_code};

/// The relays whose events are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relay {
    /// Amazon SES, through SNS.
    Ses,
    Postmark,
    Mailgun,
    Sendgrid,
    Resend,
}

impl Relay {
    pub const ALL: [Self; 5] = [Self::Ses, Self::Postmark, Self::Mailgun, Self::Sendgrid, Self::Resend];

    /// The relay's name in paths, settings and evidence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ses => "ses",
            Self::Postmark => "postmark",
            Self::Mailgun => "mailgun",
            Self::Sendgrid => "sendgrid",
            Self::Resend => "resend",
        }
    }

    /// The relay with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relay| relay.as_str() == name)
    }

    /// Reads a verified body. `name` is the delivery's own name where it is outside the body.
    #[must_use]
    pub fn read(self, body: &[u8], name: Option<&str>) -> ParsedMessage {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return ParsedMessage::Nothing("the event is not JSON");
        };
        let claims: Vec<UnverifiedReport> = match self {
            Self::Ses => ses::read(&body),
            Self::Postmark => postmark::read(&body).into_iter().collect(),
            Self::Mailgun => mailgun::read(&body).into_iter().collect(),
            Self::Sendgrid => sendgrid::read(&body),
            Self::Resend => resend::read(&body, name.unwrap_or_default()).into_iter().collect(),
        };
        if claims.is_empty() {
            return ParsedMessage::Nothing("an event without a consequence here");
        }
        ParsedMessage::Reports(claims)
    }
}

/// The text at a path of fields.
fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    let found = path.iter().try_fold(value, |value, field| value.get(field))?;
    found.as_str().filter(|text| !text.is_empty())
}

/// A name of an event or a letter, if its length is acceptable.
fn name(text: &str) -> Option<String> {
    let id = text.trim_matches(['<', '>', ' ']);
    (!id.is_empty() && id.len() <= NAME_BYTES_MAX).then(|| id.to_owned())
}

/// The kind of a failure: by the status if that tells anything, else the relay's own.
fn by_status(status: Option<Enhanced>, relays: FeedbackKind) -> FeedbackKind {
    match status {
        Some(status) if (status.subject, status.detail) != (0, 0) => FeedbackKind::of_failed(Some(status)),
        _ => relays,
    }
}

/// The kind of a failure by a bare SMTP code.
fn by_code(code: u64) -> FeedbackKind {
    match u16::try_from(code).map(class_of_code).map(FeedbackKind::of_class) {
        Ok(FeedbackKind::Delayed | FeedbackKind::Delivered) | Err(_) => FeedbackKind::SoftBounce,
        Ok(kind) => kind,
    }
}

/// A report about one address in a relay's event.
fn claim(kind: FeedbackKind, event: &str, address: &str, letter: Option<&str>) -> Option<UnverifiedReport> {
    let mut claim = UnverifiedReport::of(kind, name(event)?);
    claim.address(address);
    claim.message_id = letter.and_then(name);
    (!claim.addresses.is_empty()).then_some(claim)
}
