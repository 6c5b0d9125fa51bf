//! Postmark: one event per delivery, told apart by `RecordType` and, for bounces, `Type`.

use serde_json::Value;

use super::super::UnverifiedReport;
use super::{claim, text};
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::Enhanced;

/// The report in one event.
pub(super) fn read(event: &Value) -> Option<UnverifiedReport> {
    let kind = match (text(event, &["RecordType"])?, text(event, &["Type"])) {
        ("SpamComplaint", _) | ("Bounce", Some("SpamComplaint")) => FeedbackKind::Complaint,
        ("Bounce", Some(of_type)) => bounce(event, of_type)?,
        _ => return None,
    };
    let id = event.get("ID")?.as_u64()?.to_string();
    let mut claim = claim(kind, &id, text(event, &["Email"])?, text(event, &["MessageID"]))?;
    if kind != FeedbackKind::Complaint {
        claim.status = status(event);
        if let Some(words) = text(event, &["Details"]).or_else(|| text(event, &["Description"])) {
            claim.words(words.strip_prefix("smtp;").unwrap_or(words));
        }
    }
    Some(claim)
}

/// The kind that a Postmark bounce type stands for.
fn bounce(event: &Value, of_type: &str) -> Option<FeedbackKind> {
    Some(match of_type {
        "HardBounce" | "BadEmailAddress" => super::by_status(status(event), FeedbackKind::HardBounce),
        "SoftBounce" | "DnsError" | "Unknown" | "ChallengeVerification" => {
            super::by_status(status(event), FeedbackKind::SoftBounce)
        }
        "SpamNotification" | "Blocked" | "DMARCPolicy" | "VirusNotification" | "OpenRelayTest" => {
            FeedbackKind::Policy
        }
        // the recipient answered the letter and asked for no more
        "Unsubscribe" => FeedbackKind::Complaint,
        "AutoResponder" | "AddressChange" => FeedbackKind::AutoReply,
        "Transient" => FeedbackKind::Delayed,
        _ => return None,
    })
}

/// The status in the server's reply.
fn status(event: &Value) -> Option<Enhanced> {
    let words = text(event, &["Details"])?;
    Enhanced::of_reply(words.strip_prefix("smtp;").unwrap_or(words).trim())
}
