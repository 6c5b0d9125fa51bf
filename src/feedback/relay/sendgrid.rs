//! SendGrid: a list of events per delivery, each with its own name.

use serde_json::Value;

use super::super::UnverifiedReport;
use super::{REPORTS_MAX, by_status, claim, text};
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::Enhanced;

/// The reports in one delivery.
pub(super) fn read(body: &Value) -> Vec<UnverifiedReport> {
    let events = body.as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().take(REPORTS_MAX).filter_map(one).collect()
}

/// The report in one event.
fn one(event: &Value) -> Option<UnverifiedReport> {
    let status = status(event);
    let kind = match text(event, &["event"])? {
        "spamreport" => FeedbackKind::Complaint,
        "bounce" => by_status(status, by_word(event)),
        "dropped" => dropped(text(event, &["reason"]).unwrap_or_default())?,
        "deferred" => FeedbackKind::Delayed,
        _ => return None,
    };
    let id = text(event, &["sg_event_id"])?;
    let letter = text(event, &["smtp-id"]).or_else(|| text(event, &["sg_message_id"]));
    let mut claim = claim(kind, id, text(event, &["email"])?, letter)?;
    if kind != FeedbackKind::Complaint {
        claim.status = status;
        text(event, &["reason"]).into_iter().for_each(|words| claim.words(words));
    }
    Some(claim)
}

/// The status: a field of its own where that tells anything, else in the server's reply.
fn status(event: &Value) -> Option<Enhanced> {
    let own = text(event, &["status"]).and_then(Enhanced::parse);
    let said = text(event, &["reason"]).and_then(Enhanced::of_reply);
    own.filter(|status| (status.subject, status.detail) != (0, 0)).or(said).or(own)
}

/// The kind of a bounce without a status of its own.
fn by_word(event: &Value) -> FeedbackKind {
    match (text(event, &["bounce_classification"]), text(event, &["type"])) {
        (Some("Invalid Address"), _) => FeedbackKind::HardBounce,
        (Some("Reputation" | "Content" | "Frequency/Volume" | "Frequency or Volume Too High"), _) => {
            FeedbackKind::Policy
        }
        _ => FeedbackKind::SoftBounce,
    }
}

/// The kind of a letter that SendGrid did not try because of earlier feedback.
fn dropped(reason: &str) -> Option<FeedbackKind> {
    match reason {
        "Bounced Address" | "Invalid" => Some(FeedbackKind::HardBounce),
        "Spam Reporting Address" => Some(FeedbackKind::Complaint),
        "Spam Content (if spam checker app enabled)" | "Spam Content" => Some(FeedbackKind::Policy),
        _ => None,
    }
}
