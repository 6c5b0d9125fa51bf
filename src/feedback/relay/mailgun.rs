//! Mailgun: one event per delivery, under `event-data`.
//!
//! The signature covers a token, not the event. So the token is the delivery's name: once used, it is worthless to anybody
//! who obtained it.

use serde_json::Value;

use super::super::UnverifiedReport;
use super::{by_code, by_status, claim, text};
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::Enhanced;

/// The report in one event.
pub(super) fn read(body: &Value) -> Option<UnverifiedReport> {
    let event = body.get("event-data")?;
    let status = status(event);
    let kind = match text(event, &["event"])? {
        "complained" => FeedbackKind::Complaint,
        "failed" if text(event, &["severity"]) == Some("temporary") => FeedbackKind::Delayed,
        "failed" => match text(event, &["reason"]) {
            Some("suppress-bounce") => FeedbackKind::HardBounce,
            Some("suppress-complaint") => FeedbackKind::Complaint,
            Some("suppress-unsubscribe") => return None,
            _ => {
                let code = event.get("delivery-status").and_then(|s| s.get("code")).and_then(Value::as_u64);
                by_status(status, code.map_or(FeedbackKind::SoftBounce, by_code))
            }
        },
        _ => return None,
    };
    let token = text(body, &["signature", "token"])?;
    let letter = text(event, &["message", "headers", "message-id"]);
    let mut claim = claim(kind, token, text(event, &["recipient"])?, letter)?;
    if kind != FeedbackKind::Complaint {
        claim.status = status;
        let words =
            ["message", "description"].iter().find_map(|word| text(event, &["delivery-status", word]));
        words.into_iter().for_each(|words| claim.words(words));
    }
    Some(claim)
}

/// The status: a field of its own in newer events, else at the start of the server's reply.
fn status(event: &Value) -> Option<Enhanced> {
    let own = text(event, &["delivery-status", "enhanced-code"]).and_then(Enhanced::parse);
    own.or_else(|| text(event, &["delivery-status", "message"]).and_then(Enhanced::of_reply))
}
