//! `POST /v1/returns` and `POST /v1/returns/{relay}`: feedback on letters.
//!
//! ```text
//! a message, with an API key ─▶ read ─▶ each report: proved by something only the letter contained
//! a relay's event ─▶ its signature ─▶ read ─▶ each report: the address it names is believed
//! ```
//!
//! The answer is 200 when everything is durable, and tells what was understood. A message that is no report gets a 200 too,
//! with the reason, because a sender that is refused sends again. Without a configured secret, or with a proof that does
//! not hold, the answer is 401.

mod fetch;
mod settings;
mod sns;
mod verify;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::{Value, json};

use super::auth::Ingest;
use super::body::{self, Query, Segment};
use super::error::ApiError;
use super::limits::BodyMemory;
use super::{App, response};
use restockd_core::directory::SuppressionReason;
use restockd_engine::api::{ReturnAnswer, ReturnInput};
use restockd_feedback::relay::Relay;
use restockd_feedback::{MESSAGE_BYTES_MAX, ParsedMessage, UnverifiedReport};

pub use fetch::{Fetch, Fetching};
pub use settings::ReturnsSettings;

/// Bytes of bodies held at once; a further one is answered 503.
const ROOM_BYTES: usize = 16 << 20;
/// The longest address that a message may have been delivered to.
const RECIPIENT_BYTES_MAX: usize = 320;

/// The keys and topics with which deliveries are verified.
pub(super) struct FeedbackVerifiers {
    room: BodyMemory,
    ses: Option<sns::Sns>,
    postmark: verify::Basic,
    mailgun: verify::Mailgun,
    sendgrid: verify::Sendgrid,
    resend: verify::Standard,
}

impl FeedbackVerifiers {
    /// Prepares the keys; a key that cannot be used is an error.
    pub(super) fn new(settings: ReturnsSettings) -> io::Result<Self> {
        let fetch = settings.fetch;
        let topic = settings.ses_topic.as_deref().and_then(sns::Topic::parse);
        Ok(Self {
            room: BodyMemory::new(ROOM_BYTES),
            ses: topic.map(|topic| sns::Sns::new(topic, fetch)),
            postmark: verify::Basic::new(&settings.postmark)?,
            mailgun: verify::Mailgun::new(&settings.mailgun, settings.mailgun_tolerance_ms),
            sendgrid: verify::Sendgrid::new(&settings.sendgrid, settings.sendgrid_tolerance_ms)?,
            resend: verify::Standard::new(&settings.resend, settings.resend_tolerance_ms)?,
        })
    }

    /// Whether there is anything to verify a relay's deliveries with.
    fn configured(&self, relay: Relay) -> bool {
        match relay {
            Relay::Ses => self.ses.is_some(),
            Relay::Postmark => self.postmark.configured(),
            Relay::Mailgun => self.mailgun.configured(),
            Relay::Sendgrid => self.sendgrid.configured(),
            Relay::Resend => self.resend.configured(),
        }
    }
}

/// `POST /v1/returns`.
pub(super) async fn message(
    _: Ingest,
    State(app): State<Arc<App>>,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let recipient = query.get("recipient").filter(|recipient| recipient.len() <= RECIPIENT_BYTES_MAX);
    let _room = app.returns.room.take(announced(&body)).await?;
    let body = body::read(body, MESSAGE_BYTES_MAX, app.body_timeout).await?;
    take(&app, "message", restockd_feedback::read(&body, recipient.as_deref()), false).await
}

/// `POST /v1/returns/{relay}`.
pub(super) async fn relay(
    State(app): State<Arc<App>>,
    relay: Result<Segment, ApiError>,
    request: Request,
) -> Result<Response, ApiError> {
    let relay = relay.ok().and_then(|segment| Relay::parse(&segment.0)).ok_or(ApiError::UnknownSource)?;
    if !app.returns.configured(relay) {
        return Err(ApiError::Unsigned);
    }
    let (parts, body) = request.into_parts();
    let (body, name) = match relay {
        Relay::Ses => match verified_by_sns(&app, body).await? {
            sns::SnsNotice::Event(event) => (event, None),
            sns::SnsNotice::Confirmed => return Ok(response::ok(&json!({"ok": true, "subscribed": true}))),
        },
        _ => verified(&app, relay, &parts, body).await?,
    };
    take(&app, relay.as_str(), relay.read(&body, name.as_deref()), true).await
}

