//! Amazon SES: the `Message` of an SNS notification, in its older form (`notificationType`) and in the form of
//! configuration sets (`eventType`).

use serde_json::Value;

use super::super::UnverifiedReport;
use super::{REPORTS_MAX, by_status, claim, text};
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::Enhanced;

/// The reports in one notification.
pub(super) fn read(event: &Value) -> Vec<UnverifiedReport> {
    let kind = text(event, &["notificationType"]).or_else(|| text(event, &["eventType"]));
    match kind {
        Some("Bounce") => bounced(event),
        Some("Complaint") => complained(event),
        _ => Vec::new(),
    }
}

/// The rows of a list of recipients.
fn rows<'a>(event: &'a Value, part: &str, list: &str) -> &'a [Value] {
    let rows = event.get(part).and_then(|part| part.get(list)).and_then(Value::as_array);
    rows.map(Vec::as_slice).unwrap_or_default()
}

/// The reports of a bounce: `Permanent`, `Transient` or `Undetermined`, with a status for each recipient.
fn bounced(event: &Value) -> Vec<UnverifiedReport> {
    let ses = match (text(event, &["bounce", "bounceType"]), text(event, &["bounce", "bounceSubType"])) {
        (_, Some("ContentRejected" | "AttachmentRejected" | "MessageTooLarge")) => FeedbackKind::Policy,
        (Some("Permanent"), _) => FeedbackKind::HardBounce,
        _ => FeedbackKind::SoftBounce,
    };
    let id = text(event, &["bounce", "feedbackId"]).unwrap_or_default();
    let letter = text(event, &["mail", "messageId"]);
    let read = |row: &Value| {
        let status = text(row, &["status"]).and_then(Enhanced::parse);
        let kind = by_status(status, ses);
        let mut claim = claim(kind, id, text(row, &["emailAddress"])?, letter)?;
        claim.status = status;
        if let Some(words) = text(row, &["diagnosticCode"]) {
            claim.words(words.split_once(';').map_or(words, |(_, words)| words));
        }
        Some(claim)
    };
    rows(event, "bounce", "bouncedRecipients").iter().take(REPORTS_MAX).filter_map(read).collect()
}

/// The reports of a complaint; without a type it is a complaint all the same.
fn complained(event: &Value) -> Vec<UnverifiedReport> {
    let kind = match text(event, &["complaint", "complaintFeedbackType"]) {
        Some("not-spam") => FeedbackKind::NotSpam,
        Some("auth-failure" | "virus") => return Vec::new(),
        _ => FeedbackKind::Complaint,
    };
    let id = text(event, &["complaint", "feedbackId"]).unwrap_or_default();
    let letter = text(event, &["mail", "messageId"]);
    let read = |row: &Value| claim(kind, id, text(row, &["emailAddress"])?, letter);
    rows(event, "complaint", "complainedRecipients").iter().take(REPORTS_MAX).filter_map(read).collect()
}
