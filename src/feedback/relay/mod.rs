//! What relays say about letters in JSON of their own, one file a relay.
//!
//! Their fields are believed as far as the signature over them, which is checked before anything
//! here runs: so the address that an event names is whom it is about. Where a relay passes on the
//! server's status, the table that SMTP replies and reports go by decides; the relay's own word is
//! taken where there is no status that says anything.

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
    /// Amazon SES, by way of SNS.
    Ses,
    /// Postmark.
    Postmark,
    /// Mailgun.
    Mailgun,
    /// SendGrid.
    Sendgrid,
    /// Resend.
    Resend,
}

impl Relay {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ses, Self::Postmark, Self::Mailgun, Self::Sendgrid, Self::Resend];

    /// Its name in paths, settings and evidence.
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

    /// The relay of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relay| relay.as_str() == name)
    }

    /// Reads a verified body. `name` is the delivery's own name where it stands outside the body.
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

/// A name that fits: of an event, or of a letter.
fn name(text: &str) -> Option<String> {
    let id = text.trim_matches(['<', '>', ' ']);
    (!id.is_empty() && id.len() <= NAME_BYTES_MAX).then(|| id.to_owned())
}

/// The kind of a failed letter: by a status that says something, else by what the relay calls it.
fn by_status(status: Option<Enhanced>, relays: FeedbackKind) -> FeedbackKind {
    match status {
        Some(status) if (status.subject, status.detail) != (0, 0) => FeedbackKind::of_failed(Some(status)),
        _ => relays,
    }
}

/// The kind of a failed letter by a bare SMTP code.
fn by_code(code: u64) -> FeedbackKind {
    match u16::try_from(code).map(class_of_code).map(FeedbackKind::of_class) {
        Ok(FeedbackKind::Delayed | FeedbackKind::Delivered) | Err(_) => FeedbackKind::SoftBounce,
        Ok(kind) => kind,
    }
}

/// A claim about one address in a relay's event.
fn claim(kind: FeedbackKind, event: &str, address: &str, letter: Option<&str>) -> Option<UnverifiedReport> {
    let mut claim = UnverifiedReport::of(kind, name(event)?);
    claim.address(address);
    claim.message_id = letter.and_then(name);
    (!claim.addresses.is_empty()).then_some(claim)
}
