//! The export of one person as JSON.

use serde_json::{Value, json};

use restockd_core::directory::ConsentEvidence;
use restockd_core::feedback;
use restockd_core::list::ChangeSource;
use restockd_engine::api::{ConsentView, LetterView, MembershipView, PersonExport};

use super::contacts::ContactJson;

pub(super) fn json(export: &PersonExport) -> Value {
    json!({
        "contact": ContactJson::from(&export.contact),
        "unsubscribedFromAll": export.unsubscribed,
        "suppression": export.suppression.as_ref().map(|held| json!({
            "reason": held.reason.as_str(),
            "at": held.at.map(|at| at.to_string()),
            "evidence": held.evidence,
        })),
        "lists": export.lists.iter().map(membership).collect::<Vec<_>>(),
        "consent": export.consent.iter().map(consent).collect::<Vec<_>>(),
        "pending": export
            .pending
            .iter()
            .map(|(list, at)| json!({"list": list, "at": at.to_string()}))
            .collect::<Vec<_>>(),
        "letters": export.letters.iter().map(letter).collect::<Vec<_>>(),
        "returns": export.returns.iter().map(returned).collect::<Vec<_>>(),
    })
}

fn membership(view: &MembershipView) -> Value {
    json!({
        "list": view.list.as_str(),
        "subscribed": view.subscribed,
        "how": way(view.how),
        "joinedAt": view.joined.to_string(),
        "changedAt": view.changed.to_string(),
    })
}

/// Evidence of consent; what was not given is `null`.
fn consent(view: &ConsentView) -> Value {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let ConsentEvidence { key, source, wording, url } = &view.evidence;
    json!({
        "list": view.list,
        "how": way(view.how),
        "at": view.at.to_string(),
        "wording": given(wording),
        "url": given(url),
        "source": given(source),
        "key": given(key),
    })
}

fn letter(view: &LetterView) -> Value {
    json!({
        "campaign": view.campaign.to_string(),
        "list": view.list.as_str(),
        "status": view.state.status(),
        "reason": view.state.reason(),
        "attempts": view.attempts,
        "at": view.at.to_string(),
    })
}

/// Feedback on a letter to the address.
fn returned(evidence: &feedback::FeedbackEvidence) -> Value {
    json!({
        "kind": evidence.kind.as_str(),
        "at": evidence.at.to_string(),
        "source": evidence.source,
        "status": evidence.status.map(|status| status.to_string()),
        "diagnostic": evidence.diagnostic,
        "campaign": evidence.campaign.map(|campaign| campaign.to_string()),
        "messageId": evidence.message_id,
    })
}

fn way(how: ChangeSource) -> String {
    format!("{how:?}").to_lowercase()
}
