//! Mailgun: one event a delivery, under `event-data`.
//!
//! The signature covers a token, not the event, so the token is the delivery's name: used once, it
//! is of no use to anybody who got hold of it.

use serde_json::Value;

use super::super::Claim;
use super::{by_code, by_status, claim, text};
use restockd_core::returns::Kind;
use restockd_core::status::Enhanced;

/// The claim of one event.
pub(super) fn read(body: &Value) -> Option<Claim> {
    let event = body.get("event-data")?;
    let status = status(event);
    let kind = match text(event, &["event"])? {
        "complained" => Kind::Complaint,
        "failed" if text(event, &["severity"]) == Some("temporary") => Kind::Delayed,
        "failed" => match text(event, &["reason"]) {
            Some("suppress-bounce") => Kind::HardBounce,
            Some("suppress-complaint") => Kind::Complaint,
            Some("suppress-unsubscribe") => return None,
            _ => {
                let code = event.get("delivery-status").and_then(|s| s.get("code")).and_then(Value::as_u64);
                by_status(status, code.map_or(Kind::SoftBounce, by_code))
            }
        },
        _ => return None,
    };
    let token = text(body, &["signature", "token"])?;
    let letter = text(event, &["message", "headers", "message-id"]);
    let mut claim = claim(kind, token, text(event, &["recipient"])?, letter)?;
    if kind != Kind::Complaint {
        claim.status = status;
        let words =
            ["message", "description"].iter().find_map(|word| text(event, &["delivery-status", word]));
        words.into_iter().for_each(|words| claim.words(words));
    }
    Some(claim)
}

/// The status: its own field in newer events, else at the start of the server's words.
fn status(event: &Value) -> Option<Enhanced> {
    let own = text(event, &["delivery-status", "enhanced-code"]).and_then(Enhanced::parse);
    own.or_else(|| text(event, &["delivery-status", "message"]).and_then(Enhanced::of_reply))
}