/// Reads a message of SNS and verifies it.
async fn verified_by_sns(app: &App, body: Body) -> Result<sns::SnsNotice, ApiError> {
    let sns = app.returns.ses.as_ref().ok_or(ApiError::Unsigned)?;
    let _room = app.returns.room.take(announced(&body)).await?;
    let body = body::read(body, MESSAGE_BYTES_MAX, app.body_timeout).await?;
    sns.receive(&body, app.engine.now()).await
}

/// The body of a delivery whose proof holds, and the delivery's name if it is outside the body. What the headers alone can
/// show is checked before the body is read.
async fn verified(
    app: &App,
    relay: Relay,
    parts: &Parts,
    body: Body,
) -> Result<(Bytes, Option<String>), ApiError> {
    let (verifiers, headers, now) = (&app.returns, &parts.headers, app.engine.now());
    let bad = || ApiError::BadSignature;
    let read = async |body: Body| {
        let _room = verifiers.room.take(announced(&body)).await?;
        body::read(body, MESSAGE_BYTES_MAX, app.body_timeout).await
    };
    match relay {
        Relay::Ses => Err(ApiError::Unsigned),
        Relay::Postmark => {
            verifiers.postmark.verify(headers).ok_or_else(bad)?;
            Ok((read(body).await?, None))
        }
        Relay::Mailgun => {
            let body = read(body).await?;
            verifiers.mailgun.verify(&body, now).ok_or_else(bad)?;
            Ok((body, None))
        }
        Relay::Sendgrid => {
            let tag = verifiers.sendgrid.tag(headers, now).ok_or_else(bad)?;
            let body = read(body).await?;
            verifiers.sendgrid.verify(&tag, &body).ok_or_else(bad)?;
            Ok((body, None))
        }
        Relay::Resend => {
            let tag = verifiers.resend.tag(headers, now).ok_or_else(bad)?;
            let body = read(body).await?;
            verifiers.resend.verify(&tag, &body).ok_or_else(bad)?;
            Ok((body, Some(tag.id)))
        }
    }
}

/// Bytes that may come: as declared by the client, or else the limit.
fn announced(body: &Body) -> usize {
    let upper = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok());
    upper.map_or(MESSAGE_BYTES_MAX, |bytes| bytes.min(MESSAGE_BYTES_MAX))
}

/// Hands each report to the Engine, in order; the answer tells what followed from each.
async fn take(
    app: &App,
    source: &'static str,
    reading: ParsedMessage,
    trusted: bool,
) -> Result<Response, ApiError> {
    let claims: Vec<UnverifiedReport> = match reading {
        ParsedMessage::Reports(claims) => claims,
        ParsedMessage::Nothing(reason) => {
            return Ok(response::ok(&json!({"ok": true, "skipped": true, "reason": reason})));
        }
    };
    let mut reports = Vec::with_capacity(claims.len());
    for claim in claims {
        let taken = app.engine.take_feedback(ReturnInput { source, claim, trusted }).await?;
        reports.push(report_json(&taken));
    }
    Ok(response::ok(&json!({"ok": true, "reports": reports})))
}

/// One report in the answer.
fn report_json(taken: &ReturnAnswer) -> Value {
    match taken {
        ReturnAnswer::Taken { kind, person, suppressed } => {
            let contact = person.map(|person| Cow::from(person.to_string()));
            json!({"kind": kind.as_str(), "contact": contact, "suppressed": suppressed.map(SuppressionReason::as_str)})
        }
        ReturnAnswer::Duplicate { kind } => json!({"kind": kind.as_str(), "duplicate": true}),
        ReturnAnswer::Skipped { kind, reason } => {
            json!({"kind": kind.as_str(), "skipped": true, "reason": reason})
        }
    }
}
