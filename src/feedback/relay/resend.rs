//! Resend: one event per delivery, named by the `svix-id` header.

use serde_json::Value;

use super::super::UnverifiedReport;
use super::{by_status, claim, text};
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::Enhanced;

/// The report in one event.
pub(super) fn read(body: &Value, name: &str) -> Option<UnverifiedReport> {
    let data = body.get("data")?;
    let words = text(data, &["bounce", "message"]);
    let status = words.and_then(|words| Enhanced::of_reply(words.trim_start_matches("smtp;").trim()));
    let kind = match text(body, &["type"])? {
        "email.complained" => FeedbackKind::Complaint,
        "email.bounced" => by_status(status, bounce(data)),
        "email.delivery_delayed" => FeedbackKind::Delayed,
        _ => return None,
    };
    // Our letters have one recipient each; an event about several does not say whose letter it was.
    let to = match data.get("to")? {
        Value::Array(to) if to.len() == 1 => to.first()?.as_str()?,
        Value::String(to) => to,
        _ => return None,
    };
    let mut claim = claim(kind, name, to, text(data, &["email_id"]))?;
    if kind == FeedbackKind::HardBounce || kind == FeedbackKind::SoftBounce || kind == FeedbackKind::Policy {
        claim.status = status;
        words.into_iter().for_each(|words| claim.words(words));
    }
    Some(claim)
}

/// The kind that a Resend bounce type stands for.
fn bounce(data: &Value) -> FeedbackKind {
    match (text(data, &["bounce", "type"]), text(data, &["bounce", "subType"])) {
        (_, Some("ContentRejected" | "AttachmentRejected" | "MessageTooLarge")) => FeedbackKind::Policy,
        (Some("Permanent"), _) => FeedbackKind::HardBounce,
        _ => FeedbackKind::SoftBounce,
    }
}
