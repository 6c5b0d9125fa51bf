//! Abuse reports in ARF (RFC 5965), also those asked for by header (RFC 9477).
//!
//! ```text
//! Feedback-Type: abuse
//! Original-Mail-From: <bounce+token@bounces.shop.example>
//! Original-Rcpt-To: <ann@shop.example>
//! ```
//!
//! Most providers remove the address from their reports; then the token in the envelope's sender, the `CFBL-Feedback-ID` or
//! a link of the letter says whose it was.

use super::UnverifiedReport;
use super::fields::Fields;
use super::message::Shared;
use restockd_core::feedback::FeedbackKind;

/// The report in a feedback part; empty for types that are not about one letter's reader.
pub(super) fn read(shared: &Shared, feedback: &[u8]) -> Vec<UnverifiedReport> {
    let fields = Fields::read(feedback);
    let kind = fields.get("feedback-type").unwrap_or_default().to_ascii_lowercase();
    let kind = match kind.as_str() {
        "abuse" | "fraud" | "opt-out" | "opt-out-list" => FeedbackKind::Complaint,
        "not-spam" => FeedbackKind::NotSpam,
        _ => return Vec::new(),
    };
    let mut claim = shared.claim(kind, shared.name.clone());
    for name in ["original-mail-from", "cfbl-feedback-id", "original-envelope-id"] {
        fields.all(name).for_each(|text| claim.search(text));
    }
    for name in ["original-rcpt-to", "removal-recipient"] {
        fields.all(name).for_each(|text| claim.address(text));
    }
    for name in ["to", "x-hmxmroriginalrecipient", "x-original-to"] {
        shared.letter.all(name).for_each(|text| claim.address(text));
    }
    vec![claim]
}
