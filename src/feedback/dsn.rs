//! Delivery status notifications (RFC 3464, RFC 6533).
//!
//! ```text
//! Reporting-MTA: dns; mx.example             about the message
//!
//! Final-Recipient: rfc822; ann@shop.example  about one recipient, again for each
//! Action: failed
//! Status: 5.1.1
//! Diagnostic-Code: smtp; 550 5.1.1 no such user
//! ```
//!
//! Our letters have one recipient each. A report about several means that the letter was forwarded to them (an alias, a
//! group): then the mildest result counts, for somebody has received it.

use super::UnverifiedReport;
use super::fields::{Fields, groups};
use super::message::Shared;
use restockd_core::feedback::FeedbackKind;
use restockd_core::status::Enhanced;

/// The report in a status part; empty when it names no recipient.
pub(super) fn read(shared: &Shared, status: &[u8]) -> Vec<UnverifiedReport> {
    let groups = groups(status);
    let recipients = groups.iter().filter_map(|group| recipient(shared, group));
    let mildest = recipients.min_by_key(|claim| severity(claim.kind));
    mildest.into_iter().collect()
}

/// The report about one recipient.
fn recipient(shared: &Shared, group: &Fields) -> Option<UnverifiedReport> {
    let action = group.get("action")?.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let diagnostic = group.get("diagnostic-code");
    let status = refined(group.get("status").and_then(Enhanced::parse), diagnostic);
    let kind = match action.as_str() {
        "failed" => FeedbackKind::of_failed(status),
        "delayed" => FeedbackKind::Delayed,
        "delivered" | "relayed" | "expanded" => FeedbackKind::Delivered,
        _ => return None,
    };
    let mut claim = shared.claim(kind, shared.name.clone());
    claim.status = status;
    if let Some(words) = diagnostic {
        claim.words(words.split_once(';').map_or(words, |(_, words)| words));
    }
    let named = ["original-recipient", "final-recipient"].iter().filter_map(|name| group.get(name));
    named.for_each(|address| claim.address(address));
    shared.letter.all("to").for_each(|address| claim.address(address));
    Some(claim)
}

/// A more precise status. Some systems write `5.0.0` whatever happened: then the server's reply says more, as long as it
/// agrees with the class of the status.
fn refined(status: Option<Enhanced>, diagnostic: Option<&str>) -> Option<Enhanced> {
    let said = diagnostic.and_then(|text| {
        let (kind, words) = text.split_once(';')?;
        kind.trim().eq_ignore_ascii_case("smtp").then(|| Enhanced::of_reply(words.trim()))?
    });
    match (status, said) {
        (None, said) => said,
        (Some(status), Some(said))
            if status.detail == 0
                && status.class == said.class
                && [0, said.subject].contains(&status.subject) =>
        {
            Some(said)
        }
        (status, _) => status,
    }
}

/// Kinds in the order of their consequences.
fn severity(kind: FeedbackKind) -> u8 {
    match kind {
        FeedbackKind::Delivered | FeedbackKind::AutoReply | FeedbackKind::NotSpam => 0,
        FeedbackKind::Delayed => 1,
        FeedbackKind::Policy => 2,
        FeedbackKind::SoftBounce => 3,
        FeedbackKind::HardBounce => 4,
        FeedbackKind::Complaint => 5,
    }
}
